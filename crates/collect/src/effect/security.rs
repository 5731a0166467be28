//! What a seccomp profile lets through.

use serde_json::Value;

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

/// What a profile's rules depend on beside the call: whom they are for.
#[derive(Debug)]
pub struct Confined<'a, S> {
    /// The capabilities of the container, without `CAP_`.
    pub capabilities: &'a [S],
    /// The machine's architecture as the kernel calls it (`x86_64`, `aarch64`); none when that is not known.
    pub architecture: Option<&'a str>,
    /// The machine's kernel (`6.1.0-18-amd64`); none when that is not known.
    pub kernel: Option<&'a str>,
}

/// How far a rule's conditions are met.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Applies {
    Yes,
    No,
    /// For some arguments of the call.
    Partly,
    /// What it depends on is not known.
    Perhaps,
}

/// Whether a profile lets everything through that Docker's withholds. `None` when it is no profile that can be read, or
/// when that depends on what is not known.
///
/// As the engine does, it takes no notice of rules whose `includes` and `excludes` do not fit. One for some arguments
/// (`args`) holds its calls in part only: it neither makes nor breaks.
pub fn allows_all<S: AsRef<str>>(profile: &str, confined: &Confined<'_, S>) -> Option<bool> {
    /// The largest profile that is read: 1 MiB; Docker's own has 13 KiB.
    const MOST: usize = 1 << 20;
    if profile.len() > MOST {
        return None;
    }
    let profile: Value = serde_json::from_str(profile).ok()?;
    let with = judged(&profile, confined, true)?;
    (judged(&profile, confined, false)? == with).then_some(with)
}

/// As [`allows_all`], with the rules that perhaps apply, or without.
fn judged<S: AsRef<str>>(profile: &Value, confined: &Confined<'_, S>, perhaps: bool) -> Option<bool> {
    let default = passes(profile.get("defaultAction")?.as_str()?)?;
    let empty = Vec::new();
    let rules = match profile.get("syscalls") {
        None | Some(Value::Null) => &empty,
        Some(rules) => rules.as_array()?,
    };
    let mut passing = [default; DANGEROUS.len()];
    for rule in rules {
        let passes = passes(rule.get("action")?.as_str()?)?;
        match applies(rule, confined) {
            Applies::Yes => {}
            Applies::Perhaps if perhaps => {}
            Applies::No | Applies::Partly | Applies::Perhaps => continue,
        }
        for (i, call) in DANGEROUS.iter().enumerate() {
            let named = rule
                .get("names")
                .and_then(Value::as_array)
                .is_some_and(|n| n.iter().any(|n| n.as_str() == Some(*call)))
                || rule.get("name").and_then(Value::as_str) == Some(*call);
            if named {
                passing[i] = passes;
            }
        }
    }
    Some(passing.iter().all(|p| *p))
}

/// Whether a rule is for this container, as the engine decides it: `excludes` where one fits, `includes` where all do.
fn applies<S: AsRef<str>>(rule: &Value, confined: &Confined<'_, S>) -> Applies {
    let list = |of: &str, what: &str| {
        let items = rule.get(of).and_then(|filter| filter.get(what)).and_then(Value::as_array);
        items.map(|items| items.iter().filter_map(Value::as_str).collect::<Vec<_>>()).unwrap_or_default()
    };
    let has = |cap: &&str| {
        let name = cap.strip_prefix("CAP_").unwrap_or(cap);
        confined.capabilities.iter().any(|own| own.as_ref() == name)
    };
    if list("excludes", "caps").iter().any(has) || !list("includes", "caps").iter().all(has) {
        return Applies::No;
    }
    let (only, but) = (list("includes", "arches"), list("excludes", "arches"));
    let mut out = Applies::Yes;
    match confined.architecture.map(go_architecture) {
        Some(own) if but.contains(&own) || (!only.is_empty() && !only.contains(&own)) => return Applies::No,
        None if !but.is_empty() || !only.is_empty() => out = Applies::Perhaps,
        _ => {}
    }
    let own = confined.kernel.and_then(kernel);
    for (of, fits) in [("includes", true), ("excludes", false)] {
        let Some(least) = rule.get(of).and_then(|filter| filter.get("minKernel")).filter(|least| is_filled(least))
        else {
            continue;
        };
        match (own, least.as_str().and_then(kernel)) {
            (Some(own), Some(least)) if (own >= least) == fits => {}
            (Some(_), Some(_)) => return Applies::No,
            _ => out = Applies::Perhaps,
        }
    }
    if rule.get("args").is_some_and(is_filled) { Applies::Partly } else { out }
}

/// The two numbers of a kernel's release that the engine compares.
fn kernel(release: &str) -> Option<(u32, u32)> {
    let (first, rest) = release.split_once('.')?;
    let second = rest.split(|c: char| !c.is_ascii_digit()).next()?;
    Some((first.parse().ok()?, second.parse().ok()?))
}

/// An architecture as profiles name it in conditions.
fn go_architecture(kernel: &str) -> &str {
    match kernel {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "i386" | "i686" | "x86" => "x86",
        "armv6l" | "armv7l" | "armhf" => "arm",
        "loongarch64" => "loong64",
        other => other,
    }
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

    const USUAL: Confined<'static, &str> =
        Confined { capabilities: &["CHOWN"], architecture: Some("x86_64"), kernel: Some("6.1.0-18-amd64") };

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
            assert_eq!(allows_all(profile, &USUAL), expected, "{profile}");
        }
        let every: Vec<String> = DANGEROUS.iter().map(|c| format!("\"{c}\"")).collect();
        let listed = format!(
            r#"{{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{{"names":[{}],"action":"SCMP_ACT_ALLOW"}}]}}"#,
            every.join(",")
        );
        assert_eq!(allows_all(&listed, &USUAL), Some(true));
    }

    #[test]
    fn rules_count_for_whom_they_are() {
        let profile = |condition: &str| {
            format!(
                r#"{{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{{"names":["mount","bpf"],"action":"SCMP_ACT_ERRNO",{condition}}}]}}"#
            )
        };
        let admin = Confined { capabilities: &["SYS_ADMIN"], ..USUAL };
        let arm = Confined { architecture: Some("aarch64"), ..USUAL };
        let somewhere = Confined { architecture: None, kernel: None, ..USUAL };
        let old = Confined { kernel: Some("4.7"), ..USUAL };
        for (condition, confined, expected) in [
            (r#""includes":{},"excludes":{},"args":[]"#, &USUAL, Some(false)),
            (r#""includes":{"arches":["s390x"]}"#, &USUAL, Some(true)),
            (r#""includes":{"arches":["amd64","x32"]}"#, &USUAL, Some(false)),
            (r#""includes":{"arches":["amd64"]}"#, &arm, Some(true)),
            (r#""includes":{"arches":["amd64"]}"#, &somewhere, None),
            (r#""excludes":{"arches":["amd64"]}"#, &USUAL, Some(true)),
            (r#""excludes":{"arches":["amd64"]}"#, &arm, Some(false)),
            (r#""excludes":{"caps":["CAP_SYS_ADMIN"]}"#, &USUAL, Some(false)),
            (r#""excludes":{"caps":["CAP_SYS_ADMIN"]}"#, &admin, Some(true)),
            (r#""includes":{"caps":["CAP_SYS_ADMIN"]}"#, &USUAL, Some(true)),
            (r#""includes":{"caps":["CAP_SYS_ADMIN"]}"#, &admin, Some(false)),
            (r#""includes":{"minKernel":"4.8"}"#, &USUAL, Some(false)),
            (r#""includes":{"minKernel":"6.1"}"#, &USUAL, Some(false)),
            (r#""includes":{"minKernel":"6.10"}"#, &USUAL, Some(true)),
            (r#""includes":{"minKernel":"4.8"}"#, &old, Some(true)),
            (r#""excludes":{"minKernel":"4.8"}"#, &USUAL, Some(true)),
            (r#""excludes":{"minKernel":"4.8"}"#, &old, Some(false)),
            (r#""includes":{"minKernel":"4.8"}"#, &somewhere, None),
            (r#""includes":{"minKernel":"four"}"#, &USUAL, None),
            (r#""includes":{"minKernel":4.8}"#, &USUAL, None),
            // What fits in nothing else is certain whatever the kernel is.
            (r#""includes":{"minKernel":"4.8","arches":["s390x"]}"#, &somewhere, None),
            (r#""includes":{"minKernel":"4.8","caps":["CAP_SYS_ADMIN"]}"#, &somewhere, Some(true)),
            (r#""args":[{"index":0,"value":4294967295,"op":"SCMP_CMP_EQ"}]"#, &USUAL, Some(true)),
        ] {
            assert_eq!(allows_all(&profile(condition), confined), expected, "{condition}");
        }
    }
}
