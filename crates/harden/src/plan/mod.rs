//! The planner: from an assessment to a plan. Pure: the same assessment always gives the same plan.
//!
//! Each failing finding's remedy is a list of edits. An edit is resolved over the facts into pieces ([`piece::Piece`]),
//! each the smallest thing that can be changed; pieces that touch the same thing become one action. What cannot be
//! resolved is left out with its reason, or described for a person: nothing is ever guessed.

mod access;
mod activate;
mod caution;
mod daemon;
mod draft;
mod files;
pub mod forecast;
mod ledger;
mod limits;
mod piece;
mod select;
mod set;
mod spec;
mod swarm;
mod tell;
mod world;

use seaworthy_core::assessment::Assessment;
use seaworthy_core::plan::{Place, Plan, SCHEMA};

use draft::Draft;
use world::World;

pub use select::Selection;
pub use set::Set;

/// What of a selection may be planned.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The user's own values.
    pub set: Vec<Set>,
    /// Whether containers may be re-created.
    pub recreate: bool,
    /// Whether what a container wrote into its own layer may be lost when it is made anew.
    pub accept_lost_changes: bool,
    /// Whether the facts are the demonstration's.
    pub demo: bool,
    /// The version of the program that plans.
    pub tool: String,
}

/// Why there is no plan.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unplanned {
    /// It was asked for in a way that means nothing here.
    #[error("{0}")]
    Usage(String),
    /// It cannot be planned on this host.
    #[error("{0}")]
    Refused(String),
}

/// Works out what closes the findings that are selected.
///
/// # Errors
/// [`Unplanned::Usage`] for numbers, names and values that fit nothing here; [`Unplanned::Refused`] where the facts
/// are of no Docker host, or of several.
pub fn plan(assessment: &Assessment<'_>, selection: &Selection, settings: &Settings) -> Result<Plan, Unplanned> {
    let world = World::new(assessment)?;
    let chosen = select::select(assessment, selection)?;
    let mut draft = Draft::new(&world, settings);
    for finding in chosen {
        draft.take(finding);
    }
    draft.check_sets()?;
    let target = Place {
        name: world.target.name.clone(),
        address: world.target.address.clone(),
        host: world.host.and_then(|h| world::text(h, "machine").ok()).map(str::to_owned),
        engine: world.daemon.and_then(|d| world::text(d, "engine_id").ok()).map(str::to_owned),
        demo: settings.demo,
    };
    let done = draft.finish();
    let plan = Plan {
        schema: SCHEMA,
        tool: settings.tool.clone(),
        id: String::new(),
        made_at: assessment.audit.snapshot.collected_at,
        target,
        changes: done.changes,
        by_hand: done.by_hand,
        left_out: done.left_out,
        expects: done.expects,
        interruption: done.interruption,
        warnings: done.warnings,
        forecast: None,
    };
    Ok(plan.sealed())
}
