//! The shadow boot: the same engine with the candidate configuration, started where it can reach nothing, and a container
//! run in it, before the real engine is touched.
//!
//! It has a mount, network, process and IPC namespace of its own. In these `/run` is empty (no D-Bus, through which
//! firewalld would change the real rules, no other engine's containerd, no plugins), `/etc` is a copy (user namespaces
//! make users), and everything else of the host can only be read. All that it makes lies in memory and vanishes with the
//! namespaces, which end with us, however we end. Only control groups outlive a SIGKILL, empty: the next one removes them.
//!
//! What it cannot know: ports and addresses in use, the real networks, images and containers, whether registries, proxies
//! and the targets of logs are reachable, AppArmor profiles that the host lacks. Settings of that kind are left out, and
//! named in [`Rehearsal::Passed`].

mod boot;
mod canary;
mod candidate;
mod groups;
mod stage;
mod words;

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

pub(crate) use words::cause;

use crate::Host;
use crate::process::{self, Limits, Process};

/// How long the engine may take to answer: a missing authorization plugin alone takes it 16 s to notice.
const UP: Duration = Duration::from_secs(90);

/// What a rehearsal came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rehearsal {
    /// The engine came up with the configuration, and a container ran in it.
    Passed {
        /// How long it took.
        took: Duration,
        /// Settings that could not be rehearsed, by their keys.
        without: Vec<String>,
    },
    /// It did not; the line names the cause.
    Failed(String),
    /// It cannot be rehearsed here; the line says why.
    Skipped(String),
}

/// Starts the host's engine as a shadow of itself with a candidate for daemon.json, and runs a container in it.
///
/// The real engine is only asked what it is, and nothing of the host is written.
#[must_use]
pub fn rehearse(host: &Host, candidate: &[u8]) -> Rehearsal {
    if let Some(why) = refused(candidate) {
        return Rehearsal::Failed(why);
    }
    let info = host.engine.as_ref().and_then(|e| e.get("/info").ok()).unwrap_or(Value::Null);
    let real = match real(host, &info) {
        Ok(real) => real,
        Err(why) => return Rehearsal::Skipped(why),
    };
    groups::sweep();
    let group = groups::Group::new();
    let ground = candidate::Ground {
        arguments: real.arguments.get(1..).unwrap_or_default(),
        info: &info,
        systemd: host.has_systemd(),
        has_plugin: &has_plugin,
        group: group.path(),
    };
    let part = candidate::part(candidate, &ground);
    let began = Instant::now();
    match boot::boot(&real, &part, UP) {
        Ok(()) => Rehearsal::Passed { took: began.elapsed(), without: part.left_out },
        Err(boot::Why::Impossible(why)) => Rehearsal::Skipped(why),
        // The engine gives its containerd fifteen seconds: a slow machine is no fault of the configuration.
        Err(boot::Why::Failed(why)) if why.contains("timeout waiting for containerd") => Rehearsal::Skipped(why),
        Err(boot::Why::Failed(why)) => Rehearsal::Failed(why),
    }
}

/// An empty file is fatal to 20.10, and to others means every default, which no plan wants.
fn refused(candidate: &[u8]) -> Option<String> {
    let text = candidate.strip_prefix(b"\xef\xbb\xbf").unwrap_or(candidate);
    text.iter().all(u8::is_ascii_whitespace).then(|| "daemon.json would be empty".to_owned())
}

/// The engine that is rehearsed.
struct Real {
    /// Its program.
    program: std::path::PathBuf,
    /// Its arguments, its name first.
    arguments: Vec<String>,
    /// Its environment.
    environment: Vec<Vec<u8>>,
    /// What it may use.
    limits: Limits,
}

/// What the engine is, or why it has no shadow.
fn real(host: &Host, info: &Value) -> Result<Real, String> {
    if !host.is_real() {
        return Err("the host's root is not ours".into());
    }
    if !rustix::process::geteuid().is_root() {
        return Err("it needs root".into());
    }
    if !canary::is_known() {
        return Err(format!("there is no canary for {}", std::env::consts::ARCH));
    }
    let pid = host.daemon.as_ref().ok_or("the engine's process is not known")?.pid;
    let process = Process::of(pid).ok_or("the engine does not run")?;
    let program = process.program().map_err(|f| f.0)?;
    if program.file_name().and_then(|n| n.to_str()) != Some("dockerd") {
        return Err(format!("{} is not dockerd", program.display()));
    }
    if program.starts_with("/snap") || info["OperatingSystem"].as_str() == Some("Docker Desktop") {
        return Err("the engine runs in a system of its own (snap, Docker Desktop)".into());
    }
    let own = Process::of(std::process::id()).ok_or("/proc cannot be read")?;
    for name in ["user", "mnt", "pid"] {
        if process.namespace(name).is_none() || process.namespace(name) != own.namespace(name) {
            return Err(format!("the engine has a {name} namespace of its own (rootless, in a container)"));
        }
    }
    // With more rights or fewer than the real one it would prove nothing.
    if process::rights(&process) != process::rights(&own) {
        return Err("the engine's rights are not ours (capabilities, seccomp filter)".into());
    }
    if std::fs::read_link(process.at("root")).ok().as_deref() != Some(Path::new("/")) {
        return Err("the engine has a root directory of its own".into());
    }
    let arguments = process.arguments().map_err(|f| f.0)?;
    let environment = process.environment().map_err(|f| f.0)?;
    Ok(Real { program, arguments, environment, limits: Limits::of(&process) })
}

/// Whether an authorization plugin is on the host, as the engine looks for it; one that it manages itself has a tag or
/// a repository in its name.
fn has_plugin(name: &str) -> bool {
    if name.contains(':') || name.contains('/') {
        return true;
    }
    let socket = [format!("/run/docker/plugins/{name}.sock"), format!("/run/docker/plugins/{name}/{name}.sock")];
    let described = ["/etc/docker/plugins", "/usr/lib/docker/plugins"].into_iter().flat_map(|dir| {
        ["spec", "json"]
            .into_iter()
            .flat_map(move |end| [format!("{dir}/{name}.{end}"), format!("{dir}/{name}/{name}.{end}")])
    });
    socket.into_iter().chain(described).any(|path| Path::new(&path).exists())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_candidate_is_refused_before_any_engine_sees_it() {
        for empty in ["", "\n", " \t\r\n", "\u{feff}"] {
            assert!(refused(empty.as_bytes()).is_some(), "{empty:?}");
        }
        assert_eq!(refused(b"{}"), None);
    }

    #[test]
    fn without_the_engines_process_it_is_skipped_and_said() {
        let host = Host { root: "/".into(), engine: None, daemon: None, transaction: "t".into() };
        let Rehearsal::Skipped(why) = rehearse(&host, b"{}") else { panic!("it is not skipped") };
        assert!(why.contains("process is not known") || why.contains("root"), "{why}");
        let elsewhere = Host { root: "/mnt".into(), ..host };
        assert!(matches!(rehearse(&elsewhere, b"{}"), Rehearsal::Skipped(_)));
    }
}
