//! Pods.

use super::{BOOL, INT, META, OPT_BOOL, OPT_INT, OPT_STR, STR, STRINGS, UNREAD};
use crate::schema::{Field, Type, fact, field, kind};

const STATUS: &str = "status of the pods";
const TEMPLATE: &str = "spec of the pod or template";
const DERIVED: &str = "a fact that decides is unknown";

/// A volume.
const VOLUME: &[Field] = &[
    field("name", STR, "its name in the pod; without the random end that the token volume is given"),
    field(
        "type",
        STR,
        "hostPath, emptyDir, secret, configMap, projected, persistentVolumeClaim, csi, …, as the field is called",
    ),
    field("source", STR, "path, secret, config map, claim, driver, server or repository; empty for others"),
    field("path_type", STR, "of hostPath: Directory, DirectoryOrCreate, File, Socket, …; empty where none is demanded"),
    field("read_only", BOOL, "whether the volume itself may only be read"),
    field("size_limit", OPT_INT, "of emptyDir: the most that it takes, in bytes"),
];

/// A service account's token that a volume projects.
const TOKEN: &[Field] = &[
    field("volume", STR, "the volume"),
    field("audience", OPT_STR, "whom it is for; null is the API server"),
    field("expires", INT, "how long it lives, in seconds"),
    field("path", STR, "its file beneath the volume"),
];

/// A path of the node that a volume reaches.
pub(super) const HOST_PATH: &[Field] = &[
    field("volume", STR, "the volume"),
    field("path", STR, "the path on the node, normalised; with what subPath picks of it where a container mounts it"),
    field(
        "class",
        STR,
        "root, runtime-socket, kubelet, pki, etcd, manifests, cni, credentials, engine, proc, sys, dev, logs, etc, system, home, run, module, or ordinary",
    ),
    field("reaches", STR, "what lies at or beneath it that gives it the class; the path itself where it is ordinary"),
    field("rw", BOOL, "whether a container may write through it"),
];

/// What a level of Pod Security does not allow.
pub(super) const VIOLATION: &[Field] = &[
    field("control", STR, "the control: privileged, host-namespaces, run-as-non-root, …"),
    field("container", STR, "the container; empty where the pod itself"),
    field("fact", STR, "the fact that decides"),
    field("what", STR, "what it sets, or what it should and does not"),
    field("refused", BOOL, "true; unknown where the fact is, so that only this control is undecided"),
];

const TOLERATION: &[Field] = &[
    field("key", STR, "the taint's key; empty is every key"),
    field("operator", STR, "Exists, Equal, Lt or Gt"),
    field("value", STR, "the taint's value"),
    field("effect", STR, "NoSchedule, PreferNoSchedule, NoExecute; empty is all"),
];

const SYSCTL: &[Field] = &[field("name", STR, "the kernel setting"), field("value", STR, "its value")];

/// SELinux options as an object has them.
pub(super) const SELINUX: &[Field] = &[
    field("user", STR, "the user; empty where none is set"),
    field("role", STR, "the role; empty where none is set"),
    field("type", STR, "the type; empty where none is set"),
    field("level", STR, "the level; empty where none is set"),
];

/// SELinux options, or none.
pub(super) const OPT_SELINUX: Type = Type::Optional(&Type::Object(SELINUX));

const ANNOTATION: &[Field] =
    &[field("container", STR, "the container; empty is the pod"), field("profile", STR, "the profile as written")];

kind! {
    /// A pod, pods of one workload that are alike, or the template of a workload without pods.
    POD = "kubernetes.pod", "A pod, pods of one workload that are alike, or the template of a workload without pods; values as the API server's defaults make them.", &[
    fact("namespace", STR, "the namespace that it lies in", META, UNREAD),
    fact("name", STR, "the workload's name, or the pod's own where it has none", META, UNREAD),
    fact("in_default_namespace", BOOL, "whether it lies in the namespace default", META, "a file that names no namespace: who applies it decides"),
    fact("in_system_namespace", BOOL, "whether it lies in a namespace of Kubernetes itself: kube-system, kube-public, kube-node-lease", META, UNREAD),
    fact("workload", STR, "the top controller, else the pod itself: Deployment/web, CronJob/report, Pod/web", "metadata.ownerReferences of pods, ReplicaSets and Jobs", "the list of ReplicaSets or Jobs could not be read, or they own one another in a circle"),
    fact("workload_kind", STR, "its kind: Deployment, StatefulSet, DaemonSet, Job, CronJob, ReplicationController, ReplicaSet, PodTemplate, Pod, Node, or a custom one", "metadata.ownerReferences", "as workload"),
    fact("owner_kinds", STRINGS, "kinds from the pod's controller to the top", "metadata.ownerReferences", "as workload"),
    fact("naked", BOOL, "whether no controller makes it anew", "metadata.ownerReferences", UNREAD),
    fact("static_pod", BOOL, "whether a kubelet made it of a file of its node (mirror pod)", "annotation kubernetes.io/config.mirror", UNREAD),
    fact("api", STR, "apiVersion of the object that holds its specification: v1, apps/v1", "apiVersion", UNREAD),
    fact("live", BOOL, "whether pods of it exist; else it is a workload's template", "the list of pods", UNREAD),
    fact("running", BOOL, "whether one of its pods has not ended; false of a template", STATUS, UNREAD),
    fact("instances", INT, "how many pods there are alike", "the list of pods", UNREAD),
    fact("replicas", OPT_INT, "how many the workload asks for; null where it does not count them", "spec.replicas, spec.parallelism of the workload", "the workload could not be read"),
    fact("phases", STRINGS, "phases of its pods: Pending, Running, Succeeded, Failed, Unknown", STATUS, UNREAD),
    fact("nodes", STRINGS, "nodes that its pods are bound to", "spec.nodeName", UNREAD),
    fact("node_pinned", BOOL, "whether its specification names the node, so that no scheduler looks at taints", "spec.nodeName of the template", "of a live pod without a template it cannot be told from what the scheduler wrote"),
    fact("labels", STRINGS, "labels as name=value; where instances differ in one, each value stands", META, UNREAD),
    fact("service_account", STR, "the service account that it runs as", "spec.serviceAccountName", UNREAD),
    fact("automount", OPT_BOOL, "whether it wants the account's token mounted; null leaves it to the account", "spec.automountServiceAccountToken", UNREAD),
    fact("tokens", Type::List(&Type::Object(TOKEN)), "tokens of its account that its volumes project", "spec.volumes[].projected", UNREAD),
    fact("image_pull_secrets", STRINGS, "secrets with which its images are pulled", "spec.imagePullSecrets", UNREAD),
    fact("host_network", BOOL, "whether it is in the node's network namespace", "spec.hostNetwork", UNREAD),
    fact("host_pid", BOOL, "whether it sees the node's processes", "spec.hostPID", UNREAD),
    fact("host_ipc", BOOL, "whether it is in the node's IPC namespace", "spec.hostIPC", UNREAD),
    fact("host_users", OPT_BOOL, "whether root in it is the node's root; null is the default, yes", "spec.hostUsers", UNREAD),
    fact("share_process_namespace", BOOL, "whether its containers see each other's processes", "spec.shareProcessNamespace", UNREAD),
    fact("os", OPT_STR, "the operating system that it names: linux, windows; null where none", "spec.os.name", UNREAD),
    fact("node_selector", STRINGS, "labels that its node must have, as name=value", "spec.nodeSelector", UNREAD),
    fact("tolerations", Type::List(&Type::Object(TOLERATION)), "taints that do not keep it off", "spec.tolerations", UNREAD),
    fact("tolerates_control_plane", BOOL, "whether the taint of control-plane nodes does not keep it off", "spec.tolerations", UNREAD),
    fact("selects_control_plane", BOOL, "whether it asks for a control-plane node", "spec.nodeSelector, spec.affinity.nodeAffinity", UNREAD),
    fact("spread", BOOL, "whether its pods are spread over nodes or zones by rule", "spec.affinity.podAntiAffinity, spec.topologySpreadConstraints", UNREAD),
    fact("runtime_class", OPT_STR, "the runtime class; null is the node's default runtime", "spec.runtimeClassName", UNREAD),
    fact("priority_class", OPT_STR, "the priority class; null where none", "spec.priorityClassName", UNREAD),
    fact("priority", OPT_INT, "the priority; null where no admission has set it", "spec.priority", UNREAD),
    fact("restart_policy", STR, "Always, OnFailure or Never", "spec.restartPolicy", UNREAD),
    fact("active_deadline", OPT_INT, "how long it may run, its own or its Job's; null is for ever", "spec.activeDeadlineSeconds", UNREAD).unit("seconds"),
    fact("ttl_after_finished", OPT_INT, "how long its Job is kept after its end; null is until somebody deletes it, or it is no Job", "spec.ttlSecondsAfterFinished of the Job", "the Job could not be read").unit("seconds"),
    fact("dns_policy", STR, "ClusterFirst, Default, ClusterFirstWithHostNet or None", "spec.dnsPolicy", UNREAD),
    fact("host_aliases", STRINGS, "names that it resolves by its own table, as address=name", "spec.hostAliases", UNREAD),
    fact("sysctls", Type::List(&Type::Object(SYSCTL)), "kernel settings of its namespaces", "spec.securityContext.sysctls", UNREAD),
    fact("security_context", BOOL, "whether it has a security context that says something", "spec.securityContext", UNREAD),
    fact("run_as_user", OPT_INT, "the user that it asks for, for all containers; null where none", "spec.securityContext.runAsUser", UNREAD),
    fact("run_as_group", OPT_INT, "the group; null where none", "spec.securityContext.runAsGroup", UNREAD),
    fact("run_as_non_root", OPT_BOOL, "whether the kubelet refuses root; null where it says nothing", "spec.securityContext.runAsNonRoot", UNREAD),
    fact("fs_group", OPT_INT, "the group that owns its volumes; null where none", "spec.securityContext.fsGroup", UNREAD),
    fact("supplemental_groups", Type::List(&Type::Int), "further groups of its processes", "spec.securityContext.supplementalGroups", UNREAD),
    fact("seccomp", OPT_STR, "seccomp type that the pod sets: RuntimeDefault, Localhost, Unconfined; null where it sets none", "spec.securityContext.seccompProfile.type", UNREAD),
    fact("apparmor", OPT_STR, "AppArmor type that the pod sets; null where it sets none", "spec.securityContext.appArmorProfile.type", UNREAD),
    fact("selinux", OPT_SELINUX, "SELinux options that the pod sets; null where it sets none", "spec.securityContext.seLinuxOptions", UNREAD),
    fact("windows_host_process", OPT_BOOL, "whether the pod asks for a process on the Windows node itself; null where it says nothing", "spec.securityContext.windowsOptions.hostProcess", UNREAD),
    fact("windows_user", OPT_STR, "the Windows user that it asks for; null where none", "spec.securityContext.windowsOptions.runAsUserName", UNREAD),
    fact("apparmor_annotations", Type::List(&Type::Object(ANNOTATION)), "AppArmor profiles by the annotations that were used before the field", "annotations container.apparmor.security.beta.kubernetes.io/NAME", UNREAD),
    fact("seccomp_annotations", Type::List(&Type::Object(ANNOTATION)), "seccomp profiles by the annotations that clusters before 1.27 heed", "annotations seccomp.security.alpha.kubernetes.io/pod and container.seccomp.security.alpha.kubernetes.io/NAME", UNREAD),
    fact("containers", STRINGS, "names of its containers of every kind", "spec.initContainers, containers, ephemeralContainers", UNREAD),
    fact("ephemeral_containers", STRINGS, "names of containers that were added to it while it ran", "spec.ephemeralContainers", UNREAD),
    fact("cpu_limit", OPT_INT, "limit of the pod as a whole; null where none", "spec.resources.limits.cpu", UNREAD).unit("millicpu"),
    fact("memory_limit", OPT_INT, "limit of the pod as a whole; null where none", "spec.resources.limits.memory", UNREAD).unit("bytes"),
    fact("volumes", Type::List(&Type::Object(VOLUME)), "its volumes", "spec.volumes", UNREAD),
    fact("secrets", STRINGS, "secrets that its volumes and its containers' environment name", TEMPLATE, UNREAD),
    fact("config_maps", STRINGS, "config maps that its volumes and its containers' environment name", TEMPLATE, UNREAD),
    fact("claims", STRINGS, "volume claims that it mounts, those that it brings along among them; of all instances, at most 64", "spec.volumes[].persistentVolumeClaim, spec.volumes[].ephemeral", UNREAD),
    fact("csi_drivers", STRINGS, "drivers of its inline CSI volumes", "spec.volumes[].csi.driver", UNREAD),
    fact("config_secrets", crate::schema::SECRETS, "secrets in its annotations and labels", "metadata.annotations, metadata.labels", UNREAD),
    fact("host_paths", Type::List(&Type::Object(HOST_PATH)), "paths of the node that its volumes reach", "volumes, and mounts of its containers", DERIVED).derived(),
    fact("token_mounted", BOOL, "whether one of its containers has a token of its account for the API server", "volumes of a live pod; automount, else the account's, of a template", "the service account could not be read, or is not among the files").derived(),
    fact("policy_version", OPT_INT, "the minor version whose Pod Security policy the following were judged by: the cluster's, else the newest known; null is the newest known", "the cluster's version", "never").derived(),
    fact("baseline_violations", Type::List(&Type::Object(VIOLATION)), "what the level baseline does not allow", "facts of the pod and its containers", DERIVED).derived(),
    fact("restricted_violations", Type::List(&Type::Object(VIOLATION)), "what the level restricted does not allow, that of baseline included", "facts of the pod and its containers", DERIVED).derived(),
    fact("enforced_violations", Type::List(&Type::Object(VIOLATION)), "what the level that its namespace enforces now does not allow: it was admitted before, or exempt", "facts of the pod and its containers, labels of the namespace", "the namespace could not be read").derived(),
    fact("isolated_ingress", BOOL, "whether a policy that is enforced isolates it for what comes in", "network policies, the network plugin", "the plugin is not known to enforce policies, or one of them is not understood").derived(),
    fact("isolated_egress", BOOL, "whether a policy that is enforced isolates it for what goes out", "network policies, the network plugin", "the plugin is not known to enforce policies, or one of them is not understood").derived(),
    fact("reaches_metadata", BOOL, "whether nothing keeps it from the addresses at which clouds tell machines their credentials: 169.254.169.254, fd00:ec2::254; always, on the node's network", "network policies, the network plugin", "the plugin is not known to enforce policies, or one of them is not understood").derived(),
    fact("exposed", STRINGS, "how it is reached from outside the cluster: host-network, host-port 8080, and node-port, load-balancer, internal-load-balancer, external-ip or ingress with the service: load-balancer shop/web", "its ports, services, ingresses, network policies", "services, ingresses or its ports are not all known").derived(),
]}
