//! The containers to measure on: different enough that no two need be alike, up to 200 of them running.

use std::thread;

use seaworthy_bed::{ContextFile, Daemon};
use serde_json::{Value, json};

/// More than this many running processes would measure the machine, not the program.
const MAX_RUNNING: usize = 200;

/// Containers are made by this many at a time.
const HANDS: usize = 4;

/// The containers of one engine.
pub struct Fleet<'a> {
    daemon: &'a Daemon,
    size: usize,
}

impl<'a> Fleet<'a> {
    /// No container yet; four images, a network, a volume.
    pub fn new(daemon: &'a Daemon) -> Self {
        daemon.import_busybox("fleet:0");
        for image in 1..4 {
            let text = format!("image {image}");
            let files = [ContextFile::new("note", text.as_bytes())];
            let dockerfile = format!(
                "FROM fleet:0\nCOPY note /note\nENV KIND={image}\nLABEL of=fleet\nUSER {image}000\nCMD sleep 99999\n"
            );
            daemon.build(&format!("fleet:{image}"), &dockerfile, &files);
        }
        daemon.request("POST", "/networks/create", Some(&json!({ "Name": "fleet" })));
        daemon.request("POST", "/volumes/create", Some(&json!({ "Name": "fleet" })));
        Self { daemon, size: 0 }
    }

    /// Makes containers until there are `size`.
    pub fn grow_to(&mut self, size: usize) {
        let (daemon, from) = (self.daemon, self.size);
        thread::scope(|scope| {
            for hand in 0..HANDS {
                scope.spawn(move || {
                    for number in (from + hand..size).step_by(HANDS) {
                        let id = daemon.create(&format!("fleet-{number}"), &container(number));
                        if number < MAX_RUNNING {
                            daemon.start_container(&id);
                        }
                    }
                });
            }
        });
        self.size = self.size.max(size);
    }
}

/// One container in the manner of its number.
fn container(number: usize) -> Value {
    let mut body = json!({
        "Image": format!("fleet:{}", number % 4),
        "Cmd": ["sleep", "99999"],
        "Env": [format!("NUMBER={number}"), "MODE=production"],
        "Labels": { "com.docker.compose.project": format!("project-{}", number / 10), "com.docker.compose.service": format!("service-{}", number % 10) },
        "HostConfig": { "NetworkMode": "none" },
    });
    let host = &mut body["HostConfig"];
    if number.is_multiple_of(2) {
        host["Memory"] = json!(64 << 20);
        host["RestartPolicy"] = json!({ "Name": "on-failure", "MaximumRetryCount": 5 });
    }
    if number.is_multiple_of(3) {
        host["Binds"] = json!(["fleet:/data:ro", "/etc/hostname:/hostname:ro"]);
    }
    if number.is_multiple_of(5) {
        host["NetworkMode"] = json!("fleet");
    }
    if number.is_multiple_of(7) {
        host["CapDrop"] = json!(["ALL"]);
        host["SecurityOpt"] = json!(["no-new-privileges"]);
        host["ReadonlyRootfs"] = json!(true);
    }
    body
}
