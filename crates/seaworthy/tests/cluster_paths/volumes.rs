//! Volumes that are paths of the node and that nobody has claimed, or that are kept for another claim.

use serde_json::{Value, json};

use super::ground::{Case, Ground, level, local, miss, named, rule, until, user_subject, way, wide};
use super::pods::{bounds, volume};

const ROOT: &str = "node-root";
const FREE: &[&str] = &["user-credential", "may-create-pods", "namespace-free-volumes-node-root"];
const TAKEN: &[&str] = &["user-credential", "may-take-volumes", "node-volumes-node-root"];

/// A pod that brings along a claim of a volume by its name.
pub fn bringing(me: &str, volume_name: &str) -> Value {
    let [_, claim, mut pod] = volume(me);
    let mut spec = claim["spec"].clone();
    spec["volumeName"] = json!(volume_name);
    pod["spec"]["volumes"] = json!([{"name": "node", "ephemeral": {"volumeClaimTemplate": {"spec": spec}}}]);
    pod
}

/// The node's root as a volume that is kept for a claim, or for none.
fn kept(me: &str, claim: Value) -> Value {
    let [mut volume, ..] = volume(me);
    volume["spec"]["claimRef"] = claim;
    volume
}

fn own(me: &str) -> Value {
    json!({"namespace": me, "name": "taken-node"})
}

fn other() -> Value {
    json!({"namespace": "elsewhere", "name": "data"})
}

fn pods(me: &str, of: &str) -> Vec<Value> {
    [vec![level(me, of)], local(me, &[rule(&[""], &["pods"], &["create"])])].concat()
}

/// Changing volumes in the whole cluster, beside pods in a namespace.
fn volumes(me: &str, rule: Value) -> Vec<Value> {
    let mut bound = wide(&format!("{me}-wide"), &[rule]);
    bound[1]["subjects"] = json!([user_subject(me)]);
    [pods(me, "baseline"), bound].concat()
}

fn take(ground: &Ground, me: &str) {
    ground.creates(me, &bringing(me, me));
    ground.is_root_on_node(me, "taken");
}

/// The pod is taken and never runs, for a reason that its events tell.
fn waits(words: &'static [&'static str]) -> impl Fn(&Ground, &str) {
    move |ground, me| {
        ground.creates(me, &bringing(me, me));
        let told = || {
            let events = ground.cluster.get(&format!("/api/v1/namespaces/{me}/events")).1.to_string();
            words.iter().any(|words| events.contains(words))
        };
        let events = || ground.cluster.get(&format!("/api/v1/namespaces/{me}/events")).1;
        assert!(until(120, told), "{}", events());
    }
}

fn freed(ground: &Ground, me: &str) {
    let free = r#"{"spec":{"claimRef":null}}"#;
    ground.does(me, &["patch", "persistentvolume", me, "--type=merge", "-p", free]);
    take(ground, me);
}

pub fn of_others() -> Vec<Case> {
    let change = || rule(&[""], &["persistentvolumes"], &["get", "patch"]);
    let released = || json!({"namespace": "elsewhere", "name": "data", "uid": "7a3c1f0e-0000-4000-8000-000000000001"});
    let changed = |me: &str, claim: Value, change: &dyn Fn(&mut Value)| {
        let mut volume = kept(me, claim);
        change(&mut volume["spec"]);
        [vec![volume], pods(me, "baseline")].concat()
    };
    vec![
        way(
            "kept-here",
            ROOT,
            [vec![kept("kept-here", own("kept-here"))], pods("kept-here", "baseline")].concat(),
            FREE,
            take,
        ),
        miss(
            "kept-elsewhere",
            ROOT,
            [vec![kept("kept-elsewhere", other())], pods("kept-elsewhere", "baseline")].concat(),
            waits(&["already bound to a different claim"]),
        ),
        miss(
            "kept-released",
            ROOT,
            [vec![kept("kept-released", released())], pods("kept-released", "baseline")].concat(),
            waits(&["already bound to a different claim"]),
        ),
        miss(
            "kept-restr",
            ROOT,
            [vec![kept("kept-restr", own("kept-restr"))], pods("kept-restr", "restricted")].concat(),
            |ground, me| ground.refused(me, &["create", "-f", "-"], &bringing(me, me)),
        ),
        miss(
            "kept-quota",
            ROOT,
            [
                changed("kept-quota", own("kept-quota"), &|_| {}),
                vec![bounds("kept-quota", "persistentvolumeclaims", "0")],
            ]
            .concat(),
            waits(&["exceeded quota"]),
        ),
        miss(
            "kept-size",
            ROOT,
            [changed("kept-size", own("kept-size"), &|_| {}), vec![bounds("kept-size", "requests.storage", "0")]]
                .concat(),
            waits(&["exceeded quota"]),
        ),
        miss(
            "kept-options",
            ROOT,
            changed("kept-options", own("kept-options"), &|spec| spec["mountOptions"] = json!(["ro"])),
            waits(&["mount options", "Mount options", "MountOption"]),
        ),
        miss(
            "kept-plain",
            ROOT,
            changed("kept-plain", own("kept-plain"), &|spec| spec["hostPath"]["path"] = json!("/srv")),
            |ground, me| {
                ground.creates(me, &bringing(me, me));
                ground.cluster.wait_for_pod_running(me, "taken");
                assert_ne!(ground.cluster.exec(me, "taken", "app", &["ls", "/node/etc/shadow"]).status, 0);
            },
        ),
        way(
            "take-kept",
            ROOT,
            [vec![kept("take-kept", other())], volumes("take-kept", change())].concat(),
            TAKEN,
            freed,
        ),
        way(
            "take-released",
            ROOT,
            [vec![kept("take-released", released())], volumes("take-released", change())].concat(),
            TAKEN,
            freed,
        ),
        miss(
            "take-other",
            ROOT,
            [
                vec![kept("take-other", other())],
                volumes("take-other", named(&[""], &["persistentvolumes"], &["get", "patch"], &["none-such"])),
            ]
            .concat(),
            |ground, me| {
                ground.refused(me, &["patch", "persistentvolume", me, "--type=merge", "-p", "{}"], &Value::Null)
            },
        ),
    ]
}

/// A volume that is free is everybody's who may create pods, so that it lies in a cluster without the others.
pub fn of_nobody() -> Vec<Case> {
    let class = |me: &str| {
        let mut free = kept(me, Value::Null);
        free["spec"]["storageClassName"] = json!("slow");
        free["spec"]["accessModes"] = json!(["ReadOnlyMany"]);
        free["spec"]["persistentVolumeReclaimPolicy"] = json!("Retain");
        free
    };
    let free = |ground: &Ground, me: &str| {
        let mut pod = bringing(me, "free");
        let claim = &mut pod["spec"]["volumes"][0]["ephemeral"]["volumeClaimTemplate"]["spec"];
        claim["storageClassName"] = json!("slow");
        claim["accessModes"] = json!(["ReadOnlyMany"]);
        ground.creates(me, &pod);
        ground.is_root_on_node(me, "taken");
    };
    vec![
        way("free", ROOT, [vec![class("free")], pods("free", "baseline")].concat(), FREE, free),
        miss("free-restr", ROOT, pods("free-restr", "restricted"), |ground, me| {
            ground.refused(me, &["create", "-f", "-"], &bringing(me, "free"));
        }),
        miss(
            "free-read",
            ROOT,
            [vec![level("free-read", "baseline")], local("free-read", &[rule(&[""], &["pods"], &["get"])])].concat(),
            |ground, me| {
                ground.refused(me, &["create", "-f", "-"], &bringing(me, "free"));
            },
        ),
    ]
}
