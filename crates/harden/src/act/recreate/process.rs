//! What the kernel says of the new container's process, where it can be asked.

use std::fs;

use seaworthy_core::plan;
use serde_json::Value;

use super::caps;
use super::json::{id_of, name_of, object, strings};
use crate::{Failure, Host};

/// Fails where the process holds what was to be taken away. Where it cannot be seen (another namespace of processes, no
/// right, one that does not run) the engine's word has to do.
pub(super) fn contradicts(action: &plan::Recreate, host: &Host, inspect: &Value) -> Result<(), Failure> {
    let pid = inspect.pointer("/State/Pid").and_then(Value::as_u64).unwrap_or_default();
    let of = |file: &str| fs::read_to_string(host.path(&format!("/proc/{pid}/{file}"))).ok();
    let is_its = of("cgroup").is_some_and(|groups| groups.contains(id_of(inspect)));
    let (true, true, Some(status)) = (pid > 0 && host.is_real(), is_its, of("status")) else { return Ok(()) };
    let said = |name: &str| {
        status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim).unwrap_or_default()
    };
    let held = u64::from_str_radix(said("CapBnd"), 16).unwrap_or(u64::MAX);
    let added = strings(object(inspect, "/HostConfig").get("CapAdd"));
    let mut wrong = Vec::new();
    for change in &action.set {
        let holds = match change.option.as_str() {
            "privileged" => held & must_be_gone(&["SYS_ADMIN".into()], &added) == 0,
            "cap-drop" => held & must_be_gone(&change.add, &added) == 0,
            "security-opt" => change.add.iter().all(|option| match option.split_once('=') {
                None | Some(("no-new-privileges", "true")) if option.starts_with("no-new-privileges") => {
                    said("NoNewPrivs") == "1"
                }
                Some(("seccomp", "unconfined")) => true,
                Some(("seccomp", _)) => said("Seccomp") == "2",
                _ => true,
            }),
            "read-only" if change.add == ["true"] => of("mountinfo").is_none_or(|mounts| is_read_only(&mounts)),
            _ => true,
        };
        if !holds {
            wrong.push(format!("--{}", change.option));
        }
    }
    if wrong.is_empty() {
        return Ok(());
    }
    Err(Failure(format!("the kernel does not show {} in effect for {}", wrong.join(", "), name_of(inspect))))
}

/// The capabilities that nothing may hold when these are dropped and those are added.
fn must_be_gone(dropped: &[String], added: &[String]) -> u64 {
    let bits = |names: &[String]| names.iter().filter_map(|n| caps::bit(n)).fold(0, |a, b| a | b);
    let is_all = |names: &[String]| names.iter().any(|n| caps::bare(n) == "ALL");
    match (is_all(dropped), is_all(added)) {
        (true, true) => 0,
        (true, false) => !bits(added),
        (false, true) => bits(dropped),
        (false, false) => bits(dropped) & !bits(added),
    }
}

/// Whether the root is mounted read-only, by `/proc/PID/mountinfo`.
fn is_read_only(mountinfo: &str) -> bool {
    let root = mountinfo.lines().rev().find_map(|line| {
        let mut fields = line.split(' ').skip(4);
        (fields.next() == Some("/")).then(|| fields.next().unwrap_or_default())
    });
    root.is_none_or(|options| options.split(',').any(|o| o == "ro"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_must_be_gone_follows_from_what_is_dropped_and_added() {
        let names = |list: &[&str]| list.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
        let bit = |name: &str| caps::bit(name).unwrap();
        assert_eq!(must_be_gone(&names(&["NET_RAW"]), &[]), bit("CAP_NET_RAW"));
        assert_eq!(must_be_gone(&names(&["ALL"]), &names(&["chown"])), !bit("CHOWN"));
        assert_eq!(must_be_gone(&names(&["NET_RAW"]), &names(&["NET_RAW"])), 0);
        assert_eq!(must_be_gone(&names(&["NET_RAW"]), &names(&["ALL"])), bit("NET_RAW"));
        assert_eq!(must_be_gone(&names(&["ALL"]), &names(&["ALL"])), 0);
    }

    #[test]
    fn the_root_is_told_from_other_mounts() {
        let mounts = "1 0 0:1 / / ro,relatime - overlay o ro\n2 1 0:2 / /proc rw - proc proc rw\n";
        assert!(is_read_only(mounts));
        assert!(!is_read_only(&mounts.replace("/ ro,", "/ rw,")));
    }
}
