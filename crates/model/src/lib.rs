//! The threat model: data flows, threats, paths and their ranking.
//!
//! Everything here is computed from an audit over one snapshot; nothing does IO or reads a clock, and the same snapshot
//! gives the same answer.

mod diagram;
mod forecast;
pub mod judge;
pub mod paths;
pub mod rank;
pub mod rate;

use seaworthy_core::assessment::Assessment;
use seaworthy_core::audit::Audit;
use seaworthy_core::step::Step;
use seaworthy_core::threat::{Blank, Threat};

pub use diagram::{Exposure, ZONE_KINDS, ZoneKind, diagram};
pub use forecast::forecast;

/// What the model knows beside the findings.
#[derive(Clone, Copy, Debug)]
pub struct Knowledge<'a> {
    /// The catalogue's threats.
    pub threats: &'a [Threat],
    /// The catalogue's attack steps.
    pub steps: &'a [Step],
    /// The matrix's blanks with their reasons.
    pub blanks: &'a [Blank],
}

/// Draws the diagram, judges and rates the threats, finds the paths and ranks the remedies. The audit's snapshot must
/// have its derived facts.
pub fn assess<'a>(audit: &'a Audit<'a>, knowledge: Knowledge<'a>, exposure: &Exposure) -> Assessment<'a> {
    assess_asked(audit, knowledge, exposure, paths::Asked::default())
}

/// The same with the paths alone that somebody asks for.
pub fn assess_asked<'a>(
    audit: &'a Audit<'a>,
    knowledge: Knowledge<'a>,
    exposure: &Exposure,
    asked: paths::Asked<'_>,
) -> Assessment<'a> {
    let Knowledge { threats, steps, blanks } = knowledge;
    let diagram = diagram(audit.snapshot, Some(exposure));
    let judge = judge::Judge::new(audit, threats, &diagram);
    let judge::Judged { mut instances, waiver_problems } = judge.judged();
    let paths = paths::paths_asked(audit, &diagram, steps, asked);
    rate::rate(&mut instances, threats, &diagram, &paths, audit);
    let (priorities, cut) = rank::rank_by(&judge, audit, threats, &instances, &paths, &diagram);
    drop(judge);
    Assessment {
        audit,
        catalog: threats,
        steps,
        blanks,
        diagram,
        threats: instances,
        paths,
        priorities,
        cut,
        forecast: None,
        waiver_problems,
    }
}
