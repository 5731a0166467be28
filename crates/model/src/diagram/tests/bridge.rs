//! A Docker host and a node of a cluster that are one machine.

use super::*;
use seaworthy_core::schema::kubernetes;

fn add(target: &mut Target, kind: &'static Kind, id: &str, machine: Value) {
    let mut component = Component::new(kind, id, id);
    component.set("machine", machine, Source::place("test"));
    target.components.push(component);
}

/// The certainty of what ties a host of the machine `m1` to nodes of these machines.
fn tied(nodes: &[Value]) -> Vec<&'static str> {
    let mut engine = Target::new("local", "docker", "unix:///run/docker.sock");
    add(&mut engine, &docker::HOST, "host", "m1".into());
    let mut cluster = Target::new("prod", "kubernetes", "https://api");
    cluster.components.push(Component::new(&kubernetes::CLUSTER, "cluster", "prod"));
    for (at, machine) in nodes.iter().enumerate() {
        add(&mut cluster, &kubernetes::NODE, &format!("n{at}"), machine.clone());
    }
    let snapshot = Snapshot { tool: String::new(), collected_at: 0, targets: vec![engine, cluster] };
    let flows = diagram(&snapshot, None).flows;
    flows.iter().filter(|flow| flow.kind == FlowKind::SameMachine).map(|flow| flow.certainty.word()).collect()
}

#[test]
fn a_host_is_the_node_of_its_id_and_of_copies_it_only_may_be() {
    assert_eq!(tied(&["m1".into(), "m2".into()]), ["proven"]);
    assert_eq!(tied(&["m2".into(), Value::Null, Value::unknown("denied")]), Vec::<&str>::new());
    assert_eq!(tied(&["m1".into(), "m1".into()]), ["possible", "possible"]);
}
