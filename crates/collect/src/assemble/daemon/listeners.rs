//! What the daemon listens on, and what it serves there.

use std::net::{IpAddr, SocketAddr};

use seaworthy_core::value::Value;
use serde_json::Value as Json;

use super::{Sheet, bounded, pointer};
use crate::daemon::effective::Effective;

impl Sheet<'_, '_> {
    pub(super) fn listeners(&mut self) {
        let tls = self.tls();
        let value = match self.inputs.daemon {
            Ok(daemon) => match &daemon.listeners {
                Some(found) => {
                    let unix = found.unix.iter().map(|p| self.unix_listener(p));
                    let tcp = found.tcp.iter().map(|a| self.tcp_listener(*a, &tls));
                    Ok(Value::List(unix.chain(tcp).collect()))
                }
                None => self.stated_listeners(&tls),
            },
            Err(why) => Err(why.to_owned()),
        };
        self.put("listeners", value, "the daemon's sockets");
        let certificates = self.inputs.certificates.clone();
        self.put("api_certificates", certificates, "the certificates that it serves, and its clients' authority");
    }

    /// `none`, `tls` or `mutual` for TCP listeners of the API.
    fn tls(&self) -> Result<&'static str, String> {
        let known = |name: &str| match self.inputs.settings.get(name).map(|s| &s.value) {
            Some(Effective::Known(Json::Bool(on))) => Ok(*on),
            Some(Effective::Unknown(why)) => Err(why.clone()),
            _ => Err("its TLS settings are not known".to_owned()),
        };
        if !known("tls")? {
            return Ok("none");
        }
        // Without an authority of its own the engine takes certificates of those that the system trusts: of anybody.
        let authority = known("tlsverify")? && self.known("tlscacert")?.as_str().is_some_and(|path| !path.is_empty());
        Ok(if authority { "mutual" } else { "tls" })
    }

    fn unix_listener(&self, path: &str) -> Value {
        let hosts = self.known("hosts").ok().and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
        let named = |host: &str| host.strip_prefix("unix://") == Some(path);
        let api = named(self.inputs.address) || hosts.iter().filter_map(Json::as_str).any(named);
        let exec_root = self.known("exec-root").ok().and_then(Json::as_str).unwrap_or("/run/docker");
        let serves = if !api && is_internal(path, exec_root) { "internal" } else { "api" };
        listener(format!("unix://{path}"), "unix".into(), "none".into(), true.into(), serves.into())
    }

    fn tcp_listener(&self, address: SocketAddr, tls: &Result<&'static str, String>) -> Value {
        let serves = self.served_at(address);
        let tls = match (serves.as_ref().map(|s| *s), tls) {
            (Ok("swarm"), _) => "mutual".into(),
            (Ok("metrics" | "debug"), _) => "none".into(),
            (Ok(_), Ok(tls)) => (*tls).into(),
            (Ok(_), Err(why)) => Value::unknown(why.as_str()),
            (Err(why), _) => Value::unknown(why.as_str()),
        };
        let serves = serves.map_or_else(Value::unknown, Value::from);
        let loopback = address.ip().to_canonical().is_loopback();
        listener(format!("tcp://{address}"), "tcp".into(), tls, loopback.into(), serves)
    }

    /// What the daemon offers at an address that it listens on.
    fn served_at(&self, address: SocketAddr) -> Result<&'static str, String> {
        let port = i64::from(address.port());
        let metrics = self.known("metrics-addr").map(|m| m.as_str().is_some_and(|m| is_at(m, address)));
        if metrics == Ok(true) {
            return Ok("metrics");
        }
        let diagnostic = self.known("network-diagnostic-port").map(|p| p.as_i64() == Some(port));
        if diagnostic == Ok(true) && address.ip().to_canonical().is_loopback() {
            return Ok("debug");
        }
        if self.swarm_port(address.port()) {
            return Ok("swarm");
        }
        let stated = self.inputs.daemon.is_ok_and(|d| d.flags.all("hosts").iter().any(|h| is_at(h, address)));
        match metrics {
            // Where the file may have named it, it may be either.
            Err(why) if !stated => Err(why),
            _ => Ok("api"),
        }
    }

    /// Whether a port is swarm's: the usual ones, or the one by which its managers reach this node.
    fn swarm_port(&self, port: u16) -> bool {
        let Ok(info) = &self.inputs.info else { return false };
        if matches!(pointer(info, "Swarm.LocalNodeState").and_then(Json::as_str), None | Some("inactive" | "")) {
            return false;
        }
        let own = pointer(info, "Swarm.NodeID").and_then(Json::as_str);
        let managers = pointer(info, "Swarm.RemoteManagers").and_then(Json::as_array).map(Vec::as_slice);
        let of_own = managers.unwrap_or_default().iter().filter(|m| m.get("NodeID").and_then(Json::as_str) == own);
        let mut addresses = of_own.filter_map(|m| m.get("Addr").and_then(Json::as_str));
        let given = |a: &str| a.rsplit_once(':').and_then(|(_, p)| p.parse().ok()) == Some(port);
        matches!(port, 2377 | 7946) || addresses.any(given)
    }

    /// What the settings say of listeners, where the sockets themselves may not be read.
    fn stated_listeners(&self, tls: &Result<&'static str, String>) -> Result<Value, String> {
        let hosts = match self.inputs.settings.get("hosts").map(|s| &s.value) {
            Some(Effective::Known(Json::Array(hosts))) => hosts,
            Some(Effective::Unknown(why)) => return Err(why.clone()),
            _ => return Err("its sockets may not be read (needs root)".into()),
        };
        let mut out = Vec::new();
        for host in hosts.iter().filter_map(Json::as_str) {
            match host.split_once("://").unwrap_or(("tcp", host)) {
                ("unix", path) => out.push(self.unix_listener(path)),
                ("fd", _) => return Err("systemd made its sockets, and they may not be read (needs root)".into()),
                (_, address) => {
                    let tls = tls.clone().map_or_else(Value::unknown, Value::from);
                    let name = address.rsplit_once(':').map_or(address, |(name, _)| name).trim_matches(['[', ']']);
                    let loopback =
                        name == "localhost" || name.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback());
                    out.push(listener(format!("tcp://{address}"), "tcp".into(), tls, loopback.into(), "api".into()));
                }
            }
        }
        Ok(Value::List(out))
    }
}

fn listener(address: String, transport: Value, tls: Value, loopback: Value, serves: Value) -> Value {
    Value::Object(vec![
        ("address", bounded(&address)),
        ("transport", transport),
        ("tls", tls),
        ("loopback", loopback),
        ("serves", serves),
    ])
}

/// Whether a socket is one by which the daemon talks to its own parts: all of those lie in its directory of states.
fn is_internal(path: &str, exec_root: &str) -> bool {
    const PARTS: [&str; 7] = [
        "/libnetwork/",
        "/metrics.sock",
        "/containerd/",
        "/containerd-",
        "/buildkit",
        "/plugins/",
        "/swarm/control.sock",
    ];
    let run = |p: &str| p.strip_prefix("/var/run/").map_or_else(|| p.to_owned(), |rest| format!("/run/{rest}"));
    let below = run(path).strip_prefix(&run(exec_root.trim_end_matches('/'))).is_some_and(|rest| rest.starts_with('/'));
    below || PARTS.iter().any(|part| path.contains(part))
}

/// Whether a configured address (`127.0.0.1:9323`, `tcp://:2375`, `localhost:1`) is the one of a socket: every address
/// of version 4 is one of version 6 to the kernel.
fn is_at(configured: &str, socket: SocketAddr) -> bool {
    let rest = configured.split_once("://").map_or(configured, |(_, rest)| rest);
    let rest = rest.split('/').next().unwrap_or_default();
    let Some((host, port)) = rest.rsplit_once(':') else { return false };
    if port.parse() != Ok(socket.port()) {
        return false;
    }
    let own = socket.ip().to_canonical();
    match host.trim_matches(['[', ']']).parse::<IpAddr>().map(|ip| ip.to_canonical()) {
        Ok(ip) => ip == own || (ip.is_unspecified() && own.is_unspecified()),
        Err(_) if host.is_empty() => own.is_unspecified(),
        Err(_) if host == "localhost" => own.is_loopback(),
        // A name that was looked up when the daemon started.
        Err(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_daemons_own_sockets_are_no_api() {
        assert!(is_internal("/var/run/docker/swarm/control.sock", "/var/run/docker"));
        assert!(is_internal("/run/docker/libnetwork/0a.sock", "/var/run/docker"));
        assert!(is_internal("/tmp/x/exec/metrics.sock", "/tmp/x/exec"));
        assert!(is_internal("/run/docker/swarm/control.sock", "/elsewhere"));
        assert!(
            !is_internal("/run/docker.sock", "/run/docker") && !is_internal("/run/docker-two/d.sock", "/run/docker")
        );
    }

    #[test]
    fn a_configured_address_is_known_again() {
        for (configured, socket, expected) in [
            ("0.0.0.0:9323", "[::]:9323", true),
            ("0.0.0.0:9323", "0.0.0.0:9323", true),
            (":9323", "[::]:9323", true),
            ("127.0.0.1:9323", "127.0.0.1:9323", true),
            ("127.0.0.1:9323", "[::]:9323", false),
            ("localhost:9323", "127.0.0.1:9323", true),
            ("[::1]:9323", "[::1]:9323", true),
            ("0.0.0.0:9323", "0.0.0.0:2375", false),
            ("tcp://10.0.0.1:2375", "10.0.0.1:2375", true),
            ("tcp://myhost:2375", "10.0.0.1:2375", true),
            ("", "0.0.0.0:2375", false),
        ] {
            assert_eq!(is_at(configured, socket.parse().unwrap()), expected, "{configured} {socket}");
        }
    }
}
