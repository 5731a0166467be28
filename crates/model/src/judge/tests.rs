use seaworthy_core::diagram::{Certainty, FlowKind};
use seaworthy_core::threat::{Formula, Status, Subject};
use seaworthy_core::value::Value;
use seaworthy_core::waiver::{Accepts, Waiver};

use super::world::{World, predicate};
use Status::{Accepted, Answered, Open, Undetermined};

fn one(id: &str) -> Formula {
    Formula::Check(id.into())
}

fn every(ids: &[&str]) -> Formula {
    Formula::All(ids.iter().map(|id| one(id)).collect())
}

fn either(ids: &[&str]) -> Formula {
    Formula::Any(ids.iter().map(|id| one(id)).collect())
}

pub(super) fn waiver(accepts: Accepts, component: &str) -> Waiver {
    Waiver {
        accepts,
        component: component.into(),
        reason: "known".into(),
        owner: "ops".into(),
        expires: "2030-01-01".into(),
    }
}

/// `web` and `db` from one image on one network, and a volume, a registry and two files beside them.
fn host(about: &str, answered: Formula) -> World {
    let mut world = World::new();
    world.add("docker.image", "sha256:1", &[("root_user", true.into()), ("registries", Value::strings(["docker.io"]))]);
    world.add(
        "docker.image",
        "sha256:2",
        &[("root_user", false.into()), ("registries", Value::strings(["example.com"]))],
    );
    world.add("docker.network", "front", &[("icc", false.into())]);
    world.add("docker.network", "back", &[("icc", true.into())]);
    world.add("docker.volume", "data", &[("driver", Value::Str("nfs".into()))]);
    world.add("docker.registry", "docker.io", &[("insecure", false.into())]);
    world.add("docker.registry", "example.com", &[("insecure", true.into())]);
    world.container("web", "sha256:1", &["front"]);
    world.container("db", "2", &["back"]);
    world.threat("t/1", about, answered);
    world.draw();
    world
}

fn find(world: &World, name: &str) -> usize {
    world.snapshot.targets[0].components.iter().position(|c| &*c.name == name).unwrap()
}

fn of(pairs: &[(&str, Status)]) -> Vec<(String, Status)> {
    pairs.iter().map(|(name, status)| ((*name).to_owned(), *status)).collect()
}

#[test]
fn checks_are_looked_up_on_what_a_component_is_tied_to() {
    let container = |check| host("docker.container", one(check)).statuses();
    assert_eq!(container("container/unprivileged"), of(&[("web", Answered), ("db", Answered)]));
    assert_eq!(container("image/non-root"), of(&[("web", Open), ("db", Answered)]));
    assert_eq!(container("network/no-icc"), of(&[("web", Answered), ("db", Open)]));
    assert_eq!(container("registry/verified"), of(&[("web", Answered), ("db", Open)]));
    assert_eq!(container("daemon/no-icc"), of(&[("web", Answered), ("db", Answered)]));
    // No container mounts a volume, and there is no file: the checks drop out, and the instances with them.
    assert_eq!(container("volume/local"), of(&[]));
    assert_eq!(container("file/exists"), of(&[]));

    let mut world = host("docker.image", one("container/unprivileged"));
    let web = find(&world, "web");
    world.set(web, "privileged", true);
    assert_eq!(world.statuses(), of(&[("sha256:1", Open), ("sha256:2", Answered)]));
    world.threats[0].about = "docker.network".into();
    assert_eq!(world.statuses(), of(&[("front", Open), ("back", Answered)]));
    world.threats[0].about = "docker.host".into();
    assert_eq!(world.statuses(), of(&[("host", Open)]));
    world.threats[0].about = "docker.volume".into();
    assert_eq!(world.statuses(), of(&[]));
    let volume = Value::Object(vec![
        ("type", Value::Str("volume".into())),
        ("source", Value::Str("/v".into())),
        ("destination", Value::Str("/v".into())),
        ("rw", true.into()),
        ("propagation", Value::Str(String::new().into())),
        ("volume", Value::Str("data".into())),
    ]);
    world.set(web, "mounts", Value::List(vec![volume]));
    assert_eq!(world.statuses(), of(&[("data", Open)]));
    world.threats[0].answered = one("volume/local");
    world.threats[0].about = "docker.container".into();
    assert_eq!(world.statuses(), of(&[("web", Open)]));
    let mut world = host("docker.registry", one("image/non-root"));
    assert_eq!(world.statuses(), of(&[("docker.io", Open), ("example.com", Answered)]));
    let image = find(&world, "sha256:2");
    world.forget(image, "registries");
    assert_eq!(world.statuses(), of(&[("docker.io", Open), ("example.com", Undetermined)]));
}

#[test]
fn a_tie_that_is_not_known_is_unknown_and_never_empty() {
    let mut world = host("docker.container", one("image/non-root"));
    let (web, db) = (find(&world, "web"), find(&world, "db"));
    world.forget(db, "image_id");
    world.set(web, "image_id", Value::Str("sha256:9".into()));
    let judged = world.judged();
    let reasons: Vec<&str> = judged.instances.iter().map(|i| i.reason.as_deref().unwrap()).collect();
    assert!(judged.instances.iter().all(|i| i.status == Undetermined && i.decided_by.is_empty()));
    assert_eq!(reasons[0], "the image `9` could not be looked at: it is not among those that were listed");
    assert_eq!(reasons[1], "`image_id` of db is unknown: it was forgotten");

    // A failure on what is known opens all the same; a pass does not answer.
    let mut world = host("docker.container", one("network/no-icc"));
    let (web, db) = (find(&world, "web"), find(&world, "db"));
    world.set(web, "networks", Value::List(vec![Value::Str("front".into()), Value::unknown("cut off")]));
    world.set(db, "networks", Value::List(vec![Value::Str("back".into()), Value::unknown("cut off")]));
    assert_eq!(world.statuses(), of(&[("web", Undetermined), ("db", Open)]));

    let mut world = host("docker.image", one("container/unprivileged"));
    world.forget(find(&world, "db"), "image_id");
    assert_eq!(world.statuses(), of(&[("sha256:1", Undetermined), ("sha256:2", Undetermined)]));
}

#[test]
fn what_is_missing_altogether_is_no_pass() {
    let mut world = host("docker.container", one("host/apparmor"));
    let host_at = find(&world, "host");
    world.snapshot.targets[0].components.remove(host_at);
    world.draw();
    assert_eq!(world.statuses(), of(&[("web", Undetermined), ("db", Undetermined)]));
    assert_eq!(world.judged().instances[0].reason.as_deref(), Some("there is no docker.host among what was read"));

    let mut world = host("docker.container", every(&["container/unprivileged", "daemon/no-icc"]));
    world.skipped = vec!["daemon/no-icc"];
    assert_eq!(world.statuses(), of(&[("web", Undetermined), ("db", Undetermined)]));
    assert_eq!(world.judged().instances[0].reason.as_deref(), Some("the check `daemon/no-icc` was skipped"));

    // Of an audit that lost findings nothing is answered.
    let world = host("docker.container", one("container/unprivileged"));
    let left = world.with_audit(|audit| {
        audit.retain(|audit, finding| audit.component_name(finding) != "web");
        super::threats(audit, &world.threats, &world.diagram).instances
    });
    assert!(left.len() == 2 && left.iter().all(|i| i.status == Undetermined));

    // What was not listed is one more instance, and unknown where a check on it decides.
    let mut world = host("docker.container", every(&["container/unprivileged", "image/non-root"]));
    world.snapshot.targets[0].incomplete.insert("docker.container", "no right".into());
    assert_eq!(world.statuses(), of(&[("web", Open), ("db", Answered), ("?", Undetermined)]));
    let judged = world.judged();
    let last = judged.instances.last().unwrap();
    assert_eq!((last.subject, last.reason.as_deref()), (Subject::Unlisted(0), Some("no right")));
    world.threats[0].answered = either(&["container/unprivileged", "daemon/no-icc"]);
    assert_eq!(world.statuses(), of(&[("web", Answered), ("db", Answered)]));
    world.threats[0].about = "docker.image".into();
    world.threats[0].answered = one("container/unprivileged");
    assert_eq!(world.statuses(), of(&[("sha256:1", Undetermined), ("sha256:2", Undetermined)]));
}

#[test]
fn formulas_say_what_decided() {
    let mut world =
        host("docker.container", every(&["container/unprivileged", "image/non-root", "container/looked-at"]));
    assert_eq!(world.statuses(), of(&[("web", Open), ("db", Undetermined)]));
    let decided = |world: &World| -> Vec<Vec<String>> {
        let judged = world.judged();
        let name = |audit: &seaworthy_core::audit::Audit<'_>, f: &usize| audit.check(&audit.findings[*f]).id.clone();
        world.with_audit(|audit| {
            judged.instances.iter().map(|i| i.decided_by.iter().map(|f| name(audit, f)).collect()).collect()
        })
    };
    assert_eq!(decided(&world), [["image/non-root"], ["container/looked-at"]]);
    world.threats[0].answered = either(&["container/unprivileged", "image/non-root", "container/looked-at"]);
    assert_eq!(world.statuses(), of(&[("web", Answered), ("db", Answered)]));
    assert_eq!(decided(&world), [vec!["container/unprivileged"], vec!["image/non-root", "container/unprivileged"]]);
    // Not applicable leaves the formula.
    let web = find(&world, "web");
    world.set(web, "running", false);
    world.threats[0].answered = one("container/no-new-privileges");
    assert_eq!(world.statuses(), of(&[("db", Answered)]));
    world.threats[0].answered = Formula::All(vec![one("container/no-new-privileges"), either(&["image/non-root"])]);
    assert_eq!(world.statuses(), of(&[("web", Open), ("db", Answered)]));
    world.threats[0].answered = one("no/such");
    assert_eq!(world.statuses(), of(&[("web", Undetermined), ("db", Undetermined)]));
}

#[test]
fn when_decides_where_there_is_an_instance() {
    let mut world = host("docker.container", one("image/non-root"));
    world.threats[0].when = Some(predicate("running", "docker.container"));
    let (web, db) = (find(&world, "web"), find(&world, "db"));
    assert_eq!(world.statuses(), of(&[("web", Open), ("db", Answered)]));
    assert_eq!(world.judged().instances[0].facts.len(), 1);
    world.forget(web, "running");
    world.forget(db, "running");
    assert_eq!(world.statuses(), of(&[("web", Undetermined), ("db", Answered)]));
    let judged = world.judged();
    assert!(judged.instances[0].decided_by.is_empty());
    assert_eq!(judged.instances[0].reason.as_deref(), Some("whether it applies is unknown: it was forgotten"));
    world.set(web, "running", false);
    assert_eq!(world.statuses(), of(&[("db", Answered)]));
}

#[test]
fn what_only_may_be_there_is_never_open() {
    let mut world = host("docker.container", one("network/no-icc"));
    world.threats[0].flow = Some(FlowKind::ContainerNetwork);
    assert_eq!(world.statuses(), of(&[("web → front", Answered), ("db → back", Open)]));
    world.threats[0].about = "docker.network".into();
    world.threats[0].answered = one("image/non-root");
    // The network is tied to no image; its container is.
    assert_eq!(world.statuses(), of(&[("web → front", Open), ("db → back", Answered)]));
    world.diagram.flows[0].certainty = Certainty::Possible("its networks are unknown".into());
    assert_eq!(world.statuses(), of(&[("web → front", Undetermined), ("db → back", Answered)]));
    assert_eq!(
        world.judged().instances[0].reason.as_deref(),
        Some("whether it is there is unknown: its networks are unknown")
    );
    world.draw();
    let web = world.diagram.elements.iter().position(|e| e.name == "web").unwrap();
    world.diagram.elements[web].certainty = Certainty::Possible("it vanished".into());
    assert_eq!(world.statuses(), of(&[("web → front", Undetermined), ("db → back", Answered)]));
    // A flow whose far kind could not be listed may be there unseen.
    world.threats[0].about = "docker.network".into();
    world.threats[0].crosses = Some("docker.container".into());
    world.snapshot.targets[0].incomplete.insert("docker.container", "no right".into());
    assert_eq!(world.statuses().last().unwrap(), &("?".to_owned(), Undetermined));
}

#[test]
fn waivers_accept_what_is_open_and_nothing_else() {
    let mut world = host("docker.container", one("image/non-root"));
    world.waivers = vec![waiver(Accepts::Threat("t/1".into()), "w*")];
    assert_eq!(world.statuses(), of(&[("web", Accepted), ("db", Answered)]));
    let judged = world.judged();
    assert_eq!((judged.instances[0].waiver, judged.waiver_problems.len()), (Some(0), 0));
    world.waivers = vec![waiver(Accepts::Threat("t/1".into()), &judged.instances[0].fingerprint)];
    assert_eq!(world.statuses(), of(&[("web", Accepted), ("db", Answered)]));
    let says = |world: &World, words: &str| {
        let problems = world.judged().waiver_problems;
        assert!(problems.len() == 1 && problems[0].contains(words), "{words}: {problems:?}");
    };
    world.waivers[0].expires = "1969-01-01".into();
    assert_eq!(world.statuses(), of(&[("web", Open), ("db", Answered)]));
    says(&world, "expired on 1969-01-01");
    world.waivers = vec![waiver(Accepts::Threat("t/1".into()), "db")];
    says(&world, "orphaned: nothing that is open");
    world.waivers = vec![waiver(Accepts::Threat("t/2".into()), "web")];
    says(&world, "no such threat");
    world.waivers[0].reason = " ".into();
    says(&world, "no reason");
    let web = find(&world, "web");
    world.forget(web, "image_id");
    world.waivers = vec![waiver(Accepts::Threat("t/1".into()), "web")];
    assert_eq!(world.statuses(), of(&[("web", Undetermined), ("db", Answered)]));
    says(&world, "unknown cannot be waived");
    // A waived failure is accepted, by the waiver of its check.
    let mut world = host("docker.container", one("image/non-root"));
    world.waivers = vec![waiver(Accepts::Check("image/non-root".into()), "sha256:1")];
    assert_eq!(world.statuses(), of(&[("web", Accepted), ("db", Answered)]));
    world.waivers.push(waiver(Accepts::Threat("t/1".into()), "web"));
    says(&world, "accept what it fits already");
    world.waivers = vec![waiver(Accepts::Threat("t/1".into()), "* → back")];
    world.threats[0].flow = Some(FlowKind::ContainerNetwork);
    world.threats[0].answered = one("network/no-icc");
    assert_eq!(world.statuses(), of(&[("web → front", Answered), ("db → back", Accepted)]));
}
