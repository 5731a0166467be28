//! Whether an engine whose process was not found runs on this machine after all: behind a proxy it may, behind a
//! forwarded socket or in a virtual machine it does not.

use std::sync::Arc;

use serde_json::Value as Json;

use super::daemon::pointer;
use super::machine::Machine;
use crate::docker::Read;
use crate::engine::{PEER_TEXT_LIMIT, sanitize};

/// What tells machines apart, as far as this one could be read.
struct Marks {
    kernel: Option<String>,
    memory: Option<i64>,
    /// None where this process may have another name than the host (in a container).
    name: Option<String>,
    /// Whether the user himself says so, by giving the root of the engine's host: then only a contradiction counts.
    told: bool,
}

/// Why the engine's facts and this machine's may not be put together; none where they may.
///
/// The daemon's own process is proof. Without it the engine must describe this very machine: the kernel's release and
/// the memory to the byte, and the name.
pub(super) fn elsewhere(info: &Read<Json>, machine: &Machine) -> Option<Arc<str>> {
    if machine.daemon.is_ok() {
        return None;
    }
    let host = match machine.rest() {
        Ok(rest) => &rest.host,
        Err(why) => return Some(why),
    };
    let live = host.root.is_live();
    let marks = Marks {
        kernel: host.kernel.release.clone(),
        memory: host.kernel.memory.and_then(|bytes| i64::try_from(bytes).ok()),
        name: live.then(own_name).flatten(),
        told: !live,
    };
    compare(info, &marks)
}

fn own_name() -> Option<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    Some(name.trim_end().to_owned())
}

fn compare(info: &Read<Json>, marks: &Marks) -> Option<Arc<str>> {
    const DO: &str = "run Seaworthy where the engine runs, or reach it by ssh://";
    let info = match info {
        Ok(info) => info,
        Err(_) if marks.told => return None,
        Err(why) => return Some(format!("nothing proves that the engine runs on this machine ({why}); {DO}").into()),
    };
    let text = |field: &str| pointer(info, field).and_then(Json::as_str).filter(|t| !t.is_empty());
    let memory = pointer(info, "MemTotal").and_then(Json::as_i64).filter(|bytes| *bytes > 0);
    let differs = |what: &str, theirs: String, ours: String| {
        let (theirs, ours) = (sanitize(&theirs, PEER_TEXT_LIMIT), sanitize(&ours, PEER_TEXT_LIMIT));
        Some(Arc::from(format!("the engine runs on another machine (its {what} is {theirs}, here it is {ours}); {DO}")))
    };
    match (text("KernelVersion"), memory, &marks.kernel, marks.memory) {
        (Some(theirs), _, Some(ours), _) if theirs != ours => {
            return differs("kernel", theirs.to_owned(), ours.clone());
        }
        (_, Some(theirs), _, Some(ours)) if theirs != ours => {
            return differs("memory", format!("{theirs} bytes"), format!("{ours} bytes"));
        }
        (Some(_), Some(_), Some(_), Some(_)) => {}
        _ if marks.told => {}
        _ => return Some(format!("nothing proves that the engine runs on this machine; {DO}").into()),
    }
    match (text("Name"), &marks.name) {
        (Some(theirs), Some(ours)) if theirs != ours => differs("name", theirs.to_owned(), ours.clone()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn said(info: Json) -> Option<Arc<str>> {
        let marks = Marks { kernel: Some("6.1.0".into()), memory: Some(1024), name: Some("here".into()), told: false };
        compare(&Ok(info), &marks)
    }

    #[test]
    fn only_an_engine_that_describes_this_machine_is_taken_for_its_own() {
        assert_eq!(said(json!({"KernelVersion": "6.1.0", "MemTotal": 1024, "Name": "here"})), None);
        for (info, words) in [
            (json!({"KernelVersion": "6.6.1-linuxkit", "MemTotal": 1024, "Name": "here"}), "kernel is 6.6.1-linuxkit"),
            (json!({"KernelVersion": "6.1.0", "MemTotal": 4096, "Name": "here"}), "memory is 4096 bytes"),
            (json!({"KernelVersion": "6.1.0", "MemTotal": 1024, "Name": "there"}), "name is there"),
            (json!({"KernelVersion": "6.1.0", "Name": "here"}), "nothing proves"),
            (json!({}), "nothing proves"),
            (json!({"KernelVersion": "\u{1b}[31m"}), "\\u{1b}[31m"),
        ] {
            let why = said(info.clone()).unwrap_or_else(|| panic!("{info}"));
            assert!(why.contains(words), "{why}");
        }
        let unread = Marks { kernel: None, memory: None, name: None, told: false };
        let info = json!({"KernelVersion": "6.1.0", "MemTotal": 1024});
        assert!(compare(&Ok(info), &unread).is_some_and(|why| why.contains("nothing proves")));
        let info = json!({"KernelVersion": "6.1.0", "MemTotal": 1024});
        assert_eq!(compare(&Ok(info.clone()), &Marks { told: true, ..unread }), None, "the user gave its root");
        let other = Marks { kernel: Some("6.2.0".into()), memory: None, name: None, told: true };
        assert!(compare(&Ok(info), &other).is_some(), "and is contradicted");
        let unread = Marks { kernel: None, memory: None, name: None, told: false };
        assert!(compare(&Err("denied".into()), &unread).is_some_and(|why| why.contains("denied")));
    }
}
