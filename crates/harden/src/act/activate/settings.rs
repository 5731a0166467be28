//! The engine's configuration file, as far as taking it in concerns it.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::Failure;
use crate::files::{self, Content};
use crate::flags::{self, Flag};
use crate::process::Process;

/// Where it is unless a flag says otherwise.
const USUAL: &str = "/etc/docker/daemon.json";

/// Settings that a reload takes, with the values that they have when nobody sets them; null where a reload cannot go
/// back to that. (moby, daemon/reload.go and daemon/config; what is absent from the file is left as it is.)
fn reloadable(key: &str) -> Option<Value> {
    Some(match key {
        "debug" | "live-restore" => false.into(),
        "labels" | "insecure-registries" | "registry-mirrors" => Value::Array(Vec::new()),
        "max-concurrent-downloads" => 3.into(),
        "max-concurrent-uploads" | "max-download-attempts" => 5.into(),
        "shutdown-timeout" => 15.into(),
        "default-ipc-mode" => "private".into(),
        "default-shm-size" => "64M".into(),
        "runtimes" | "default-runtime" | "features" | "default-cgroupns-mode" | "default-stop-timeout" => Value::Null,
        _ => return None,
    })
}

/// The configuration file with the flags beside it.
pub(super) struct Settings {
    pub(super) path: PathBuf,
    pub(super) content: Option<Content>,
    object: Map<String, Value>,
    flags: Vec<Flag>,
}

impl Settings {
    /// Where the file of an engine with these arguments lies, as we see it.
    pub(super) fn place(process: &Process) -> Result<PathBuf, Failure> {
        let arguments = process.arguments()?;
        let flags = flags::parse(arguments.get(1..).unwrap_or_default());
        let path = Path::new(flags::value(&flags, "config-file").unwrap_or(USUAL));
        Ok(if path.is_absolute() {
            path.to_owned()
        } else {
            process.at("cwd").read_link().unwrap_or_default().join(path)
        })
    }

    /// Reads it; a file that is not there sets nothing.
    pub(super) fn read(path: &Path, arguments: &[String]) -> Result<Self, Failure> {
        // Whoever keeps it elsewhere has a link here.
        let real = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let content = files::read(&real)?;
        let object = match &content {
            Some(content) => serde_json::from_slice(&content.bytes)
                .map_err(|error| Failure(format!("read {}: it is no JSON object: {error}", path.display())))?,
            None => Map::new(),
        };
        Ok(Self { path: real, content, object, flags: flags::parse(arguments.get(1..).unwrap_or_default()) })
    }

    /// A setting of the file. The engine takes keys in any case.
    pub(super) fn get(&self, key: &str) -> Option<&Value> {
        self.object.iter().find(|(name, _)| name.eq_ignore_ascii_case(key)).map(|(_, value)| value)
    }

    /// Whether live-restore is on at the next start.
    pub(super) fn keeps_containers(&self) -> bool {
        let flag = self.flags.iter().rev().find(|f| f.name == "live-restore");
        flag.map_or_else(|| self.get("live-restore") == Some(&Value::Bool(true)), Flag::is_on)
    }

    /// Where the engine writes its process's number down, and that of the containerd that it starts itself.
    pub(super) fn numbers(&self) -> Vec<PathBuf> {
        vec![self.named("pidfile", "/var/run/docker.pid"), self.exec_root().join("containerd/containerd.pid")]
    }

    /// Where the engine keeps what its containers need while they run.
    pub(super) fn exec_root(&self) -> PathBuf {
        self.named("exec-root", "/var/run/docker")
    }

    fn named(&self, key: &str, usual: &'static str) -> PathBuf {
        PathBuf::from(flags::value(&self.flags, key).or_else(|| self.get(key)?.as_str()).unwrap_or(usual))
    }

    /// How long the engine waits for its containers when it ends, in seconds.
    pub(super) fn shutdown(&self) -> u64 {
        let flag = flags::value(&self.flags, "shutdown-timeout").and_then(|v| v.parse().ok());
        flag.or_else(|| self.get("shutdown-timeout")?.as_u64()).unwrap_or(15).clamp(15, 3600)
    }

    /// Whether authorization plugins are named, and where.
    pub(super) fn authorization(&self) -> Option<&'static str> {
        if flags::has(&self.flags, "authorization-plugin") {
            return Some("on its command line");
        }
        let named = self.get("authorization-plugins").is_some_and(|v| v.as_array().is_none_or(|a| !a.is_empty()));
        named.then_some("in its configuration file")
    }

    /// The settings of the file that a reload takes.
    pub(super) fn reloaded(&self) -> Vec<String> {
        self.object.keys().map(|key| key.to_ascii_lowercase()).filter(|key| reloadable(key).is_some()).collect()
    }

    /// The file with the values of old for settings that it does not name any more, so that a reload brings them back;
    /// none where a reload cannot.
    pub(super) fn explicit(&self, taken: &[String]) -> Option<Vec<u8>> {
        let mut object = self.object.clone();
        for key in taken.iter().filter(|key| self.get(key).is_none() && !flags::has(&self.flags, as_flag(key))) {
            match reloadable(key) {
                Some(Value::Null) | None => return None,
                Some(value) => object.insert(key.clone(), value),
            };
        }
        serde_json::to_vec_pretty(&Value::Object(object)).ok()
    }

    /// When the file was changed last, in nanoseconds since 1970: also when it was put there or taken away.
    pub(super) fn changed_at(path: &Path) -> Option<i128> {
        let at = |path: &Path| {
            let meta = std::fs::symlink_metadata(path).ok()?;
            let both = [(meta.mtime(), meta.mtime_nsec()), (meta.ctime(), meta.ctime_nsec())];
            both.into_iter().map(|(s, n)| i128::from(s) * 1_000_000_000 + i128::from(n)).max()
        };
        at(path).or_else(|| at(path.parent()?))
    }
}

fn as_flag(key: &str) -> &str {
    match key {
        "labels" => "label",
        "insecure-registries" => "insecure-registry",
        "registry-mirrors" => "registry-mirror",
        other => other,
    }
}

/// When a process started, in nanoseconds since 1970, by the clock of now.
pub(super) fn started_at(process: &Process) -> i128 {
    use rustix::time::{ClockId, clock_gettime};
    let nanoseconds = |clock| {
        let time = clock_gettime(clock);
        i128::from(time.tv_sec) * 1_000_000_000 + i128::from(time.tv_nsec)
    };
    let booted = nanoseconds(ClockId::Realtime) - nanoseconds(ClockId::Boottime);
    let ticks = i128::from(rustix::param::clock_ticks_per_second().max(1));
    booted + i128::from(process.started) * 1_000_000_000 / ticks
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(file: Option<&str>, arguments: &str) -> Result<Settings, Failure> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("daemon.json");
        if let Some(text) = file {
            std::fs::write(&path, text).unwrap();
        }
        let arguments: Vec<String> = arguments.split_whitespace().map(str::to_owned).collect();
        Settings::read(&path, &arguments)
    }

    fn explicit(file: Option<&str>, arguments: &str, taken: &[&str]) -> Option<String> {
        let taken: Vec<String> = taken.iter().map(|t| (*t).to_owned()).collect();
        let bytes = settings(file, arguments).unwrap().explicit(&taken)?;
        Some(String::from_utf8(bytes).unwrap().split_whitespace().collect())
    }

    #[test]
    fn what_a_reload_left_behind_is_set_to_what_it_was() {
        assert_eq!(explicit(None, "dockerd", &["live-restore"]).unwrap(), r#"{"live-restore":false}"#);
        let kept = explicit(Some(r#"{"icc":true,"Debug":true}"#), "dockerd", &["debug", "labels"]).unwrap();
        assert_eq!(kept, r#"{"icc":true,"Debug":true,"labels":[]}"#);
        // A flag that is in the file too makes the engine refuse the reload.
        assert_eq!(
            explicit(Some("{}"), "dockerd --live-restore --label a=b", &["live-restore", "labels"]).unwrap(),
            "{}"
        );
        assert_eq!(explicit(Some("{}"), "dockerd", &["runtimes"]), None);
        assert!(settings(Some("{"), "dockerd").is_err() && settings(Some("[]"), "dockerd").is_err());
    }

    #[test]
    fn settings_are_found_by_flag_and_file() {
        let of = |file, arguments| settings(Some(file), arguments).unwrap();
        assert!(of(r#"{"Live-Restore":true}"#, "dockerd").keeps_containers());
        assert!(!of(r#"{"live-restore":true}"#, "dockerd --live-restore=false").keeps_containers());
        assert!(of("{}", "dockerd --live-restore").keeps_containers());
        assert_eq!(of(r#"{"pidfile":"/a"}"#, "dockerd").numbers()[0], Path::new("/a"));
        assert_eq!(of("{}", "dockerd -p /b").numbers()[0], Path::new("/b"));
        assert_eq!(of(r#"{"shutdown-timeout":90}"#, "dockerd").shutdown(), 90);
        assert_eq!(of("{}", "dockerd --shutdown-timeout 7").shutdown(), 15);
        assert_eq!(of("{}", "dockerd --authorization-plugin x").authorization(), Some("on its command line"));
        assert!(of(r#"{"authorization-plugins":["x"]}"#, "dockerd").authorization().is_some());
        assert!(of(r#"{"authorization-plugins":[]}"#, "dockerd").authorization().is_none());
        assert_eq!(of(r#"{"icc":false,"labels":[],"debug":true}"#, "dockerd").reloaded(), ["labels", "debug"]);
    }

    #[test]
    fn a_process_starts_after_a_file_that_was_there_before() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        std::fs::write(&path, "").unwrap();
        std::thread::sleep(std::time::Duration::from_millis(50));
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let process = Process::of(child.id()).unwrap();
        assert!(started_at(&process) > Settings::changed_at(&path).unwrap());
        std::thread::sleep(std::time::Duration::from_millis(50));
        std::fs::remove_file(&path).unwrap();
        assert!(started_at(&process) < Settings::changed_at(&path).unwrap());
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
