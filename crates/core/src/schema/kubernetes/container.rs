//! Containers of pods.

use super::pod::{HOST_PATH, OPT_SELINUX};
use super::{BOOL, META, OPT_BOOL, OPT_INT, OPT_STR, STR, STRINGS, UNREAD};
use crate::schema::{Field, INT, SECRETS, Type, fact, field, kind};

const POD_FACT: &str = "the pod";
const DERIVED: &str = "a fact that decides is unknown";

const PORT: &[Field] = &[
    field("name", STR, "its name; empty where it has none"),
    field("container_port", INT, "the port in the container"),
    field("host_port", INT, "the port on the node; 0 is none"),
    field("host_ip", STR, "the address on the node; empty is every one"),
    field("protocol", STR, "TCP, UDP or SCTP"),
];

const KEY_REF: &[Field] = &[
    field("variable", STR, "the variable"),
    field("name", STR, "the secret or config map"),
    field("key", STR, "the key in it"),
];

const ENV_FROM: &[Field] = &[
    field("kind", STR, "Secret or ConfigMap"),
    field("name", STR, "its name"),
    field("prefix", STR, "what is put before each variable"),
];

const MOUNT: &[Field] = &[
    field("volume", STR, "the volume"),
    field("type", STR, "the volume's type; empty where the pod has no such volume"),
    field("path", STR, "where it appears in the container"),
    field("rw", BOOL, "whether the container may write through it"),
    field("sub_path", STR, "what of the volume is mounted; empty is all of it"),
    field("propagation", STR, "None, HostToContainer or Bidirectional"),
];

const PROBE: &[Field] = &[
    field("kind", STR, "exec, http, tcp, grpc, sleep or none"),
    field("host", STR, "the host that it names instead of the pod; empty where none"),
    field("what", STR, "command, port or path, secrets taken out"),
];
const OPT_PROBE: Type = Type::Optional(&Type::Object(PROBE));

kind! {
    /// A container of a pod.
    CONTAINER = "kubernetes.container", "A container of a pod: init, sidecar, regular or ephemeral; the pod's security context is part of its own.", &[
    fact("namespace", STR, "the namespace that it lies in", META, UNREAD),
    fact("name", STR, "its name", "name of the container", UNREAD),
    fact("pod", STR, "the id of its pod's component", "the object that holds it", UNREAD),
    fact("workload", STR, "as the pod's", POD_FACT, "as the pod's"),
    fact("kind", STR, "init, sidecar (an init container that keeps running), regular or ephemeral", "the list that it stands in, restartPolicy", UNREAD),
    fact("live", BOOL, "as the pod's", POD_FACT, UNREAD),
    fact("running", BOOL, "whether its pod has not ended; false of a template", POD_FACT, UNREAD),
    fact("service_account", STR, "as the pod's", POD_FACT, UNREAD),
    fact("os", OPT_STR, "as the pod's", POD_FACT, UNREAD),
    fact("static_pod", BOOL, "as the pod's", POD_FACT, UNREAD),
    fact("host_network", BOOL, "as the pod's", POD_FACT, UNREAD),
    fact("host_pid", BOOL, "as the pod's", POD_FACT, UNREAD),
    fact("host_ipc", BOOL, "as the pod's", POD_FACT, UNREAD),
    fact("user_namespace", BOOL, "whether its root is nobody on the node (hostUsers: false)", POD_FACT, UNREAD),
    fact("runtime_class", OPT_STR, "as the pod's", POD_FACT, UNREAD),
    fact("target", OPT_STR, "of an ephemeral container: the container whose processes it sees; null for others", "targetContainerName", UNREAD),
    fact("image", STR, "the image as it was asked for; empty where the specification leaves it out", "image", UNREAD),
    fact("image_registry", STR, "the registry: docker.io where none is named", "image", UNREAD),
    fact("image_repository", STR, "the repository beneath the registry", "image", UNREAD),
    fact("image_tag", OPT_STR, "the tag; null where none", "image", UNREAD),
    fact("image_digest", OPT_STR, "the digest; null where none", "image", UNREAD),
    fact("image_reference", STR, "digest, tag, latest (also: no tag), or invalid", "image", UNREAD),
    fact("registry_allowed", Type::Optional(&Type::Bool), "whether seaworthy.toml allows its registry; null where it has no list", "its image against seaworthy.toml", "its image is unknown").derived(),
    fact("image_ids", STRINGS, "what its instances run, as the runtime says; at most 8", "status.containerStatuses[].imageID", UNREAD),
    fact("pull_policy", STR, "Always, IfNotPresent or Never", "imagePullPolicy", UNREAD),
    fact("security_context", BOOL, "whether it or its pod has a security context that says something", "securityContext of container and pod", UNREAD),
    fact("privileged", BOOL, "whether it may do everything on its node", "securityContext.privileged", UNREAD),
    fact("allow_privilege_escalation", OPT_BOOL, "as it says; null where it says nothing, which allows it", "securityContext.allowPrivilegeEscalation", UNREAD),
    fact("no_new_privileges", BOOL, "whether its processes cannot gain privileges by setuid programs", "securityContext.allowPrivilegeEscalation, privileged, capabilities", UNREAD),
    fact("capabilities_added", STRINGS, "capabilities that it adds, as written, without CAP_", "securityContext.capabilities.add", UNREAD),
    fact("capabilities_dropped", STRINGS, "capabilities that it drops, as written, without CAP_", "securityContext.capabilities.drop", UNREAD),
    fact("capabilities", STRINGS, "capabilities that its processes can hold, with the default set of containerd and Docker (CRI-O's is smaller); ALL is every one", "securityContext.capabilities, privileged", UNREAD),
    fact("own_run_as_user", OPT_INT, "the user that it asks for itself; null where none", "securityContext.runAsUser", UNREAD),
    fact("run_as_user", OPT_INT, "the user that it or its pod asks for; null leaves it to the image", "securityContext.runAsUser of container and pod", UNREAD),
    fact("run_as_group", OPT_INT, "the group that it or its pod asks for; null leaves it to the image", "securityContext.runAsGroup of container and pod", UNREAD),
    fact("own_run_as_non_root", OPT_BOOL, "whether it has root refused itself; null where it says nothing", "securityContext.runAsNonRoot", UNREAD),
    fact("run_as_non_root", BOOL, "whether the kubelet refuses to start it as root", "securityContext.runAsNonRoot of container and pod", UNREAD),
    fact("root_user", BOOL, "whether it runs as user 0", "run_as_user, run_as_non_root", "the image's user decides, which the API does not tell"),
    fact("root_possible", BOOL, "whether nothing in its specification keeps it from running as user 0", "run_as_user, run_as_non_root", UNREAD),
    fact("readonly_rootfs", BOOL, "whether its root file system is read-only", "securityContext.readOnlyRootFilesystem", UNREAD),
    fact("proc_mount", STR, "Default, or Unmasked where the kernel's dangerous files under /proc are not masked", "securityContext.procMount", UNREAD),
    fact("own_seccomp", OPT_STR, "seccomp type that it sets itself; null where none", "securityContext.seccompProfile.type", UNREAD),
    fact("seccomp_set", OPT_STR, "seccomp type that it or its pod sets; null where neither does", "securityContext.seccompProfile.type of container and pod", UNREAD),
    fact("seccomp", STR, "in effect: RuntimeDefault, Localhost or Unconfined", "securityContext of container and pod, seccompDefault of its nodes' kubelets", "neither sets one, and the kubelet was not read").derived(),
    fact("own_apparmor", OPT_STR, "AppArmor type that it sets itself; null where none", "securityContext.appArmorProfile.type", UNREAD),
    fact("apparmor", OPT_STR, "AppArmor type that it, its pod or an annotation sets; null leaves it to the runtime, which confines it where the node has AppArmor and it is not privileged", "securityContext.appArmorProfile of container and pod, annotations", UNREAD),
    fact("own_selinux", OPT_SELINUX, "SELinux options that it sets itself; null where none", "securityContext.seLinuxOptions", UNREAD),
    fact("selinux", OPT_SELINUX, "SELinux options that it or its pod sets; null where neither does", "securityContext.seLinuxOptions of container and pod", UNREAD),
    fact("own_windows_host_process", OPT_BOOL, "whether it asks itself for a process on the Windows node; null where it says nothing", "securityContext.windowsOptions.hostProcess", UNREAD),
    fact("windows_host_process", BOOL, "whether it is a process on the Windows node itself", "securityContext.windowsOptions.hostProcess of container and pod", UNREAD),
    fact("ports", Type::List(&Type::Object(PORT)), "ports that it declares; with the node's network each is one of the node", "ports", UNREAD),
    fact("env_names", STRINGS, "names of its environment variables, as often as they stand there", "env", UNREAD),
    fact("env_duplicates", STRINGS, "names that stand in it more than once", "env", UNREAD),
    fact("env_secret_refs", Type::List(&Type::Object(KEY_REF)), "variables that are filled from secrets", "env[].valueFrom.secretKeyRef", UNREAD),
    fact("env_config_refs", Type::List(&Type::Object(KEY_REF)), "variables that are filled from config maps", "env[].valueFrom.configMapKeyRef", UNREAD),
    fact("env_from", Type::List(&Type::Object(ENV_FROM)), "secrets and config maps that become variables as a whole", "envFrom", UNREAD),
    fact("env_secrets", SECRETS, "secrets that stand in its environment literally", "env[].value", UNREAD),
    fact("config_secrets", SECRETS, "secrets in its command, arguments, probes and hooks", "command, args, probes, lifecycle", UNREAD),
    fact("command", STRINGS, "what it starts, secrets taken out; empty leaves it to the image; at most 64 words", "command", UNREAD),
    fact("args", STRINGS, "its arguments, secrets taken out; empty leaves them to the image; at most 64 words", "args", UNREAD),
    fact("runs_sudo", BOOL, "whether its command or arguments call sudo", "command, args", UNREAD),
    fact("ssh_server", BOOL, "whether its command, arguments, ports or image name an SSH server", "command, args, ports, image", UNREAD),
    fact("mounts", Type::List(&Type::Object(MOUNT)), "what is mounted into it", "volumeMounts, volumes of the pod", UNREAD),
    fact("volume_devices", STRINGS, "volumes that it is given as raw devices", "volumeDevices", UNREAD),
    fact("liveness_probe", OPT_PROBE, "what tells the kubelet that it must be restarted; null where none", "livenessProbe", UNREAD),
    fact("readiness_probe", OPT_PROBE, "what tells services that it can be asked; null where none", "readinessProbe", UNREAD),
    fact("startup_probe", OPT_PROBE, "what the others wait for; null where none", "startupProbe", UNREAD),
    fact("same_probes", BOOL, "whether liveness and readiness ask exactly the same", "livenessProbe, readinessProbe", UNREAD),
    fact("hooks", Type::List(&Type::Object(PROBE)), "what is done after its start and before its end", "lifecycle.postStart, lifecycle.preStop", UNREAD),
    fact("probe_hosts", STRINGS, "hosts other than the pod that the kubelet is made to ask, as field=host", "probes and hooks", UNREAD),
    fact("cpu_request", OPT_INT, "what is reserved; null where nothing", "resources.requests.cpu", UNREAD).unit("millicpu"),
    fact("cpu_limit", OPT_INT, "the most that it gets; null is no limit", "resources.limits.cpu", UNREAD).unit("millicpu"),
    fact("memory_request", OPT_INT, "what is reserved; null where nothing", "resources.requests.memory", UNREAD).unit("bytes"),
    fact("memory_limit", OPT_INT, "the most that it gets, its pod's limit where it has none of its own; null is no limit", "resources.limits.memory of container and pod", UNREAD).unit("bytes"),
    fact("ephemeral_storage_request", OPT_INT, "what is reserved of the node's disk; null where nothing", "resources.requests.ephemeral-storage", UNREAD).unit("bytes"),
    fact("ephemeral_storage_limit", OPT_INT, "the most of the node's disk; null is no limit", "resources.limits.ephemeral-storage", UNREAD).unit("bytes"),
    fact("extended_resources", STRINGS, "devices and other resources that it asks for beside: nvidia.com/gpu", "resources.limits, resources.claims", UNREAD),
    fact("stdin", BOOL, "whether its standard input is kept open", "stdin", UNREAD),
    fact("tty", BOOL, "whether it is given a terminal", "tty", UNREAD),
    fact("token_mounted", BOOL, "whether it has a token of its account for the API server", "mounts of a live pod; automount, else the account's, of a template", "the service account could not be read, or is not among the files").derived(),
    fact("host_paths", Type::List(&Type::Object(HOST_PATH)), "paths of the node that its mounts reach", "mounts, volumes of its pod", DERIVED).derived(),
    fact("claim_paths", Type::List(&Type::Object(HOST_PATH)), "paths of a node that volumes of the cluster give it through claims", "mounts, claims, volumes of the cluster", "the cluster's volumes could not be listed, or this is a file").derived(),
    fact("runtime_sockets", Type::List(&Type::Object(HOST_PATH)), "sockets of container engines among them, or directories that hold them", "mounts, volumes of its pod", DERIVED).derived(),
    fact("sensitive_host_paths", Type::List(&Type::Object(HOST_PATH)), "those among them that decide over the node or hold its secrets", "mounts, volumes of its pod", DERIVED).derived(),
    fact("equal_to_root", STRINGS, "why its code can take its node as root; empty when nothing known allows it", "its other facts", DERIVED).derived(),
]}
