//! Who gets in: the SSH server, group docker, variables of login shells.

use std::collections::{BTreeMap, BTreeSet};

use seaworthy_core::plan::Pending;
use seaworthy_core::remedy::Setting;
use seaworthy_core::schema::docker;
use seaworthy_core::value::Value;

use super::draft::Draft;
use super::piece::{Not, Piece, Resolved, argv};
use super::world::{World, list, part, text, texts, truth};

/// Settings of the SSH server.
pub(super) fn sshd(world: &World<'_>, settings: &BTreeMap<String, Setting>) -> Result<Resolved, Not> {
    let host = world.host()?;
    let mut out = Resolved::default();
    for (name, value) in settings {
        let Setting::Str(value) = value else { return Err(format!("{name} takes text").into()) };
        out.pieces.push(Piece::Sshd(name.clone(), value.clone()));
    }
    let keys = list(host, "ssh_keys")?;
    let with_keys: BTreeSet<&str> =
        keys.iter().filter(|k| k.field("count").and_then(Value::as_int) > Some(0)).map(|k| part(k, "user")).collect();
    let others = with_keys.iter().any(|user| *user != "root");
    if settings.contains_key("PasswordAuthentication") {
        let root = with_keys.contains("root") && !matches!(text(host, "ssh_root")?, "no" | "forced-commands-only");
        if !others && !root {
            return Err(
                "nobody who may log in has a key, so that without passwords all are locked out: install one first"
                    .into(),
            );
        }
        out.breaks.push("whoever logs in by password, keyboard-interactive among them, is locked out".into());
        out.breaks.push(format!("keys are there for {}", with_keys.into_iter().take(8).collect::<Vec<_>>().join(", ")));
    } else if settings.contains_key("PermitRootLogin") {
        if !others && !truth(host, "ssh_password")? {
            return Err("only root has a key, and nobody may use a password: without root all are locked out".into());
        }
        out.breaks.push("root logs in no more, also by key: somebody else must, who may become root".into());
    }
    Ok(out)
}

/// Whether, of a plan's SSH settings together, somebody still gets in: no password, and no root.
pub(super) fn locks_out(world: &World<'_>, settings: &BTreeMap<String, String>) -> bool {
    let no = |name: &str| settings.get(name).is_some_and(|v| v == "no");
    let Ok(keys) = world.host().and_then(|h| list(h, "ssh_keys")) else { return false };
    let others = keys.iter().any(|k| part(k, "user") != "root" && k.field("count").and_then(Value::as_int) > Some(0));
    no("PasswordAuthentication") && no("PermitRootLogin") && !others
}

/// Members of a group that the user named leave it.
pub(super) fn leave(draft: &Draft<'_>, check: &str, group: &str) -> Result<Resolved, Not> {
    let host = draft.world.host()?;
    let members = if check.ends_with("socket-group-trusted") {
        let socket = draft.world.target.of(&docker::FILE).find(|f| f.value("role").as_str() == Some("docker-socket"));
        let owner = text(socket.ok_or("the engine's socket was not looked at")?, "group")?;
        if owner != group {
            return Err(format!(
                "the socket belongs to group {owner}: name its members there, or change the socket's group"
            )
            .into());
        }
        texts(host, "socket_group_members")?
    } else {
        texts(host, "docker_group_members")?
    };
    let Some(leaving) = draft.set_for("host", "leave") else {
        let first = members.first().copied().unwrap_or("USER");
        return Err(Not::Hand {
            what: format!(
                "Decide for each member of group {group} ({}) whether root on this host is meant for him; those who shall leave: --set host:leave={first}, or by the command",
                members.join(", ")
            ),
            command: argv(&["gpasswd", "--delete", first, group]),
        });
    };
    let mut out = Resolved::default();
    for user in leaving.split(',') {
        if !members.contains(&user) {
            return Err(format!("{user} is no member of group {group}").into());
        }
        out.pieces.push(Piece::Leave { group: group.to_owned(), user: user.to_owned() });
        out.breaks.push(format!(
            "{user} commands the engine no more, from his next login on; sessions that he has keep the group"
        ));
    }
    out.in_part = !members.iter().all(|m| leaving.split(',').any(|l| l == *m));
    Ok(out)
}

/// Variables that login shells export.
pub(super) fn environment(world: &World<'_>, settings: &BTreeMap<String, Setting>) -> Result<Resolved, Not> {
    let mut out = Resolved { pending: Some(Pending::Login), ..Resolved::default() };
    for (name, value) in settings {
        let Setting::Str(value) = value else { return Err(format!("{name} takes text").into()) };
        if name == "DOCKER_CONTENT_TRUST" {
            let hub = |image: &&seaworthy_core::component::Component| {
                texts(image, "registries").is_ok_and(|r| r.contains(&"docker.io"))
            };
            let names: Vec<&str> = world.target.of(&docker::IMAGE).filter(hub).map(|i| &*i.name).take(5).collect();
            out.breaks.push(
                "pulling, building and running by tag fails in new shells for every image without a signature of the old kind; Docker's own are signed that way no more".into(),
            );
            if !names.is_empty() {
                out.breaks.push(format!("images of Docker Hub on this host: {}", names.join(", ")));
            }
        }
        out.pieces.push(Piece::Env(name.clone(), value.clone()));
    }
    Ok(out)
}

/// The command that ends what only a person may end: an SSH server in a container, a command with all rights.
pub(super) fn ending(draft: &Draft<'_>, at: usize, check: &str) -> Option<(String, Vec<String>)> {
    let container = draft.world.containers.get(&at)?;
    match check {
        "docker/container/no-ssh-server" => {
            let servers = list(container, "ssh_servers").ok()?;
            // `/usr/sbin/sshd (process 2211)`.
            let number = |s: &Value| {
                let (_, rest) = s.as_str()?.split_once("(process ")?;
                rest.split(')').next()?.parse::<u32>().ok()
            };
            let pids: Vec<String> = servers.iter().filter_map(number).map(|n| n.to_string()).collect();
            (!pids.is_empty()).then(|| {
                let mut command = argv(&["kill"]);
                command.extend(pids);
                ("Ends its SSH server with every session in it; where that is the container's first process, the container ends".to_owned(), command)
            })
        }
        "docker/container/no-privileged-exec" | "docker/container/no-root-exec" => {
            let exec = list(container, "execs").ok()?.iter().find(|e| {
                let flag = if check.ends_with("privileged-exec") { "privileged" } else { "root" };
                e.field(flag).and_then(Value::as_bool) == Some(true)
            })?;
            let id = part(exec, "id");
            let socket = draft.world.target.address.strip_prefix("unix://")?;
            let url = format!("http://localhost/exec/{id}/json");
            let command = argv(&["curl", "--silent", "--unix-socket", socket, &url]);
            Some((
                format!(
                    "Shows the process of `{}` as Pid; ask whose it is, then end it by kill",
                    part(exec, "command")
                ),
                command,
            ))
        }
        _ => None,
    }
}
