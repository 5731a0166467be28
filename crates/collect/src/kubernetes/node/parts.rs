//! The components that a process runs, each with its arguments. Programs that hold several hand arguments on, from their
//! own and from files; what they decide themselves they do not tell.

use serde_json::Value as Json;

use super::document;
use super::find::{Program, Which};
use super::flags::{Flags, Style};
use super::sheet::Files;

/// A component of a process.
pub(super) struct Component {
    /// Which it is.
    pub which: Which,
    /// Its flags, or why they are not known.
    pub flags: Result<Flags, String>,
    /// The program that decides what is not given.
    pub within: Option<&'static str>,
    /// Files that handed arguments on.
    pub files: Vec<String>,
}

/// What a process runs, and kinds of which that is not known.
pub(super) struct Parts {
    /// The components.
    pub components: Vec<Component>,
    /// Components that may be in it all the same, with the reason.
    pub unsure: Vec<(Which, String)>,
}

/// Variables that arguments of a snap's programs name.
pub(super) const SNAP: [&str; 3] = ["SNAP", "SNAP_DATA", "SNAP_COMMON"];

/// The components of a process by its program and its arguments, the first of which is its name.
pub(super) fn of(
    program: Program,
    arguments: &Result<Vec<String>, String>,
    variables: &[(String, String)],
    files: &dyn Files,
) -> Parts {
    let words = match arguments {
        Ok(words) => words.get(1..).unwrap_or_default(),
        Err(why) => return unread(program, why),
    };
    let alone = |which: Which, words: &[String]| {
        let style = if which == Which::Etcd { Style::Go } else { Style::Pflag };
        let mut flags = Flags::parse(words, style);
        if which == Which::Etcd {
            flags = environment(flags, variables);
        }
        // OpenShift's API server is told everything by a file of another form.
        let within = flags.given("openshift-config").then_some("OpenShift's configuration");
        Component { which, flags: Ok(flags), within, files: Vec::new() }
    };
    let components = match program {
        Program::One(which) => vec![alone(which, words)],
        Program::Hyperkube => {
            let name = words.first().map_or("", String::as_str);
            let which = Which::of_name(name).or_else(|| Which::of_name(&format!("kube-{name}")));
            which.map(|which| alone(which, &words[1..])).into_iter().collect()
        }
        Program::K3s => return k3s(arguments.as_ref().map_or(&[], Vec::as_slice), variables, files),
        Program::Kubelite => return kubelite(words, variables, files),
    };
    Parts { components, unsure: Vec::new() }
}

/// etcd's variables count below its flags.
fn environment(flags: Flags, variables: &[(String, String)]) -> Flags {
    let mut all = Flags::default();
    for (name, value) in variables {
        if let Some(flag) = super::etcd::flag(name).filter(|flag| !flags.given(flag)) {
            all.push(&flag, value);
        }
    }
    all.append(flags);
    all
}

fn unread(program: Program, why: &str) -> Parts {
    let component = |which| Component { which, flags: Err(why.to_owned()), within: None, files: Vec::new() };
    match program {
        Program::One(which) => Parts { components: vec![component(which)], unsure: Vec::new() },
        _ => Parts { components: Vec::new(), unsure: Which::ALL.map(|which| (which, why.to_owned())).to_vec() },
    }
}

/// The most files of configuration.
const MOST: usize = 256;

/// Variables of k3s that decide what it runs.
pub(super) const K3S: [&str; 2] = ["K3S_CONFIG_FILE", "K3S_DATASTORE_ENDPOINT"];

/// Why nothing is known of a k3s that called itself anew.
const HIDDEN: &str = "k3s hides the command line that it was started with, which goes before its file: \
                      what is in effect stands in its log and in the annotation k3s.io/node-args of its node";

/// Which command it runs, by its arguments with its name; and whether it hides the others: a server and an agent call
/// themselves anew, `/usr/local/bin/k3s server`, since there may be passwords among them (`gspt.SetProcTitle`).
fn of_k3s(arguments: &[String]) -> Option<(bool, bool)> {
    let title = arguments.first()?.trim_end();
    match (title.rsplit_once(' ').map(|(_, command)| command), arguments.get(1).map(String::as_str)) {
        (Some("server"), _) => Some((true, true)),
        (Some("agent"), _) => Some((false, true)),
        (_, Some("server")) => Some((true, false)),
        (_, Some("agent")) => Some((false, false)),
        // Other commands (`k3s kubectl`) run no component.
        _ => None,
    }
}

fn k3s(arguments: &[String], variables: &[(String, String)], files: &dyn Files) -> Parts {
    let Some((server, hidden)) = of_k3s(arguments) else {
        return Parts { components: Vec::new(), unsure: Vec::new() };
    };
    if hidden {
        let runs = |which: &Which| match which {
            Which::Etcd => false,
            Which::Kubelet | Which::Proxy => true,
            _ => server,
        };
        let component =
            |which| Component { which, flags: Err(HIDDEN.to_owned()), within: Some("k3s"), files: Vec::new() };
        let unsure = if server { vec![(Which::Etcd, HIDDEN.to_owned())] } else { Vec::new() };
        return Parts { components: Which::ALL.into_iter().filter(runs).map(component).collect(), unsure };
    }
    // Its parser takes one dash for as good as two.
    let mut told = Flags::parse(arguments.get(2..).unwrap_or_default(), Style::Go);
    let variable = |name: &str| variables.iter().find(|(n, v)| n == name && !v.is_empty()).map(|(_, v)| v.as_str());
    let path = variable("K3S_CONFIG_FILE").or_else(|| told.first_of(&["config", "c"]));
    let path = path.unwrap_or("/etc/rancher/k3s/config.yaml").to_owned();
    let (mut settings, mut read, mut failed) = (Vec::new(), Vec::new(), None);
    let absent = |why: &str| why == crate::host::root::Unread::Absent.to_string();
    let drop_ins = match files.walk(&format!("{path}.d")) {
        Ok(names) => names,
        Err(why) => {
            failed = (!absent(&why)).then(|| format!("{path}.d: {why}"));
            Vec::new()
        }
    };
    let drop_ins = drop_ins.into_iter().filter(|name| name.ends_with(".yaml") || name.ends_with(".yml"));
    for at in std::iter::once(path.clone()).chain(drop_ins.map(|name| format!("{path}.d/{name}"))).take(MOST) {
        let bytes = match files.read(&at) {
            Ok(bytes) => bytes,
            Err(why) if absent(&why) => continue,
            Err(why) => {
                failed = Some(format!("{at}: {why}"));
                continue;
            }
        };
        read.push(at.clone());
        match document::parse(&bytes) {
            Ok(Json::Object(map)) => {
                for (name, value) in map {
                    let (name, adds) = name.strip_suffix('+').map_or((name.as_str(), false), |n| (n, true));
                    if !adds {
                        settings.retain(|(n, _): &(String, String)| n != name);
                    }
                    let each = match value {
                        Json::Array(items) => items,
                        one => vec![one],
                    };
                    settings.extend(each.iter().map(|v| (name.to_owned(), scalar(v))));
                }
            }
            Ok(_) => {}
            Err(why) => failed = Some(format!("{at}: {why}")),
        }
        if let Some(why) = files.changed(&at) {
            failed = Some(format!("what is in effect cannot be read: {why}"));
        }
    }
    let mut all = Flags::default();
    for (name, value) in &settings {
        all.push(name, value);
    }
    all.append(std::mem::take(&mut told));
    let component = |which: Which| {
        let argument = match which {
            Which::Etcd => "etcd-arg".to_owned(),
            other => format!("{}-arg", other.name()),
        };
        let flags = match &failed {
            Some(why) => Err(why.clone()),
            None => {
                let mut flags = Flags::default();
                for text in all.all(&argument) {
                    let (name, value) = text.split_once('=').unwrap_or((text, "true"));
                    flags.push(name.trim_start_matches('-'), value);
                }
                Ok(flags)
            }
        };
        Component { which, flags, within: Some("k3s"), files: read.clone() }
    };
    let off = |flag: &str| all.last(flag).is_some_and(|v| crate::daemon::go::boolean(v) != Some(false));
    let mut components = Vec::new();
    let mut unsure = Vec::new();
    for which in Which::ALL {
        let runs = match which {
            Which::Apiserver => server && !off("disable-apiserver"),
            Which::Manager => server && !off("disable-controller-manager"),
            Which::Scheduler => server && !off("disable-scheduler"),
            Which::Kubelet => !(server && off("disable-agent")),
            Which::Proxy => !(off("disable-kube-proxy") || server && off("disable-agent")),
            Which::Etcd => {
                let elsewhere =
                    all.last("datastore-endpoint").is_some() || variable("K3S_DATASTORE_ENDPOINT").is_some();
                if server && !off("disable-etcd") && !elsewhere {
                    unsure.push((which, "k3s keeps its store within itself and does not tell in what".to_owned()));
                }
                false
            }
        };
        if runs {
            components.push(component(which));
        }
    }
    Parts { components, unsure }
}

fn scalar(json: &Json) -> String {
    match json {
        Json::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn kubelite(words: &[String], variables: &[(String, String)], files: &dyn Files) -> Parts {
    let expand = |text: &str| {
        // The longest name first, since one begins another.
        let mut text = text.to_owned();
        for name in ["SNAP_COMMON", "SNAP_DATA", "SNAP"] {
            if let Some((_, value)) = variables.iter().find(|(n, _)| n == name) {
                text = text.replace(&format!("${{{name}}}"), value).replace(&format!("${name}"), value);
            }
        }
        text
    };
    let told = Flags::parse(words, Style::Pflag);
    let control = told.last("start-control-plane").is_none_or(|v| crate::daemon::go::boolean(v) == Some(true));
    let mut components = Vec::new();
    for (which, flag) in [
        (Which::Apiserver, "apiserver-args-file"),
        (Which::Manager, "controller-manager-args-file"),
        (Which::Scheduler, "scheduler-args-file"),
        (Which::Kubelet, "kubelet-args-file"),
        (Which::Proxy, "proxy-args-file"),
    ] {
        if !control && !matches!(which, Which::Kubelet | Which::Proxy) {
            continue;
        }
        let path = told.last(flag).map(&expand);
        let flags = path.as_ref().ok_or_else(|| format!("--{flag} is not given")).and_then(|path| {
            if let Some(why) = files.changed(path) {
                return Err(format!("what is in effect cannot be read: {why}"));
            }
            let bytes = files.read(path).map_err(|why| format!("{path}: {why}"))?;
            let text = String::from_utf8_lossy(&bytes);
            let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
            let words: Vec<String> = lines.map(&expand).collect();
            Ok(Flags::parse(&words, Style::Pflag))
        });
        components.push(Component { which, flags, within: None, files: path.into_iter().collect() });
    }
    Parts { components, unsure: Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::testing::host;
    use crate::kubernetes::node::view::View;

    fn words(line: &str) -> Result<Vec<String>, String> {
        Ok(line.split(' ').map(str::to_owned).collect())
    }

    fn later() -> i64 {
        i64::MAX / 2
    }

    #[test]
    fn k3s_hands_arguments_on_from_its_files_and_its_own() {
        let (_dir, root) = host(&[
            ("/etc/rancher/k3s/config.yaml", "{\"kube-apiserver-arg\": [\"anonymous-auth=true\"]}"),
            ("/etc/rancher/k3s/config.yaml.d/10.yaml", "{\"kube-apiserver-arg+\": \"profiling=false\"}"),
        ]);
        let view = View::for_test(root, "/", later());
        let line = words("k3s server --kube-apiserver-arg=anonymous-auth=false --kubelet-arg read-only-port=0");
        let parts = of(Program::K3s, &line, &[], &view);
        let flags = |which| parts.components.iter().find(|c| c.which == which).unwrap().flags.clone().unwrap();
        assert_eq!(flags(Which::Apiserver).last("anonymous-auth"), Some("false"));
        assert_eq!(flags(Which::Apiserver).last("profiling"), Some("false"));
        assert_eq!(flags(Which::Kubelet).last("read-only-port"), Some("0"));
        assert!(parts.components.iter().all(|c| c.within == Some("k3s")));
        assert_eq!(parts.unsure.iter().map(|(w, _)| *w).collect::<Vec<_>>(), [Which::Etcd]);
        let agent = of(Program::K3s, &words("k3s agent"), &[], &view);
        assert_eq!(agent.components.iter().map(|c| c.which).collect::<Vec<_>>(), [Which::Kubelet, Which::Proxy]);
        assert!(of(Program::K3s, &words("k3s kubectl get pods"), &[], &view).components.is_empty());
    }

    #[test]
    fn k3s_is_there_although_it_hides_its_command_line() {
        let (_dir, root) =
            host(&[("/etc/rancher/k3s/config.yaml", "{\"kube-apiserver-arg\": [\"anonymous-auth=false\"]}")]);
        let view = View::for_test(root, "/", later());
        for title in ["/usr/local/bin/k3s server", "/usr/local/bin/k3s server "] {
            let parts = of(Program::K3s, &Ok(vec![title.to_owned()]), &[], &view);
            assert_eq!(parts.components.len(), 5, "{title:?}");
            assert!(parts.components.iter().all(|c| c.flags.is_err()), "a flag may go before the file");
            assert_eq!(parts.unsure.len(), 1);
        }
        let agent = of(Program::K3s, &Ok(vec!["/usr/local/bin/k3s agent".to_owned(), String::new()]), &[], &view);
        assert_eq!(agent.components.iter().map(|c| c.which).collect::<Vec<_>>(), [Which::Kubelet, Which::Proxy]);
        assert!(agent.unsure.is_empty());
    }

    #[test]
    fn k3s_reads_the_file_that_it_is_told() {
        let other = "{\"kube-apiserver-arg\": [\"anonymous-auth=true\"]}";
        let (_dir, root) = host(&[
            ("/etc/rancher/k3s/config.yaml", "{\"kube-apiserver-arg\": [\"anonymous-auth=false\"]}"),
            ("/etc/other.yaml", other),
        ]);
        let view = View::for_test(root, "/", later());
        let anonymous = |line: &str, variables: &[(String, String)]| {
            let parts = of(Program::K3s, &words(line), variables, &view);
            let api = parts.components.iter().find(|c| c.which == Which::Apiserver).unwrap();
            api.flags.as_ref().unwrap().last("anonymous-auth").map(str::to_owned)
        };
        for line in [
            "k3s server -c /etc/other.yaml",
            "k3s server --config=/etc/other.yaml",
            "k3s server -config /etc/other.yaml",
        ] {
            assert_eq!(anonymous(line, &[]).as_deref(), Some("true"), "{line}");
        }
        let variable = [("K3S_CONFIG_FILE".to_owned(), "/etc/other.yaml".to_owned())];
        assert_eq!(anonymous("k3s server", &variable).as_deref(), Some("true"));
        assert_eq!(anonymous("k3s server -kube-apiserver-arg=anonymous-auth=true", &[]).as_deref(), Some("true"));
    }

    #[test]
    fn what_k3s_was_told_by_a_broken_or_younger_file_is_unknown() {
        let (_dir, root) = host(&[("/etc/rancher/k3s/config.yaml", "{")]);
        let view = View::for_test(root, "/", later());
        assert!(of(Program::K3s, &words("k3s server"), &[], &view).components.iter().all(|c| c.flags.is_err()));
        let (_dir, root) = host(&[("/etc/rancher/k3s/config.yaml", "{}")]);
        let view = View::for_test(root, "/", 0);
        assert!(of(Program::K3s, &words("k3s server"), &[], &view).components.iter().all(|c| c.flags.is_err()));
    }

    #[test]
    fn kubelite_reads_its_files_of_arguments() {
        let (_dir, root) = host(&[
            ("/var/snap/microk8s/1/args/kubelet", "--anonymous-auth=false\n# no\n--root-dir=${SNAP_COMMON}/kubelet\n"),
            ("/var/snap/microk8s/1/args/kube-apiserver", "--authorization-mode=AlwaysAllow\n"),
        ]);
        let view = View::for_test(root, "/", later());
        let line = words(
            "kubelite --kubelet-args-file=$SNAP_DATA/args/kubelet --apiserver-args-file=$SNAP_DATA/args/kube-apiserver \
             --start-control-plane=true",
        );
        let variables = [("SNAP_DATA", "/var/snap/microk8s/1"), ("SNAP_COMMON", "/var/snap/microk8s/common")];
        let variables = variables.map(|(n, v)| (n.to_owned(), v.to_owned()));
        let parts = of(Program::Kubelite, &line, &variables, &view);
        let find = |which| parts.components.iter().find(|c| c.which == which).unwrap();
        let kubelet = find(Which::Kubelet).flags.as_ref().unwrap();
        assert_eq!(kubelet.last("root-dir"), Some("/var/snap/microk8s/common/kubelet"));
        assert_eq!(find(Which::Apiserver).flags.as_ref().unwrap().last("authorization-mode"), Some("AlwaysAllow"));
        assert!(find(Which::Scheduler).flags.is_err());
    }

    #[test]
    fn etcd_takes_its_environment_below_its_flags() {
        let (_dir, root) = host(&[]);
        let view = View::for_test(root, "/", later());
        let variables =
            [("ETCD_AUTO_TLS", "true"), ("ETCD_CERT_FILE", "/env")].map(|(n, v)| (n.to_owned(), v.to_owned()));
        let parts = of(Program::One(Which::Etcd), &words("etcd --cert-file=/flag"), &variables, &view);
        let flags = parts.components[0].flags.as_ref().unwrap();
        assert_eq!((flags.last("cert-file"), flags.last("auto-tls")), (Some("/flag"), Some("true")));
    }

    #[test]
    fn hyperkube_is_what_its_first_argument_says() {
        let (_dir, root) = host(&[]);
        let view = View::for_test(root, "/", later());
        let one = |line: &str| of(Program::Hyperkube, &words(line), &[], &view).components.first().map(|c| c.which);
        assert_eq!(one("hyperkube kubelet --port=1"), Some(Which::Kubelet));
        assert_eq!(one("hyperkube apiserver"), Some(Which::Apiserver));
        assert_eq!(one("hyperkube"), None);
    }
}
