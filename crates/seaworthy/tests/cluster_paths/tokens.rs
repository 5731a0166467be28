//! Tokens by which nodes join, made by whoever writes secrets of the system; and nodes that nobody approves.

use serde_json::{Value, json};

use super::ground::{Case, Ground, RBAC, binding, level, local, miss, rule, until, way};
use super::identities::{joining, joins};

const SECRETS: &str = "secrets";
const GROUP: &str = "system:bootstrappers:case:thieves";

/// A token of the group, as a secret.
fn token(me: &str, id: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Secret", "type": "bootstrap.kubernetes.io/token",
        "metadata": {"namespace": "kube-system", "name": format!("bootstrap-token-{id}"), "labels": {"of": me}},
        "stringData": {"token-id": id, "token-secret": "0123456789abcdef", "usage-bootstrap-authentication": "true",
            "auth-extra-groups": GROUP}})
}

/// What the group may: read the secrets of one namespace.
fn granted() -> Vec<Value> {
    let meta = json!({"namespace": "vaulted", "name": "thieves"});
    vec![
        level("vaulted", "restricted"),
        json!({"apiVersion": format!("{RBAC}/v1"), "kind": "Role", "metadata": meta,
            "rules": [rule(&[""], &["secrets"], &["get", "list"])]}),
        binding("RoleBinding", meta, "Role", "thieves", &[json!({"kind": "Group", "apiGroup": RBAC, "name": GROUP})]),
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"namespace": "vaulted", "name": "gold"},
            "stringData": {"key": "open"}}),
    ]
}

/// A user's rights in kube-system.
fn system(user: &str, verbs: &[&str]) -> Vec<Value> {
    let mut objects = local(user, &[rule(&[""], &["secrets"], verbs)]);
    for object in &mut objects {
        object["metadata"]["namespace"] = json!("kube-system");
    }
    objects
}

fn to_vaulted(mut case: Case) -> Case {
    case.to = "vaulted".into();
    case
}

const STEPS: &[&str] = &["user-credential", "may-make-bootstrap-tokens", "may-read-secrets"];

fn reads(ground: &Ground, id: &str) -> u16 {
    let thief = ground.cluster.client_with_token(&format!("{id}.0123456789abcdef"));
    thief.get("/api/v1/namespaces/vaulted/secrets/gold").0
}

pub fn taken() -> Vec<Case> {
    let other = |user: &str| local(user, &[rule(&[""], &["secrets"], &["create"])]);
    let with = |objects: Vec<Value>| [granted(), objects].concat();
    let cases = vec![
        way("token-made", SECRETS, with(system("token-made", &["create"])), STEPS, |ground, me| {
            ground.creates(me, &token(me, "aaaaaa"));
            assert!(until(30, || reads(ground, "aaaaaa") == 200));
        }),
        miss("token-elsewhere", SECRETS, with(other("token-elsewhere")), |ground, me| {
            ground.refused(me, &["create", "-f", "-"], &token(me, "bbbbbb"));
            let mut here = token(me, "bbbbbb");
            here["metadata"]["namespace"] = json!(me);
            ground.creates(me, &here);
            assert_eq!(reads(ground, "bbbbbb"), 401);
        }),
        // None is there to be changed.
        miss("token-changed", SECRETS, with(system("token-changed", &["update"])), |ground, me| {
            ground.refused(me, &["create", "-f", "-"], &token(me, "cccccc"));
        }),
        miss("token-deleted", SECRETS, with(system("token-deleted", &["deletecollection"])), |ground, me| {
            ground.refused(me, &["create", "-f", "-"], &token(me, "dddddd"));
        }),
    ];
    cases.into_iter().map(to_vaulted).collect()
}

pub fn not_taken() -> Vec<Case> {
    let ask = rule(&["certificates.k8s.io"], &["certificatesigningrequests"], &["create"]);
    let client = rule(&["certificates.k8s.io"], &["certificatesigningrequests/nodeclient"], &["create"]);
    let mut off =
        to_vaulted(miss("token-off", SECRETS, [granted(), system("token-off", &["create"])].concat(), |ground, me| {
            ground.creates(me, &token(me, "aaaaaa"));
            assert_eq!(reads(ground, "aaaaaa"), 401);
        }));
    off.entry = None;
    vec![
        off,
        miss("join-unapproved", "cluster-admin", joining("join-unapproved", &[ask, client]), |ground, me| {
            ground.creates(me, &joins(me).1);
            std::thread::sleep(std::time::Duration::from_secs(3));
            let path = format!("/apis/certificates.k8s.io/v1/certificatesigningrequests/taken-{me}");
            let (status, request) = ground.cluster.get(&path);
            assert!(status == 200 && request["status"]["conditions"].is_null(), "{request}");
        }),
    ]
}
