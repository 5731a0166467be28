//! On the machine's own kernel, and on rule files under a temporary root.

use std::fs;
use std::process::Command;

use super::kernel::Status;
use super::*;

/// A host under a temporary root, with a rule directory that `augenrules` merges.
fn host(root: &Path) -> Host {
    for dir in ["etc/audit/rules.d", "etc/docker", "usr/sbin", "run/containerd", "var/lib/docker"] {
        fs::create_dir_all(root.join(dir)).unwrap();
    }
    fs::write(root.join("usr/sbin/augenrules"), "").unwrap();
    fs::write(root.join("etc/audit/audit.rules"), "-D\n-b 8192\n-e 2\n").unwrap();
    Host { root: root.into(), engine: None, daemon: None, transaction: "0".into() }
}

fn watch(path: &str, directory: bool) -> Watch {
    Watch { path: path.into(), directory, permissions: "aw".into(), kernel: true, disk: true }
}

fn rules(watches: &[Watch]) -> AuditRules {
    AuditRules { watches: watches.to_vec(), enable: false }
}

fn keep(root: &Path) -> Keep {
    Keep::at(root)
}

fn all(root: &Path) -> Vec<(String, Option<String>)> {
    [disk::PART, disk::LOADED].map(|p| (p.to_owned(), fs::read_to_string(root.join(&p[1..])).ok())).into()
}

#[test]
fn files_hold_the_rules_and_are_given_back_to_the_byte() {
    let root = tempfile::tempdir().unwrap();
    let (host, mut keep) = (host(root.path()), keep(root.path()));
    let was = all(root.path());
    let (docker, runc) = (watch("/etc/docker", true), watch("/usr/sbin/runc", false));
    let first = rules(std::slice::from_ref(&docker));
    let second = rules(&[docker, runc]);
    for order in [[0, 1], [1, 0]] {
        let mut undos = Vec::new();
        for change in [&first, &second] {
            change.check(&host).unwrap();
            let undo = change.prepare(&host, &mut keep).unwrap();
            assert!(change.verify(&host, &undo).is_err() || undos.len() == 1);
            change.apply(&host, &undo).unwrap();
            change.apply(&host, &undo).unwrap();
            assert_eq!(change.verify(&host, &undo).unwrap(), Effect::InEffect);
            undos.push(undo);
        }
        for (path, text) in all(root.path()) {
            let text = text.unwrap();
            assert_eq!(text.matches("-w /etc/docker -p wa -k seaworthy\n").count(), 1, "{path}: {text}");
            assert!(text.find("-w /usr/sbin/runc") < text.find("-e 2").or(Some(usize::MAX)), "{path}: {text}");
        }
        for index in order {
            let change = [&first, &second][index];
            assert_eq!(change.undo(&host, &keep, &undos[index]).unwrap(), Undone::Restored);
            assert_eq!(change.undo(&host, &keep, &undos[index]).unwrap(), Undone::Nothing);
            assert!(change.verify(&host, &undos[index]).is_err());
        }
        assert_eq!(all(root.path()), was);
    }
}

#[test]
fn what_others_write_is_left_and_named() {
    let root = tempfile::tempdir().unwrap();
    let (host, mut keep) = (host(root.path()), keep(root.path()));
    let change = rules(&[watch("/etc/docker", true), watch("/usr/sbin/runc", false)]);
    let undo = change.prepare(&host, &mut keep).unwrap();
    change.apply(&host, &undo).unwrap();
    let part = root.path().join(&disk::PART[1..]);
    let text = fs::read_to_string(&part).unwrap();
    fs::write(&part, text.replace("/etc/docker -p wa", "/etc/docker -p rwa") + "-w /etc/passwd -p wa -k id\n").unwrap();
    // augenrules has merged since: no marks, another order.
    let merged = "-D\n\n-w /etc/passwd -p wa -k id\n-w /usr/sbin/runc -p wa -k seaworthy\n-e 2\n";
    fs::write(root.path().join(&disk::LOADED[1..]), merged).unwrap();
    assert!(change.verify(&host, &undo).unwrap_err().0.contains("/etc/docker -p wa"));
    let Undone::Drifted(named) = change.undo(&host, &keep, &undo).unwrap() else { panic!("drifted") };
    assert_eq!(named.len(), 1, "{named:?}");
    assert!(named[0].contains("-w /etc/docker -p rwa -k seaworthy"), "{named:?}");
    let part = fs::read_to_string(part).unwrap();
    assert!(part.contains("/etc/docker -p rwa") && part.contains("/etc/passwd") && !part.contains("runc"), "{part}");
    let loaded = fs::read_to_string(root.path().join(&disk::LOADED[1..])).unwrap();
    assert_eq!(loaded, "-D\n\n-w /etc/passwd -p wa -k id\n-e 2\n");
}

#[test]
fn what_would_harm_is_refused_and_says_why() {
    let root = tempfile::tempdir().unwrap();
    let host = host(root.path());
    let said = |watch: Watch| rules(&[watch]).check(&host).unwrap_err();
    for (path, words) in [
        ("/nowhere/file", "/nowhere is not there"),
        ("/etc/docker/a b", "cannot express"),
        ("/etc/docker/a\n-D", "cannot express"),
        ("/etc/docker/../x", "without .."),
        ("/etc/docker/", "without .."),
        ("etc/docker", "cannot express"),
        ("/", "not watched"),
        ("/run/containerd/containerd.sock", "made after auditd"),
    ] {
        let refusal = said(watch(path, false));
        assert!(matches!(&refusal, Refusal::Refused(line) if line.contains(words)), "{path}: {refusal}");
    }
    assert!(matches!(said(Watch { permissions: "wq".into(), ..watch("/etc/docker", true) }), Refusal::Refused(_)));
    assert!(matches!(said(watch("/etc/docker", false)), Refusal::Stale(_)));
    assert!(matches!(said(watch("/etc/docker/gone", true)), Refusal::Stale(_)));
    // In the kernel alone it is good.
    let sock = Watch { disk: false, ..watch("/run/containerd/containerd.sock", false) };
    rules(&[sock]).check(&host).unwrap();
    // The data directory: only where a full disk stops nothing.
    for (conf, good) in [
        ("disk_full_action = SUSPEND\n", false),
        ("Disk_Full_Action=halt\n", false),
        ("admin_space_left_action = single\n", false),
        ("# disk_full_action = halt\ndisk_full_action = ROTATE\nspace_left_action = SYSLOG\n", true),
    ] {
        fs::write(root.path().join("etc/audit/auditd.conf"), conf).unwrap();
        for (path, noisy) in [("/var/lib/docker", true), ("/var/lib", true), ("/etc/docker", false)] {
            let checked = rules(&[watch(path, true)]).check(&host);
            assert_eq!(checked.is_ok(), good || !noisy, "{conf} {path}: {checked:?}");
        }
    }
    assert!(noise(&watch("/srv/docker", true), &["/srv/docker".into()]).unwrap().contains("every write"));
    assert!(fades(&watch("/run/containerd", true)).unwrap().contains("its own entry"));
    assert_eq!(fades(&watch("/etc/docker", true)), None);
    fs::write(root.path().join("etc/audit/rules.d/a.rules"), "-e 0\n").unwrap();
    let on = AuditRules { watches: Vec::new(), enable: true };
    assert!(on.check(&host).unwrap_err().to_string().contains("-e 0"));
    // Nothing to load rules at a boot.
    fs::remove_dir_all(root.path().join("etc/audit")).unwrap();
    assert!(said(watch("/etc/docker", true)).to_string().contains("install auditd"));
}

#[test]
fn without_merging_the_loaded_file_is_edited_alone() {
    let root = tempfile::tempdir().unwrap();
    let (host, mut keep) = (host(root.path()), keep(root.path()));
    fs::remove_file(root.path().join("usr/sbin/augenrules")).unwrap();
    fs::remove_file(root.path().join("etc/audit/audit.rules")).unwrap();
    let change = rules(&[watch("/etc/docker", true)]);
    change.check(&host).unwrap();
    let undo = change.prepare(&host, &mut keep).unwrap();
    change.apply(&host, &undo).unwrap();
    let [(_, part), (_, loaded)] = all(root.path()).try_into().unwrap();
    assert_eq!(part, None);
    assert!(loaded.unwrap().contains("-w /etc/docker -p wa -k seaworthy"));
    assert_eq!(change.undo(&host, &keep, &undo).unwrap(), Undone::Restored);
}

/// The kernel's table while a test has it: given back as it was.
struct Kernel {
    _lock: fs::File,
    table: Table,
    was: (Status, Vec<Rule>),
    dir: tempfile::TempDir,
}

impl Kernel {
    /// None where the kernel's audit table is not ours to change.
    fn take() -> Option<Self> {
        let lock = seaworthy_bed::audit_table();
        let mut table = Table::open().ok()?;
        let was = table.status().ok().filter(|s| s.enabled != 2).and_then(|s| Some((s, table.rules().ok()?)));
        if was.is_none() {
            eprintln!("skipped: the kernel's audit rules may not be changed here");
        }
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("etc")).unwrap();
        Some(Self { _lock: lock, table, was: was?, dir })
    }

    /// Watches of a directory and of a file that is not there, in the kernel alone.
    fn watches(&self) -> [Watch; 2] {
        let at = |name: &str| self.dir.path().join(name).display().to_string();
        [(at("etc"), true), (at("none"), false)].map(|(path, dir)| Watch { disk: false, ..watch(&path, dir) })
    }

    fn host(&self) -> Host {
        Host { root: "/".into(), engine: None, daemon: None, transaction: "0".into() }
    }

    fn holds(&mut self, watch: &Watch) -> bool {
        self.table.rules().unwrap().contains(&Rule::of(watch))
    }
}

impl Drop for Kernel {
    fn drop(&mut self) {
        for watch in self.watches() {
            let _ = self.table.delete(&watch);
        }
        let on = self.table.enable(self.was.0.enabled == 1);
        let now = self.table.rules();
        if !std::thread::panicking() {
            assert_eq!((on, now), (Ok(()), Ok(self.was.1.clone())), "the table was not given back");
        }
    }
}

#[test]
fn the_kernel_holds_what_was_loaded_and_loses_nothing_else() {
    let Some(mut kernel) = Kernel::take() else { return };
    kernel.table.enable(true).unwrap();
    let (host, mut keep) = (kernel.host(), keep(Path::new("/nowhere")));
    let [dir, file] = kernel.watches();
    kernel.table.foreign(&dir, "docker", true).unwrap();
    let (first, second) = (rules(std::slice::from_ref(&dir)), rules(&[dir.clone(), file.clone()]));
    for order in [[0, 1], [1, 0]] {
        let mut undos = Vec::new();
        for change in [&first, &second] {
            change.check(&host).unwrap();
            let undo = change.prepare(&host, &mut keep).unwrap();
            change.apply(&host, &undo).unwrap();
            // Loaded twice, which the kernel answers with EEXIST.
            change.apply(&host, &undo).unwrap();
            assert_eq!(change.verify(&host, &undo).unwrap(), Effect::InEffect);
            undos.push(undo);
        }
        if let Ok(listed) = Command::new("auditctl").arg("-l").output() {
            let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
            assert!(listed.contains(&line(&dir)) && listed.contains(&line(&file)), "{listed}");
        }
        for index in order {
            let change = [&first, &second][index];
            assert_eq!(change.undo(&host, &keep, &undos[index]).unwrap(), Undone::Restored);
            assert_eq!(change.undo(&host, &keep, &undos[index]).unwrap(), Undone::Nothing);
        }
        assert!(!kernel.holds(&dir) && !kernel.holds(&file));
        assert!(second.verify(&host, &undos[1]).is_err());
    }
    // What was there before is not ours to take out, nor what others put in its place.
    kernel.table.add(&dir).unwrap();
    let undo = first.prepare(&host, &mut keep).unwrap();
    first.apply(&host, &undo).unwrap();
    assert_eq!(first.undo(&host, &keep, &undo).unwrap(), Undone::Nothing);
    assert!(kernel.holds(&dir));
    kernel.table.foreign(&dir, "docker", false).expect("the foreign rule is there still");
}

#[test]
fn recording_is_switched_on_and_off_again_where_nobody_else_needs_it() {
    let Some(mut kernel) = Kernel::take() else { return };
    if kernel.was.0.receiver != 0 {
        eprintln!("skipped: auditd takes this machine's records");
        return;
    }
    kernel.table.enable(false).unwrap();
    let (host, mut keep) = (kernel.host(), keep(Path::new("/nowhere")));
    let [dir, file] = kernel.watches();
    let off = rules(std::slice::from_ref(&dir));
    assert!(off.check(&host).unwrap_err().to_string().contains("auditctl -e 1"));
    let on = AuditRules { enable: true, ..off.clone() };
    on.check(&host).unwrap();
    for other in [false, true] {
        let undo = on.prepare(&host, &mut keep).unwrap();
        // Before it begins there is nothing to undo.
        assert_eq!(on.undo(&host, &keep, &undo).unwrap(), Undone::Nothing);
        on.apply(&host, &undo).unwrap();
        assert_eq!(on.verify(&host, &undo).unwrap(), Effect::InEffect);
        assert_eq!(kernel.table.status().unwrap().enabled, 1);
        if other {
            kernel.table.add(&file).unwrap();
            let Undone::Drifted(named) = on.undo(&host, &keep, &undo).unwrap() else { panic!("drifted") };
            assert!(named[0].contains("loaded since"), "{named:?}");
            assert!(!kernel.holds(&dir) && kernel.holds(&file));
        } else {
            assert_eq!(on.undo(&host, &keep, &undo).unwrap(), Undone::Restored);
            assert_eq!(on.undo(&host, &keep, &undo).unwrap(), Undone::Nothing);
        }
        assert_eq!(kernel.table.status().unwrap().enabled, u32::from(other));
    }
    // Switched off since: the rules are there and record nothing.
    kernel.table.enable(true).unwrap();
    let undo = off.prepare(&host, &mut keep).unwrap();
    off.apply(&host, &undo).unwrap();
    kernel.table.enable(false).unwrap();
    assert!(off.verify(&host, &undo).unwrap_err().0.contains("records nothing"));
}

#[test]
fn without_the_right_it_is_refused() {
    let Some(kernel) = Kernel::take() else { return };
    let change = rules(&kernel.watches());
    let host = kernel.host();
    let refused = std::thread::spawn(move || {
        // Of this thread alone.
        let mut sets = rustix::thread::capabilities(None).unwrap();
        sets.effective.remove(rustix::thread::CapabilitySet::AUDIT_CONTROL);
        rustix::thread::set_capabilities(None, sets).unwrap();
        change.check(&host).unwrap_err()
    });
    assert!(refused.join().unwrap().to_string().contains("CAP_AUDIT_CONTROL"));
}

#[test]
fn auditctl_loads_the_lines_that_are_written_and_takes_out_what_was_loaded() {
    let Some(mut kernel) = Kernel::take() else { return };
    kernel.table.enable(true).unwrap();
    let (host, mut keep) = (kernel.host(), keep(Path::new("/nowhere")));
    let [dir, file] = kernel.watches();
    let change = rules(&[dir.clone(), file.clone()]);
    let undo = change.prepare(&host, &mut keep).unwrap();
    change.apply(&host, &undo).unwrap();
    for watch in [&dir, &file] {
        let rule = line(watch).replacen("-w", "-W", 1);
        let Ok(taken) = Command::new("auditctl").args(rule.split(' ')).output() else { return };
        assert!(taken.status.success() && !kernel.holds(watch), "{taken:?}");
    }
    // Auditd starts again: the rules are the same, whoever loaded them, and are ours to undo.
    let path = kernel.dir.path().join("rules");
    fs::write(&path, format!("{}\n{}\n", line(&dir), line(&file))).unwrap();
    let loaded = Command::new("auditctl").arg("-R").arg(&path).output().unwrap();
    assert!(loaded.status.success(), "{loaded:?}");
    assert_eq!(change.verify(&host, &undo).unwrap(), Effect::InEffect);
    // At a boot there is no directory yet under /run, and the line is a rule for the entry alone.
    let entry = Watch { directory: false, ..dir.clone() };
    assert!(kernel.table.delete(&dir).unwrap());
    kernel.table.add(&entry).unwrap();
    assert!(change.verify(&host, &undo).is_err());
    assert_eq!(change.undo(&host, &keep, &undo).unwrap(), Undone::Restored);
    assert!(![&dir, &entry, &file].map(|watch| kernel.holds(watch)).contains(&true));
}
