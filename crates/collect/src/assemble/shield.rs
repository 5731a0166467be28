//! What stands between the networks and the ports of a host, its engine and its containers: addresses and the packet
//! filter, in the network namespaces of both.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use seaworthy_core::cidr;
use seaworthy_core::component::Component;
use seaworthy_core::fact::Source;
use seaworthy_core::schema::docker;
use seaworthy_core::snapshot::Target;
use seaworthy_core::value::Value;
use serde_json::Value as Json;

use super::daemon::bounded;
use super::host::Host;
use crate::daemon::find::Daemon;
use crate::docker::network::network as docker_network;
use crate::host::filter::{self, Filter, Port, Ruleset};
use crate::host::network::{self, Network};
use crate::host::sockets::in_network_of;

const TCP: u8 = 6;
const UDP: u8 = 17;
/// The most ports of one component whose way through the rules is followed.
const PORTS: usize = 64;

/// Protocols, addresses and numbers.
type Ports = BTreeSet<(u8, IpAddr, u16)>;

/// The rules and interfaces of one network namespace, or why they are not known: rules may be root's alone to read.
type Side = Result<(Result<Ruleset, String>, Network), String>;

/// What was read.
pub(super) struct Shield {
    /// Of our own namespace, which is the host's.
    own: Side,
    /// Of the engine's, where that is another.
    engine: Option<Side>,
}

impl Shield {
    /// Reads both; `host` and `daemon` are the reasons where they could not be read.
    pub fn read(host: Result<&Host, &str>, daemon: Result<&Daemon, &str>) -> Self {
        let proc = match host {
            Ok(host) => host.proc.as_ref().filter(|p| p.numbers_are_ours() && host.root.is_live()),
            Err(why) => return Self { own: Err(why.to_owned()), engine: None },
        };
        let Some(proc) = proc else {
            return Self { own: Err("the network of another root is not this machine's".to_owned()), engine: None };
        };
        let engine = match daemon {
            Ok(daemon) if daemon.own_network == Some(true) => None,
            Ok(daemon) => {
                let read = in_network_of(proc, daemon.pid, || Ok(side()));
                Some(read.unwrap_or_else(|errno| Err(format!("the engine's network: {}", std::io::Error::from(errno)))))
            }
            Err(why) => Some(Err(why.to_owned())),
        };
        Self { own: side(), engine }
    }

    /// Whether an address is the engine's host's own, or one of a container's on it; `listed` are the engine's networks.
    ///
    /// # Errors
    /// Why the host's addresses are not known.
    pub fn is_here(&self, ip: IpAddr, listed: &[Json]) -> Result<bool, String> {
        let ip = ip.to_canonical();
        let (_, network) = self.engine.as_ref().unwrap_or(&self.own).as_ref().map_err(String::clone)?;
        let own = network.interfaces.iter().flat_map(|interface| &interface.addresses).any(|(own, _)| *own == ip);
        let inner = || listed.iter().map(|network| docker_network(network, false)).flat_map(|n| subnets(&n)).collect();
        Ok(own || within(ip, inner()))
    }

    /// Puts what it does with each port to whose it is, once the containers' are known.
    pub fn put(self, target: &mut Target) {
        let is = |c: &Component, kind| std::ptr::eq(c.kind, kind);
        let networks = target.components.iter().filter(|c| is(c, &docker::NETWORK));
        let inner: Vec<(IpAddr, u8)> = networks.flat_map(subnets).collect();
        let engine = self.engine.as_ref().unwrap_or(&self.own);
        let addresses = addresses(engine, &inner);
        let (mut own, mut engine) = (filter(&self.own, &inner), filter(engine, &inner));
        for component in &mut target.components {
            let (filter, ports) = match component.kind {
                kind if std::ptr::eq(kind, &docker::HOST) => (&mut own, listeners(component.value("listeners"))),
                kind if std::ptr::eq(kind, &docker::DAEMON) => (&mut engine, listeners(component.value("listeners"))),
                kind if std::ptr::eq(kind, &docker::CONTAINER) => (&mut engine, published(component)),
                _ => continue,
            };
            let rows = match filter {
                Ok(filter) => Ok(follow(filter, ports)),
                // Nothing is asked of what has no port.
                Err(_) if ports.is_empty() => Ok(Value::List(Vec::new())),
                Err(why) => Err(why.clone()),
            };
            put(component, "packet_filter", rows, "nf_tables, over netlink");
            if is(component, &docker::HOST) {
                put(component, "addresses", addresses.clone(), "rtnetlink");
            }
        }
    }
}

fn filter<'s>(side: &'s Side, inner: &[(IpAddr, u8)]) -> Result<Filter<'s>, String> {
    let (rules, network) = side.as_ref().map_err(String::clone)?;
    Ok(Filter::new(rules.as_ref().map_err(String::clone)?, network, inner))
}

fn put(component: &mut Component, fact: &str, value: Result<Value, String>, place: &'static str) {
    match value {
        Ok(value) => component.set(fact, value, Source::place(place)),
        Err(why) => component.set_unknown(fact, why, Source::place(place)),
    }
}

/// Of the namespace that this thread is in.
fn side() -> Side {
    let network = network::read();
    if let Some(gap) = network.gaps.first() {
        return Err(format!("{}: {}", gap.source, gap.reason));
    }
    Ok((filter::read(), network))
}

fn within(ip: IpAddr, networks: Vec<(IpAddr, u8)>) -> bool {
    networks.into_iter().any(|(network, length)| cidr::within(ip, network, u32::from(length)))
}

fn subnets(network: &Component) -> Vec<(IpAddr, u8)> {
    // Containers with addresses of the host's own networks are no others.
    if network.value("driver").as_str() != Some("bridge") {
        return Vec::new();
    }
    let subnets = network.value("subnets").as_list().unwrap_or_default().iter().filter_map(Value::as_str);
    subnets.filter_map(cidr::network).filter_map(|(ip, length)| Some((ip, u8::try_from(length).ok()?))).collect()
}

/// The TCP sockets of a list of listeners that others may reach.
fn listeners(all: &Value) -> Ports {
    let addresses = all.as_list().unwrap_or_default().iter().filter_map(|l| l.field("address").and_then(Value::as_str));
    let addresses = addresses.filter_map(|text| text.trim_start_matches("tcp://").parse::<SocketAddr>().ok());
    addresses.map(|at| (TCP, at.ip(), at.port())).filter(others_reach).collect()
}

fn published(container: &Component) -> Ports {
    let ports = container.value("ports").as_list().unwrap_or_default();
    let one = |port: &Value| {
        let protocol = match port.field("protocol")?.as_str()? {
            "tcp" => TCP,
            "udp" => UDP,
            _ => return None,
        };
        let ip = match port.field("host_ip")?.as_str()? {
            "" => IpAddr::from([0, 0, 0, 0]),
            ip => ip.parse().ok()?,
        };
        let number = u16::try_from(port.field("host_port")?.as_int()?).ok().filter(|number| *number != 0)?;
        Some((protocol, ip, number))
    };
    ports.iter().filter_map(one).filter(others_reach).collect()
}

fn others_reach((_, ip, _): &(u8, IpAddr, u16)) -> bool {
    !ip.to_canonical().is_loopback()
}

fn addresses(side: &Side, inner: &[(IpAddr, u8)]) -> Result<Value, String> {
    let (_, network) = side.as_ref().map_err(String::clone)?;
    let mut out = Vec::new();
    for interface in network.outside(inner) {
        for (ip, _) in interface.addresses.iter().take(64) {
            out.push(Value::Object(vec![
                ("interface", bounded(&interface.name)),
                ("address", bounded(&ip.to_string())),
                ("global", cidr::is_global(*ip).into()),
            ]));
        }
    }
    Ok(Value::List(out))
}

fn follow(filter: &mut Filter<'_>, ports: Ports) -> Value {
    let mut out = Vec::new();
    for (protocol, address, port) in ports.into_iter().take(PORTS) {
        let asked = Port { protocol, address, port };
        let (networks, internet) = (filter.from_networks(asked), filter.from_internet(asked));
        let truth = |admitted: &Result<bool, String>| match admitted {
            Ok(yes) => Value::from(*yes),
            Err(why) => Value::unknown(why.as_str()),
        };
        let by = if networks.by.is_empty() { &internet.by } else { &networks.by };
        out.push(Value::Object(vec![
            ("protocol", if protocol == TCP { "tcp" } else { "udp" }.into()),
            ("address", bounded(&address.to_canonical().to_string())),
            ("port", i64::from(port).into()),
            ("networks", truth(&networks.admitted)),
            ("internet", truth(&internet.admitted)),
            ("by", bounded(by)),
        ]));
    }
    Value::List(out)
}
