//! What stands against pods and what only seems to: quotas for some pods, policies that only tell or are of another
//! namespace, limits, old versions of a level, rights that look like others.

use serde_json::{Value, json};

use super::ground::{
    Case, Ground, container, idle, lay, level, local, miss, named, pod, rooted, rule, spec, until, way, workload,
};
use super::pods::bounds;

const ROOT: &str = "node-root";
const STEPS: &[&str] = &["user-credential", "may-create-pods", "namespace-node-root"];

/// A quota of no pods, for some of them, and what it is called.
fn scoped(namespace: &str, name: &str, scope: &str) -> Value {
    let mut quota = bounds(namespace, "pods", "0");
    quota["metadata"]["name"] = json!(name);
    quota["spec"]["scopes"] = json!([scope]);
    quota
}

fn pods(user: &str) -> Vec<Value> {
    local(user, &[rule(&[""], &["pods"], &["create"])])
}

/// A policy against every pod of a namespace, and what its binding does.
fn policy(name: &str, of: &str, actions: &[&str], operations: &[&str]) -> Vec<Value> {
    let api = "admissionregistration.k8s.io/v1";
    let select = json!({"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": of}}});
    vec![
        json!({"apiVersion": api, "kind": "ValidatingAdmissionPolicy", "metadata": {"name": name}, "spec": {
            "matchConstraints": {"resourceRules": [
                {"apiGroups": [""], "apiVersions": ["v1"], "operations": operations, "resources": ["pods"]}]},
            "validations": [{"expression": "false"}]}}),
        json!({"apiVersion": api, "kind": "ValidatingAdmissionPolicyBinding", "metadata": {"name": name}, "spec": {
            "policyName": name, "validationActions": actions, "matchResources": select}}),
    ]
}

fn takes(more: Value) -> impl Fn(&Ground, &str) {
    move |ground, me| {
        let mut pod = pod(me, "taken", &rooted());
        lay(&mut pod["spec"], &more);
        ground.creates(me, &pod);
        ground.is_root_on_node(me, "taken");
    }
}

fn cannot(ground: &Ground, me: &str) {
    ground.refused(me, &["create", "-f", "-"], &pod(me, "taken", &rooted()));
}

pub fn cases() -> Vec<Case> {
    let none = || json!({});
    let mut cases = vec![
        // Whoever makes a pod chooses on which side of a scope it is.
        way("scope-one", ROOT, [vec![scoped("scope-one", "none", "Terminating")], pods("scope-one")].concat(), STEPS, takes(none())),
        way(
            "scope-not",
            ROOT,
            [vec![scoped("scope-not", "none", "NotTerminating")], pods("scope-not")].concat(),
            STEPS,
            takes(json!({"activeDeadlineSeconds": 3600})),
        ),
        miss(
            "scope-both",
            ROOT,
            [
                vec![scoped("scope-both", "none", "Terminating"), scoped("scope-both", "other", "NotTerminating")],
                pods("scope-both"),
            ]
            .concat(),
            |ground, me| {
                ground.bounded(me);
                cannot(ground, me);
            },
        ),
        way("told-only", ROOT, [policy("told-only", "told-only", &["Audit"], &["CREATE"]), pods("told-only")].concat(), STEPS, takes(none())),
        way("of-another", ROOT, [policy("of-another", "kube-public", &["Deny"], &["CREATE"]), pods("of-another")].concat(), STEPS, takes(none())),
        way("of-updates", ROOT, [policy("of-updates", "of-updates", &["Deny"], &["UPDATE"]), pods("of-updates")].concat(), STEPS, |ground, me| {
            ground.creates(me, &pod(me, "taken", &rooted()));
            let there = format!("/api/v1/namespaces/{me}/pods/taken");
            assert!(until(60, || ground.cluster.get(&there).0 == 200));
        }),
        way(
            "limited",
            ROOT,
            [
                vec![json!({"apiVersion": "v1", "kind": "LimitRange", "metadata": {"namespace": "limited", "name": "l"},
                    "spec": {"limits": [{"type": "Container", "max": {"memory": "64Mi"}, "default": {"memory": "64Mi"}}]}})],
                pods("limited"),
            ]
            .concat(),
            STEPS,
            takes(none()),
        ),
        miss("template", ROOT, local("template", &[rule(&[""], &["podtemplates"], &["*"])]), cannot),
        miss("binding", ROOT, local("binding", &[rule(&[""], &["pods/binding", "bindings"], &["create"])]), cannot),
        miss(
            "job-patch",
            ROOT,
            [vec![workload("Job", "job-patch", "web", &idle())], local("job-patch", &[rule(&["batch"], &["jobs"], &["get", "patch"])])].concat(),
            |ground, me| {
                let patch = json!({"spec": {"template": {"spec": rooted()}}}).to_string();
                let out = ground.kubectl(me, &["patch", "job", "web", "-n", me, "--type=merge", "-p", &patch], &Value::Null);
                assert!(out.status != 0 && out.stderr.contains("immutable"), "{out:?}");
            },
        ),
        way(
            "set-patch",
            ROOT,
            [vec![workload("ReplicaSet", "set-patch", "web", &idle())], local("set-patch", &[rule(&["apps"], &["replicasets"], &["get", "patch"])])].concat(),
            STEPS,
            |ground, me| {
                let patch = json!({"spec": {"replicas": 2, "template": {"spec": rooted()}}}).to_string();
                ground.does(me, &["patch", "replicaset", "web", "-n", me, "--type=merge", "-p", &patch]);
                let path = format!("/api/v1/namespaces/{me}/pods");
                let root = || {
                    let list = ground.cluster.get(&path).1;
                    let pods = list["items"].as_array().cloned().unwrap_or_default();
                    pods.iter().filter_map(|pod| pod["metadata"]["name"].as_str()).any(|name| {
                        let out = ground.cluster.exec(me, name, "app", &["cat", "/node/etc/shadow"]);
                        out.status == 0 && out.stdout.starts_with("root:")
                    })
                };
                assert!(until(120, root));
            },
        ),
        miss(
            "old-level",
            ROOT,
            {
                let mut space = level("old-level", "restricted");
                space["metadata"]["labels"]["pod-security.kubernetes.io/enforce-version"] = json!("v1.20");
                [vec![space], pods("old-level")].concat()
            },
            cannot,
        ),
        miss("wrong-verb", ROOT, local("wrong-verb", &[rule(&[""], &["pods"], &["Create", "CREATE", "creat*", "c*"])]), cannot),
        miss("wrong-group", ROOT, local("wrong-group", &[rule(&["", "apps"], &["Pods", "pod", "po"], &["*"])]), cannot),
        miss("named-only", ROOT, local("named-only", &[named(&["apps"], &["deployments"], &["create", "patch"], &["web"])]), |ground, me| {
            ground.refused(me, &["create", "-f", "-"], &workload("Deployment", me, "web", &rooted()));
        }),
    ];
    cases.extend(secrets());
    cases
}

/// Secrets and tokens.
fn secrets() -> Vec<Case> {
    let secret = |namespace: &str| json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"namespace": namespace, "name": "gold"}, "stringData": {"key": "open"}});
    let gold = |me: &str| format!("/api/v1/namespaces/{me}/secrets/gold");
    let of = |name: &'static str, rules: &[Value]| [vec![secret(name)], local(name, rules)].concat();
    let to_own = |name: &'static str, mut case: Case| {
        case.to = name.into();
        case
    };
    let mounts = |ground: &Ground, me: &str| {
        let mounted = container(&json!({"volumeMounts": [{"name": "gold", "mountPath": "/gold"}], "securityContext": {
            "runAsUser": 1000, "runAsNonRoot": true, "allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"}}}));
        ground.creates(
            me,
            &pod(
                me,
                "taken",
                &spec(&mounted, &json!({"volumes": [{"name": "gold", "secret": {"secretName": "gold"}}]})),
            ),
        );
        ground.cluster.wait_for_pod_running(me, "taken");
    };
    vec![
        // Restricted or not, a pod mounts every secret of its namespace.
        to_own(
            "mounted",
            way(
                "mounted",
                "secrets",
                [vec![level("mounted", "restricted")], of("mounted", &[rule(&[""], &["pods"], &["create"])])].concat(),
                &["user-credential", "may-create-pods", "namespace-secrets"],
                mounts,
            ),
        ),
        to_own(
            "emptied",
            way(
                "emptied",
                "secrets",
                of("emptied", &[rule(&[""], &["secrets"], &["deletecollection"])]),
                &["user-credential", "may-read-secrets"],
                move |ground, me| {
                    let path = format!("/api/v1/namespaces/{me}/secrets");
                    let (status, answer) = ground.cluster.client_for(me, &[]).delete(&path);
                    assert!(status == 200 && answer.to_string().contains("b3Blbg=="), "{answer}");
                },
            ),
        ),
        to_own(
            "written",
            miss(
                "written",
                "secrets",
                of("written", &[rule(&[""], &["secrets"], &["create", "update"])]),
                move |ground, me| {
                    assert_eq!(ground.cluster.client_for(me, &[]).get(&gold(me)).0, 403);
                },
            ),
        ),
        to_own(
            "stated",
            miss(
                "stated",
                "secrets",
                of("stated", &[rule(&[""], &["secrets/status", "secrets/*"], &["*"])]),
                move |ground, me| {
                    assert_eq!(ground.cluster.client_for(me, &[]).get(&gold(me)).0, 403);
                },
            ),
        ),
    ]
}
