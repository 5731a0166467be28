//! The rules that the catalogue names where a remedy must be worked out.

use serde_json::{Value as Json, json};

use super::draft::Draft;
use super::{Act, Form, Index, ObjectRef, Proposal, field, list, object, pod, text, violations};
use crate::component::Component;
use crate::kubernetes::pod_security::CAPABILITIES;
use crate::schema::kubernetes::POD;
use crate::value::Value;

/// One rule: what it makes of a component goes into the draft of its pod, or beside it.
pub(super) type Rule = for<'a> fn(&Index<'a>, &'a Component, Option<&mut Draft<'a>>, &mut Vec<Proposal>);

/// Every rule by its name.
const BY_NAME: &[(&str, Rule)] = &[
    ("own-network", |_, _, draft, _| each(draft, pod::own_network)),
    ("no-host-path-volumes", |_, _, draft, _| each(draft, |draft| pod::volumes_of(draft, |kind| kind == "hostPath"))),
    ("off-control-plane", |_, _, draft, _| each(draft, pod::off_control_plane)),
    ("user-namespace", |_, _, draft, _| each(draft, user_namespace)),
    ("node-by-label", |_, _, draft, _| each(draft, node_by_label)),
    ("spread", |_, _, draft, _| each(draft, spread)),
    ("clean-pod", clean_pod),
    ("closed-ingress", |_, c, _, out| policy(c, "ingress", &json!({}), out)),
    ("closed-egress", |_, c, _, out| closed_egress(c, out)),
    ("no-metadata", |_, c, draft, out| no_metadata(c, draft, out)),
    ("not-exposed", |_, c, draft, out| not_exposed(c, draft, out)),
    ("limit-cpu", |_, c, draft, _| in_container(c, draft, limit_cpu)),
    ("limit-memory", |_, c, draft, _| in_container(c, draft, limit_memory)),
    ("limit-disk", |_, c, draft, _| in_container(c, draft, limit_disk)),
    ("requests", |_, c, draft, _| in_container(c, draft, requests)),
    ("pin-image", |_, c, draft, _| in_container(c, draft, pin_image)),
    ("registry", |_, c, draft, _| in_container(c, draft, registry)),
    ("readiness-by-port", |_, c, draft, _| in_container(c, draft, readiness)),
    ("no-host-ports", |_, c, draft, _| in_container(c, draft, pod::no_host_ports)),
    ("read-only-mounts", |_, c, draft, _| in_container(c, draft, pod::read_only_mounts)),
    ("no-propagation", |_, c, draft, _| in_container(c, draft, pod::no_propagation)),
    ("variables-once", |_, c, draft, _| in_container(c, draft, pod::once)),
    ("variables-from-secrets", |_, c, draft, _| in_container(c, draft, from_secrets)),
    ("few-capabilities", |_, c, draft, _| {
        in_container(c, draft, |c, d| violations::keep_capabilities(d, c, &CAPABILITIES, &[]))
    }),
    ("no-dangerous-capabilities", |_, c, draft, _| in_container(c, draft, no_dangerous)),
    ("no-raw-sockets", |_, c, draft, _| in_container(c, draft, no_raw)),
    ("no-idle-tokens", |index, c, _, out| no_idle_tokens(index, c, out)),
    ("budgets", |_, c, _, out| budgets(c, out)),
    ("valid-labels", |_, c, _, out| valid_labels(c, out)),
    ("own-namespace-out", |index, c, _, out| own_namespace_out(index, c, out)),
    ("policies-deny", |_, c, _, out| policies_deny(c, out)),
    ("no-node-ports", |_, c, _, out| no_node_ports(c, out)),
    ("no-snippets", |_, c, _, out| no_snippets(c, out)),
    ("tls", |_, c, _, out| tls(c, out)),
    ("no-secret-keys", |_, c, _, out| no_secret_keys(c, out)),
];

/// The names of the rules.
pub fn names() -> impl Iterator<Item = &'static str> {
    BY_NAME.iter().map(|(name, _)| *name)
}

/// A rule by its name.
pub(super) fn by_name(name: &str) -> Option<Rule> {
    BY_NAME.iter().find(|(known, _)| *known == name).map(|(_, rule)| *rule)
}

fn each<'a>(draft: Option<&mut Draft<'a>>, change: impl FnOnce(&mut Draft<'a>)) {
    if let Some(draft) = draft {
        change(draft);
    }
}

fn in_container<'a>(
    container: &'a Component,
    draft: Option<&mut Draft<'a>>,
    change: impl FnOnce(&'a Component, &mut Draft<'a>),
) {
    if let Some(draft) = draft {
        change(container, draft);
    }
}

/// The API server takes no user namespace beside one of the node's.
fn user_namespace(draft: &mut Draft<'_>) {
    draft.pod(&json!({ "hostUsers": false }));
    for (fact, key) in [("host_pid", "hostPID"), ("host_ipc", "hostIPC")] {
        if draft.of.value(fact).as_bool() == Some(true) {
            draft.pod(&json!({ key: null }));
        }
    }
    if draft.of.value("host_network").as_bool() == Some(true) {
        pod::own_network(draft);
    }
}

fn node_by_label(draft: &mut Draft<'_>) {
    draft.pod(&json!({ "nodeName": null }));
    if let [Value::Str(node)] = list(draft.of, "nodes") {
        draft.pod(&json!({ "nodeSelector": { "kubernetes.io/hostname": node } }));
    }
}

fn spread(draft: &mut Draft<'_>) {
    let Some(labels) = pod::labels(draft.of) else { return };
    draft.pod(&json!({ "topologySpreadConstraints": [{
        "maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": { "matchLabels": labels },
    }] }));
}

/// A pod that was debugged is made anew: by its workload where it has one.
fn clean_pod<'a>(_: &Index<'a>, of: &'a Component, draft: Option<&mut Draft<'a>>, out: &mut Vec<Proposal>) {
    if of.value("naked").as_bool() == Some(true) {
        out.extend(object::of(of).map(|object| Proposal { object, act: Act::Delete }));
    } else if let Some(draft) = draft {
        draft.meta(&json!({ "annotations": { "kubectl.kubernetes.io/restartedAt": "now" } }));
    }
}

fn dns() -> Json {
    json!([{ "port": 53, "protocol": "UDP" }, { "port": 53, "protocol": "TCP" }])
}

/// A policy of its own for the pods of a workload.
fn policy(of: &Component, direction: &str, rules: &Json, out: &mut Vec<Proposal>) {
    let Some(labels) = pod::labels(of) else { return };
    let Some(name) = text(of, "name") else { return };
    let kind = if direction == "ingress" { "Ingress" } else { "Egress" };
    let mut spec = json!({ "podSelector": { "matchLabels": labels }, "policyTypes": [kind] });
    super::draft::lay(&mut spec, rules);
    let manifest = json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
        "metadata": { "name": format!("{name}-{direction}") }, "spec": spec,
    });
    out.extend(object::applied(of, manifest));
}

/// Nothing goes out but questions for names.
fn closed_egress(of: &Component, out: &mut Vec<Proposal>) {
    policy(of, "egress", &json!({ "egress": [{ "ports": dns() }] }), out);
}

/// No policy holds on the node's network; a pod leaves that first.
fn no_metadata<'a>(of: &'a Component, draft: Option<&mut Draft<'a>>, out: &mut Vec<Proposal>) {
    if of.value("host_network").as_bool() == Some(true) {
        each(draft, pod::own_network);
    }
    // Policies add up. Where one isolates the pod already, another can only open more, and what opens is to be changed;
    // where none does, it is told to be closed besides, and a policy of its own here would open that again.
    match of.value("isolated_egress").as_bool() {
        Some(true) => return,
        Some(false) if of.value("host_network").as_bool() == Some(false) => return closed_egress(of, out),
        _ => {}
    }
    let v4 = json!({ "ipBlock": { "cidr": "0.0.0.0/0", "except": ["169.254.169.254/32", "100.100.100.200/32"] } });
    let v6 = json!({ "ipBlock": { "cidr": "::/0", "except": ["fd00:ec2::254/128"] } });
    policy(of, "no-metadata", &json!({ "egress": [{ "to": [v4, v6] }] }), out);
}

/// What is told of how it is exposed, each way closed; an ingress is a person's to judge.
fn not_exposed<'a>(of: &'a Component, draft: Option<&mut Draft<'a>>, out: &mut Vec<Proposal>) {
    let ways: Vec<&str> = list(of, "exposed").iter().filter_map(Value::as_str).collect();
    if let Some(draft) = draft {
        if ways.contains(&"host-network") {
            pod::own_network(draft);
        }
        if ways.iter().any(|way| way.starts_with("host-port ")) {
            for container in draft.containers.clone() {
                pod::no_host_ports(container, draft);
            }
        }
    }
    let mut services: Vec<&str> = ways
        .iter()
        .filter_map(|way| way.split_once(' '))
        .filter(|(how, _)| matches!(*how, "node-port" | "load-balancer" | "internal-load-balancer"))
        .map(|(_, service)| service)
        .collect();
    services.sort_unstable();
    services.dedup();
    for (namespace, name) in services.into_iter().filter_map(|service| service.split_once('/')) {
        let act = Act::Patch(Form::Merge, json!({ "spec": { "type": "ClusterIP" } }));
        out.push(Proposal { object: ObjectRef::new("v1", "Service", namespace, name), act });
    }
}

/// Numbers to begin with, where nobody measured: what is asked for, and as much again.
fn limit_cpu<'a>(container: &'a Component, draft: &mut Draft<'a>) {
    let asked = container.value("cpu_request").as_int().unwrap_or(0);
    limit(container, draft, "cpu", format!("{}m", asked.saturating_mul(2).max(500)));
}

const MIB: i64 = 1 << 20;

fn limit_memory<'a>(container: &'a Component, draft: &mut Draft<'a>) {
    let asked = container.value("memory_request").as_int().unwrap_or(0);
    limit(container, draft, "memory", format!("{}Mi", (asked.saturating_mul(2) / MIB + 1).max(256)));
}

fn limit_disk<'a>(container: &'a Component, draft: &mut Draft<'a>) {
    let asked = container.value("ephemeral_storage_request").as_int().unwrap_or(0);
    limit(container, draft, "ephemeral-storage", format!("{}Mi", (asked.saturating_mul(2) / MIB + 1).max(1024)));
}

fn limit<'a>(container: &'a Component, draft: &mut Draft<'a>, resource: &str, amount: String) {
    draft.container(container, &json!({ "resources": { "limits": { resource: amount } } }));
}

fn requests<'a>(container: &'a Component, draft: &mut Draft<'a>) {
    let most = |fact: &str, usual: i64| container.value(fact).as_int().map_or(usual, |limit| limit.min(usual));
    if container.value("cpu_request") == &Value::Null {
        let amount = format!("{}m", most("cpu_limit", 100));
        draft.container(container, &json!({ "resources": { "requests": { "cpu": amount } } }));
    }
    if container.value("memory_request") == &Value::Null {
        let amount = most("memory_limit", 128 * MIB).to_string();
        draft.container(container, &json!({ "resources": { "requests": { "memory": amount } } }));
    }
}

/// By the digest of what runs, where all instances run the same and a registry has it.
fn pin_image<'a>(container: &'a Component, draft: &mut Draft<'a>) {
    if let (moved, Some(digest)) = (moved(container), digest(container)) {
        let image = moved.as_deref().or_else(|| text(container, "image")).unwrap_or_default();
        draft.container(container, &json!({ "image": format!("{image}@{digest}") }));
    }
}

/// From the registry that took its place; with the digest, so that whoever pins the image besides has the same either way.
fn registry<'a>(container: &'a Component, draft: &mut Draft<'a>) {
    if let Some(image) = moved(container) {
        let digest = digest(container).map_or_else(String::new, |digest| format!("@{digest}"));
        draft.container(container, &json!({ "image": format!("{image}{digest}") }));
    }
}

fn digest(container: &Component) -> Option<&str> {
    let [Value::Str(id)] = list(container, "image_ids") else { return None };
    let (repository, digest) = id.rsplit_once('@')?;
    text(container, "image").filter(|image| !image.is_empty() && !image.contains('@'))?;
    let is_digest = digest.strip_prefix("sha256:").is_some_and(|hex| hex.len() == 64);
    (is_digest && !repository.is_empty()).then_some(digest)
}

fn moved(container: &Component) -> Option<String> {
    let image = text(container, "image")?;
    let frozen = ["k8s.gcr.io/", "gcr.io/google_containers/", "gcr.io/google-containers/"];
    let rest = frozen.iter().find_map(|registry| image.strip_prefix(registry))?;
    Some(format!("registry.k8s.io/{rest}"))
}

/// Whether its first port of TCP answers: little, and the same as nothing that the liveness probe asks.
fn readiness<'a>(container: &'a Component, draft: &mut Draft<'a>) {
    let port = list(container, "ports").iter().find(|port| field(port, "protocol") == "TCP");
    let Some(number) = port.and_then(|port| port.field("container_port")).and_then(Value::as_int) else { return };
    let asked = container.value("liveness_probe");
    if asked.field("kind").and_then(Value::as_str) != Some("tcp") {
        draft.container(container, &json!({ "readinessProbe": { "tcpSocket": { "port": number } } }));
    }
}

/// Variables that hold secrets are filled from a Secret of the workload's name; a person makes that first.
fn from_secrets<'a>(container: &'a Component, draft: &mut Draft<'a>) {
    let Some(workload) = text(draft.of, "name") else { return };
    let is_key =
        |name: &str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b));
    let names: Vec<&str> = list(container, "env_names").iter().filter_map(Value::as_str).collect();
    for secret in list(container, "env_secrets") {
        let name = field(secret, "name");
        let name = name.rsplit_once(": ").map_or(name, |(_, name)| name);
        if is_key(name) && names.contains(&name) {
            let from = json!({ "secretKeyRef": { "name": workload, "key": name } });
            draft.container(container, &json!({ "env": [{ "name": name, "value": null, "valueFrom": from }] }));
        }
    }
}

fn no_dangerous<'a>(container: &'a Component, draft: &mut Draft<'a>) {
    if container.value("privileged").as_bool() == Some(true) {
        draft.container(container, &json!({ "securityContext": { "privileged": false } }));
    }
    violations::keep_capabilities(draft, container, &CAPABILITIES, &["ALL"]);
}

fn no_raw<'a>(container: &'a Component, draft: &mut Draft<'a>) {
    if container.value("privileged").as_bool() == Some(true) {
        draft.container(container, &json!({ "securityContext": { "privileged": false } }));
    }
    let added: Vec<&str> = list(container, "capabilities_added").iter().filter_map(Value::as_str).collect();
    let kept: Vec<&str> = added.into_iter().filter(|c| !matches!(*c, "NET_RAW" | "ALL")).collect();
    violations::keep_capabilities(draft, container, &kept, &["NET_RAW"]);
}

/// The account gives its token to nobody who does not ask; pods that have it already are made anew without.
fn no_idle_tokens(index: &Index<'_>, account: &Component, out: &mut Vec<Proposal>) {
    const MOST: usize = 16;
    let none = json!({ "automountServiceAccountToken": false });
    out.extend(object::patched(account, none.clone()));
    for id in list(account, "mounted_by").iter().filter_map(Value::as_str).take(MOST) {
        if let Some(pod) = index.get(POD.name, id) {
            let mut draft = Draft::new(pod, Vec::new());
            draft.pod(&none);
            out.extend(draft.finish());
        }
    }
}

fn budgets(namespace: &Component, out: &mut Vec<Proposal>) {
    let Some(of) = text(namespace, "name") else { return };
    for budget in list(namespace, "budgets") {
        if budget.field("deadlock").and_then(Value::as_bool) == Some(true) {
            let object = ObjectRef::new("policy/v1", "PodDisruptionBudget", of, field(budget, "name"));
            let body = json!({ "spec": { "minAvailable": null, "maxUnavailable": 1 } });
            out.push(Proposal { object, act: Act::Patch(Form::Merge, body) });
        }
    }
}

/// Labels of Pod Security that nobody can read give way to what the API server makes of them: the strictest level, and the
/// newest version.
fn valid_labels(namespace: &Component, out: &mut Vec<Proposal>) {
    let mut labels = serde_json::Map::new();
    for label in list(namespace, "invalid_labels").iter().filter_map(Value::as_str) {
        let key = label.split('=').next().unwrap_or_default();
        let value = if key.ends_with("-version") { "latest" } else { "restricted" };
        labels.insert(key.to_owned(), json!(value));
    }
    if !labels.is_empty() {
        out.extend(object::patched(namespace, json!({ "metadata": { "labels": labels } })));
    }
}

/// The webhook is not shown the namespace of its own pods, nor Kubernetes' own.
fn own_namespace_out(_: &Index<'_>, hook: &Component, out: &mut Vec<Proposal>) {
    let own = text(hook, "service").and_then(|service| service.split_once('/')).map(|(namespace, _)| namespace);
    let mut values = vec!["kube-system"];
    values.extend(own.filter(|own| *own != "kube-system"));
    let expression = json!({ "key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": values });
    let selector = json!({ "$patch": "replace", "matchExpressions": [expression] });
    out.extend(object::patched(hook, json!({ "namespaceSelector": selector })));
}

fn policies_deny(policy: &Component, out: &mut Vec<Proposal>) {
    if text(policy, "type") != Some("ValidatingAdmissionPolicy") {
        return;
    }
    for binding in list(policy, "bindings") {
        let api = "admissionregistration.k8s.io/v1";
        let object = ObjectRef::new(api, "ValidatingAdmissionPolicyBinding", "", field(binding, "name"));
        let body = json!({ "spec": { "validationActions": ["Deny"] } });
        out.push(Proposal { object, act: Act::Patch(Form::Merge, body) });
    }
}

/// A load balancer's service without ports on every node, each place held against what was read.
fn no_node_ports(service: &Component, out: &mut Vec<Proposal>) {
    let Some(object) = object::of(service) else { return };
    let mut operations = vec![json!({ "op": "add", "path": "/spec/allocateLoadBalancerNodePorts", "value": false })];
    for (i, port) in list(service, "ports").iter().enumerate() {
        let number = |name: &str| port.field(name).and_then(Value::as_int);
        let (Some(of), Some(_)) = (number("port"), number("node_port").filter(|n| *n != 0)) else { continue };
        operations.push(json!({ "op": "test", "path": format!("/spec/ports/{i}/port"), "value": of }));
        operations.push(json!({ "op": "remove", "path": format!("/spec/ports/{i}/nodePort") }));
    }
    out.push(Proposal { object, act: Act::Patch(Form::Operations, Json::Array(operations)) });
}

fn no_snippets(ingress: &Component, out: &mut Vec<Proposal>) {
    let keys = list(ingress, "snippets").iter().filter_map(Value::as_str).map(|key| (key.to_owned(), Json::Null));
    let annotations: serde_json::Map<String, Json> = keys.collect();
    out.extend(object::patched(ingress, json!({ "metadata": { "annotations": annotations } })));
}

/// TLS for the hosts without it, by a secret of the ingress's name beside those that it has.
fn tls(ingress: &Component, out: &mut Vec<Proposal>) {
    let Some(object) = object::of(ingress) else { return };
    let Some(name) = text(ingress, "name") else { return };
    let hosts: Vec<&str> =
        list(ingress, "plain_hosts").iter().filter_map(Value::as_str).filter(|h| *h != "*").collect();
    let secret = format!("{name}-tls");
    let entry = if hosts.is_empty() {
        json!({ "secretName": secret })
    } else {
        json!({ "hosts": hosts, "secretName": secret })
    };
    // What is there is a list without names: one more is put behind it.
    let operation = if list(ingress, "tls_secrets").is_empty() {
        json!({ "op": "add", "path": "/spec/tls", "value": [entry] })
    } else {
        json!({ "op": "add", "path": "/spec/tls/-", "value": entry })
    };
    out.push(Proposal { object, act: Act::Patch(Form::Operations, json!([operation])) });
}

/// Keys of a ConfigMap that hold secrets go; one of which a part is a secret goes whole.
fn no_secret_keys(map: &Component, out: &mut Vec<Proposal>) {
    let keys = list(map, "secrets").iter().map(|secret| field(secret, "name"));
    let keys = keys.map(|name| name.split_once(": ").map_or(name, |(key, _)| key));
    let data: serde_json::Map<String, Json> = keys.map(|key| (key.to_owned(), Json::Null)).collect();
    if !data.is_empty() && map.value("immutable").as_bool() != Some(true) {
        out.extend(object::patched(map, json!({ "data": data })));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fact::Source;

    fn proposed(rule: &str, host_network: bool, isolated: bool) -> Vec<Proposal> {
        let mut pod = Component::new(&POD, "Pod/shop/web", "shop/web");
        let mut set = |fact, value: Value| pod.set(fact, value, Source::place("test"));
        for (fact, text) in [("namespace", "shop"), ("name", "web")] {
            set(fact, text.into());
        }
        set("labels", Value::strings(["app=web"]));
        set("host_network", host_network.into());
        set("isolated_egress", isolated.into());
        let target = crate::snapshot::Target::new("prod", "kubernetes", "");
        let places = super::super::Places::of(&target);
        let mut out = Vec::new();
        by_name(rule).unwrap()(&Index { target: &target, places: &places }, &pod, None, &mut out);
        out
    }

    /// Policies add up: what is proposed for one finding must not open what is proposed for another.
    #[test]
    fn what_keeps_a_pod_from_metadata_opens_nothing_that_is_closed_beside_it() {
        let closed = proposed("closed-egress", false, false);
        assert_eq!(closed.len(), 1);
        assert_eq!(proposed("no-metadata", false, false), closed);
        assert_eq!(proposed("no-metadata", false, true), []);
        // Whether it is isolated is not asked of a pod on the node's network.
        let Act::Apply(policy) = &proposed("no-metadata", true, false)[0].act else { panic!("it is applied") };
        assert!(policy.to_string().contains("169.254.169.254/32"), "{policy}");
    }
}
