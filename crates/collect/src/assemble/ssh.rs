//! What sshd's settings come to.

/// Whether a value of `AuthenticationMethods` lets somebody in by a password without anything that he must have.
pub(super) fn password_suffices(methods: &str) -> bool {
    let is_password = |method: &str| matches!(method.split(':').next(), Some("password" | "keyboard-interactive"));
    let mut ways = methods.split_whitespace().map(str::to_ascii_lowercase);
    ways.any(|way| way == "any" || way.split(',').all(|method| is_password(method) || method == "none"))
}

/// Both, as far as that is known: one that is false decides.
pub(super) fn and(a: Result<bool, String>, b: Result<bool, String>) -> Result<bool, String> {
    match (a, b) {
        (Ok(false), _) | (_, Ok(false)) => Ok(false),
        (Err(why), _) | (_, Err(why)) => Err(why),
        (Ok(true), Ok(true)) => Ok(true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_suffices_where_one_way_asks_for_nothing_else() {
        for (methods, expected) in [
            ("any", true),
            ("publickey", false),
            ("publickey,password", false),
            ("publickey,keyboard-interactive:pam", false),
            ("publickey password", true),
            ("password,keyboard-interactive", true),
            ("keyboard-interactive:pam", true),
            ("gssapi-with-mic", false),
        ] {
            assert_eq!(password_suffices(methods), expected, "{methods}");
        }
    }

    #[test]
    fn what_is_false_decides_before_what_is_unknown() {
        let open = || Err("unread".to_owned());
        assert_eq!(and(Ok(false), open()), Ok(false));
        assert_eq!(and(open(), Ok(true)), open());
        assert_eq!(and(Ok(true), Ok(true)), Ok(true));
    }
}
