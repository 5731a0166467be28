//! Every reader of files against what may lie where a file is expected.

use std::os::unix::fs::symlink;
use std::path::Path;

use rustix::fs::{CWD, FileType, Mode};

use super::accounts::Accounts;
use super::client::Client;
use super::containerd::Containerd;
use super::gap::Gap;
use super::packages::{Installed, OsRelease, Packages};
use super::registry_certs::RegistryCerts;
use super::root::Root;
use super::sshd::{Setting, Sshd};
use super::sudoers::Reach;

const PATHS: [&str; 16] = [
    "/etc/group",
    "/etc/nsswitch.conf",
    "/etc/sudoers",
    "/etc/doas.conf",
    "/etc/ssh/sshd_config",
    "/etc/default/ssh",
    "/var/lib/dpkg/status",
    "/lib/apk/db/installed",
    "/etc/os-release",
    "/etc/environment",
    "/etc/profile",
    "/home/a/.bashrc",
    "/home/a/.docker/config.json",
    "/home/a/.ssh/authorized_keys",
    "/etc/containerd/config.toml",
    "/etc/docker/certs.d/r/ca.crt",
];

/// Puts the same thing at every path and reads all of it.
fn gaps(put: impl Fn(&Path)) -> Vec<Gap> {
    let dir = tempfile::tempdir().unwrap();
    for path in PATHS {
        let path = dir.path().join(&path[1..]);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        put(&path);
    }
    std::fs::write(dir.path().join("etc/passwd"), "a:x:1000:1000::/home/a:/bin/bash\n").unwrap();
    let root = Root::open(dir.path()).unwrap();
    let accounts = Accounts::read(&root);
    assert_eq!(accounts.members("docker").group_exists, None);
    let packages = Packages::read(&root);
    assert!(matches!(packages.find("docker-ce"), Installed::Unknown(_)));
    let mut gaps = Vec::new();
    OsRelease::read(&root, &mut gaps);
    let reach = Reach::read(&root, &accounts, "docker");
    assert!(!reach.is_complete());
    let sshd = Sshd::read(&root, &accounts);
    assert!(matches!(sshd.setting("PermitRootLogin"), Setting::Unknown(_)));
    let client = Client::read(&root, &accounts, &packages, None);
    assert!(!client.environment_complete);
    let containerd = Containerd::read(&root);
    assert!(containerd.unread.is_some());
    let certs = RegistryCerts::read(&root, &accounts);
    let lists = [accounts.gaps, packages.gaps, reach.gaps, sshd.gaps, client.gaps, containerd.gaps, certs.gaps];
    gaps.extend(lists.into_iter().flatten());
    gaps
}

fn assert_all_told(gaps: &[Gap], reason: &str, but: &[&str]) {
    for path in PATHS.iter().filter(|path| !but.contains(path)) {
        assert!(gaps.iter().any(|gap| gap.source == *path && gap.reason.contains(reason)), "{path}: {gaps:#?}");
    }
}

#[test]
fn a_fifo_does_not_hang_and_is_said() {
    let put = |path: &Path| rustix::fs::mknodat(CWD, path, FileType::Fifo, Mode::RUSR, 0).unwrap();
    // Of a certificate only owner, mode and kind are read.
    assert_all_told(&gaps(put), "is a FIFO", &["/etc/docker/certs.d/r/ca.crt"]);
}

#[test]
fn a_link_that_leads_to_itself_is_said() {
    let put = |path: &Path| symlink(path.file_name().unwrap(), path).unwrap();
    assert_all_told(&gaps(put), "in a circle", &[]);
}

#[test]
fn a_file_without_end_is_said() {
    // Sparse: it takes no room.
    let put = |path: &Path| std::fs::File::create(path).unwrap().set_len(1 << 40).unwrap();
    assert_all_told(&gaps(put), "larger than", &["/etc/docker/certs.d/r/ca.crt"]);
}
