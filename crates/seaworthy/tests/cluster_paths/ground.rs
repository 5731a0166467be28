//! One real cluster for many cases: each lies in a namespace of its own and has a user of its own, both called as the case.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use seaworthy_bed::{Cluster, ClusterSpec, Kubernetes, Output};
use serde_json::{Value, json};

use super::common::Sea;

pub const IMAGE: &str = "busybox:paths";
pub const RBAC: &str = "rbac.authorization.k8s.io";

/// What a case asks of the answer, and then of the cluster.
pub struct Case {
    /// What it is called, and with it its namespace and its user.
    pub name: &'static str,
    /// What is in the cluster.
    pub objects: Vec<Value>,
    /// Where whoever attacks begins; the user, where it says nothing.
    pub entry: Option<String>,
    /// What he is after: a jewel, or the namespace whose secrets are.
    pub to: String,
    /// The steps of a proven path; none where no path may be proven.
    pub steps: Option<&'static [&'static str]>,
    /// Goes there, or is refused.
    pub walk: Walk,
}

pub type Walk = Box<dyn Fn(&Ground, &str)>;

/// A case in which there is a way.
pub fn way(
    name: &'static str,
    to: &str,
    objects: Vec<Value>,
    steps: &'static [&'static str],
    walk: impl Fn(&Ground, &str) + 'static,
) -> Case {
    Case { name, objects, entry: None, to: to.to_owned(), steps: Some(steps), walk: Box::new(walk) }
}

/// A case in which something is missing.
pub fn miss(name: &'static str, to: &str, objects: Vec<Value>, walk: impl Fn(&Ground, &str) + 'static) -> Case {
    Case { name, objects, entry: None, to: to.to_owned(), steps: None, walk: Box::new(walk) }
}

impl Case {
    /// The same, beginning with code in the namespace's pod of this name.
    pub fn out_of_pod(mut self, pod: &str) -> Self {
        self.entry = Some(format!("{}/{pod}/app", self.name));
        self
    }

    fn entry(&self) -> &str {
        self.entry.as_deref().unwrap_or(self.name)
    }

    /// Whether a path begins and ends where the case says.
    pub fn is_answered_by(&self, path: &Value) -> bool {
        let ends = |state: &Value| state["capability"] == self.to.as_str() || state["name"] == self.to.as_str();
        path["from"]["name"] == self.entry() && ends(&path["to"])
    }
}

pub struct Ground {
    pub cluster: Cluster,
    pub sea: Sea,
    snapshot: PathBuf,
}

impl Ground {
    pub fn start() -> Option<Self> {
        Self::of(ClusterSpec::with_node())
    }

    pub fn of(spec: ClusterSpec) -> Option<Self> {
        let cluster = Cluster::require(Kubernetes::V135, spec)?;
        cluster.import_busybox(IMAGE);
        let sea = Sea::new();
        let snapshot = sea.dir().join("cluster.json");
        Some(Self { cluster, sea, snapshot })
    }

    /// Makes what the cases need, in the order in which they are told, and waits for the pods among it.
    pub fn lay(&self, cases: &[Case]) {
        for case in cases {
            if self.cluster.get(&format!("/api/v1/namespaces/{}", case.name)).0 == 404 {
                self.cluster.create_namespace(case.name);
            }
            for object in &case.objects {
                self.cluster.apply(std::slice::from_ref(object));
                // Until it has counted, a quota refuses all; and what is made meanwhile it may never count.
                if object["kind"] == "ResourceQuota" {
                    self.counts(object, |_, used| used.is_string());
                }
            }
        }
        let pods = cases.iter().flat_map(|case| &case.objects).filter(|object| object["kind"] == "Pod");
        for pod in pods {
            let text = |field: &str| pod["metadata"][field].as_str().unwrap().to_owned();
            self.cluster.wait_for_pod_running(&text("namespace"), &text("name"));
        }
        // What a quota bounds is there only when it is counted; what controllers make takes a while.
        for quota in cases.iter().flat_map(|case| &case.objects).filter(|object| object["kind"] == "ResourceQuota") {
            self.counts(quota, |hard, used| used.is_string() && (hard == "0" || used != "0"));
        }
        let claims = cases.iter().flat_map(|case| &case.objects).filter(|o| o["kind"] == "PersistentVolumeClaim");
        for claim in claims {
            let text = |field: &str| claim["metadata"][field].as_str().unwrap().to_owned();
            let path = format!("/api/v1/namespaces/{}/persistentvolumeclaims/{}", text("namespace"), text("name"));
            assert!(until(120, || self.cluster.get(&path).1["status"]["phase"] == "Bound"), "{path}");
        }
    }

    /// Waits until what a quota allows and has counted, of each thing it bounds, is so.
    fn counts(&self, quota: &Value, is: impl Fn(&Value, &Value) -> bool) {
        let text = |field: &str| quota["metadata"][field].as_str().unwrap();
        let path = format!("/api/v1/namespaces/{}/resourcequotas/{}", text("namespace"), text("name"));
        let hard = quota["spec"]["hard"].as_object().unwrap();
        let counted = || {
            let used = &self.cluster.get(&path).1["status"]["used"];
            hard.iter().all(|(resource, hard)| is(hard, &used[resource]))
        };
        assert!(until(60, counted), "{path}");
    }

    /// Reads the cluster once, for every case.
    pub fn read(&self) {
        let (config, to) = (self.cluster.kubeconfig().display().to_string(), self.snapshot.display().to_string());
        self.sea.run(&["collect", "--kubeconfig", &config, "--only", "kubernetes", "--secrets", "-o", &to]).ended(0);
        if let Some(kept) = std::env::var_os("SEAWORTHY_KEEP_SNAPSHOT") {
            std::fs::copy(&self.snapshot, kept).unwrap();
        }
    }

    /// The paths from the entries of cases to what they are after.
    pub fn answers(&self, cases: &[Case]) -> Vec<Value> {
        let snapshot = self.snapshot.display().to_string();
        let mut entries: Vec<&str> = cases.iter().map(Case::entry).collect();
        let jewels: Vec<&str> = cases.iter().flat_map(|case| ["--to", &case.to]).collect();
        loop {
            let from: Vec<&str> = entries.iter().flat_map(|entry| ["--entry", *entry]).collect();
            let run = self.sea.run(&[&["paths", "--from", &snapshot, "-f", "json"], &from[..], &jewels].concat());
            if run.code == Some(0) {
                return run.json()["paths"].as_array().cloned().unwrap_or_default();
            }
            // To whom nothing is granted is nobody, and no entry.
            let unknown = entries.iter().position(|entry| run.err.contains(&format!("`{entry}` here")));
            entries.remove(unknown.unwrap_or_else(|| panic!("{run:?}")));
        }
    }

    /// Runs kubectl as a user, with something to read.
    pub fn kubectl(&self, user: &str, arguments: &[&str], input: &Value) -> Output {
        let config = self.cluster.kubeconfig_for(user, &[]);
        self.cluster.kubectl_as(&config, arguments, input.to_string().as_bytes())
    }

    /// That the quota of a namespace holds.
    #[track_caller]
    pub fn bounded(&self, namespace: &str) {
        let path = format!("/api/v1/namespaces/{namespace}/resourcequotas/none");
        assert!(until(60, || self.cluster.get(&path).1["status"]["hard"].is_object()), "{namespace}");
    }

    /// What a user creates, which the API server takes.
    #[track_caller]
    pub fn creates(&self, user: &str, object: &Value) {
        let out = self.kubectl(user, &["create", "-f", "-"], object);
        assert_eq!(out.status, 0, "{user}: {out:?}");
    }

    /// What a user may not do.
    #[track_caller]
    pub fn refused(&self, user: &str, arguments: &[&str], input: &Value) {
        let out = self.kubectl(user, arguments, input);
        let words = ["forbidden", "Forbidden", "cannot", "denied", "Unauthorized"];
        assert!(
            out.status != 0 && words.iter().any(|word| out.stderr.contains(word)),
            "{user}: {arguments:?}: {out:?}"
        );
    }

    /// What a user does, and reads.
    #[track_caller]
    pub fn does(&self, user: &str, arguments: &[&str]) -> String {
        let out = self.kubectl(user, arguments, &Value::Null);
        assert_eq!(out.status, 0, "{user}: {arguments:?}: {out:?}");
        out.stdout
    }

    /// That some pod of a namespace, of this label or name, has the node's files; of a workload's pods the first.
    #[track_caller]
    pub fn is_root_on_node(&self, namespace: &str, pod: &str) {
        self.cluster.wait_for_pod_running(namespace, pod);
        let out = self.cluster.exec(namespace, pod, "app", &["cat", "/node/etc/shadow"]);
        assert!(out.status == 0 && out.stdout.starts_with("root:"), "{out:?}");
    }

    /// The first pod of a namespace whose label `app` is this, once there is one.
    #[track_caller]
    pub fn pod_of(&self, namespace: &str, app: &str) -> String {
        let path = format!("/api/v1/namespaces/{namespace}/pods?labelSelector=app%3D{app}");
        let mut found = None;
        let there = until(120, || {
            let (_, list) = self.cluster.get(&path);
            found = list["items"][0]["metadata"]["name"].as_str().map(str::to_owned);
            found.is_some()
        });
        assert!(there, "no pod of {app} in {namespace}");
        found.unwrap()
    }
}

/// Whether it became so in so many seconds: a bound for what hangs, no time that is asserted.
pub fn until(seconds: u64, mut so: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + Duration::from_secs(seconds);
    while Instant::now() < end {
        if so() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    false
}

pub fn steps_of(path: &Value) -> Vec<&str> {
    path["steps"].as_array().into_iter().flatten().map(|step| step["step"].as_str().unwrap_or_default()).collect()
}

pub fn account(namespace: &str, name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"namespace": namespace, "name": name}})
}

/// A rule.
pub fn rule(groups: &[&str], resources: &[&str], verbs: &[&str]) -> Value {
    json!({"apiGroups": groups, "resources": resources, "verbs": verbs})
}

/// A rule over objects by name.
pub fn named(groups: &[&str], resources: &[&str], verbs: &[&str], names: &[&str]) -> Value {
    json!({"apiGroups": groups, "resources": resources, "verbs": verbs, "resourceNames": names})
}

/// A user's role in his namespace.
pub fn local(user: &str, rules: &[Value]) -> Vec<Value> {
    let meta = json!({"namespace": user, "name": user});
    vec![
        json!({"apiVersion": format!("{RBAC}/v1"), "kind": "Role", "metadata": meta, "rules": rules}),
        binding("RoleBinding", meta, "Role", user, &[user_subject(user)]),
    ]
}

/// A user's role in the whole cluster.
pub fn wide(user: &str, rules: &[Value]) -> Vec<Value> {
    let meta = json!({"name": user});
    vec![
        json!({"apiVersion": format!("{RBAC}/v1"), "kind": "ClusterRole", "metadata": meta, "rules": rules}),
        binding("ClusterRoleBinding", meta, "ClusterRole", user, &[user_subject(user)]),
    ]
}

pub fn user_subject(user: &str) -> Value {
    json!({"kind": "User", "apiGroup": RBAC, "name": user})
}

pub fn binding(kind: &str, metadata: Value, role_kind: &str, role: &str, subjects: &[Value]) -> Value {
    json!({"apiVersion": format!("{RBAC}/v1"), "kind": kind, "metadata": metadata,
        "roleRef": {"apiGroup": RBAC, "kind": role_kind, "name": role}, "subjects": subjects})
}

/// A namespace that enforces a level of Pod Security.
pub fn level(name: &str, level: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": name, "labels": {"pod-security.kubernetes.io/enforce": level}}})
}

/// A container that sleeps, with something laid over it.
pub fn container(more: &Value) -> Value {
    let mut container =
        json!({"name": "app", "image": IMAGE, "imagePullPolicy": "Never", "command": ["sleep", "36000"]});
    lay(&mut container, more);
    container
}

pub fn lay(under: &mut Value, over: &Value) {
    for (key, value) in over.as_object().into_iter().flatten() {
        under[key] = value.clone();
    }
}

/// A pod's specification.
pub fn spec(container: &Value, more: &Value) -> Value {
    let mut spec = json!({"terminationGracePeriodSeconds": 0, "containers": [container]});
    lay(&mut spec, more);
    spec
}

pub fn pod(namespace: &str, name: &str, spec: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": namespace, "name": name, "labels": {"app": name}}, "spec": spec})
}

/// The specification of a pod that does nothing.
pub fn idle() -> Value {
    spec(&container(&json!({})), &json!({"automountServiceAccountToken": false}))
}

/// The specification of a pod that is root on its node.
pub fn rooted() -> Value {
    let mounts =
        json!({"securityContext": {"privileged": true}, "volumeMounts": [{"name": "node", "mountPath": "/node"}]});
    spec(&container(&mounts), &json!({"volumes": [{"name": "node", "hostPath": {"path": "/"}}]}))
}

/// A template of such pods.
pub fn template(app: &str, spec: &Value) -> Value {
    json!({"metadata": {"labels": {"app": app}}, "spec": spec})
}

/// A workload of a kind.
pub fn workload(kind: &str, namespace: &str, name: &str, spec: &Value) -> Value {
    let (api, selected) = match kind {
        "ReplicationController" => ("v1", json!({"app": name})),
        "Job" | "CronJob" => ("batch/v1", Value::Null),
        _ => ("apps/v1", json!({"matchLabels": {"app": name}})),
    };
    let mut template = template(name, spec);
    if api == "batch/v1" {
        template["spec"]["restartPolicy"] = json!("Never");
    }
    let spec = match kind {
        "CronJob" => json!({"schedule": "* * * * *", "jobTemplate": {"spec": {"template": template}}}),
        "Job" => json!({"template": template}),
        "StatefulSet" => json!({"selector": selected, "serviceName": name, "template": template}),
        _ => json!({"selector": selected, "template": template}),
    };
    json!({"apiVersion": api, "kind": kind, "metadata": {"namespace": namespace, "name": name}, "spec": spec})
}
