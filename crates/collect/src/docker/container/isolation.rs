//! Which of the host's namespaces a container is in, its networks, and how strong its runtime separates it.

use seaworthy_core::value::Value;

use super::super::context::EngineFacts;
use super::super::json::{Node, Read, cut, strings};
use super::super::observed::Observed;
use super::super::sheet::Sheet;
use super::{Mode, Reading};

pub(super) fn fill(sheet: &mut Sheet, c: &Reading<'_>) {
    let network = c.host.get("NetworkMode").text();
    sheet.read("network_mode", "HostConfig.NetworkMode", network.clone().map(cut));
    namespaces(sheet, c);
    let modes = ["NetworkMode", "PidMode", "IpcMode"].map(|key| c.host.get(key).text());
    let joins = modes.into_iter().find_map(Result::err).map_or_else(|| Ok(Value::List(Vec::new())), Err);
    sheet.read("joins", "HostConfig.NetworkMode, PidMode, IpcMode", joins);
    networks(sheet, c, network);
    let runtime = runtime(c);
    sheet.read("sandboxed", "HostConfig.Runtime", runtime.clone().and_then(|name| sandboxed(name, c.ctx.engine)));
    sheet.read("runtime", "HostConfig.Runtime", runtime.map(cut));
    let root = || c.host.get("ReadonlyRootfs").bool();
    c.effect(sheet, "readonly_rootfs", ("mountinfo", |o| &o.readonly_rootfs), ("HostConfig.ReadonlyRootfs", root));
}

/// The host's namespaces. `host` means the namespace that the engine itself is in, which need not be that of the
/// machine's first process: such a mode is the host's whatever the kernel shows. A container that is joined is
/// resolved once all of them are known.
fn namespaces(sheet: &mut Sheet, c: &Reading<'_>) {
    let mut set = |fact, field, seen: (&'static str, fn(&Observed) -> &Read<bool>), configured: Read<bool>| {
        if configured == Ok(true) {
            sheet.read(fact, field, configured);
        } else {
            c.effect(sheet, fact, seen, (field, || configured));
        }
    };
    set("host_network", "HostConfig.NetworkMode", ("ns/net", |o| &o.host_network), mode(c, "NetworkMode"));
    set("host_pid", "HostConfig.PidMode", ("ns/pid", |o| &o.host_pid), mode(c, "PidMode"));
    set("host_ipc", "HostConfig.IpcMode", ("ns/ipc", |o| &o.host_ipc), mode(c, "IpcMode"));
    set("host_uts", "HostConfig.UTSMode", ("ns/uts", |o| &o.host_uts), mode(c, "UTSMode"));
    let cgroup = cgroup_namespace(c.host.get("CgroupnsMode"));
    set("host_cgroupns", "HostConfig.CgroupnsMode", ("ns/cgroup", |o| &o.host_cgroupns), cgroup);
}

fn mode(c: &Reading<'_>, key: &str) -> Read<bool> {
    Mode::read(c.host.get(key)).host()
}

fn cgroup_namespace(mode: Node<'_>) -> Read<bool> {
    match mode.text()? {
        "host" => Ok(true),
        "private" => Ok(false),
        _ => Err("the engine does not say which cgroup namespace it gives".into()),
    }
}

fn networks(sheet: &mut Sheet, c: &Reading<'_>, mode: Read<&str>) {
    let attached = c.doc.get("NetworkSettings").get("Networks").map();
    let default = attached.clone().and_then(|attached| {
        if attached.is_empty() {
            return Ok(matches!(mode?, "" | "default" | "bridge"));
        }
        Ok(attached.keys().any(|name| name == "bridge" || (c.podman() && name == "podman")))
    });
    sheet.read("networks", "NetworkSettings.Networks", attached.map(|map| strings(map.keys().map(String::as_str))));
    sheet.read("default_bridge", "NetworkSettings.Networks", default);
}

/// The runtime: its own, else the engine's default.
fn runtime<'a>(c: &'a Reading<'_>) -> Read<&'a str> {
    match c.host.get("Runtime").text_or_empty()? {
        // Podman calls whatever runs its containers `oci`.
        "" | "oci" if c.podman() => c.ctx.engine.default_runtime.as_deref().map_err(std::sync::Arc::clone),
        "" => c.ctx.engine.default_runtime.as_deref().map_err(std::sync::Arc::clone),
        name => Ok(name),
    }
}

/// Whether a runtime gives its containers a kernel of their own: by its executable or type, since the name is
/// whatever the administrator chose.
fn sandboxed(name: &str, engine: &EngineFacts) -> Read<bool> {
    let program = match engine.runtimes.get(name) {
        Some(program) => program.as_ref(),
        None if name.starts_with("io.containerd.") || engine.podman => name,
        None => return Err("the runtime's executable is not known".into()),
    };
    let file = program.rsplit('/').next().unwrap_or(program);
    const SANDBOXES: [&str; 5] = ["kata", "runsc", "urunc", "firecracker", "inclavare"];
    const PLAIN: [&str; 6] = ["runc", "crun", "youki", "nvidia-container-runtime", "sysbox-runc", "railcar"];
    let words = |list: &[&str]| {
        file.split('.')
            .any(|word| list.iter().any(|known| word.trim_start_matches("containerd-shim-").starts_with(known)))
    };
    if words(&SANDBOXES) {
        Ok(true)
    } else if words(&PLAIN) {
        Ok(false)
    } else {
        Err(format!("what the runtime {} is, is not known", cut(file)).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sandbox_is_known_by_its_executable() {
        let mut engine = EngineFacts::default();
        for (name, program) in [
            ("safe", "/usr/local/bin/runsc"),
            ("kata", "/usr/bin/kata-runtime"),
            ("k2", "io.containerd.kata.v2"),
            ("runsc", "/usr/bin/runc"),
            ("odd", "/opt/odd"),
        ] {
            engine.runtimes.insert(name.into(), program.into());
        }
        assert_eq!(sandboxed("safe", &engine), Ok(true));
        assert_eq!(sandboxed("kata", &engine), Ok(true));
        assert_eq!(sandboxed("k2", &engine), Ok(true));
        assert_eq!(sandboxed("runsc", &engine), Ok(false));
        assert!(sandboxed("odd", &engine).is_err());
        assert!(sandboxed("gone", &engine).is_err());
        assert_eq!(sandboxed("io.containerd.runc.v2", &engine), Ok(false));
    }
}
