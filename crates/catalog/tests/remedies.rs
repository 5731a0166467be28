//! Remedies of the embedded catalogue: each is something that can be carried out, or says why it is a person's.

use std::collections::BTreeSet;

use seaworthy_catalog::Catalog;
use seaworthy_core::remedy::{Edit, Safety};

/// Options of a run specification that re-creation knows.
const OPTIONS: &[&str] = &[
    "cap-add",
    "cap-drop",
    "cgroup-parent",
    "cgroupns",
    "command",
    "device",
    "device-cgroup-rule",
    "env",
    "group-add",
    "health-cmd",
    "image",
    "ipc",
    "label",
    "link",
    "log-opt",
    "network",
    "oom-kill-disable",
    "pid",
    "privileged",
    "publish",
    "read-only",
    "security-opt",
    "tmpfs",
    "user",
    "userns",
    "uts",
    "volume",
];

#[test]
fn each_demand_on_host_engine_files_containers_and_swarm_is_carried_out_or_says_why_not() {
    let catalog = Catalog::embedded();
    let mut looked_at = 0;
    for benchmark in &catalog.benchmarks {
        let sections = ["1", "2", "3", "5", "7"];
        let of = |id: &str| sections.contains(&id.split('.').next().unwrap_or_default());
        let checks: BTreeSet<&String> =
            benchmark.controls.iter().filter(|c| of(&c.id)).flat_map(|c| &c.checks).collect();
        for id in checks {
            let check = catalog.check(id).unwrap_or_else(|| panic!("{id} is no check"));
            // Of images only what their Dockerfile can change: those are section 4.
            if ["docker.image", "docker.dockerfile", "docker.volume", "docker.network"].contains(&check.about.as_str())
            {
                continue;
            }
            let remedy = &check.remedy;
            assert_eq!(
                remedy.edits.is_empty(),
                remedy.by_hand.is_some(),
                "{} {id}: edits, or `by_hand` with the reason why there are none",
                benchmark.id
            );
            looked_at += 1;
        }
    }
    assert!(looked_at > 300, "{looked_at}");
}

#[test]
fn edits_are_of_the_kinds_that_are_carried_out() {
    for check in &Catalog::embedded().checks {
        let remedy = &check.remedy;
        assert!(remedy.safety != Safety::Manual || remedy.edits.is_empty(), "{}", check.id);
        for edit in &remedy.edits {
            match edit {
                Edit::Recreate(options) => {
                    for option in options.keys() {
                        assert!(OPTIONS.contains(&option.as_str()), "{}: {option}", check.id);
                    }
                    assert_eq!(check.about, "docker.container", "{}", check.id);
                }
                Edit::Update(fields) => {
                    for field in fields.keys() {
                        assert!(["memory", "pids-limit", "cpus", "restart"].contains(&field.as_str()), "{}", check.id);
                    }
                    assert_ne!(remedy.safety, Safety::Safe, "{}: a limit can end what runs", check.id);
                }
                _ => {}
            }
        }
    }
}
