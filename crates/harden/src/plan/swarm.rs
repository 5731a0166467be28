//! Settings of the swarm.

use seaworthy_core::component::Component;
use seaworthy_core::remedy::Setting;
use serde_json::Value;

use super::piece::{Not, Piece, Resolved, argv};
use super::world::{World, number, truth};

/// Nanoseconds of an hour.
const HOUR: i64 = 3_600_000_000_000;

/// One setting of the swarm.
pub(super) fn setting(world: &World<'_>, swarm: &Component, name: &str, value: &Setting) -> Result<Resolved, Not> {
    if !truth(world.daemon()?, "swarm_manager")? {
        return Err("this engine is no manager of the swarm, which managers alone change".into());
    }
    match (name, value) {
        ("autolock", Setting::Bool(after)) => {
            let command = argv(&["docker", "swarm", "update", &format!("--autolock={after}")]);
            let what = "Its key has to be seen and kept first: a manager that restarts stays locked until it is given the key, which docker swarm unlock-key shows";
            Err(Not::Hand { what: what.into(), command })
        }
        ("cert-expiry", Setting::Str(hours)) => {
            let hours: i64 = hours.strip_suffix('h').and_then(|h| h.parse().ok()).ok_or("it takes hours: 2160h")?;
            let before = number(swarm, "node_cert_days")?.saturating_mul(24 * HOUR);
            let after: Value = hours.saturating_mul(HOUR).into();
            Ok(Piece::Swarm(name.to_owned(), before.into(), after).into())
        }
        _ => Err(format!("{name} is no setting of a swarm that is known here").into()),
    }
}
