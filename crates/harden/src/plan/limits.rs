//! Limits of running containers: the user's, or proposed from what was observed.

use seaworthy_core::component::Component;
use seaworthy_core::plan::SetField;
use seaworthy_core::remedy::Setting;
use serde_json::{Value, json};

use super::draft::Draft;
use super::piece::{Not, Piece, Resolved};
use super::set::{millicpus, size, tries};
use super::world::{Known, maybe, number, text, truth};

/// The least memory limit that the engine takes, in bytes.
const LEAST_MEMORY: i64 = 6 << 20;

/// The least number of processes that is proposed.
const LEAST_PIDS: i64 = 64;

/// One field of `docker update`.
pub(super) fn limit(draft: &Draft<'_>, at: usize, field: &str, wanted: &Setting) -> Result<Resolved, Not> {
    let container = draft.world.containers.get(&at).copied().ok_or_else(|| "it is no container".to_owned())?;
    let name = &*container.name;
    if truth(container, "swarm_task")? {
        return Err(format!("swarm makes {name} anew from its service: set it there by docker service update").into());
    }
    let own = draft.set_for(name, field);
    let set = match field {
        "memory" => memory(draft, container, own)?,
        "pids-limit" => pids(container, own)?,
        "cpus" => cpus(draft, container, own)?,
        "restart" => restart(container, own, wanted)?,
        other => return Err(format!("docker update sets no {other}").into()),
    };
    let mut out = Resolved::default();
    out.breaks.push(match field {
        "memory" => format!("{name} is ended by the kernel when it needs more memory than its limit"),
        "pids-limit" => format!("{name} cannot start more processes and threads than its limit"),
        "cpus" => format!("{name} is slowed down when it wants more CPU time than its limit"),
        _ => format!(
            "{name} is not started again after its last try, nor when the engine or the machine restarts after it ended well"
        ),
    });
    if text(container, "service").is_ok_and(|s| !s.is_empty()) {
        out.breaks.push(format!(
            "Compose makes {name} without it when it makes it anew: keep it in its file too (harden export -f compose)"
        ));
    }
    out.pieces.push(Piece::Limit(at, set));
    Ok(out)
}

/// The same line for every container, so that what is left out of many is told once.
fn ask(field: &str, example: &str, why: &str) -> String {
    format!("{why}; say it yourself: --set CONTAINER:{field}={example}")
}

/// What a container uses now; one that does not run uses nothing.
fn in_use(container: &Component, fact: &str) -> Known<i64> {
    if !truth(container, "running")? {
        return Ok(0);
    }
    maybe(container, fact)?.ok_or_else(|| format!("{fact} of {} is not known", container.name))
}

fn no_peak(container: &Component) -> &'static str {
    match truth(container, "running") {
        Ok(false) => "it does not run, so that no peak was observed to propose a limit from",
        _ => "the kernel kept no peak to propose a limit from",
    }
}

fn by_user() -> String {
    "as you set it".to_owned()
}

fn memory(draft: &Draft<'_>, container: &Component, own: Option<&str>) -> Known<SetField> {
    let name = &*container.name;
    let before = maybe(container, "memory_limit")?;
    let used = in_use(container, "memory_used")?;
    let (after, why) = match (own.and_then(size), before) {
        (Some(bytes), _) => (bytes, by_user()),
        // Only its swap is without a bound.
        (None, Some(limit)) => (limit, "its present limit, with swap bounded by it".to_owned()),
        (None, None) => {
            let peak = maybe(container, "memory_peak")?.ok_or_else(|| ask("memory", "512m", no_peak(container)))?;
            let why = format!("peak {} observed since it started, with half as much again", shown(peak));
            (round(peak.max(used).saturating_add(peak.max(used) / 2)), why)
        }
    };
    if after < LEAST_MEMORY {
        return Err(format!("the engine takes no memory limit under {}", shown(LEAST_MEMORY)));
    }
    if used.saturating_add(used / 2) > after && (own.is_some() || before.is_none()) {
        let (used, after) = (shown(used), shown(after));
        return Err(format!("{name} uses {used} now, and half as much again is more than the limit of {after}"));
    }
    if own.is_none() && before.is_none() {
        let total = number(draft.world.host()?, "memory_total")?;
        if after > total {
            let why = format!("its peak with half as much again ({}) is more than the machine has", shown(after));
            return Err(ask("memory", "512m", &why));
        }
    }
    Ok(SetField { field: "memory".into(), before: before.map_or(Value::Null, Value::from), after: after.into(), why })
}

/// Up to the next step: of 16 MiB below 256, of 64 MiB below 2 GiB, of 256 MiB above.
fn round(bytes: i64) -> i64 {
    let step = match bytes {
        ..=0x1000_0000 => 16 << 20,
        0x1000_0001..=0x8000_0000 => 64 << 20,
        _ => 256 << 20,
    };
    bytes.saturating_add(step - 1) / step * step
}

fn pids(container: &Component, own: Option<&str>) -> Known<SetField> {
    let name = &*container.name;
    let used = in_use(container, "pids_used")?;
    let (after, why) = match own.and_then(|n| n.parse::<i64>().ok()) {
        Some(most) => (most, by_user()),
        None => {
            let peak = maybe(container, "pids_peak")?.ok_or_else(|| ask("pids-limit", "200", no_peak(container)))?;
            let peak = peak.max(used);
            let after = peak.saturating_mul(2).saturating_add(31) / 32 * 32;
            let least = if after < LEAST_PIDS { ", and no less than 64" } else { "" };
            let why = format!("peak {peak} observed since it started, with as much again{least}");
            (after.max(LEAST_PIDS), why)
        }
    };
    if used.saturating_add(used / 2) > after {
        return Err(format!(
            "{name} has {} now, and half as many again are more than {after}",
            crate::count(used, "process")
        ));
    }
    let before = maybe(container, "pids_limit")?.map_or(Value::Null, Value::from);
    Ok(SetField { field: "pids-limit".into(), before, after: after.into(), why })
}

fn cpus(draft: &Draft<'_>, container: &Component, own: Option<&str>) -> Known<SetField> {
    let Some(after) = own.and_then(millicpus) else {
        return Err(ask("cpus", "1.5", "CPU time has no peak that a limit could be proposed from"));
    };
    let there = number(draft.world.host()?, "cpus")?;
    if after > there.saturating_mul(1000) {
        return Err(format!("the machine has {there} CPUs, and the engine takes no limit beyond them"));
    }
    let before = maybe(container, "cpu_quota")?.map_or(Value::Null, Value::from);
    Ok(SetField { field: "cpus".into(), before, after: after.into(), why: by_user() })
}

fn restart(container: &Component, own: Option<&str>, wanted: &Setting) -> Known<SetField> {
    let name = &*container.name;
    if truth(container, "auto_remove")? {
        return Err(format!("{name} was started with --rm, and the engine takes no restart policy for it"));
    }
    let after = match (own, wanted) {
        (Some(own), _) if own == "no" || tries(own).is_some() => own.to_owned(),
        (None, Setting::Str(wanted)) => wanted.clone(),
        _ => return Err("restart takes no, or on-failure:N".into()),
    };
    let policy = text(container, "restart_policy")?;
    let before = match (policy, number(container, "restart_max")?) {
        ("on-failure", most @ 1..) => format!("on-failure:{most}"),
        _ => policy.to_owned(),
    };
    let why = if own.is_some() { by_user() } else { "as many tries as the benchmark allows".to_owned() };
    Ok(SetField { field: "restart".into(), before: json!(before), after: json!(after), why })
}

/// Bytes for people: `143 MiB`.
pub(super) fn shown(bytes: i64) -> String {
    const UNITS: [(i64, &str); 3] = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match UNITS.iter().find(|(unit, _)| bytes >= *unit) {
        Some((unit, name)) if bytes % unit == 0 || bytes / unit >= 100 => format!("{} {name}", bytes / unit),
        Some((unit, name)) => format!("{}.{} {name}", bytes / unit, bytes % unit * 10 / unit),
        None => format!("{bytes} bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proposals_are_rounded_up_to_steps() {
        assert_eq!(round(1), 16 << 20);
        assert_eq!(round((214 << 20) + (1 << 19)), 224 << 20);
        assert_eq!(round(300 << 20), 320 << 20);
        assert_eq!(round(3 << 30), 3 << 30);
        assert_eq!((shown(143 << 20), shown(1536), shown(5)), ("143 MiB".into(), "1.5 KiB".into(), "5 bytes".into()));
    }
}
