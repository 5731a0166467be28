//! One engine in order, on which a case puts its containers, and what the program says of it.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::process::Command;

use seaworthy_bed::{ContextFile, Daemon, Spec, Version};
use serde_json::{Value, json};

use crate::machine::{Machine, made};

/// An engine and the machine around it, both as hard as they get here.
pub struct Walk {
    /// The engine.
    pub daemon: Daemon,
    /// The machine's files.
    pub machine: Machine,
    /// The id of an image in order.
    pub image: String,
}

impl Walk {
    /// Starts the engine, which also listens on these; none where there is no engine.
    pub fn start(hosts: &[&str]) -> Option<Self> {
        let settings = r#"{"icc": false, "userland-proxy": false, "live-restore": true,
            "log-driver": "syslog", "log-opts": {"syslog-address": "tcp://192.0.2.1:514"},
            "default-ulimits": {"nofile": {"Name": "nofile", "Soft": 1024, "Hard": 2048}}}"#;
        let spec = Spec {
            daemon_json: Some(settings.into()),
            hosts: hosts.iter().map(|host| (*host).to_owned()).collect(),
            args: if hosts.iter().any(|host| host.starts_with("tcp")) {
                vec!["--tls=false".into()]
            } else {
                Vec::new()
            },
            ..Spec::default()
        };
        let daemon = Daemon::require(Version::V20, spec)?;
        fs::set_permissions(daemon.socket(), fs::Permissions::from_mode(0o660)).expect("chmod");
        daemon.import_busybox("busybox:test");
        let dockerfile = "FROM busybox:test\nLABEL org.opencontainers.image.source=https://example.com/app.git\n\
            COPY passwd /etc/passwd\nHEALTHCHECK CMD true\nUSER 1000:1000\n";
        let passwd = b"root:x:0:0::/:/bin/sh\napp:x:1000:1000::/:/bin/sh\n";
        let image = daemon.build("app:1", dockerfile, &[ContextFile::new("passwd", passwd)]);
        made(&daemon, "/networks/create", &json!({ "Name": "quiet" }));
        made(&daemon, "/volumes/create", &json!({ "Name": "shared" }));
        let machine = machine(&daemon, "");
        Some(Self { daemon, machine, image })
    }

    /// Runs a container.
    pub fn run(&self, name: &str, body: &Value) {
        let (status, answer) = self.daemon.request("DELETE", &format!("/containers/{name}?force=1"), None);
        assert!(matches!(status, 204 | 404), "remove {name}: {answer}");
        self.daemon.run(name, body);
    }

    /// Removes containers.
    pub fn remove(&self, names: &[&str]) {
        for name in names {
            let (status, answer) = self.daemon.request("DELETE", &format!("/containers/{name}?force=1"), None);
            assert_eq!(status, 204, "remove {name}: {answer}");
        }
    }

    /// What a command in a container prints.
    pub fn exec(&self, name: &str, script: &str) -> String {
        let body = json!({ "AttachStdout": true, "AttachStderr": true, "Tty": true, "Cmd": ["sh", "-c", script] });
        let (status, answer) = self.daemon.request("POST", &format!("/containers/{name}/exec"), Some(&body));
        assert_eq!(status, 201, "{answer}");
        let path = format!("/exec/{}/start", answer["Id"].as_str().unwrap_or_default());
        let (_, out) = self.daemon.request("POST", &path, Some(&json!({ "Tty": true })));
        out.as_str().map_or_else(|| out.to_string(), str::to_owned)
    }

    /// A snapshot of now, changed, and what the program says of it.
    pub fn assess_edited(&self, edit: impl FnOnce(&mut Value)) -> Told {
        let host = self.daemon.host();
        let collect =
            self.machine.command(&["collect", "-o", "host.json", "--timeout", "60", "--docker", &host]).status();
        assert!(collect.is_ok_and(|status| status.success()), "collect");
        let path = self.machine.dir.path().join("root/host.json");
        let mut snapshot: Value = serde_json::from_slice(&fs::read(&path).expect("a snapshot")).expect("JSON");
        edit(&mut snapshot["targets"][0]["components"]);
        fs::write(&path, snapshot.to_string()).expect("write");
        Told::run(self.machine.command(&["assess", "-f", "json", "--from", "host.json"]))
    }

    /// What the program says now.
    pub fn assess(&self) -> Told {
        let host = self.daemon.host();
        Told::run(self.machine.command(&["assess", "-f", "json", "--timeout", "60", "--docker", &host]))
    }
}

/// Files of a host in order, with a line more in its accounts.
pub fn machine(daemon: &Daemon, account: &str) -> Machine {
    let gid = match fs::metadata(daemon.socket()).map(|m| m.gid()) {
        Ok(gid) if gid > 0 => gid,
        _ => 990,
    };
    let passwd = format!("root:x:0:0:root:/root:/bin/bash\n{}", account.replace("{gid}", &gid.to_string()));
    Machine::new(&[
        ("etc/passwd", &passwd, 0o644),
        ("etc/group", &format!("root:x:0:\ndocker:x:{gid}:\n"), 0o644),
        ("etc/nsswitch.conf", "passwd: files\ngroup: files\n", 0o644),
        ("etc/sudoers", "root ALL=(ALL:ALL) ALL\n", 0o440),
        (
            "etc/ssh/sshd_config",
            "PasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin no\n",
            0o644,
        ),
    ])
}

/// As hard as a container gets here, without network and volumes.
pub fn hard(image: &str) -> Value {
    let mut body = crate::machine::hard(image, "shared:/data", "8080");
    body["ExposedPorts"] = json!({});
    for (key, value) in [("PortBindings", json!({})), ("Binds", json!([])), ("NetworkMode", json!("none"))] {
        body["HostConfig"][key] = value;
    }
    body
}

/// Sets a fact of the components of a kind, read from where it was.
pub fn set(components: &mut Value, kind: &str, fact: &str, value: &Value) {
    let all = components.as_array_mut().into_iter().flatten().filter(|c| c["kind"] == kind);
    for component in all {
        let cell = &mut component["facts"][fact];
        assert!(cell.is_array(), "{kind} has no {fact}");
        cell[0] = value.clone();
    }
}

/// A document with changes laid over it: objects are merged, null takes away, everything else replaces.
pub fn over(base: &Value, changes: &Value) -> Value {
    match (base, changes) {
        (Value::Object(base), Value::Object(changes)) => {
            let mut out = base.clone();
            for (key, change) in changes {
                match change {
                    Value::Null => drop(out.remove(key)),
                    change => drop(out.insert(key.clone(), over(base.get(key).unwrap_or(&Value::Null), change))),
                }
            }
            Value::Object(out)
        }
        (_, changes) => changes.clone(),
    }
}

/// An assessment in JSON.
pub struct Told {
    json: Value,
}

impl Told {
    /// Runs a command that prints one.
    pub fn run(mut command: Command) -> Self {
        let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let json = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{command:?}: {error}\n{}", String::from_utf8_lossy(&output.stderr)));
        Self { json }
    }

    fn all(&self, key: &str) -> impl Iterator<Item = &Value> {
        self.json[key].as_array().into_iter().flatten()
    }

    /// The certainty of the firmest path from one to another, each by its words: `code in web`, `root on the host`; nothing
    /// where there is none.
    pub fn certainties(&self, from: &str, to: &str) -> BTreeSet<&str> {
        let is = |p: &&Value| p["from"]["text"] == from && p["to"]["text"] == to;
        let all: BTreeSet<&str> = self.all("paths").filter(is).filter_map(|p| p["certainty"].as_str()).collect();
        ["proven", "assumed", "possible"].into_iter().find(|word| all.contains(word)).into_iter().collect()
    }

    /// From where there is a path to one of these whose facts are known, whatever it assumes besides.
    pub fn known_to(&self, to: &[&str]) -> BTreeSet<&str> {
        let proven = self.all("paths").filter(|p| p["certainty"] != "possible");
        let there = proven.filter(|p| p["to"]["text"].as_str().is_some_and(|text| to.contains(&text)));
        there.filter_map(|p| p["from"]["text"].as_str()).collect()
    }

    /// The steps of the cheapest proven path from one to another, each with the names of its facts.
    pub fn steps(&self, from: &str, to: &str) -> Vec<(&str, Vec<&str>)> {
        let is = |p: &&Value| p["from"]["text"] == from && p["to"]["text"] == to && p["certainty"] == "proven";
        let path = self.all("paths").find(is).unwrap_or_else(|| panic!("no proven path: {}", self.show()));
        let taken = |hop: &Value| hop["taken"].as_u64().and_then(|at| usize::try_from(at).ok()).unwrap_or(usize::MAX);
        let steps = path["steps"].as_array().into_iter().flatten().map(|hop| &self.json["steps"][taken(hop)]);
        steps
            .map(|step| {
                let facts = step["facts"].as_array().map(Vec::as_slice).unwrap_or_default();
                (step["step"].as_str().unwrap_or_default(), facts.iter().filter_map(|f| f["name"].as_str()).collect())
            })
            .collect()
    }

    /// The remedies of the first proposals, without `docker/`.
    pub fn first(&self, number: usize) -> Vec<Vec<&str>> {
        let mut out = Vec::new();
        for proposal in self.all("priorities").take(number) {
            let remedies = proposal["remedy"].as_array().into_iter().flatten().filter_map(Value::as_str);
            out.push(remedies.map(|id| id.trim_start_matches("docker/")).collect());
        }
        out
    }

    /// What a proposal (by one of its remedies, on a component by its title) says that it cuts.
    pub fn cut_by(&self, remedy: &str, on: &str) -> BTreeSet<String> {
        let is = |p: &&Value| {
            let of = p["remedy"]
                .as_array()
                .is_some_and(|all| all.iter().any(|id| *id == format!("docker/{remedy}").as_str()));
            of && p["title"].as_str().is_some_and(|title| title.ends_with(on))
        };
        let found = self.all("priorities").find(is).unwrap_or_else(|| panic!("no {remedy} on {on}: {}", self.show()));
        found["cuts"].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    }

    /// All paths by their fingerprints.
    pub fn fingerprints(&self) -> BTreeSet<String> {
        self.all("paths").filter_map(|p| p["fingerprint"].as_str()).map(str::to_owned).collect()
    }

    /// Everything for the reader of a failed test.
    pub fn show(&self) -> String {
        let mut out = String::from("\n");
        for p in self.all("paths") {
            let steps: Vec<&str> =
                p["steps"].as_array().into_iter().flatten().filter_map(|s| s["step"].as_str()).collect();
            out += &format!("{} {} → {}: {}\n", p["certainty"], p["from"]["text"], p["to"]["text"], steps.join(", "));
        }
        for (at, p) in self.all("priorities").take(8).enumerate() {
            out += &format!(
                "{}. {} {} cuts {}: {}\n",
                at + 1,
                p["title"],
                p["remedy"],
                p["cuts"].as_array().map_or(0, Vec::len),
                p["why"]
            );
        }
        out
    }
}
