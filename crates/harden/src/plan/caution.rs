//! Combinations that break one another.

use std::collections::BTreeMap;

use seaworthy_core::plan::SetKey;

use super::daemon::{published, will_be};
use super::world::World;

/// A setting that may not be set with what is in effect or set beside it, with the reason.
pub(super) fn refused(world: &World<'_>, keys: &BTreeMap<String, SetKey>) -> Option<(&'static str, String)> {
    if keys.contains_key("icc") {
        match will_be(world, keys, "iptables", "iptables") {
            Ok(true) => {}
            Ok(false) => {
                let line =
                    "dockerd does not start with icc off while it does not manage the packet filter (iptables false)";
                return Some(("icc", format!("{line}; plan docker/daemon/iptables-managed too")));
            }
            Err(why) => return Some(("icc", why)),
        }
    }
    None
}

/// What was looked at of the combination, where it matters.
pub(super) fn warnings(world: &World<'_>, keys: &BTreeMap<String, SetKey>) -> Vec<String> {
    let mut out = Vec::new();
    let touched = keys.contains_key("icc") || keys.contains_key("userland-proxy");
    let icc = will_be(world, keys, "icc", "icc");
    let proxy = will_be(world, keys, "userland-proxy", "userland_proxy");
    if touched && icc == Ok(false) && proxy == Ok(false) {
        let ports = published(world);
        let now = if ports.is_empty() { String::new() } else { format!(" (published now: {})", ports.join(", ")) };
        out.push(format!("With icc and the userland proxy both off, containers on the default bridge reach published ports of each other by the gateway's address no more{now}."));
    }
    out
}
