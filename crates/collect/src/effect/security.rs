//! Security options as the engine reads them, and what a seccomp profile lets through.

use serde_json::Value;

/// The seccomp setting of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SeccompOption {
    /// Not set: the daemon's default applies.
    Default,
    /// `unconfined`, or a profile that lets everything through.
    Unconfined,
    /// A profile of its own that denies something.
    Custom,
    /// A profile that could not be read: judge nothing by it.
    Unreadable,
}

/// What the security options of one container say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecurityOptions {
    /// `no-new-privileges`; `None` when not set, so that the daemon's default applies.
    pub no_new_privileges: Option<bool>,
    /// The AppArmor profile by name; `None` when not set.
    pub apparmor: Option<String>,
    /// The seccomp setting.
    pub seccomp: SeccompOption,
    /// True for a profile that was given inline and lets everything through.
    pub seccomp_allows_all: bool,
    /// True for `label=disable`: SELinux does not confine it.
    pub label_disabled: bool,
    /// The other SELinux labels: `type:x`, `level:y`.
    pub labels: Vec<String>,
    /// True for `systempaths=unconfined`: nothing of `/proc` and `/sys` is masked.
    pub system_paths_unconfined: bool,
    /// True for `writable-cgroups`.
    pub writable_cgroups: bool,
    /// Options that are none of these, by name: what they do is not known.
    pub unknown: Vec<String>,
}

/// Parses `HostConfig.SecurityOpt`. Docker splits at the first `=`, and for old forms at the first `:`; the last
/// setting of a kind wins.
pub fn parse_security_options<S: AsRef<str>>(options: &[S]) -> SecurityOptions {
    let mut out = SecurityOptions {
        no_new_privileges: None,
        apparmor: None,
        seccomp: SeccompOption::Default,
        seccomp_allows_all: false,
        label_disabled: false,
        labels: Vec::new(),
        system_paths_unconfined: false,
        writable_cgroups: false,
        unknown: Vec::new(),
    };
    for option in options {
        let option = option.as_ref().trim();
        let (key, value) = match option.split_once('=') {
            // `seccomp:{…"a=b"…}` is split at the colon that comes first.
            Some((key, value)) if !key.contains(':') => (key, Some(value)),
            _ => option.split_once(':').map_or((option, None), |(k, v)| (k, Some(v))),
        };
        apply(&mut out, key.trim(), value.map(str::trim));
    }
    out
}

fn apply(out: &mut SecurityOptions, key: &str, value: Option<&str>) {
    match (key, value) {
        ("no-new-privileges", None) => out.no_new_privileges = Some(true),
        ("no-new-privileges", Some(v)) => match go_bool(v) {
            Some(set) => out.no_new_privileges = Some(set),
            None => out.unknown.push(key.to_owned()),
        },
        ("apparmor", Some(v)) => out.apparmor = Some(v.chars().take(256).collect()),
        ("seccomp", Some(v)) => (out.seccomp, out.seccomp_allows_all) = seccomp_option(v),
        ("label", Some("disable")) => out.label_disabled = true,
        ("label", Some(v)) => out.labels.push(v.chars().take(256).collect()),
        ("systempaths", Some("unconfined")) => out.system_paths_unconfined = true,
        ("writable-cgroups", None) => out.writable_cgroups = true,
        ("writable-cgroups", Some(v)) => match go_bool(v) {
            Some(set) => out.writable_cgroups = set,
            None => out.unknown.push(key.to_owned()),
        },
        // `disable` alone is the form of the first engines.
        ("disable", None) => out.label_disabled = true,
        (other, _) => out.unknown.push(other.chars().take(64).collect()),
    }
}

fn seccomp_option(value: &str) -> (SeccompOption, bool) {
    match value {
        "unconfined" => (SeccompOption::Unconfined, false),
        "" | "builtin" | "default" => (SeccompOption::Default, false),
        profile if profile.trim_start().starts_with('{') => match allows_all(profile) {
            Some(true) => (SeccompOption::Unconfined, true),
            Some(false) => (SeccompOption::Custom, false),
            None => (SeccompOption::Unreadable, false),
        },
        // A path: the engine keeps the profile itself in what it reports, so this is another engine's form.
        _ => (SeccompOption::Unreadable, false),
    }
}

/// A truth value as Go's `strconv.ParseBool` reads it.
pub fn go_bool(value: &str) -> Option<bool> {
    match value {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

/// System calls of which a profile that confines withholds at least one (or allows it only under conditions): those that
/// Docker's own profile closes to containers without further capabilities.
const DANGEROUS: &[&str] = &[
    "add_key",
    "bpf",
    "delete_module",
    "finit_module",
    "init_module",
    "kexec_file_load",
    "kexec_load",
    "keyctl",
    "mount",
    "move_mount",
    "open_by_handle_at",
    "open_tree",
    "perf_event_open",
    "pivot_root",
    "ptrace",
    "reboot",
    "request_key",
    "setns",
    "swapon",
    "umount2",
    "unshare",
    "userfaultfd",
];

/// Whether a profile lets everything through that Docker's withholds. `None` when it is no profile that can be read.
///
/// A rule with conditions (`args`, `includes`, `excludes`) allows its calls in part only: it neither makes nor breaks.
pub fn allows_all(profile: &str) -> Option<bool> {
    /// The largest profile that is read: 1 MiB; Docker's own has 13 KiB.
    const MOST: usize = 1 << 20;
    if profile.len() > MOST {
        return None;
    }
    let profile: Value = serde_json::from_str(profile).ok()?;
    let default = passes(profile.get("defaultAction")?.as_str()?)?;
    let empty = Vec::new();
    let rules = match profile.get("syscalls") {
        None | Some(Value::Null) => &empty,
        Some(rules) => rules.as_array()?,
    };
    let mut passing = [default; DANGEROUS.len()];
    for rule in rules {
        let passes = passes(rule.get("action")?.as_str()?)?;
        let conditional = ["args", "includes", "excludes"].iter().any(|k| rule.get(*k).is_some_and(is_filled));
        for (i, call) in DANGEROUS.iter().enumerate() {
            let named = rule
                .get("names")
                .and_then(Value::as_array)
                .is_some_and(|n| n.iter().any(|n| n.as_str() == Some(*call)))
                || rule.get("name").and_then(Value::as_str) == Some(*call);
            if !named {
                continue;
            }
            // Under conditions a call is withheld in part: that is not all.
            match (passes, conditional) {
                (true, false) => passing[i] = true,
                (false, _) => passing[i] = false,
                (true, true) => {}
            }
        }
    }
    Some(passing.iter().all(|p| *p))
}

fn is_filled(value: &Value) -> bool {
    match value {
        Value::Array(items) => !items.is_empty(),
        Value::Object(fields) => fields.values().any(is_filled),
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Bool(_) | Value::Number(_) => true,
    }
}

/// True for actions under which the call happens.
fn passes(action: &str) -> Option<bool> {
    match action {
        "SCMP_ACT_ALLOW" | "SCMP_ACT_LOG" | "SCMP_ACT_TRACE" => Some(true),
        // With NOTIFY another process decides.
        "SCMP_ACT_NOTIFY" => Some(false),
        "SCMP_ACT_ERRNO" | "SCMP_ACT_KILL" | "SCMP_ACT_KILL_PROCESS" | "SCMP_ACT_KILL_THREAD" | "SCMP_ACT_TRAP" => {
            Some(false)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_in_every_form() {
        for (option, expected) in [
            ("no-new-privileges", Some(true)),
            ("no-new-privileges:true", Some(true)),
            ("no-new-privileges=1", Some(true)),
            ("no-new-privileges:false", Some(false)),
            ("no-new-privileges=F", Some(false)),
            ("seccomp=unconfined", None),
        ] {
            assert_eq!(parse_security_options(&[option]).no_new_privileges, expected, "{option}");
        }
        for form in ["apparmor=unconfined", "apparmor:unconfined"] {
            assert_eq!(parse_security_options(&[form]).apparmor.as_deref(), Some("unconfined"));
        }
        for form in ["label=disable", "label:disable"] {
            assert!(parse_security_options(&[form]).label_disabled);
        }
        let all = parse_security_options(&[
            "seccomp:unconfined",
            "systempaths=unconfined",
            "writable-cgroups=true",
            "label=type:x_t",
            "no-new-privileges=maybe",
        ]);
        assert_eq!(all.seccomp, SeccompOption::Unconfined);
        assert!(all.system_paths_unconfined && all.writable_cgroups);
        assert_eq!(all.labels, ["type:x_t"]);
        assert_eq!((all.no_new_privileges, all.unknown), (None, vec!["no-new-privileges".to_owned()]));
    }

    #[test]
    fn profiles_are_judged_by_what_they_let_through() {
        for (profile, expected) in [
            (r#"{"defaultAction":"SCMP_ACT_ALLOW"}"#, Some(true)),
            (r#"{"defaultAction":"SCMP_ACT_LOG","syscalls":[]}"#, Some(true)),
            (
                r#"{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["chmod"],"action":"SCMP_ACT_ERRNO"}]}"#,
                Some(true),
            ),
            (
                r#"{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mount","bpf"],"action":"SCMP_ACT_ERRNO"}]}"#,
                Some(false),
            ),
            (
                r#"{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["read"],"action":"SCMP_ACT_ALLOW"}]}"#,
                Some(false),
            ),
            (
                r#"{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["mount"],"action":"SCMP_ACT_ALLOW","includes":{"caps":["CAP_SYS_ADMIN"]}}]}"#,
                Some(false),
            ),
            (r#"{"defaultAction":"SCMP_ACT_SURPRISE"}"#, None),
            (r#"{"defaultAction":1}"#, None),
            ("{", None),
            ("[]", None),
        ] {
            assert_eq!(allows_all(profile), expected, "{profile}");
        }
        let every: Vec<String> = DANGEROUS.iter().map(|c| format!("\"{c}\"")).collect();
        let listed = format!(
            r#"{{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{{"names":[{}],"action":"SCMP_ACT_ALLOW"}}]}}"#,
            every.join(",")
        );
        assert_eq!(allows_all(&listed), Some(true));
        let option = format!("seccomp={listed}");
        let parsed = parse_security_options(&[option]);
        assert!(parsed.seccomp == SeccompOption::Unconfined && parsed.seccomp_allows_all);
    }
}
