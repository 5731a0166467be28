//! Where a node's container networks are configured: where distributions put it, and where its runtimes read it.

use std::path::Path;

use seaworthy_core::schema::kubernetes;
use seaworthy_core::snapshot::Target;
use toml::{Table, Value};

use super::files::{Files, User};
use super::find::{Group, Which};
use super::flags::{Flags, Style};
use super::machine::{Decided, Machine, Running, user};
use super::view::View;
use crate::host::containerd::{self, Containerd, Stated};
use crate::host::process::Process;
use crate::host::root::{Root, Unread};

/// Where distributions configure container networks.
const DISTRIBUTIONS: [&str; 4] = [
    containerd::NETWORKS,
    "/var/lib/rancher/k3s/agent/etc/cni/net.d",
    "/var/lib/rancher/rke2/agent/etc/cni/net.d",
    "/var/snap/microk8s/current/args/cni-network",
];
/// The most entries of a directory.
const MOST: usize = 1_024;
/// The most bytes of a file of CRI-O's.
const LARGEST: usize = 1 << 20;

/// Adds the files of container networks.
pub(super) fn around(
    machine: &Machine<'_>,
    running: &[Running],
    decided: &[Decided],
    files: &mut Files<'_>,
    target: &mut Target,
    group: &Group,
) {
    let mut known: Vec<String> = DISTRIBUTIONS.map(str::to_owned).to_vec();
    for r in running {
        for c in r.parts.components.iter().filter(|c| c.which == Which::Kubelet) {
            known.extend(c.flags.as_ref().ok().and_then(|f| f.last("cni-conf-dir")).map(str::to_owned));
        }
    }
    let root = |pid: u32| rustix::fs::stat(machine.proc.entry(pid, "root")).ok().map(|at| (at.st_dev, at.st_ino));
    let kubelets = running.iter().filter(|r| r.parts.components.iter().any(|c| c.which == Which::Kubelet));
    let roots: Vec<_> = kubelets.map(|r| root(r.process.pid)).collect();
    let kubelet = decided.iter().find(|d| d.which == Which::Kubelet).map(|d| user(d, &running[d.running]));
    // One inside a container serves whatever runs there, and its files are that container's.
    for process in group.networks.iter().filter(|process| roots.contains(&root(process.pid))) {
        let view = View::of(machine.host, machine.proc, process, process.program().unwrap_or("it"));
        match directory(machine, process, &view) {
            Ok(directory) if view.is_host => known.push(directory),
            // As the runtime sees it, in a file system of its own.
            Ok(directory) => {
                if let Some(kubelet) = &kubelet {
                    add(&directory, Some((&view, kubelet)), files, target);
                }
            }
            Err(why) => {
                let who = format!("process {} ({})", process.pid, process.program().unwrap_or_default());
                let why = format!("where {who} reads the configuration of container networks is not known: {why}");
                target.incomplete(&kubernetes::FILE, why.as_str());
                target.gap(who, why, "configuration of container networks");
            }
        }
    }
    known.iter_mut().for_each(|directory| directory.truncate(directory.trim_end_matches('/').len()));
    known.sort();
    known.dedup();
    for directory in known {
        add(&directory, None, files, target);
    }
}

/// Where a runtime reads them.
fn directory(machine: &Machine<'_>, process: &Process, view: &View) -> Result<String, String> {
    let arguments = machine.proc.arguments(process.pid).map_err(|why| format!("its arguments: {why}"))?;
    let root = view.root.as_ref().map_err(Clone::clone)?;
    let found = match process.program() {
        Some("containerd") => of_containerd(&arguments, root)?,
        Some("crio") => of_crio(&arguments, root)?,
        _ => flag(&flags(&arguments, Style::Pflag), "cni-conf-dir").unwrap_or_else(|| containerd::NETWORKS.to_owned()),
    };
    if found.starts_with('/') { Ok(found) } else { Err(format!("{found} is relative to where it was started")) }
}

fn of_containerd(arguments: &[String], root: &Root) -> Result<String, String> {
    let path = Stated::of(arguments).config.unwrap_or_else(|| containerd::PATH.to_owned());
    if !path.starts_with('/') {
        return Err(format!("{path} is relative to where it was started"));
    }
    let found = Containerd::read_at(root, &path);
    found.unread.map_or(Ok(found.networks.value), Err)
}

/// CRI-O's arguments win over its files, and of these the later.
fn of_crio(arguments: &[String], root: &Root) -> Result<String, String> {
    let flags = flags(arguments, Style::Go);
    let flag = |name| flag(&flags, name);
    if let Some(given) = flag("cni-config-dir") {
        return Ok(given);
    }
    let main = flag("config").or_else(|| flag("c"));
    let more = flag("config-dir").or_else(|| flag("d"));
    let (main, more) = (
        main.unwrap_or_else(|| "/etc/crio/crio.conf".to_owned()),
        more.unwrap_or_else(|| "/etc/crio/crio.conf.d".to_owned()),
    );
    let mut paths = vec![main];
    match root.list(&more, MOST) {
        Ok(names) => {
            let mut names: Vec<String> = names.iter().map(|name| name.to_string_lossy().into_owned()).collect();
            names.sort();
            paths.extend(names.iter().map(|name| format!("{more}/{name}")));
        }
        Err(Unread::Absent) => {}
        Err(why) => return Err(format!("{more}: {why}")),
    }
    let mut found = containerd::NETWORKS.to_owned();
    for path in paths {
        let text = match root.read(&path, LARGEST) {
            Ok(bytes) => bytes,
            Err(Unread::Absent) => continue,
            Err(why) => return Err(format!("{path}: {why}")),
        };
        let table = toml::from_str::<Table>(&String::from_utf8_lossy(&text));
        let table = table.map_err(|_| format!("{path}: is no TOML"))?;
        let network = table.get("crio").and_then(|crio| crio.get("network"));
        if let Some(directory) = network.and_then(|n| n.get("network_dir")).and_then(Value::as_str)
            && !directory.is_empty()
        {
            directory.clone_into(&mut found);
        }
    }
    Ok(found)
}

/// The last value of a flag, where it is none that is empty.
fn flag(flags: &Flags, name: &str) -> Option<String> {
    flags.last(name).filter(|value| !value.is_empty()).map(str::to_owned)
}

/// A process' flags, without the program's name.
fn flags(arguments: &[String], style: Style) -> Flags {
    Flags::parse(arguments.get(1..).unwrap_or_default(), style)
}

/// A directory and what lies in it, where it is there: the host's own, or as somebody sees it.
fn add(directory: &str, at: Option<(&View, &User)>, files: &mut Files<'_>, target: &mut Target) {
    let listed = match at {
        None => files.host.list(directory, MOST),
        Some((view, _)) => match &view.root {
            Ok(root) => root.list(directory, MOST),
            Err(why) => Err(Unread::Other(why.clone())),
        },
    };
    if matches!(listed, Err(Unread::Absent)) {
        return;
    }
    let mut put = |role: &'static str, path: &str| match at {
        None => files.add(role, path),
        Some((view, user)) => files.add_of(role, path, view, user),
    };
    put("cni-dir", directory);
    match listed {
        Ok(names) => {
            for name in names.iter().map(|name| name.to_string_lossy()) {
                let path = format!("{directory}/{name}");
                let kubeconfig = name.ends_with("kubeconfig");
                let extension = Path::new(name.as_ref()).extension();
                if extension.is_some_and(|e| e == "conf" || e == "conflist" || e == "json") || kubeconfig {
                    put("cni-config", &path);
                }
                if kubeconfig {
                    put("kubeconfig", &path);
                }
            }
        }
        Err(why) => {
            target.incomplete(&kubernetes::FILE, format!("{directory}: {why}"));
            target.gap(directory, why.to_string(), "configuration of container networks");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::testing::host;

    fn words(line: &str) -> Vec<String> {
        line.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn containerd_reads_them_where_its_file_says() {
        let file = "version = 2\n[plugins.'io.containerd.grpc.v1.cri'.cni]\nconf_dir = \"/srv/networks\"\n";
        let (_dir, root) = host(&[("/opt/c.toml", file), ("/opt/bad.toml", "a = [")]);
        assert_eq!(of_containerd(&words("containerd -c /opt/c.toml"), &root).as_deref(), Ok("/srv/networks"));
        assert_eq!(of_containerd(&words("containerd"), &root).as_deref(), Ok("/etc/cni/net.d"));
        assert!(of_containerd(&words("containerd --config=/opt/bad.toml"), &root).is_err());
        assert!(of_containerd(&words("containerd --config=c.toml"), &root).is_err());
    }

    #[test]
    fn crio_reads_them_where_the_last_of_its_files_says() {
        let network = |directory: &str| format!("[crio.network]\nnetwork_dir = \"{directory}\"\n");
        let (one, two) = (network("/one/"), network("/two/"));
        let (_dir, root) = host(&[
            ("/etc/crio/crio.conf", one.as_str()),
            ("/etc/crio/crio.conf.d/10-a.conf", two.as_str()),
            ("/etc/crio/crio.conf.d/20-b.conf", "[crio.runtime]\n"),
        ]);
        assert_eq!(of_crio(&words("crio"), &root).as_deref(), Ok("/two/"));
        assert_eq!(of_crio(&words("crio --config-dir /none"), &root).as_deref(), Ok("/one/"));
        assert_eq!(of_crio(&words("crio --cni-config-dir=/three"), &root).as_deref(), Ok("/three"));
        let (_dir, root) = host(&[("/etc/crio/crio.conf", "[")]);
        assert!(of_crio(&words("crio"), &root).is_err());
        let (_dir, root) = host(&[]);
        assert_eq!(of_crio(&words("crio"), &root).as_deref(), Ok("/etc/cni/net.d"));
    }
}
