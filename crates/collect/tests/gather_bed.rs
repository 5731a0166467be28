//! Everything that a real engine tells, gathered: what was asked for is what the facts say.

use std::sync::Arc;

use seaworthy_bed::{Daemon, Spec, Version};
use seaworthy_collect::docker::context::NoHost;
use seaworthy_collect::docker::gather::{Gathered, Options, gather};
use seaworthy_collect::engine::{Engine, Environment, Limits, Wanted, resolve};
use seaworthy_collect::redact::Redactor;
use seaworthy_core::component::Component;
use serde_json::{Value, json};

const ENGINES: [Version; 2] = [Version::V20, Version::V29];

fn all_of(daemon: &Daemon, deep: bool) -> Gathered {
    let wanted = Wanted { host: Some(daemon.host()), context: None };
    let endpoint = resolve(&wanted, &Environment::of_process()).unwrap().endpoint;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let engine = Engine::open(&endpoint, Limits::default()).await.unwrap();
        let options = Options {
            redactor: Arc::new(Redactor::new()),
            host: Arc::new(NoHost::new("not looked at")),
            collected_at: 1_800_000_000,
            deep,
            finish: None,
        };
        gather(&engine, options).await.unwrap()
    })
}

fn one<'g>(gathered: &'g Gathered, kind: &str, name: &str) -> &'g Component {
    let found = gathered.components.iter().find(|c| c.kind.name == kind && &*c.name == name);
    found.unwrap_or_else(|| panic!("there is no {kind} {name}"))
}

fn assert_facts(component: &Component, facts: &[(&str, &str)]) {
    for (fact, expected) in facts {
        assert_eq!(component.value(fact).to_string(), *expected, "{}: {fact}", component.name);
    }
}

fn body(host_config: &Value) -> Value {
    json!({ "Image": "busybox:test", "Cmd": ["sleep", "3600"], "HostConfig": host_config })
}

#[test]
fn dangerous_and_careful_containers_are_told_apart() {
    for version in ENGINES {
        let Some(daemon) = Daemon::require(version, Spec::default()) else { continue };
        daemon.import_busybox("busybox:test");
        daemon.create(
            "bad",
            &body(&json!({
                "Privileged": true, "NetworkMode": "host", "PidMode": "host", "Binds": ["/var/run/:/host:ro"],
                "DeviceCgroupRules": ["a *:* rwm"], "RestartPolicy": { "Name": "always" },
            })),
        );
        daemon.create("good", &json!({
            "Image": "busybox:test", "User": "1000", "Env": ["API_TOKEN=hunter2hunter2"], "Cmd": ["true"],
            "Healthcheck": { "Test": ["CMD", "true"] },
            "HostConfig": {
                "CapDrop": ["ALL"], "SecurityOpt": ["no-new-privileges:true"], "ReadonlyRootfs": true,
                "Memory": 64 << 20, "PidsLimit": 9, "LogConfig": { "Type": "json-file", "Config": { "max-size": "1m" } },
                "PortBindings": { "80/tcp": [{ "HostIp": "127.0.0.1", "HostPort": "8080" }] },
            },
        }));
        daemon.create("guest", &body(&json!({ "NetworkMode": "container:bad" })));
        let found = all_of(&daemon, false);
        assert!(found.gaps.is_empty() && found.incomplete.is_empty(), "{:?}", found.gaps);
        assert_facts(
            one(&found, "docker.container", "bad"),
            &[
                ("privileged", "true"),
                ("seccomp", "unconfined"),
                ("masked_paths", "false"),
                ("all_devices", "true"),
                ("host_network", "true"),
                ("host_pid", "true"),
                ("root_user", "true"),
                ("restart_policy", "always"),
                ("healthcheck", "false"),
                ("memory_limit", "none"),
                ("pids_limit", "none"),
                ("log_bounded", "false"),
                (
                    "mounts",
                    "[{type: bind, source: /run, destination: /host, rw: false, propagation: rprivate, volume: \"\"}]",
                ),
            ],
        );
        let good = one(&found, "docker.container", "good");
        assert_facts(
            good,
            &[
                ("capabilities", "[]"),
                ("no_new_privileges", "true"),
                ("readonly_rootfs", "true"),
                ("root_user", "false"),
                ("memory_limit", "67108864"),
                ("memory_swap_limit", "134217728"),
                ("pids_limit", "9"),
                ("log_bounded", "true"),
                ("healthcheck", "true"),
                ("seccomp", "default"),
                ("masked_paths", "true"),
                (
                    "ports",
                    "[{host_ip: 127.0.0.1, host_port: 8080, container_port: 80, protocol: tcp, wildcard: false, \
                 loopback: true}]",
                ),
                ("env_secrets", "[{name: API_TOKEN, class: token, length: 8-15}]"),
            ],
        );
        assert_facts(one(&found, "docker.container", "guest"), &[("host_network", "true"), ("joins", "[network:bad]")]);
        assert!(!format!("{:?}", found.components).contains("hunter2"));
    }
}

#[test]
fn images_volumes_networks_and_execs_are_read() {
    for version in ENGINES {
        let Some(daemon) = Daemon::require(version, Spec::default()) else { continue };
        daemon.import_busybox("busybox:test");
        daemon.build("app:1", "FROM busybox:test\nENV DB_PASSWORD=hunter2hunter2\nUSER 1000\nEXPOSE 22\n", &[]);
        let volume = json!({ "Name": "etc", "DriverOpts": { "type": "none", "o": "bind", "device": "/etc" } });
        assert_eq!(daemon.request("POST", "/volumes/create", Some(&volume)).0, 201);
        let web =
            daemon.run("web", &body(&json!({ "Mounts": [{ "Type": "volume", "Source": "etc", "Target": "/e" }] })));
        let exec = json!({ "Cmd": ["sleep", "600"], "User": "0:0" });
        let (_, exec) = daemon.request("POST", &format!("/containers/{web}/exec"), Some(&exec));
        let start = format!("/exec/{}/start", exec["Id"].as_str().unwrap());
        assert_eq!(daemon.request("POST", &start, Some(&json!({ "Detach": true }))).0, 200);
        let found = all_of(&daemon, true);
        assert_facts(
            one(&found, "docker.image", "app:1"),
            &[
                ("user", "1000"),
                ("root_user", "false"),
                ("exposed_ports", "[22/tcp]"),
                ("used_by", "[]"),
                ("history_complete", "true"),
                ("adds", "[]"),
                ("env_secrets", "[{name: DB_PASSWORD, class: password, length: 8-15}]"),
            ],
        );
        assert_facts(
            one(&found, "docker.image", "busybox:test"),
            &[("used_by", "[web]"), ("history_complete", "false")],
        );
        assert_facts(one(&found, "docker.volume", "etc"), &[("binds", "/etc"), ("driver", "local")]);
        assert_facts(
            one(&found, "docker.network", "bridge"),
            &[("default_bridge", "true"), ("icc", "true"), ("containers", "[web]")],
        );
        let web = one(&found, "docker.container", "web");
        assert_facts(
            web,
            &[
                (
                    "mounts",
                    "[{type: volume, source: /etc, destination: /e, rw: true, propagation: rprivate, volume: etc}]",
                ),
                ("changed_files", "1"),
            ],
        );
        let execs = web.value("execs").to_string();
        assert!(
            execs.contains("command: sleep 600, privileged: false, user: 0:0, root: true, running: true"),
            "{execs}"
        );
        assert_eq!(found.counts.containers, Ok(1));
        assert!(!format!("{:?}", found.components).contains("hunter2"));
    }
}

#[test]
fn a_volume_made_of_layers_shows_each_of_them() {
    for version in ENGINES {
        let Some(daemon) = Daemon::require(version, Spec::default()) else { continue };
        daemon.import_busybox("busybox:test");
        let dir = |name: &str| {
            let path = daemon.dir().join(name);
            std::fs::create_dir(&path).unwrap();
            path.display().to_string()
        };
        let (upper, work) = (dir("upper"), dir("work"));
        let layers = format!("lowerdir=/etc:/usr/share,upperdir={upper},workdir={work}");
        let options = json!({ "type": "overlay", "o": layers, "device": "overlay" });
        let volume = json!({ "Name": "layers", "DriverOpts": options });
        assert_eq!(daemon.request("POST", "/volumes/create", Some(&volume)).0, 201);
        let mount = json!({ "Mounts": [{ "Type": "volume", "Source": "layers", "Target": "/e" }] });
        daemon.run("web", &body(&mount));
        let found = all_of(&daemon, false);
        assert_facts(one(&found, "docker.volume", "layers"), &[("binds", "/etc")]);
        let mounts = one(&found, "docker.container", "web").value("mounts").to_string();
        for (source, rw) in [(upper.as_str(), true), ("/etc", false), ("/usr/share", false)] {
            let part = format!("{{type: volume, source: {source}, destination: /e, rw: {rw},");
            assert!(mounts.contains(&part), "{version:?}: {part} in {mounts}");
        }
    }
}

#[test]
fn an_engine_that_stops_leaves_reasons() {
    let Some(mut daemon) = Daemon::require(Version::V20, Spec::default()) else { return };
    let wanted = Wanted { host: Some(daemon.host()), context: None };
    let endpoint = resolve(&wanted, &Environment::of_process()).unwrap().endpoint;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let engine = runtime.block_on(Engine::connect(&endpoint, Limits::default())).unwrap();
    daemon.stop();
    let options = Options {
        redactor: Arc::new(Redactor::new()),
        host: Arc::new(NoHost::new("not looked at")),
        collected_at: 1_800_000_000,
        deep: false,
        finish: None,
    };
    let found = runtime.block_on(gather(&engine, options)).unwrap();
    assert!(found.components.is_empty());
    let kinds: Vec<_> = found.incomplete.iter().map(|(kind, _)| kind.name).collect();
    for kind in ["docker.container", "docker.image", "docker.network", "docker.volume", "docker.swarm"] {
        assert!(kinds.contains(&kind), "{kind} in {kinds:?}");
    }
    assert!(found.counts.containers.is_err() && found.engine.userns.is_err());
}
