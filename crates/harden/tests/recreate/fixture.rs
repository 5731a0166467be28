//! A container that has everything that could be lost, and what must hold of it.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use seaworthy_bed::{Daemon, Spec, Version};
use seaworthy_core::plan::{ContainerRef, Recreate, SpecChange};
use seaworthy_harden::Host;
use seaworthy_harden::act::{Act, Effect};
use seaworthy_harden::engine::Engine;
use seaworthy_harden::files::Keep;
use serde_json::{Value, json};

/// Notices when it runs twice at once on the same data, and takes its time to stop.
const PROGRAM: &str = "trap 'sleep 0.1; rmdir /data/lock; exit 0' TERM; \
    mkdir /data/lock 2>/dev/null || echo both >> /data/both; while :; do sleep 0.05; done";

/// What must not be seen anywhere.
pub const SECRET: &str = "hunter2-and-more";

pub fn engine(version: Version) -> Option<Daemon> {
    let daemon = Daemon::require(version, Spec::default())?;
    daemon.import_busybox("busybox:test");
    Some(daemon)
}

pub fn host_at(socket: &std::path::Path) -> Host {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    Host {
        root: "/".into(),
        engine: Some(Engine::at(socket).unwrap()),
        daemon: None,
        transaction: format!("{:012x}", NEXT.fetch_add(1, Ordering::Relaxed)),
    }
}

pub fn host(daemon: &Daemon) -> Host {
    host_at(&daemon.socket())
}

pub fn set(option: &str, remove: &[&str], add: &[&str]) -> SpecChange {
    let owned = |list: &[&str]| list.iter().map(|s| (*s).to_owned()).collect();
    SpecChange { option: option.into(), remove: owned(remove), add: owned(add) }
}

pub fn action(id: &str, name: &str, set: Vec<SpecChange>) -> Recreate {
    let container = ContainerRef { id: id.into(), name: name.into() };
    Recreate { container, compose: None, set, accept_lost_changes: false }
}

/// A keep that nothing is put into.
pub fn keep() -> Keep {
    Keep::at(&PathBuf::from("/nowhere"))
}

/// Checks, prepares, applies and verifies; what the journal would hold.
pub fn carry_out(host: &Host, action: &Recreate) -> Value {
    action.check(host).unwrap();
    let undo = action.prepare(host, &mut keep()).unwrap();
    assert!(!undo.to_string().contains(SECRET), "{undo}");
    action.apply(host, &undo).unwrap();
    let verified = action.verify(host, &undo);
    assert_eq!(verified, Ok(Effect::InEffect), "{:?}", action.set);
    undo
}

fn network(daemon: &Daemon, name: &str, subnet: &str) {
    let body = json!({ "Name": name, "IPAM": { "Config": [{ "Subnet": subnet }] } });
    let (status, answer) = daemon.request("POST", "/networks/create", Some(&body));
    assert_eq!(status, 201, "{answer}");
}

/// A web server's container: three networks, two of them with fixed addresses, links, aliases, volumes with data.
pub struct Web {
    pub id: String,
    /// `inspect`, while it runs.
    pub before: Value,
    data: PathBuf,
    anonymous: PathBuf,
}

impl Web {
    pub fn run(daemon: &Daemon) -> Self {
        network(daemon, "front", "172.30.1.0/24");
        network(daemon, "middle", "172.30.2.0/24");
        network(daemon, "rear", "172.30.3.0/24");
        daemon.run("db", &json!({ "Image": "busybox:test", "HostConfig": { "NetworkMode": "rear" } }));
        let id = daemon.create("web", &Self::body());
        let more = [
            ("middle", json!({ "Aliases": ["www"] })),
            ("rear", json!({ "IPAMConfig": { "IPv4Address": "172.30.3.77" }, "Links": ["db:database"] })),
        ];
        for (network, endpoint) in more {
            let body = json!({ "Container": id, "EndpointConfig": endpoint });
            let (status, answer) = daemon.request("POST", &format!("/networks/{network}/connect"), Some(&body));
            assert_eq!(status, 200, "{answer}");
        }
        daemon.start_container(&id);
        let before = daemon.inspect(&id);
        let volume = |place: &str| {
            let mounts = before["Mounts"].as_array().unwrap();
            PathBuf::from(mounts.iter().find(|m| m["Destination"] == place).unwrap()["Source"].as_str().unwrap())
        };
        let (data, anonymous) = (volume("/data"), volume("/anonymous"));
        fs::write(data.join("named"), "kept").unwrap();
        fs::write(anonymous.join("nameless"), "kept").unwrap();
        Self { id, before, data, anonymous }
    }

    fn body() -> Value {
        json!({
            "Image": "busybox:test",
            "Cmd": ["sh", "-c", PROGRAM],
            "Hostname": "www-host",
            "Env": [format!("PASSWORD={SECRET}"), "SIMPLE=1", "EMPTY="],
            "Labels": { "com.docker.compose.project": "shop", "com.docker.compose.service": "web", "odd": "a \"b\" $c" },
            "Volumes": { "/anonymous": {} },
            "ExposedPorts": { "80/tcp": {} },
            "StopTimeout": 20,
            "Healthcheck": { "Test": ["CMD-SHELL", "true"], "Interval": 1_000_000_000_i64, "Retries": 2 },
            "HostConfig": {
                "NetworkMode": "front",
                "Binds": ["web-data:/data"],
                "Tmpfs": { "/scratch": "size=1m" },
                "PortBindings": { "80/tcp": [{ "HostIp": "127.0.0.1", "HostPort": "18080" }] },
                "RestartPolicy": { "Name": "always" },
                "ExtraHosts": ["elsewhere:192.0.2.1"],
                "Dns": ["192.0.2.53"],
                "Sysctls": { "net.ipv4.ip_forward": "1" },
                "Ulimits": [{ "Name": "nofile", "Soft": 512, "Hard": 1024 }],
                "Devices": [{ "PathOnHost": "/dev/null", "PathInContainer": "/dev/nothing", "CgroupPermissions": "rw" }],
                "LogConfig": { "Type": "json-file", "Config": { "max-size": "1m" } },
                "CapDrop": ["MKNOD"],
                "OomScoreAdj": 100,
                "ShmSize": 1 << 22,
                "Init": true,
            },
            "NetworkingConfig": { "EndpointsConfig": { "front": {
                "IPAMConfig": { "IPv4Address": "172.30.1.77" }, "Aliases": ["shop", "web"],
            } } },
        })
    }

    /// The data are there, and no two of it ever ran at once.
    pub fn data_are_whole(&self) {
        assert_eq!(fs::read_to_string(self.data.join("named")).unwrap(), "kept");
        assert_eq!(fs::read_to_string(self.anonymous.join("nameless")).unwrap(), "kept");
        assert!(!self.data.join("both").exists(), "two ran at once");
    }

    /// The old one runs under its name, as it was in everything, and no other is left.
    pub fn is_as_before(&self, daemon: &Daemon, when: &str) {
        let (_, all) = daemon.request("GET", "/containers/json?all=1", None);
        let names: Vec<&Value> = all.as_array().unwrap().iter().map(|c| &c["Names"][0]).collect();
        assert_eq!(names.len(), 2, "{when}: {names:?}");
        let now = daemon.inspect(&self.id);
        assert_eq!((&now["Name"], &now["State"]["Running"]), (&json!("/web"), &json!(true)), "{when}");
        assert_eq!(now["HostConfig"], self.before["HostConfig"], "{when}");
        assert_eq!(now["Config"], self.before["Config"], "{when}");
        assert_eq!(networks(&now), networks(&self.before), "{when}");
        self.data_are_whole();
    }
}

/// What the networks of a container are configured to, and the fixed addresses that it really has.
pub fn networks(inspect: &Value) -> Value {
    let all = inspect["NetworkSettings"]["Networks"].as_object().unwrap();
    let short = &inspect["Id"].as_str().unwrap()[..12];
    let told = all.iter().map(|(name, e)| {
        let fixed = e["IPAMConfig"]["IPv4Address"].is_string();
        let address = if fixed { e["IPAddress"].clone() } else { Value::Null };
        let mut aliases: Vec<&str> = e["Aliases"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        aliases.retain(|a| *a != short);
        let names = e["DNSNames"].as_array().map(|n| n.iter().filter(|n| *n != short).collect::<Vec<_>>());
        (name.clone(), json!({ "address": address, "aliases": aliases, "links": e["Links"], "names": names }))
    });
    Value::Object(told.collect())
}
