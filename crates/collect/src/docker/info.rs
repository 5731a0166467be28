//! What `/version` and `/info` say of the engine that its containers follow, and of the host beneath it.

use std::sync::Arc;

use seaworthy_core::component::Component;
use seaworthy_core::fact::Source;
use seaworthy_core::value::Value;
use serde_json::Value as Json;

use super::context::{EngineFacts, Seccomp};
use super::json::{Node, Read, cut, left_out, other_type, podman_hides, value};

/// The oldest API whose `/info` says that no-new-privileges is the default.
const TELLS_NO_NEW_PRIVILEGES: (u32, u32) = (1, 42);

/// The facts about an engine from its `/info`. What `/info` does not say (no-new-privileges before API 1.42, a seccomp
/// profile in a file) stays unknown until the daemon's own settings are known.
pub fn engine_facts(info: &Read<Json>, api: (u32, u32), podman: bool) -> EngineFacts {
    let mut facts = EngineFacts { api, podman, ..EngineFacts::default() };
    let info = match info {
        Ok(info) => Node::of(info),
        Err(reason) => return EngineFacts { api, podman, ..EngineFacts::unknown(reason) },
    };
    let options = info.get("SecurityOptions").texts();
    let has = |name: &str| options.as_ref().map_err(Arc::clone).map(|options| options.iter().any(|o| names(o, name)));
    facts.rootless = has("rootless");
    facts.userns = has("userns");
    facts.apparmor = has("apparmor");
    facts.selinux = has("selinux");
    facts.no_new_privileges = if podman {
        Ok(false)
    } else if api >= TELLS_NO_NEW_PRIVILEGES {
        has("no-new-privileges")
    } else {
        Err("this engine's API does not report its default".into())
    };
    facts.seccomp = options.and_then(|options| seccomp(&options, podman));
    facts.default_runtime = match info.get("DefaultRuntime").text() {
        Ok("") => Err(left_out()),
        other => other.map(|name| cut(name).into()),
    };
    for (name, runtime) in info.get("Runtimes").map().into_iter().flatten().take(64) {
        let runtime = Node::of(runtime);
        let program = [runtime.opt("path"), runtime.opt("runtimeType")]
            .into_iter()
            .find_map(|node| node.text().ok().filter(|text| !text.is_empty()));
        if let Some(program) = program {
            facts.runtimes.insert(name.as_str().into(), cut(program).into());
        }
    }
    facts.cpus = info.get("NCPU").int().ok().filter(|cpus| *cpus > 0);
    facts.memory = info.get("MemTotal").int().ok().filter(|bytes| *bytes > 0);
    let said = |field: &str| info.get(field).text().ok().filter(|text| !text.is_empty()).map(Into::into);
    (facts.architecture, facts.kernel) = (said("Architecture"), said("KernelVersion"));
    facts
}

/// Whether an entry such as `name=seccomp,profile=default` is of a name; the first engines wrote the name alone.
fn names(option: &str, name: &str) -> bool {
    let first = option.split(',').next().unwrap_or("");
    first.strip_prefix("name=").unwrap_or(first) == name
}

fn seccomp(options: &[&str], podman: bool) -> Read<Seccomp> {
    let Some(option) = options.iter().find(|option| names(option, "seccomp")) else {
        // Without support in kernel or engine nothing is filtered.
        return Ok(Seccomp::Unconfined);
    };
    match option.split(',').find_map(|part| part.strip_prefix("profile=")) {
        Some("default" | "builtin") => Ok(Seccomp::Default),
        Some("unconfined") => Ok(Seccomp::Unconfined),
        Some(path) if podman && path.ends_with("/seccomp.json") => Ok(Seccomp::Default),
        Some(path) => Err(format!("the engine's own profile is {}, which has not been read", cut(path)).into()),
        None => Err("the engine does not say which seccomp profile it uses".into()),
    }
}

/// Sets what `/info` says of the host, where it is not set already: what the host itself showed stands.
pub fn set_host_facts(host: &mut Component, info: &Read<Json>) {
    let place: Arc<str> = "GET /info".into();
    let info = info.as_ref().map_err(Arc::clone).map(Node::of);
    let mut set = |fact: &'static str, field: &'static str, read: Read<Value>| {
        if host.value(fact).is_unknown() {
            host.set(fact, value(read), Source::new(&place, field));
        }
    };
    let text = |field: &str| {
        let text = info.clone()?.get(field).text()?;
        if text.is_empty() { Err(left_out()) } else { Ok(Value::from(cut(text))) }
    };
    let number = |field: &str| info.clone()?.get(field).int().map(Value::from);
    set("os", "OperatingSystem", text("OperatingSystem"));
    set("kernel", "KernelVersion", text("KernelVersion"));
    set("memory_total", "MemTotal", number("MemTotal"));
    set("cpus", "NCPU", number("NCPU"));
    set("data_root", "DockerRootDir", text("DockerRootDir"));
    let version = info.clone().and_then(|info| info.get("CgroupVersion").text()).and_then(|text| match text {
        "1" => Ok(Value::Int(1)),
        "2" => Ok(Value::Int(2)),
        _ => Err(other_type()),
    });
    set("cgroup_version", "CgroupVersion", version);
    let apparmor = info.clone().and_then(|info| info.get("SecurityOptions").texts());
    let apparmor = apparmor.and_then(|options| {
        if options.iter().any(|option| names(option, "apparmor")) {
            Ok(Value::Bool(true))
        } else {
            Err("the engine does not use AppArmor, which says nothing about the kernel".into())
        }
    });
    set("apparmor", "SecurityOptions", apparmor);
    set("layers_dir", "DockerRootDir, Driver", info.clone().and_then(layers_dir));
}

/// The directory of the layers where the engine keeps them itself; containerd's own configuration tells the other case.
fn layers_dir(info: Node<'_>) -> Read<Value> {
    let status = info.get("DriverStatus").list()?;
    let is_containerd = |pair: &Json| {
        pair.get(0).and_then(Json::as_str) == Some("driver-type")
            && pair.get(1).and_then(Json::as_str).is_some_and(|kind| kind.starts_with("io.containerd.snapshotter"))
    };
    if status.iter().any(is_containerd) {
        return Err("the layers are in containerd's store, whose place the engine does not say".into());
    }
    let (root, driver) = (info.get("DockerRootDir").text()?, info.get("Driver").text()?);
    if root.is_empty() || driver.is_empty() || driver.contains('/') {
        return Err(podman_hides());
    }
    Ok(format!("{}/{driver}", cut(root).trim_end_matches('/')).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use seaworthy_core::schema::docker::HOST;
    use serde_json::json;

    fn recorded(version: &str) -> Json {
        let text = match version {
            "20.10" => include_str!("../../fixtures/engine-20.10/info.json"),
            _ => include_str!("../../fixtures/engine-29/info.json"),
        };
        serde_json::from_str(text).expect("a fixture")
    }

    #[test]
    fn recorded_engines_are_understood() {
        let old = engine_facts(&Ok(recorded("20.10")), (1, 41), false);
        let new = engine_facts(&Ok(recorded("29")), (1, 52), false);
        for facts in [&old, &new] {
            assert_eq!(facts.rootless, Ok(false));
            assert_eq!(facts.userns, Ok(false));
            assert_eq!(facts.apparmor, Ok(false));
            assert_eq!(facts.seccomp, Ok(Seccomp::Default));
            assert_eq!(facts.cpus, Some(2));
            assert!(facts.memory.is_some_and(|bytes| bytes > 1 << 30));
            assert_eq!(facts.architecture.as_deref(), Some("x86_64"));
            assert!(facts.kernel.is_some());
            assert_eq!(facts.runtimes.get("runc").map(AsRef::as_ref), Some("runc"));
        }
        assert!(old.no_new_privileges.is_err());
        assert_eq!(new.no_new_privileges, Ok(false));
        assert_eq!(new.runtimes.get("runc2").map(AsRef::as_ref), Some("/usr/bin/runc"));
    }

    #[test]
    fn security_options_decide() {
        let facts = |options: Json| engine_facts(&Ok(json!({"SecurityOptions": options})), (1, 45), false);
        let all = facts(json!([
            "name=apparmor",
            "name=seccomp,profile=/etc/p.json",
            "name=userns",
            "name=no-new-privileges"
        ]));
        assert_eq!((all.apparmor, all.userns, all.no_new_privileges), (Ok(true), Ok(true), Ok(true)));
        assert!(all.seccomp.is_err());
        assert_eq!(facts(json!(["name=seccomp,profile=unconfined"])).seccomp, Ok(Seccomp::Unconfined));
        assert!(facts(json!(["seccomp"])).seccomp.is_err());
        assert_eq!(facts(json!(null)).seccomp, Ok(Seccomp::Unconfined));
        let silent = engine_facts(&Ok(json!({})), (1, 45), false);
        assert!(silent.userns.is_err() && silent.seccomp.is_err() && silent.no_new_privileges.is_err());
        assert!(engine_facts(&Err("no answer".into()), (1, 45), false).rootless.is_err());
    }

    #[test]
    fn the_host_is_described_as_far_as_the_engine_knows() {
        for (version, layers) in [("20.10", "/var/lib/docker/overlay2"), ("29", "unknown")] {
            let mut host = Component::new(&HOST, "host", "host");
            host.set("kernel", "5.0", Source::place("/proc/sys/kernel/osrelease"));
            set_host_facts(&mut host, &Ok(recorded(version)));
            assert_eq!(host.value("kernel").as_str(), Some("5.0"), "what the host showed stands");
            assert_eq!(host.value("cgroup_version").as_int(), Some(1));
            assert_eq!(host.value("data_root").as_str(), Some("/var/lib/docker"));
            assert!(host.value("layers_dir").to_string().starts_with(layers), "{}", host.value("layers_dir"));
            assert!(host.value("apparmor").is_unknown());
        }
    }
}
