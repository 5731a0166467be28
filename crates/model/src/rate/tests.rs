use std::sync::Arc;

use seaworthy_core::diagram::{Certainty, FlowKind};
use seaworthy_core::step::{CAPABILITIES, Exposure, Paths, State};
use seaworthy_core::threat::{Formula, Instance, Loss, Stride};
use seaworthy_core::value::Value;
use seaworthy_core::verdict::Severity;

use super::rate;
use crate::judge::world::World;
use Severity::{Critical, High, Low, Medium};

/// `web` from an image on a network, and a file.
fn host(about: &str, check: &str, loses: Loss) -> World {
    let mut world = World::new();
    world.add("docker.image", "1", &[("root_user", true.into()), ("used_by", Value::strings(["web"]))]);
    world.add("docker.network", "front", &[("icc", true.into())]);
    world.add("docker.file", "/etc/docker/daemon.json", &[("exists", false.into())]);
    let web = world.container("web", "1", &["front"]);
    world.set(web, "privileged", true);
    world.threat("t/1", about, Formula::Check(check.into())).loses = loses;
    world.draw();
    world
}

fn at(world: &World, name: &str) -> usize {
    world.diagram.elements.iter().position(|e| e.name == name).unwrap()
}

/// Paths in which elements are exposed to the internet: by name, effort, steps and whether that is proven.
fn paths(world: &World, exposed: &[(&str, u32, usize, bool)]) -> Paths {
    let internet = CAPABILITIES.iter().position(|c| c.name == "internet").unwrap();
    let mut exposure = vec![None; world.diagram.elements.len()];
    for (name, effort, steps, proven) in exposed {
        let certainty = if *proven { Certainty::Proven } else { Certainty::Possible("the filter is unknown".into()) };
        let entry = State { capability: internet, element: 0 };
        exposure[at(world, name)] = Some(Exposure { entry, effort: *effort, certainty, assumes: false, steps: *steps });
    }
    let class_of = (0..exposure.len()).collect();
    Paths { exposure, class_of, ..Paths::default() }
}

fn rated(world: &World, paths: &Paths) -> Vec<Instance> {
    let mut instances = world.judged().instances;
    world.with_audit(|audit| rate(&mut instances, &world.threats, &world.diagram, paths, audit));
    for instance in &instances {
        for rating in [&instance.impact, &instance.likelihood] {
            assert!(!rating.terms.is_empty() && rating.terms.iter().all(|t| !t.text.is_empty()), "{rating:?}");
        }
    }
    instances
}

fn terms(instance: &Instance) -> Vec<&str> {
    instance.likelihood.terms.iter().map(|t| t.text.as_str()).collect()
}

#[test]
fn likelihood_follows_from_the_cheapest_way() {
    let mut world = host("docker.container", "container/unprivileged", Loss::Host);
    let one = |world: &World, paths: &Paths| rated(world, paths).remove(0);
    for (effort, proven, level) in [
        (1, true, Critical),
        (2, true, Critical),
        (2, false, High),
        (5, true, High),
        (5, false, Medium),
        (10, true, Medium),
        (10, false, Low),
        (11, true, Low),
        (11, false, Low),
    ] {
        let instance = one(&world, &paths(&world, &[("web", effort, 2, proven)]));
        assert_eq!(instance.likelihood.level, Some(level), "{effort} {proven}");
    }
    let instance = one(&world, &paths(&world, &[("web", 3, 2, true)]));
    assert_eq!(terms(&instance), ["reached by anybody on the internet in 2 steps, effort 3 (proven)"]);
    let instance = one(&world, &paths(&world, &[("web", 1, 1, false)]));
    let text = "reached by anybody on the internet in 1 step, effort 1 (possible: the filter is unknown)";
    assert_eq!(terms(&instance), [text]);

    let none = one(&world, &paths(&world, &[]));
    assert_eq!((none.likelihood.level, terms(&none)), (Some(Low), vec!["no way from outside is known"]));
    let web = at(&world, "web") - 1;
    world.set(web, "running", false);
    let stopped = one(&world, &paths(&world, &[("web", 1, 1, true)]));
    assert_eq!((stopped.likelihood.level, terms(&stopped)[1]), (Some(High), "it does not run"));
    assert_eq!(stopped.likelihood.terms[1].facts.len(), 1);

    // Nothing is said where a way may lead over what could not be listed, or where no ways were worked out.
    world.snapshot.targets[0].incomplete.insert("docker.network", "no right".into());
    let unsure = one(&world, &paths(&world, &[]));
    assert_eq!(unsure.likelihood.level, None);
    assert!(terms(&unsure)[0].contains("not every docker.network could be listed: no right"));
    assert_eq!(one(&world, &Paths::default()).likelihood.level, None);
    world.snapshot.targets[0].incomplete.insert("docker.container", "no right".into());
    let both = rated(&world, &paths(&world, &[("web", 1, 1, true)]));
    assert_eq!((both[0].likelihood.level, both[1].likelihood.level), (Some(High), None));
}

#[test]
fn equal_containers_share_the_exposure_of_the_first() {
    let mut world = host("docker.container", "container/unprivileged", Loss::Host);
    world.container("web2", "1", &[]);
    world.draw();
    let mut paths = paths(&world, &[("web", 4, 1, true)]);
    let (first, second) = (at(&world, "web"), at(&world, "web2"));
    assert_eq!(rated(&world, &paths)[1].likelihood.level, Some(Low));
    paths.class_of[second] = first;
    assert_eq!(rated(&world, &paths)[1].likelihood.level, Some(High));
}

#[test]
fn flows_are_reached_over_an_end() {
    let mut world = host("docker.container", "network/no-icc", Loss::Containers);
    world.threats[0].flow = Some(FlowKind::ContainerNetwork);
    let ways = |world: &World| paths(world, &[("web", 8, 3, true), ("front", 4, 2, true)]);
    assert_eq!(rated(&world, &ways(&world))[0].likelihood.level, Some(High));
    world.diagram.flows[0].certainty = Certainty::Possible(Arc::from("unknown"));
    let possible = &rated(&world, &ways(&world))[0];
    assert_eq!((possible.likelihood.level, terms(possible)[1]), (Some(Medium), "it only may be there: unknown"));

    let port = Value::Object(vec![
        ("host_ip", Value::Str("0.0.0.0".into())),
        ("host_port", 80.into()),
        ("container_port", 80.into()),
        ("protocol", Value::Str("tcp".into())),
        ("wildcard", true.into()),
        ("loopback", false.into()),
    ]);
    let web = at(&world, "web") - 1;
    world.set(web, "ports", Value::List(vec![port]));
    world.draw();
    world.threats[0].flow = Some(FlowKind::PublishedPort);
    let published = &rated(&world, &paths(&world, &[]))[0];
    assert_eq!(published.likelihood.level, Some(Critical));
    assert_eq!(terms(published), ["the internet is at one of its ends (proven)"]);
}

#[test]
fn what_no_capability_is_held_at_is_reached_as_its_host() {
    let world = host("docker.file", "file/exists", Loss::Host);
    let file = &rated(&world, &paths(&world, &[("host", 5, 2, true)]))[0];
    assert_eq!(file.likelihood.level, Some(High));
    assert_eq!(terms(file), ["the host is reached by anybody on the internet in 2 steps, effort 5 (proven)"]);
}

#[test]
fn impact_follows_from_what_is_lost_and_what_was_read() {
    let impact = |world: &World| {
        let mut instances = rated(world, &paths(world, &[]));
        let impact = instances.remove(0).impact;
        (impact.level.unwrap(), impact.terms.last().unwrap().text.clone(), impact.terms.last().unwrap().facts.len())
    };
    for (loses, level) in [
        (Loss::Host, Critical),
        (Loss::Engine, Critical),
        (Loss::Containers, High),
        (Loss::Secrets, High),
        (Loss::RegistryCredentials, High),
        (Loss::Images, High),
        (Loss::Availability, Medium),
        (Loss::Traceability, Medium),
        (Loss::Information, Low),
    ] {
        let world = host("docker.container", "container/unprivileged", loses);
        let (is, text, facts) = impact(&world);
        assert_eq!((is, facts), (level, 0), "{loses:?}");
        assert!(text.contains(loses.title()));
    }
    assert_eq!(impact(&host("docker.daemon", "daemon/no-icc", Loss::Availability)).0, High);

    let mut world = host("docker.container", "container/unprivileged", Loss::Host);
    let web = at(&world, "web") - 1;
    world.set(web, "root_on_host", false);
    // Not lowered while it is unknown whether something makes it equal to root.
    assert_eq!(impact(&world).0, Critical);
    world.set(web, "equal_to_root", Value::List(Vec::new()));
    assert_eq!(impact(&world), (High, "root inside is not root of the host: high".into(), 2));
    world.set(web, "equal_to_root", Value::strings(["it mounts the engine's socket"]));
    assert_eq!(impact(&world).0, Critical);
    world.set(0, "rootless", true);
    assert_eq!(impact(&world), (High, "the engine runs without root's rights on the host: high".into(), 1));
    world.threats[0].loses = Loss::Information;
    let raised = "its code can take the host as root: it mounts the engine's socket: critical";
    assert_eq!(impact(&world), (Critical, raised.into(), 1));
    world.threats[0].stride = vec![Stride::InformationDisclosure];
    assert_eq!(impact(&world).0, Low);

    let mut world = host("docker.image", "image/non-root", Loss::Images);
    assert_eq!(impact(&world).0, High);
    let image = at(&world, "1") - 1;
    world.set(image, "used_by", Value::List(Vec::new()));
    assert_eq!(impact(&world), (Medium, "no container was made from it: medium".into(), 1));
    world.forget(image, "used_by");
    assert_eq!(impact(&world).0, High);
}
