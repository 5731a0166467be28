//! Each option that remedies change: changed, read back from the engine, and given back.

use seaworthy_bed::{Daemon, Version};
use seaworthy_core::plan::SpecChange;
use seaworthy_harden::act::{Act, Refusal, Undone};
use serde_json::{Value, json};

use crate::fixture::{action, carry_out, engine, host, keep, set};

/// What a container is created with, what is changed, and what the engine must say afterwards; `*` is something.
struct Case {
    body: Value,
    changes: Vec<SpecChange>,
    then: Vec<(&'static str, Value)>,
}

fn case(host: Value, changes: Vec<SpecChange>, then: Vec<(&'static str, Value)>) -> Case {
    Case { body: json!({ "HostConfig": host }), changes, then }
}

fn config(body: Value, changes: Vec<SpecChange>, then: Vec<(&'static str, Value)>) -> Case {
    Case { body, changes, then }
}

fn privileges(v29: bool) -> Vec<Case> {
    let builtin = if v29 { json!(["seccomp=builtin"]) } else { json!([]) };
    vec![
        case(
            json!({ "Privileged": true }),
            vec![set("privileged", &[], &["false"])],
            vec![("/HostConfig/Privileged", json!(false)), ("/HostConfig/SecurityOpt", json!([]))],
        ),
        case(
            json!({ "CapAdd": ["SYS_ADMIN", "NET_RAW", "CHOWN"] }),
            vec![set("cap-drop", &[], &["net_raw"]), set("cap-add", &["CAP_SYS_ADMIN"], &[])],
            vec![("/HostConfig/CapAdd", json!(["CHOWN"])), ("/HostConfig/CapDrop", json!(["NET_RAW"]))],
        ),
        case(
            json!({ "SecurityOpt": ["seccomp=unconfined", "apparmor=unconfined"] }),
            vec![set("security-opt", &["apparmor"], &["seccomp=builtin"])],
            vec![("/HostConfig/SecurityOpt", builtin)],
        ),
        case(
            json!({ "SecurityOpt": ["label=disable"] }),
            vec![set("security-opt", &[], &["label=type:container_t", "no-new-privileges"])],
            vec![("/HostConfig/SecurityOpt", json!(["label=type:container_t", "no-new-privileges"]))],
        ),
        case(
            json!({ "MaskedPaths": [], "ReadonlyPaths": [] }),
            vec![set("security-opt", &["systempaths=unconfined"], &[])],
            vec![("/HostConfig/MaskedPaths/0", json!("*")), ("/HostConfig/ReadonlyPaths/0", json!("*"))],
        ),
        case(
            json!({ "GroupAdd": ["00", "7"] }),
            vec![set("group-add", &["0"], &[])],
            vec![("/HostConfig/GroupAdd", json!(["7"]))],
        ),
        case(
            json!({ "GroupAdd": ["docker", "999"] }),
            vec![set("group-add", &["docker"], &[])],
            vec![("/HostConfig/GroupAdd", json!(["999"]))],
        ),
        config(json!({}), vec![set("user", &[], &["1000:1000"])], vec![("/Config/User", json!("1000:1000"))]),
        case(
            json!({}),
            vec![set("read-only", &[], &["true"]), set("tmpfs", &[], &["/run", "/tmp:size=1m,mode=1777"])],
            vec![
                ("/HostConfig/ReadonlyRootfs", json!(true)),
                ("/HostConfig/Tmpfs", json!({ "/run": "", "/tmp": "size=1m,mode=1777" })),
            ],
        ),
        case(
            json!({ "PidMode": "host", "IpcMode": "host", "UTSMode": "host", "CgroupnsMode": "host", "UsernsMode": "host" }),
            vec![
                set("pid", &[], &["private"]),
                set("ipc", &[], &["private"]),
                set("uts", &[], &["private"]),
                set("userns", &[], &[""]),
            ],
            vec![
                ("/HostConfig/PidMode", json!("")),
                ("/HostConfig/IpcMode", json!("private")),
                ("/HostConfig/UTSMode", json!("")),
                ("/HostConfig/UsernsMode", json!("")),
                ("/HostConfig/SecurityOpt", json!([])),
            ],
        ),
        case(
            json!({ "CgroupParent": "/elsewhere" }),
            vec![set("cgroup-parent", &[], &[""])],
            vec![("/HostConfig/CgroupParent", json!(""))],
        ),
    ]
}

fn things() -> Vec<Case> {
    let device = |path: &str| json!({ "PathOnHost": path, "PathInContainer": path, "CgroupPermissions": "rwm" });
    let bound = |ip: &str, port: &str| json!({ "HostIp": ip, "HostPort": port });
    vec![
        case(
            json!({
                "Binds": ["/:/host:ro", "/srv:/media:rshared", "data:/data"],
                "Mounts": [{ "Type": "bind", "Source": "/etc", "Target": "/hostetc" }],
            }),
            vec![set("volume", &["/host/", "/hostetc"], &["/srv:/media:ro"])],
            vec![
                ("/HostConfig/Binds", json!(["data:/data", "/srv:/media:ro"])),
                ("/HostConfig/Mounts", Value::Null),
                ("/Mounts/2", Value::Null),
            ],
        ),
        case(
            json!({ "Mounts": [{
                "Type": "bind", "Source": "/srv", "Target": "/media", "ReadOnly": true,
                "BindOptions": { "Propagation": "rshared", "NonRecursive": true },
            }] }),
            vec![set("volume", &["/media/"], &["/srv:/media:ro,rslave"])],
            vec![
                ("/HostConfig/Mounts/0/BindOptions", json!({ "Propagation": "rslave", "NonRecursive": true })),
                ("/HostConfig/Mounts/0/ReadOnly", json!(true)),
                ("/HostConfig/Binds/0", Value::Null),
            ],
        ),
        case(
            json!({ "Devices": [device("/dev/null"), device("/dev/zero")], "DeviceCgroupRules": ["a *:* rwm"] }),
            vec![set("device", &["/dev/null"], &[]), set("device-cgroup-rule", &[], &[""])],
            vec![("/HostConfig/Devices", json!([device("/dev/zero")])), ("/HostConfig/DeviceCgroupRules", json!([]))],
        ),
        case(
            json!({ "PortBindings": {
                "80/tcp": [bound("", "18080"), bound("127.0.0.1", "18081")], "53/udp": [bound("", "10053")],
            } }),
            vec![set(
                "publish",
                &["0.0.0.0:18080:80/tcp", "[::]:18080:80/tcp", ":::10053:53/udp"],
                &["127.0.0.1:18080:80/tcp"],
            )],
            vec![(
                "/HostConfig/PortBindings",
                json!({ "80/tcp": [bound("127.0.0.1", "18081"), bound("127.0.0.1", "18080")] }),
            )],
        ),
        case(
            json!({ "LogConfig": { "Type": "json-file", "Config": { "env": "SECRET", "max-size": "1g" } } }),
            vec![set("log-opt", &["env"], &["max-size=10m", "max-file=3"])],
            vec![("/HostConfig/LogConfig/Config", json!({ "max-size": "10m", "max-file": "3" }))],
        ),
        case(
            json!({ "OomKillDisable": true, "Memory": 1 << 26 }),
            vec![set("oom-kill-disable", &[], &["false"])],
            vec![("/HostConfig/Memory", json!(1 << 26))],
        ),
        case(
            json!({ "Memory": 1 << 28 }),
            vec![
                set("memory", &[], &["64m"]),
                set("pids-limit", &[], &["100"]),
                set("cpus", &[], &["0.5"]),
                set("restart", &[], &["on-failure:5"]),
            ],
            vec![
                ("/HostConfig/Memory", json!(1 << 26)),
                ("/HostConfig/MemorySwap", json!(1 << 26)),
                ("/HostConfig/PidsLimit", json!(100)),
                ("/HostConfig/NanoCpus", json!(500_000_000)),
                ("/HostConfig/RestartPolicy", json!({ "Name": "on-failure", "MaximumRetryCount": 5 })),
            ],
        ),
        config(
            json!({ "Env": ["TOKEN=abc", "A=1"], "Labels": { "password": "x", "kept": "y" } }),
            vec![set("env", &["TOKEN"], &["B=2"]), set("label", &["password"], &[])],
            vec![
                ("/Config/Env/0", json!("A=1")),
                ("/Config/Env/1", json!("B=2")),
                ("/Config/Labels", json!({ "kept": "y" })),
            ],
        ),
        config(
            json!({ "Healthcheck": { "Test": ["NONE"] } }),
            vec![set("health-cmd", &[], &["wget -q localhost || exit 1"])],
            vec![("/Config/Healthcheck/Test", json!(["CMD-SHELL", "wget -q localhost || exit 1"]))],
        ),
    ]
}

fn networks() -> Vec<Case> {
    vec![
        case(
            json!({ "NetworkMode": "host" }),
            vec![set("network", &["host"], &["app"]), set("publish", &[], &["127.0.0.1:18090:80/tcp"])],
            vec![
                ("/HostConfig/NetworkMode", json!("app")),
                ("/HostConfig/PortBindings", json!({ "80/tcp": [{ "HostIp": "127.0.0.1", "HostPort": "18090" }] })),
                ("/NetworkSettings/Networks/host", Value::Null),
            ],
        ),
        case(
            json!({ "Links": ["db:database"] }),
            vec![set("network", &["bridge"], &["app"])],
            vec![
                ("/HostConfig/NetworkMode", json!("app")),
                ("/NetworkSettings/Networks/app/Links", json!(["db:database"])),
                ("/NetworkSettings/Networks/bridge", Value::Null),
            ],
        ),
        case(
            json!({ "Links": ["db:database"] }),
            vec![set("link", &["/db:/it/database"], &[]), set("network", &["bridge"], &["app"])],
            vec![("/NetworkSettings/Networks/app/Links", Value::Null)],
        ),
        case(
            json!({ "NetworkMode": "container:db" }),
            vec![set("network", &["container:{db}"], &["app"])],
            vec![("/HostConfig/NetworkMode", json!("app"))],
        ),
        case(
            json!({ "NetworkMode": "container:db" }),
            vec![set("cap-drop", &[], &["ALL"])],
            vec![("/HostConfig/NetworkMode", json!("container:{db}"))],
        ),
        config(
            json!({ "Domainname": "example.org", "HostConfig": { "NetworkMode": "container:db" } }),
            vec![set("cap-drop", &[], &["ALL"])],
            vec![("/Config/Domainname", json!("example.org"))],
        ),
    ]
}

fn each_option(version: Version) {
    let Some(daemon) = engine(version) else { return };
    let db = daemon.run("db", &json!({ "Image": "busybox:test" }));
    assert_eq!(daemon.request("POST", "/networks/create", Some(&json!({ "Name": "app" }))).0, 201);
    let all = privileges(version == Version::V29).into_iter().chain(things()).chain(networks());
    for case in all {
        try_case(&daemon, case, &db);
    }
}

/// `{db}` stands for the other container's id.
fn filled<T: serde::Serialize + serde::de::DeserializeOwned>(value: &T, db: &str) -> T {
    serde_json::from_str(&serde_json::to_string(value).unwrap().replace("{db}", db)).unwrap()
}

fn try_case(daemon: &Daemon, case: Case, db: &str) {
    let mut body = case.body;
    body["Image"] = "busybox:test".into();
    let id = daemon.create("it", &body);
    let inspect = || {
        let mut said = daemon.inspect("it");
        said["Mounts"].as_array_mut().unwrap().sort_by_key(Value::to_string);
        said
    };
    let before = inspect();
    let (host, recreate) = (host(daemon), action(&id, "it", filled(&case.changes, db)));
    let undo = carry_out(&host, &recreate);
    let new = daemon.inspect("it");
    for (pointer, value) in case.then {
        let is = new.pointer(pointer).cloned().unwrap_or_default();
        let empty = is.as_array().is_some_and(Vec::is_empty) || is == "" || is.is_null();
        let none = value.as_array().is_some_and(Vec::is_empty) || value == "" || value.is_null();
        let some = value == "*" && !empty;
        assert!(
            some || is == filled(&value, db) || (empty && none),
            "{:?}: {pointer} is {is}, not {value}",
            recreate.set
        );
    }
    assert_eq!(recreate.undo(&host, &keep(), &undo).unwrap(), Undone::Restored);
    let after = inspect();
    for part in ["Id", "Name", "Config", "HostConfig", "Mounts"] {
        assert_eq!(after[part], before[part], "{:?}", recreate.set);
    }
    assert_eq!(daemon.request("DELETE", "/containers/it", None).0, 204);
}

#[test]
fn engine20_each_option_is_changed_and_given_back() {
    each_option(Version::V20);
}

#[test]
fn engine29_each_option_is_changed_and_given_back() {
    each_option(Version::V29);
}

#[test]
fn what_means_nothing_is_refused_and_what_is_not_there_is_stale() {
    let Some(daemon) = engine(Version::V20) else { return };
    daemon.build("labelled:test", "FROM busybox:test\nLABEL vendor=x\nENV TOKEN=abc", &[]);
    let id =
        daemon.create("it", &json!({ "Image": "labelled:test", "HostConfig": { "LogConfig": { "Type": "none" } } }));
    let host = host(&daemon);
    let check = |change: SpecChange| action(&id, "it", vec![change]).check(&host);
    for refused in [
        set("spell", &[], &["x"]),
        set("command", &["x"], &[]),
        set("privileged", &[], &["true"]),
        set("cap-drop", &[], &["FLY"]),
        set("user", &[], &[]),
        set("read-only", &[], &["yes"]),
        set("memory", &[], &["lots"]),
        set("restart", &[], &["sometimes"]),
        set("label", &["vendor"], &[]),
        set("log-opt", &[], &["max-size=1m"]),
        set("network", &[], &["nowhere"]),
        set("network", &["bridge"], &[]),
        set("network", &["bridge"], &["host"]),
        set("publish", &[], &["80"]),
        set("volume", &[], &["/a"]),
        set("device", &[], &["null"]),
        set("image", &[], &["busybox:test"]),
        set("image", &[], &["nothing:here"]),
    ] {
        assert!(matches!(check(refused.clone()), Err(Refusal::Refused(_))), "{refused:?}");
    }
    for stale in [
        set("cap-add", &["SYS_ADMIN"], &[]),
        set("volume", &["/host"], &[]),
        set("publish", &["0.0.0.0:80:80/tcp"], &[]),
        set("env", &["NOTHING"], &[]),
        set("label", &["nothing"], &[]),
        set("device", &["/dev/sda"], &[]),
        set("network", &["app"], &["bridge"]),
        set("link", &["db:database"], &[]),
    ] {
        assert!(matches!(check(stale.clone()), Err(Refusal::Stale(_))), "{stale:?}");
    }
    // A variable of the image's own goes too: its name without a value takes it away.
    let recreate = action(&id, "it", vec![set("env", &["TOKEN"], &[])]);
    carry_out(&host, &recreate);
    daemon.start_container("it");
    let env = std::fs::read(format!("/proc/{}/environ", daemon.inspect("it")["State"]["Pid"])).unwrap();
    assert!(!String::from_utf8_lossy(&env).contains("TOKEN"));
}
