//! The floor: the same requests over four keep-alive connections, answers parsed and thrown away.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use seaworthy_bed::{Connection, Daemon};
use serde_json::Value;

/// As many as an auditor would use.
const CONNECTIONS: usize = 4;

/// What names the things that are then asked for one by one.
const LISTS: [&str; 6] = ["/version", "/info", "/containers/json?all=1", "/images/json?all=0", "/networks", "/volumes"];

/// The requests that hand over what an audit judges, as paths.
pub fn requests(daemon: &Daemon) -> Vec<String> {
    let each = |list: &str, one: fn(&str) -> Vec<String>| -> Vec<String> {
        let (_, items) = daemon.request("GET", list, None);
        let ids = items.as_array().into_iter().flatten().filter_map(|item| item["Id"].as_str());
        ids.flat_map(one).collect()
    };
    let mut requests: Vec<String> = LISTS.map(String::from).into();
    requests.extend(each(LISTS[2], |id| vec![format!("/containers/{id}/json")]));
    requests.extend(each(LISTS[3], |id| vec![format!("/images/{id}/json"), format!("/images/{id}/history")]));
    requests.extend(each(LISTS[4], |id| vec![format!("/networks/{id}")]));
    requests
}

/// Asks for everything, the lists first, and returns how long it took.
///
/// # Errors
/// Where the engine does not answer, or not in JSON.
pub fn run(socket: &Path, requests: &[String]) -> Result<Duration> {
    let (lists, each): (Vec<&str>, Vec<&str>) = requests.iter().map(String::as_str).partition(|path| is_list(path));
    let start = Instant::now();
    let mut connections: Vec<Connection> =
        (0..CONNECTIONS).map(|_| Connection::open(socket)).collect::<Result<_, _>>().context("floor")?;
    ask(&mut connections, &lists)?;
    ask(&mut connections, &each)?;
    Ok(start.elapsed())
}

/// What can be asked before anything is known: no part of the path is an id or a name.
fn is_list(path: &str) -> bool {
    let path = path.split('?').next().unwrap_or_default().trim_start_matches('/');
    let parts = path.split('/').filter(|part| !part.starts_with("v1."));
    parts.filter(|part| *part != "json").count() <= 1
}

fn ask(connections: &mut [Connection], paths: &[&str]) -> Result<()> {
    let next = AtomicUsize::new(0);
    let one = |connection: &mut Connection| -> Result<()> {
        while let Some(path) = paths.get(next.fetch_add(1, Ordering::Relaxed)) {
            let (status, body) = connection.request("GET", path, None).with_context(|| format!("GET {path}"))?;
            // An engine outside a swarm refuses to speak of one; an auditor hears that answer too.
            if status >= 500 && status != 503 {
                bail!("GET {path}: {status}");
            }
            if body.starts_with(b"{") || body.starts_with(b"[") {
                let value: Value = serde_json::from_slice(&body).with_context(|| format!("GET {path}"))?;
                std::hint::black_box(value);
            }
        }
        Ok(())
    };
    thread::scope(|scope| {
        let hands: Vec<_> = connections.iter_mut().map(|connection| scope.spawn(|| one(connection))).collect();
        hands.into_iter().try_for_each(|hand| hand.join().unwrap_or_else(|_| bail!("a connection's thread ended")))
    })
}

#[cfg(test)]
mod tests {
    use super::is_list;

    #[test]
    fn lists_come_before_what_they_name() {
        for path in super::LISTS.into_iter().chain(["/v1.41/info", "/v1.41/containers/json?all=1", "/_ping"]) {
            assert!(is_list(path), "{path}");
        }
        for path in ["/containers/abc/json", "/v1.41/images/sha256:ab/history", "/networks/abc", "/volumes/data"] {
            assert!(!is_list(path), "{path}");
        }
    }
}
