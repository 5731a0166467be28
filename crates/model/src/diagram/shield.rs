//! What stands between the networks and a port: whether the packet filter lets connections through, and whether an
//! address of the host is one that the internet routes.

use std::sync::Arc;

use seaworthy_core::diagram::{Certainty, FactRef};
use seaworthy_core::value::Value;

use super::address::Bound;
use super::scope::{Scope, list, text, truth};

/// Who gets through to a port; none where nobody does.
pub(super) struct Through {
    /// From the networks that the host is on.
    pub networks: Option<Certainty>,
    /// From the internet.
    pub internet: Option<Certainty>,
    /// What says so of the networks, and of the internet.
    pub cites: [[Option<FactRef>; 2]; 2],
}

impl Scope<'_> {
    /// Who gets through to a port of a component; `declared` is whether the user said that the internet does.
    pub fn through(&self, of: usize, bound: Option<&Bound>, protocol: &str, declared: bool) -> Through {
        let (rules, addresses) = (self.cite(of, "packet_filter"), self.cite_of(self.host, "addresses"));
        // What was declared rests on nothing that was read.
        let cites = [[rules, None], if declared { [None; 2] } else { [rules, addresses] }];
        let row = bound.map_or_else(|| Err("where it listens is not known".into()), |b| self.row(of, b, protocol));
        let networks = admitted(&row, "networks");
        let internet = match (declared, bound) {
            (true, _) => Some(Certainty::Proven),
            (false, None) => Some(possible("where it listens is not known".into())),
            (false, Some(bound)) => {
                let routed = self.routed(bound);
                routed.and_then(|routed| admitted(&row, "internet").map(|admitted| admitted.and(&routed)))
            }
        };
        Through { networks, internet, cites }
    }

    /// What was found of a port.
    fn row(&self, of: usize, bound: &Bound, protocol: &str) -> Result<&Value, Arc<str>> {
        let rows = list(self.value(of, "packet_filter"))
            .map_err(|why| Arc::from(format!("the packet filter was not read: {why}")))?;
        let its = |row: &&Value| {
            row.field("port").and_then(Value::as_int) == Some(bound.port)
                && text(row, "protocol") == protocol
                && Bound::new(text(row, "address"), bound.port).ip == bound.ip
        };
        rows.iter().find(its).ok_or_else(|| "the packet filter was not asked about this port".into())
    }

    /// Whether the internet routes to where something is bound; none where it does not.
    fn routed(&self, bound: &Bound) -> Option<Certainty> {
        if !bound.is_wildcard() {
            return bound.internet();
        }
        let unread = "whether an address of the host is globally routed is not known; seaworthy.toml may declare it";
        let addresses = self.host.map(|host| list(self.value(host, "addresses")));
        let Some(Ok(addresses)) = addresses else { return Some(possible(unread.into())) };
        let global = |address: &Value| address.field("global").map(truth);
        if addresses.iter().any(|address| global(address) == Some(Ok(true))) {
            return Some(Certainty::Proven);
        }
        Some(possible(
            "the host has no address that the internet routes; whether something before it forwards to it is not \
             known; seaworthy.toml may declare it"
                .into(),
        ))
    }
}

fn admitted(row: &Result<&Value, Arc<str>>, from: &str) -> Option<Certainty> {
    match row.as_ref().map(|row| row.field(from).map(truth)) {
        Ok(Some(Ok(true))) => Some(Certainty::Proven),
        Ok(Some(Ok(false))) => None,
        Ok(Some(Err(why))) => Some(possible(format!("whether the packet filter lets it through: {why}").into())),
        Ok(None) => Some(possible("the packet filter was not asked about this port".into())),
        Err(why) => Some(possible(Arc::clone(why))),
    }
}

fn possible(reason: Arc<str>) -> Certainty {
    Certainty::Possible(reason)
}
