//! For every check something that fails it, plain otherwise.

use seaworthy_bed::Cluster;
use serde_json::{Value, json};

use super::rights::rights;

/// What is asked after the dry run.
#[derive(Clone, Copy, Debug)]
pub enum Then {
    /// The change is made, and the check passes, or what failed is gone.
    Passes,
    /// Nothing: the change would stop what other cases need, or nobody can make it where the object is.
    DryRun,
}

/// Something that fails a check.
#[derive(Clone, Debug)]
pub struct Case {
    /// The check, without `kubernetes/`.
    pub check: &'static str,
    /// The component's name.
    pub component: String,
    /// What is created for it.
    pub objects: Vec<Value>,
    /// What is asked after the dry run.
    pub then: Then,
}

/// Checks whose remedies change objects and which no cluster without nodes and add-ons fails.
pub const NOT_HERE: &[(&str, &str)] = &[
    ("container/image-not-latest", "its digest is what a kubelet says that it runs"),
    ("container/image-pinned", "its digest is what a kubelet says that it runs"),
    ("pod/proc-masked", "1.35 lets no pod unmask /proc that keeps the node's users"),
    ("pod/not-debugged", "ephemeral containers are added to pods that a kubelet runs; the change is an annotation"),
    ("namespace/pod-policy-active", "what the API server asks by default is told by its mirror pod"),
    ("namespace/pod-security-labels-valid", "1.35 refuses labels that it cannot read; older ones took them"),
    ("admission/not-self-guarding", "the change is the one of namespaces-not-exempt, with one namespace more"),
    ("secret/no-lingering-bootstrap-tokens", "its secret would have to be a day old"),
];

pub const NAMESPACE: &str = "remedies";

fn container(over: &Value) -> Value {
    let mut out = json!({ "name": "app", "image": "registry.test/app:1.2", "command": ["sleep", "1"] });
    lay(&mut out, over);
    out
}

fn lay(base: &mut Value, over: &Value) {
    for (key, value) in over.as_object().into_iter().flatten() {
        base[key] = value.clone();
    }
}

pub fn workload(name: &str, pod: &Value, app: &Value) -> Value {
    let mut spec = json!({ "terminationGracePeriodSeconds": 0, "containers": [container(app)] });
    lay(&mut spec, pod);
    // Recreate: the old pod goes although the new one is never ready.
    json!({ "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": name, "namespace": NAMESPACE },
        "spec": { "replicas": 1, "strategy": { "type": "Recreate" }, "selector": { "matchLabels": { "app": name } },
            "template": { "metadata": { "labels": { "app": name } }, "spec": spec } } })
}

fn name_of(check: &str) -> String {
    check.replace('/', "-")
}

/// A Deployment whose pods fail a check of pods.
fn pod(check: &'static str, pod: Value) -> Case {
    let name = name_of(check);
    let objects = vec![workload(&name, &pod, &json!({}))];
    Case { check, component: format!("{NAMESPACE}/{name}"), objects, then: Then::Passes }
}

/// A Deployment whose container fails a check of pods or containers.
fn app(check: &'static str, pod: Value, app: Value) -> Case {
    let name = name_of(check);
    let of = if check.starts_with("pod/") { "" } else { "/app" };
    let objects = vec![workload(&name, &pod, &app)];
    Case { check, component: format!("{NAMESPACE}/{name}{of}"), objects, then: Then::Passes }
}

fn host_path(path: &str) -> Value {
    json!({ "volumes": [{ "name": "node", "hostPath": { "path": path } }] })
}

fn mounted(more: &Value) -> Value {
    let mut mount = json!({ "name": "node", "mountPath": "/node" });
    lay(&mut mount, more);
    json!({ "volumeMounts": [mount] })
}

fn context(context: Value) -> Value {
    json!({ "securityContext": context })
}

fn pods() -> Vec<Case> {
    let none = || json!({});
    vec![
        pod("pod/apparmor-kept", context(json!({ "appArmorProfile": { "type": "Unconfined" } }))),
        pod("pod/capabilities-dropped", none()),
        pod("pod/isolated-egress", none()),
        pod("pod/isolated-ingress", none()),
        pod("pod/no-host-aliases", json!({ "hostAliases": [{ "ip": "192.0.2.1", "hostnames": ["a"] }] })),
        app("pod/no-host-paths", host_path("/srv"), mounted(&json!({}))),
        pod(
            "pod/no-host-process",
            json!({ "os": { "name": "windows" }, "hostNetwork": true,
                "securityContext": { "windowsOptions": { "hostProcess": true, "runAsUserName": "NT AUTHORITY\\SYSTEM" } } }),
        ),
        pod("pod/no-metadata-reach", none()),
        pod("pod/no-needless-token", none()),
        app(
            "pod/no-privilege-escalation",
            none(),
            context(json!({ "privileged": true, "capabilities": { "add": ["SYS_ADMIN", "KILL"] } })),
        ),
        pod("pod/no-process-sharing", json!({ "shareProcessNamespace": true })),
        app("pod/no-root-user", context(json!({ "runAsUser": 0 })), context(json!({ "runAsUser": 0 }))),
        pod(
            "pod/off-control-plane",
            json!({ "nodeSelector": { "node-role.kubernetes.io/control-plane": "" }, "tolerations": [
            { "key": "a", "operator": "Exists", "effect": "NoSchedule" },
            { "key": "node-role.kubernetes.io/control-plane", "operator": "Exists", "effect": "NoSchedule" },
            { "key": "b", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 7 },
            { "operator": "Exists" }] }),
        ),
        pod("pod/own-ipc-namespace", json!({ "hostIPC": true })),
        app(
            "pod/own-network",
            json!({ "hostNetwork": true }),
            json!({ "ports": [{ "containerPort": 53, "hostPort": 53, "protocol": "UDP" }, { "containerPort": 53, "hostPort": 53, "name": "dns" },
                { "containerPort": 80, "hostPort": 80 }] }),
        ),
        pod("pod/own-pid-namespace", json!({ "hostPID": true })),
        pod("pod/own-service-account", none()),
        pod("pod/priority-not-critical", json!({ "priorityClassName": "system-node-critical" })),
        pod("pod/priority-set", none()),
        app(
            "pod/probes-ask-the-pod",
            none(),
            json!({ "livenessProbe": { "httpGet": { "host": "192.0.2.1", "port": 80 } },
                "lifecycle": { "preStop": { "httpGet": { "host": "192.0.2.1", "port": 80 } } } }),
        ),
        app("pod/proc-always-masked", json!({ "hostUsers": false }), context(json!({ "procMount": "Unmasked" }))),
        pod("pod/replicated", none()),
        app("pod/runs-as-non-root", none(), context(json!({ "runAsNonRoot": false }))),
        pod(
            "pod/safe-sysctls",
            context(
                json!({ "sysctls": [{ "name": "kernel.msgmax", "value": "1" }, { "name": "net.ipv4.tcp_syncookies", "value": "1" }] }),
            ),
        ),
        pod("pod/scheduled", json!({ "nodeName": "n1" })),
        app(
            "pod/seccomp-not-off",
            context(json!({ "seccompProfile": { "type": "Unconfined" } })),
            context(json!({ "seccompProfile": { "type": "Unconfined" } })),
        ),
        pod("pod/seccomp-set", none()),
        app(
            "pod/selinux-kept",
            none(),
            context(json!({ "seLinuxOptions": { "type": "spc_t", "user": "u", "level": "s0" } })),
        ),
        replicas(pod("pod/spread", none())),
        pod("pod/user-namespace", json!({ "hostPID": true })),
        app(
            "pod/volume-types",
            json!({ "volumes": [{ "name": "node", "nfs": { "server": "192.0.2.1", "path": "/a" } }, { "name": "tmp", "emptyDir": {} }] }),
            mounted(&json!({})),
        ),
        strict(),
        exposed(),
        job("pod/job-cleared-away", false),
        job("pod/job-ends", true),
    ]
}

fn replicas(mut case: Case) -> Case {
    case.objects[0]["spec"]["replicas"] = json!(2);
    case
}

/// Everything that a level refuses at once, in a namespace that begins to enforce it afterwards.
fn strict() -> Case {
    let check = "pod/allowed-by-enforced-level";
    let bad = context(
        json!({ "privileged": true, "runAsUser": 0, "capabilities": { "add": ["NET_RAW", "NET_BIND_SERVICE"] } }),
    );
    let mut app = mounted(&json!({}));
    lay(&mut app, &bad);
    app["ports"] = json!([{ "containerPort": 80, "hostPort": 80 }]);
    let mut pod = host_path("/srv");
    pod["hostPID"] = json!(true);
    let mut object = workload("all", &pod, &app);
    object["metadata"]["namespace"] = json!("strict");
    Case { check, component: "strict/all".into(), objects: vec![object], then: Then::Passes }
}

fn exposed() -> Case {
    let mut case = app("pod/not-exposed", json!({}), json!({ "ports": [{ "containerPort": 80, "hostPort": 80 }] }));
    case.objects
        .push(json!({ "apiVersion": "v1", "kind": "Service", "metadata": { "name": "out", "namespace": NAMESPACE },
        "spec": { "type": "NodePort", "selector": { "app": "pod-not-exposed" }, "ports": [{ "port": 80 }] } }));
    case
}

fn job(check: &'static str, often: bool) -> Case {
    let name = name_of(check);
    let pod =
        json!({ "restartPolicy": "Never", "terminationGracePeriodSeconds": 0, "containers": [container(&json!({}))] });
    let job = json!({ "template": { "spec": pod } });
    let object = if often {
        json!({ "apiVersion": "batch/v1", "kind": "CronJob", "metadata": { "name": name, "namespace": NAMESPACE },
            "spec": { "schedule": "0 0 1 1 *", "jobTemplate": { "spec": job } } })
    } else {
        json!({ "apiVersion": "batch/v1", "kind": "Job", "metadata": { "name": name, "namespace": NAMESPACE }, "spec": job })
    };
    Case { check, component: format!("{NAMESPACE}/{name}"), objects: vec![object], then: Then::Passes }
}

fn containers() -> Vec<Case> {
    let plain = |check| app(check, json!({}), json!({}));
    let with = |check, over| app(check, json!({}), over);
    vec![
        with("container/cpu-limited", json!({ "resources": { "requests": { "cpu": "2" } } })),
        plain("container/disk-limited"),
        with("container/memory-limited", json!({ "resources": { "requests": { "memory": "900Mi" } } })),
        with(
            "container/resources-requested",
            json!({ "resources": { "limits": { "memory": "8Mi" }, "requests": { "memory": "4Mi" } } }),
        ),
        plain("container/high-user-number"),
        with("container/image-always-checked", json!({ "imagePullPolicy": "IfNotPresent" })),
        with("container/readiness-probe", json!({ "ports": [{ "containerPort": 80 }] })),
        with("container/no-added-capabilities", context(json!({ "capabilities": { "add": ["SYS_PTRACE", "KILL"] } }))),
        with("container/no-dangerous-capabilities", context(json!({ "capabilities": { "add": ["SYS_ADMIN"] } }))),
        with(
            "container/no-duplicate-variables",
            json!({ "env": [{ "name": "A'$(id)", "value": "1" }, { "name": "B", "value": "2" }, { "name": "A'$(id)", "value": "3" }] }),
        ),
        with(
            "container/no-env-secrets",
            json!({ "env": [{ "name": "DB_PASSWORD", "value": "correct-horse-9battery" }] }),
        ),
        with(
            "container/no-host-ports",
            json!({ "ports": [{ "containerPort": 80, "hostPort": 8080, "hostIP": "192.0.2.7" }] }),
        ),
        plain("container/no-raw-sockets"),
        app("container/no-runtime-socket", host_path("/run/containerd/containerd.sock"), mounted(&json!({}))),
        app("container/no-sensitive-host-paths", host_path("/etc/kubernetes"), mounted(&json!({ "readOnly": true }))),
        app("container/no-shared-propagation", host_path("/srv"), {
            let mut out = mounted(&json!({ "mountPropagation": "Bidirectional" }));
            lay(&mut out, &context(json!({ "privileged": true })));
            out
        }),
        with("container/no-terminal", json!({ "stdin": true, "tty": true })),
        app("container/no-writable-host-paths", host_path("/srv"), mounted(&json!({}))),
        with("container/non-root-user", context(json!({ "runAsUser": 0 }))),
        plain("container/read-only-root"),
        with("container/registry-maintained", json!({ "image": "k8s.gcr.io/pause:3.1" })),
        with("container/seccomp", context(json!({ "seccompProfile": { "type": "Unconfined" } }))),
        plain("container/security-context-set"),
        with("container/unprivileged", context(json!({ "privileged": true }))),
        naked(),
    ]
}

/// A pod that nobody can change: what must stand in its manifest is told.
fn naked() -> Case {
    let pod = json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "naked", "namespace": NAMESPACE },
        "spec": { "hostPID": true, "terminationGracePeriodSeconds": 0, "containers": [container(&json!({}))] } });
    Case {
        check: "pod/own-pid-namespace",
        component: format!("{NAMESPACE}/naked"),
        objects: vec![pod],
        then: Then::DryRun,
    }
}

pub fn object(check: &'static str, component: &str, objects: Vec<Value>) -> Case {
    Case { check, component: component.into(), objects, then: Then::Passes }
}

pub fn meta(api: &str, kind: &str, namespace: &str, name: &str, more: &Value) -> Value {
    let mut out = json!({ "apiVersion": api, "kind": kind, "metadata": { "name": name } });
    if !namespace.is_empty() {
        out["metadata"]["namespace"] = json!(namespace);
    }
    lay(&mut out, more);
    out
}

/// A request for a certificate of the group system:masters, as the API has it.
const CSR: &str = "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0KTUlIaE1JR0pBZ0VBTUNjeEZ6QVZCZ05WQkFvTURuTjVjM1JsYlRwdFlYTjBaWEp6TVF3d0NnWURWUVFEREFObApkbVV3V1RBVEJnY3Foa2pPUFFJQkJnZ3Foa2pPUFFNQkJ3TkNBQVRrcC9CMHY1Rittd2ZsYXR6OGxhdUxndSt5Ckh6NENZeU5DZDArVjFxRWJrNFBQOUlqR1NPVGJtUWpxZElEQ253UE8rWFhsSHV3NHBLTUdwZytxY2xPN29BQXcKQ2dZSUtvWkl6ajBFQXdJRFJ3QXdSQUlnVFRHQUZSd09RQkN6b1ZoYW9JY29DbWlMdVlBaWI3US80aXBQMnJRNgp6KzRDSUcrQjllMHBHQXJ2dGt5STZLMnpwMG9oaUtaNzdQbEdZbW5DckNxM1FwNksKLS0tLS1FTkQgQ0VSVElGSUNBVEUgUkVRVUVTVC0tLS0tCg==";

fn objects() -> Vec<Case> {
    let network = "networking.k8s.io/v1";
    let service = |name: &str, spec: Value| meta("v1", "Service", NAMESPACE, name, &json!({ "spec": spec }));
    let ports = json!([{ "name": "dns", "port": 53, "protocol": "UDP" }, { "name": "dns-tcp", "port": 53 }]);
    let volume = |name: &str, path: &str| {
        meta(
            "v1",
            "PersistentVolume",
            "",
            name,
            &json!({ "spec": {
        "capacity": { "storage": "1Gi" }, "accessModes": ["ReadWriteOnce"], "hostPath": { "path": path } } }),
        )
    };
    let ingress = |name: &str, annotations: Value| {
        let mut out = meta(
            network,
            "Ingress",
            NAMESPACE,
            name,
            &json!({ "spec": { "rules": [{ "host": format!("{name}.test"),
            "http": { "paths": [{ "path": "/", "pathType": "Prefix", "backend": { "service": { "name": "plain", "port": { "number": 53 } } } }] } }] } }),
        );
        out["metadata"]["annotations"] = annotations;
        out
    };
    let snippet = json!({ "nginx.ingress.kubernetes.io/server-snippet": "return 200;" });
    let csr = meta(
        "certificates.k8s.io/v1",
        "CertificateSigningRequest",
        "",
        "masters",
        &json!({ "spec": {
        "request": CSR, "signerName": "example.test/signer", "usages": ["client auth"] } }),
    );
    let mut token =
        meta("v1", "Secret", NAMESPACE, "lasting", &json!({ "type": "kubernetes.io/service-account-token" }));
    token["metadata"]["annotations"] = json!({ "kubernetes.io/service-account.name": "default" });
    let mut node = meta("v1", "Node", "", "n1", &json!({}));
    node["metadata"]["labels"] = json!({ "node-role.kubernetes.io/control-plane": "" });
    vec![
        object(
            "service/load-balancer-sources",
            "remedies/balanced",
            vec![service("balanced", json!({ "type": "LoadBalancer", "ports": ports }))],
        ),
        object("service/load-balancer-without-node-ports", "remedies/balanced", vec![]),
        object(
            "service/no-external-ips",
            "remedies/outer",
            vec![service("outer", json!({ "externalIPs": ["192.0.2.9"], "ports": ports }))],
        ),
        object(
            "service/no-node-port",
            "remedies/noded",
            vec![service("noded", json!({ "type": "NodePort", "externalTrafficPolicy": "Local", "ports": ports }))],
        ),
        object(
            "service/selects-pods",
            "remedies/empty",
            vec![service("empty", json!({ "selector": { "app": "gone" }, "ports": ports }))],
        ),
        object(
            "ingress/no-snippets",
            "remedies/raw",
            vec![service("plain", json!({ "ports": ports })), ingress("raw", snippet)],
        ),
        object("ingress/tls", "remedies/clear", vec![ingress("clear", json!({}))]),
        object(
            "network-policy/no-allow-all-egress",
            "remedies/all-out",
            vec![meta(
                network,
                "NetworkPolicy",
                NAMESPACE,
                "all-out",
                &json!({ "spec": { "podSelector": { "matchLabels": { "app": "nobody" } }, "policyTypes": ["Egress"], "egress": [{}] } }),
            )],
        ),
        object(
            "network-policy/no-allow-all-ingress",
            "remedies/all-in",
            vec![meta(
                network,
                "NetworkPolicy",
                NAMESPACE,
                "all-in",
                &json!({ "spec": { "podSelector": { "matchLabels": { "app": "nobody" } }, "policyTypes": ["Ingress"], "ingress": [{}] } }),
            )],
        ),
        object("node/control-plane-alone", "n1", vec![node]),
        object("secret/no-lasting-tokens", "remedies/lasting", vec![token]),
        object("volume/no-decisive-path", "decisive", vec![volume("decisive", "/etc")]),
        object("volume/no-host-path", "pathed", vec![volume("pathed", "/srv")]),
        object(
            "config-map/no-secrets",
            "remedies/held",
            vec![meta(
                "v1",
                "ConfigMap",
                NAMESPACE,
                "held",
                &json!({ "data": { "DB_PASSWORD": "correct-horse-9battery", "other": "x" } }),
            )],
        ),
        object(
            "api-service/service-exists",
            "v1.gone.test",
            vec![meta(
                "apiregistration.k8s.io/v1",
                "APIService",
                "",
                "v1.gone.test",
                &json!({ "spec": { "group": "gone.test", "version": "v1", "groupPriorityMinimum": 1, "versionPriority": 1,
                "insecureSkipTLSVerify": true, "service": { "namespace": NAMESPACE, "name": "gone" } } }),
            )],
        ),
        object("certificate-request/no-masters", "masters", vec![csr]),
    ]
}

fn namespaces() -> Vec<Case> {
    let budget = meta(
        "policy/v1",
        "PodDisruptionBudget",
        "bare",
        "tight",
        &json!({ "spec": { "minAvailable": 1, "selector": { "matchLabels": { "app": "alone" } } } }),
    );
    let mut alone = workload("alone", &json!({}), &json!({}));
    alone["metadata"]["namespace"] = json!("bare");
    let bare = |check| object(check, "bare", vec![]);
    vec![
        object("namespace/budgets-let-go", "bare", vec![alone, budget]),
        bare("namespace/default-deny-egress"),
        bare("namespace/default-deny-ingress"),
        bare("namespace/network-policies"),
        bare("namespace/pods-isolated"),
        bare("namespace/limit-defaults"),
        bare("namespace/quota"),
        object("namespace/pod-security-not-privileged", "given", vec![]),
    ]
}

/// What an engine for policies sets up, half of it wrong; only tried, since closed it would stop the cluster.
fn admission() -> Vec<Case> {
    let hook = json!({ "name": "guard.remedies.test", "failurePolicy": "Ignore", "timeoutSeconds": 30, "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        "clientConfig": { "service": { "namespace": NAMESPACE, "name": "guard", "path": "/" } },
        "namespaceSelector": { "matchExpressions": [{ "key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": ["bare", "remedies", "strict", "given", "kube-system"] }] },
        "objectSelector": { "matchLabels": { "app": "some" } },
        "rules": [{ "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"], "operations": ["CREATE"], "scope": "*" }] });
    let api = "admissionregistration.k8s.io/v1";
    let configuration = meta(api, "ValidatingWebhookConfiguration", "", "guards", &json!({ "webhooks": [hook] }));
    let policy = meta(
        api,
        "ValidatingAdmissionPolicy",
        "",
        "warned",
        &json!({ "spec": { "matchConstraints": { "resourceRules": [{
        "apiGroups": [""], "apiVersions": ["v1"], "resources": ["services"], "operations": ["CREATE"] }] }, "validations": [{ "expression": "true" }] } }),
    );
    let bound = meta(
        api,
        "ValidatingAdmissionPolicyBinding",
        "",
        "warned",
        &json!({ "spec": { "policyName": "warned", "validationActions": ["Warn"] } }),
    );
    let dry =
        |check, objects| Case { check, component: "guards/guard.remedies.test".into(), objects, then: Then::DryRun };
    vec![
        dry("admission/fails-closed", vec![configuration]),
        dry("admission/namespaces-not-exempt", vec![]),
        dry("admission/objects-not-exempt", vec![]),
        dry("admission/service-exists", vec![]),
        dry("admission/timeout-short", vec![]),
        object("admission/policies-enforced", "warned", vec![policy, bound]),
    ]
}

/// Every case.
pub fn all() -> Vec<Case> {
    [pods(), containers(), namespaces(), rights(), objects(), admission()].into_iter().flatten().collect()
}

/// Creates what the cases need.
pub fn set_up(cluster: &Cluster, cases: &[Case]) {
    for namespace in [NAMESPACE, "bare", "given", "strict", "other"] {
        cluster.create_namespace(namespace);
    }
    let level = |level: &str| json!({ "metadata": { "labels": { "pod-security.kubernetes.io/enforce": level } } });
    assert_eq!(cluster.patch("/api/v1/namespaces/given", &level("privileged")).0, 200);
    // A plug-in that enforces policies, as far as the API tells.
    let mut calico = workload("calico-node", &json!({}), &json!({ "image": "docker.io/calico/node:v3.30.0" }));
    calico["metadata"]["namespace"] = json!("kube-system");
    let mut given = workload("given", &json!({}), &json!({}));
    given["metadata"]["namespace"] = json!("given");
    let objects = [calico, given];
    for object in objects.iter().chain(cases.iter().flat_map(|case| &case.objects)) {
        // By kubectl, which takes lists with one name twice as the API server does.
        let text = object.to_string();
        let made =
            cluster.kubectl_as(&cluster.kubeconfig(), &["create", "--validate=false", "-f", "-"], text.as_bytes());
        assert_eq!(made.status, 0, "{object}: {}", made.stderr);
    }
    let began = std::time::Instant::now();
    let pods = || {
        let (_, pods) = cluster.get("/api/v1/namespaces/strict/pods");
        pods["items"].as_array().map_or(0, Vec::len)
    };
    while pods() == 0 && began.elapsed() < super::PATIENCE {
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    assert_eq!(cluster.patch("/api/v1/namespaces/strict", &level("restricted")).0, 200);
}
