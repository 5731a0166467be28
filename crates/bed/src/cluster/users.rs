//! Who talks to a cluster, and what the API server says they may do.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};

use super::files::{ADMINS, Login};
use super::pki::{Pair, Subject};
use super::{Client, Cluster};

impl Cluster {
    /// The administrator's kubeconfig, whose group kubeadm's binding makes `cluster-admin`. Beside it lies
    /// `super-admin.conf`, of `system:masters`.
    pub fn kubeconfig(&self) -> PathBuf {
        self.started.dir.join("etc/kubernetes/admin.conf")
    }

    /// A kubeconfig with a certificate of this user in these groups (two at most).
    pub fn kubeconfig_for(&self, user: &str, groups: &[&str]) -> PathBuf {
        self.write_kubeconfig(user, Login::Certificate(&self.certificate(user, groups, false)))
    }

    /// As [`Cluster::kubeconfig_for`], with a certificate whose time is over.
    pub fn expired_kubeconfig_for(&self, user: &str, groups: &[&str]) -> PathBuf {
        self.write_kubeconfig(user, Login::Certificate(&self.certificate(user, groups, true)))
    }

    /// A kubeconfig with a bearer token.
    pub fn kubeconfig_with_token(&self, token: &str) -> PathBuf {
        self.write_kubeconfig("token", Login::Token(token))
    }

    /// A token of a service account, for an hour, from the API server.
    ///
    /// # Panics
    /// Where there is no such account.
    pub fn token_for(&self, namespace: &str, account: &str) -> String {
        let request = json!({ "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
            "spec": { "expirationSeconds": 3600 } });
        let path = format!("/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token");
        let (status, answer) = self.admin.post(&path, &request);
        assert_eq!(status, 201, "token of {namespace}/{account}: {answer}");
        answer["status"]["token"].as_str().unwrap_or_default().to_owned()
    }

    /// One of `system:masters`, whom no policy limits.
    pub fn admin(&self) -> &Client {
        &self.admin
    }

    /// A user with a certificate (two groups at most).
    pub fn client_for(&self, user: &str, groups: &[&str]) -> Client {
        let pair = self.certificate(user, groups, false);
        Client::new(self.at.api, &self.authorities.cluster.certificate(), Some(&pair), None)
    }

    /// Whoever has this token.
    pub fn client_with_token(&self, token: &str) -> Client {
        Client::new(self.at.api, &self.authorities.cluster.certificate(), None, Some(token))
    }

    /// Nobody.
    pub fn anonymous(&self) -> Client {
        Client::new(self.at.api, &self.authorities.cluster.certificate(), None, None)
    }

    /// Whether a user in these groups may do what the attributes say: `resourceAttributes` where they name a verb on a
    /// `resource`, `nonResourceAttributes` where they have a `path`. The connection is kept: thousands can be asked.
    ///
    /// # Panics
    /// Where the API server does not answer the question.
    pub fn subject_access_review(&self, user: &str, groups: &[&str], attributes: &Value) -> bool {
        let kind = if attributes.get("path").is_some() { "nonResourceAttributes" } else { "resourceAttributes" };
        let review = json!({ "apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview",
            "spec": { "user": user, "groups": groups, kind: attributes } });
        let (status, answer) = self.admin.post("/apis/authorization.k8s.io/v1/subjectaccessreviews", &review);
        assert_eq!(status, 201, "{review}: {answer}");
        assert!(answer["status"]["evaluationError"].is_null(), "{review}: {answer}");
        answer["status"]["allowed"] == true
    }

    /// What kubeadm binds.
    pub(super) fn bind_administrators(&self) {
        let binding = json!({ "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
            "metadata": { "name": ADMINS },
            "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin" },
            "subjects": [{ "apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": ADMINS }] });
        let (status, answer) = self.admin.post("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", &binding);
        assert!(matches!(status, 201 | 409), "{answer}");
    }

    fn certificate(&self, user: &str, groups: &[&str], expired: bool) -> Pair {
        self.authorities.cluster.issue(Subject { name: user, groups, expired, ..Subject::default() })
    }

    fn write_kubeconfig(&self, user: &str, login: Login<'_>) -> PathBuf {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let path = self.started.dir.join(format!("users/{}.conf", NEXT.fetch_add(1, Ordering::Relaxed)));
        let written = self.authorities.kubeconfig(&path, &self.at, user, login);
        written.unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }
}
