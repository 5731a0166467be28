//! Creating pods: by themselves, through every controller, by changing what is there, past Pod Security by labels, new
//! namespaces and volumes.

use serde_json::{Value, json};

use super::ground::{
    Case, Ground, container, idle, lay, level, local, miss, named, pod, rooted, rule, spec, until, way, wide, workload,
};

const ROOT: &str = "node-root";
const STEPS: &[&str] = &["user-credential", "may-create-pods", "namespace-node-root"];

pub fn cases() -> Vec<Case> {
    let pods = |user: &str| local(user, &[rule(&[""], &["pods"], &["create"])]);
    let create = |ground: &Ground, me: &str| {
        ground.creates(me, &pod(me, "taken", &rooted()));
        ground.is_root_on_node(me, "taken");
    };
    let cannot = |ground: &Ground, me: &str| ground.refused(me, &["create", "-f", "-"], &pod(me, "taken", &rooted()));
    let mut cases = vec![
        way("pods", ROOT, pods("pods"), STEPS, create),
        miss("pods-baseline", ROOT, with(level("pods-baseline", "baseline"), pods("pods-baseline")), cannot),
        miss("pods-restricted", ROOT, with(level("pods-restricted", "restricted"), pods("pods-restricted")), cannot),
        miss(
            "pods-read",
            ROOT,
            local("pods-read", &[rule(&[""], &["pods"], &["get", "list", "watch", "delete"])]),
            cannot,
        ),
        miss("pods-named", ROOT, local("pods-named", &[named(&[""], &["pods"], &["create"], &["taken"])]), cannot),
        miss("pods-group", ROOT, local("pods-group", &[rule(&["apps"], &["pods"], &["*"])]), cannot),
        miss(
            "pods-sub",
            ROOT,
            local("pods-sub", &[rule(&[""], &["pods/*", "pods/log", "pods/status"], &["*"])]),
            cannot,
        ),
        miss("pods-unbound", ROOT, pods("pods-unbound").into_iter().take(1).collect(), cannot),
        miss("pods-quota", ROOT, with(quota("pods-quota"), pods("pods-quota")), |ground, me| {
            let there = || {
                ground.cluster.get(&format!("/api/v1/namespaces/{me}/resourcequotas/none")).1["status"]["hard"]
                    .is_object()
            };
            assert!(until(60, there));
            ground.refused(me, &["create", "-f", "-"], &pod(me, "taken", &rooted()));
        }),
        // A quota that is used up lets none in until a pod goes.
        miss("pods-full", ROOT, [full("pods-full"), pods("pods-full")].concat(), |ground, me| {
            let used = || {
                ground.cluster.get(&format!("/api/v1/namespaces/{me}/resourcequotas/one")).1["status"]["used"]["pods"]
                    == "1"
            };
            assert!(until(60, used));
            ground.refused(me, &["create", "-f", "-"], &pod(me, "taken", &rooted()));
        }),
        miss("pods-policy", ROOT, [policy("pods-policy"), pods("pods-policy")].concat(), |ground, me| {
            // A policy comes into force some time after it was made.
            let refuses = || {
                ground.kubectl(me, &["create", "--dry-run=server", "-f", "-"], &pod(me, "taken", &rooted())).status != 0
            };
            assert!(until(60, refuses));
            ground.refused(me, &["create", "-f", "-"], &pod(me, "taken", &rooted()));
        }),
    ];
    cases.extend(controllers());
    cases.extend(quotas());
    cases.extend(changes());
    cases.extend(past_pod_security());
    cases
}

fn with(first: Value, mut rest: Vec<Value>) -> Vec<Value> {
    rest.insert(0, first);
    rest
}

pub fn quota(namespace: &str) -> Value {
    bounds(namespace, "pods", "0")
}

/// A quota of something.
pub fn bounds(namespace: &str, resource: &str, hard: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"namespace": namespace, "name": "none"},
        "spec": {"hard": {resource: hard}}})
}

/// Quotas of workloads, and of what is made for pods to come of them.
fn quotas() -> Vec<Case> {
    let no_pods = |ground: &Ground, me: &str| {
        let (_, list) = ground.cluster.get(&format!("/api/v1/namespaces/{me}/pods?labelSelector=app%3Dtaken"));
        assert_eq!(list["items"], json!([]));
    };
    let full = |name: &'static str, rules: &[Value], resource: &str| {
        [local(name, rules), vec![bounds(name, resource, "0")]].concat()
    };
    let creates = |group: &str, resource: &str| rule(&[group], &[resource], &["create"]);
    let refused = |kind: &'static str| {
        move |ground: &Ground, me: &str| {
            ground.bounded(me);
            ground.refused(me, &["create", "-f", "-"], &workload(kind, me, "taken", &rooted()));
        }
    };
    // The workload is taken; its controller is refused what it must make, and says so in an event.
    let idles = move |kind: &'static str| {
        move |ground: &Ground, me: &str| {
            ground.bounded(me);
            ground.creates(me, &workload(kind, me, "taken", &rooted()));
            let told = || {
                let told = [
                    ground.cluster.get(&format!("/api/v1/namespaces/{me}/events")).1,
                    ground.cluster.get(&format!("/apis/apps/v1/namespaces/{me}/deployments")).1,
                ];
                told.iter().any(|list| list.to_string().contains("exceeded quota"))
            };
            assert!(until(120, told));
            no_pods(ground, me);
        }
    };
    let (deployments, sets) = ("count/deployments.apps", "count/replicasets.apps");
    vec![
        miss(
            "none-deployments",
            ROOT,
            full("none-deployments", &[creates("apps", "deployments")], deployments),
            refused("Deployment"),
        ),
        miss("none-sets", ROOT, full("none-sets", &[creates("apps", "deployments")], sets), idles("Deployment")),
        miss(
            "none-controllers",
            ROOT,
            full("none-controllers", &[creates("", "replicationcontrollers")], "replicationcontrollers"),
            refused("ReplicationController"),
        ),
        miss(
            "none-jobs",
            ROOT,
            full("none-jobs", &[creates("batch", "cronjobs")], "count/jobs.batch"),
            idles("CronJob"),
        ),
        // One of two ways is enough.
        way(
            "none-but-jobs",
            ROOT,
            full("none-but-jobs", &[creates("apps", "deployments"), creates("batch", "jobs")], deployments),
            STEPS,
            |ground, me| {
                ground.creates(me, &workload("Job", me, "taken", &rooted()));
                let pod = ground.pod_of(me, "taken");
                ground.is_root_on_node(me, &pod);
            },
        ),
        miss(
            "none-revisions",
            ROOT,
            full("none-revisions", &[creates("apps", "daemonsets")], "count/controllerrevisions.apps"),
            |ground, me| {
                ground.bounded(me);
                ground.creates(me, &workload("DaemonSet", me, "taken", &rooted()));
                std::thread::sleep(std::time::Duration::from_secs(5));
                let (_, list) = ground.cluster.get(&format!("/api/v1/namespaces/{me}/pods?labelSelector=app%3Dtaken"));
                assert_eq!(list["items"], json!([]));
            },
        ),
    ]
}

/// A quota of one pod, and that pod.
fn full(namespace: &str) -> Vec<Value> {
    vec![
        json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"namespace": namespace, "name": "one"},
            "spec": {"hard": {"pods": "1"}}}),
        pod(namespace, "web", &idle()),
    ]
}

/// A policy of the cluster that refuses privileged pods in one namespace.
fn policy(namespace: &str) -> Vec<Value> {
    let api = "admissionregistration.k8s.io/v1";
    let select = json!({"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}}});
    let expression = "object.spec.containers.all(c, !has(c.securityContext) || !has(c.securityContext.privileged) || !c.securityContext.privileged)";
    vec![
        json!({"apiVersion": api, "kind": "ValidatingAdmissionPolicy", "metadata": {"name": namespace}, "spec": {
            "matchConstraints": {"resourceRules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}]},
            "validations": [{"expression": expression}]}}),
        json!({"apiVersion": api, "kind": "ValidatingAdmissionPolicyBinding", "metadata": {"name": namespace}, "spec": {
            "policyName": namespace, "validationActions": ["Deny"], "matchResources": select}}),
    ]
}

/// Each kind of workload that becomes pods.
fn controllers() -> Vec<Case> {
    let kinds = [
        ("by-deployment", "Deployment", "apps", "deployments"),
        ("by-daemonset", "DaemonSet", "apps", "daemonsets"),
        ("by-statefulset", "StatefulSet", "apps", "statefulsets"),
        ("by-replicaset", "ReplicaSet", "apps", "replicasets"),
        ("by-controller", "ReplicationController", "", "replicationcontrollers"),
        ("by-job", "Job", "batch", "jobs"),
        ("by-cronjob", "CronJob", "batch", "cronjobs"),
    ];
    let mut cases: Vec<Case> = kinds
        .into_iter()
        .map(|(name, kind, group, resource)| {
            let objects = local(name, &[rule(&[group], &[resource], &["create"])]);
            way(name, ROOT, objects, STEPS, move |ground, me| {
                ground.creates(me, &workload(kind, me, "taken", &rooted()));
                let pod = ground.pod_of(me, "taken");
                ground.is_root_on_node(me, &pod);
            })
        })
        .collect();
    let name = "by-deployment-base";
    let objects = with(level(name, "baseline"), local(name, &[rule(&["apps"], &["deployments"], &["create"])]));
    cases.push(miss(name, ROOT, objects, |ground, me| {
        // The deployment is taken, its pods are not.
        ground.creates(me, &workload("Deployment", me, "taken", &rooted()));
        let refused = || {
            let (_, list) = ground.cluster.get(&format!("/apis/apps/v1/namespaces/{me}/replicasets"));
            let conditions = list["items"][0]["status"]["conditions"].as_array().cloned().unwrap_or_default();
            conditions
                .iter()
                .any(|c| c["type"] == "ReplicaFailure" && c["message"].as_str().unwrap().contains("PodSecurity"))
        };
        assert!(until(60, refused));
    }));
    cases
}

/// Workloads that are there, changed.
fn changes() -> Vec<Case> {
    let one = |namespace: &str| vec![workload("Deployment", namespace, "web", &idle())];
    let patch = || json!({"spec": {"template": {"spec": rooted()}}}).to_string();
    let change = move |ground: &Ground, me: &str| {
        ground.does(me, &["patch", "deployment", "web", "-n", me, "--type=merge", "-p", &patch()]);
        let root = || {
            let pod = ground.pod_of(me, "web");
            let out = ground.cluster.exec(me, &pod, "app", &["cat", "/node/etc/shadow"]);
            out.status == 0 && out.stdout.starts_with("root:")
        };
        assert!(until(120, root));
    };
    let cannot = |ground: &Ground, me: &str| {
        ground.refused(me, &["patch", "deployment", "web", "-n", me, "--type=merge", "-p", "{}"], &Value::Null)
    };
    let rights = |user: &str| local(user, &[rule(&["apps"], &["deployments"], &["patch", "get"])]);
    let of = |user: &str, name: &str| local(user, &[named(&["apps"], &["deployments"], &["patch", "get"], &[name])]);
    // The set of the deployment that is there uses the quota up.
    let full = [vec![bounds("change-full", "count/replicasets.apps", "1")], one("change-full"), rights("change-full")];
    vec![
        miss("change-full", ROOT, full.concat(), move |ground, me| {
            ground.bounded(me);
            ground.pod_of(me, "web");
            ground.does(me, &["patch", "deployment", "web", "-n", me, "--type=merge", "-p", &patch()]);
            let path = format!("/apis/apps/v1/namespaces/{me}/deployments/web");
            assert!(until(60, || ground.cluster.get(&path).1["status"].to_string().contains("exceeded quota")));
        }),
        way("change", ROOT, [one("change"), rights("change")].concat(), STEPS, change),
        way("change-named", ROOT, [one("change-named"), of("change-named", "web")].concat(), STEPS, change),
        miss("change-other", ROOT, [one("change-other"), of("change-other", "db")].concat(), cannot),
        miss("change-nothing", ROOT, rights("change-nothing"), |ground, me| {
            let out =
                ground.kubectl(me, &["patch", "deployment", "web", "-n", me, "--type=merge", "-p", "{}"], &Value::Null);
            assert!(out.status != 0 && out.stderr.contains("not found"), "{out:?}");
            ground.refused(me, &["create", "-f", "-"], &workload("Deployment", me, "web", &rooted()));
        }),
        miss(
            "change-status",
            ROOT,
            [
                one("change-status"),
                local("change-status", &[rule(&["apps"], &["deployments/status", "deployments/scale"], &["*"])]),
            ]
            .concat(),
            cannot,
        ),
    ]
}

fn past_pod_security() -> Vec<Case> {
    let pods = rule(&[""], &["pods"], &["create"]);
    let namespaces = rule(&[""], &["namespaces"], &["patch", "get"]);
    let label = |ground: &Ground, me: &str| {
        ground.kubectl(
            me,
            &["label", "--overwrite", "namespace", me, "pod-security.kubernetes.io/enforce=privileged"],
            &Value::Null,
        )
    };
    let closed = |name: &'static str, rules: &[Value]| with(level(name, "baseline"), local(name, rules));
    let opened = &["user-credential", "may-open-namespace", "unguarded-node-root"];
    let by_claim = &["user-credential", "may-create-pods", "namespace-claims-node-root"];
    let by_volume = &["user-credential", "may-mount-node-paths", "node-volumes-node-root"];
    let claims = rule(&[""], &["pods", "persistentvolumeclaims"], &["create"]);
    let volumes = |name: &'static str, of: &str, rule: &Value| {
        let wide = wide(&format!("{name}-wide"), &[super::ground::rule(&[""], &["persistentvolumes"], &["create"])]);
        let mut bound = wide;
        bound[1]["subjects"] = json!([super::ground::user_subject(name)]);
        [with(level(name, of), local(name, std::slice::from_ref(rule))), bound].concat()
    };
    let mount = |ground: &Ground, me: &str| {
        for object in volume(me) {
            ground.creates(me, &object);
        }
        ground.is_root_on_node(me, "taken");
    };
    vec![
        way("label", ROOT, closed("label", &[pods.clone(), namespaces.clone()]), opened, move |ground, me| {
            assert_eq!(label(ground, me).status, 0);
            ground.creates(me, &pod(me, "taken", &rooted()));
            ground.is_root_on_node(me, "taken");
        }),
        // The status and the end of a namespace take labels along, and nothing of Pod Security looks at these requests.
        way(
            "label-by-status",
            ROOT,
            closed("label-by-status", &[pods.clone(), rule(&[""], &["namespaces/status"], &["patch"])]),
            opened,
            move |ground, me| {
                let path = format!("/api/v1/namespaces/{me}/status");
                let label = json!({"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "privileged"}}});
                assert_eq!(ground.cluster.client_for(me, &[]).patch(&path, &label).0, 200);
                ground.creates(me, &pod(me, "taken", &rooted()));
                ground.is_root_on_node(me, "taken");
            },
        ),
        way(
            "label-by-end",
            ROOT,
            closed(
                "label-by-end",
                &[pods.clone(), named(&[""], &["namespaces/finalize"], &["update"], &["label-by-end"])],
            ),
            opened,
            move |ground, me| {
                let mut namespace = ground.cluster.get(&format!("/api/v1/namespaces/{me}")).1;
                namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] = json!("privileged");
                let path = format!("/api/v1/namespaces/{me}/finalize");
                assert_eq!(ground.cluster.client_for(me, &[]).put(&path, &namespace).0, 200);
                ground.creates(me, &pod(me, "taken", &rooted()));
                ground.is_root_on_node(me, "taken");
            },
        ),
        miss(
            "label-by-reading",
            ROOT,
            closed("label-by-reading", &[pods.clone(), rule(&[""], &["namespaces/status"], &["get"])]),
            move |ground, me| {
                let path = format!("/api/v1/namespaces/{me}/status");
                assert_eq!(ground.cluster.client_for(me, &[]).patch(&path, &json!({})).0, 403);
                ground.refused(me, &["create", "-f", "-"], &pod(me, "taken", &rooted()));
            },
        ),
        // A claim that is there already, bound to the node's root.
        way("claim-there", ROOT, claimed("claim-there", "baseline", "/"), by_claim, |ground, me| {
            let [_, _, pod] = volume(me);
            ground.creates(me, &pod);
            ground.is_root_on_node(me, "taken");
        }),
        miss("claim-there-restr", ROOT, claimed("claim-there-restr", "restricted", "/"), |ground, me| {
            let [_, _, pod] = volume(me);
            ground.refused(me, &["create", "-f", "-"], &pod);
        }),
        miss("claim-there-plain", ROOT, claimed("claim-there-plain", "baseline", "/srv"), |ground, me| {
            let [_, _, pod] = volume(me);
            ground.creates(me, &pod);
            ground.cluster.wait_for_pod_running(me, "taken");
            assert_ne!(ground.cluster.exec(me, "taken", "app", &["ls", "/node/etc/shadow"]).status, 0);
        }),
        miss("label-alone", ROOT, closed("label-alone", std::slice::from_ref(&namespaces)), move |ground, me| {
            assert_eq!(label(ground, me).status, 0);
            ground.refused(me, &["create", "-f", "-"], &pod(me, "taken", &rooted()));
        }),
        miss(
            "label-other",
            ROOT,
            closed("label-other", &[pods.clone(), named(&[""], &["namespaces"], &["patch", "get"], &["default"])]),
            move |ground, me| {
                assert_ne!(label(ground, me).status, 0);
                ground.refused(me, &["create", "-f", "-"], &pod(me, "taken", &rooted()));
            },
        ),
        way(
            "new-namespace",
            ROOT,
            wide("new-namespace", &[rule(&[""], &["namespaces", "pods"], &["create"])]),
            &["user-credential", "may-create-namespaces", "new-namespace-node-root"],
            |ground, me| {
                ground.creates(me, &level("made-by-thief", "privileged"));
                let there = || ground.cluster.get("/api/v1/namespaces/made-by-thief/serviceaccounts/default").0 == 200;
                assert!(until(60, there));
                ground.creates(me, &pod("made-by-thief", "taken", &rooted()));
                ground.is_root_on_node("made-by-thief", "taken");
            },
        ),
        miss(
            "new-namespace-alone",
            ROOT,
            wide("new-namespace-alone", &[rule(&[""], &["namespaces"], &["create"])]),
            |ground, me| {
                ground.refused(me, &["create", "-f", "-"], &pod("default", "taken", &rooted()));
            },
        ),
        way("volume", ROOT, volumes("volume", "baseline", &claims), by_volume, mount),
        miss("volume-restricted", ROOT, volumes("volume-restricted", "restricted", &claims), |ground, me| {
            let [_, _, pod] = volume(me);
            ground.refused(me, &["create", "-f", "-"], &pod);
        }),
        // Without the right to create claims a pod brings its own along.
        way(
            "volume-no-claim",
            ROOT,
            volumes("volume-no-claim", "baseline", &rule(&[""], &["pods"], &["create"])),
            by_volume,
            |ground, me| {
                let [mut volume, claim, _] = volume(me);
                ground.refused(me, &["create", "-f", "-"], &claim);
                volume["spec"].as_object_mut().unwrap().remove("claimRef");
                ground.creates(me, &volume);
                ground.creates(me, &super::volumes::bringing(me, me));
                ground.is_root_on_node(me, "taken");
            },
        ),
        miss(
            "volume-quota",
            ROOT,
            [volumes("volume-quota", "baseline", &claims), vec![bounds("volume-quota", "persistentvolumeclaims", "0")]]
                .concat(),
            |ground, me| {
                ground.bounded(me);
                let [_, claim, _] = volume(me);
                ground.refused(me, &["create", "-f", "-"], &claim);
            },
        ),
        miss("volume-none", ROOT, closed("volume-none", &[claims]), |ground, me| {
            let [volume, ..] = volume(me);
            ground.refused(me, &["create", "-f", "-"], &volume);
        }),
    ]
}

/// A namespace with a claim that is bound to a path of the node, and who may create pods there.
fn claimed(me: &str, of: &str, path: &str) -> Vec<Value> {
    let [mut volume, claim, _] = volume(me);
    volume["spec"]["hostPath"]["path"] = json!(path);
    let rights = local(me, &[rule(&[""], &["pods"], &["create"])]);
    [vec![level(me, of), volume, claim], rights].concat()
}

/// The node's root as a volume, its claim, and a pod that mounts the claim and is user 0, without any privilege.
pub fn volume(me: &str) -> [Value; 3] {
    let size = json!({"storage": "1Gi"});
    let modes = json!(["ReadWriteMany"]);
    let mut root = container(&json!({"volumeMounts": [{"name": "node", "mountPath": "/node"}]}));
    lay(&mut root, &json!({"securityContext": {"runAsUser": 0}}));
    [
        json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": me}, "spec": {"capacity": size,
            "accessModes": modes, "hostPath": {"path": "/"}, "claimRef": {"namespace": me, "name": "node"}}}),
        json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"namespace": me, "name": "node"},
            "spec": {"accessModes": modes, "storageClassName": "", "volumeName": me, "resources": {"requests": size}}}),
        pod(
            me,
            "taken",
            &spec(&root, &json!({"volumes": [{"name": "node", "persistentVolumeClaim": {"claimName": "node"}}]})),
        ),
    ]
}
