//! What a container's processes may do: capabilities, root on the host, privileged.

use std::sync::Arc;

use super::super::json::{Node, Read};
use super::super::sheet::Sheet;
use super::Reading;

/// The capabilities that Docker and containerd give where nothing is said, sorted.
pub(crate) const DEFAULTS: [&str; 14] = [
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "NET_RAW",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];

/// Every capability that Linux 6 knows: what `ALL` means where the host's own set is not known.
const ALL: [&str; 41] = [
    "AUDIT_CONTROL",
    "AUDIT_READ",
    "AUDIT_WRITE",
    "BLOCK_SUSPEND",
    "BPF",
    "CHECKPOINT_RESTORE",
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "IPC_LOCK",
    "IPC_OWNER",
    "KILL",
    "LEASE",
    "LINUX_IMMUTABLE",
    "MAC_ADMIN",
    "MAC_OVERRIDE",
    "MKNOD",
    "NET_ADMIN",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_RAW",
    "PERFMON",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYSLOG",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_CHROOT",
    "SYS_MODULE",
    "SYS_NICE",
    "SYS_PACCT",
    "SYS_PTRACE",
    "SYS_RAWIO",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "WAKE_ALARM",
];

pub(super) fn fill(sheet: &mut Sheet, c: &Reading<'_>) {
    sheet.read("privileged", "HostConfig.Privileged", c.privileged.clone());
    let userns = c.host.get("UsernsMode").text();
    let opted_out = userns.clone().map(|mode| mode == "host");
    sheet.read("userns_host", "HostConfig.UsernsMode", opted_out);
    c.effect(
        sheet,
        "root_on_host",
        ("uid_map", |o| &o.root_on_host),
        ("HostConfig.UsernsMode", || root_on_host(c, userns.clone()?)),
    );
    let configured = capabilities(c);
    let added = |set: &Vec<String>| -> Vec<String> {
        set.iter().filter(|cap| DEFAULTS.binary_search(&cap.as_str()).is_err()).cloned().collect()
    };
    match c.seen().and_then(|o| Some((&o.place, o.capabilities.as_ref().ok()?))) {
        Some((place, shown)) => {
            let all = also_given(c, shown, configured.as_ref().ok());
            sheet.seen("capabilities_added", place, "CapBnd; HostConfig.CapAdd, CapDrop", Ok(added(&all)));
            sheet.seen("capabilities", place, "CapBnd; HostConfig.CapAdd, CapDrop", Ok(all));
        }
        None => {
            const FIELD: &str = "HostConfig.CapAdd, CapDrop";
            sheet.read("capabilities_added", FIELD, configured.as_ref().map(added).map_err(Arc::clone));
            sheet.read("capabilities", FIELD, configured);
        }
    }
}

/// What its processes show, with what a program gave up for itself: the next process inside is given it again. What
/// the host itself has not got nobody is given.
fn also_given(c: &Reading<'_>, shown: &[String], configured: Option<&Vec<String>>) -> Vec<String> {
    let mut all = shown.to_vec();
    let mut given_up = configured.into_iter().flatten().filter(|cap| !shown.contains(cap)).peekable();
    // Most gave up none, and the host need not be asked.
    if given_up.peek().is_some() {
        let host = c.ctx.host.all_capabilities().unwrap_or_default();
        all.extend(given_up.filter(|cap| host.contains(cap)).cloned());
        all.sort_unstable();
        all.dedup();
    }
    all
}

/// Whether user 0 inside is user 0 of the host, by configuration.
fn root_on_host(c: &Reading<'_>, mode: &str) -> Read<bool> {
    let engine = c.ctx.engine;
    if engine.rootless.clone()? {
        return Ok(false);
    }
    if engine.podman {
        return match mode {
            "" | "host" => Ok(true),
            "private" | "auto" | "nomap" => Ok(false),
            _ => Err("how Podman maps its users cannot be told from its configuration".into()),
        };
    }
    Ok(mode == "host" || !engine.userns.clone()?)
}

/// The capabilities that the configuration gives, sorted: defaults and additions without what is dropped; `ALL`
/// added means all but the dropped ones, `ALL` dropped means only the added ones.
pub(super) fn capabilities(c: &Reading<'_>) -> Read<Vec<String>> {
    let all = || c.ctx.host.all_capabilities().or_else(|_| Ok::<_, Arc<str>>(ALL.map(String::from).to_vec()));
    if c.privileged.clone()? {
        return all();
    }
    let add = names(c.host.get("CapAdd"))?;
    let drop = names(c.host.get("CapDrop"))?;
    let has_all = |set: &[String]| set.iter().any(|cap| cap == "ALL");
    let mut set = if has_all(&add) {
        let mut set = all()?;
        set.retain(|cap| !drop.contains(cap));
        set
    } else if has_all(&drop) {
        add
    } else if c.podman() {
        return Err("Podman's default capabilities are set in containers.conf and its API does not tell them".into());
    } else {
        let mut set: Vec<String> = DEFAULTS.map(String::from).into_iter().filter(|cap| !drop.contains(cap)).collect();
        set.extend(add);
        set
    };
    set.sort_unstable();
    set.dedup();
    Ok(set)
}

/// Names in capitals, without `CAP_`.
fn names(list: Node<'_>) -> Read<Vec<String>> {
    let name = |text: &str| {
        let text = text.trim().to_ascii_uppercase();
        text.strip_prefix("CAP_").map(str::to_owned).unwrap_or(text)
    };
    Ok(list.texts()?.into_iter().take(128).map(name).collect())
}
