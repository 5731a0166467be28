//! What a power is made of: rights, and ways that take several of them together.

/// Over which objects a right must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Over {
    /// Over one by name is enough: the power is then over those.
    Named,
    /// The request names none: a list, or something created at the top. A rule with names never matches it.
    Unnamed,
    /// The same, in this namespace.
    UnnamedIn(&'static str),
    /// Over one by name is enough, in this namespace.
    NamedIn(&'static str),
    /// Over one of these, in this namespace.
    These(&'static str, &'static [&'static str]),
}

/// What a rule itself must have, where no request asks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wildcard {
    /// None.
    No,
    /// `*` among the verbs.
    Verbs,
    /// `*` among the resources.
    Resources,
    /// `*` among the groups.
    Groups,
}

/// A right: any of the verbs on a resource.
#[derive(Clone, Copy, Debug)]
pub(super) struct Right {
    /// Any of these.
    pub verbs: &'static [&'static str],
    /// The API group; empty for the core.
    pub group: &'static str,
    /// The resource with its subresource: `pods/exec`.
    pub resource: &'static str,
    /// Over which objects.
    pub over: Over,
    /// Whether it lies in no namespace, so that a RoleBinding does not grant it.
    pub cluster: bool,
    /// A right that is a property of a rule.
    pub wildcard: Wildcard,
}

/// One way to a power: all of the rights together. The first says over what the power is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Way {
    /// The rights.
    pub rights: &'static [Right],
    /// Whether all must hold over the same object.
    pub same: bool,
    /// The last minor version of which it is true.
    pub until: i64,
    /// The first minor version of which it is true.
    pub since: i64,
}

/// A power.
#[derive(Clone, Copy, Debug)]
pub struct Power {
    /// Its name.
    pub name: &'static str,
    /// What somebody who has it can do.
    pub means: &'static str,
    pub(super) ways: &'static [Way],
}

pub(super) const fn on(verbs: &'static [&'static str], group: &'static str, resource: &'static str) -> Right {
    Right { verbs, group, resource, over: Over::Named, cluster: false, wildcard: Wildcard::No }
}

impl Over {
    /// The only namespace in which.
    pub fn only(self) -> Option<&'static str> {
        match self {
            Self::Named | Self::Unnamed => None,
            Self::UnnamedIn(namespace) | Self::NamedIn(namespace) | Self::These(namespace, _) => Some(namespace),
        }
    }
}

impl Right {
    pub(super) const fn over(mut self, over: Over) -> Self {
        self.over = over;
        self
    }

    pub(super) const fn unnamed(mut self) -> Self {
        self.over = Over::Unnamed;
        self
    }

    pub(super) const fn cluster(mut self) -> Self {
        self.cluster = true;
        self
    }

    pub(super) const fn these(mut self, namespace: &'static str, names: &'static [&'static str]) -> Self {
        self.over = Over::These(namespace, names);
        self
    }
}

pub(super) const fn create(group: &'static str, resource: &'static str) -> Right {
    on(&["create"], group, resource).unnamed()
}

pub(super) const fn rule_with(wildcard: Wildcard) -> Right {
    Right { verbs: &[], group: "", resource: "*", over: Over::Named, cluster: false, wildcard }
}

pub(super) const fn all(rights: &'static [Right]) -> Way {
    Way { rights, same: false, until: i64::MAX, since: 0 }
}

pub(super) const fn same(rights: &'static [Right]) -> Way {
    Way { rights, same: true, until: i64::MAX, since: 0 }
}

pub(super) const fn until(minor: i64, rights: &'static [Right]) -> Way {
    Way { rights, same: false, until: minor, since: 0 }
}

/// Since 1.23 a pod surely brings along claims that its volumes name no other way, and whoever creates it needs no right to
/// create them.
pub(super) const fn with_claims(rights: &'static [Right]) -> Way {
    Way { rights, same: false, until: i64::MAX, since: 23 }
}

pub(super) const fn power(name: &'static str, means: &'static str, ways: &'static [Way]) -> Power {
    Power { name, means, ways }
}
