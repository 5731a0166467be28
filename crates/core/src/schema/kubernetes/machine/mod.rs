//! The processes of a control plane and a node, by their settings in effect, and their files. A setting in effect is
//! what the last flag says, else the configuration file, else what the component does without either, by its version.

mod apiserver;
mod controllers;
mod etcd;
mod file;
mod kubelet;

pub use apiserver::APISERVER;
pub use controllers::{CONTROLLER_MANAGER, SCHEDULER};
pub use etcd::ETCD;
pub use file::FILE;
pub use kubelet::{KUBELET, PROXY};

use super::{BOOL, INT, OPT_INT, OPT_STR, STR, STRINGS};
use crate::schema::{Field, Type, field};

/// Where settings are read.
const FLAGS: &str = "its arguments, its configuration files, the defaults of its version";
/// When settings are unknown.
const EFFECT: &str = "its arguments or a configuration file could not be read or make no sense, a file changed after it started, or its version decides and is unknown";

/// A feature gate that was set.
const GATES: Type = Type::List(&Type::Object(GATE));
const GATE: &[Field] =
    &[field("name", STR, "the feature"), field("enabled", BOOL, "whether it was switched on or off")];

/// A certificate in a file.
const CERTIFICATE: &[Field] = &[
    field("subject", STR, "whom it names: O=system:masters,CN=admin"),
    field("common_name", STR, "the common name: the user; empty where it has none"),
    field("organizations", STRINGS, "the organizations: the groups"),
    field("issuer", STR, "whom its issuer is called"),
    field("fingerprint", STR, "the first 16 hexadecimal digits of the SHA-256 of it"),
    field("ca", BOOL, "whether it may sign others"),
    field("client", BOOL, "whether a client may show it"),
    field("server", BOOL, "whether a server may show it"),
    field("key", STR, "the kind of its key: RSA 2048, EC P-256, Ed25519"),
    field("expires_in_days", INT, "days from collecting to its end; negative when it has passed"),
    field("valid_days", INT, "days from its beginning to its end"),
];

/// A kind of process: what all of them have, and its own settings.
macro_rules! process {
    ($(#[$doc:meta])* $ident:ident = $name:literal, $means:literal, [$($fact:expr),* $(,)?]) => {
        $crate::schema::kind! {
            $(#[$doc])*
            $ident = $name, $means, &[
                fact("name", STR, "the node and what it is: cp-1/kube-apiserver", "the node", "never"),
                fact("node", STR, "the node that it runs on", "--hostname-override of the kubelet, the host's name, the pod's spec.nodeName", "never"),
                fact("found_by", STR, "how its settings were read: process (its arguments and files on the node), mirror-pod (the API's copy of its static pod), pod (the API's word of the pod that runs it, and the ConfigMap that is its file), configz (its own answer) or joined (more than one of these)", "the collector", "never"),
                fact("program", STR, "the program that it runs in: its own, or one that holds several components (k3s, rke2, kubelite, hyperkube)", "the name of its executable, the command of its container", "its executable may not be read"),
                fact("embedded", BOOL, "whether it runs inside a process with other components", "the name of its executable", "its executable may not be read"),
                fact("executable", OPT_STR, "the path of its executable as its own file system has it; null where only the API told of it", "/proc/PID/exe", "its executable may not be read"),
                fact("executable_deleted", BOOL, "whether its executable was replaced or removed since it was started", "/proc/PID/exe", "only the API told of it, or its executable may not be read"),
                fact("version", STR, "its version: 1.35.4", "its container's image, its executable, the distribution's files, its own answer", "none of them tells"),
                fact("minor", INT, "the minor version: 35; of etcd too: 6 of 3.6", "its version", "its version is unknown"),
                fact("pid", OPT_INT, "its process; null where only the API told of it", "/proc", "never"),
                fact("user", STR, "the user that it runs as: the name where the node has one, else the number", "/proc/PID/status", "only the API told of it and the pod does not say, or it may not be read"),
                fact("root", BOOL, "whether it runs as root of the node", "/proc/PID/status, its user namespace", "only the API told of it and the pod does not say, or it may not be read"),
                fact("in_container", BOOL, "whether it runs in a container of the node", "its mount namespace, its control group", "it may not be read"),
                fact("arguments", STRINGS, "its arguments, secrets taken out", "/proc/PID/cmdline, the pod's command", "they could not be read"),
                fact("config_files", STRINGS, "the configuration files that it was started with, in the order in which they count, as its own file system has them", "its arguments", "its arguments could not be read"),
                fact("configured_not_active", STRINGS, "configuration files, and files that these name, that changed after it started and that it reads only then", "the files' times against the start of the process", "only the API told of it, or the files or its start could not be read"),
                fact("feature_gates", $crate::schema::kubernetes::machine::GATES, "feature gates that were set", FLAGS, EFFECT),
                $($fact),*
            ]
        }
    };
}
pub(crate) use process;
