//! Who asks: a user with groups, as the API server knows them after authentication.

/// The prefix of a service account's user name.
const ACCOUNT: &str = "system:serviceaccount:";

/// The group that the API server lets do everything, whatever RBAC says.
pub const MASTERS: &str = "system:masters";

/// Somebody who asks the API server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Who {
    /// The user's name; none where only a group is known.
    pub user: Option<String>,
    /// The groups. Those that only a credential tells (organisations in a certificate, claims of a token) are known
    /// to whoever asks, not to a cluster.
    pub groups: Vec<String>,
}

impl Who {
    /// A service account: it is in the groups of all, of those of its namespace and of everybody who logged in.
    pub fn account(namespace: &str, name: &str) -> Self {
        let all = "system:serviceaccounts";
        let groups = vec![all.to_owned(), format!("{all}:{namespace}"), "system:authenticated".to_owned()];
        Self { user: Some(format!("{ACCOUNT}{namespace}:{name}")), groups }
    }

    /// A user by name, which may be a service account's.
    pub fn user(name: &str) -> Self {
        if let Some((namespace, name)) = account_of(name) {
            return Self::account(namespace, name);
        }
        let everybody = if name == "system:anonymous" { "system:unauthenticated" } else { "system:authenticated" };
        Self { user: Some(name.to_owned()), groups: vec![everybody.to_owned()] }
    }

    /// Anybody of a group, with what follows from being in it.
    pub fn group(name: &str) -> Self {
        if name == "system:unauthenticated" {
            return Self::user("system:anonymous");
        }
        let mut groups = vec![name.to_owned()];
        if name.starts_with("system:serviceaccounts:") {
            groups.push("system:serviceaccounts".to_owned());
        }
        if name != "system:authenticated" {
            groups.push("system:authenticated".to_owned());
        }
        Self { user: None, groups }
    }

    /// Whether the API server lets it do everything before it asks RBAC.
    pub fn is_master(&self) -> bool {
        self.groups.iter().any(|group| group == MASTERS)
    }
}

/// The namespace and name of the service account that a user's name is.
pub fn account_of(user: &str) -> Option<(&str, &str)> {
    let (namespace, name) = user.strip_prefix(ACCOUNT)?.split_once(':')?;
    (!namespace.is_empty() && !name.is_empty() && !name.contains(':')).then_some((namespace, name))
}

/// Whether a group or user stands for everybody, or for everybody who can run a pod.
pub fn everybody(kind: &str, name: &str) -> bool {
    match kind {
        "User" => name == "system:anonymous",
        "Group" => {
            matches!(name, "system:unauthenticated" | "system:authenticated" | "system:serviceaccounts")
                || name.strip_prefix("system:serviceaccounts:").is_some_and(|namespace| !namespace.is_empty())
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_is_a_service_account_is_in_its_groups() {
        let ci = Who::user("system:serviceaccount:shop:ci");
        assert_eq!(ci, Who::account("shop", "ci"));
        assert_eq!(ci.groups, ["system:serviceaccounts", "system:serviceaccounts:shop", "system:authenticated"]);
        assert_eq!(Who::user("system:serviceaccount:shop").groups, ["system:authenticated"]);
        assert_eq!(Who::user("system:anonymous").groups, ["system:unauthenticated"]);
        assert!(Who::group(MASTERS).is_master());
    }

    #[test]
    fn a_group_brings_the_groups_that_hold_it() {
        assert_eq!(
            Who::group("system:serviceaccounts:shop").groups,
            ["system:serviceaccounts:shop", "system:serviceaccounts", "system:authenticated"]
        );
        assert_eq!(Who::group("system:unauthenticated"), Who::user("system:anonymous"));
        assert_eq!(Who::group("system:authenticated").groups, ["system:authenticated"]);
    }
}
