//! What a container has written into its own layer, which a new one does not have.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;

use super::json::{id_of, inner, items, object, text};
use super::mounts::settled;
use crate::engine::{Engine, segment};
use crate::{Failure, act};

/// Reading it costs more the larger image and layer are.
const LIMIT: Duration = Duration::from_secs(180);

/// Directories whose content nobody expects to outlive a restart.
const FLEETING: [&str; 5] = ["/run", "/var/run", "/tmp", "/dev", "/proc"];

/// Files that the engine itself puts there.
const ENGINES: [&str; 5] = ["/etc/hosts", "/etc/resolv.conf", "/etc/hostname", "/etc/mtab", "/sbin/docker-init"];

/// The paths that a container changed, in their order: those that hold no other one, without mount points, without what
/// the engine writes, and without what is fleeting.
///
/// # Errors
/// Where the engine cannot say.
pub(super) fn changes(engine: &Engine, inspect: &Value) -> Result<Vec<String>, Failure> {
    let path = format!("/containers/{}/changes", segment(id_of(inspect)));
    let answer = engine.send("GET", &path, None, LIMIT)?;
    if answer.status == 404 {
        // Its removal was on its way.
        return Ok(Vec::new());
    }
    if !answer.is_good() {
        return Err(Failure(format!("the engine does not say what the container wrote: {}", answer.message())));
    }
    let changed: BTreeSet<&str> = items(Some(&answer.body)).iter().map(|c| text(c, "/Path")).collect();
    Ok(lasting(&changed, &places(inspect), settled(text(inspect, "/Config/WorkingDir"))))
}

/// Where something is mounted.
fn places(inspect: &Value) -> Vec<String> {
    let mounts = items(inspect.pointer("/Mounts")).iter().map(|m| text(m, "/Destination").to_owned());
    let tmpfs = inner(&object(inspect, "/HostConfig"), "Tmpfs");
    mounts.chain(tmpfs.into_iter().map(|(place, _)| place)).map(|p| settled(&p).to_owned()).collect()
}

fn lasting(changed: &BTreeSet<&str>, places: &[String], work: &str) -> Vec<String> {
    let under = |path: &str, dir: &str| path == dir || path.strip_prefix(dir).is_some_and(|r| r.starts_with('/'));
    let is_noise = |path: &str| {
        FLEETING.iter().any(|d| under(path, d)) || ENGINES.contains(&path) || places.iter().any(|p| under(path, p))
    };
    // A directory is listed because of what changed in it; those above a mount point because that was made, and the
    // working directory because the engine makes it.
    let leads_on = |path: &str| {
        let within = format!("{path}/");
        let next =
            changed.range::<str, _>((std::ops::Bound::Excluded(within.as_str()), std::ops::Bound::Unbounded)).next();
        let above = |p: &str| p.starts_with(&within);
        next.is_some_and(|n| above(n)) || places.iter().any(|p| above(p)) || path == work || above(work)
    };
    changed.iter().filter(|p| !p.is_empty() && !is_noise(p) && !leads_on(p)).map(|p| (*p).to_owned()).collect()
}

/// Refuses where something would be lost and nobody said yes to it.
pub(super) fn refuse(changes: &[String], name: &str, accepted: bool) -> Result<(), act::Refusal> {
    if changes.is_empty() || accepted {
        return Ok(());
    }
    let first: Vec<&str> = changes.iter().take(3).map(String::as_str).collect();
    let more = if changes.len() > first.len() { ", …" } else { "" };
    Err(act::Refusal::Refused(format!(
        "{name} wrote {} into its own layer ({}{more}), which a new container does not have: keep them in a volume, \
         or plan with a yes to losing them",
        crate::count(changes.len(), "path"),
        first.join(", ")
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_would_be_lost_counts() {
        let changed = [
            "/etc",
            "/etc/hosts",
            "/run",
            "/run/nginx.pid",
            "/tmp",
            "/data",
            "/data/mount",
            "/var",
            "/var/lib",
            "/var/lib/app",
            "/var/lib/app/state.db",
            "/var/lib/app-2",
            "/tmpfile",
            "/srv",
        ];
        let places = ["/data/mount".to_owned(), "/srv".to_owned()];
        let found = lasting(&changed.into_iter().collect(), &places, "/");
        assert_eq!(found, ["/tmpfile", "/var/lib/app-2", "/var/lib/app/state.db"]);
        assert!(lasting(&BTreeSet::new(), &[], "/").is_empty());
        let whole = ["/etc", "/etc/passwd"].into_iter().collect();
        assert_eq!(lasting(&whole, &[], "/"), ["/etc/passwd"]);
        let work = ["/opt", "/opt/app"].into_iter().collect();
        assert!(lasting(&work, &[], "/opt/app").is_empty());
        let work = ["/opt", "/opt/app", "/opt/app/x"].into_iter().collect();
        assert_eq!(lasting(&work, &[], "/opt/app"), ["/opt/app/x"]);
    }
}
