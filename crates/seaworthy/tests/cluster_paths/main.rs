//! Ways through a real cluster: each that is told as proven is walked with the requests that it names; one right, label or
//! mount short, it is gone, from the answer and from the cluster.
//!
//! What no bed carries out and so nobody walks here: the steps over a cloud (pod-cloud-credentials, node-cloud-credentials,
//! may-edit-aws-auth), flaws that are not known (pod-service-flaw, pod-kernel-flaw), exhausting a node (pod-exhausts-node), a
//! server of one's own that the API server asks (may-edit-webhooks, may-edit-api-services), and a machine that is a Docker
//! host as well (node-is-host, host-is-node).

#[path = "../common/mod.rs"]
mod common;
mod enter;
mod exam;
mod ground;
mod identities;
mod nodes;
mod open;
mod pods;
mod roles;
mod secrets;
mod tokens;
mod volumes;

use common::Sea;
use seaworthy_bed::{Client, Cluster, ClusterSpec, Kubernetes};
use serde_json::{Value, json};

use ground::{Ground, IMAGE, steps_of};

fn account(namespace: &str, name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"namespace": namespace, "name": name}})
}

/// A role in a namespace, given to an account of it.
fn role(namespace: &str, account: &str, resources: &[&str], verbs: &[&str]) -> [Value; 2] {
    let meta = json!({"namespace": namespace, "name": account});
    let api = "rbac.authorization.k8s.io";
    [
        json!({"apiVersion": format!("{api}/v1"), "kind": "Role", "metadata": meta,
            "rules": [{"apiGroups": [""], "resources": resources, "verbs": verbs}]}),
        json!({"apiVersion": format!("{api}/v1"), "kind": "RoleBinding", "metadata": meta,
            "roleRef": {"apiGroup": api, "kind": "Role", "name": account},
            "subjects": [{"kind": "ServiceAccount", "namespace": namespace, "name": account}]}),
    ]
}

fn pod(namespace: &str, name: &str, account: &str, more: &Value) -> Value {
    let mut spec = json!({"serviceAccountName": account, "terminationGracePeriodSeconds": 0,
        "containers": [{"name": "app", "image": IMAGE, "imagePullPolicy": "Never", "command": ["sleep", "36000"]}]});
    for (key, value) in more.as_object().into_iter().flatten() {
        spec[key] = value.clone();
    }
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": namespace, "name": name}, "spec": spec})
}

/// A pod that is root on its node.
fn rooted(namespace: &str, name: &str, account: &str) -> Value {
    let container = json!({"name": "app", "image": IMAGE, "imagePullPolicy": "Never", "command": ["sleep", "36000"],
        "securityContext": {"privileged": true}, "volumeMounts": [{"name": "node", "mountPath": "/node"}]});
    let more = json!({"volumes": [{"name": "node", "hostPath": {"path": "/"}}], "containers": [container]});
    pod(namespace, name, account, &more)
}

struct Case {
    cluster: Cluster,
    sea: Sea,
}

impl Case {
    fn start() -> Option<Self> {
        // Its mirror pods tell how the API server was started: that no level of Pod Security holds by default.
        let spec = ClusterSpec { static_control_plane: true, ..ClusterSpec::with_node() };
        let cluster = Cluster::require(Kubernetes::V135, spec)?;
        cluster.import_busybox(IMAGE);
        for namespace in ["shop", "vault", "closed"] {
            cluster.create_namespace(namespace);
        }
        let closed = json!({"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "baseline"}}});
        assert_eq!(cluster.patch("/api/v1/namespaces/closed", &closed).0, 200);
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"namespace": "vault", "name": "gold"},
            "stringData": {"key": "open sesame"}});
        let mut objects = vec![secret];
        for (namespace, name) in
            [("shop", "deployer"), ("shop", "idle"), ("closed", "deployer"), ("vault", "reader"), ("vault", "one")]
        {
            objects.push(account(namespace, name));
        }
        objects.extend(role("shop", "deployer", &["pods"], &["create", "get"]));
        objects.extend(role("closed", "deployer", &["pods"], &["create", "get"]));
        objects.extend(role("vault", "reader", &["secrets"], &["list"]));
        let mut one = role("vault", "one", &["secrets"], &["get"]);
        one[0]["rules"][0]["resourceNames"] = json!(["silver"]);
        objects.extend(one);
        cluster.apply(&objects);
        for (namespace, name, account) in [
            ("shop", "builder", "deployer"),
            ("shop", "web", "idle"),
            ("closed", "builder", "deployer"),
            ("vault", "audit", "reader"),
            ("vault", "clerk", "one"),
        ] {
            cluster.apply(&[pod(namespace, name, account, &json!({}))]);
            cluster.wait_for_pod_running(namespace, name);
        }
        Some(Self { cluster, sea: Sea::new() })
    }

    /// The paths from an entry to a jewel, by the words of their steps.
    fn paths(&self, from: &str, to: &str) -> Vec<Value> {
        let config = self.cluster.kubeconfig().display().to_string();
        let arguments =
            ["paths", "--kubeconfig", &config, "--only", "kubernetes", "-f", "json", "--entry", from, "--to", to];
        let run = self.sea.run(&arguments);
        run.ended(0);
        run.json()["paths"].as_array().cloned().unwrap_or_default()
    }

    fn proven(&self, from: &str, to: &str) -> Vec<Vec<String>> {
        let proven = self.paths(from, to).into_iter().filter(|p| p["certainty"] == "proven");
        let steps = |p: Value| {
            let steps = p["steps"].as_array().cloned().unwrap_or_default();
            steps.iter().map(|s| s["step"].as_str().unwrap_or_default().to_owned()).collect::<Vec<_>>()
        };
        proven.map(steps).collect()
    }

    /// Whoever has code in a pod's container, with what lies there.
    fn inside(&self, namespace: &str, name: &str) -> Client {
        let token = "/var/run/secrets/kubernetes.io/serviceaccount/token";
        let out = self.cluster.exec(namespace, name, "app", &["cat", token]);
        assert_eq!(out.status, 0, "{out:?}");
        self.cluster.client_with_token(out.stdout.trim())
    }
}

#[test]
fn proven_ways_are_walked_and_near_misses_are_none() {
    let Some(case) = Case::start() else { return };

    // Code in a pod whose account may create pods is root on the node by the next pod.
    let found = case.proven("shop/builder/app", "node-root");
    let wanted = ["pod-own-token", "may-create-pods", "namespace-node-root"];
    assert!(found.iter().any(|steps| steps == &wanted), "{found:?}");
    let thief = case.inside("shop", "builder");
    let (status, answer) = thief.post("/api/v1/namespaces/shop/pods", &rooted("shop", "taken", "idle"));
    assert_eq!(status, 201, "{answer}");
    case.cluster.wait_for_pod_running("shop", "taken");
    let out = case.cluster.exec("shop", "taken", "app", &["cat", "/node/etc/shadow"]);
    assert!(out.status == 0 && out.stdout.starts_with("root:"), "{out:?}");

    // The pod that was made is now such a way itself.
    let found = case.proven("shop/taken/app", "node-root");
    assert!(found.iter().any(|steps| steps == &["pod-privileged"]), "{found:?}");

    // A namespace whose label refuses such pods, one right short, one account without any: none, and the cluster says so too.
    assert_eq!(case.proven("closed/builder/app", "node-root"), Vec::<Vec<String>>::new());
    let thief = case.inside("closed", "builder");
    assert_eq!(thief.post("/api/v1/namespaces/closed/pods", &rooted("closed", "taken", "default")).0, 403);
    assert_eq!(case.proven("shop/web/app", "node-root"), Vec::<Vec<String>>::new());
    let thief = case.inside("shop", "web");
    assert_eq!(thief.post("/api/v1/namespaces/shop/pods", &rooted("shop", "more", "idle")).0, 403);

    // What a kubelet makes of its own files stays as these say, whatever is written to the copies.
    let patcher = |name: &str, resource: &str, verb: &str| {
        let mut objects = role("kube-system", name, &[resource], &[verb]);
        objects[1]["subjects"] = json!([{"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": name}]);
        case.cluster.apply(&objects);
        case.paths(name, "cluster-admin").into_iter().filter(|path| path["certainty"] == "proven").count()
    };
    assert_eq!(patcher("patcher", "pods", "patch"), 0);
    assert_eq!(patcher("adder", "pods/ephemeralcontainers", "patch"), 0);

    // Secrets: to list is to read; a name that is another's is none.
    let found = case.proven("vault/audit/app", "secrets");
    assert!(found.iter().any(|steps| steps == &["pod-own-token", "may-read-secrets"]), "{found:?}");
    let (status, secrets) = case.inside("vault", "audit").get("/api/v1/namespaces/vault/secrets");
    assert_eq!((status, secrets["items"][0]["data"]["key"].as_str()), (200, Some("b3BlbiBzZXNhbWU=")));
    assert_eq!(case.proven("vault/clerk/app", "secrets"), Vec::<Vec<String>>::new());
    assert_eq!(case.inside("vault", "clerk").get("/api/v1/namespaces/vault/secrets").0, 403);
    assert_eq!(case.inside("vault", "clerk").get("/api/v1/namespaces/vault/secrets/gold").0, 403);

    // The whole of it in every format, and kept as a snapshot.
    let config = case.cluster.kubeconfig().display().to_string();
    for format in common::FORMATS {
        let run = case.sea.run(&["assess", "--kubeconfig", &config, "--only", "kubernetes", "-f", format]);
        run.ended(0);
        assert!(!run.out.contains("open sesame") && !run.out.contains("b3BlbiBzZXNhbWU="), "{format}");
    }
    let kept = std::env::var("SEAWORTHY_KEEP_SNAPSHOT").unwrap_or_else(|_| "kept.json".into());
    case.sea.run(&["collect", "--kubeconfig", &config, "--only", "kubernetes", "-o", &kept]).ended(0);
}

/// Lays out cases in one cluster, reads it once, and takes them one after the other: the answer, then the cluster.
fn walk(of: &str, cases: &[ground::Case]) {
    if let Some(ground) = Ground::start() {
        walk_on(&ground, of, cases);
    }
}

fn walk_on(ground: &Ground, of: &str, cases: &[ground::Case]) {
    ground.lay(cases);
    ground.read();
    let all = ground.answers(cases);
    let (mut ways, mut misses, mut wrong) = (0, 0, Vec::new());
    for case in cases {
        let paths: Vec<&Value> = all.iter().filter(|path| case.is_answered_by(path)).collect();
        let proven: Vec<Vec<&str>> = paths.iter().filter(|p| p["certainty"] == "proven").map(|p| steps_of(p)).collect();
        match case.steps {
            Some(steps) if !proven.iter().any(|path| path == steps) => {
                let others: Vec<_> = paths.iter().map(|p| (p["certainty"].clone(), steps_of(p))).collect();
                wrong.push(format!("{}: no way {steps:?}; there are {others:?}", case.name));
            }
            None if !proven.is_empty() => wrong.push(format!("{}: told as proven: {proven:?}", case.name)),
            Some(_) => ways += 1,
            None => misses += 1,
        }
        let walked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| (case.walk)(ground, case.name)));
        if walked.is_err() {
            wrong.push(format!("{}: the cluster does otherwise, see above", case.name));
        }
    }
    println!("{of}: {ways} ways walked, {misses} near misses refused");
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

#[test]
fn pods_that_are_created() {
    walk("pods", &pods::cases());
}

#[test]
fn volumes_that_are_there() {
    let Some(ground) = Ground::start() else { return };
    ground.cluster.create_namespace("elsewhere");
    walk_on(&ground, "kept volumes", &volumes::of_others());
    walk_on(&ground, "free volumes", &volumes::of_nobody());
}

#[test]
fn tokens_by_which_nodes_join() {
    // Its mirror pods tell how API server and controller manager were started.
    let spec = || ClusterSpec { static_control_plane: true, ..ClusterSpec::with_node() };
    if let Some(ground) = Ground::of(spec()) {
        walk_on(&ground, "bootstrap tokens", &tokens::taken());
    }
    let controllers = Some(vec!["--controllers=*,-csrapproving".into()]);
    let apiserver = vec!["--enable-bootstrap-token-auth=false".into()];
    if let Some(ground) = Ground::of(ClusterSpec { controller_manager: controllers, apiserver, ..spec() }) {
        walk_on(&ground, "no bootstrap tokens", &tokens::not_taken());
    }
}

#[test]
fn what_only_seems_to_stand_against_pods() {
    walk("exam", &exam::cases());
}

#[test]
fn pods_that_are_entered() {
    walk("enter", &enter::cases());
}

#[test]
fn names_that_are_taken() {
    walk("identities", &identities::cases());
}

#[test]
fn rights_that_are_given_to_oneself() {
    walk("roles", &roles::cases());
}

#[test]
fn secrets_that_are_read() {
    walk("secrets", &secrets::cases());
}

#[test]
fn containers_that_are_left() {
    walk("nodes", &nodes::cases());
}

#[test]
fn nodes_that_are_taken() {
    walk("beyond nodes", &nodes::beyond());
}

#[test]
fn what_is_open_to_nobody_in_particular() {
    let Some(mut ground) = Ground::start() else { return };
    walk_on(&ground, "anonymous", &open::anonymous());
    walk_on(&ground, "a kubelet that asks", &open::kubelet_closed());
    ground.cluster.restart_apiserver(&["--anonymous-auth=false".into()]).unwrap();
    walk_on(&ground, "no anonymous requests", &open::closed());
    let lets_in = json!({"authentication": {"anonymous": {"enabled": true}}, "authorization": {"mode": "AlwaysAllow"}});
    ground.cluster.restart_kubelet(lets_in, &[]).unwrap();
    walk_on(&ground, "a kubelet that lets in", &open::kubelet_open());
}
