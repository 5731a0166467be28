//! Who may command the engine, which is as much as root on its host.

use std::sync::Arc;

use super::{MOST_NAMED, only};
use crate::component::Component;
use crate::fact::Source;
use crate::schema::docker;
use crate::snapshot::Target;
use crate::value::Value;

/// The bits of a mode that let a group or others connect: connecting is writing.
const GROUP_WRITES: i64 = 0o020;
const OTHERS_WRITE: i64 = 0o002;

pub(super) fn derive(target: &mut Target) {
    let mut work = Commanders::default();
    work.add("root", "it is root");
    work.rootless(target);
    work.sockets(target);
    work.listeners(only(target, &docker::DAEMON, "listeners"));
    work.containers(only(target, &docker::DAEMON, "socket_mounted_by"));
    work.sudo(only(target, &docker::HOST, "sudo_docker"));
    let value = Value::List(work.found);
    let source = Source::place("the engine's sockets and listeners, mounted sockets, accounts and sudo rules");
    for daemon in target.components.iter_mut().filter(|c| std::ptr::eq(c.kind, &docker::DAEMON)) {
        daemon.set("commanders", value.clone(), source.clone());
    }
}

#[derive(Default)]
struct Commanders {
    found: Vec<Value>,
}

impl Commanders {
    fn add(&mut self, who: &str, how: &str) {
        let one = Value::Object(vec![("who", who.into()), ("how", how.into())]);
        if !self.found.contains(&one) {
            self.found.push(one);
        }
    }

    /// Somebody may command it for all that is known.
    fn unknown(&mut self, reason: &Arc<str>) {
        let one = Value::Unknown(Arc::clone(reason));
        if !self.found.contains(&one) {
            self.found.push(one);
        }
    }

    /// Each of a list, up to a bound; what is unknown in it or of it.
    fn each(&mut self, list: &Value, mut add: impl FnMut(&mut Self, &Value)) {
        match list {
            Value::List(items) => {
                for item in items.iter().take(MOST_NAMED) {
                    match item {
                        Value::Unknown(reason) => self.unknown(reason),
                        item => add(self, item),
                    }
                }
                if items.len() > MOST_NAMED {
                    self.add(&format!("{} more", items.len() - MOST_NAMED), "as those before");
                }
            }
            Value::Unknown(reason) => self.unknown(reason),
            _ => {}
        }
    }

    fn rootless(&mut self, target: &Target) {
        match only(target, &docker::DAEMON, "rootless") {
            Value::Bool(true) => match only(target, &docker::DAEMON, "uid") {
                Value::Int(uid) => self.add(&format!("user {uid}"), "the engine runs as this user"),
                other => self.unknown(&other.reason().cloned().unwrap_or_else(|| "its user is not known".into())),
            },
            Value::Unknown(reason) => self.unknown(reason),
            _ => {}
        }
    }

    fn sockets(&mut self, target: &Target) {
        let is_socket = |c: &&Component| c.value("role").as_str() == Some("docker-socket");
        let sockets: Vec<&Component> = target.of(&docker::FILE).filter(is_socket).collect();
        if sockets.is_empty() {
            let unread = "the engine's socket was not looked at";
            let reason = target.incomplete.get(docker::FILE.name).map_or(unread, String::as_str);
            let unix = |l: &Value| l.field("transport").and_then(Value::as_str) != Some("tcp");
            match only(target, &docker::DAEMON, "listeners") {
                Value::List(listeners) if !listeners.iter().any(unix) => {}
                _ => self.unknown(&reason.into()),
            }
        }
        let members = only(target, &docker::HOST, "socket_group_members");
        for socket in sockets.into_iter().take(MOST_NAMED) {
            match socket.value("exists") {
                Value::Bool(false) => continue,
                Value::Unknown(reason) => self.unknown(reason),
                _ => {}
            }
            self.socket(socket, members);
        }
    }

    fn socket(&mut self, socket: &Component, members: &Value) {
        let path = socket.value("path").as_str().unwrap_or(&socket.name);
        match socket.value("owner") {
            Value::Str(owner) if &**owner == "root" => {}
            Value::Str(owner) => self.add(owner, &format!("owns {path}")),
            Value::Unknown(reason) => self.unknown(reason),
            _ => {}
        }
        match socket.value("mode") {
            Value::Int(mode) => {
                if mode & OTHERS_WRITE != 0 {
                    self.add("every user of the host", &format!("{path} has mode {mode:04o}"));
                }
                if mode & GROUP_WRITES != 0 {
                    let group = socket.value("group").as_str().unwrap_or("the group");
                    let how = format!("is in {group}, the group of {path}");
                    self.each(members, |all, who| all.add(who.as_str().unwrap_or_default(), &how));
                }
            }
            Value::Unknown(reason) => self.unknown(reason),
            _ => {}
        }
        let how = format!("is in the access list of {path}");
        self.each(socket.value("acl"), |all, who| all.add(who.as_str().unwrap_or_default(), &how));
    }

    fn listeners(&mut self, listeners: &Value) {
        self.each(listeners, |all, listener| {
            let text = |field: &str| listener.field(field).and_then(Value::as_str);
            if text("transport") == Some("unix") || !matches!(text("serves"), Some("api") | None) {
                return;
            }
            for field in ["transport", "serves"] {
                if let Some(Value::Unknown(reason)) = listener.field(field) {
                    return all.unknown(reason);
                }
            }
            if text("transport") != Some("tcp") {
                return;
            }
            let address = text("address").unwrap_or("a TCP listener");
            let who = match listener.field("loopback") {
                Some(Value::Bool(true)) => "every user of the host, and containers in its network",
                Some(Value::Bool(false)) => "everybody on the network",
                other => {
                    let reason = other.and_then(Value::reason).cloned();
                    return all.unknown(&reason.unwrap_or_else(|| "who reaches a TCP listener is not known".into()));
                }
            };
            match listener.field("tls") {
                Some(Value::Str(tls)) if &**tls == "mutual" => {
                    all.add("holders of a client's certificate", &format!("{address} verifies clients"));
                }
                Some(Value::Str(tls)) if &**tls == "none" => all.add(who, &format!("{address} has no TLS")),
                Some(Value::Str(_)) => all.add(who, &format!("{address} has TLS and does not verify clients")),
                other => {
                    let reason = other.and_then(Value::reason).cloned();
                    all.unknown(&reason.unwrap_or_else(|| "what a TCP listener asks for is not known".into()));
                }
            }
        });
    }

    fn containers(&mut self, holders: &Value) {
        self.each(holders, |all, who| {
            all.add(&format!("container {}", who.as_str().unwrap_or_default()), "holds the engine's socket");
        });
    }

    fn sudo(&mut self, rules: &Value) {
        self.each(rules, |all, rule| {
            let text = |field: &str| rule.field(field).and_then(Value::as_str).unwrap_or_default();
            all.add(text("who"), &format!("sudo, by {}", text("source")));
        });
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{component, daemon, strings, target};
    use super::*;

    type Facts<'a> = &'a [(&'static str, Value)];

    fn listener(address: &str, tls: Value, loopback: bool) -> Value {
        Value::Object(vec![
            ("address", address.into()),
            ("transport", if address.starts_with("unix") { "unix" } else { "tcp" }.into()),
            ("tls", tls),
            ("loopback", loopback.into()),
            ("serves", "api".into()),
        ])
    }

    fn host(engine: Facts<'_>, socket: Facts<'_>, machine: Facts<'_>) -> Target {
        let mut d = daemon(&[
            ("rootless", false.into()),
            ("listeners", Value::List(vec![])),
            ("socket_mounted_by", Value::List(vec![])),
        ]);
        let mut s = component(
            &docker::FILE,
            "/run/docker.sock",
            &[
                ("role", "docker-socket".into()),
                ("path", "/run/docker.sock".into()),
                ("exists", true.into()),
                ("owner", "root".into()),
                ("group", "docker".into()),
                ("mode", Value::Int(0o660)),
                ("acl", Value::List(vec![])),
            ],
        );
        let mut h = component(
            &docker::HOST,
            "host",
            &[("socket_group_members", Value::List(vec![])), ("sudo_docker", Value::List(vec![]))],
        );
        for (c, facts) in [(&mut d, engine), (&mut s, socket), (&mut h, machine)] {
            for (fact, value) in facts {
                c.set(fact, value.clone(), Source::place("test"));
            }
        }
        target(vec![d, s, h])
    }

    fn told(mut t: Target) -> Vec<String> {
        derive(&mut t);
        let all = t.components[0].value("commanders").as_list().unwrap().to_vec();
        all.iter().map(|c| c.field("who").map_or_else(|| c.to_string(), ToString::to_string)).collect()
    }

    #[test]
    fn a_harmless_host_is_commanded_by_root() {
        assert_eq!(told(host(&[], &[], &[])), ["root"]);
    }

    #[test]
    fn everybody_who_may_is_named() {
        let rule = Value::Object(vec![
            ("who", "%ops".into()),
            ("commands", "ALL".into()),
            ("password", true.into()),
            ("source", "/etc/sudoers:3".into()),
        ]);
        let listeners = Value::List(vec![
            listener("unix:///run/docker.sock", "none".into(), true),
            listener("tcp://0.0.0.0:2375", "none".into(), false),
            listener("tcp://127.0.0.1:2375", "tls".into(), true),
            listener("tcp://0.0.0.0:2376", "mutual".into(), false),
        ]);
        let engine = [
            ("rootless", true.into()),
            ("uid", Value::Int(1000)),
            ("listeners", listeners),
            ("socket_mounted_by", strings(&["ci"])),
        ];
        let socket = [("mode", Value::Int(0o666)), ("acl", strings(&["user:bob:rw-"])), ("owner", "carol".into())];
        let machine = [("socket_group_members", strings(&["alice"])), ("sudo_docker", Value::List(vec![rule]))];
        assert_eq!(
            told(host(&engine, &socket, &machine)),
            [
                "root",
                "user 1000",
                "carol",
                "every user of the host",
                "alice",
                "user:bob:rw-",
                "everybody on the network",
                "every user of the host, and containers in its network",
                "holders of a client's certificate",
                "container ci",
                "%ops"
            ]
        );
    }

    #[test]
    fn a_group_counts_only_while_the_mode_lets_it_in() {
        let machine = [("socket_group_members", strings(&["alice"]))];
        assert_eq!(told(host(&[], &[("mode", Value::Int(0o600))], &machine)), ["root"]);
    }

    #[test]
    fn whatever_is_unknown_stays_among_them() {
        let hidden = || Value::unknown("denied");
        for (engine, socket, machine) in [
            (&[("listeners", hidden())][..], &[][..], &[][..]),
            (&[("socket_mounted_by", hidden())], &[], &[]),
            (&[("rootless", hidden())], &[], &[]),
            (&[], &[("mode", hidden())], &[]),
            (&[], &[("owner", hidden())], &[]),
            (&[], &[("acl", hidden())], &[]),
            (&[], &[("exists", hidden())], &[]),
            (&[], &[], &[("socket_group_members", hidden())]),
            (&[], &[], &[("sudo_docker", hidden())]),
        ] {
            assert_eq!(
                told(host(engine, socket, machine)),
                ["root", "unknown (denied)"],
                "{engine:?} {socket:?} {machine:?}"
            );
        }
        let tls = Value::List(vec![listener("tcp://0.0.0.0:2376", hidden(), false)]);
        assert_eq!(told(host(&[("listeners", tls)], &[], &[])), ["root", "unknown (denied)"]);
        let mut remote = host(&[("listeners", hidden())], &[], &[]);
        remote.components.remove(1);
        remote.incomplete(&docker::FILE, "another machine");
        assert_eq!(told(remote), ["root", "unknown (another machine)", "unknown (denied)"]);
    }

    #[test]
    fn many_are_bounded() {
        let users: Vec<String> = (0..1000).map(|i| format!("u{i}")).collect();
        let found = told(host(&[], &[], &[("socket_group_members", Value::strings(users))]));
        assert_eq!(found.len(), 1 + MOST_NAMED + 1);
        assert_eq!(found.last().unwrap(), "936 more");
    }
}
