//! Limits: memory, CPU, processes, ulimits.

use seaworthy_core::value::Value;

use super::super::json::{Node, Read, cut};
use super::super::sheet::Sheet;
use super::Reading;

pub(super) fn fill(sheet: &mut Sheet, c: &Reading<'_>) {
    // As much as the host has, or more, holds nobody back.
    let holds = |limit: &i64| c.ctx.engine.memory.is_none_or(|all| *limit < all);
    match c.seen().and_then(|o| Some((&o.place, o.memory_limit.as_ref().ok()?))) {
        Some((place, limit)) => sheet.seen("memory_limit", place, "cgroup memory limit", Ok(limit.filter(holds))),
        None => {
            let memory = c.host.get("Memory").int().map(|bytes| sized(bytes).filter(holds));
            sheet.read("memory_limit", "HostConfig.Memory", memory);
        }
    }
    c.effect(
        sheet,
        "memory_swap_limit",
        ("cgroup memory and swap limit", |o| &o.memory_swap_limit),
        ("HostConfig.MemorySwap", || memory_swap(c.host)),
    );
    sheet.read("oom_kill_disabled", "HostConfig.OomKillDisable", c.host.get("OomKillDisable").bool_or(false));
    c.effect(
        sheet,
        "cpu_quota",
        ("cgroup cpu quota", |o| &o.cpu_quota),
        ("HostConfig.NanoCpus, CpuQuota", || cpu_quota(c.host)),
    );
    cpu_limited(sheet, c);
    sheet.read("cpu_shares", "HostConfig.CpuShares", c.host.get("CpuShares").int());
    let held = |limit: Option<i64>| limit.filter(|most| (1..MOST_PROCESSES).contains(most));
    match c.seen().and_then(|o| Some((&o.place, o.pids_limit.as_ref().ok()?))) {
        Some((place, limit)) => sheet.seen("pids_limit", place, "cgroup pids.max", Ok(held(*limit))),
        None => sheet.read("pids_limit", "HostConfig.PidsLimit", c.host.get("PidsLimit").int_or(0).map(Some).map(held)),
    }
    sheet.read("cgroup_parent", "HostConfig.CgroupParent", c.host.get("CgroupParent").text().map(cut));
    sheet.read("ulimits", "HostConfig.Ulimits", ulimits(c.host.get("Ulimits")));
}

/// As many processes as the kernel numbers at most (its `PID_MAX_LIMIT`): to be allowed them all is no limit.
const MOST_PROCESSES: i64 = 1 << 22;

/// A limit in bytes. `docker update` lifts one only by a number that no machine has, such as 2^63 less a page.
fn sized(bytes: i64) -> Option<i64> {
    (1..1 << 60).contains(&bytes).then_some(bytes)
}

/// Memory and swap together: -1 is no limit, 0 twice the memory where that is limited.
fn memory_swap(host: Node<'_>) -> Read<Option<i64>> {
    let memory = host.get("Memory").int()?;
    Ok(match host.get("MemorySwap").int()? {
        0 => sized(memory.saturating_mul(2)),
        both => sized(both),
    })
}

/// CPU time in thousandths of a CPU.
fn cpu_quota(host: Node<'_>) -> Read<Option<i64>> {
    let nano = host.get("NanoCpus").int()?;
    if nano > 0 {
        return Ok(Some((nano / 1_000_000).max(1)));
    }
    let quota = host.get("CpuQuota").int()?;
    let period = match host.get("CpuPeriod").int()? {
        period if period > 0 => period,
        _ => 100_000,
    };
    Ok((quota > 0).then(|| (quota.saturating_mul(1000) / period).max(1)))
}

/// Whether CPU time is bounded or weighted. Shares of 1024 are the default spelt out, and a CPU set of all processors or
/// a quota of their whole time bounds nothing. For what runs the control group says which of them are in effect.
fn cpu_limited(sheet: &mut Sheet, c: &Reading<'_>) {
    const FIELD: &str = "HostConfig.NanoCpus, CpuQuota, CpuShares, CpusetCpus";
    let bounds = |set: &str| !set.is_empty() && c.ctx.engine.cpus.is_none_or(|cpus| !covers(set, cpus));
    let scarce =
        |quota: Option<i64>| quota.is_some_and(|milli| c.ctx.engine.cpus.is_none_or(|cpus| milli < cpus * 1000));
    let shares = || c.host.get("CpuShares").int().map(|shares| !matches!(shares, 0 | 1024));
    let seen = c.seen().and_then(|o| {
        let (quota, set) = (o.cpu_quota.as_ref().ok()?, o.cpuset.as_ref().ok()?);
        let weighted = o.cpu_weighted.as_ref().ok();
        Some((&o.place, scarce(*quota) || bounds(set), weighted.copied().map_or_else(shares, Ok)))
    });
    match seen {
        Some((place, true, _)) => sheet.seen("cpu_limited", place, "cgroup cpu quota, cpuset", Ok(true)),
        Some((place, false, Ok(weighted))) => {
            sheet.seen("cpu_limited", place, "cgroup cpu quota, weight, cpuset", Ok(weighted));
        }
        Some((_, false, Err(reason))) => sheet.read("cpu_limited", FIELD, Err::<bool, _>(reason)),
        None => {
            let read = || Ok(scarce(cpu_quota(c.host)?) || shares()? || bounds(c.host.get("CpusetCpus").text()?));
            sheet.read("cpu_limited", FIELD, read());
        }
    }
}

/// Whether a CPU set such as `0-2,3` names every processor below `cpus`.
fn covers(set: &str, cpus: i64) -> bool {
    let mut ranges: Vec<(i64, i64)> = set
        .split(',')
        .filter_map(|part| {
            let (from, to) = part.split_once('-').unwrap_or((part, part));
            Some((from.trim().parse().ok()?, to.trim().parse().ok()?))
        })
        .collect();
    ranges.sort_unstable();
    let mut next = 0;
    for (from, to) in ranges {
        if from > next {
            return false;
        }
        next = next.max(to.saturating_add(1));
    }
    next >= cpus
}

fn ulimits(list: Node<'_>) -> Read<Value> {
    let one = |item| {
        let item = Node::of(item);
        Ok(Value::Object(vec![
            ("name", cut(item.get("Name").text()?).into()),
            ("soft", item.get("Soft").int()?.into()),
            ("hard", item.get("Hard").int()?.into()),
        ]))
    };
    list.list()?.iter().map(one).collect::<Read<Vec<_>>>().map(Value::List)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn swap_follows_memory() {
        let swap = |memory: i64, swap: i64| memory_swap(Node::of(&json!({"Memory": memory, "MemorySwap": swap})));
        assert_eq!(swap(0, 0), Ok(None));
        assert_eq!(swap(64, 0), Ok(Some(128)));
        assert_eq!(swap(64, -1), Ok(None));
        assert_eq!(swap(64, 64), Ok(Some(64)));
        // As a limit that was taken back is left behind.
        const LIFTED: i64 = 9_223_372_036_854_771_712;
        assert_eq!((swap(LIFTED, LIFTED), swap(LIFTED, -1), swap(LIFTED, 0)), (Ok(None), Ok(None), Ok(None)));
        assert_eq!((sized(LIFTED), sized(0), sized(64)), (None, None, Some(64)));
        assert!(memory_swap(Node::of(&json!({"Memory": 1}))).is_err());
    }

    #[test]
    fn quotas_are_thousandths() {
        let quota = |nano: i64, quota: i64, period: i64| {
            cpu_quota(Node::of(&json!({"NanoCpus": nano, "CpuQuota": quota, "CpuPeriod": period})))
        };
        assert_eq!(quota(500_000_000, 0, 0), Ok(Some(500)));
        assert_eq!(quota(0, 50_000, 0), Ok(Some(500)));
        assert_eq!(quota(0, 50_000, 25_000), Ok(Some(2000)));
        assert_eq!(quota(0, -1, 0), Ok(None));
    }

    #[test]
    fn a_set_of_all_processors_is_no_limit() {
        assert!(covers("0-1", 2) && covers("1,0", 2) && covers("0,1-3", 4) && covers("0-7", 2));
        assert!(!covers("1", 2) && !covers("0", 2) && !covers("0,2", 3));
    }
}
