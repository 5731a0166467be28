//! Attack steps and the paths that they make: from a capability, over a predicate, to a capability.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::diagram::{Certainty, Diagram, FactRef, FlowKind, actor};
use crate::predicate::Predicate;
use crate::remedy::Safety;
use crate::snapshot::Snapshot;

/// Something that an attacker can do, at an element of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capability {
    /// Its name in step files and outputs.
    pub name: &'static str,
    /// The kind of element that it is held at: one of the schema or an actor.
    pub about: &'static str,
    /// Another kind that it is held at as well. Predicates speak of the first alone and hold of nothing else.
    pub also: Option<&'static str>,
    /// What it means, with the element's name for `{}`.
    pub means: &'static str,
    /// The same of a cluster, where that is something else.
    pub of_clusters: Option<&'static str>,
    /// Where attackers begin.
    pub entry: bool,
    /// What they are after; the lower, the dearer. None: only a way.
    pub jewel: Option<u8>,
    /// Another capability at the same element that includes it: who had that on his way gains nothing by this.
    pub within: Option<&'static str>,
}

impl Capability {
    /// Whether it is held at elements of a kind.
    pub fn is_at(&self, kind: &str) -> bool {
        self.about == kind || self.also == Some(kind)
    }

    const fn also(mut self, kind: &'static str) -> Self {
        self.also = Some(kind);
        self
    }

    const fn within(mut self, other: &'static str) -> Self {
        self.within = Some(other);
        self
    }

    const fn of_clusters(mut self, means: &'static str) -> Self {
        self.of_clusters = Some(means);
        self
    }
}

const fn way(name: &'static str, about: &'static str, means: &'static str) -> Capability {
    Capability { name, about, also: None, means, of_clusters: None, entry: false, jewel: None, within: None }
}

const fn entry(name: &'static str, about: &'static str, means: &'static str) -> Capability {
    Capability { name, about, also: None, means, of_clusters: None, entry: true, jewel: None, within: None }
}

const fn jewel(name: &'static str, about: &'static str, means: &'static str, rank: u8) -> Capability {
    Capability { name, about, also: None, means, of_clusters: None, entry: false, jewel: Some(rank), within: None }
}

/// Every capability that steps may name.
pub const CAPABILITIES: &[Capability] = &[
    entry("internet", actor::INTERNET, "anybody on the internet"),
    entry("local-network", actor::LOCAL_NETWORK, "anybody on the host's networks")
        .of_clusters("anybody on the nodes' networks"),
    entry("local-user", actor::LOCAL_USER, "a user of the host without rights"),
    entry("engine-group", actor::ENGINE_GROUP, "{}, who may open the engine's socket"),
    entry("client", "docker.client", "the account of {}, taken over"),
    entry("image-author", "docker.image", "the author of the image {}"),
    entry("code", "docker.container", "code in {}"),
    way("reach", "docker.container", "packets to {}"),
    way("root", "docker.container", "root inside {}"),
    way("on-network", "docker.network", "packets on the network {}"),
    way("forged-packets", "docker.network", "forged packets on the network {}"),
    way("volume-read", "docker.volume", "reading the volume {}"),
    way("volume-write", "docker.volume", "writing to the volume {}"),
    way("device", "docker.volume", "writing to the device behind the volume {}"),
    way("reach-api", "docker.daemon", "a connection to the engine's API"),
    way("runtime", "docker.daemon", "the runtime that starts the engine's containers"),
    way("client-files", "docker.client", "the files of {}"),
    way("login", "docker.host", "a login on the host without rights"),
    way("host-network", "docker.host", "the host's network namespace"),
    way("processes", "docker.host", "the memory and files of the host's processes"),
    way(
        "like-processes",
        "docker.host",
        "the memory and files of those of the host's processes that may no more than he",
    ),
    way("host-files", "docker.host", "reading the host's files"),
    way("host-disk", "docker.host", "reading every file of the host"),
    way("host-from-node", "docker.host", "root on the host, from a node of a cluster").within("host-root"),
    jewel("host-root", "docker.host", "root on the host", 0),
    jewel("engine", "docker.daemon", "the engine's API", 1),
    jewel("data", "docker.container", "the data and secrets of {}", 2),
    jewel("credentials", "docker.registry", "credentials for {}", 3),
    jewel("availability", "docker.host", "the host's availability", 4),
    entry("user", "kubernetes.subject", "the account of {}, taken over"),
    entry("pod-code", "kubernetes.container", "code in {}"),
    way("pod-reach", "kubernetes.container", "packets to {}"),
    way("pod-network", "kubernetes.cluster", "packets on the network of the cluster's pods"),
    way("identity", "kubernetes.subject", "the credential of {}").also("kubernetes.service-account"),
    way("api-server", "kubernetes.cluster", "requests to the API server"),
    way("any-identity", "kubernetes.cluster", "the name of whomever he likes"),
    way("any-user", "kubernetes.cluster", "the name of any user"),
    way("any-node", "kubernetes.cluster", "the name of any node"),
    way("accounts-anywhere", "kubernetes.cluster", "the name of any service account"),
    way("accounts-act", "kubernetes.namespace", "the names of the service accounts of {}"),
    way("pods-anywhere", "kubernetes.cluster", "creating pods in any namespace"),
    way("new-namespace", "kubernetes.cluster", "a namespace of his own that takes any pod"),
    way("pods-unguarded-anywhere", "kubernetes.cluster", "pods of any kind in any namespace"),
    way("pods-unguarded", "kubernetes.namespace", "pods of any kind in {}"),
    way("kubelets-anywhere", "kubernetes.cluster", "commands to every kubelet"),
    way("volumes-anywhere", "kubernetes.cluster", "any path of a node as a volume"),
    way("node-volumes-anywhere", "kubernetes.cluster", "pods of any namespace that mount any path of a node"),
    way("node-volumes", "kubernetes.namespace", "pods in {} that mount any path of a node"),
    way("pods-create", "kubernetes.namespace", "creating pods in {}"),
    way("tokens-anywhere", "kubernetes.cluster", "tokens of any service account"),
    way("tokens-create", "kubernetes.namespace", "tokens of the service accounts of {}"),
    way("pods-enter-anywhere", "kubernetes.cluster", "commands in any pod"),
    way("pods-attach-anywhere", "kubernetes.cluster", "the input of any pod"),
    way("pods-attach", "kubernetes.namespace", "the input of the pods of {}"),
    way("pods-change-anywhere", "kubernetes.cluster", "changes of any pod"),
    way("pods-change", "kubernetes.namespace", "changes of the pods of {}"),
    way("pods-debug-anywhere", "kubernetes.cluster", "containers of his in any pod"),
    way("pods-debug", "kubernetes.namespace", "containers of his in the pods of {}"),
    way("pod-beside", "kubernetes.container", "a privileged container beside {}"),
    way("pods-ports-anywhere", "kubernetes.cluster", "the ports of any pod"),
    way("pods-ports", "kubernetes.namespace", "the ports of the pods of {}"),
    way("pod-token", "kubernetes.container", "the token of the account of {}"),
    way("pods-enter", "kubernetes.namespace", "commands in the pods of {}"),
    way("secrets-anywhere", "kubernetes.cluster", "the secrets of every namespace"),
    way("kubelet-api", "kubernetes.kubelet", "requests to the kubelet on {}"),
    way("etcd-api", "kubernetes.etcd", "a connection to {}"),
    way("kubelet-commands", "kubernetes.node", "commands to the kubelet on {}"),
    way("kubelet-identity", "kubernetes.node", "the credential of the kubelet on {}"),
    way("control-plane-keys", "kubernetes.node", "the keys of the control plane on {}"),
    way("etcd-files", "kubernetes.node", "etcd's files on {}"),
    way("node-pod-files", "kubernetes.node", "the files of the pods of {}"),
    way("node-files", "kubernetes.node", "reading the files of {}"),
    way("node-keys", "kubernetes.node", "reading where the keys of a control plane lie on {}").also("docker.host"),
    jewel("cluster-admin", "kubernetes.cluster", "every right in the cluster", 0),
    jewel("node-root", "kubernetes.node", "root on {}", 0),
    jewel("secrets", "kubernetes.namespace", "the secrets of {}", 2),
    jewel("named-secrets", "kubernetes.namespace", "some of the secrets of {}", 2).within("secrets"),
    jewel("cloud-credentials", "kubernetes.cluster", "the cloud's credentials for a node or pod", 2),
    jewel("node-availability", "kubernetes.node", "the availability of {}", 4),
];

/// A capability by its name.
pub fn capability(name: &str) -> Option<&'static Capability> {
    CAPABILITIES.iter().find(|c| c.name == name)
}

/// The names by which paths may be asked for: of the entries of a diagram, or of its jewels; sorted.
pub fn ends(diagram: &Diagram, entry: bool) -> Vec<String> {
    let fits = |c: &&Capability| if entry { c.entry } else { c.jewel.is_some() };
    let kinds: Vec<&Capability> = CAPABILITIES.iter().filter(fits).collect();
    let elements = diagram.elements.iter().filter(|e| kinds.iter().any(|c| c.is_at(e.kind)));
    let mut names: Vec<String> =
        kinds.iter().map(|c| c.name.to_owned()).chain(elements.map(|e| e.name.clone())).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// What a flow must let through, beyond being there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Through {
    /// Writing: the container's mount of the volume is not read-only.
    Write,
    /// The processes: the container joined the other's pid namespace. He is in the one that joined.
    Joined,
    /// The same, and he is in the one that was joined.
    JoinedBy,
    /// A legacy link from the container that he is in to the other.
    Linked,
    /// A directory of the host that both mount, and in which the other may write.
    Shared,
    /// The same, and the container that he is in may write there.
    SharedWrite,
}

impl Through {
    /// The kind of flow that it goes over.
    pub fn over(self) -> FlowKind {
        match self {
            Self::Write => FlowKind::VolumeMount,
            Self::Joined | Self::JoinedBy => FlowKind::Namespace,
            Self::Linked => FlowKind::ContainerNetwork,
            Self::Shared | Self::SharedWrite => FlowKind::BindMount,
        }
    }
}

/// What a path, or a step of it, rests on; the firmer, the less.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Basis {
    /// Facts alone, all of which were read.
    Proven,
    /// Facts that were read, and something that nobody read: a flaw in a service, a password that can be guessed.
    Assumed,
    /// A fact that it needs is unknown.
    Possible,
}

impl Basis {
    /// All of them, the firmest first.
    pub const ALL: [Self; 3] = [Self::Proven, Self::Assumed, Self::Possible];

    /// What something rests on that is as certain as this in its facts, and assumes something or not.
    pub fn of(certainty: &Certainty, assumes: bool) -> Self {
        match (certainty, assumes) {
            (Certainty::Proven, false) => Self::Proven,
            (Certainty::Proven, true) => Self::Assumed,
            (Certainty::Possible(_), _) => Self::Possible,
        }
    }

    /// The word for it in every output.
    pub fn word(self) -> &'static str {
        match self {
            Self::Proven => "proven",
            Self::Assumed => "assumed",
            Self::Possible => "possible",
        }
    }

    /// Whether every fact is known.
    pub fn facts_known(self) -> bool {
        self != Self::Possible
    }
}

/// How many paths rest on what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counted {
    /// On facts alone.
    pub proven: usize,
    /// On facts and on something that nobody read.
    pub assumed: usize,
    /// On something unknown.
    pub possible: usize,
}

impl Counted {
    /// All together.
    pub fn all(self) -> usize {
        self.proven + self.assumed + self.possible
    }

    /// One more.
    pub fn add(&mut self, basis: Basis) {
        match basis {
            Basis::Proven => self.proven += 1,
            Basis::Assumed => self.assumed += 1,
            Basis::Possible => self.possible += 1,
        }
    }
}

impl FromIterator<Basis> for Counted {
    fn from_iter<I: IntoIterator<Item = Basis>>(all: I) -> Self {
        let mut out = Self::default();
        all.into_iter().for_each(|basis| out.add(basis));
        out
    }
}

/// A step of the catalogue.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Step {
    /// The name of its file: `mounted-socket`.
    pub id: String,
    /// What the attacker does, in a sentence with `{from}` and `{to}` for the elements' names.
    pub title: String,
    /// The capability that he has; always one of [`CAPABILITIES`].
    pub from: String,
    /// The capability that he gains.
    pub to: String,
    /// The flow between the two elements, whichever end is which. None: the same element, or where the kinds differ
    /// each element of the other kind in the target of which `at` holds.
    pub over: Option<FlowKind>,
    /// What the flow itself must let through.
    pub through: Option<Through>,
    /// Over a `grant`: the powers of [`crate::kubernetes::rbac::POWERS`] each of which suffices.
    pub powers: Vec<String>,
    /// What must hold of the element that he comes from. A container must run besides.
    pub when: Option<Predicate>,
    /// What must hold of the element that he goes to.
    pub at: Option<Predicate>,
    /// How hard it is: 1 is a command that everybody knows, 10 is a flaw that nobody knows yet.
    pub effort: u32,
    /// What it takes for granted that no fact says, as a thing: `a flaw in the service behind the port`. None: nothing.
    pub assumes: Option<String>,
    /// The ATT&CK technique.
    pub attack: String,
    /// Where this is known from.
    pub source: String,
    /// Checks each of which, passing on either element, on the daemon or host of the target or on a component that
    /// the flow rests on, makes the step impossible: their remedies cut it.
    pub cut: Vec<String>,
    /// Why it works and what stands against it; Markdown.
    pub story: String,
    /// The file it was read from, relative to the catalogue.
    pub file: String,
}

/// A capability at an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct State {
    /// The position in [`CAPABILITIES`].
    pub capability: usize,
    /// The element, by position in the diagram; of equal elements the first, and where a path leads from one to another
    /// of its equals, the first of those others.
    pub element: usize,
}

impl State {
    /// The capability.
    pub fn capability(self) -> &'static Capability {
        &CAPABILITIES[self.capability]
    }

    /// What somebody has, in words: `root inside web`. Hostile text.
    pub fn words(self, diagram: &Diagram, snapshot: &Snapshot) -> String {
        let Some(element) = diagram.elements.get(self.element) else {
            return self.capability().means.replace("{}", "?");
        };
        let of_cluster = || {
            let first = snapshot.targets.get(element.target).and_then(|target| target.components.first());
            first.is_some_and(|component| component.kind.name.starts_with("kubernetes."))
        };
        let capability = self.capability();
        let means = capability.of_clusters.filter(|_| of_cluster()).unwrap_or(capability.means);
        means.replace("{}", &element.name)
    }
}

/// A step taken here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hop {
    /// The step, by position in the catalogue's list.
    pub step: usize,
    /// What he has.
    pub from: State,
    /// What he gains.
    pub to: State,
    /// The flow that he uses, by position in the diagram.
    pub flow: Option<usize>,
    /// Whether its facts prove it.
    pub certainty: Certainty,
    /// Whether its step assumes something besides.
    pub assumes: bool,
    /// The facts that it rests on; of a possible one, the unknown ones first.
    pub facts: Vec<FactRef>,
    /// Failing findings, by position in the audit, the remedy of each of which makes it impossible.
    pub cut_by: Vec<usize>,
}

impl Hop {
    /// What it rests on.
    pub fn basis(&self) -> Basis {
        Basis::of(&self.certainty, self.assumes)
    }
}

/// A minimal chain of steps from an entry point to a jewel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    /// Where it begins.
    pub from: State,
    /// What it reaches.
    pub to: State,
    /// Proven when the facts of every hop are known.
    pub certainty: Certainty,
    /// The sum of the steps' efforts.
    pub effort: u32,
    /// The steps in order.
    pub hops: Vec<Hop>,
    /// For each end how many equal elements it stands for, itself included.
    pub stands_for: (usize, usize),
    /// The same for the same steps over the same elements, also after they were re-created.
    pub fingerprint: String,
}

impl Path {
    /// What it rests on: the least firm of its steps.
    pub fn basis(&self) -> Basis {
        Basis::of(&self.certainty, self.hops.iter().any(|hop| hop.assumes))
    }
}

/// The paths of a snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Paths {
    /// Cheapest first; among equals proven before assumed before possible.
    pub list: Vec<Path>,
    /// Pairs of which more paths exist than are listed, with how many are. Where the search was cut short there may be
    /// no more.
    pub more: Vec<(State, State, usize)>,
    /// Pairs of which no path is listed although there is one, because the list was full.
    pub unlisted: usize,
    /// Entries from which no path was looked for, because there are too many.
    pub unsearched: Vec<State>,
    /// Where attackers can begin here.
    pub entries: Vec<State>,
    /// Every step that can be taken here from an entry on, equal elements as one.
    pub graph: Vec<Hop>,
    /// For each element of the diagram the cheapest way from outside (an actor or a client) to any capability at it:
    /// the effort, what it rests on, and the path's entry.
    pub exposure: Vec<Option<Exposure>>,
    /// For each element the first of those that are equal to it, itself where it is the first or alone.
    pub class_of: Vec<usize>,
}

/// How an element is reached from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exposure {
    /// Where the way begins.
    pub entry: State,
    /// The sum of the efforts.
    pub effort: u32,
    /// Whether the facts of every hop are known.
    pub certainty: Certainty,
    /// Whether a step assumes something besides.
    pub assumes: bool,
    /// How many steps.
    pub steps: usize,
}

impl Exposure {
    /// What it rests on.
    pub fn basis(&self) -> Basis {
        Basis::of(&self.certainty, self.assumes)
    }
}

/// What to harden, with what is gained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Priority {
    /// What to do, in a sentence. Holds hostile names.
    pub title: String,
    /// The findings that it closes, by position in the audit: of one check, or of one kind of edit over files.
    pub closes: Vec<usize>,
    /// The instances of threats that it answers, given what stands before it.
    pub answers: Vec<usize>,
    /// The paths that it cuts, by position in the list, given what stands before it.
    pub cuts: Vec<usize>,
    /// How much harm it can do.
    pub safety: Safety,
    /// What restarts, stops or is re-created, in words.
    pub breaks: Vec<String>,
    /// Why it stands here: the terms of its rank, in words.
    pub why: Vec<String>,
    /// Open threats left after it and those before it.
    pub threats_left: usize,
    /// Paths left after it and those before it: those whose facts are known, also where they assume something, and
    /// possible ones.
    pub paths_left: (usize, usize),
    /// How many of the former assume something.
    pub assumed_left: usize,
}

impl Priority {
    /// The paths left after it and those before it.
    pub fn left(&self) -> Counted {
        let (known, possible) = self.paths_left;
        Counted { proven: known.saturating_sub(self.assumed_left), assumed: self.assumed_left, possible }
    }
}

/// What is left of a host's threats and paths when findings are taken for passing: computed anew over the facts that
/// would then be others, with everything that follows from them. Less may come true, where a person does something else
/// than the check asks for, and more, where no change of facts was plain.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Forecast {
    /// Threats by the worst status of their instances, in the order of [`crate::threat::Status::ALL`].
    pub threats: [usize; 4],
    /// Instances of threats by status, in the same order.
    pub instances: [usize; 4],
    /// The paths that would be listed.
    pub paths: Counted,
    /// Pairs of an entry and a jewel by the firmest path between them: of the paths only the cheapest are listed,
    /// of the pairs all, unless there are thousands.
    pub pairs: Counted,
    /// Whether there would be more paths than those that are listed.
    pub more: bool,
    /// The benchmark's controls by verdict, in the order of [`crate::verdict::Verdict::ALL`]. A pass that
    /// speaks for some of a control's checks alone is not counted.
    pub controls: [usize; 5],
    /// Findings that would still fail and that nobody accepted.
    pub failing: usize,
}

impl Paths {
    /// Pairs of an entry and a jewel by the firmest path between them. Of pairs of which no path is listed, because the
    /// list is full, nothing is said.
    pub fn pairs(&self) -> Counted {
        let mut firmest: HashMap<(State, State), Basis> = HashMap::new();
        for path in &self.list {
            let known = firmest.entry((path.from, path.to)).or_insert(Basis::Possible);
            *known = path.basis().min(*known);
        }
        firmest.into_values().collect()
    }
}

/// The smallest set of fixes that cuts every path whose facts are known, whatever it assumes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cut {
    /// By position in the candidates' list: titles with the findings that each closes.
    pub fixes: Vec<(String, Vec<usize>)>,
    /// Whether it is proven to be the smallest; else it is the best that was found within the bound.
    pub smallest: bool,
    /// Paths that no remedy of the catalogue cuts, by position in the list.
    pub uncut: Vec<usize>,
}
