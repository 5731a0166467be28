//! Objects that a test puts into a cluster, and kubectl for the rest.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::Cluster;
use super::process::PATIENCE;
use crate::Output;

/// An API group's version, and of each kind in it the resource and whether it has namespaces.
type Kinds = BTreeMap<String, BTreeMap<String, (String, bool)>>;

impl Cluster {
    /// Reads an object or a list, as the administrator.
    pub fn get(&self, path: &str) -> (u16, Value) {
        self.admin.get(path)
    }

    /// Creates an object, as the administrator.
    pub fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        self.admin.post(path, body)
    }

    /// Replaces an object, as the administrator.
    pub fn put(&self, path: &str, body: &Value) -> (u16, Value) {
        self.admin.put(path, body)
    }

    /// Lays a JSON merge patch over an object, as the administrator.
    pub fn patch(&self, path: &str, body: &Value) -> (u16, Value) {
        self.admin.patch(path, body)
    }

    /// Deletes an object, as the administrator.
    pub fn delete(&self, path: &str) -> (u16, Value) {
        self.admin.delete(path)
    }

    /// Creates or changes objects of any kind by server-side apply, in their order. A namespaced one without a namespace
    /// goes to `default`; a new namespace gets its service account `default`.
    ///
    /// # Panics
    /// Where the API server refuses one.
    pub fn apply(&self, objects: &[Value]) {
        let mut kinds = Kinds::new();
        for object in objects {
            let path = self.object_path(&mut kinds, object);
            let body = object.to_string();
            let query = "fieldManager=bed&force=true";
            let kind = "application/apply-patch+yaml";
            let answer = self.admin.send("PATCH", &format!("{path}?{query}"), Some((kind, body.as_bytes())));
            let (status, answer) = answer.unwrap_or_else(|error| panic!("{path}: {error}"));
            assert!(matches!(status, 200 | 201), "{path}: {status} {}", String::from_utf8_lossy(&answer));
            if object["kind"] == "Namespace" {
                let made = self.default_account(object["metadata"]["name"].as_str().unwrap_or_default());
                made.unwrap_or_else(|why| panic!("{path}: {why}"));
            }
        }
    }

    /// Creates or changes the objects of a text of YAML or JSON documents, with kubectl.
    ///
    /// # Panics
    /// Where the API server refuses one.
    pub fn apply_text(&self, text: &str) {
        let arguments = ["apply", "--server-side", "--force-conflicts", "-f", "-"];
        let output = self.kubectl_as(&self.kubeconfig(), &arguments, text.as_bytes());
        assert_eq!(output.status, 0, "{}{}", output.stdout, output.stderr);
    }

    /// Creates a namespace with its service account `default`, so that pods can be created in it at once.
    ///
    /// # Panics
    /// Where the API server refuses.
    pub fn create_namespace(&self, name: &str) {
        self.apply(&[json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name } })]);
    }

    /// Where the bed's kubectl is.
    pub fn kubectl_program(&self) -> std::path::PathBuf {
        self.binaries.kubernetes.join("kubectl")
    }

    /// Runs kubectl as the administrator.
    pub fn kubectl(&self, arguments: &[&str]) -> Output {
        self.kubectl_as(&self.kubeconfig(), arguments, b"")
    }

    /// Runs kubectl with a kubeconfig and something to read.
    ///
    /// # Panics
    /// Where it cannot be started.
    pub fn kubectl_as(&self, kubeconfig: &Path, arguments: &[&str], input: &[u8]) -> Output {
        let mut command = Command::new(self.kubectl_program());
        command.args(arguments).env("KUBECONFIG", kubeconfig).env("HOME", self.started.dir.join("users"));
        for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
            command.env_remove(name).env_remove(name.to_lowercase());
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("kubectl: {error}"));
        let output = std::thread::scope(|scope| {
            let stdin = child.stdin.take();
            // It may end without having read everything.
            scope.spawn(move || stdin.map(|mut stdin| stdin.write_all(input)));
            child.wait_with_output()
        });
        let output = output.unwrap_or_else(|error| panic!("kubectl: {error}"));
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let status = output.status.code().unwrap_or(-1);
        Output { status, stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// Waits until a pod runs, with all its containers; returns it.
    ///
    /// # Panics
    /// Where it does not come to run.
    pub fn wait_for_pod_running(&self, namespace: &str, name: &str) -> Value {
        let path = format!("/api/v1/namespaces/{namespace}/pods/{name}");
        let mut pod = Value::Null;
        let runs = until(|| {
            pod = self.admin.get(&path).1;
            let statuses = pod["status"]["containerStatuses"].as_array();
            let all = statuses.is_some_and(|all| all.iter().all(|one| one["state"].get("running").is_some()));
            let over = matches!(pod["status"]["phase"].as_str(), Some("Failed" | "Succeeded"));
            assert!(!over, "{path}: {}", pod["status"]);
            pod["status"]["phase"] == "Running" && all
        });
        assert!(runs, "{path} does not run: {}\n{}", pod["status"], self.log(super::KUBELET));
        pod
    }

    /// Runs a command in a container, as the administrator.
    pub fn exec(&self, namespace: &str, pod: &str, container: &str, command: &[&str]) -> Output {
        self.exec_as(&self.kubeconfig(), namespace, pod, container, command)
    }

    /// Runs a command in a container, as whoever the kubeconfig is of.
    pub fn exec_as(&self, kubeconfig: &Path, namespace: &str, pod: &str, container: &str, command: &[&str]) -> Output {
        let before = ["exec", "--namespace", namespace, pod, "--container", container, "--"];
        self.kubectl_as(kubeconfig, &[&before[..], command].concat(), b"")
    }

    /// Waits for the controller that makes a namespace's account, or makes the account in its place.
    pub(super) fn default_account(&self, namespace: &str) -> Result<(), String> {
        let accounts = format!("/api/v1/namespaces/{namespace}/serviceaccounts");
        if self.spec.controller_manager.is_none() {
            let account = json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": { "name": "default" } });
            let (status, answer) = self.admin.post(&accounts, &account);
            return if matches!(status, 201 | 409) { Ok(()) } else { Err(format!("{accounts}: {answer}")) };
        }
        let path = format!("{accounts}/default");
        until(|| self.admin.get(&path).0 == 200).then_some(()).ok_or_else(|| format!("{path} does not appear"))
    }

    fn object_path(&self, kinds: &mut Kinds, object: &Value) -> String {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let (version, kind) = (text(&object["apiVersion"]), text(&object["kind"]));
        let (Some(version), Some(kind)) = (version, kind) else { panic!("no apiVersion or kind: {object}") };
        let root = if version.contains('/') { format!("/apis/{version}") } else { format!("/api/{version}") };
        let mut found = kinds.get(&version).and_then(|of_it| of_it.get(&kind)).cloned();
        // A custom resource is served a moment after its definition was accepted.
        until(|| {
            if found.is_none() {
                let of_it = self.kinds_of(&root);
                found = of_it.get(&kind).cloned();
                kinds.insert(version.clone(), of_it);
            }
            found.is_some()
        });
        let (resource, namespaced) = found.unwrap_or_else(|| panic!("{version} has no {kind}"));
        let name = text(&object["metadata"]["name"]).unwrap_or_else(|| panic!("no name: {object}"));
        if !namespaced {
            return format!("{root}/{resource}/{name}");
        }
        let namespace = text(&object["metadata"]["namespace"]).unwrap_or_else(|| "default".into());
        format!("{root}/namespaces/{namespace}/{resource}/{name}")
    }

    fn kinds_of(&self, root: &str) -> BTreeMap<String, (String, bool)> {
        let (_, list) = self.admin.get(root);
        let resources = list["resources"].as_array().into_iter().flatten();
        let named = resources.filter_map(|resource| {
            let (name, kind) = (resource["name"].as_str()?, resource["kind"].as_str()?);
            (!name.contains('/')).then(|| (kind.to_owned(), (name.to_owned(), resource["namespaced"] == true)))
        });
        named.collect()
    }
}

/// Whether it became so before patience ended.
pub(super) fn until(mut so: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if so() {
            return true;
        }
        if Instant::now() > deadline {
            return false;
        }
        sleep(Duration::from_millis(25));
    }
}
