//! Small hosts made by hand, fact by fact.

// Each test binary uses its own part of this.
#![allow(dead_code, reason = "shared by several test binaries, each of which uses a part")]

use std::sync::LazyLock;

use seaworthy_catalog::Catalog;
use seaworthy_core::component::Component;
use seaworthy_core::derive::derive;
use seaworthy_core::fact::Source;
use seaworthy_core::schema::{Kind, docker};
use seaworthy_core::snapshot::{Snapshot, Target};
use seaworthy_core::value::Value;

pub static CATALOG: LazyLock<Catalog> = LazyLock::new(Catalog::embedded);

pub fn object(fields: &[(&'static str, Value)]) -> Value {
    Value::Object(fields.to_vec())
}

pub fn none() -> Value {
    Value::List(Vec::new())
}

pub fn strings(items: &[&str]) -> Value {
    Value::strings(items.to_vec())
}

/// A host on which nothing is wrong but what every host lacks that nobody has hardened.
pub struct Host {
    pub target: Target,
}

impl Host {
    pub fn new() -> Self {
        let mut host = Self { target: Target::new("local", "docker", "unix:///run/docker.sock") };
        host.add(
            &docker::HOST,
            "host",
            &[
                ("os", "Debian 13".into()),
                ("kernel", "6.12.60".into()),
                ("apparmor", true.into()),
                ("selinux", false.into()),
                ("selinux_enforcing", false.into()),
                ("docker_group", true.into()),
                ("docker_group_members", none()),
                ("socket_group_members", none()),
                ("account_sources", none()),
                ("sudo_docker", none()),
                ("sshd_installed", true.into()),
                ("ssh_password", false.into()),
                ("ssh_root", "no".into()),
                ("ssh_empty_passwords", false.into()),
                ("ssh_keys", none()),
                ("listeners", none()),
                ("packages", none()),
                ("sysctls", none()),
                ("audit_enabled", true.into()),
                ("data_root", "/var/lib/docker".into()),
            ],
        );
        let socket = object(&[
            ("address", "unix:///run/docker.sock".into()),
            ("transport", "unix".into()),
            ("tls", "none".into()),
            ("loopback", true.into()),
            ("serves", "api".into()),
        ]);
        host.add(
            &docker::DAEMON,
            "dockerd",
            &[
                ("engine", "docker".into()),
                ("version", "29.9.0".into()),
                ("containerd_version", "2.9.0".into()),
                ("runc_version", "1.9.0".into()),
                ("uid", Value::Int(0)),
                ("rootless", false.into()),
                ("userns", false.into()),
                ("icc", true.into()),
                ("default_bridge", true.into()),
                ("iptables", true.into()),
                ("ip6tables", true.into()),
                ("insecure_registries", none()),
                ("registry_mirrors", none()),
                ("listeners", Value::List(vec![socket])),
                ("authorization_plugins", none()),
                ("metrics_address", Value::Null),
                ("no_new_privileges", false.into()),
                ("live_restore", true.into()),
                ("userland_proxy", false.into()),
                ("seccomp_profile", "builtin".into()),
                ("apparmor", true.into()),
                ("selinux", false.into()),
                ("swarm", "inactive".into()),
                ("swarm_listen", none()),
            ],
        );
        let roles = [
            ("docker-socket", "/run/docker.sock", 0o660),
            ("docker-service", "/usr/lib/systemd/system/docker.service", 0o644),
            ("dockerd", "/usr/bin/dockerd", 0o755),
            ("etc-docker", "/etc/docker", 0o755),
            ("data-root", "/var/lib/docker", 0o710),
            ("runc", "/usr/bin/runc", 0o755),
            ("containerd", "/usr/bin/containerd", 0o755),
            ("daemon-json", "/etc/docker/daemon.json", 0o644),
            ("run-containerd", "/run/containerd", 0o711),
        ];
        for (role, path, mode) in roles {
            host.add(
                &docker::FILE,
                path,
                &[
                    ("role", role.into()),
                    ("path", path.into()),
                    ("exists", true.into()),
                    ("uid", Value::Int(0)),
                    ("gid", Value::Int(0)),
                    ("owner", "root".into()),
                    ("group", "root".into()),
                    ("owned_by_daemon", false.into()),
                    ("mode", Value::Int(mode)),
                    ("acl", none()),
                    ("audited", false.into()),
                    ("audited_by", none()),
                    ("audit_on_disk", false.into()),
                ],
            );
        }
        host
    }

    pub fn add(&mut self, kind: &'static Kind, name: &str, facts: &[(&str, Value)]) -> &mut Component {
        let mut component = Component::new(kind, name, name);
        for (fact, value) in facts {
            component.set(fact, value.clone(), Source::place("test"));
        }
        self.target.components.push(component);
        self.target.components.last_mut().expect("it was added")
    }

    pub fn set(&mut self, name: &str, fact: &str, value: impl Into<Value>) {
        let found = self.target.components.iter_mut().find(|c| &*c.name == name);
        found.expect("it was added").set(fact, value, Source::place("test"));
    }

    /// A container as an ordinary `docker run` makes it, on a network of its own, with a user of its own.
    pub fn container(&mut self, name: &str) {
        let own = format!("{name}-net");
        self.network(&own, false, &[name]);
        let capabilities =
            ["CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "NET_RAW", "SETUID"];
        self.add(
            &docker::CONTAINER,
            name,
            &[
                ("status", "running".into()),
                ("running", true.into()),
                ("image", format!("{name}:1").into()),
                ("image_id", format!("sha256:{name}").into()),
                ("image_reference", "tag".into()),
                ("project", Value::Null),
                ("service", Value::Null),
                ("root_user", false.into()),
                ("root_on_host", true.into()),
                ("userns_host", false.into()),
                ("privileged", false.into()),
                ("capabilities", strings(&capabilities)),
                ("capabilities_added", none()),
                ("no_new_privileges", false.into()),
                ("seccomp", "default".into()),
                ("apparmor", "docker-default".into()),
                ("selinux", Value::Null),
                ("masked_paths", true.into()),
                ("cgroup_writable", false.into()),
                ("network_mode", own.as_str().into()),
                ("networks", strings(&[&own])),
                ("default_bridge", false.into()),
                ("host_network", false.into()),
                ("host_pid", false.into()),
                ("host_ipc", false.into()),
                ("host_uts", false.into()),
                ("host_cgroupns", false.into()),
                ("joins", none()),
                ("mounts", none()),
                ("devices", none()),
                ("all_devices", false.into()),
                ("readonly_rootfs", false.into()),
                ("memory_limit", Value::Null),
                ("memory_used", Value::Int(100 << 20)),
                ("oom_kill_disabled", false.into()),
                ("cpu_limited", false.into()),
                ("pids_limit", Value::Null),
                ("ports", none()),
                ("log_driver", "local".into()),
                ("log_bounded", true.into()),
                ("runtime", "runc".into()),
                ("sandboxed", false.into()),
                ("env_names", none()),
                ("env_secrets", none()),
                ("config_secrets", none()),
                ("groups_added", none()),
                ("links", none()),
                ("execs", none()),
                ("ssh_servers", none()),
            ],
        );
    }

    pub fn network(&mut self, name: &str, default: bool, containers: &[&str]) {
        self.add(
            &docker::NETWORK,
            name,
            &[
                ("driver", "bridge".into()),
                ("scope", "local".into()),
                ("default_bridge", default.into()),
                ("internal", false.into()),
                ("icc", true.into()),
                ("ipv6", false.into()),
                ("gateway_mode_ipv4", "nat".into()),
                ("gateway_mode_ipv6", "nat".into()),
                ("containers", strings(containers)),
            ],
        );
    }

    pub fn on_default_bridge(&mut self, names: &[&str]) {
        self.network("bridge", true, names);
        for name in names {
            self.set(name, "networks", strings(&["bridge"]));
            self.set(name, "network_mode", "bridge");
            self.set(name, "default_bridge", true);
        }
    }

    pub fn publish(&mut self, name: &str, host_ip: &str) {
        let port = object(&[
            ("host_ip", host_ip.into()),
            ("host_port", Value::Int(8080)),
            ("container_port", Value::Int(80)),
            ("protocol", "tcp".into()),
            ("wildcard", (host_ip == "0.0.0.0").into()),
            ("loopback", false.into()),
        ]);
        self.set(name, "ports", Value::List(vec![port]));
        self.let_through(name, host_ip, 8080);
    }

    /// The packet filter stops nobody on his way to a port.
    pub fn let_through(&mut self, name: &str, address: &str, port: i64) {
        let row = object(&[
            ("protocol", "tcp".into()),
            ("address", address.into()),
            ("port", port.into()),
            ("networks", true.into()),
            ("internet", true.into()),
            ("by", "".into()),
        ]);
        self.set(name, "packet_filter", Value::List(vec![row]));
    }

    pub fn mount(&mut self, name: &str, kind: &str, source: &str, volume: &str) {
        let mount = object(&[
            ("type", kind.into()),
            ("source", source.into()),
            ("destination", "/mnt".into()),
            ("rw", true.into()),
            ("propagation", "rprivate".into()),
            ("volume", volume.into()),
        ]);
        self.set(name, "mounts", Value::List(vec![mount]));
    }

    pub fn secret(&mut self, name: &str) {
        let secret = object(&[("name", "PASSWORD".into()), ("class", "password".into()), ("length", "16-31".into())]);
        self.set(name, "env_secrets", Value::List(vec![secret]));
    }

    /// The snapshot, with everything that follows from its facts.
    pub fn snapshot(self) -> Snapshot {
        let mut snapshot = Snapshot { tool: "0".into(), collected_at: 1_793_000_000, targets: vec![self.target] };
        derive(&mut snapshot, &CATALOG.flaws);
        snapshot
    }
}
