use super::*;
use crate::fact::Source;
use crate::schema::{Kind, kubernetes};

fn part(kind: &'static Kind, id: &str, facts: &[(&'static str, Value)]) -> Component {
    let mut out = Component::new(kind, id, id);
    for (name, value) in facts {
        out.set(name, value.clone(), Source::place("test"));
    }
    out
}

fn none() -> Value {
    Value::List(vec![])
}

fn volume(name: &str, kind: &str, source: Value) -> Value {
    Value::Object(vec![
        ("name", name.into()),
        ("type", kind.into()),
        ("source", source),
        ("path_type", "".into()),
        ("read_only", false.into()),
        ("size_limit", Value::Null),
    ])
}

fn mount(volume: &str, kind: &str, rw: bool, sub_path: &str) -> Value {
    Value::Object(vec![
        ("volume", volume.into()),
        ("type", kind.into()),
        ("path", "/x".into()),
        ("rw", rw.into()),
        ("sub_path", sub_path.into()),
        ("propagation", "None".into()),
    ])
}

fn token(volume: &str, audience: Value) -> Value {
    Value::Object(vec![
        ("volume", volume.into()),
        ("audience", audience),
        ("expires", 3600.into()),
        ("path", "t".into()),
    ])
}

fn pod(facts: &[(&'static str, Value)]) -> Component {
    let usual = [
        ("namespace", "shop".into()),
        ("name", "web".into()),
        ("live", true.into()),
        ("service_account", "default".into()),
        ("automount", Value::Null),
        ("containers", Value::strings(["app"])),
        ("volumes", none()),
        ("tokens", none()),
        ("nodes", Value::strings(["n1"])),
    ];
    part(&POD, "Pod/shop/web", &[&usual[..], facts].concat())
}

fn container(facts: &[(&'static str, Value)]) -> Component {
    let usual = [
        ("pod", "Pod/shop/web".into()),
        ("name", "app".into()),
        ("kind", "regular".into()),
        ("mounts", none()),
        ("volume_devices", none()),
        ("privileged", false.into()),
        ("capabilities", Value::strings(["CHOWN"])),
        ("root_user", true.into()),
        ("host_pid", false.into()),
        ("user_namespace", false.into()),
        ("runtime_class", Value::Null),
        ("windows_host_process", false.into()),
        ("seccomp_set", Value::Null),
    ];
    part(&CONTAINER, "Pod/shop/web/app", &[&usual[..], facts].concat())
}

/// A cluster of one pod, derived.
fn derived(parts: Vec<Component>) -> Target {
    let mut target = Target::new("t", "kubernetes", "t");
    target.components = parts;
    target.components.push(part(&kubernetes::CLUSTER, "cluster", &[("minor", 35.into())]));
    derive(&mut target);
    target
}

fn shown(target: &Target, kind: &'static Kind, fact: &str) -> String {
    target.of(kind).next().expect("one").value(fact).to_string()
}

#[test]
fn paths_are_those_that_mounts_reach() {
    let target = derived(vec![
        pod(&[(
            "volumes",
            Value::List(vec![
                volume("run", "hostPath", "/var/run".into()),
                volume("logs", "hostPath", "/var/log".into()),
                volume("spare", "hostPath", "/srv".into()),
                volume("data", "persistentVolumeClaim", "data-web-*".into()),
            ]),
        )]),
        container(&[(
            "mounts",
            Value::List(vec![
                mount("run", "hostPath", false, "docker.sock"),
                mount("logs", "hostPath", false, "pods"),
                mount("data", "persistentVolumeClaim", true, ""),
            ]),
        )]),
        part(
            &kubernetes::VOLUME,
            "pv",
            &[("phase", "Bound".into()), ("claim", "shop/data-web-0".into()), ("path", "/etc".into())],
        ),
        part(
            &kubernetes::VOLUME,
            "other",
            &[("phase", "Bound".into()), ("claim", "shop/data-web-x".into()), ("path", "/root".into())],
        ),
        part(
            &kubernetes::VOLUME,
            "old",
            &[("phase", "Released".into()), ("claim", "shop/data-web-0".into()), ("path", "/".into())],
        ),
    ]);
    let text = |fact: &str| shown(&target, &CONTAINER, fact);
    assert_eq!(text("host_paths").matches("volume:").count(), 2);
    assert!(text("runtime_sockets").contains("reaches: /run/docker.sock"), "{}", text("runtime_sockets"));
    assert!(text("sensitive_host_paths").contains("runtime-socket") && !text("sensitive_host_paths").contains("logs"));
    assert_eq!(text("claim_paths"), "[{volume: data, path: /etc, class: etc, reaches: /etc, rw: true}]");
    assert_eq!(text("equal_to_root"), "[holds /run/docker.sock, writes to /etc]");
    let of_pod = shown(&target, &POD, "host_paths");
    assert!(of_pod.contains("/srv") && of_pod.contains("/var/log/pods"), "{of_pod}");
}

#[test]
fn a_claim_that_a_pod_brings_along_is_followed_as_any_other() {
    let of = |claims: Value, name: &str| {
        let bound = [("phase", "Bound".into()), ("claim", format!("shop/{name}").into()), ("path", "/etc".into())];
        let data = volume("data", "persistentVolumeClaim", "old-tmp".into());
        let target = derived(vec![
            pod(&[("volumes", Value::List(vec![volume("tmp", "ephemeral", "".into()), data])), ("claims", claims)]),
            container(&[("mounts", Value::List(vec![mount("tmp", "ephemeral", true, "")]))]),
            part(&kubernetes::VOLUME, "pv", &bound),
        ]);
        shown(&target, &CONTAINER, "claim_paths")
    };
    let all = || Value::strings(["web-1-tmp", "web-2-tmp", "old-tmp"]);
    assert_eq!(of(all(), "web-2-tmp"), "[{volume: tmp, path: /etc, class: etc, reaches: /etc, rw: true}]");
    assert_eq!(of(all(), "web-3-tmp"), "[]");
    assert_eq!(of(all(), "old-tmp"), "[]", "the claim of another volume");
    assert!(of(Value::List(vec![Value::unknown("others")]), "web-2-tmp").contains("unknown"));
}

#[test]
fn what_could_not_be_read_of_mounts_is_unknown() {
    let lost = derived(vec![pod(&[("volumes", Value::unknown("broken"))]), container(&[])]);
    for fact in ["host_paths", "runtime_sockets", "sensitive_host_paths", "equal_to_root"] {
        assert_eq!(shown(&lost, &CONTAINER, fact), "unknown (broken)", "{fact}");
    }
    let source = Value::List(vec![volume("v", "hostPath", Value::unknown("broken"))]);
    let lost = derived(vec![
        pod(&[("volumes", source)]),
        container(&[("mounts", Value::List(vec![mount("v", "hostPath", true, "")]))]),
    ]);
    assert_eq!(shown(&lost, &CONTAINER, "sensitive_host_paths"), "unknown (broken)");
    assert_eq!(shown(&lost, &POD, "host_paths"), "unknown (broken)");
}

#[test]
fn what_a_variable_chooses_may_be_anything_beneath() {
    let mut somewhere = mount("var", "hostPath", true, "");
    if let Value::Object(fields) = &mut somewhere {
        fields.iter_mut().find(|(name, _)| *name == "sub_path").expect("it has one").1 = Value::unknown("$(POD)");
    }
    let of = |source: &'static str, kind: &'static str| {
        let pod = pod(&[("volumes", Value::List(vec![volume("var", kind, source.into())]))]);
        derived(vec![pod, container(&[("mounts", Value::List(vec![somewhere.clone()]))])])
    };
    let target = of("/var", "hostPath");
    assert_eq!(shown(&target, &CONTAINER, "runtime_sockets"), "unknown ($(POD))");
    assert!(shown(&target, &CONTAINER, "host_paths").contains("rw: true"), "that it can be written to is known");
    assert_eq!(shown(&of("", "emptyDir"), &CONTAINER, "runtime_sockets"), "[]", "nothing of the node");
}

fn token_of(pod: Component, container: Component, account: Option<Value>) -> String {
    let mut parts = vec![pod, container];
    let named = |automount| [("namespace", "shop".into()), ("name", "default".into()), ("automount", automount)];
    parts.extend(account.map(|automount| part(&kubernetes::SERVICE_ACCOUNT, "a", &named(automount))));
    let target = derived(parts);
    let (of_container, of_pod) = (shown(&target, &CONTAINER, "token_mounted"), shown(&target, &POD, "token_mounted"));
    assert_eq!(of_container.starts_with("unknown"), of_pod.starts_with("unknown"));
    of_container
}

#[test]
fn tokens_are_told_by_mounts_of_what_lives_and_by_defaults_of_templates() {
    let mounted = || container(&[("mounts", Value::List(vec![mount("t", "projected", false, "")]))]);
    let with = |audience: Value| pod(&[("tokens", Value::List(vec![token("t", audience)]))]);
    assert_eq!(token_of(with(Value::Null), mounted(), None), "true");
    assert_eq!(token_of(with("vault".into()), mounted(), Some(true.into())), "false", "for another");
    assert_eq!(token_of(with(Value::Null), container(&[]), Some(true.into())), "false", "not mounted");
    // By name it may be the API server that it is meant for.
    let own = "https://kubernetes.default.svc.cluster.local";
    assert!(token_of(with(own.into()), mounted(), None).starts_with("unknown"));
    let by_server = |audience: &str, taken: &str| {
        let server = part(&kubernetes::APISERVER, "k", &[("api_audiences", Value::strings([taken]))]);
        shown(&derived(vec![with(audience.into()), mounted(), server]), &CONTAINER, "token_mounted")
    };
    assert_eq!(
        (by_server(own, own), by_server(own, "api"), by_server("api", "api")),
        ("true".into(), "false".into(), "true".into())
    );
    let template = |automount: Value| pod(&[("live", false.into()), ("automount", automount)]);
    assert_eq!(token_of(template(false.into()), container(&[]), Some(true.into())), "false");
    assert_eq!(token_of(template(true.into()), container(&[]), None), "true");
    assert_eq!(token_of(template(Value::Null), container(&[]), Some(Value::Null)), "true");
    assert_eq!(token_of(template(Value::Null), container(&[]), Some(false.into())), "false");
    assert!(token_of(template(Value::Null), container(&[]), None).starts_with("unknown"));
    assert_eq!(token_of(template(true.into()), container(&[("kind", "ephemeral".into())]), None), "false");
    // Where a container mounts something of its own at the very place, admission leaves it so.
    let at = |path: &str| {
        let mut own = mount("e", "emptyDir", true, "");
        if let Value::Object(fields) = &mut own {
            fields[2].1 = path.into();
        }
        container(&[("mounts", Value::List(vec![own]))])
    };
    let place = "/var/run/secrets/kubernetes.io/serviceaccount";
    assert_eq!(token_of(template(true.into()), at(place), None), "false");
    assert_eq!(token_of(template(true.into()), at(&format!("{place}/")), None), "true", "it compares the texts");
    assert_eq!(token_of(template(true.into()), at("/run/secrets/kubernetes.io/serviceaccount"), None), "true");
}

#[test]
fn seccomp_in_effect_asks_the_kubelets_of_its_nodes() {
    let kubelet = |confines: bool| {
        part(&kubernetes::KUBELET, "n1/kubelet", &[("node", "n1".into()), ("seccomp_default", confines.into())])
    };
    let of = |parts: Vec<Component>| shown(&derived(parts), &CONTAINER, "seccomp");
    assert!(of(vec![pod(&[]), container(&[])]).starts_with("unknown"));
    assert_eq!(of(vec![pod(&[]), container(&[]), kubelet(true)]), "RuntimeDefault");
    assert_eq!(of(vec![pod(&[]), container(&[]), kubelet(false)]), "Unconfined");
    let set = ("seccomp_set", Value::from("Localhost"));
    assert_eq!(of(vec![pod(&[]), container(std::slice::from_ref(&set))]), "Localhost");
    assert_eq!(of(vec![pod(&[]), container(&[set, ("privileged", true.into())])]), "Unconfined");
    let two = pod(&[("nodes", Value::strings(["n1", "n2"]))]);
    assert!(of(vec![two, container(&[]), kubelet(true)]).starts_with("unknown"), "of n2 nothing is known");
}

#[test]
fn root_is_told_by_what_takes_the_node() {
    let of = |facts: &[(&'static str, Value)]| {
        shown(&derived(vec![pod(&[]), container(facts)]), &CONTAINER, "equal_to_root")
    };
    let admin = ("capabilities", Value::strings(["SYS_ADMIN"]));
    assert_eq!(of(&[]), "[]");
    assert_eq!(of(&[("privileged", true.into())]), "[privileged]");
    assert_eq!(of(std::slice::from_ref(&admin)), "[capability SYS_ADMIN]");
    assert_eq!(of(&[admin.clone(), ("root_user", false.into())]), "[]");
    assert!(of(&[admin.clone(), ("root_user", Value::unknown("image"))]).starts_with("unknown"));
    assert_eq!(of(&[admin.clone(), ("user_namespace", true.into())]), "[]");
    assert!(of(&[admin, ("runtime_class", "kata".into())]).starts_with("unknown"), "what the class runs is not known");
    assert_eq!(of(&[("windows_host_process", true.into())]), "[a process of the Windows node itself]");
}

#[test]
fn levels_are_judged_by_the_version_and_what_the_namespace_enforces() {
    let labelled = |level: Value, version: Value| {
        part(
            &kubernetes::NAMESPACE,
            "Namespace/shop",
            &[("name", "shop".into()), ("enforce", level), ("enforce_version", version)],
        )
    };
    let judged = |namespace: Option<Component>, cluster: bool| {
        let facts = [("host_pid", true.into()), ("host_network", false.into()), ("host_ipc", false.into())];
        let mut parts = vec![pod(&facts), container(&[])];
        parts.extend(namespace);
        if cluster {
            return derived(parts);
        }
        let mut target = Target::new("t", "kubernetes", "t");
        target.components = parts;
        derive(&mut target);
        target
    };
    let target = judged(Some(labelled("baseline".into(), "v1.20".into())), true);
    let host_pid = "{control: host-namespaces, container: \"\", fact: host_pid, what: hostPID is true, refused: true}";
    assert!(shown(&target, &POD, "baseline_violations").contains(host_pid));
    assert!(shown(&target, &POD, "enforced_violations").contains(host_pid));
    assert_eq!(shown(&target, &POD, "policy_version"), "35");
    assert_eq!(shown(&target, &kubernetes::NAMESPACE, "would_refuse_baseline"), "[Pod/shop/web]");
    let target = judged(Some(labelled("privileged".into(), Value::Null)), true);
    assert_eq!(shown(&target, &POD, "enforced_violations"), "[]");
    let target = judged(None, true);
    assert!(shown(&target, &POD, "enforced_violations").starts_with("unknown"));
    let target = judged(None, false);
    assert!(shown(&target, &POD, "baseline_violations").starts_with("unknown"), "which policy holds is not known");
    let mut files = judged(None, false);
    files.platform = "files".into();
    derive(&mut files);
    assert!(shown(&files, &POD, "baseline_violations").contains(host_pid));
    assert_eq!(shown(&files, &POD, "policy_version"), "none");
}

#[test]
fn a_disk_of_the_node_as_a_device_is_a_path_of_it() {
    let target = derived(vec![
        pod(&[("volumes", Value::List(vec![volume("disk", "persistentVolumeClaim", "disk".into())]))]),
        container(&[("volume_devices", Value::strings(["disk"]))]),
        part(
            &kubernetes::VOLUME,
            "pv",
            &[("phase", "Bound".into()), ("claim", "shop/disk".into()), ("path", "/dev/sda".into())],
        ),
    ]);
    assert_eq!(
        shown(&target, &CONTAINER, "claim_paths"),
        "[{volume: disk, path: /dev/sda, class: dev, reaches: /dev, rw: true}]"
    );
}

#[test]
fn where_a_kubelet_takes_static_pods_from_decides() {
    let by = |directory: &str, node: &str| {
        let target = derived(vec![
            pod(&[("volumes", Value::List(vec![volume("m", "hostPath", "/opt/pods".into())]))]),
            container(&[("mounts", Value::List(vec![mount("m", "hostPath", true, "")]))]),
            part(&kubernetes::KUBELET, "k", &[("node", node.into()), ("static_pod_path", directory.into())]),
        ]);
        shown(&target, &CONTAINER, "equal_to_root")
    };
    assert_eq!(by("/opt/pods", "n1"), "[writes to /opt/pods]");
    assert_eq!(by("/opt/pods", "n2"), "[]", "it runs on another node");
    assert_eq!(by("/etc/kubernetes/manifests", "n1"), "[]");
}

#[test]
fn a_sandbox_may_not_reach_a_socket_of_the_node() {
    let of = |handler: &str| {
        let mut target = Target::new("t", "kubernetes", "t");
        target.components = vec![
            pod(&[("volumes", Value::List(vec![volume("run", "hostPath", "/run/containerd/containerd.sock".into())]))]),
            container(&[
                ("mounts", Value::List(vec![mount("run", "hostPath", false, "")])),
                ("runtime_class", "apart".into()),
            ]),
        ];
        let classes = Value::List(vec![Value::Object(vec![("name", "apart".into()), ("handler", handler.into())])]);
        target.components.push(part(
            &kubernetes::CLUSTER,
            "cluster",
            &[("minor", 35.into()), ("runtime_classes", classes)],
        ));
        derive(&mut target);
        shown(&target, &CONTAINER, "equal_to_root")
    };
    assert!(of("runc").contains("holds /run/containerd"), "{}", of("runc"));
    assert!(of("kata-qemu").starts_with("unknown"), "{}", of("kata-qemu"));
}
