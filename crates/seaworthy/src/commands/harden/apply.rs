//! `harden apply`: a plan carried out as a whole, or taken back as a whole.

use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use seaworthy_core::plan::Plan;
use seaworthy_core::remedy::Safety;
use seaworthy_harden::transaction::{Apply, Outcome, Site, Store, Tell, apply};
use seaworthy_report::one_line;

use super::eyes::Live;
use super::told::{Json, Lines, clock, span};
use crate::arguments::transaction::{ApplyArguments, TransactionFormat};
use crate::exit::Exit;

/// Carries a plan out.
pub fn run(arguments: &ApplyArguments) -> Result<Exit> {
    let bytes = crate::input::bytes_of("plan", &arguments.plan)?;
    let plan = match Plan::parse(&bytes) {
        Ok(plan) => plan,
        Err(why) => return Ok(refused(arguments, &format!("plan {}: {why}", arguments.plan.display()))),
    };
    if !rustix::process::geteuid().is_root() {
        return Ok(refused(arguments, "hardening changes the host: run it as root"));
    }
    let (catalog, config) = crate::commands::settings(&arguments.common)?;
    let live = Live { target: plan.target.clone(), timeout: Duration::from_secs(arguments.timeout), catalog, config };
    let store = Store::at(&arguments.state);
    let disruptive = arguments.allow_disruptive || says_yes(&plan, arguments)?;
    let stop = super::stop::asked().context("watch for signals")?;
    let wanted = Apply {
        site: Site { store: &store, root: Path::new("/"), eyes: Some(&live) },
        plan: &plan,
        program: std::env::current_exe().context("this program")?,
        confirm_within: arguments.confirm_within,
        disruptive,
        stop: &stop,
    };
    let (mut lines, mut json) = (Lines::of(Some(&plan), arguments.common.quiet), Json);
    let tell: &mut dyn Tell = match arguments.format {
        TransactionFormat::Text => &mut lines,
        TransactionFormat::Json => &mut json,
    };
    let outcome = apply(&wanted, tell).map_err(|why| anyhow!("{why}"))?;
    Ok(ended(&outcome, arguments, &plan))
}

fn refused(arguments: &ApplyArguments, why: &str) -> Exit {
    let text = serde_json::json!({ "event": "ended", "outcome": "refused", "why": one_line(why) });
    tell(arguments.format, &text, || {
        let _ = writeln!(std::io::stderr().lock(), "seaworthy: refused: {}", one_line(why));
    });
    Exit::Refused
}

/// At a terminal a person may say yes to what restarts or stops something.
fn says_yes(plan: &Plan, arguments: &ApplyArguments) -> Result<bool> {
    let asks = plan.safety() == Safety::Disruptive
        && arguments.format == TransactionFormat::Text
        && std::io::stdin().is_terminal()
        && std::io::stderr().is_terminal();
    if !asks {
        return Ok(false);
    }
    let mut err = std::io::stderr().lock();
    for change in plan.changes.iter().filter(|c| c.safety == Safety::Disruptive) {
        writeln!(err, "  disruptive   {}", one_line(&change.title))?;
    }
    let names: Vec<String> = plan.interruption.stops.iter().take(8).map(|c| one_line(&c.name)).collect();
    if !names.is_empty() {
        let more = plan.interruption.stops.len().saturating_sub(names.len());
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        writeln!(err, "  stops        {}{more}", names.join(", "))?;
    }
    write!(err, "  Carry it out? [y/N] ")?;
    err.flush()?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    if !matches!(answer.trim(), "y" | "Y" | "yes") {
        bail!("nothing was changed");
    }
    Ok(true)
}

fn tell(format: TransactionFormat, json: &serde_json::Value, text: impl FnOnce()) {
    match format {
        TransactionFormat::Text => text(),
        TransactionFormat::Json => {
            let _ = writeln!(std::io::stdout().lock(), "{json}");
        }
    }
}

/// Says how it ended.
fn ended(outcome: &Outcome, arguments: &ApplyArguments, plan: &Plan) -> Exit {
    let quiet = arguments.common.quiet;
    let say = |line: String| {
        if !quiet {
            let _ = writeln!(std::io::stdout().lock(), " {line}");
        }
    };
    match outcome {
        Outcome::Refused(why) => refused(arguments, why),
        Outcome::Awaiting { id, until } => {
            let json =
                serde_json::json!({ "event": "ended", "outcome": "awaiting", "transaction": id, "until": until });
            tell(arguments.format, &json, || {
                if plan.changes.iter().any(|c| matches!(c.action, seaworthy_core::plan::Action::Sshd(_))) {
                    say("The SSH server has changed: log in anew, beside this session, and confirm from there.".into());
                }
                let within = span(arguments.confirm_within.as_secs());
                let by = clock(*until);
                say(format!("Confirm within {within} (by {by}): seaworthy harden confirm {id}"));
                say(format!("Undo now: seaworthy harden rollback {id}"));
            });
            Exit::Clean
        }
        Outcome::Committed { id } => {
            let json = serde_json::json!({ "event": "ended", "outcome": "committed", "transaction": id });
            tell(arguments.format, &json, || say(format!("Done, and it stays. Undo: seaworthy harden rollback {id}")));
            Exit::Clean
        }
        Outcome::RolledBack { .. } | Outcome::Incomplete { .. } => {
            tell(arguments.format, &super::settle::outcome_json(outcome), || super::settle::say(outcome, quiet));
            super::settle::exit(outcome, true)
        }
    }
}
