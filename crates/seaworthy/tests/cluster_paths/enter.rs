//! Entering pods: exec, attach, ephemeral containers, changed images, forwarded ports, and the kubelet's own API.

use serde_json::{Value, json};

use super::ground::{Case, Ground, idle, level, local, miss, named, pod, rooted, rule, until, way, wide};

const ROOT: &str = "node-root";
const ENTER: &[&str] = &["user-credential", "may-enter-pods", "namespace-enter-pods", "pod-privileged"];
const CHANGE: &[&str] = &["user-credential", "may-change-pods", "namespace-change-pods", "pod-privileged"];
const BY_NAME: &[&str] = &["user-credential", "may-enter-pod", "pod-privileged"];
const DEBUG: &[&str] = &["user-credential", "may-debug-pods", "namespace-debug", "beside-node-root"];

/// A pod that is root on its node, which somebody else made.
fn tool(namespace: &str) -> Vec<Value> {
    vec![pod(namespace, "tool", &rooted())]
}

/// A user's role in the whole cluster, and such a pod in his namespace.
fn with_tool(me: &str, rules: &[Value]) -> Vec<Value> {
    [tool(me), wide(me, rules)].concat()
}

fn shadow(ground: &Ground, me: &str) -> seaworthy_bed::Output {
    ground.kubectl(me, &["exec", "-n", me, "tool", "-c", "app", "--", "cat", "/node/etc/shadow"], &Value::Null)
}

fn enters(ground: &Ground, me: &str) {
    let out = shadow(ground, me);
    assert!(out.status == 0 && out.stdout.starts_with("root:"), "{out:?}");
}

fn cannot(ground: &Ground, me: &str) {
    let out = shadow(ground, me);
    assert!(out.status != 0 && out.stderr.contains("orbidden"), "{out:?}");
}

pub fn cases() -> Vec<Case> {
    let rights = |user: &str, rules: &[Value]| [tool(user), local(user, rules)].concat();
    let get = || rule(&[""], &["pods"], &["get"]);
    let exec = |verbs: &[&str]| rule(&[""], &["pods/exec"], verbs);
    let mut cases = vec![
        way("exec", ROOT, rights("exec", &[get(), exec(&["create"])]), ENTER, enters),
        way("exec-sub", ROOT, rights("exec-sub", &[get(), rule(&[""], &["*/exec"], &["create"])]), ENTER, enters),
        way(
            "exec-named",
            ROOT,
            rights("exec-named", &[get(), named(&[""], &["pods/exec"], &["create"], &["tool"])]),
            BY_NAME,
            enters,
        ),
        miss(
            "exec-other",
            ROOT,
            rights("exec-other", &[get(), named(&[""], &["pods/exec"], &["create"], &["web"])]),
            cannot,
        ),
        // From 1.35 on to get is not enough.
        miss("exec-get", ROOT, rights("exec-get", &[get(), exec(&["get"])]), cannot),
        miss("exec-star", ROOT, rights("exec-star", &[get(), rule(&[""], &["pods/*"], &["create"])]), cannot),
        miss("exec-nothing", ROOT, rights("exec-nothing", &[get()]), cannot),
        miss(
            "exec-idle",
            ROOT,
            [vec![pod("exec-idle", "tool", &idle())], local("exec-idle", &[get(), exec(&["create"])])].concat(),
            |ground, me| {
                let out = shadow(ground, me);
                assert!(out.status != 0 && out.stderr.contains("No such file"), "{out:?}");
            },
        ),
        miss(
            "exec-policy",
            ROOT,
            [policy("exec-policy"), rights("exec-policy", &[get(), exec(&["create"])])].concat(),
            |ground, me| {
                // A policy comes into force some time after it was made.
                assert!(until(60, || shadow(ground, me).status != 0));
                let out = shadow(ground, me);
                assert!(out.stderr.contains("denied") || out.stderr.contains("orbidden"), "{out:?}");
            },
        ),
        // A policy asks about a pod by its name as about any other.
        miss(
            "exec-named-policy",
            ROOT,
            [
                policy("exec-named-policy"),
                rights("exec-named-policy", &[get(), named(&[""], &["pods/exec"], &["create"], &["tool"])]),
            ]
            .concat(),
            |ground, me| assert!(until(60, || shadow(ground, me).status != 0)),
        ),
        miss(
            "attach",
            ROOT,
            rights("attach", &[get(), rule(&[""], &["pods/attach", "pods/log"], &["create", "get"])]),
            cannot,
        ),
        miss(
            "forward",
            ROOT,
            rights("forward", &[get(), rule(&[""], &["pods/portforward", "pods/proxy"], &["create", "get"])]),
            cannot,
        ),
    ];
    cases.extend(beside());
    cases.extend(images());
    cases.extend(kubelets());
    cases
}

/// A policy of the cluster that lets nobody into the pods of one namespace.
fn policy(namespace: &str) -> Vec<Value> {
    policy_over(namespace, "CONNECT", "pods/exec")
}

/// One that lets nobody add containers to them.
fn refusing(namespace: &str) -> Vec<Value> {
    policy_over(namespace, "UPDATE", "pods/ephemeralcontainers")
}

fn policy_over(namespace: &str, operation: &str, resource: &str) -> Vec<Value> {
    let api = "admissionregistration.k8s.io/v1";
    let select = json!({"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}}});
    let rules = json!([{"apiGroups": [""], "apiVersions": ["v1"], "operations": [operation], "resources": [resource]}]);
    vec![
        json!({"apiVersion": api, "kind": "ValidatingAdmissionPolicy", "metadata": {"name": namespace},
            "spec": {"matchConstraints": {"resourceRules": rules}, "validations": [{"expression": "false"}]}}),
        json!({"apiVersion": api, "kind": "ValidatingAdmissionPolicyBinding", "metadata": {"name": namespace},
            "spec": {"policyName": namespace, "validationActions": ["Deny"], "matchResources": select}}),
    ]
}

/// Containers that are added.
fn beside() -> Vec<Case> {
    let rules = || [rule(&[""], &["pods/ephemeralcontainers"], &["patch", "get"]), rule(&[""], &["pods"], &["get"])];
    let web = |namespace: &str| vec![pod(namespace, "web", &idle())];
    let add = |ground: &Ground, me: &str| {
        let one = json!({"name": "taken", "image": super::ground::IMAGE, "imagePullPolicy": "Never", "command": ["sleep", "36000"],
            "securityContext": {"privileged": true}});
        let patch = json!({"spec": {"ephemeralContainers": [one]}}).to_string();
        ground.kubectl(
            me,
            &["patch", "pod", "web", "-n", me, "--subresource=ephemeralcontainers", "-p", &patch],
            &Value::Null,
        )
    };
    let adds = move |ground: &Ground, me: &str| {
        let out = add(ground, me);
        assert_eq!(out.status, 0, "{out:?}");
        // A privileged container sees the node's disks.
        let path = format!("/api/v1/namespaces/{me}/pods/web");
        let runs =
            || ground.cluster.get(&path).1["status"]["ephemeralContainerStatuses"][0]["state"]["running"].is_object();
        assert!(until(120, runs));
        let out = ground.cluster.exec(me, "web", "taken", &["sh", "-c", "grep CapEff /proc/self/status; ls /dev"]);
        let capabilities =
            out.stdout.lines().next().and_then(|line| u64::from_str_radix(line.split_whitespace().last()?, 16).ok());
        let sys_admin = 1 << 21;
        assert!(capabilities.is_some_and(|held| held & sys_admin != 0), "{out:?}");
    };
    let cannot = move |ground: &Ground, me: &str| {
        let out = add(ground, me);
        assert!(out.status != 0 && out.stderr.contains("orbidden"), "{out:?}");
    };
    vec![
        way("debug", ROOT, [web("debug"), local("debug", &rules())].concat(), DEBUG, adds),
        // No quota counts containers.
        way(
            "debug-full",
            ROOT,
            [vec![super::pods::bounds("debug-full", "pods", "1")], web("debug-full"), local("debug-full", &rules())]
                .concat(),
            DEBUG,
            adds,
        ),
        miss(
            "debug-policy",
            ROOT,
            [refusing("debug-policy"), web("debug-policy"), local("debug-policy", &rules())].concat(),
            move |ground, me| {
                assert!(super::ground::until(60, || add(ground, me).status != 0));
            },
        ),
        miss(
            "debug-baseline",
            ROOT,
            [vec![level("debug-baseline", "baseline")], web("debug-baseline"), local("debug-baseline", &rules())]
                .concat(),
            cannot,
        ),
        miss(
            "debug-read",
            ROOT,
            [web("debug-read"), local("debug-read", &[rule(&[""], &["pods", "pods/ephemeralcontainers"], &["get"])])]
                .concat(),
            cannot,
        ),
    ]
}

/// Images that are changed.
fn images() -> Vec<Case> {
    let rights = |user: &str, rule: Value| [tool(user), local(user, &[rule])].concat();
    let change = |ground: &Ground, me: &str| {
        ground.cluster.import_busybox("busybox:stolen");
        let patch = json!({"spec": {"containers": [{"name": "app", "image": "busybox:stolen"}]}}).to_string();
        ground.kubectl(me, &["patch", "pod", "tool", "-n", me, "-p", &patch], &Value::Null)
    };
    vec![
        miss(
            "image-policy",
            ROOT,
            [
                policy_over("image-policy", "UPDATE", "pods"),
                rights("image-policy", rule(&[""], &["pods"], &["patch", "get"])),
            ]
            .concat(),
            move |ground, me| assert!(until(60, || change(ground, me).status != 0)),
        ),
        // Commands are another matter.
        way(
            "image-no-exec",
            ROOT,
            [policy("image-no-exec"), rights("image-no-exec", rule(&[""], &["pods"], &["patch", "get"]))].concat(),
            CHANGE,
            move |ground, me| assert_eq!(change(ground, me).status, 0),
        ),
        way("image", ROOT, rights("image", rule(&[""], &["pods"], &["patch", "get"])), CHANGE, move |ground, me| {
            assert_eq!(change(ground, me).status, 0);
            let path = format!("/api/v1/namespaces/{me}/pods/tool");
            let runs = || {
                let status = &ground.cluster.get(&path).1["status"]["containerStatuses"][0];
                status["restartCount"].as_i64() > Some(0) && status["state"]["running"].is_object()
            };
            assert!(until(120, runs));
        }),
        miss(
            "image-status",
            ROOT,
            rights("image-status", rule(&[""], &["pods/status", "pods/resize"], &["patch", "update", "get"])),
            move |ground, me| {
                assert_ne!(change(ground, me).status, 0);
            },
        ),
    ]
}

/// The kubelet's own API through the API server.
fn kubelets() -> Vec<Case> {
    const STEPS: &[&str] =
        &["user-credential", "may-proxy-nodes", "kubelets-anywhere", "kubelet-enters-pods", "pod-privileged"];
    const NAMED: &[&str] = &["user-credential", "may-proxy-node", "kubelet-enters-pods", "pod-privileged"];
    let run = |ground: &Ground, me: &str| {
        let node = ground.cluster.node_name();
        let path = format!("/api/v1/nodes/{node}/proxy/run/{me}/tool/app?cmd=cat%20/node/etc/shadow");
        ground.kubectl(me, &["create", "--raw", &path, "-f", "-"], &Value::Null)
    };
    let runs = move |ground: &Ground, me: &str| {
        let out = run(ground, me);
        assert!(out.status == 0 && out.stdout.starts_with("root:"), "{out:?}");
    };
    let cannot = move |ground: &Ground, me: &str| {
        let out = run(ground, me);
        assert!(out.status != 0 && out.stderr.contains("orbidden"), "{out:?}");
    };
    let node = |names: &[&str]| named(&[""], &["nodes/proxy"], &["create"], names);
    vec![
        way("kubelet", ROOT, with_tool("kubelet", &[rule(&[""], &["nodes/proxy"], &["create"])]), STEPS, runs),
        way("kubelet-named", ROOT, with_tool("kubelet-named", &[node(&["node-1"])]), NAMED, runs),
        miss("kubelet-other", ROOT, with_tool("kubelet-other", &[node(&["node-9"])]), cannot),
        miss(
            "kubelet-patch",
            ROOT,
            with_tool("kubelet-patch", &[rule(&[""], &["nodes/proxy"], &["patch", "delete", "update"])]),
            cannot,
        ),
        miss(
            "kubelet-stats",
            ROOT,
            with_tool(
                "kubelet-stats",
                &[rule(&[""], &["nodes", "nodes/stats", "nodes/log", "nodes/metrics", "nodes/status"], &["*"])],
            ),
            cannot,
        ),
        miss(
            "kubelet-local",
            ROOT,
            [tool("kubelet-local"), local("kubelet-local", &[rule(&[""], &["nodes/proxy"], &["create"])])].concat(),
            cannot,
        ),
    ]
}
