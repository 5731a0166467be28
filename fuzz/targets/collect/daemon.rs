//! The daemon's file and its command line.

use seaworthy_collect::daemon::effective::{self, Inputs};
use seaworthy_collect::daemon::file::{ConfigFile, State};
use seaworthy_collect::daemon::{argv, config, go, keys};

/// `daemon.json` as engines of every kind of reading take it.
pub fn json(data: &[u8]) {
    for major in [20, 23, 24, 28, 29] {
        match config::parse(data, major) {
            Ok(content) => {
                config::conflicts(&content, &argv::Flags::default());
            }
            Err(why) => assert!(!why.is_empty() && !why.chars().any(char::is_control), "{why:?}"),
        }
    }
}

/// Arguments, a line each.
pub fn argv(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let arguments: Vec<String> = text.split('\n').map(str::to_owned).collect();
    let flags = argv::parse(&arguments);
    for name in flags.names() {
        flags.value(name);
        flags.boolean(name);
        flags.last(name);
        flags.all(name);
    }
}

/// `{"version", "info", "bridge"}` as an engine answers them, and its `daemon.json` in `file`, put together.
pub fn settings(data: &[u8]) {
    let Ok(json) = serde_json::from_slice::<serde_json::Value>(data) else { return };
    let version = json.get("version");
    let file = json.get("file").map(|file| {
        let bytes = file.as_str().map_or_else(|| file.to_string(), str::to_owned);
        let state = match config::parse(bytes.as_bytes(), effective::major(version)) {
            Ok(content) => State::Read(content),
            Err(why) => State::Refused(why),
        };
        let path = "/etc/docker/daemon.json".to_owned();
        ConfigFile { path, real: None, state, digest: None, changed_at: None, changed_since_start: None }
    });
    let settings = effective::settings(Inputs {
        version,
        info: json.get("info"),
        bridge: json.get("bridge").map(Some).ok_or("lost"),
        daemon: Err("another machine"),
        file: file.as_ref(),
        reloaded: None,
    });
    for pair in settings.all.windows(2) {
        assert!(pair[0].name < pair[1].name, "{} is told twice", pair[1].name);
    }
}

/// Values in Go's forms, and addresses with credentials.
pub fn values(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    go::boolean(text);
    go::duration(text);
    if let Some((name, soft, hard)) = go::ulimit(text) {
        assert!(!name.is_empty() && (hard == -1 || (soft != -1 && soft <= hard)));
    }
    if !text.contains("pl4nted") {
        for between in ["", ",", "'", "?", " ", "/", ":"] {
            let planted = format!("http://user:pl4nted{between}pl4nted@{text}");
            assert!(!keys::without_credentials(&planted).contains("pl4nted"), "{planted}");
        }
    }
    keys::without_credentials(text);
}
