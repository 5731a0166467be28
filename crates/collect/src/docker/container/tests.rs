use super::*;
use crate::docker::context::{EngineFacts, NoHost, Seccomp, VolumeSource};
use crate::redact::Redactor;
use serde_json::json;
use std::collections::HashMap;

static REDACTOR: Redactor = Redactor;

fn engine() -> EngineFacts {
    let mut engine = EngineFacts {
        api: (1, 41),
        rootless: Ok(false),
        userns: Ok(false),
        apparmor: Ok(false),
        selinux: Ok(false),
        no_new_privileges: Ok(false),
        seccomp: Ok(Seccomp::Default),
        since: Some(0),
        default_runtime: Ok("runc".into()),
        cpus: Some(2),
        ..EngineFacts::default()
    };
    engine.runtimes.insert("runc".into(), "runc".into());
    engine.runtimes.insert("runc2".into(), "/usr/bin/runc".into());
    engine
}

fn volumes() -> HashMap<Box<str>, VolumeSource> {
    HashMap::from([("bindvol".into(), VolumeSource::Binds("/etc".into())), ("plain".into(), VolumeSource::Own)])
}

/// Reads a container on an ordinary engine whose host cannot be seen.
fn read_with(inspect: &Json, change: impl FnOnce(&mut EngineFacts)) -> Mapped {
    let mut engine = engine();
    change(&mut engine);
    let (volumes, bindings, host) = (volumes(), HashMap::new(), NoHost::new("another machine"));
    let ctx = Context {
        redactor: &REDACTOR,
        engine: &engine,
        volumes: Ok(&volumes),
        bindings: &bindings,
        host: &host,
        collected_at: 1_795_256_100,
    };
    container(inspect, &ctx, observe(inspect, &host))
}

fn read(inspect: &Json) -> Component {
    read_with(inspect, |_| {}).component
}

fn fixtures(engine: &str) -> Vec<Json> {
    let text = match engine {
        "20.10" => include_str!("../../../fixtures/engine-20.10/containers.json"),
        _ => include_str!("../../../fixtures/engine-29/containers.json"),
    };
    serde_json::from_str(text).expect("a fixture")
}

/// A stopped container of 20.10 whose fields a test changes.
fn stopped(change: impl FnOnce(&mut Json)) -> Component {
    let mut inspect = fixtures("20.10").remove(3);
    change(&mut inspect);
    read(&inspect)
}

fn show(component: &Component, fact: &str) -> String {
    component.value(fact).to_string()
}

#[test]
fn every_fact_of_a_recorded_container_is_set() {
    for version in ["20.10", "29"] {
        for inspect in fixtures(version) {
            let mapped = read(&inspect);
            let derived = |name| CONTAINER.fact(name).is_some_and(|fact| fact.derived);
            let set: Vec<_> = mapped.facts().map(|(name, _)| name).collect();
            // What stands before its ports is read where the host is.
            let elsewhere = |name| name == "packet_filter";
            for fact in CONTAINER.facts.iter().filter(|fact| !derived(fact.name) && !elsewhere(fact.name)) {
                assert!(set.contains(&fact.name), "{version} {}: {} is not set", mapped.name, fact.name);
            }
        }
    }
}

#[test]
fn no_secret_of_a_recorded_container_is_kept() {
    for version in ["20.10", "29"] {
        for inspect in fixtures(version) {
            let text = format!("{:?}", read(&inspect));
            assert!(!text.contains("hunter2"), "{version}: {text}");
        }
    }
}

#[test]
fn a_careful_container_is_read_alike_on_both_engines() {
    for version in ["20.10", "29"] {
        let web = read(&fixtures(version)[0]);
        for (fact, expected) in [
            ("status", "running"),
            ("running", "true"),
            ("image", "foo:1"),
            ("image_reference", "tag"),
            ("project", "shop"),
            ("service", "web"),
            ("command", "[/bin/sleep, 600]"),
            ("user", "app"),
            ("privileged", "false"),
            ("capabilities", "[NET_ADMIN]"),
            ("capabilities_added", "[NET_ADMIN]"),
            ("no_new_privileges", "true"),
            ("seccomp", "default"),
            ("apparmor", "none"),
            ("masked_paths", "true"),
            ("networks", "[net1]"),
            ("default_bridge", "false"),
            ("host_network", "false"),
            ("memory_limit", "67108864"),
            ("memory_swap_limit", "134217728"),
            ("cpu_quota", "500"),
            ("cpu_limited", "true"),
            ("pids_limit", "50"),
            ("restart_policy", "on-failure"),
            ("restart_max", "5"),
            ("readonly_rootfs", "true"),
            ("ulimits", "[{name: nofile, soft: 1000, hard: 2000}]"),
            ("healthcheck", "true"),
            ("health", "starting"),
            ("log_driver", "json-file"),
            ("log_bounded", "false"),
            ("sandboxed", "false"),
            ("env_names", "[DB_PASSWORD, PATH]"),
            ("groups_added", "[5]"),
            ("sysctls", "[net.ipv4.ip_unprivileged_port_start=0]"),
            ("devices", "[]"),
            ("all_devices", "false"),
        ] {
            assert_eq!(show(&web, fact), expected, "{version}: {fact}");
        }
        // A name cannot be resolved without its process.
        assert!(web.value("root_user").is_unknown());
        let ports = show(&web, "ports");
        assert!(ports.contains("host_ip: 0.0.0.0, host_port: 8080, container_port: 80"), "{ports}");
        assert!(ports.contains("host_ip: 127.0.0.1, host_port: 9000"), "{ports}");
    }
}

#[test]
fn mounts_are_where_they_really_lead() {
    for version in ["20.10", "29"] {
        let web = show(&read(&fixtures(version)[0]), "mounts");
        for part in [
            "{type: bind, source: /run, destination: /host/run, rw: false, propagation: rprivate, volume: \"\"}",
            "{type: volume, source: /etc, destination: /b, rw: true, propagation: rprivate, volume: bindvol}",
            "{type: tmpfs, source: \"\", destination: /t, rw: true, propagation: private, volume: \"\"}",
            // Anonymous volumes that the list does not have.
            "{type: volume, source: unknown (its volume is not among the engine's volumes), destination: /data",
        ] {
            assert!(web.contains(part), "{version}: {part}\nin {web}");
        }
        let range = show(&read(&fixtures(version)[3]), "mounts");
        let shared = "{type: bind, source: /etc, destination: /e, rw: false, propagation: rshared, volume: \"\"}";
        assert!(range.contains(shared), "{version}: {range}");
        let private = show(&read(&fixtures(version)[2]), "mounts");
        assert!(private.contains("source: /run/docker.sock, destination: /s"), "{version}: {private}");
    }
}

#[test]
fn the_network_plugins_come_with_opt_where_the_host_has_them() {
    let given = |paths| {
        let host = Shown { capabilities: Vec::new(), no_new_privileges: false, label: None, paths };
        let web = running(&host, 0, |inspect| {
            inspect["Mounts"] = json!([]);
            inspect["HostConfig"]["Binds"] = json!(["/opt:/host/:ro"]);
        });
        show(&web, "mounts")
    };
    let plugins = |source: &str| {
        format!(
            "{{type: bind, source: {source}, destination: /host/cni, rw: false, propagation: rprivate, volume: \"\"}}"
        )
    };
    assert!(given(&["/", "/opt", "/opt/cni"]).contains(&plugins("/opt/cni")));
    assert!(!given(&["/", "/opt"]).contains("cni"));
    assert!(given(&[]).contains(&plugins("unknown (whether the host has /opt/cni could not be seen)")));
}

#[test]
fn configured_mounts_count_where_the_engine_lists_none() {
    let component = stopped(|inspect| {
        inspect["Mounts"] = json!([]);
        inspect["HostConfig"]["Binds"] = json!(["/var/run:/host:ro,rslave", "plain:/p"]);
    });
    let mounts = show(&component, "mounts");
    assert!(
        mounts.contains("{type: bind, source: /run, destination: /host, rw: false, propagation: rslave"),
        "{mounts}"
    );
    assert!(mounts.contains("volume: plain"), "{mounts}");
    assert!(mounts.contains("source: /etc, destination: /e, rw: false, propagation: rshared"), "{mounts}");
}

#[test]
fn a_privileged_container_has_what_follows_from_it() {
    for version in ["20.10", "29"] {
        let privileged = read(&fixtures(version)[2]);
        for (fact, expected) in [
            ("status", "created"),
            ("privileged", "true"),
            ("seccomp", "unconfined"),
            ("masked_paths", "false"),
            ("all_devices", "true"),
            ("host_network", "true"),
            ("host_pid", "true"),
            ("host_uts", "true"),
            ("host_cgroupns", "true"),
            ("root_user", "true"),
            ("root_on_host", "true"),
            // Nothing is published from the host's own network.
            ("ports", "[]"),
            ("pids_limit", "none"),
            ("memory_limit", "none"),
            ("cpu_limited", "false"),
            ("healthcheck", "false"),
            ("health", "none"),
            ("processes", "[]"),
            ("memory_used", "none"),
        ] {
            assert_eq!(show(&privileged, fact), expected, "{version}: {fact}");
        }
        let added = show(&privileged, "capabilities_added");
        assert!(added.contains("SYS_ADMIN") && added.contains("SYS_MODULE") && !added.contains("CHOWN"), "{added}");
        let devices = show(&privileged, "devices");
        assert!(devices.contains("{path: /dev/null, permissions: r, class: harmless}"), "{devices}");
        assert!(devices.contains("class: all"), "{devices}");
    }
}

#[test]
fn ports_of_a_stopped_container_are_the_configured_ones() {
    for version in ["20.10", "29"] {
        let range = read(&fixtures(version)[3]);
        let ports = show(&range, "ports");
        assert!(ports.contains("host_port: 8000, container_port: 80, protocol: tcp, wildcard: true"), "{ports}");
        assert!(ports.contains("host_ip: ::1, host_port: 99"), "{ports}");
        assert!(ports.contains("host_port: 0, container_port: 80"), "{ports}");
        assert_eq!(show(&range, "masked_paths"), "false", "{version}: systempaths=unconfined");
    }
    let all = stopped(|inspect| {
        inspect["HostConfig"]["PublishAllPorts"] = json!(true);
        inspect["HostConfig"]["PortBindings"] = json!(null);
        inspect["Config"]["ExposedPorts"] = json!({"53/udp": {}});
    });
    assert!(show(&all, "ports").contains("host_port: 0, container_port: 53, protocol: udp, wildcard: true"));
}

#[test]
fn a_joined_namespace_ends_where_the_other_container_is() {
    for version in ["20.10", "29"] {
        let mut containers: Vec<Mapped> = fixtures(version).iter().map(|inspect| read_with(inspect, |_| {})).collect();
        resolve_joins(&mut containers);
        let join = &containers[1].component;
        assert_eq!(show(join, "joins"), "[network:web, pid:web]", "{version}");
        assert_eq!(show(join, "host_network"), "false", "{version}");
        assert_eq!(show(join, "host_ipc"), "true", "{version}");
        // Without the container that it joined, nothing is known.
        let mut alone = vec![read_with(&fixtures(version)[1], |_| {})];
        resolve_joins(&mut alone);
        assert!(alone[0].component.value("host_network").is_unknown(), "{version}");
    }
}

#[test]
fn chains_of_joins_lead_to_the_host_or_in_circles() {
    let one = |id: &str, mode: &str| {
        let mut inspect = fixtures("20.10").remove(3);
        inspect["Id"] = json!(id.repeat(16));
        inspect["Name"] = json!(format!("/{id}"));
        inspect["HostConfig"]["NetworkMode"] = json!(mode);
        read_with(&inspect, |_| {})
    };
    let mut containers = vec![
        one("aaaa", "container:bbbb"),
        one("bbbb", "container:cccccccccccc"),
        one("cccc", "host"),
        one("dddd", "container:eeee"),
        one("eeee", "container:dddd"),
    ];
    resolve_joins(&mut containers);
    assert_eq!(show(&containers[0].component, "host_network"), "true");
    assert_eq!(show(&containers[1].component, "joins"), "[network:cccc]");
    assert!(show(&containers[3].component, "host_network").contains("circle"));
}

#[test]
fn null_and_missing_mean_what_the_field_says() {
    for (change, fact, expected) in [
        (json!({"CapAdd": null, "CapDrop": null}), "capabilities_added", "[]"),
        (json!({"SecurityOpt": null}), "no_new_privileges", "false"),
        (json!({"SecurityOpt": ["no-new-privileges:false"]}), "no_new_privileges", "false"),
        (json!({"PortBindings": null}), "ports", "[]"),
        (json!({"MaskedPaths": null, "ReadonlyPaths": null}), "masked_paths", "true"),
        (json!({"MaskedPaths": ["/proc/kcore"], "ReadonlyPaths": null}), "masked_paths", "false"),
        (json!({"PidsLimit": -1}), "pids_limit", "none"),
        (json!({"PidsLimit": 0}), "pids_limit", "none"),
        (json!({"PidsLimit": 4_194_303}), "pids_limit", "4194303"),
        (json!({"PidsLimit": 4_194_304}), "pids_limit", "none"),
        (json!({"GroupAdd": ["00", "+0", "app", "20001"]}), "groups_added", "[0, 0, app, 20001]"),
        (json!({"OomKillDisable": null}), "oom_kill_disabled", "false"),
        (json!({"RestartPolicy": {"Name": "", "MaximumRetryCount": 0}}), "restart_policy", "no"),
        (json!({"CapAdd": ["ALL"], "CapDrop": ["CAP_SYS_ADMIN"]}), "privileged", "false"),
        (json!({"Memory": 1024, "MemorySwap": -1}), "memory_swap_limit", "none"),
        (json!({"CpuShares": 1024}), "cpu_limited", "false"),
        (json!({"CpuShares": 512}), "cpu_limited", "true"),
        (json!({"CpusetCpus": "0-1"}), "cpu_limited", "false"),
        (json!({"CpusetCpus": "1"}), "cpu_limited", "true"),
        (json!({"DeviceCgroupRules": ["a *:* rwm"]}), "all_devices", "true"),
        (json!({"UsernsMode": "host"}), "userns_host", "true"),
        (json!({"SecurityOpt": ["seccomp={\"defaultAction\":\"SCMP_ACT_ALLOW\"}"]}), "seccomp", "unconfined"),
        (json!({"SecurityOpt": ["seccomp={\"defaultAction\":\"SCMP_ACT_ERRNO\"}"]}), "seccomp", "custom"),
    ] {
        let component = stopped(|inspect| {
            for (key, value) in change.as_object().expect("changes") {
                inspect["HostConfig"][key] = value.clone();
            }
        });
        assert_eq!(show(&component, fact), expected, "{change}");
    }
    for (field, fact) in [
        ("MaskedPaths", "masked_paths"),
        ("CapAdd", "capabilities"),
        ("Privileged", "privileged"),
        ("Privileged", "seccomp"),
        ("Memory", "memory_limit"),
        ("PidsLimit", "pids_limit"),
        ("NetworkMode", "host_network"),
        ("SecurityOpt", "no_new_privileges"),
        ("Binds", "mounts"),
        ("Devices", "devices"),
        ("PortBindings", "ports"),
        ("RestartPolicy", "restart_policy"),
        ("ReadonlyRootfs", "readonly_rootfs"),
        ("UsernsMode", "root_on_host"),
        ("LogConfig", "log_bounded"),
    ] {
        let component = stopped(|inspect| {
            inspect["HostConfig"].as_object_mut().expect("HostConfig").remove(field);
        });
        assert!(component.value(fact).is_unknown(), "{fact} without {field}: {}", component.value(fact));
    }
}

#[test]
fn nothing_is_known_of_an_empty_answer_and_nothing_panics() {
    for inspect in
        [json!({}), json!(null), json!([1]), json!({"HostConfig": [], "Config": 5, "State": "x", "Mounts": {}})]
    {
        let component = read(&inspect);
        for (name, fact) in component.facts() {
            let harmless = ["changed_files", "apparmor"].contains(&name);
            assert!(harmless || fact.value.is_unknown(), "{inspect}: {name} is {}", fact.value);
        }
    }
}

#[test]
fn health_checks_are_in_force_or_not() {
    for (test, expected) in [
        (json!({"Test": ["CMD-SHELL", "true"]}), "true"),
        (json!({"Test": ["CMD", "true"]}), "true"),
        (json!({"Test": ["NONE"]}), "false"),
        (json!({"Test": []}), "false"),
        (json!({"Interval": 5}), "false"),
        (json!(null), "false"),
    ] {
        let component = stopped(|inspect| {
            inspect["Config"]["Healthcheck"] = test.clone();
            // What was said last before its end stays.
            inspect["State"]["Health"] = json!({"Status": "unhealthy"});
        });
        assert_eq!(show(&component, "healthcheck"), expected, "{test}");
        assert_eq!(show(&component, "health"), "none", "{test}");
    }
}

#[test]
fn the_engines_defaults_decide_where_a_container_says_nothing() {
    let inspect = fixtures("20.10").remove(3);
    let fact = |name: &str, change: &dyn Fn(&mut EngineFacts)| show(&read_with(&inspect, change).component, name);
    assert_eq!(fact("no_new_privileges", &|engine| engine.no_new_privileges = Ok(true)), "true");
    let later = fact("no_new_privileges", &|engine| (engine.no_new_privileges, engine.since) = (Ok(true), None));
    assert!(later.contains("may have been off"), "{later}");
    assert_eq!(fact("root_on_host", &|engine| engine.userns = Ok(true)), "false");
    assert_eq!(fact("root_on_host", &|engine| engine.rootless = Ok(true)), "false");
    assert_eq!(fact("seccomp", &|engine| engine.seccomp = Ok(Seccomp::Unconfined)), "unconfined");
    assert_eq!(fact("apparmor", &|engine| engine.apparmor = Ok(true)), "docker-default");
    assert!(fact("masked_paths", &|engine| engine.podman = true).contains("false"));
}

#[test]
fn podman_leaves_what_it_hides_unknown() {
    let mut inspect = fixtures("20.10").remove(3);
    inspect["HostConfig"]["MaskedPaths"] = json!(null);
    inspect["HostConfig"]["ReadonlyPaths"] = json!(null);
    inspect["HostConfig"]["CgroupnsMode"] = json!("");
    let component = read_with(&inspect, |engine| engine.podman = true).component;
    for fact in ["masked_paths", "host_cgroupns", "capabilities", "sysctls", "log_bounded"] {
        assert!(component.value(fact).is_unknown(), "{fact}: {}", component.value(fact));
    }
}

#[test]
fn ports_of_swarm_are_added_to_its_tasks() {
    let task = || {
        let mut inspect = fixtures("20.10").remove(0);
        inspect["Config"]["Labels"]["com.docker.swarm.service.name"] = json!("shop_web");
        vec![read_with(&inspect, |_| {})]
    };
    let mut containers = task();
    add_service_ports(&mut containers, &Ok(HashMap::from([("shop_web".into(), vec![(443, 8443, "tcp".into())])])));
    let ports = show(&containers[0].component, "ports");
    assert!(ports.contains("host_port: 443, container_port: 8443, protocol: tcp, wildcard: true"), "{ports}");
    let mut containers = task();
    add_service_ports(&mut containers, &Err("not a manager".into()));
    assert!(show(&containers[0].component, "ports").contains("unknown (ports of its swarm service: not a manager)"));
}

#[test]
fn a_vanished_container_keeps_what_the_list_says() {
    let list: Vec<Json> =
        serde_json::from_str(include_str!("../../../fixtures/engine-29/list.json")).expect("a fixture");
    let mapped = vanished(&list[0], &REDACTOR, &"it vanished".into());
    assert_eq!(show(&mapped.component, "image"), "foo:1");
    assert_eq!(show(&mapped.component, "networks"), "[bridge]");
    for fact in ["privileged", "mounts", "host_network", "ports", "running"] {
        assert_eq!(show(&mapped.component, fact), "unknown (it vanished)", "{fact}");
    }
}

/// A host that shows of each running container what a test says.
struct Shown {
    capabilities: Vec<&'static str>,
    no_new_privileges: bool,
    label: Option<&'static str>,
    /// The paths that it has.
    paths: &'static [&'static str],
}

impl crate::docker::context::HostView for Shown {
    fn observe(&self, _: Running<'_>) -> Read<Observed> {
        let unseen = || Arc::<str>::from("not looked at");
        Ok(Observed {
            place: "/proc/7".into(),
            root_user: Err(unseen()),
            root_on_host: Err(unseen()),
            capabilities: Ok(self.capabilities.iter().map(|cap| (*cap).to_owned()).collect()),
            no_new_privileges: Ok(self.no_new_privileges),
            seccomp_filter: Err(unseen()),
            label: Ok(self.label.map(str::to_owned)),
            host_network: Err(unseen()),
            host_pid: Err(unseen()),
            host_ipc: Err(unseen()),
            host_uts: Err(unseen()),
            host_cgroupns: Err(unseen()),
            mounted: HashMap::new(),
            cgroup_writable: Err(unseen()),
            readonly_rootfs: Err(unseen()),
            memory_limit: Err(unseen()),
            memory_swap_limit: Err(unseen()),
            memory_used: Err(unseen()),
            memory_peak: Err(unseen()),
            cpuset: Err(unseen()),
            cpu_quota: Err(unseen()),
            cpu_weighted: Err(unseen()),
            pids_limit: Err(unseen()),
            pids_used: Err(unseen()),
            pids_peak: Err(unseen()),
            all_devices: None,
            processes: Err(unseen()),
            ssh_servers: Err(unseen()),
        })
    }

    fn resolve(&self, path: &str) -> Option<String> {
        self.paths.contains(&path).then(|| path.to_owned())
    }

    fn known_as(&self, _: &str) -> Option<String> {
        None
    }

    fn devices(&self, _: &str) -> Vec<crate::docker::context::DeviceNumber> {
        Vec::new()
    }

    fn user_number(&self, _: &[&str], _: &str) -> Read<u32> {
        Err("not looked at".into())
    }

    fn apparmor(&self) -> Option<bool> {
        Some(true)
    }

    fn selinux(&self) -> Option<bool> {
        Some(false)
    }

    fn all_capabilities(&self) -> Read<Vec<String>> {
        Ok(privileges::DEFAULTS.iter().chain(&["SYS_ADMIN", "SYS_PTRACE"]).map(|cap| (*cap).to_owned()).collect())
    }
}

/// A running container of 20.10, on an engine that uses AppArmor, as a host shows it.
fn running(host: &Shown, since: i64, change: impl FnOnce(&mut Json)) -> Component {
    let mut inspect = fixtures("20.10").remove(0);
    inspect["HostConfig"]["SecurityOpt"] = json!([]);
    change(&mut inspect);
    let engine = EngineFacts { apparmor: Ok(true), since: Some(since), ..engine() };
    let (volumes, bindings) = (volumes(), HashMap::new());
    let ctx = Context {
        redactor: &REDACTOR,
        engine: &engine,
        volumes: Ok(&volumes),
        bindings: &bindings,
        host,
        collected_at: 1_795_256_100,
    };
    container(&inspect, &ctx, observe(&inspect, host)).component
}

#[test]
fn what_a_program_took_from_itself_the_next_one_inside_has() {
    let gave_up = Shown { capabilities: vec!["CHOWN"], no_new_privileges: true, label: None, paths: &[] };
    let add = |c: &mut Json| {
        c["HostConfig"]["CapDrop"] = json!(["ALL"]);
        // The host has no SYS_TIME to give.
        c["HostConfig"]["CapAdd"] = json!(["CHOWN", "SYS_ADMIN", "SYS_TIME"]);
    };
    let web = running(&gave_up, 0, add);
    assert_eq!(show(&web, "capabilities"), "[CHOWN, SYS_ADMIN]");
    assert_eq!(show(&web, "capabilities_added"), "[SYS_ADMIN]");
    assert_eq!(show(&web, "no_new_privileges"), "false");
    // What the engine's default was when it was created is not known; its processes show it.
    let older = running(&gave_up, 4_000_000_000, add);
    assert_eq!(show(&older, "no_new_privileges"), "true");
    let told = running(&gave_up, 0, |c| c["HostConfig"]["SecurityOpt"] = json!(["no-new-privileges"]));
    assert_eq!(show(&told, "no_new_privileges"), "true");
    let lost = Shown { no_new_privileges: false, ..gave_up };
    let lost = running(&lost, 0, |c| c["HostConfig"]["SecurityOpt"] = json!(["no-new-privileges"]));
    assert_eq!(show(&lost, "no_new_privileges"), "false");
}

#[test]
fn a_profile_that_confines_nothing_is_none() {
    for (label, expected) in [
        ("docker-default (enforce)", "docker-default"),
        ("docker-default (complain)", "docker-default (complain)"),
        ("flatpak (unconfined)", "unconfined"),
        ("unconfined", "unconfined"),
    ] {
        let host = Shown { capabilities: Vec::new(), no_new_privileges: false, label: Some(label), paths: &[] };
        assert_eq!(show(&running(&host, 0, |_| {}), "apparmor"), expected, "{label}");
    }
    // A privileged container is started once with the profile that it names, and then without: the engine keeps which.
    let privileged = |kept: &str| {
        let mut inspect = fixtures("20.10").remove(3);
        inspect["HostConfig"]["Privileged"] = json!(true);
        inspect["HostConfig"]["SecurityOpt"] = json!(["apparmor=strict"]);
        inspect["AppArmorProfile"] = json!(kept);
        show(&read_with(&inspect, |engine| engine.apparmor = Ok(true)).component, "apparmor")
    };
    assert_eq!(privileged("unconfined"), "unconfined");
    assert_eq!(privileged("strict"), "strict");
    assert_eq!(privileged(""), "strict");
}
