//! What is open to whoever says nothing about himself: the API by what is granted to him, a kubelet, etcd.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::ground::{Case, Ground, RBAC, binding, container, miss, pod, rooted, rule, spec, way};

const ROOT: &str = "node-root";

fn nobody(me: &str, name: &str, rule: &Value) -> Vec<Value> {
    let subject = json!({"kind": "User", "apiGroup": RBAC, "name": name});
    let meta = json!({"namespace": me, "name": me});
    vec![
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"namespace": me, "name": "gold"}, "stringData": {"key": "open sesame"}}),
        json!({"apiVersion": format!("{RBAC}/v1"), "kind": "Role", "metadata": meta, "rules": [rule]}),
        binding("RoleBinding", meta, "Role", me, &[subject]),
        web(me),
    ]
}

/// A pod without a token.
fn web(me: &str) -> Value {
    pod(me, "web", &spec(&container(&json!({})), &json!({"automountServiceAccountToken": false})))
}

/// What is granted to nobody in particular.
pub fn anonymous() -> Vec<Case> {
    let list = rule(&[""], &["secrets"], &["list"]);
    let status =
        |ground: &Ground, me: &str| ground.cluster.anonymous().get(&format!("/api/v1/namespaces/{me}/secrets")).0;
    const STEPS: &[&str] = &["pod-to-network", "pod-api-server", "anonymous-request", "may-read-secrets"];
    vec![
        way("nobody", "nobody", nobody("nobody", "system:anonymous", &list), STEPS, move |g, me| {
            assert_eq!(status(g, me), 200)
        })
        .out_of_pod("web"),
        miss(
            "nobody-write",
            "nobody-write",
            nobody("nobody-write", "system:anonymous", &rule(&[""], &["secrets"], &["create"])),
            move |g, me| assert_eq!(status(g, me), 403),
        )
        .out_of_pod("web"),
        miss("nobody-named", "nobody-named", nobody("nobody-named", "anonymous", &list), move |g, me| {
            assert_eq!(status(g, me), 403)
        })
        .out_of_pod("web"),
    ]
}

/// An API server that takes no request without a credential.
pub fn closed() -> Vec<Case> {
    let list = rule(&[""], &["secrets"], &["list"]);
    let refused = |ground: &Ground, me: &str| {
        assert_eq!(ground.cluster.anonymous().get(&format!("/api/v1/namespaces/{me}/secrets")).0, 401)
    };
    vec![miss("nobody", "nobody", nobody("nobody", "system:anonymous", &list), refused).out_of_pod("web")]
}

/// A kubelet's port, asked from a pod; a kubelet that was started a moment ago does not know its pods yet.
fn run(ground: &Ground, me: &str) -> (u16, Vec<u8>) {
    let url = format!("https://{}:10250/run/{me}/tool/app?cmd=cat%20/node/etc/shadow", ground.cluster.node_ip());
    let arguments = ["--silent", "--insecure", "--request", "POST", "--write-out", "\n%{http_code}", &url];
    let began = Instant::now();
    loop {
        let out = ground.cluster.node_command("curl").args(arguments).output().unwrap();
        let end = out.stdout.iter().rposition(|byte| *byte == b'\n').unwrap_or_default();
        let status = String::from_utf8_lossy(&out.stdout[end..]).trim().parse().unwrap_or_default();
        if status != 404 || began.elapsed() > Duration::from_secs(60) {
            return (status, out.stdout[..end].to_vec());
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// A kubelet that lets everybody in.
pub fn kubelet_open() -> Vec<Case> {
    const STEPS: &[&str] =
        &["pod-to-network", "kubelet-open-pods", "kubelet-runs", "kubelet-enters-pods", "pod-privileged"];
    let objects = vec![web("port"), pod("port", "tool", &rooted())];
    let runs = |ground: &Ground, me: &str| {
        let (status, body) = run(ground, me);
        assert!(status == 200 && body.starts_with(b"root:"), "{status}");
    };
    vec![way("port", ROOT, objects, STEPS, runs).out_of_pod("web")]
}

/// One that asks the API server whether nobody may.
pub fn kubelet_closed() -> Vec<Case> {
    let refused = |ground: &Ground, me: &str| assert!(matches!(run(ground, me).0, 401 | 403));
    vec![miss("port", ROOT, vec![web("port"), pod("port", "tool", &rooted())], refused).out_of_pod("web")]
}
