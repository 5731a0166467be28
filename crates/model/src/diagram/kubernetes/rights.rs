//! What accounts, users and groups may do, as far as it matters to an attacker: one flow for each power and place, never
//! for each object; where a right holds over objects by name alone, to these.

use seaworthy_core::component::Component;
use seaworthy_core::diagram::{FactRef, FlowKind};
use seaworthy_core::schema::kubernetes as k8s;
use seaworthy_core::value::Value;

use super::super::draft::{Draft, Drafts};
use super::super::scope::{Scope, list, text};
use super::cluster;
use super::limits::{Exempt, by_workloads, closed, taken_volumes};
use super::objects::Objects;
use super::tokens::{self, OF_WHOM};

/// Draws the grants of a cluster, and which account lies in which namespace.
pub(super) fn draw(scope: &Scope<'_>, drafts: &mut Drafts) {
    tokens::draw(scope, drafts);
    let (objects, exempt) = (Objects::of(scope), Exempt::of(scope));
    for kind in [&k8s::SERVICE_ACCOUNT, &k8s::SUBJECT] {
        for at in scope.all_of(kind).iter().copied() {
            let (from, cite) = (scope.element[at], [scope.cite(at, "powers")]);
            Work { scope, objects: &objects, exempt: &exempt, at, from, cite, drafts }.grants();
        }
    }
    for at in scope.all_of(&k8s::SERVICE_ACCOUNT).iter().copied() {
        let Some(namespace) = namespace(scope, scope.component(at)) else { continue };
        let draft = Draft::new(FlowKind::Membership, scope.element[at], namespace, "an account of the namespace");
        drafts.add(draft.key("account").facts([scope.cite(at, "namespace")]));
    }
}

/// The element of the namespace that a component lies in.
pub(super) fn namespace(scope: &Scope<'_>, component: &Component) -> Option<usize> {
    let name = component.value("namespace").as_str()?;
    scope.named(&k8s::NAMESPACE, name).map(|at| scope.element[at])
}

/// The only objects over which a power holds.
fn names(power: &Value) -> Vec<&str> {
    power.field("names").and_then(Value::as_list).unwrap_or_default().iter().filter_map(Value::as_str).collect()
}

/// Where a power holds: everywhere, or the namespace.
fn place(power: &Value) -> (bool, &str) {
    (power.field("cluster_wide").and_then(Value::as_bool) == Some(true), text(power, "namespace"))
}

struct Work<'s, 'a> {
    scope: &'s Scope<'a>,
    objects: &'s Objects<'s>,
    exempt: &'s Exempt<'a>,
    at: usize,
    from: usize,
    cite: [Option<FactRef>; 1],
    drafts: &'s mut Drafts,
}

impl<'a> Work<'_, 'a> {
    fn grants(&mut self) {
        let powers = match list(self.scope.value(self.at, "powers")) {
            Ok(powers) => powers,
            Err(reason) => return self.unknown("unknown", &reason),
        };
        // Whoever may do everything somewhere may do each of the rest there: one flow says it.
        let is_all = |power: &&Value| text(power, "power") == "everything" && names(power).is_empty();
        let places: Vec<(bool, &str)> = powers.iter().filter(is_all).map(place).collect();
        let covered = |power: &Value| {
            let (wide, namespace) = place(power);
            text(power, "power") != "everything" && places.iter().any(|(w, n)| *w || !wide && *n == namespace)
        };
        for power in powers.iter().filter(|power| !covered(power)) {
            match power {
                Value::Unknown(reason) => self.unknown("more", reason),
                power => self.power(power),
            }
        }
        for power in powers.iter().filter(|power| names(power).is_empty()) {
            self.exempt(power);
        }
        self.cite = [self.scope.cite(self.at, "gains")];
        for gain in list(self.scope.value(self.at, "gains")).unwrap_or_default() {
            self.gain(gain);
        }
    }

    /// Whoever has rights that were not read may have every one.
    fn unknown(&mut self, key: &str, reason: &std::sync::Arc<str>) {
        if let Some(cluster) = cluster(self.scope) {
            let draft = Draft::new(FlowKind::Grant, self.from, cluster, "cluster-admin").key(key).facts(self.cite);
            self.drafts.add(draft.maybe(reason));
        }
    }

    fn draw(&mut self, to: usize, label: &str) {
        let draft = Draft::new(FlowKind::Grant, self.from, to, label).key(label).facts(self.cite);
        self.drafts.add(draft);
    }

    /// The element of the place in which a power holds.
    fn place(&self, power: &Value) -> Option<usize> {
        match place(power) {
            (true, _) => cluster(self.scope),
            (false, name) => self.scope.named(&k8s::NAMESPACE, name).map(|at| self.scope.element[at]),
        }
    }

    fn power(&mut self, power: &Value) {
        let (name, names) = (text(power, "power"), names(power));
        match name {
            // To change what there is, there must be something.
            "change-workloads" => return self.workloads(power, &names),
            "take-volumes" => return self.volumes(power, &names),
            "create-bootstrap-tokens" | "change-bootstrap-tokens" => return self.bootstrap_tokens(name, &names),
            "everything" if place(power) == (false, "kube-system") => {
                self.bootstrap_tokens("create-bootstrap-tokens", &[]);
            }
            _ => {}
        }
        if !names.is_empty() && self.named(name, power, &names) {
            return;
        }
        let label = match names.as_slice() {
            [] => name.to_owned(),
            names => format!("{name}/named: {}", names.join(", ")),
        };
        self.spread(power, &label);
    }

    /// Draws a power to its place; where quotas let no pod come of it in some namespaces, to each of them by itself.
    fn spread(&mut self, power: &Value, label: &str) {
        let shut = |at: &usize| closed(self.scope, *at, power).is_some();
        let spaces: Vec<usize> = match place(power) {
            (true, _) if by_workloads(power) && self.scope.all_of(&k8s::NAMESPACE).iter().any(shut) => {
                self.scope.all_of(&k8s::NAMESPACE).to_vec()
            }
            (true, _) => return cluster(self.scope).into_iter().for_each(|to| self.draw(to, label)),
            (false, name) => self.scope.named(&k8s::NAMESPACE, name).into_iter().collect(),
        };
        for at in spaces {
            let to = self.scope.element[at];
            let draft = Draft::new(FlowKind::Grant, self.from, to, label).key(label).facts(self.cite);
            self.drafts.add(match closed(self.scope, at, power) {
                Some(reason) => draft.facts([self.scope.cite(at, "closed_objects")]).maybe(&reason),
                None => draft,
            });
        }
    }

    /// A power to start pods that Pod Security holds to no level.
    fn exempt(&mut self, power: &Value) {
        let component = self.scope.component(self.at);
        if let (Some(takes), Some(to)) = (self.exempt.takes(component, power), self.place(power)) {
            let label = "create-pods/exempt";
            let draft = Draft::new(FlowKind::Grant, self.from, to, label).key(label).facts(self.cite);
            self.drafts.add(takes.mark(draft));
        }
    }

    /// Volumes that are there and are kept for others.
    fn volumes(&mut self, power: &Value, names: &[&str]) {
        let names: Vec<&str> = names.iter().filter_map(|name| name.strip_prefix("persistentvolumes/")).collect();
        let Some(found) = taken_volumes(self.scope, &names) else { return };
        if let Some(to) = self.place(power) {
            let draft = Draft::new(FlowKind::Grant, self.from, to, "take-volumes").key("take-volumes").facts(self.cite);
            self.drafts.add(found.mark(draft));
        }
    }

    /// The groups and users that a bootstrap token of his own making is of.
    fn bootstrap_tokens(&mut self, name: &str, names: &[&str]) {
        for (to, takes) in tokens::forged(self.scope, name == "change-bootstrap-tokens", names) {
            let draft = Draft::new(FlowKind::Grant, self.from, to, name).key(name).facts(self.cite);
            self.drafts.add(takes.mark(draft));
        }
    }

    /// Namespaces with workloads that can be changed.
    fn workloads(&mut self, power: &Value, names: &[&str]) {
        let resources: Vec<&str> = power
            .field("resources")
            .and_then(Value::as_list)
            .unwrap_or_default()
            .iter()
            .filter_map(Value::as_str)
            .collect();
        let (wide, namespace) = place(power);
        for (of, at) in self.objects.namespaces_with(&resources, names) {
            let Some(space) = self.scope.named(&k8s::NAMESPACE, of).filter(|_| wide || of == namespace) else {
                continue;
            };
            let draft = Draft::new(FlowKind::Grant, self.from, at, "change-workloads").facts(self.cite);
            self.drafts.add(match closed(self.scope, space, power) {
                Some(reason) => draft.facts([self.scope.cite(space, "closed_objects")]).maybe(&reason),
                None => draft,
            });
        }
        if let (Some(reason), Some(to)) = (&self.objects.more_pods, self.place(power)) {
            let draft = Draft::new(FlowKind::Grant, self.from, to, "change-workloads").key("unlisted").facts(self.cite);
            self.drafts.add(draft.maybe(reason));
        }
    }

    /// Draws a power over objects by name to these; false where it is no such power.
    fn named(&mut self, name: &str, power: &Value, names: &[&str]) -> bool {
        // Names of another resource than that over which the power is.
        let (others, own): (Vec<&str>, Vec<&str>) = names.iter().partition(|name| self.is_other(name));
        let (wide, namespace) = place(power);
        let here = |of: &str| wide || of == namespace;
        let found: Vec<usize> = match name {
            "impersonate-groups" if own.is_empty() || own.contains(&"system:masters") => {
                cluster(self.scope).into_iter().collect()
            }
            "impersonate-groups" => self.objects.subjects("Group", &own),
            "impersonate-users" => self.objects.subjects("User", &own),
            "impersonate-service-accounts" | "mint-tokens" => self.objects.accounts(&own, here),
            "exec" | "attach" | "add-ephemeral-containers" | "change-pods" => {
                self.pods(name, &own, here);
                return true;
            }
            "nodes-proxy" => self.objects.nodes(&own),
            // Who chooses the name of a request that he makes can choose one that he may approve.
            "issue-certificates" | "issue-node-certificates" => self.place(power).into_iter().collect(),
            "open-and-create-pods" => {
                let spaces = others.iter().filter_map(|name| name.strip_prefix("namespaces/"));
                // By a subresource as well: namespaces/status/NAME.
                let spaces = spaces.map(|name| name.rsplit('/').next().unwrap_or(name));
                let spaces =
                    spaces.filter(|name| here(name)).filter_map(|name| self.scope.named(&k8s::NAMESPACE, name));
                spaces.map(|at| self.scope.element[at]).collect()
            }
            "create-legacy-tokens" => {
                // A secret of a name that he may read can be made where there is none.
                if let Some(to) = self.place(power) {
                    let draft = Draft::new(FlowKind::Grant, self.from, to, name).key("named").facts(self.cite);
                    let reason = "whether there is a secret of the name that it may read was not looked at";
                    self.drafts.add(draft.maybe(&reason.into()));
                }
                return true;
            }
            "read-secrets" => {
                self.secrets(&own, power);
                return true;
            }
            _ => return false,
        };
        found.into_iter().for_each(|to| self.draw(to, name));
        true
    }

    /// Pods by name: where something is asked about it, what that refuses nobody knows.
    fn pods(&mut self, name: &str, names: &[&str], here: impl Fn(&str) -> bool) {
        let fact = match name {
            "exec" => "takes_commands",
            "attach" => "takes_input",
            _ => "takes_changes",
        };
        for (namespace, to) in self.objects.pods(names, here) {
            let space = self.scope.named(&k8s::NAMESPACE, namespace);
            let draft = Draft::new(FlowKind::Grant, self.from, to, name).key(name).facts(self.cite);
            self.drafts.add(match space.and_then(|at| self.scope.value(at, fact).reason()) {
                Some(reason) => draft.facts([self.scope.cite_of(space, fact)]).maybe(reason),
                None => draft,
            });
        }
    }

    fn is_other(&self, name: &str) -> bool {
        ["users/", "serviceaccounts/", "namespaces/", "certificatesigningrequests/", "secrets/", "persistentvolumes/"]
            .iter()
            .any(|resource| name.starts_with(resource))
    }

    /// Secrets by name: where they are there.
    fn secrets(&mut self, names: &[&str], power: &Value) {
        let (wide, namespace) = place(power);
        for (of, at) in self.objects.namespaces_with_secrets(names) {
            if wide || of == namespace {
                self.draw(at, "read-secrets/named");
            }
        }
        for (account, sure) in self.objects.accounts_of_tokens(names, |of| wide || of == namespace) {
            let draft = Draft::new(FlowKind::Grant, self.from, account, "read-secrets/named").key("token");
            let draft = draft.facts(self.cite);
            self.drafts.add(if sure { draft } else { draft.maybe(&OF_WHOM.into()) });
        }
        if let (Some(reason), Some(to)) = (&self.objects.more_secrets, self.place(power)) {
            let draft =
                Draft::new(FlowKind::Grant, self.from, to, "read-secrets/named").key("unlisted").facts(self.cite);
            self.drafts.add(draft.maybe(reason));
        }
    }

    /// What it can give itself. A power that holds over objects by name is left to the rights themselves.
    fn gain(&mut self, gain: &Value) {
        if gain.is_unknown() || !names(gain).is_empty() {
            return;
        }
        let Some(to) = self.place(gain) else { return };
        let roles = gain.field("through").and_then(Value::as_list).unwrap_or_default();
        let roles: Vec<&str> = roles.iter().map(|through| text(through, "role")).collect();
        self.draw(to, &format!("{}/gained: {}", text(gain, "power"), roles.join(", ")));
    }
}
