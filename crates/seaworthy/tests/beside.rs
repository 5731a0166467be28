//! Containers that meet without a network or a volume between them, and what keeps them apart.

#![allow(missing_docs, reason = "tests")]

mod hosts;

use std::collections::BTreeSet;

use hosts::{CATALOG, Host, none, object, strings};
use seaworthy_core::audit::Audit;
use seaworthy_core::schema::docker;
use seaworthy_core::step::Basis;
use seaworthy_core::value::Value;

const DEFAULTS: [&str; 14] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "FSETID",
    "FOWNER",
    "MKNOD",
    "NET_RAW",
    "SETGID",
    "SETUID",
    "SETFCAP",
    "SETPCAP",
    "NET_BIND_SERVICE",
    "SYS_CHROOT",
    "KILL",
    "AUDIT_WRITE",
];

/// A host with a container that looks and one that has something to lose.
fn host(change: impl Fn(&mut Host)) -> Host {
    let mut host = Host::new();
    for name in ["peeker", "vault"] {
        host.container(name);
        host.set(name, "capabilities", strings(&DEFAULTS));
        host.set(name, "root_user", true);
    }
    host.secret("vault");
    change(&mut host);
    host
}

/// How the firmest path from code in the peeker that takes a step is told; nothing where there is none.
fn told(change: impl Fn(&mut Host), step: &str) -> BTreeSet<Basis> {
    let snapshot = host(change).snapshot();
    let catalog = &*CATALOG;
    let audit = Audit::new(&snapshot, &catalog.checks, &catalog.benchmarks, &catalog.benchmarks[0], &[], |_| true);
    let diagram = seaworthy_model::diagram(&snapshot, None);
    let paths = seaworthy_model::paths::paths(&audit, &diagram, &catalog.steps);
    let position = catalog.steps.iter().position(|s| s.id == step).unwrap();
    let from_peeker = |p: &&seaworthy_core::step::Path| {
        p.from.capability().name == "code" && diagram.elements[p.from.element].name == "peeker"
    };
    let all = paths.list.iter().filter(from_peeker).filter(|p| p.hops.iter().any(|h| h.step == position));
    all.map(seaworthy_core::step::Path::basis).min().into_iter().collect()
}

fn proven() -> BTreeSet<Basis> {
    [Basis::Proven].into()
}

fn pid(host: &mut Host) {
    host.set("peeker", "host_pid", true);
}

#[test]
fn root_in_the_hosts_pid_namespace_reads_the_others() {
    let step = "host-process-alike-environment";
    assert_eq!(told(pid, step), proven());
    assert!(told(|_| (), step).is_empty());
    let without = |fact: &'static str, name: &'static str, value: Value| {
        move |host: &mut Host| {
            pid(host);
            host.set(name, fact, value.clone());
        }
    };
    // Root inside is another outside; the kernel is not the host's; one capability less than the other has; the other has
    // one more; the profile lets nobody else look; a label keeps it out.
    assert!(told(without("root_on_host", "peeker", false.into()), step).is_empty());
    assert!(told(without("root_on_host", "vault", false.into()), step).is_empty());
    assert!(told(without("sandboxed", "peeker", true.into()), step).is_empty());
    assert!(told(without("sandboxed", "vault", true.into()), step).is_empty());
    assert!(told(without("capabilities", "peeker", strings(&DEFAULTS[1..])), step).is_empty());
    assert!(told(without("capabilities_added", "vault", strings(&["NET_ADMIN"])), step).is_empty());
    assert!(told(without("apparmor", "vault", "unconfined".into()), step).is_empty());
    assert!(told(without("apparmor", "peeker", "own-profile".into()), step).is_empty());
    assert!(told(without("selinux", "peeker", "system_u:system_r:container_t:s0:c1,c2".into()), step).is_empty());
    assert!(told(without("running", "vault", false.into()), step).is_empty());
    // What is not known makes it possible.
    let unknown = || Value::unknown("it was not read");
    assert_eq!(told(without("host_pid", "peeker", unknown()), step), [Basis::Possible].into());
    assert_eq!(told(without("capabilities_added", "vault", unknown()), step), [Basis::Possible].into());
    // With CAP_SYS_PTRACE the other's capabilities and user namespace do not matter.
    let traces = |host: &mut Host| {
        pid(host);
        host.set("peeker", "capabilities", strings(&["SYS_PTRACE"]));
        host.set("vault", "capabilities_added", strings(&["NET_ADMIN"]));
        host.set("vault", "root_on_host", false);
    };
    assert_eq!(told(traces, "host-process-environment"), proven());
    // Through the other's root directory its mounts are reached.
    let holds = |host: &mut Host| {
        pid(host);
        host.mount("vault", "bind", "/run/docker.sock", "");
    };
    assert_eq!(told(holds, "host-process-alike-root"), proven());
}

#[test]
fn a_directory_that_two_mount_is_shared() {
    let both = |path: &'static str, peeker: bool, vault: bool| {
        move |host: &mut Host| {
            for (name, rw) in [("peeker", peeker), ("vault", vault)] {
                let mount = object(&[
                    ("type", "bind".into()),
                    ("source", path.into()),
                    ("destination", "/data".into()),
                    ("rw", rw.into()),
                    ("propagation", "rprivate".into()),
                    ("volume", "".into()),
                ]);
                host.set(name, "mounts", Value::List(vec![mount]));
            }
        }
    };
    assert_eq!(told(both("/srv/shared", false, true), "shared-directory-read"), proven());
    assert_eq!(told(both("/srv/shared/../shared", true, true), "shared-directory-taint"), [Basis::Assumed].into());
    // Nobody writes; the one that would be read does not; the one that would taint may not.
    assert!(told(both("/srv/shared", false, false), "shared-directory-read").is_empty());
    assert!(told(both("/srv/shared", true, false), "shared-directory-read").is_empty());
    assert!(told(both("/srv/shared", false, true), "shared-directory-taint").is_empty());
    // What decides over the host is told as such.
    assert!(told(both("/etc", true, true), "shared-directory-read").is_empty());
    let apart = |host: &mut Host| {
        host.mount("peeker", "bind", "/srv/a", "");
        host.mount("vault", "bind", "/srv/ab", "");
    };
    assert!(told(apart, "shared-directory-read").is_empty());
    let unknown = |host: &mut Host| {
        host.mount("vault", "bind", "/srv/a", "");
        host.set("peeker", "mounts", Value::unknown("it was not read"));
    };
    assert_eq!(told(unknown, "shared-directory-read"), [Basis::Possible].into());
}

#[test]
fn a_thousand_that_share_one_directory_are_one() {
    let mut host = Host::new();
    for i in 0..1000 {
        let name = format!("c{i}");
        host.container(&name);
        host.set(&name, "networks", none());
        host.mount(&name, "bind", "/srv/shared", "");
    }
    let snapshot = host.snapshot();
    let catalog = &*CATALOG;
    let audit = Audit::new(&snapshot, &catalog.checks, &catalog.benchmarks, &catalog.benchmarks[0], &[], |_| true);
    let diagram = seaworthy_model::diagram(&snapshot, None);
    let paths = seaworthy_model::paths::paths(&audit, &diagram, &catalog.steps);
    let step = catalog.steps.iter().position(|s| s.id == "shared-directory-read").unwrap();
    let takes: Vec<_> = paths.list.iter().filter(|p| p.hops.len() == 1 && p.hops[0].step == step).collect();
    assert_eq!(takes.len(), 1);
    assert_eq!(takes[0].stands_for, (1000, 999));
}

#[test]
fn a_legacy_link_reaches_past_inter_container_communication() {
    let linked = |icc: bool, link: &'static str| {
        move |host: &mut Host| {
            host.on_default_bridge(&["peeker", "vault"]);
            host.set("bridge", "icc", icc);
            host.set("dockerd", "icc", icc);
            host.set("peeker", "links", strings(&[link]));
        }
    };
    assert_eq!(told(linked(false, "/vault:/peeker/db"), "linked-neighbour"), [Basis::Assumed].into());
    assert_eq!(told(linked(false, "/vault:/peeker/db"), "linked-environment"), proven());
    assert!(told(linked(false, "/peeker:/vault/db"), "linked-neighbour").is_empty());
    assert!(told(linked(true, "/other:/peeker/db"), "linked-environment").is_empty());
    let stopped = |host: &mut Host| {
        linked(false, "/vault:/peeker/db")(host);
        host.set("vault", "running", false);
    };
    assert!(told(stopped, "linked-neighbour").is_empty());
}

#[test]
fn a_volume_over_a_device_may_hold_the_host() {
    let volume = |device: &'static str, rw: bool| {
        move |host: &mut Host| {
            let options = strings(&["type=ext4", device]);
            host.add(
                &docker::VOLUME,
                "disk",
                &[("driver", "local".into()), ("binds", Value::Null), ("options", options)],
            );
            let mount = object(&[
                ("type", "volume".into()),
                ("source", "/var/lib/docker/volumes/disk/_data".into()),
                ("destination", "/disk".into()),
                ("rw", rw.into()),
                ("propagation", "".into()),
                ("volume", "disk".into()),
            ]);
            host.set("peeker", "mounts", Value::List(vec![mount]));
        }
    };
    assert_eq!(told(volume("device=/dev/sda1", true), "device-is-host"), [Basis::Assumed].into());
    assert!(told(volume("device=/dev/sda1", false), "device-is-host").is_empty());
    assert!(told(volume("device=tmpfs", true), "device-is-host").is_empty());
    let mapped = |host: &mut Host| {
        volume("device=/dev/sda1", true)(host);
        host.set("peeker", "root_on_host", false);
    };
    assert!(told(mapped, "device-is-host").is_empty());
}
