//! What holds a container's processes back: no-new-privileges, seccomp, AppArmor, SELinux, masked paths.

use std::sync::Arc;

use serde_json::Value as Json;

use super::super::context::Seccomp;
use super::super::json::{Node, Read, cut, podman_hides};
use super::super::sheet::Sheet;
use super::Reading;
use crate::effect::security::{Confined, allows_all, go_bool};

/// The options of `--security-opt` as the engine reads them; the last one of a kind wins.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct SecurityOptions<'a> {
    /// no-new-privileges, where it is said.
    pub no_new_privileges: Option<bool>,
    /// `unconfined`, `builtin`, or the text of a profile.
    pub seccomp: Option<&'a str>,
    /// The AppArmor profile's name.
    pub apparmor: Option<&'a str>,
    /// Whether SELinux labels are switched off.
    pub label_disabled: bool,
    /// Whether control groups can be written to, where it is said.
    pub writable_cgroups: Option<bool>,
}

impl<'a> SecurityOptions<'a> {
    /// Reads the options, in the forms of every API version: `name`, `name=value`, `name:value`.
    pub fn parse<'t: 'a>(options: impl IntoIterator<Item = &'t str>) -> Self {
        let mut out = Self::default();
        for option in options {
            let (name, value) = match option.split_once('=').or_else(|| option.split_once(':')) {
                Some((name, value)) => (name, Some(value)),
                None => (option, None),
            };
            match (name, value) {
                ("no-new-privileges", None) => out.no_new_privileges = Some(true),
                // The engine refuses what Go does not read as a boolean.
                ("no-new-privileges", Some(value)) => out.no_new_privileges = go_bool(value).or(out.no_new_privileges),
                ("writable-cgroups", None) => out.writable_cgroups = Some(true),
                ("writable-cgroups", Some(value)) => out.writable_cgroups = go_bool(value).or(out.writable_cgroups),
                ("seccomp", Some(profile)) => out.seccomp = Some(profile),
                ("apparmor", Some(profile)) => out.apparmor = Some(profile),
                ("label", Some("disable")) | ("disable", None) => out.label_disabled = true,
                _ => {}
            }
        }
        out
    }
}

pub(super) fn fill(sheet: &mut Sheet, c: &Reading<'_>) {
    let texts = c.host.get("SecurityOpt").texts();
    let options = texts.map(SecurityOptions::parse);
    // A program may have set it on itself (a filter of its own needs it), which the next process inside has not.
    let shown = c.seen().is_some_and(|observed| observed.no_new_privileges == Ok(false));
    if !shown && certainly_may_gain(c, &options) {
        sheet.read("no_new_privileges", "HostConfig.SecurityOpt", Ok(false));
    } else {
        c.effect(
            sheet,
            "no_new_privileges",
            ("NoNewPrivs", |o| &o.no_new_privileges),
            ("HostConfig.SecurityOpt", || no_new_privileges(c, options.as_ref().map_err(Arc::clone)?)),
        );
    }
    seccomp_fact(sheet, c, &options);
    c.effect(
        sheet,
        "cgroup_writable",
        ("mountinfo", |o| &o.cgroup_writable),
        ("HostConfig.SecurityOpt, Privileged", || cgroup_writable(c, options.as_ref().map_err(Arc::clone)?)),
    );
    let apparmor = apparmor(c, &options);
    let selinux = selinux(c, &options);
    let has = |lsm: &Read<Option<String>>| matches!(lsm, Ok(Some(_)));
    let label = c.seen().map(|o| (&o.place, &o.label));
    match label {
        Some((place, Ok(Some(label))))
            if c.ctx.host.selinux() != Some(true) && (has(&apparmor) || apparmor.is_err()) =>
        {
            sheet.seen("apparmor", place, "attr/current", Ok(Some(mode_of(label))));
        }
        _ => sheet.read("apparmor", "AppArmorProfile, HostConfig.SecurityOpt", apparmor),
    }
    match label {
        Some((place, Ok(Some(label)))) if c.ctx.host.selinux() == Some(true) => {
            sheet.seen("selinux", place, "attr/current", Ok(Some(cut(label))));
        }
        _ => sheet.read("selinux", "ProcessLabel, HostConfig.SecurityOpt", selinux),
    }
    sheet.read("masked_paths", "HostConfig.MaskedPaths, ReadonlyPaths", masked(c));
}

/// `docker-default (enforce)` is the profile; its mode stays where it is not `enforce`. A profile with the flag
/// `unconfined` is in force by its name only.
fn mode_of(label: &str) -> &str {
    if label.ends_with(" (unconfined)") {
        return "unconfined";
    }
    cut(label.strip_suffix(" (enforce)").unwrap_or(label))
}

fn no_new_privileges(c: &Reading<'_>, options: &SecurityOptions<'_>) -> Read<bool> {
    if let Some(said) = options.no_new_privileges {
        return Ok(said);
    }
    if c.podman() {
        return Ok(false);
    }
    let default = c.ctx.engine.no_new_privileges.clone()?;
    if !default || created_since(c, c.ctx.engine.since) {
        return Ok(default);
    }
    Err("the engine's default is on now, and may have been off when the container was created".into())
}

/// Whether its configuration leaves no doubt: it says no, or it says nothing and was created while the engine's default
/// was what it is now.
fn certainly_may_gain(c: &Reading<'_>, options: &Read<SecurityOptions<'_>>) -> bool {
    match options.as_ref().map(|options| options.no_new_privileges) {
        Ok(Some(said)) => !said,
        Ok(None) if c.podman() => false,
        Ok(None) => c.ctx.engine.no_new_privileges == Ok(false) && created_since(c, c.ctx.engine.since),
        Err(_) => false,
    }
}

/// Whether a container was created after a moment; not, where either is unknown.
fn created_since(c: &Reading<'_>, since: Option<i64>) -> bool {
    matches!((super::timestamp(c.doc.get("Created")), since), (Some(created), Some(since)) if created > since)
}

fn seccomp_fact(sheet: &mut Sheet, c: &Reading<'_>, options: &Read<SecurityOptions<'_>>) {
    let configured = options.as_ref().map_err(Arc::clone).and_then(|options| seccomp(c, options));
    match c.seen().map(|o| (&o.place, &o.seccomp_filter)) {
        Some((place, Ok(false))) => sheet.seen("seccomp", place, "Seccomp", Ok("unconfined")),
        // That there is a filter does not say what it lets through: the configuration does. Where that asks for none,
        // a program put one on itself, or whoever started the engine did; the next process inside may have none.
        _ => sheet.read("seccomp", "HostConfig.SecurityOpt", configured.map(Seccomp::name)),
    }
}

/// The profile by configuration. A privileged container has none, unless it names one and its engine is 23 or newer.
fn seccomp(c: &Reading<'_>, options: &SecurityOptions<'_>) -> Read<Seccomp> {
    let privileged = c.privileged.clone()?;
    match options.seccomp {
        Some("unconfined") => Ok(Seccomp::Unconfined),
        Some(_) if privileged && (c.podman() || c.ctx.engine.api < (1, 42)) => Ok(Seccomp::Unconfined),
        Some("builtin" | "default") => Ok(Seccomp::Default),
        Some(profile) => {
            let capabilities = super::privileges::capabilities(c)?;
            let architecture = c.ctx.engine.architecture.as_deref();
            let kernel = c.ctx.engine.kernel.as_deref();
            match allows_all(profile, &Confined { capabilities: &capabilities, architecture, kernel }) {
                Some(true) => Ok(Seccomp::Unconfined),
                Some(false) => Ok(Seccomp::Custom),
                None => Err("what the profile that it names holds back cannot be told from it".into()),
            }
        }
        None if privileged => Ok(Seccomp::Unconfined),
        None => c.ctx.engine.seccomp.clone(),
    }
}

/// Whether the engine mounts control groups so that they can be written to: where that was asked for, else in privileged
/// containers, and where it maps users, who then own none of them; or whether they come along with a mount.
fn cgroup_writable(c: &Reading<'_>, options: &SecurityOptions<'_>) -> Read<bool> {
    match options.writable_cgroups {
        _ if super::mounts::brings_control_groups(c)? => Ok(true),
        Some(said) => Ok(said),
        None if c.privileged.clone()? => Ok(true),
        None if c.podman() => Err(podman_hides()),
        None => c.ctx.engine.userns.clone(),
    }
}

/// The AppArmor profile by configuration; none where neither engine nor kernel has AppArmor.
fn apparmor(c: &Reading<'_>, options: &Read<SecurityOptions<'_>>) -> Read<Option<String>> {
    let unconfined = || Ok(Some("unconfined".into()));
    if !c.ctx.engine.apparmor.clone()? {
        // An engine that does not use it although the kernel has it leaves its containers without.
        return if c.ctx.host.apparmor() == Some(true) { unconfined() } else { Ok(None) };
    }
    // What the next start takes: a start sets it anew by the options, for a privileged container to none.
    let kept = c.doc.get("AppArmorProfile").text()?;
    if !kept.is_empty() {
        return Ok(Some(cut(kept).into()));
    }
    let options = options.as_ref().map_err(Arc::clone)?;
    if let Some(profile) = options.apparmor.filter(|profile| !profile.is_empty()) {
        return Ok(Some(cut(profile).into()));
    }
    match c.privileged.clone()? {
        true => unconfined(),
        false if c.podman() => Err(podman_hides()),
        false => Ok(Some("docker-default".into())),
    }
}

/// The SELinux label by configuration; none where the kernel has no SELinux.
fn selinux(c: &Reading<'_>, options: &Read<SecurityOptions<'_>>) -> Read<Option<String>> {
    let unconfined = || Ok(Some("unconfined".into()));
    if !c.ctx.engine.selinux.clone()? {
        return match c.ctx.host.selinux() {
            Some(true) => unconfined(),
            Some(false) => Ok(None),
            None => Err("the engine labels nothing, and whether the kernel has SELinux is not known".into()),
        };
    }
    let options = options.as_ref().map_err(Arc::clone)?;
    match c.doc.get("ProcessLabel").text()? {
        "" if c.privileged.clone()? || options.label_disabled => unconfined(),
        "" => Err("the engine labels containers and gave none for this one".into()),
        label => Ok(Some(cut(label).into())),
    }
}

/// Whether the dangerous files are masked. Null on an ordinary container is the engine's default, which masks; on a
/// privileged one nothing is masked; a list says itself, and an empty one masks nothing.
fn masked(c: &Reading<'_>) -> Read<bool> {
    const HIDDEN: [&str; 4] = ["/proc/kcore", "/proc/keys", "/proc/timer_list", "/sys/firmware"];
    const READ_ONLY: [&str; 4] = ["/proc/bus", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];
    if c.privileged.clone()? {
        return Ok(false);
    }
    let covers = |list: Node<'_>, paths: &[&str]| -> Read<bool> {
        if list.is_null() {
            return if c.podman() { Err(podman_hides()) } else { Ok(true) };
        }
        let list = list.list()?;
        Ok(paths.iter().all(|path| list.iter().filter_map(Json::as_str).any(|masked| masked == *path)))
    };
    let hidden = covers(c.host.get("MaskedPaths"), &HIDDEN)?;
    Ok(hidden && covers(c.host.get("ReadonlyPaths"), &READ_ONLY)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_in_every_form() {
        for (option, expected) in [
            ("no-new-privileges", Some(true)),
            ("no-new-privileges:true", Some(true)),
            ("no-new-privileges=true", Some(true)),
            ("no-new-privileges=1", Some(true)),
            ("no-new-privileges:false", Some(false)),
            ("no-new-privileges=F", Some(false)),
            ("no-new-privileges=maybe", None),
        ] {
            assert_eq!(SecurityOptions::parse([option]).no_new_privileges, expected, "{option}");
        }
        let all = SecurityOptions::parse(["seccomp:unconfined", "apparmor=a:b", "label=disable", "seccomp={\"a\":1}"]);
        assert_eq!(all.seccomp, Some("{\"a\":1}"));
        assert_eq!(all.apparmor, Some("a:b"));
        assert!(all.label_disabled);
        for (option, expected) in [("writable-cgroups", Some(true)), ("writable-cgroups=0", Some(false)), ("a", None)] {
            assert_eq!(SecurityOptions::parse([option]).writable_cgroups, expected, "{option}");
        }
        assert_eq!(
            SecurityOptions::parse(["no-new-privileges", "no-new-privileges=false"]).no_new_privileges,
            Some(false)
        );
    }
}
