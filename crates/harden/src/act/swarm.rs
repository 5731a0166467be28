//! Settings of the swarm, through the engine of a manager.
//!
//! The time that certificates of nodes last is set here, and holds for each certificate from its next renewal on. Autolock
//! is not: whoever switches it on has to see and keep the key first, since a locked swarm without it is lost; and the
//! key must not lie in a journal.

use seaworthy_core::plan::Swarm;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Act, Effect, Refusal, Stage, Undone};
use crate::engine::{Engine, PATIENCE};
use crate::files::Keep;
use crate::{At as _, Failure, Host};

const CERT_EXPIRY: &str = "cert-expiry";
/// The shortest time that the engine accepts, an hour in nanoseconds.
const SHORTEST: i64 = 3_600_000_000_000;
/// A day in nanoseconds.
const DAY: i64 = 24 * SHORTEST;
/// How often a change is tried again that came in between another's reading and writing.
const TRIES: usize = 5;

/// What undo needs, in nanoseconds.
#[derive(Debug, Serialize, Deserialize)]
struct Before {
    before: i64,
    made: i64,
}

impl Act for Swarm {
    fn check(&self, host: &Host) -> Result<(), Refusal> {
        let after = expiry(self)?;
        let Some(swarm) = swarm(host)? else {
            return Err(Refusal::Stale("this engine is no manager of a swarm any more".into()));
        };
        let now = lasts(&swarm)?;
        // A plan knows it in whole days alone, rounded up.
        let whole_days = |before: i64| before % DAY == 0 && before.abs_diff(now) < DAY.unsigned_abs();
        if self.set[0].1.as_i64().is_none_or(|before| before != now && !whole_days(before)) {
            return Err(Refusal::Stale(format!("certificates of the swarm's nodes last {} now", hours(now))));
        }
        if after < SHORTEST {
            return Err(Refusal::Refused(format!("certificates of the swarm's nodes cannot last {}", hours(after))));
        }
        Ok(())
    }

    fn prepare(&self, host: &Host, _keep: &mut Keep) -> Result<Value, Failure> {
        let made = expiry(self).map_err(|refusal| Failure(refusal.to_string()))?;
        let swarm = swarm(host)?.ok_or_else(no_manager)?;
        // Nothing else of it: the answer holds the tokens to join.
        let before = Before { before: lasts(&swarm)?, made };
        serde_json::to_value(before).at(|| "write down the swarm's settings".into())
    }

    fn apply(&self, host: &Host, undo: &Value) -> Result<(), Failure> {
        let before = before(undo)?;
        set(host, before.before, before.made)
    }

    fn verify(&self, host: &Host, undo: &Value) -> Result<Effect, Failure> {
        let (before, now) = (before(undo)?, lasts(&swarm(host)?.ok_or_else(no_manager)?)?);
        if now == before.made {
            return Ok(Effect::InEffect);
        }
        Err(Failure(format!("the swarm was updated, and certificates of its nodes last {} all the same", hours(now))))
    }

    fn undo(&self, host: &Host, _keep: &Keep, undo: &Value) -> Result<Undone, Failure> {
        let before = before(undo)?;
        let Some(swarm) = swarm(host)? else {
            return Ok(Undone::Drifted(vec!["this engine is no manager of a swarm any more".into()]));
        };
        match lasts(&swarm)? {
            now if now == before.before => Ok(Undone::Nothing),
            now if now == before.made => set(host, before.made, before.before).map(|()| Undone::Restored),
            now => Ok(Undone::Drifted(vec![format!("certificates of the swarm's nodes last {} now", hours(now))])),
        }
    }

    fn stage(&self) -> Stage {
        Stage::Engine
    }
}

/// How long certificates are to last.
fn expiry(swarm: &Swarm) -> Result<i64, Refusal> {
    let refused = |why: String| Err(Refusal::Refused(why));
    match swarm.set.as_slice() {
        [(name, _, after)] if name == CERT_EXPIRY => match after.as_i64() {
            Some(after) => Ok(after),
            None => refused(format!("{CERT_EXPIRY}: {after} is no number of nanoseconds")),
        },
        all if all.iter().any(|(name, ..)| name == "autolock") => refused(
            "autolock is switched on by hand, since its key has to be seen and kept first: docker swarm update \
             --autolock=true"
                .into(),
        ),
        _ => refused("of a swarm's settings only cert-expiry is changed here".into()),
    }
}

fn set(host: &Host, from: i64, to: i64) -> Result<(), Failure> {
    for _ in 0..TRIES {
        let mut swarm = swarm(host)?.ok_or_else(no_manager)?;
        let now = lasts(&swarm)?;
        if now == to {
            return Ok(());
        }
        if now != from {
            let now = hours(now);
            return Err(Failure(format!("certificates of the swarm's nodes last {now} now: somebody has changed it")));
        }
        let version = swarm["Version"]["Index"].as_u64().unwrap_or(0);
        swarm["Spec"]["CAConfig"]["NodeCertExpiry"] = to.into();
        let path = format!("/swarm/update?version={version}");
        let answer = engine(host)?.send("POST", &path, Some(&swarm["Spec"]), PATIENCE)?;
        if answer.is_good() {
            return Ok(());
        }
        if !answer.message().contains("out of sequence") {
            return Err(Failure(format!("the engine refuses to update the swarm: {}", answer.message())));
        }
    }
    Err(Failure::new("the swarm changes as fast as it is updated: try again"))
}

/// What the engine says of its swarm; none where it is no manager of one.
fn swarm(host: &Host) -> Result<Option<Value>, Failure> {
    let answer = engine(host)?.send("GET", "/swarm", None, PATIENCE)?;
    match answer.status {
        200 => Ok(Some(answer.body)),
        // 406 from engines before 20.10.
        404 | 406 | 503 if answer.message().contains("swarm") => Ok(None),
        _ => Err(Failure(format!("the engine refuses to show its swarm: {}", answer.message()))),
    }
}

fn lasts(swarm: &Value) -> Result<i64, Failure> {
    let expiry = swarm["Spec"]["CAConfig"]["NodeCertExpiry"].as_i64();
    expiry.ok_or_else(|| Failure::new("the engine does not say how long certificates of the swarm's nodes last"))
}

fn hours(nanoseconds: i64) -> String {
    format!("{} h", nanoseconds / SHORTEST)
}

fn engine(host: &Host) -> Result<&Engine, Failure> {
    host.engine
        .as_ref()
        .ok_or_else(|| Failure::new("the container engine is not reached, and the swarm goes through it"))
}

fn no_manager() -> Failure {
    Failure::new("this engine is no manager of a swarm any more")
}

fn before(undo: &Value) -> Result<Before, Failure> {
    serde_json::from_value(undo.clone()).at(|| "read the journal of the swarm's settings".into())
}
