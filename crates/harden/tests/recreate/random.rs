//! Whatever a container was created from: one that is made from it without any change is the same.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use seaworthy_bed::{Daemon, Version};
use seaworthy_harden::act::{Act, Undone};
use serde_json::{Map, Value, json};

use crate::fixture::{action, carry_out, engine, host, keep, networks};

/// A text as people and attackers write them.
fn hostile() -> impl Strategy<Value = String> {
    prop::string::string_regex("[a-zA-Z0-9 $`'\"\\\\;|&<>(){}%/:.,=é\t-]{1,24}").unwrap()
}

/// Some of these fields.
fn some(fields: Vec<(&'static str, BoxedStrategy<Value>)>) -> BoxedStrategy<Map<String, Value>> {
    let each: Vec<_> = fields
        .into_iter()
        .map(|(name, value)| prop::option::of(value).prop_map(move |v| v.map(|v| (name.to_owned(), v))))
        .collect();
    each.prop_map(|fields| fields.into_iter().flatten().collect()).boxed()
}

fn one_of(values: Vec<Value>) -> BoxedStrategy<Value> {
    prop::sample::select(values).boxed()
}

fn config() -> BoxedStrategy<Map<String, Value>> {
    let texts = || prop::collection::vec(hostile(), 1..4);
    some(vec![
        ("Env", texts().prop_map(|t| t.iter().enumerate().map(|(i, v)| format!("V{i}={v}")).collect()).boxed()),
        ("Labels", texts().prop_map(|t| t.into_iter().map(|k| (k, json!("v"))).collect::<Map<_, _>>().into()).boxed()),
        ("Cmd", texts().prop_map(Value::from).boxed()),
        ("Entrypoint", one_of(vec![json!(["sleep"]), json!([""]), json!([]), json!(["sh", "-c"])])),
        ("User", one_of(vec![json!("1000"), json!("sailor:sailor")])),
        ("Hostname", one_of(vec![json!("h"), json!("www")])),
        ("Domainname", one_of(vec![json!("example.org")])),
        ("WorkingDir", one_of(vec![json!("/tmp"), json!("/srv/a b")])),
        ("Volumes", one_of(vec![json!({ "/v": {} }), json!({ "/v": {}, "/w": {} })])),
        ("ExposedPorts", one_of(vec![json!({ "80/tcp": {}, "53/udp": {} })])),
        ("StopSignal", one_of(vec![json!("SIGINT"), json!("9")])),
        ("StopTimeout", one_of(vec![json!(1), json!(0)])),
        ("Tty", one_of(vec![json!(true)])),
        ("OpenStdin", one_of(vec![json!(true)])),
        (
            "Healthcheck",
            one_of(vec![json!({ "Test": ["NONE"] }), json!({ "Test": ["CMD", "x"], "Interval": 1_000_000 })]),
        ),
    ])
}

fn host_config() -> BoxedStrategy<Map<String, Value>> {
    let bound = |ip: &str, port: &str| json!({ "HostIp": ip, "HostPort": port });
    some(vec![
        ("Binds", one_of(vec![json!(["/srv:/srv:ro", "data:/data"]), json!(["/v"])])),
        (
            "Mounts",
            one_of(vec![
                json!([{ "Type": "volume", "Target": "/m", "VolumeOptions": { "Labels": { "a": "b" } } }]),
                json!([{ "Type": "tmpfs", "Target": "/t", "TmpfsOptions": { "SizeBytes": 4096 } }]),
                json!([{ "Type": "bind", "Source": "/usr", "Target": "/usr2", "ReadOnly": true,
                         "BindOptions": { "Propagation": "rslave" } }]),
            ]),
        ),
        ("Tmpfs", one_of(vec![json!({ "/tmp": "size=64k,noexec" })])),
        ("PortBindings", one_of(vec![json!({ "80/tcp": [bound("", ""), bound("127.0.0.1", "8000-8010")] })])),
        ("PublishAllPorts", one_of(vec![json!(true)])),
        (
            "RestartPolicy",
            one_of(vec![json!({ "Name": "on-failure", "MaximumRetryCount": 4 }), json!({ "Name": "always" })]),
        ),
        (
            "NetworkMode",
            one_of(vec![json!("app"), json!("host"), json!("none"), json!("bridge"), json!("container:other")]),
        ),
        ("CapAdd", one_of(vec![json!(["NET_ADMIN", "CAP_SYS_TIME"]), json!(["ALL"])])),
        ("CapDrop", one_of(vec![json!(["ALL"]), json!(["mknod"])])),
        ("SecurityOpt", one_of(vec![json!(["no-new-privileges", "seccomp=unconfined"]), json!(["label=disable"])])),
        ("Privileged", one_of(vec![json!(true)])),
        ("PidMode", one_of(vec![json!("host"), json!("container:other")])),
        ("IpcMode", one_of(vec![json!("host"), json!("shareable"), json!("none")])),
        ("UTSMode", one_of(vec![json!("host")])),
        ("MaskedPaths", one_of(vec![json!([]), json!(["/proc/kcore"])])),
        ("Dns", one_of(vec![json!(["192.0.2.1"])])),
        ("ExtraHosts", one_of(vec![json!(["a:192.0.2.1", "b:192.0.2.2"])])),
        ("GroupAdd", one_of(vec![json!(["7", "sailor"])])),
        (
            "Devices",
            one_of(vec![json!([{ "PathOnHost": "/dev/null", "PathInContainer": "/dev/n", "CgroupPermissions": "r" }])]),
        ),
        ("Memory", one_of(vec![json!(1 << 26)])),
        ("PidsLimit", one_of(vec![json!(9), json!(-1)])),
        ("NanoCpus", one_of(vec![json!(250_000_000)])),
        ("ShmSize", one_of(vec![json!(1 << 20)])),
        ("Sysctls", one_of(vec![json!({ "kernel.msgmax": "65536" })])),
        ("ReadonlyRootfs", one_of(vec![json!(true)])),
        (
            "LogConfig",
            one_of(vec![json!({ "Type": "local", "Config": { "max-size": "1m" } }), json!({ "Type": "none" })]),
        ),
        ("Init", one_of(vec![json!(true), json!(false)])),
    ])
}

/// `inspect` without what names this very container, and without the names that anonymous volumes were given.
fn settled(inspect: &Value) -> Value {
    let mut said =
        json!({ "Config": inspect["Config"], "HostConfig": inspect["HostConfig"], "Networks": networks(inspect) });
    let own = said["Config"]["Hostname"].as_str() == inspect["Id"].as_str().map(|id| &id[..12]);
    if own {
        said["Config"]["Hostname"] = Value::Null;
    }
    for field in ["ContainerIDFile", "Mounts", "Binds"] {
        said["HostConfig"][field] = Value::Null;
    }
    let mut mounts: Vec<Value> = inspect["Mounts"].as_array().unwrap().clone();
    mounts.iter_mut().for_each(|m| (m["Mode"], m["Name"]) = (Value::Null, Value::Null));
    mounts.sort_by_key(|m| m["Destination"].to_string());
    said["Mounts"] = mounts.into();
    nothing_is_null(&mut said);
    said
}

/// The fields that differ, by their sections, after and before.
fn differences(after: &Value, before: &Value) -> Vec<Value> {
    let fields = |of: &Value, section: &str| of[section].as_object().cloned().unwrap_or_default();
    let mut found = Vec::new();
    for section in ["Config", "HostConfig", "Networks"] {
        let (a, b) = (fields(after, section), fields(before, section));
        let keys = a.keys().chain(b.keys().filter(|k| !a.contains_key(*k)));
        found.extend(keys.filter(|k| a.get(*k) != b.get(*k)).map(|k| json!([section, k, a.get(k), b.get(k)])));
    }
    if after["Mounts"] != before["Mounts"] {
        found.push(json!(["Mounts", after["Mounts"], before["Mounts"]]));
    }
    found
}

/// An engine shows nothing as null, empty or not at all, by how it was told.
fn nothing_is_null(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.values_mut().for_each(nothing_is_null);
            fields.retain(|key, v| !v.is_null() || key == "MaskedPaths");
        }
        // An empty list of these means something else than none.
        Value::Array(list) if list.is_empty() => {}
        Value::Array(list) => list.iter_mut().for_each(nothing_is_null),
        _ => {}
    }
    let empty = value.as_object().is_some_and(Map::is_empty);
    if empty {
        *value = Value::Null;
    }
}

fn is_made_again(
    daemon: &Daemon,
    config: &Map<String, Value>,
    host_config: &Map<String, Value>,
) -> Result<bool, TestCaseError> {
    let mut body = config.clone();
    body.insert("Image".into(), "busybox:test".into());
    body.insert("HostConfig".into(), host_config.clone().into());
    let (status, answer) = daemon.request("POST", "/containers/create?name=it", Some(&body.into()));
    let Some(id) = answer["Id"].as_str().filter(|_| status == 201) else { return Ok(false) };
    let before = daemon.inspect(id);
    let (host, recreate) = (host(daemon), action(id, "it", Vec::new()));
    let undo = carry_out(&host, &recreate);
    let after = daemon.inspect("it");
    prop_assert_ne!(&after["Id"], &before["Id"]);
    let other = differences(&settled(&after), &settled(&before));
    prop_assert!(other.is_empty(), "after and before: {:?}", other);
    let undone = recreate.undo(&host, &keep(), &undo).unwrap();
    prop_assert_eq!(undone, Undone::Restored);
    prop_assert_eq!(daemon.request("DELETE", "/containers/it?v=1", None).0, 204);
    Ok(true)
}

fn random(version: Version) {
    let Some(daemon) = engine(version) else { return };
    daemon.run("other", &json!({ "Image": "busybox:test" }));
    assert_eq!(daemon.request("POST", "/networks/create", Some(&json!({ "Name": "app" }))).0, 201);
    let made = std::cell::Cell::new(0);
    let mut runner =
        TestRunner::new(Config { cases: 60, max_shrink_iters: 40, failure_persistence: None, ..Config::default() });
    let run = runner.run(&(config(), host_config()), |(config, host_config)| {
        made.set(made.get() + u32::from(is_made_again(&daemon, &config, &host_config)?));
        Ok(())
    });
    run.unwrap();
    // Many of the wild combinations are refused by the engine itself.
    assert!(made.get() >= 10, "only {} could be created", made.get());
}

#[test]
fn engine20_a_random_container_is_made_again_as_it_was() {
    random(Version::V20);
}

#[test]
fn engine29_a_random_container_is_made_again_as_it_was() {
    random(Version::V29);
}
