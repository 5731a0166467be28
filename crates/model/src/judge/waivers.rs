//! Waivers of threats.

use seaworthy_core::audit::Audit;
use seaworthy_core::diagram::Diagram;
use seaworthy_core::threat::{Instance, Status, Subject, Threat};
use seaworthy_core::waiver::Waiver;

/// What a waiver fits.
#[derive(Default)]
struct Fits {
    open: usize,
    undetermined: usize,
    /// Accepted by waivers of checks.
    accepted: usize,
}

/// Accepts what the waivers of threats fit; gives those that do nothing, with the reason.
pub(super) fn apply(
    instances: &mut [Instance],
    audit: &Audit<'_>,
    threats: &[Threat],
    diagram: &Diagram,
) -> Vec<String> {
    let mut problems = Vec::new();
    for (w, waiver) in audit.waivers.iter().enumerate() {
        let Some(of) = waiver.threat() else { continue };
        if let Some(problem) = waiver.problem() {
            problems.push(problem);
            continue;
        }
        let ended = waiver.ends().is_ok_and(|end| end <= audit.snapshot.collected_at);
        let Some(threat) = threats.iter().position(|t| t.id == of) else {
            problems.push(format!("{} is orphaned: the catalogue has no such threat", waiver.called()));
            continue;
        };
        let mut fits = Fits::default();
        for instance in instances.iter_mut().filter(|i| i.threat == threat) {
            if !waiver.fits(&instance.fingerprint, &name(instance.subject, diagram)) {
                continue;
            }
            match instance.status {
                Status::Open => {
                    fits.open += 1;
                    if !ended {
                        instance.status = Status::Accepted;
                        instance.waiver = Some(w);
                    }
                }
                Status::Accepted if instance.waiver.is_some() => fits.open += 1,
                Status::Accepted => fits.accepted += 1,
                Status::Undetermined => fits.undetermined += 1,
                Status::Answered => {}
            }
        }
        problems.extend(problem(waiver, &fits, ended));
    }
    problems
}

fn problem(waiver: &Waiver, fits: &Fits, ended: bool) -> Option<String> {
    let what = waiver.called();
    match fits {
        Fits { open: 1.., .. } if ended => Some(format!("{what} expired on {}", waiver.expires)),
        Fits { open: 1.., .. } => None,
        Fits { undetermined: 1.., .. } => {
            Some(format!("{what} does nothing: what it fits is undetermined, and unknown cannot be waived"))
        }
        Fits { accepted: 1.., .. } => {
            Some(format!("{what} does nothing: waivers of the checks accept what it fits already"))
        }
        Fits { .. } => Some(format!("{what} is orphaned: nothing that is open fits it")),
    }
}

/// What the subject of an instance is called.
fn name(subject: Subject, diagram: &Diagram) -> String {
    let name = |i: usize| diagram.elements.get(i).map_or("", |e| e.name.as_str());
    match subject {
        Subject::Element(i) => name(i).to_owned(),
        Subject::Flow(i) => {
            diagram.flows.get(i).map_or_else(String::new, |f| format!("{} → {}", name(f.from), name(f.to)))
        }
        Subject::Unlisted(_) => String::new(),
    }
}
