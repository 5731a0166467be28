//! An engine's answers, as arbitrary JSON.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use seaworthy_collect::docker::Read;
use seaworthy_collect::docker::container::{self, Mapped, container};
use seaworthy_collect::docker::context::{Binding, Context, EngineFacts, NoHost, Seccomp, VolumeSource};
use seaworthy_collect::docker::{exec, image, info as engine_info, network, swarm, volume};
use seaworthy_collect::engine::{
    ApiVersion, Environment, Wanted, parse_body, path_segment, resolve, sanitize, without_userinfo,
};
use seaworthy_collect::redact::Redactor;
use seaworthy_core::component::Component;
use seaworthy_core::schema::docker::HOST;
use seaworthy_core::snapshot::{Snapshot, Target};
use seaworthy_core::snapshot_json;
use serde_json::Value as Json;

pub static REDACTOR: Redactor = Redactor;

/// Some moment of the year 2026.
const NOW: i64 = 1_795_256_100;

fn json(data: &[u8]) -> Option<Json> {
    parse_body(data, || "GET /x".into()).ok()
}

/// Components as a snapshot holds them: each fact of its type, and the whole read back as it was written.
pub fn sound(components: Vec<Component>) {
    for component in &components {
        for (name, fact) in component.facts() {
            let spec = component.kind.fact(name).expect("a fact of the schema");
            spec.ty.conforms(&fact.value).expect("a value of the fact's type");
        }
    }
    let mut target = Target::new("engine", "docker", "unix:///var/run/docker.sock");
    target.components = components;
    let snapshot = Snapshot { tool: "fuzz".into(), collected_at: NOW, targets: vec![target] };
    let mut bytes = Vec::new();
    snapshot_json::write(&snapshot, &mut bytes).expect("a vector takes everything");
    assert!(bytes.len() < 64 << 20, "a snapshot of {} bytes", bytes.len());
    let read = snapshot_json::read(&bytes).expect("what was written is read");
    let mut again = Vec::new();
    snapshot_json::write(&read, &mut again).expect("a vector takes everything");
    assert_eq!(bytes, again);
}

fn known() -> EngineFacts {
    EngineFacts {
        api: (1, 52),
        rootless: Ok(false),
        userns: Ok(false),
        apparmor: Ok(true),
        selinux: Ok(false),
        no_new_privileges: Ok(false),
        seccomp: Ok(Seccomp::Default),
        since: Some(0),
        default_runtime: Ok("runc".into()),
        runtimes: HashMap::from([("runc".into(), "runc".into())]),
        cpus: Some(2),
        ..EngineFacts::default()
    }
}

/// `GET /containers/ID/json`, or a list of them; on an engine that is known and on one that is not.
pub fn containers(data: &[u8]) {
    let Some(json) = json(data) else { return };
    let single = std::slice::from_ref(&json);
    let all = json.as_array().map_or(single, Vec::as_slice);
    let volumes = HashMap::from([("data".into(), VolumeSource::Binds("/etc".into()))]);
    let bridge = Binding { address: Some("127.0.0.1".into()), ..Binding::default() };
    let bindings = HashMap::from([("bridge".into(), bridge)]);
    let host = NoHost::new("another machine");
    let lost: Arc<str> = "lost".into();
    for engine in [known(), EngineFacts { podman: true, ..known() }, EngineFacts::default()] {
        let ctx = Context {
            redactor: &REDACTOR,
            engine: &engine,
            volumes: if engine.cpus.is_some() { Ok(&volumes) } else { Err(Arc::clone(&lost)) },
            bindings: &bindings,
            host: &host,
            collected_at: NOW,
        };
        let mut mapped: Vec<Mapped> =
            all.iter().map(|one| container(one, &ctx, container::observe(one, &host))).collect();
        mapped.extend(all.iter().map(|one| container::vanished(one, &REDACTOR, &lost)));
        container::resolve_joins(&mut mapped);
        let services = [Ok(HashMap::from([("web".into(), vec![(80, 80, "tcp".into())])])), Err(Arc::clone(&lost))];
        container::add_service_ports(&mut mapped, &services[usize::from(engine.podman)]);
        let mut networks: Vec<Component> = all.iter().map(|one| network::network(one, engine.podman)).collect();
        network::set_containers(&mut networks, &mapped, &Ok(()));
        let mut components: Vec<Component> = mapped.into_iter().map(|m| m.component).collect();
        for (component, one) in components.iter_mut().zip(all) {
            let execs = vec![exec::exec(one, component, &REDACTOR)];
            exec::set_execs(component, execs, Some(&lost));
        }
        components.extend(networks);
        sound(components);
    }
}

/// `{"inspect": GET /images/ID/json, "history": GET /images/ID/history}`.
pub fn images(data: &[u8]) {
    let Some(json) = json(data) else { return };
    let inspect = json.get("inspect").unwrap_or(&json);
    let steps = json.get("history").cloned().ok_or_else(|| Arc::from("lost"));
    let mut one = image::image(inspect, &steps, &REDACTOR, &NoHost::new("another machine"), NOW);
    image::set_used_by(&mut one, &Ok(vec![("id".into(), "name".into())]));
    sound(vec![one, image::vanished(inspect, &"lost".into())]);
}

/// An element of `GET /networks`.
pub fn networks(data: &[u8]) {
    let Some(json) = json(data) else { return };
    sound(vec![network::network(&json, false), network::network(&json, true)]);
}

/// An element of `GET /volumes`.
pub fn volumes(data: &[u8]) {
    let Some(json) = json(data) else { return };
    sound(vec![volume::volume(&json, &REDACTOR).0]);
}

/// `{"info", "swarm", "nodes", "services", "networks"}`: the answers to those requests.
pub fn swarms(data: &[u8]) {
    let Some(json) = json(data) else { return };
    let lost: Arc<str> = "lost".into();
    let get = |key: &str| -> Read<Json> { json.get(key).cloned().ok_or_else(|| Arc::clone(&lost)) };
    let info = get("info").unwrap_or_default();
    let _ = swarm::part(&info);
    let listed = json.get("networks").and_then(Json::as_array).cloned().unwrap_or_default();
    let networks: Vec<Component> = listed.iter().map(|n| network::network(n, false)).collect();
    let answers = swarm::Answers {
        swarm: get("swarm"),
        nodes: get("nodes"),
        services: get("services"),
        ..swarm::Answers::none(&lost)
    };
    let mut one = swarm::swarm(&info, &answers, &Ok(&networks));
    if let Ok(state) = &answers.swarm {
        swarm::set_state(&mut one, state, &"swarm state".into());
    }
    let mut components = vec![one];
    components.extend(get("nodes").and_then(|nodes| swarm::nodes(&nodes)).unwrap_or_default());
    let names = HashMap::from([("n1".into(), "overlay".into())]);
    components.extend(get("services").and_then(|s| swarm::services(&s, &names, &REDACTOR)).unwrap_or_default());
    let _ = swarm::ingress_ports(&get("services"));
    components.extend(networks);
    sound(components);
}

/// `GET /info`.
pub fn info(data: &[u8]) {
    let Some(json) = json(data) else { return };
    let info = Ok(json);
    for podman in [false, true] {
        engine_info::engine_facts(&info, (1, 52), podman);
        let mut host = Component::new(&HOST, "host", "host");
        engine_info::set_host_facts(&mut host, &info);
        sound(vec![host]);
    }
}

/// Any body: an error has one line without control characters.
pub fn body(data: &[u8]) {
    if let Err(failure) = parse_body::<Json>(data, || "GET /x".into()) {
        one_line(&failure.to_string());
    }
    let text = String::from_utf8_lossy(data);
    one_line(&sanitize(&text, 200));
    assert!(!path_segment(&text).contains(|c: char| c.is_control() || "/?# ".contains(c)));
    let planted = format!("http://user:pl4nted-w0rd@{text}");
    assert!(!without_userinfo(&planted).contains("pl4nted-w0rd") || text.contains("pl4nted-w0rd"));
    let _: Option<ApiVersion> = ApiVersion::parse(&text);
}

fn one_line(text: &str) {
    assert!(!text.chars().any(char::is_control), "{text:?}");
}

/// A host string, as `--docker` and `DOCKER_HOST` take it.
pub fn endpoint(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let environment = Environment { root: PathBuf::from("/nowhere"), ..Environment::default() };
    let wanted = Wanted { host: Some(text.to_owned()), context: None };
    match resolve(&wanted, &environment) {
        Ok(resolved) => one_line(&resolved.endpoint.to_string()),
        Err(failure) => one_line(&failure.to_string()),
    }
}

/// A snapshot as a file, compressed or not.
pub fn packed(data: &[u8]) {
    if let Err(why) = seaworthy_collect::read_snapshot(data) {
        one_line(&why);
    }
}
