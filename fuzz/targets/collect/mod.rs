//! What the collector reads: engines' answers, daemons, the host's files, the kernel's messages.

mod daemon;
mod engine;
mod files;
mod given;
mod kernel;
mod secrets;

/// A target's name, and what is fed.
type Target = (&'static str, fn(&[u8]));

/// The targets by name.
pub const ALL: &[Target] = &[
    ("container", engine::containers),
    ("image", engine::images),
    ("network", engine::networks),
    ("volume", engine::volumes),
    ("swarm", engine::swarms),
    ("info", engine::info),
    ("body", engine::body),
    ("endpoint", engine::endpoint),
    ("daemon-json", daemon::json),
    ("daemon-argv", daemon::argv),
    ("daemon-settings", daemon::settings),
    ("go-values", daemon::values),
    ("accounts", files::accounts),
    ("sudoers", files::sudoers),
    ("sshd", files::sshd),
    ("packages", files::packages),
    ("rpm", files::rpm),
    ("units", files::units),
    ("containerd", files::containerd),
    ("client", files::client),
    ("audit-rules", files::audit_rules),
    ("audit-log", files::audit_log),
    ("packed", engine::packed),
    ("glob", files::glob),
    ("evidence", given::given_evidence),
    ("dockerfile", given::dockerfile),
    ("manifest", given::manifest),
    ("audit-message", kernel::audit_message),
    ("netlink", kernel::netlink),
    ("acl", kernel::access_list),
    ("mountinfo", kernel::mounts),
    ("proc-status", kernel::status),
    ("proc-net", kernel::sockets),
    ("seccomp", kernel::seccomp),
    ("redactor", secrets::planted),
    ("redactor-text", secrets::any),
];

/// The pieces of an input that stands for several files: lines of `%%` part them.
fn pieces<const N: usize>(data: &[u8]) -> [&[u8]; N] {
    let mut out = [&data[..0]; N];
    let mut rest = data;
    for (index, piece) in out.iter_mut().enumerate() {
        let end = rest.windows(4).position(|w| w == b"\n%%\n").filter(|_| index + 1 < N);
        *piece = &rest[..end.map_or(rest.len(), |end| end + 1)];
        rest = end.map_or(&rest[..0], |end| &rest[end + 4..]);
    }
    out
}
