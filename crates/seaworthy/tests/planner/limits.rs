//! Limits of running containers.

use seaworthy_core::plan::{Action, Plan, SetField};
use seaworthy_core::remedy::Safety;
use seaworthy_core::value::Value;
use seaworthy_harden::plan::Unplanned;
use serde_json::json;

use super::{Ask, Host, left, left_of, words};

const MIB: i64 = 1 << 20;

fn fields<'p>(plan: &'p Plan, name: &str) -> &'p [SetField] {
    let found = plan.changes.iter().find_map(|c| match &c.action {
        Action::Update(update) if update.container.name == name => Some(&update.set),
        _ => None,
    });
    found.unwrap_or_else(|| panic!("{name} is not updated: {:?}", plan.left_out))
}

fn web() -> Host {
    Host::new().container("web", "memory_peak", 143 * MIB).container("web", "memory_used", 100 * MIB)
}

#[test]
fn a_limit_is_proposed_from_the_peak_with_its_margin() {
    let plan = web().plan(&["memory-limited"]);
    let field = &fields(&plan, "web")[0];
    assert_eq!((field.before.clone(), field.after.clone()), (Value::Null.to_json(), json!(224 * MIB)));
    assert!(field.why.contains("143 MiB") && field.why.contains("half as much again"), "{}", field.why);
    assert!(plan.changes.iter().all(|c| c.safety == Safety::Disruptive && !c.closes.is_empty()));
    let pids = Host::new().container("web", "pids_peak", 200i64).plan(&["pids-limited"]);
    assert_eq!(fields(&pids, "web")[0].after, json!(416));
    let few = Host::new().container("web", "pids_peak", 3i64).plan(&["pids-limited"]);
    assert_eq!(fields(&few, "web")[0].after, json!(64));
}

trait ToJson {
    fn to_json(&self) -> serde_json::Value;
}

impl ToJson for Value {
    fn to_json(&self) -> serde_json::Value {
        serde_json::to_value(self).unwrap()
    }
}

#[test]
fn without_a_peak_there_is_no_limit_but_the_users() {
    let none = || web().container("web", "memory_peak", Value::Null);
    assert!(left_of(&none().plan(&["memory-limited"]), "memory-limited", "web").contains("--set CONTAINER:memory"));
    let set = none().ask(&Ask { checks: &["memory-limited"], set: &["web:memory=512m"], ..Ask::default() }).unwrap();
    assert_eq!(fields(&set, "web")[0].after, json!(512 * MIB));
    assert_eq!(fields(&set, "web")[0].why, "as you set it");
    assert!(left(&web().plan(&["cpu-limited"]), "cpu-limited").contains("no peak"));
    let all = web().ask(&Ask { checks: &["cpu-limited"], set: &["*:cpus=1.5", "web:cpus=0.5"], ..Ask::default() });
    let all = all.unwrap();
    assert_eq!(fields(&all, "web")[0].after, json!(500));
    assert_eq!(fields(&all, "db")[0].after, json!(1500));
}

#[test]
fn a_limit_below_present_usage_is_refused() {
    let small = Ask { checks: &["memory-limited"], set: &["web:memory=120m"], ..Ask::default() };
    assert!(left_of(&web().ask(&small).unwrap(), "memory-limited", "web").contains("uses 100 MiB now"));
    let tiny = Ask { checks: &["memory-limited"], set: &["web:memory=1m"], ..Ask::default() };
    let plan = web().container("web", "memory_used", 1i64).ask(&tiny).unwrap();
    assert!(left_of(&plan, "memory-limited", "web").contains("no memory limit under 6 MiB"));
    let few = Ask { checks: &["pids-limited"], set: &["web:pids-limit=10"], ..Ask::default() };
    let plan = Host::new().container("web", "pids_used", 9i64).ask(&few).unwrap();
    assert!(left_of(&plan, "pids-limited", "web").contains("9 processes"));
    let much = Ask { checks: &["cpu-limited"], set: &["web:cpus=64"], ..Ask::default() };
    assert!(left_of(&Host::new().ask(&much).unwrap(), "cpu-limited", "web").contains("2 CPUs"));
    let huge = web().container("web", "memory_peak", 100i64 << 30).plan(&["memory-limited"]);
    assert!(left_of(&huge, "memory-limited", "web").contains("more than the machine has"));
    let unknown = web().unknown("docker.container", "web", "memory_used").plan(&["memory-limited"]);
    assert!(left_of(&unknown, "memory-limited", "web").contains("a right was missing"));
}

#[test]
fn restart_policies_keep_what_the_engine_takes() {
    let plan = Host::new().plan(&["restart-bounded"]);
    let field = &fields(&plan, "web")[0];
    assert_eq!((field.before.clone(), field.after.clone()), (json!("always"), json!("on-failure:5")));
    let own = Ask { checks: &["restart-bounded"], set: &["web:restart=no"], ..Ask::default() };
    assert_eq!(fields(&Host::new().ask(&own).unwrap(), "web")[0].after, json!("no"));
    let removed = Host::new().container("web", "auto_remove", true).plan(&["restart-bounded"]);
    assert!(left_of(&removed, "restart-bounded", "web").contains("--rm"));
    let task = Host::new().container("web", "swarm_task", true).plan(&["restart-bounded"]);
    assert!(left_of(&task, "restart-bounded", "web").contains("docker service update"));
}

#[test]
fn all_limits_of_a_container_are_one_change_and_agree() {
    let plan = web().plan(&["memory-limited", "pids-limited", "restart-bounded", "swap-limited"]);
    let names: Vec<&str> = fields(&plan, "web").iter().map(|f| f.field.as_str()).collect();
    assert_eq!(names, ["memory", "pids-limit", "restart"]);
    // Only its swap is open: the limit that it has bounds that too.
    let open = Host::new().container("db", "memory_swap_limit", Value::Null);
    let plan = open.plan(&["swap-limited"]);
    let field = &fields(&plan, "db")[0];
    assert_eq!((field.before.clone(), field.after.clone()), (json!(512 * MIB), json!(512 * MIB)));
    assert!(words(&plan).iter().all(|w| *w == "update"));
}

#[test]
fn values_that_nothing_asks_for_are_not_forgotten() {
    for (set, says) in [
        ("web:cpus=1", "nothing that is to be planned asks for it"),
        ("wbe:memory=1g", "there is no container wbe"),
        ("host:leave=ann", "nothing that is to be planned asks for it"),
    ] {
        let asked = Host::new().ask(&Ask { checks: &["memory-limited"], set: &[set], ..Ask::default() });
        let Err(Unplanned::Usage(line)) = asked else { panic!("{set}: {asked:?}") };
        assert!(line.contains(says), "{line}");
    }
}
