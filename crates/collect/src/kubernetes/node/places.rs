//! What lies around the components of a node: units, manifests, networks, keys, and kubeconfigs that no argument names.

use std::path::Path;

use seaworthy_core::fact::Source;
use seaworthy_core::schema::kubernetes;
use seaworthy_core::snapshot::Target;
use seaworthy_core::value::Value;
use serde_json::Value as Json;

use super::document;
use super::files::Files;
use super::find::{Group, Which};
use super::machine::{Decided, Machine, Running, user};
use super::networks;
use super::sheet::Files as _;
use crate::host::root::Unread;
use crate::host::units::{self, Fragment};

/// The most entries of a directory.
const MOST: usize = 1_024;
/// The deepest nesting of directories of keys.
const DEEPEST: usize = 4;

/// Kubeconfigs of administrators and components where distributions put them.
const KUBECONFIGS: [(&str, &str); 12] = [
    ("admin-conf", "/etc/kubernetes/admin.conf"),
    ("super-admin-conf", "/etc/kubernetes/super-admin.conf"),
    ("scheduler-conf", "/etc/kubernetes/scheduler.conf"),
    ("controller-manager-conf", "/etc/kubernetes/controller-manager.conf"),
    ("admin-conf", "/etc/rancher/k3s/k3s.yaml"),
    ("admin-conf", "/var/lib/rancher/k3s/server/cred/admin.kubeconfig"),
    ("admin-conf", "/etc/rancher/rke2/rke2.yaml"),
    ("admin-conf", "/var/lib/rancher/rke2/server/cred/admin.kubeconfig"),
    ("admin-conf", "/var/snap/microk8s/current/credentials/client.config"),
    ("scheduler-conf", "/var/snap/microk8s/current/credentials/scheduler.config"),
    ("controller-manager-conf", "/var/snap/microk8s/current/credentials/controller.config"),
    ("kubeconfig", "/root/.kube/config"),
];

/// Directories that hold what is not the cluster's alone.
const SHARED: [&str; 9] = [
    "/",
    "/etc",
    "/tmp",
    "/root",
    "/etc/ssl",
    "/etc/ssl/certs",
    "/etc/pki",
    "/etc/pki/tls/certs",
    "/usr/share/ca-certificates",
];

/// Adds files, and facts of kubelets that other places than their settings tell.
pub(super) fn around(
    machine: &Machine<'_>,
    running: &[Running],
    decided: &mut [Decided],
    files: &mut Files<'_>,
    target: &mut Target,
    group: &Group,
) {
    for d in decided.iter_mut().filter(|d| d.which == Which::Kubelet) {
        let process = &running[d.running];
        parameters(d, process);
        runtime(d, group);
        unit(machine, d, process, files);
        manifests(d, process, files, target);
        keys_of_kubelet(d, process, files);
    }
    for (role, path) in KUBECONFIGS {
        files.add_existing(role, path);
    }
    networks::around(machine, running, decided, files, target, group);
    keys(running, decided, files, target);
    for (d, process) in decided.iter().map(|d| (d, &running[d.running])) {
        if let Some(exe) = &process.process.exe
            && !process.process.exe_deleted
        {
            files.add_of("executable", exe, &process.view, &user(d, process));
        }
    }
}

/// The kernel parameters that a kubelet sets, or ends over where it may not (`setupKernelTunables`).
fn parameters(d: &mut Decided, process: &Running) {
    const WANTED: [(&str, &str); 6] = [
        ("vm.overcommit_memory", "1"),
        ("vm.panic_on_oom", "0"),
        ("kernel.panic", "10"),
        ("kernel.panic_on_oops", "1"),
        ("kernel.keys.root_maxkeys", "1000000"),
        ("kernel.keys.root_maxbytes", "25000000"),
    ];
    let values = WANTED.map(|(name, wanted)| {
        let path = format!("/proc/sys/{}", name.replace('.', "/"));
        let value = match process.view.read(&path) {
            Ok(bytes) => Value::from(String::from_utf8_lossy(&bytes).trim().to_owned()),
            Err(why) => Value::unknown(why),
        };
        Value::Object(vec![("name", name.into()), ("value", value), ("wanted", wanted.into())])
    });
    d.component.set("kernel_parameters", Value::List(values.to_vec()), Source::place("/proc/sys"));
}

fn runtime(d: &mut Decided, group: &Group) {
    let endpoint = d.component.value("container_runtime_endpoint").as_str().unwrap_or_default().to_owned();
    let by_name =
        [("cri-dockerd", "dockerd"), ("dockershim", "dockerd"), ("crio", "cri-o"), ("containerd", "containerd")];
    let named = by_name.into_iter().find(|(part, _)| endpoint.contains(part)).map(|(_, name)| name);
    let source = Source::place("/proc");
    match (named, group.runtimes.as_slice()) {
        (Some(name), found) if found.is_empty() || found.contains(&name) => {
            d.component.set("container_runtime", name, Source::place(endpoint));
        }
        (_, [one]) => d.component.set("container_runtime", *one, source),
        (_, []) => d.component.set_unknown("container_runtime", "no process of one was found", source),
        (_, several) => {
            let why = format!("several run here ({}), and the kubelet does not tell which", several.join(", "));
            d.component.set_unknown("container_runtime", why, source);
        }
    }
}

/// The unit by which systemd began a process, by its control group.
fn unit(machine: &Machine<'_>, d: &mut Decided, process: &Running, files: &mut Files<'_>) {
    let pid = process.process.pid;
    let place = || Source::place(format!("/proc/{pid}/cgroup"));
    let text = match machine.proc.read(pid, "cgroup", 64 << 10) {
        Ok(text) => String::from_utf8_lossy(&text).into_owned(),
        Err(why) => {
            d.component.set_unknown("ip_address_deny", why.to_string(), place());
            d.component.set_unknown("ip_address_allow", why.to_string(), place());
            return;
        }
    };
    let line = text.lines().find(|line| line.starts_with("0::") || line.contains(":name=systemd:"));
    let name = line.and_then(|line| line.rsplit('/').find(|part| part.ends_with(".service"))).unwrap_or_default();
    if name.is_empty() {
        d.component.set("ip_address_deny", Value::Null, place());
        d.component.set("ip_address_allow", Value::List(Vec::new()), place());
        return;
    }
    let unit = units::read(machine.host, name);
    if let Fragment::File(path) = &unit.fragment {
        files.add("kubelet-unit", &path.to_string_lossy());
    }
    for path in &unit.drop_ins {
        files.add("kubelet-unit", &path.to_string_lossy());
    }
    let source = || Source::place(name);
    match unit.gaps.first() {
        Some(gap) => {
            let why = format!("{}: {}", gap.source, gap.reason);
            d.component.set_unknown("ip_address_deny", why.as_str(), source());
            d.component.set_unknown("ip_address_allow", why, source());
        }
        None => {
            let words = |setting: &str| -> Vec<String> {
                unit.all(setting).iter().flat_map(|line| line.split_whitespace().map(str::to_owned)).collect()
            };
            let deny = words("IPAddressDeny");
            let denied = if deny.is_empty() { Value::Null } else { Value::strings(deny) };
            d.component.set("ip_address_deny", denied, source());
            d.component.set("ip_address_allow", Value::strings(words("IPAddressAllow")), source());
        }
    }
}

/// Manifests of static pods, by what their containers run.
fn manifests(d: &Decided, process: &Running, files: &mut Files<'_>, target: &mut Target) {
    let Some(directory) = d.component.value("static_pod_path").as_str().map(str::to_owned) else { return };
    let user = user(d, process);
    let names = match &process.view.root {
        Ok(root) => root.list(&directory, MOST),
        Err(why) => Err(Unread::Other(why.clone())),
    };
    let names = match names {
        Ok(names) => names,
        // The one file of which it may consist, or nothing.
        Err(Unread::Absent) => return,
        Err(why) => {
            target.incomplete(&kubernetes::FILE, format!("{directory}: {why}"));
            target.gap(directory, why.to_string(), "manifests of static pods");
            return;
        }
    };
    for name in names.iter().map(|name| name.to_string_lossy()).filter(|name| !name.starts_with('.')) {
        let path = format!("{}/{name}", directory.trim_end_matches('/'));
        let role = process.view.read(&path).and_then(|bytes| document::parse(&bytes)).map(|json| role(&json));
        let named = match name.trim_end_matches(".yaml").trim_end_matches(".yml").trim_end_matches(".json") {
            "kube-apiserver" => "apiserver-manifest",
            "kube-controller-manager" => "controller-manager-manifest",
            "kube-scheduler" => "scheduler-manifest",
            "etcd" => "etcd-manifest",
            _ => "static-pod-manifest",
        };
        files.add_of(role.ok().flatten().unwrap_or(named), &path, &process.view, &user);
    }
}

/// The part that a manifest plays.
fn role(pod: &Json) -> Option<&'static str> {
    pod["spec"]["containers"].as_array()?.iter().take(64).find_map(|container| {
        let words = ["command", "args"].iter().filter_map(|name| container[*name].as_array()).flatten();
        let program = words.filter_map(Json::as_str).next().unwrap_or_default();
        let program = program.rsplit('/').next().unwrap_or_default();
        Some(match Which::of_name(program)? {
            Which::Apiserver => "apiserver-manifest",
            Which::Manager => "controller-manager-manifest",
            Which::Scheduler => "scheduler-manifest",
            Which::Etcd => "etcd-manifest",
            Which::Kubelet | Which::Proxy => "static-pod-manifest",
        })
    })
}

/// A kubelet's own certificates, which it asked for.
fn keys_of_kubelet(d: &Decided, process: &Running, files: &mut Files<'_>) {
    let flags = process.parts.components.iter().find(|c| c.which == Which::Kubelet).map(|c| &c.flags);
    let Some(Ok(flags)) = flags else { return };
    let directory = flags.last("cert-dir").unwrap_or("/var/lib/kubelet/pki");
    let Ok(directory) = process.view.absolute(directory) else { return };
    let Ok(root) = &process.view.root else { return };
    let Ok(names) = root.list(&directory, MOST) else { return };
    let user = user(d, process);
    for name in names.iter().map(|n| n.to_string_lossy()) {
        let path = format!("{directory}/{name}");
        if name.ends_with(".key") {
            files.add_of("kubelet-key", &path, &process.view, &user);
        } else if name.ends_with("-current.pem") {
            // Certificate and key in one.
            files.add_of("kubelet-key", &path, &process.view, &user);
            files.add_of("kubelet-cert", &path, &process.view, &user);
        } else if name.ends_with(".crt") {
            files.add_of("kubelet-cert", &path, &process.view, &user);
        }
    }
}

/// The directories in which certificates and keys of the control plane lie, with all that is in them.
fn keys(running: &[Running], decided: &[Decided], files: &mut Files<'_>, target: &mut Target) {
    for d in decided.iter().filter(|d| !matches!(d.which, Which::Kubelet | Which::Proxy)) {
        let process = &running[d.running];
        let named = d.files.iter().filter(|f| f.role.starts_with("pki-"));
        let mut above: Vec<String> = named
            .filter_map(|f| Path::new(&f.path).parent().map(|p| p.to_string_lossy().into_owned()))
            .filter(|p| !SHARED.contains(&p.as_str()))
            .collect();
        above.sort();
        above.dedup();
        let tops: Vec<String> =
            above.iter().filter(|p| !above.iter().any(|o| *o != **p && Path::new(p).starts_with(o))).cloned().collect();
        for top in tops {
            directory(&top, d, process, files, target, 0);
        }
    }
}

fn directory(path: &str, d: &Decided, process: &Running, files: &mut Files<'_>, target: &mut Target, depth: usize) {
    let Ok(root) = &process.view.root else { return };
    let user = user(d, process);
    files.add_of("pki-dir", path, &process.view, &user);
    let names = match root.list(path, MOST) {
        Ok(names) => names,
        Err(Unread::Absent) => return,
        Err(why) => {
            target.incomplete(&kubernetes::FILE, format!("{path}: {why}"));
            target.gap(path, why.to_string(), "certificates and keys");
            return;
        }
    };
    for name in names.iter().map(|n| n.to_string_lossy()) {
        let below = format!("{}/{name}", path.trim_end_matches('/'));
        let kind = root.lstat(&below).map(|stat| rustix::fs::FileType::from_raw_mode(stat.st_mode));
        if matches!(kind, Ok(rustix::fs::FileType::Directory)) && depth < DEEPEST {
            directory(&below, d, process, files, target, depth + 1);
        } else if name.ends_with(".key") {
            files.add_of("pki-key", &below, &process.view, &user);
        } else if [".crt", ".pem", ".pub", ".cert"].iter().any(|end| name.ends_with(end)) {
            files.add_of("pki-cert", &below, &process.view, &user);
        }
    }
}
