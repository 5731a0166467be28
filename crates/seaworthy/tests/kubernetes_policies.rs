//! Section 5 of the CIS benchmark on a real cluster: each of its checks passing, failing, and unknown where rights are
//! missing; and no right whose absence makes something pass.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use seaworthy_bed::{Cluster, ClusterSpec, Kubernetes};
use seaworthy_catalog::Catalog;
use seaworthy_collect::kubernetes::api::{Options, Right, collect, rights};
use seaworthy_core::derive::{derive, registries};
use seaworthy_core::judge::judge_target;
use seaworthy_core::verdict::Verdict;
use serde_json::{Value as Json, json};

const RBAC: &str = "rbac.authorization.k8s.io";

/// Verdicts by check and component; the component is `*` where a kind could not be listed.
type Found = BTreeMap<(String, String), Verdict>;

fn judged(catalog: &Catalog, kubeconfig: PathBuf) -> Found {
    let options = Options {
        kubeconfig: Some(kubeconfig),
        context: None,
        namespaces: Vec::new(),
        secrets: false,
        timeout: Duration::from_secs(60),
    };
    let mut snapshot = collect(&options).unwrap();
    assert_eq!(snapshot.targets.len(), 1);
    derive(&mut snapshot, &catalog.flaws);
    registries(&mut snapshot, None);
    let target = &snapshot.targets[0];
    let checks = catalog.checks.iter().enumerate().filter(|(_, check)| check.id.starts_with("kubernetes/"));
    let of = |component: Option<usize>| component.map_or("*".to_owned(), |i| target.components[i].id.to_string());
    judge_target(checks, 0, target)
        .into_iter()
        .map(|finding| {
            let check = catalog.checks[finding.check].id.trim_start_matches("kubernetes/").to_owned();
            ((check, of(finding.component)), finding.judgement.verdict)
        })
        .collect()
}

/// The checks of section 5 of the newest version.
fn section(catalog: &Catalog) -> BTreeSet<String> {
    let benchmark = catalog.benchmarks.iter().find(|b| b.id == "cis-kubernetes-2.0.1").expect("the benchmark");
    let controls = benchmark.controls.iter().filter(|control| control.id.starts_with("5."));
    controls.flat_map(|c| &c.checks).map(|check| check.trim_start_matches("kubernetes/").to_owned()).collect()
}

fn meta(api: &str, kind: &str, namespace: &str, name: &str, more: Json) -> Json {
    let mut out = json!({ "apiVersion": api, "kind": kind, "metadata": { "name": name } });
    if !namespace.is_empty() {
        out["metadata"]["namespace"] = json!(namespace);
    }
    for (key, value) in more.as_object().into_iter().flatten() {
        out[key] = value.clone();
    }
    out
}

fn role(name: &str, groups: &str, resources: &str, verbs: &str) -> Json {
    let rules = json!([{ "apiGroups": [groups], "resources": [resources], "verbs": [verbs] }]);
    meta(&format!("{RBAC}/v1"), "ClusterRole", "", name, json!({ "rules": rules }))
}

fn binding(name: &str, role: &str, subjects: &[Json]) -> Json {
    let reference = json!({ "apiGroup": RBAC, "kind": "ClusterRole", "name": role });
    let more = json!({ "roleRef": reference, "subjects": subjects });
    meta(&format!("{RBAC}/v1"), "ClusterRoleBinding", "", name, more)
}

fn named(kind: &str, name: &str) -> Json {
    json!({ "apiGroup": RBAC, "kind": kind, "name": name })
}

fn account(namespace: &str, name: &str) -> Json {
    json!({ "kind": "ServiceAccount", "namespace": namespace, "name": name })
}

fn pod(namespace: &str, name: &str, spec: Json) -> Json {
    meta("v1", "Pod", namespace, name, json!({ "spec": spec }))
}

fn objects() -> Vec<Json> {
    let hardened = json!({ "serviceAccountName": "quiet", "automountServiceAccountToken": false,
        "securityContext": { "runAsNonRoot": true, "runAsUser": 10001, "seccompProfile": { "type": "RuntimeDefault" } },
        "containers": [{ "name": "app", "image": "registry.test/app:1",
            "securityContext": { "allowPrivilegeEscalation": false, "capabilities": { "drop": ["ALL"] } } }] });
    let open = json!({ "serviceAccountName": "default", "hostPID": true, "hostIPC": true, "hostNetwork": true,
        "volumes": [{ "name": "v", "hostPath": { "path": "/srv" } }],
        "containers": [{ "name": "app", "image": "registry.test/app:1", "ports": [{ "containerPort": 80, "hostPort": 80 }],
            "env": [{ "name": "A", "valueFrom": { "secretKeyRef": { "name": "s", "key": "k" } } }],
            "securityContext": { "privileged": true, "runAsUser": 0 } }] });
    let plain =
        json!({ "serviceAccountName": "idle", "containers": [{ "name": "app", "image": "registry.test/app:1" }] });
    let windows = json!({ "os": { "name": "windows" }, "hostNetwork": true, "serviceAccountName": "idle",
        "securityContext": { "windowsOptions": { "hostProcess": true, "runAsUserName": "NT AUTHORITY\\SYSTEM" } },
        "containers": [{ "name": "app", "image": "registry.test/app:1" }] });
    vec![
        meta("v1", "ServiceAccount", "good", "quiet", json!({})),
        meta("v1", "ServiceAccount", "bad", "robot", json!({})),
        meta("v1", "ServiceAccount", "bad", "idle", json!({})),
        meta("v1", "ServiceAccount", "good", "default", json!({ "automountServiceAccountToken": false })),
        role("narrow", "", "configmaps", "get"),
        role("wide", "*", "*", "*"),
        binding("narrow", "narrow", &[named("User", "jane"), account("good", "quiet")]),
        binding("wide", "wide", &[named("User", "eve"), account("bad", "robot")]),
        binding("administrators", "cluster-admin", &[named("User", "root")]),
        binding("masters", "narrow", &[named("Group", "system:masters")]),
        binding("defaults", "narrow", &[account("bad", "default")]),
        meta(
            "networking.k8s.io/v1",
            "NetworkPolicy",
            "good",
            "deny",
            json!({ "spec": { "podSelector": {}, "policyTypes": ["Ingress"] } }),
        ),
        pod("good", "web", hardened),
        pod("bad", "web", open),
        pod("bad", "plain", plain),
        pod("bad", "windows", windows),
    ]
}

/// Each check with a component that passes it and one that fails it.
const BOTH: &[(&str, &str, &str)] = &[
    ("binding/no-cluster-admin", "ClusterRoleBinding/narrow", "ClusterRoleBinding/administrators"),
    ("subject/reads-no-secrets", "User/jane", "User/eve"),
    ("service-account/reads-no-secrets", "ServiceAccount/good/quiet", "ServiceAccount/bad/robot"),
    ("role/no-wildcards", "ClusterRole/narrow", "ClusterRole/wide"),
    ("subject/starts-no-pods", "User/jane", "User/eve"),
    ("service-account/starts-no-pods", "ServiceAccount/good/quiet", "ServiceAccount/bad/robot"),
    ("service-account/default-not-used", "ServiceAccount/good/default", "ServiceAccount/bad/default"),
    ("service-account/default-without-rights", "ServiceAccount/good/default", "ServiceAccount/bad/default"),
    ("service-account/default-not-mounted", "ServiceAccount/good/default", "ServiceAccount/bad/default"),
    ("service-account/token-where-needed", "ServiceAccount/good/quiet", "ServiceAccount/bad/idle"),
    ("binding/no-masters", "ClusterRoleBinding/narrow", "ClusterRoleBinding/masters"),
    ("subject/cannot-escalate", "User/jane", "User/eve"),
    ("service-account/cannot-escalate", "ServiceAccount/good/quiet", "ServiceAccount/bad/robot"),
    ("subject/creates-no-volumes", "User/jane", "User/eve"),
    ("service-account/creates-no-volumes", "ServiceAccount/good/quiet", "ServiceAccount/bad/robot"),
    ("subject/no-node-proxy", "User/jane", "User/eve"),
    ("service-account/no-node-proxy", "ServiceAccount/good/quiet", "ServiceAccount/bad/robot"),
    ("subject/approves-no-certificates", "User/jane", "User/eve"),
    ("service-account/approves-no-certificates", "ServiceAccount/good/quiet", "ServiceAccount/bad/robot"),
    ("subject/edits-no-admission", "User/jane", "User/eve"),
    ("service-account/edits-no-admission", "ServiceAccount/good/quiet", "ServiceAccount/bad/robot"),
    ("subject/mints-no-tokens", "User/jane", "User/eve"),
    ("service-account/mints-no-tokens", "ServiceAccount/good/quiet", "ServiceAccount/bad/robot"),
    ("namespace/pod-policy-active", "Namespace/good", "Namespace/bad"),
    ("container/unprivileged", "Pod/good/web/app", "Pod/bad/web/app"),
    ("pod/own-pid-namespace", "Pod/good/web", "Pod/bad/web"),
    ("pod/own-ipc-namespace", "Pod/good/web", "Pod/bad/web"),
    ("pod/own-network", "Pod/good/web", "Pod/bad/web"),
    ("pod/no-privilege-escalation", "Pod/good/web", "Pod/bad/web"),
    ("container/non-root-user", "Pod/good/web/app", "Pod/bad/web/app"),
    ("container/no-raw-sockets", "Pod/good/web/app", "Pod/bad/web/app"),
    ("pod/capabilities-dropped", "Pod/good/web", "Pod/bad/web"),
    ("pod/no-host-process", "Pod/good/web", "Pod/bad/windows"),
    ("pod/no-host-paths", "Pod/good/web", "Pod/bad/web"),
    ("container/no-host-ports", "Pod/good/web/app", "Pod/bad/web/app"),
    ("namespace/network-policies", "Namespace/good", "Namespace/bad"),
    ("container/secrets-as-files", "Pod/good/web/app", "Pod/bad/web/app"),
    ("pod/seccomp-set", "Pod/good/web", "Pod/bad/web"),
    ("container/security-context-set", "Pod/good/web/app", "Pod/bad/plain/app"),
];

/// Checks of the cluster as a whole, which passes or fails at a time.
const OF_THE_WHOLE: &[&str] = &["cluster/policies-enforced", "cluster/namespaces-divide", "namespace/default-unused"];

/// What only a person can judge.
const BY_A_PERSON: &[&str] = &["subject/masters-known", "cluster/external-secrets", "cluster/images-verified"];

#[test]
fn section_5_passes_fails_and_is_unknown_on_a_real_cluster() {
    let catalog = &Catalog::embedded();
    let named: BTreeSet<String> = BOTH
        .iter()
        .map(|(check, ..)| *check)
        .chain(OF_THE_WHOLE.iter().copied())
        .chain(BY_A_PERSON.iter().copied())
        .map(str::to_owned)
        .collect();
    assert_eq!(named, section(catalog), "every check of the section is asked, and none beside");
    // Its mirror pods tell how the API server was started: that no level of Pod Security holds by default.
    let spec = ClusterSpec { static_control_plane: true, ..ClusterSpec::with_node() };
    let Some(cluster) = Cluster::require(Kubernetes::V135, spec) else { return };
    for namespace in ["good", "bad"] {
        cluster.create_namespace(namespace);
    }
    let level = json!({ "metadata": { "labels": { "pod-security.kubernetes.io/enforce": "restricted" } } });
    assert_eq!(cluster.patch("/api/v1/namespaces/good", &level).0, 200);
    cluster.apply(&objects());
    let found = judged(catalog, cluster.kubeconfig());
    let verdict = |found: &Found, check: &str, id: &str| found.get(&(check.to_owned(), id.to_owned())).copied();
    let mut wrong = Vec::new();
    for (check, good, bad) in BOTH {
        for (id, wanted) in [(good, Verdict::Pass), (bad, Verdict::Fail)] {
            let is = verdict(&found, check, id);
            if is != Some(wanted) {
                wrong.push(format!("{check} on {id}: {is:?}, wanted {wanted:?}"));
            }
        }
    }
    for check in BY_A_PERSON {
        let is: Vec<Verdict> = of(&found, check);
        if is.is_empty() || is.iter().any(|verdict| *verdict != Verdict::Manual) {
            wrong.push(format!("{check}: {is:?}, wanted a person"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    the_whole(&cluster, catalog, &found);
    without_rights(&cluster, catalog);
}

fn of(found: &Found, check: &str) -> Vec<Verdict> {
    found.iter().filter(|((of, _), _)| of == check).map(|(_, verdict)| *verdict).collect()
}

/// The same cluster with another network plug-in, and with something in its default namespace.
fn the_whole(cluster: &Cluster, catalog: &Catalog, before: &Found) {
    assert_eq!(of(before, "cluster/policies-enforced"), [Verdict::Unknown], "no plug-in that is known");
    assert_eq!(of(before, "cluster/namespaces-divide"), [Verdict::Pass]);
    assert_eq!(of(before, "namespace/default-unused"), [Verdict::Pass]);
    let agent = |image: &str| {
        pod(
            "kube-system",
            "agent",
            json!({ "terminationGracePeriodSeconds": 0, "nodeName": "elsewhere",
            "containers": [{ "name": "agent", "image": image }] }),
        )
    };
    for (image, wanted) in
        [("docker.io/calico/node:v3.30.0", Verdict::Pass), ("docker.io/flannel/flannel:v0.27.0", Verdict::Fail)]
    {
        let mut agent = agent(image);
        agent["spec"]["nodeName"] = Json::Null;
        agent["spec"]["schedulerName"] = json!("nobody");
        cluster.apply(&[agent]);
        let found = judged(catalog, cluster.kubeconfig());
        assert_eq!(of(&found, "cluster/policies-enforced"), [wanted], "{image}");
        // The last stays: what follows asks which right its being seen takes.
        if wanted == Verdict::Fail {
            break;
        }
        assert_eq!(cluster.delete("/api/v1/namespaces/kube-system/pods/agent?gracePeriodSeconds=0").0, 200);
    }
    cluster.apply(&[pod(
        "default",
        "left",
        json!({ "schedulerName": "nobody", "containers": [{ "name": "a", "image": "registry.test/a:1" }] }),
    )]);
    let found = judged(catalog, cluster.kubeconfig());
    assert_eq!(of(&found, "cluster/namespaces-divide"), [Verdict::Fail]);
    assert_eq!(of(&found, "namespace/default-unused"), [Verdict::Fail]);
}

/// Somebody who may read nothing learns nothing; whichever right is missing, nothing passes that did not before, and
/// nothing that failed is gone without a word.
fn without_rights(cluster: &Cluster, catalog: &Catalog) {
    let all: Vec<Right> = rights(false).into_iter().filter(|right| !right.optional).collect();
    let rule =
        |right: &Right| json!({ "apiGroups": [right.group], "resources": [right.resource], "verbs": [right.verb] });
    let mut objects = Vec::new();
    let mut readers = vec![("reader-all".to_owned(), None)];
    readers.extend((0..all.len()).map(|i| (format!("reader-{i}"), Some(i))));
    for (name, without) in &readers {
        let rules: Vec<Json> =
            all.iter().enumerate().filter(|(i, _)| Some(*i) != *without).map(|(_, r)| rule(r)).collect();
        objects.push(meta(&format!("{RBAC}/v1"), "ClusterRole", "", name, json!({ "rules": rules })));
        objects.push(binding(name, name, &[named("User", name)]));
    }
    cluster.apply(&objects);
    let (last, _) = readers.last().expect("readers");
    let until = Instant::now() + Duration::from_secs(60);
    let ask = json!({ "group": all[0].group, "resource": all[0].resource, "verb": all[0].verb });
    while !cluster.subject_access_review(last, &["system:authenticated"], &ask) {
        assert!(Instant::now() < until, "{last} gets no rights");
        std::thread::sleep(Duration::from_millis(20));
    }

    let nothing = judged(catalog, cluster.kubeconfig_for("nobody", &[]));
    for check in section(catalog) {
        let is = of(&nothing, &check);
        assert!(!is.is_empty(), "{check} says nothing to somebody without rights");
        let silent = is.iter().all(|verdict| matches!(verdict, Verdict::Unknown | Verdict::Manual));
        assert!(silent, "{check} to somebody without rights: {is:?}");
    }

    let full = judged(catalog, cluster.kubeconfig_for("reader-all", &[]));
    let mut wrong = Vec::new();
    let mut unknown: BTreeSet<String> = BTreeSet::new();
    for (name, without) in readers.iter().skip(1) {
        let right = without.map(|i| &all[i]).expect("a right");
        let less = judged(catalog, cluster.kubeconfig_for(name, &[]));
        for ((check, id), verdict) in &less {
            let before = full.get(&(check.clone(), id.clone())).copied();
            if *verdict == Verdict::Unknown && before != Some(Verdict::Unknown) {
                unknown.insert(check.clone());
            }
            let passes = matches!(verdict, Verdict::Pass | Verdict::NotApplicable);
            if passes && before.is_some_and(|before| before != *verdict) {
                wrong.push(format!(
                    "without {}/{}: {check} on {id} is {verdict:?}, was {before:?}",
                    right.group, right.resource
                ));
            }
        }
        for ((check, id), before) in full.iter().filter(|(_, before)| **before == Verdict::Fail) {
            let told =
                less.contains_key(&(check.clone(), id.clone())) || less.contains_key(&(check.clone(), "*".into()));
            // Pods are called by what owns them, as far as that can be read; then they are told under another name.
            let renamed = ["apps", "batch"].contains(&right.group) || right.resource == "replicationcontrollers";
            if !told && !renamed {
                wrong.push(format!(
                    "without {}/{}: {check} on {id}, which is {before:?}, is gone",
                    right.group, right.resource
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    let never: Vec<String> = section(catalog)
        .into_iter()
        .filter(|check| !unknown.contains(check) && !BY_A_PERSON.contains(&check.as_str()))
        .collect();
    assert!(never.is_empty(), "no single right makes these unknown: {never:?}");
}
