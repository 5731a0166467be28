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

/// Checks of clusters whose remedies are settings of processes and files of nodes: commands on a machine.
const OF_MACHINES: [&str; 7] = [
    "kubernetes.file",
    "kubernetes.apiserver",
    "kubernetes.controller-manager",
    "kubernetes.scheduler",
    "kubernetes.etcd",
    "kubernetes.kubelet",
    "kubernetes.proxy",
];

/// Checks of objects for which no change of an object can be worked out, and why.
const IN_WORDS: &[(&str, &str)] = &[
    ("admission/authority-pinned", "which authority signs, only whoever runs the webhook knows"),
    ("admission/inside", "the webhook has to run somewhere else first"),
    ("admission/no-side-effects", "what the webhook does, its author knows; saying otherwise would be a lie"),
    ("api-service/verified", "which authority signs, only whoever runs the service knows"),
    ("certificate-request/no-lasting-client", "a certificate that was handed out cannot be taken back"),
    ("cluster/administrator-by-role", "another credential is used"),
    ("cluster/apis-served", "manifests are changed where they are written"),
    ("cluster/external-secrets", "a store outside has to be chosen"),
    ("cluster/images-verified", "an admission policy has to be chosen, with keys"),
    ("cluster/namespaces-divide", "no object can change its namespace"),
    ("cluster/policies-enforced", "a network plug-in has to be installed"),
    ("cluster/server-verified", "the kubeconfig is changed, on the machine of whoever reads"),
    ("cluster/version-supported", "the cluster is brought to another version"),
    ("container/allowed-registry", "the image has to be copied"),
    ("container/different-probes", "what tells a stuck program, its author knows"),
    ("container/liveness-probe", "what tells a stuck program, its author knows"),
    ("container/no-config-secrets", "the program has to read its secret from elsewhere"),
    ("container/no-node-paths-by-claim", "the data have to move"),
    ("container/no-retired-software", "another program has to take its place"),
    ("container/no-ssh-server", "the image has to be built anew"),
    ("container/no-sudo", "the command has to be another"),
    ("container/not-equal-to-root", "the check of each setting that it names has the change"),
    ("container/secrets-as-files", "the program has to read a file"),
    ("ingress/backends-exist", "whether the route or the service is wrong, only its author knows"),
    ("ingress/controller-maintained", "another controller has to be installed"),
    ("ingress/hosts-uncontested", "whose host it is, people settle"),
    ("ingress/no-wildcard-hosts", "which hosts are meant, only its author knows"),
    ("namespace/default-unused", "no object can change its namespace"),
    ("network-policy/matches-pods", "which pods are meant, only its author knows"),
    ("network-policy/peers-exist", "which peers are meant, only its author knows"),
    ("node/kubelet-not-ahead", "the node is brought to another version"),
    ("pod/managed", "its whole manifest becomes that of a workload"),
    ("pod/no-config-secrets", "the value moves into a Secret, which a person must hold"),
    ("pod/not-in-default-namespace", "no object can change its namespace"),
    ("role/no-wildcards", "what is used, the audit log knows"),
    ("service/endpoints-ordinary", "who wrote it must be found first, else it is there again"),
    ("service-account/default-not-used", "each workload that uses it has the change (pod/own-service-account)"),
    ("service-account/power-out-of-reach", "a workload has to move to another namespace"),
    ("subject/masters-known", "the group is in certificates, not in objects"),
];

#[test]
fn remedies_of_a_clusters_objects_are_changes_or_say_why_not() {
    let in_words: BTreeSet<String> = IN_WORDS.iter().map(|(check, _)| format!("kubernetes/{check}")).collect();
    assert_eq!(in_words.len(), IN_WORDS.len());
    let mut changed = 0;
    let mut commands = 0;
    for check in Catalog::embedded().checks.iter().filter(|check| check.id.starts_with("kubernetes/")) {
        let has = !check.remedy.changes.is_empty();
        if OF_MACHINES.contains(&check.about.as_str()) {
            assert!(!has, "{}: no object of the API is a file or a flag", check.id);
            commands += 1;
        } else {
            assert_ne!(has, in_words.contains(&check.id), "{}: changes, or a reason why there are none", check.id);
            changed += usize::from(has);
        }
    }
    assert!(changed > 120 && commands > 120, "{changed} changes, {commands} commands");
}
