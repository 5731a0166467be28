//! Which pods are alike: told from their text before it costs anything to read them, and from their facts after.

use std::hash::{BuildHasher as _, Hash, Hasher, RandomState};

use seaworthy_core::component::Component;
use serde_json::Value as Json;

use super::pod::Built;
use super::security::names_a_profile;
use super::volumes::volume_name;

/// Labels that controllers give their pods one by one, or one revision of them.
const OF_INSTANCE: [&str; 11] = [
    "pod-template-hash",
    "controller-revision-hash",
    "pod-template-generation",
    "statefulset.kubernetes.io/pod-name",
    "apps.kubernetes.io/pod-index",
    "batch.kubernetes.io/job-completion-index",
    "batch.kubernetes.io/job-name",
    "batch.kubernetes.io/controller-uid",
    "job-name",
    "controller-uid",
    "rollouts-pod-template-hash",
];

/// Whether a label of a controller's pod is its own, so that pods which differ in it are alike all the same.
pub(super) fn is_of_instance(label: &str) -> bool {
    OF_INSTANCE.contains(&label)
}

/// Annotations that network plug-ins and kubelets write into every pod.
const WRITTEN: [&str; 4] =
    ["cni.projectcalico.org/", "k8s.v1.cni.cncf.io/", "kubernetes.io/config.", "kubectl.kubernetes.io/restartedAt"];

/// Hashes of 128 bits with keys of this run's own, so that nobody can make two that fall together.
#[derive(Debug, Default)]
pub(super) struct Hashes {
    a: RandomState,
    b: RandomState,
}

/// Two hashes at once.
struct Both<H>(H, H);

impl<H: Hasher> Hasher for Both<H> {
    fn write(&mut self, bytes: &[u8]) {
        self.0.write(bytes);
        self.1.write(bytes);
    }

    fn finish(&self) -> u64 {
        self.0.finish()
    }
}

impl Hashes {
    fn of(&self, fill: impl FnOnce(&mut dyn Hasher)) -> u128 {
        let mut both = Both(self.a.build_hasher(), self.b.build_hasher());
        fill(&mut both);
        (u128::from(both.0.finish()) << 64) | u128::from(both.1.finish())
    }

    /// What all pods that are alike have in common. `pod` is the name of one that a StatefulSet made.
    pub(super) fn of_pod(&self, json: &Json, owner: &impl Hash, owned: bool, pod: Option<&str>) -> u128 {
        self.of(|mut hasher| {
            owner.hash(&mut hasher);
            json["metadata"]["namespace"].as_str().hash(&mut hasher);
            for (key, value) in json["metadata"]["labels"].as_object().into_iter().flatten() {
                if !(owned && is_of_instance(key)) {
                    key.hash(&mut hasher);
                    hash(value, None, hasher);
                }
            }
            for (key, value) in json["metadata"]["annotations"].as_object().into_iter().flatten() {
                let written = WRITTEN.iter().any(|prefix| key.starts_with(prefix));
                if key == "kubernetes.io/config.mirror" {
                    key.hash(&mut hasher);
                } else if names_a_profile(key) || (!owned && !written) {
                    key.hash(&mut hasher);
                    hash(value, None, hasher);
                }
            }
            hash(&json["metadata"]["labels"], Some(&Skip::Shape), hasher);
            hash(&json["metadata"]["annotations"], Some(&Skip::Shape), hasher);
            hash(&json["spec"], Some(&Skip::Instance(pod)), hasher);
        })
    }

    /// What a pod and its containers are, by their facts.
    pub(super) fn of_facts(&self, built: &Built) -> u128 {
        self.of(|mut hasher| {
            facts(&built.pod, hasher);
            built.cut.hash(&mut hasher);
            for container in &built.containers {
                facts(container, hasher);
            }
        })
    }
}

fn facts(component: &Component, mut hasher: &mut dyn Hasher) {
    for (name, fact) in component.facts() {
        name.hash(&mut hasher);
        fact.value.hash(&mut hasher);
    }
}

/// What of a value does not count.
enum Skip<'a> {
    /// All but of what type it is.
    Shape,
    /// What differs between the pods of a controller.
    Instance(Option<&'a str>),
}

fn hash(json: &Json, skip: Option<&Skip<'_>>, mut hasher: &mut dyn Hasher) {
    match json {
        Json::Null => hasher.write_u8(0),
        Json::Bool(b) => {
            hasher.write_u8(1);
            b.hash(&mut hasher);
        }
        Json::Number(number) => {
            hasher.write_u8(2);
            number.hash(&mut hasher);
        }
        Json::String(text) => {
            hasher.write_u8(3);
            match skip {
                Some(Skip::Shape) => {}
                _ => volume_name_of(text).hash(&mut hasher),
            }
        }
        Json::Array(items) => {
            hasher.write_u8(4);
            if !matches!(skip, Some(Skip::Shape)) {
                items.len().hash(&mut hasher);
                items.iter().for_each(|item| hash(item, skip, hasher));
            }
        }
        Json::Object(map) => {
            hasher.write_u8(5);
            if matches!(skip, Some(Skip::Shape)) {
                return;
            }
            for (key, value) in map {
                let Some(Skip::Instance(pod)) = skip else {
                    key.hash(&mut hasher);
                    hash(value, skip, hasher);
                    continue;
                };
                match key.as_str() {
                    "nodeName" | "hostname" | "matchFields" => {}
                    "claimName" => {
                        key.hash(&mut hasher);
                        let text = value.as_str();
                        let of_set = text.zip(*pod).and_then(|(claim, pod)| claim.strip_suffix(pod));
                        (of_set.is_some(), of_set.or(text)).hash(&mut hasher);
                    }
                    _ => {
                        key.hash(&mut hasher);
                        hash(value, skip, hasher);
                    }
                }
            }
            hasher.write_u8(6);
        }
    }
}

/// Texts as long as they are; only the token volume's name loses its random end.
fn volume_name_of(text: &str) -> &str {
    if text.starts_with("kube-api-access-") { volume_name(text) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pod(change: impl FnOnce(&mut Json)) -> Json {
        let mut pod = json!({
            "metadata": {"namespace": "shop", "name": "web-1", "labels": {"app": "web", "pod-template-hash": "a"},
                "annotations": {"cni.projectcalico.org/podIP": "10.0.0.1/32"}},
            "spec": {"nodeName": "n1", "containers": [{"name": "app", "image": "a:1", "volumeMounts": [
                {"name": "kube-api-access-aaaaa", "mountPath": "/x"}]}],
                "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data-web-1"}}]},
        });
        change(&mut pod);
        pod
    }

    #[test]
    fn instances_are_alike_in_what_is_not_their_own() {
        let hashes = Hashes::default();
        let of = |json: &Json, owned: bool, set: Option<&str>| hashes.of_pod(json, &"o", owned, set);
        let first = pod(|_| {});
        let second = pod(|p| {
            p["metadata"]["name"] = "web-2".into();
            p["metadata"]["labels"]["pod-template-hash"] = "b".into();
            p["metadata"]["annotations"]["cni.projectcalico.org/podIP"] = "10.0.0.2/32".into();
            p["spec"]["nodeName"] = "n2".into();
            p["spec"]["containers"][0]["volumeMounts"][0]["name"] = "kube-api-access-bbbbb".into();
            p["spec"]["volumes"][0]["persistentVolumeClaim"]["claimName"] = "data-web-2".into();
        });
        assert_eq!(of(&first, true, Some("web-1")), of(&second, true, Some("web-2")));
        assert_ne!(of(&first, true, None), of(&second, true, None), "another claim");
        assert_ne!(
            of(&first, false, Some("web-1")),
            of(&second, false, Some("web-2")),
            "a naked pod's labels are its own"
        );
    }

    #[test]
    fn every_difference_that_a_fact_may_rest_on_tells_them_apart() {
        let hashes = Hashes::default();
        let base = hashes.of_pod(&pod(|_| {}), &"o", true, Some("web-1"));
        let changes: [fn(&mut Json); 7] = [
            |p| p["metadata"]["namespace"] = "bank".into(),
            |p| p["metadata"]["labels"]["app"] = "db".into(),
            |p| {
                p["metadata"]["annotations"]["container.apparmor.security.beta.kubernetes.io/app"] = "unconfined".into()
            },
            |p| p["metadata"]["annotations"] = 7.into(),
            |p| p["spec"]["hostPID"] = true.into(),
            |p| p["spec"]["containers"][0]["image"] = "a:2".into(),
            |p| p["spec"]["containers"][0]["volumeMounts"][0]["mountPath"] = "/y".into(),
        ];
        for (i, change) in changes.into_iter().enumerate() {
            assert_ne!(hashes.of_pod(&pod(change), &"o", true, Some("web-1")), base, "change {i}");
        }
        assert_ne!(hashes.of_pod(&pod(|_| {}), &"p", true, Some("web-1")), base, "another owner");
    }
}
