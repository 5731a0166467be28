//! Becoming somebody else: impersonation, tokens, certificates.

use rcgen::{CertificateParams, DnType, KeyPair};
use serde_json::{Value, json};

use super::ground::{Case, Ground, RBAC, account, binding, local, miss, named, rule, until, user_subject, way, wide};

const ADMIN: &str = "cluster-admin";

/// What an administrator does.
const PROOF: [&str; 4] = ["get", "secrets", "-n", "kube-system"];

fn admin(ground: &Ground, me: &str, how: &[&str]) {
    ground.does(me, &[&PROOF[..], how].concat());
}

fn not(ground: &Ground, me: &str, how: &[&str]) {
    ground.refused(me, &[&PROOF[..], how].concat(), &Value::Null);
}

/// A user `boss-…` who has every right, beside the case's own.
fn boss(me: &str) -> Vec<Value> {
    let name = format!("boss-{me}");
    vec![binding("ClusterRoleBinding", json!({"name": name}), "ClusterRole", "cluster-admin", &[user_subject(&name)])]
}

/// A service account `boss` in the namespace that has every right.
fn boss_account(me: &str) -> Vec<Value> {
    let subject = json!({"kind": "ServiceAccount", "namespace": me, "name": "boss"});
    let bound = binding(
        "ClusterRoleBinding",
        json!({"name": format!("boss-{me}")}),
        "ClusterRole",
        "cluster-admin",
        &[subject],
    );
    vec![account(me, "boss"), account(me, "idle"), bound]
}

pub fn cases() -> Vec<Case> {
    [groups(), users(), accounts(), tokens(), certificates()].into_iter().flatten().collect()
}

fn groups() -> Vec<Case> {
    let masters = |ground: &Ground, me: &str| admin(ground, me, &["--as=anybody", "--as-group=system:masters"]);
    let cannot = |ground: &Ground, me: &str| not(ground, me, &["--as=anybody", "--as-group=system:masters"]);
    let any = |resource: &str| rule(&[""], &[resource], &["impersonate"]);
    let of = |resource: &str, name: &str| named(&[""], &[resource], &["impersonate"], &[name]);
    const STEPS: &[&str] = &["user-credential", "may-impersonate-groups"];
    vec![
        way("groups", ADMIN, wide("groups", &[any("groups"), any("users")]), STEPS, masters),
        way(
            "groups-named",
            ADMIN,
            wide("groups-named", &[of("groups", "system:masters"), of("users", "anybody")]),
            STEPS,
            masters,
        ),
        miss("groups-other", ADMIN, wide("groups-other", &[of("groups", "crew"), of("users", "anybody")]), cannot),
        miss("groups-alone", ADMIN, wide("groups-alone", &[any("groups")]), cannot),
        miss("groups-local", ADMIN, local("groups-local", &[any("groups"), any("users")]), cannot),
        miss(
            "groups-extra",
            ADMIN,
            wide(
                "groups-extra",
                &[
                    of("users", "anybody"),
                    rule(&["authentication.k8s.io"], &["uids", "userextras/scopes"], &["impersonate"]),
                ],
            ),
            cannot,
        ),
    ]
}

fn users() -> Vec<Case> {
    let rights = |me: &str, rule: Value| [boss(me), wide(me, &[rule])].concat();
    let of = |name: &str| named(&[""], &["users"], &["impersonate"], &[name]);
    let as_boss = |ground: &Ground, me: &str| admin(ground, me, &[&format!("--as=boss-{me}")]);
    let cannot = |ground: &Ground, me: &str| not(ground, me, &[&format!("--as=boss-{me}")]);
    vec![
        way(
            "users",
            ADMIN,
            rights("users", rule(&[""], &["users"], &["impersonate"])),
            &["user-credential", "may-impersonate-users", "any-user", "may-everything"],
            as_boss,
        ),
        way(
            "users-named",
            ADMIN,
            rights("users-named", of("boss-users-named")),
            &["user-credential", "may-act-as", "may-everything"],
            as_boss,
        ),
        miss("users-other", ADMIN, rights("users-other", of("nobody")), cannot),
        miss("users-group", ADMIN, rights("users-group", rule(&[RBAC], &["users"], &["impersonate"])), cannot),
        miss(
            "users-verb",
            ADMIN,
            rights("users-verb", rule(&[""], &["users", "groups", "serviceaccounts"], &["get", "list", "create"])),
            cannot,
        ),
    ]
}

fn accounts() -> Vec<Case> {
    let rights = |me: &str, rule: Value| [boss_account(me), local(me, &[rule])].concat();
    let of = |name: &str| named(&[""], &["serviceaccounts"], &["impersonate"], &[name]);
    let name = |me: &str| format!("--as=system:serviceaccount:{me}:boss");
    let as_boss = move |ground: &Ground, me: &str| admin(ground, me, &[&name(me)]);
    let cannot = move |ground: &Ground, me: &str| not(ground, me, &[&name(me)]);
    vec![
        way(
            "accounts",
            ADMIN,
            rights("accounts", rule(&[""], &["serviceaccounts"], &["impersonate"])),
            &["user-credential", "may-impersonate-accounts", "accounts-act", "may-everything"],
            as_boss,
        ),
        way(
            "accounts-named",
            ADMIN,
            rights("accounts-named", of("boss")),
            &["user-credential", "may-act-as", "may-everything"],
            as_boss,
        ),
        miss("accounts-other", ADMIN, rights("accounts-other", of("idle")), cannot),
        // Users are another resource than service accounts.
        miss("accounts-users", ADMIN, rights("accounts-users", rule(&[""], &["users"], &["impersonate"])), cannot),
    ]
}

fn tokens() -> Vec<Case> {
    let rights = |me: &str, rules: &[Value]| [boss_account(me), local(me, rules)].concat();
    let token = |ground: &Ground, me: &str| {
        let token = ground.does(me, &["create", "token", "boss", "-n", me]);
        let (status, _) = ground.cluster.client_with_token(token.trim()).get("/api/v1/namespaces/kube-system/secrets");
        assert_eq!(status, 200);
    };
    let cannot = |ground: &Ground, me: &str| ground.refused(me, &["create", "token", "boss", "-n", me], &Value::Null);
    let secret = |me: &str| {
        json!({"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/service-account-token", "metadata": {"namespace": me,
            "name": "taken", "annotations": {"kubernetes.io/service-account.name": "boss"}}})
    };
    // An account whose token lies in a secret, beside another secret.
    let kept = move |me: &str, name: &str| {
        let mut objects = boss_account(me);
        objects[0]["secrets"] = json!([{"name": "taken"}]);
        objects.push(json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"namespace": me, "name": "gold"}}));
        objects.push(secret(me));
        objects.extend(local(me, &[named(&[""], &["secrets"], &["get"], &[name])]));
        objects
    };
    let read = |ground: &Ground, me: &str| {
        let out = ground.kubectl(
            me,
            &["get", "secret", "taken", "-n", me, "-o", "go-template={{.data.token|base64decode}}"],
            &Value::Null,
        );
        (out.status == 0).then_some(out.stdout)
    };
    const MINT: &[&str] = &["user-credential", "may-mint-tokens", "tokens-accounts", "may-everything"];
    let mint = |names: &[&str]| named(&[""], &["serviceaccounts/token"], &["create"], names);
    vec![
        way("tokens", ADMIN, rights("tokens", &[rule(&[""], &["serviceaccounts/token"], &["create"])]), MINT, token),
        way(
            "tokens-named",
            ADMIN,
            rights("tokens-named", &[mint(&["boss"])]),
            &["user-credential", "may-mint-token", "may-everything"],
            token,
        ),
        miss("tokens-other", ADMIN, rights("tokens-other", &[mint(&["idle"])]), cannot),
        miss(
            "tokens-accounts",
            ADMIN,
            rights(
                "tokens-accounts",
                &[rule(&[""], &["serviceaccounts"], &["get", "list", "create", "update", "patch", "delete"])],
            ),
            cannot,
        ),
        way(
            "tokens-kept",
            ADMIN,
            kept("tokens-kept", "taken"),
            &["user-credential", "may-read-named-token", "may-everything"],
            move |ground, me| {
                let mut held = None;
                assert!(until(60, || {
                    held = read(ground, me).filter(|token| token.starts_with("ey"));
                    held.is_some()
                }));
                let client = ground.cluster.client_with_token(held.unwrap().trim());
                assert_eq!(client.get("/api/v1/namespaces/kube-system/secrets").0, 200);
            },
        ),
        // Whoever may read one secret has no other of the namespace.
        miss("tokens-beside", ADMIN, kept("tokens-beside", "gold"), move |ground, me| {
            assert!(read(ground, me).is_none());
        }),
        way(
            "tokens-secret",
            ADMIN,
            rights("tokens-secret", &[rule(&[""], &["secrets"], &["create", "get"])]),
            MINT,
            move |ground, me| {
                ground.creates(me, &secret(me));
                let mut held = None;
                let filled = || {
                    let out = ground.kubectl(
                        me,
                        &["get", "secret", "taken", "-n", me, "-o", "go-template={{.data.token|base64decode}}"],
                        &Value::Null,
                    );
                    held = (out.status == 0 && out.stdout.starts_with("ey")).then_some(out.stdout);
                    held.is_some()
                };
                assert!(until(60, filled));
                assert_eq!(
                    ground
                        .cluster
                        .client_with_token(held.unwrap().trim())
                        .get("/api/v1/namespaces/kube-system/secrets")
                        .0,
                    200
                );
            },
        ),
        miss(
            "tokens-blind",
            ADMIN,
            rights("tokens-blind", &[rule(&[""], &["secrets"], &["create"])]),
            move |ground, me| {
                ground.creates(me, &secret(me));
                ground.refused(me, &["get", "secret", "taken", "-n", me], &Value::Null);
            },
        ),
        way(
            "tokens-pods",
            ADMIN,
            rights("tokens-pods", &[rule(&[""], &["pods"], &["create"])]),
            &["user-credential", "may-create-pods", "namespace-accounts", "may-everything"],
            |ground, me| {
                let spec =
                    super::ground::spec(&super::ground::container(&json!({})), &json!({"serviceAccountName": "boss"}));
                ground.creates(me, &super::ground::pod(me, "taken", &spec));
                ground.cluster.wait_for_pod_running(me, "taken");
                let out = ground.cluster.exec(
                    me,
                    "taken",
                    "app",
                    &["cat", "/var/run/secrets/kubernetes.io/serviceaccount/token"],
                );
                assert_eq!(
                    ground.cluster.client_with_token(out.stdout.trim()).get("/api/v1/namespaces/kube-system/secrets").0,
                    200
                );
            },
        ),
    ]
}

const CERTS: &str = "certificates.k8s.io";
const CLIENTS: &str = "kubernetes.io/kube-apiserver-client";

fn certificates() -> Vec<Case> {
    let ask = || rule(&[CERTS], &["certificatesigningrequests"], &["create", "get"]);
    let approve = || rule(&[CERTS], &["certificatesigningrequests/approval"], &["update"]);
    let nodeclient = |resource: &str| rule(&[CERTS], &[resource], &["create"]);
    let signer = |name: &str| named(&[CERTS], &["signers"], &["approve"], &[name]);
    let rights = |me: &str, rules: &[Value]| [boss(me), wide(me, rules)].concat();
    const STEPS: &[&str] = &["user-credential", "may-issue-certificates", "any-identity", "may-everything"];
    let issued = |ground: &Ground, me: &str| {
        let (key, request) = request(me);
        ground.creates(me, &request);
        ground.does(me, &["certificate", "approve", &format!("taken-{me}")]);
        let mut pem = String::new();
        let there = || {
            pem = ground.does(
                me,
                &[
                    "get",
                    "csr",
                    &format!("taken-{me}"),
                    "-o",
                    "go-template={{if .status.certificate}}{{.status.certificate|base64decode}}{{end}}",
                ],
            );
            !pem.is_empty()
        };
        assert!(until(60, there));
        let (certificate, key) =
            (ground.sea.write("taken.crt", &pem), ground.sea.write("taken.key", key.serialize_pem()));
        let (certificate, key) = (certificate.display().to_string(), key.display().to_string());
        let (server, ca) = (ground.cluster.url(), ground.cluster.ca().display().to_string());
        let nobody = ground.sea.write("nobody.conf", "");
        let arguments = [
            &PROOF[..],
            &[
                "--server",
                &server,
                "--certificate-authority",
                &ca,
                "--client-certificate",
                &certificate,
                "--client-key",
                &key,
            ],
        ]
        .concat();
        let out = ground.cluster.kubectl_as(&nobody, &arguments, b"");
        assert_eq!(out.status, 0, "{out:?}");
    };
    let refused = |ground: &Ground, me: &str| {
        let (_, request) = request(me);
        let made = ground.kubectl(me, &["create", "-f", "-"], &request).status == 0;
        let approved = ground.kubectl(me, &["certificate", "approve", &format!("taken-{me}")], &Value::Null);
        assert!(!made || approved.status != 0, "{approved:?}");
    };
    vec![
        way("certificates", ADMIN, rights("certificates", &[ask(), approve(), signer(CLIENTS)]), STEPS, issued),
        way(
            "certificates-all",
            ADMIN,
            rights("certificates-all", &[ask(), approve(), signer("kubernetes.io/*")]),
            STEPS,
            issued,
        ),
        way(
            "certificates-join",
            ADMIN,
            joining("certificates-join", &[ask(), nodeclient("certificatesigningrequests/nodeclient")]),
            &[
                "user-credential",
                "may-join-nodes",
                "any-node",
                "kubelet-pod-tokens",
                "pod-token-identity",
                "may-everything",
            ],
            joined,
        ),
        // What a node may do for itself makes nobody else one.
        miss(
            "certificates-rejoin",
            ADMIN,
            joining("certificates-rejoin", &[ask(), nodeclient("certificatesigningrequests/selfnodeclient")]),
            |ground, me| {
                ground.creates(me, &joins(me).1);
                std::thread::sleep(std::time::Duration::from_secs(3));
                let path = format!("/apis/certificates.k8s.io/v1/certificatesigningrequests/taken-{me}");
                let (status, request) = ground.cluster.get(&path);
                assert!(status == 200 && request["status"]["conditions"].is_null(), "{request}");
            },
        ),
        miss("certificates-no-signer", ADMIN, rights("certificates-no-signer", &[ask(), approve()]), refused),
        miss(
            "certificates-other",
            ADMIN,
            rights("certificates-other", &[ask(), approve(), signer("kubernetes.io/kubelet-serving")]),
            refused,
        ),
        miss("certificates-no-asking", ADMIN, rights("certificates-no-asking", &[approve(), signer(CLIENTS)]), refused),
        miss("certificates-no-approval", ADMIN, rights("certificates-no-approval", &[ask(), signer(CLIENTS)]), refused),
        miss(
            "certificates-sign",
            ADMIN,
            rights(
                "certificates-sign",
                &[
                    ask(),
                    rule(&[CERTS], &["certificatesigningrequests/status"], &["update"]),
                    named(&[CERTS], &["signers"], &["sign"], &[CLIENTS]),
                ],
            ),
            refused,
        ),
    ]
}

/// A request for a certificate of the case's administrator, and its key.
fn request(me: &str) -> (KeyPair, Value) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, format!("boss-{me}"));
    asked(me, params, CLIENTS, &["client auth"])
}

/// A pod on the node whose account has every right, and somebody's rights.
pub fn joining(me: &str, rules: &[Value]) -> Vec<Value> {
    use super::ground::{container, pod, spec};
    let run = pod(me, "boss", &spec(&container(&json!({})), &json!({"serviceAccountName": "boss"})));
    [boss_account(me), vec![run], wide(me, rules)].concat()
}

/// Has a certificate of the node issued, and with it a token of the account of a pod there.
fn joined(ground: &Ground, me: &str) {
    use base64::Engine as _;
    let (key, request) = joins(me);
    ground.creates(me, &request);
    let path = format!("/apis/certificates.k8s.io/v1/certificatesigningrequests/taken-{me}");
    let issued = || ground.cluster.get(&path).1["status"]["certificate"].as_str().map(str::to_owned);
    assert!(until(60, || issued().is_some()));
    let pem = base64::engine::general_purpose::STANDARD.decode(issued().unwrap()).unwrap();
    let certificate = ground.sea.write("node.crt", String::from_utf8(pem).unwrap()).display().to_string();
    let key = ground.sea.write("node.key", key.serialize_pem()).display().to_string();
    let (server, ca) = (ground.cluster.url(), ground.cluster.ca().display().to_string());
    let uid = ground.cluster.get(&format!("/api/v1/namespaces/{me}/pods/boss")).1["metadata"]["uid"].clone();
    let flags = ["--server", &server, "--certificate-authority", &ca, "--client-certificate", &certificate];
    let of_pod = ["--bound-object-kind", "Pod", "--bound-object-name", "boss", "--bound-object-uid"];
    let ask = [&["create", "token", "boss", "-n", me][..], &of_pod, &[uid.as_str().unwrap()], &flags];
    let nobody = ground.sea.write("nobody.conf", "");
    let out = ground.cluster.kubectl_as(&nobody, &[ask.concat(), vec!["--client-key", &key]].concat(), b"");
    assert_eq!(out.status, 0, "{out:?}");
    let boss = ground.cluster.client_with_token(out.stdout.trim());
    assert_eq!(boss.get("/api/v1/namespaces/kube-system/secrets").0, 200);
}

/// A request for a certificate of the bed's node, and its key.
pub fn joins(me: &str) -> (KeyPair, Value) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::OrganizationName, "system:nodes");
    params.distinguished_name.push(DnType::CommonName, "system:node:node-1");
    asked(me, params, "kubernetes.io/kube-apiserver-client-kubelet", &["digital signature", "client auth"])
}

fn asked(me: &str, params: CertificateParams, signer: &str, usages: &[&str]) -> (KeyPair, Value) {
    use base64::Engine as _;
    let key = KeyPair::generate().unwrap();
    let pem = params.serialize_request(&key).unwrap().pem().unwrap();
    let request = base64::engine::general_purpose::STANDARD.encode(pem);
    let object = json!({"apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest", "metadata": {"name": format!("taken-{me}")},
        "spec": {"request": request, "signerName": signer, "usages": usages}});
    (key, object)
}
