//! Files and directories of a control plane or node.

use super::{BOOL, CERTIFICATE, INT, OPT_INT, OPT_STR, STR, STRINGS};
use crate::schema::{Field, Type, fact, field, kind};

const UNREAD: &str = "the node was not read, or the right to look is missing";
const CONTENT: &str = "it may not be read, or holds something else";

const CREDENTIAL: &[Field] = &[
    field("user", STR, "the name of the entry in the kubeconfig; empty in a certificate's own file"),
    field("kind", STR, "certificate, token, token-file, password, exec, auth-provider or none"),
    field("common_name", STR, "the user that a certificate names; empty for other kinds"),
    field("organizations", STRINGS, "the groups that a certificate names"),
    field("expires_in_days", OPT_INT, "days from collecting to the certificate's end; null for other kinds"),
    field("inside", BOOL, "whether the credential lies in this very file, not in one that it names"),
];

kind! {
    /// A file or directory of a control plane or node, with the role that it plays.
    FILE = "kubernetes.file", "A file or directory of a control plane or node, by the role that it plays.", &[
    fact("role", STR, "the part that it plays: apiserver-manifest, controller-manager-manifest, scheduler-manifest, etcd-manifest, manifests-dir, cni-config, cni-dir, etcd-data-dir, admin-conf, super-admin-conf, scheduler-conf, controller-manager-conf, kubelet-conf, proxy-kubeconfig, kubeconfig, pki-dir, pki-cert, pki-key, kubelet-config, kubelet-unit, kubelet-client-ca, kubelet-cert, kubelet-key, proxy-config, encryption-config, audit-policy, audit-log, authentication-config, authorization-config, admission-config, token-file, distribution-config, runtime-socket, executable", "what the components' arguments name; else the distribution's places", "never"),
    fact("path", STR, "where it is on the node; where only a container sees it, as the container does, behind its component: kube-proxy:/etc/config.conf", "what the components' arguments name; else the distribution's places", "never"),
    fact("node", STR, "the node that it lies on", "--hostname-override of the kubelet, the host's name", "never"),
    fact("seen_as", OPT_STR, "its path in the container of the component that uses it; null where that is the same", "/proc/PID/root", UNREAD),
    fact("used_by", STRINGS, "the components that use it", "their arguments", "the arguments of one could not be read"),
    fact("exists", BOOL, "whether it is there", "the file system", UNREAD),
    fact("type", OPT_STR, "file, directory, socket or other; null when it is not there", "the file system", UNREAD),
    fact("uid", INT, "the owner's number", "the file system", UNREAD),
    fact("gid", INT, "the group's number", "the file system", UNREAD),
    fact("owner", STR, "the owner's name, or its number", "the file system, /etc/passwd", UNREAD),
    fact("group", STR, "the group's name, or its number", "the file system, /etc/group", UNREAD),
    fact("owned_by_process", BOOL, "whether it belongs to the user that the component that uses it runs as", "the file system, /proc/PID/status", "no process uses it, or the right to look is missing"),
    fact("mode", INT, "the permission bits, compared by bits: mode.within(\"0644\") has no bit outside 0644", "the file system", UNREAD).unit("octal bits"),
    fact("acl", STRINGS, "entries of its access control list that grant more than its mode does", "system.posix_acl_access", UNREAD),
    fact("readable_by_others", BOOL, "whether somebody else than root and its owner may read it, by mode or access control list", "mode, access control list", UNREAD),
    fact("writable_by_others", BOOL, "whether somebody else than root and its owner may write it, by mode or access control list", "mode, access control list", UNREAD),
    fact("exposed_parents", STRINGS, "directories above it in which somebody else than root may put another in its place", "the file system", UNREAD),
    fact("certificates", Type::List(&Type::Object(CERTIFICATE)), "the certificates in it", "the file", CONTENT),
    fact("private_key", BOOL, "whether a private key lies in it", "the file", CONTENT),
    fact("credentials", Type::List(&Type::Object(CREDENTIAL)), "whom it lets act: users of a kubeconfig, certificates with their key", "the file", CONTENT),
    fact("server", OPT_STR, "the API server of a kubeconfig's current context; null where it has none", "the file", CONTENT),
    fact("skips_verification", BOOL, "whether a kubeconfig has a cluster whose certificate is not verified", "the file", CONTENT),
    ]
}
