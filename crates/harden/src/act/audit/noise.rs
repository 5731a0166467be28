//! What a watch on a container engine's data would do to the machine.

use std::path::Path;

use seaworthy_core::plan::Watch;

use crate::{Failure, Host, files};

/// Where engines keep the layers and volumes of containers unless they are told otherwise.
const USUAL: [&str; 2] = ["/var/lib/docker", "/var/lib/containerd"];
const CONF: &str = "/etc/audit/auditd.conf";

/// That the watch logs what containers write, in a sentence; none for others. `roots` are the engine's own data
/// directories.
#[must_use]
pub fn noise(watch: &Watch, roots: &[String]) -> Option<String> {
    let path = Path::new(&watch.path);
    let root = roots.iter().map(String::as_str).chain(USUAL).find(|r| {
        let root = Path::new(*r);
        watch.directory && (path.starts_with(root) || root.starts_with(path))
    })?;
    Some(format!(
        "{}: the watch covers the containers' data ({root}): every write to a layer or volume becomes a record",
        watch.path
    ))
}

/// That the rule watches less after a boot, in a sentence; none for others.
#[must_use]
pub fn fades(watch: &Watch) -> Option<String> {
    let volatile = ["/run", "/var/run"].iter().any(|run| Path::new(&watch.path).starts_with(run));
    (volatile && watch.directory && watch.disk).then(|| {
        let what = "the directory is made after auditd has loaded its rules at a boot";
        format!("{}: {what}, so that from then on its own entry is watched and not what lies in it", watch.path)
    })
}

/// What of auditd's settings stops recording or the machine where the disk is full or broken; none where nothing does.
///
/// # Errors
/// Where auditd's configuration cannot be read.
pub fn stops(host: &Host) -> Result<Option<String>, Failure> {
    let Some(conf) = files::read(&host.path(CONF))? else { return Ok(None) };
    let text = String::from_utf8_lossy(&conf.bytes).to_lowercase();
    let setting = text.lines().find_map(|line| {
        let (name, value) = line.split_once('=')?;
        let (name, value) = (name.trim(), value.trim());
        let asked =
            matches!(name, "space_left_action" | "admin_space_left_action" | "disk_full_action" | "disk_error_action");
        (asked && matches!(value, "halt" | "single" | "suspend")).then(|| format!("{name} = {value} in {CONF}"))
    });
    Ok(setting)
}
