//! What accounts, users and groups may do, as far as it matters to an attacker: one flow for each power and place, never
//! for each object; where a right holds over objects by name alone, to these.

use seaworthy_core::component::Component;
use seaworthy_core::diagram::{FactRef, FlowKind};
use seaworthy_core::schema::kubernetes as k8s;
use seaworthy_core::value::Value;

use super::super::draft::{Draft, Drafts};
use super::super::scope::{Scope, list, text};
use super::cluster;
use super::objects::{BOOTSTRAP, Objects, TOKEN};

/// Draws the grants of a cluster, and which account lies in which namespace.
pub(super) fn draw(scope: &Scope<'_>, drafts: &mut Drafts) {
    tokens(scope, drafts);
    bootstrap_tokens(scope, drafts);
    let objects = Objects::of(scope);
    for kind in [&k8s::SERVICE_ACCOUNT, &k8s::SUBJECT] {
        for at in scope.all_of(kind).iter().copied() {
            let (from, cite) = (scope.element[at], [scope.cite(at, "powers")]);
            Work { scope, objects: &objects, at, from, cite, drafts }.grants();
        }
    }
    for at in scope.all_of(&k8s::SERVICE_ACCOUNT).iter().copied() {
        let Some(namespace) = namespace(scope, scope.component(at)) else { continue };
        let draft = Draft::new(FlowKind::Membership, scope.element[at], namespace, "an account of the namespace");
        drafts.add(draft.key("account").facts([scope.cite(at, "namespace")]));
    }
}

/// Why it is not known whose a token in a secret is.
const OF_WHOM: &str = "the namespace has a secret with a token, and of which account it is stands where values do";

/// Why it is not known what a bootstrap token is good for.
const OF_WHICH: &str =
    "kube-system has a bootstrap token, and until when it holds and of which groups it is stands where values do";

/// Draws which groups the bootstrap tokens may be of, for whoever reads the secrets of the system.
fn bootstrap_tokens(scope: &Scope<'_>, drafts: &mut Drafts) {
    let is_token = |at: &usize| {
        scope.value(*at, "namespace").as_str() == Some("kube-system")
            && scope.value(*at, "type").as_str() == Some(BOOTSTRAP)
    };
    let Some(secret) = scope.all_of(&k8s::SECRET).iter().copied().find(is_token) else { return };
    let Some(system) = scope.named(&k8s::NAMESPACE, "kube-system").map(|at| scope.element[at]) else { return };
    for group in scope.all_of(&k8s::SUBJECT).iter().copied() {
        let name = scope.value(group, "name").as_str().unwrap_or_default();
        let of_tokens = name == "system:bootstrappers" || name.starts_with("system:bootstrappers:");
        if of_tokens && scope.value(group, "kind").as_str() == Some("Group") {
            let draft = Draft::new(FlowKind::Token, system, scope.element[group], "a bootstrap token").key("bootstrap");
            drafts.add(draft.facts([scope.cite(secret, "type")]).maybe(&OF_WHICH.into()));
        }
    }
}

/// Draws which accounts have a token in a secret of their namespace, for whoever reads the secrets.
fn tokens(scope: &Scope<'_>, drafts: &mut Drafts) {
    let name = |at: usize| scope.value(at, "name").as_str().unwrap_or_default();
    let space = |at: usize| scope.value(at, "namespace").as_str().unwrap_or_default();
    let is_token = |at: &usize| scope.value(*at, "type").as_str() == Some(TOKEN);
    let secrets: Vec<usize> = scope.all_of(&k8s::SECRET).iter().copied().filter(is_token).collect();
    if secrets.is_empty() {
        return;
    }
    for account in scope.all_of(&k8s::SERVICE_ACCOUNT).iter().copied() {
        let Some(namespace) = namespace(scope, scope.component(account)) else { continue };
        let refers = |secret: usize| {
            let own = scope.value(account, "secrets").as_list().unwrap_or_default();
            own.iter().any(|own| own.as_str() == Some(name(secret)))
        };
        let mut here = secrets.iter().copied().filter(|secret| space(*secret) == space(account)).peekable();
        if here.peek().is_none() {
            continue;
        }
        let draft = Draft::new(FlowKind::Token, namespace, scope.element[account], "a token in a secret").key("secret");
        match here.find(|secret| refers(*secret)) {
            Some(secret) => drafts.add(draft.facts([scope.cite(account, "secrets"), scope.cite(secret, "type")])),
            None => {
                let facts = secrets.iter().filter(|secret| space(**secret) == space(account)).take(1);
                let facts: Vec<_> = facts.map(|secret| scope.cite(*secret, "type")).collect();
                drafts.add(draft.facts(facts).maybe(&OF_WHOM.into()));
            }
        }
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
        // To change what there is, there must be something.
        if name == "change-workloads" {
            return self.workloads(power, &names);
        }
        if !names.is_empty() && self.named(name, power, &names) {
            return;
        }
        let label = match names.as_slice() {
            [] => name.to_owned(),
            names => format!("{name}/named: {}", names.join(", ")),
        };
        if let Some(to) = self.place(power) {
            self.draw(to, &label);
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
            if wide || of == namespace {
                self.draw(at, "change-workloads");
            }
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
            "exec" | "attach" | "add-ephemeral-containers" | "change-pods" => self.objects.pods(&own, here),
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

    fn is_other(&self, name: &str) -> bool {
        ["users/", "serviceaccounts/", "namespaces/", "certificatesigningrequests/", "secrets/"]
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
