//! Sections 1 and 3 of the benchmark and our own checks of the host, its files and its clients.
//!
//! Host files come from fixtures under `--root`; the daemon's own files, mounts and the rights of whoever runs the program
//! are the machine's own.

mod support;

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::path::Path;
use std::process::Command;

use seaworthy_bed::{Daemon, Spec, Version};
use support::{audit, audit_by, audit_root};

/// A host: its name, its files with their modes, and what is expected of it.
type Host<'a> = (&'a str, Vec<(&'a str, &'a str, u32)>, Vec<Row>);

type Row = (&'static str, &'static str, &'static str);

const PASSWD: &str = "root:x:0:0:root:/root:/bin/bash\nalice:x:1000:1000::/home/alice:/bin/bash\n";
const GROUP: &str = "root:x:0:\ndocker:x:990:\nalice:x:1000:\n";
const FILES_ONLY: &str = "passwd: files\ngroup: files\n";
const SSHD: &str = "usr/sbin/sshd";

/// A host of these files (path, content, mode); what every host has comes first.
fn host(files: &[(&str, &str, u32)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).expect("chmod");
    let usual = [("etc/passwd", PASSWD, 0o644), ("etc/group", GROUP, 0o644), ("etc/nsswitch.conf", FILES_ONLY, 0o644)];
    for (path, content, mode) in usual.iter().chain(files) {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("mkdir");
        fs::write(&path, content).expect("write");
        fs::set_permissions(&path, fs::Permissions::from_mode(*mode)).expect("chmod");
    }
    dir
}

fn engine(version: Version) -> Option<Daemon> {
    Daemon::require(version, Spec { bridge: seaworthy_bed::Bridge::None, ..Spec::default() })
}

#[test]
fn accounts_sudo_and_ssh() {
    let Some(daemon) = engine(Version::V20) else { return };
    let hosts: Vec<Host<'_>> = vec![
        (
            "nobody",
            vec![],
            vec![
                ("host/docker-group-trusted", "host", "pass"),
                ("host/sudo-docker", "host", "pass"),
                ("host/ssh-no-passwords", "host", "not-applicable"),
                ("host/ssh-keys-private", "host", "pass"),
            ],
        ),
        (
            "supplementary",
            vec![("etc/group", "root:x:0:\ndocker:x:990:alice\n", 0o644)],
            vec![("host/docker-group-trusted", "host", "manual")],
        ),
        (
            "primary",
            vec![("etc/passwd", "root:x:0:0::/root:/bin/sh\nbob:x:1001:990::/home/bob:/bin/sh\n", 0o644)],
            vec![("host/docker-group-trusted", "host", "manual")],
        ),
        (
            "root only",
            vec![("etc/group", "root:x:0:\ndocker:x:990:root\n", 0o644)],
            vec![("host/docker-group-trusted", "host", "pass")],
        ),
        ("no group", vec![("etc/group", "root:x:0:\n", 0o644)], vec![("host/docker-group-trusted", "host", "pass")]),
        (
            "sss",
            vec![("etc/nsswitch.conf", "passwd: files sss\ngroup: files sss\n", 0o644)],
            vec![("host/docker-group-trusted", "host", "unknown")],
        ),
        (
            "sss and a member",
            vec![
                ("etc/nsswitch.conf", "passwd: files sss\ngroup: files sss\n", 0o644),
                ("etc/group", "root:x:0:\ndocker:x:990:alice\n", 0o644),
            ],
            vec![("host/docker-group-trusted", "host", "manual")],
        ),
        (
            "an administrator of the group",
            vec![("etc/gshadow", "root:*::\ndocker:!:alice:\n", 0o640)],
            vec![("host/docker-group-trusted", "host", "manual")],
        ),
        (
            "a password of the group",
            vec![("etc/gshadow", "root:*::\ndocker:$6$abc$def::\n", 0o640)],
            vec![("host/docker-group-trusted", "host", "unknown")],
        ),
        (
            "sudo for all",
            vec![("etc/sudoers", "root ALL=(ALL:ALL) ALL\nalice ALL=(ALL) ALL\n", 0o440)],
            vec![("host/sudo-docker", "host", "manual"), ("host/sudo-asks-password", "host", "pass")],
        ),
        (
            "sudo by an include",
            vec![
                ("etc/sudoers", "root ALL=(ALL:ALL) ALL\n@includedir /etc/sudoers.d\n", 0o440),
                ("etc/sudoers.d/docker", "alice ALL=(root) NOPASSWD: /usr/bin/docker\n", 0o440),
            ],
            vec![("host/sudo-docker", "host", "manual"), ("host/sudo-asks-password", "host", "fail")],
        ),
        (
            "sudo without docker",
            vec![("etc/sudoers", "# alice ALL=(ALL) ALL\nalice ALL=(root) /usr/bin/id\n", 0o440)],
            vec![("host/sudo-docker", "host", "pass"), ("host/sudo-asks-password", "host", "pass")],
        ),
        (
            "ssh is strict",
            vec![
                (SSHD, "", 0o755),
                (
                    "etc/ssh/sshd_config",
                    "PasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin no\n",
                    0o644,
                ),
            ],
            vec![
                ("host/ssh-no-passwords", "host", "pass"),
                ("host/ssh-no-root", "host", "pass"),
                ("host/ssh-no-empty-passwords", "host", "pass"),
            ],
        ),
        (
            "ssh by default",
            vec![(SSHD, "", 0o755), ("etc/ssh/sshd_config", "# PasswordAuthentication no\n", 0o644)],
            vec![("host/ssh-no-passwords", "host", "fail"), ("host/ssh-no-root", "host", "fail")],
        ),
        (
            "the first value counts",
            vec![
                (SSHD, "", 0o755),
                (
                    "etc/ssh/sshd_config",
                    "Include /etc/ssh/sshd_config.d/*.conf\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin no\n",
                    0o644,
                ),
                ("etc/ssh/sshd_config.d/50-cloud.conf", "PasswordAuthentication yes\n", 0o644),
            ],
            vec![("host/ssh-no-passwords", "host", "fail"), ("host/ssh-no-root", "host", "pass")],
        ),
        (
            "a key in every case",
            vec![
                (SSHD, "", 0o755),
                ("etc/ssh/sshd_config", "AuthenticationMethods publickey publickey,password\n", 0o644),
            ],
            vec![("host/ssh-no-passwords", "host", "pass")],
        ),
        (
            "nobody asks interactively",
            vec![(SSHD, "", 0o755), ("etc/ssh/sshd_config", "PasswordAuthentication no\nUsePAM no\n", 0o644)],
            vec![("host/ssh-no-passwords", "host", "pass")],
        ),
        (
            "PAM asks",
            vec![(SSHD, "", 0o755), ("etc/ssh/sshd_config", "PasswordAuthentication no\nUsePAM yes\n", 0o644)],
            vec![("host/ssh-no-passwords", "host", "fail")],
        ),
        (
            "another server",
            vec![("usr/sbin/dropbear", "", 0o755)],
            vec![
                ("host/ssh-no-passwords", "host", "unknown"),
                ("host/ssh-no-root", "host", "unknown"),
                ("host/ssh-no-empty-passwords", "host", "unknown"),
            ],
        ),
        (
            "another file by the unit",
            vec![
                (SSHD, "", 0o755),
                (
                    "etc/ssh/sshd_config",
                    "PasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin no\n",
                    0o644,
                ),
                ("etc/ssh/other", "PermitRootLogin yes\n", 0o644),
                ("lib/systemd/system/ssh.service", "[Service]\nExecStart=/usr/sbin/sshd -D -f /etc/ssh/other\n", 0o644),
            ],
            vec![("host/ssh-no-passwords", "host", "fail"), ("host/ssh-no-root", "host", "fail")],
        ),
        (
            "a match block",
            vec![
                (SSHD, "", 0o755),
                (
                    "etc/ssh/sshd_config",
                    "PasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin no\nMatch User alice\n  PasswordAuthentication yes\nMatch Address 10.0.0.0/8\n  PermitRootLogin yes\n  PermitEmptyPasswords yes\n",
                    0o644,
                ),
            ],
            vec![
                ("host/ssh-no-passwords", "host", "fail"),
                ("host/ssh-no-root", "host", "fail"),
                ("host/ssh-no-empty-passwords", "host", "fail"),
            ],
        ),
    ];
    for (name, files, table) in hosts {
        audit_root(&daemon.host(), host(&files).path()).expect(name, &table);
    }
}

#[test]
fn whoever_may_put_keys_in_the_place_of_others_is_seen() {
    let Some(daemon) = engine(Version::V20) else { return };
    let host = host(&[("home/alice/.ssh/authorized_keys", "ssh-ed25519 AAAA a\n", 0o600)]);
    let (keys, dir) = (host.path().join("home/alice/.ssh/authorized_keys"), host.path().join("home/alice/.ssh"));
    let expect = |place: &str, verdict: &'static str| {
        audit_root(&daemon.host(), host.path()).expect(place, &[("host/ssh-keys-private", "host", verdict)]);
    };
    chown(&keys, Some(1000), Some(1000)).expect("chown");
    expect("her own", "pass");
    chown(&keys, Some(1001), Some(1000)).expect("chown");
    expect("owned by another", "fail");
    chown(&keys, Some(1000), Some(1000)).expect("chown");
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o777)).expect("chmod");
    expect("in a directory of everybody's", "fail");
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o770)).expect("chmod");
    chown(&dir, Some(1000), Some(1000)).expect("chown");
    expect("in a directory of her own group's", "pass");
    chown(&dir, Some(1000), Some(990)).expect("chown");
    expect("in a directory of another group's", "fail");
}

/// Audits the machine with accounts of a fixture in the place of its own, in a mount namespace.
fn audit_with_accounts(daemon: &Daemon, accounts: &Path) -> support::Report {
    const BIND: &str = "for file in passwd group nsswitch.conf; do mount --bind \"$0/etc/$file\" /etc/$file || exit 1; done; exec \"$@\"";
    let mut command = Command::new("unshare");
    command.args(["-m", "--propagation", "private", "sh", "-c", BIND]);
    command.arg(accounts).arg(env!("CARGO_BIN_EXE_seaworthy"));
    audit_by(command, &daemon.host(), &[])
}

#[test]
fn every_socket_has_a_group_of_its_own() {
    let other = "unix://{dir}/other.sock".to_owned();
    let spec = Spec { bridge: seaworthy_bed::Bridge::None, hosts: vec![other], ..Spec::default() };
    let Some(daemon) = Daemon::require(Version::V20, spec) else { return };
    let group = "root:x:0:\ndocker:x:990:\nbuilders:x:991:alice\n";
    let accounts = host(&[("etc/group", group, 0o644)]);
    let second = daemon.dir().join("other.sock");
    chown(daemon.socket(), Some(0), Some(990)).expect("chown");
    chown(&second, Some(0), Some(0)).expect("chown");
    let trusted = "host/socket-group-trusted";
    audit_with_accounts(&daemon, accounts.path()).expect("nobody", &[(trusted, "host", "pass")]);
    chown(&second, Some(0), Some(991)).expect("chown");
    audit_with_accounts(&daemon, accounts.path()).expect("builders", &[(trusted, "host", "manual")]);
    // Whose processes cannot be seen may listen elsewhere too.
    audit_root(&daemon.host(), accounts.path()).expect("no processes", &[(trusted, "host", "unknown")]);
}

#[test]
fn files_of_the_host() {
    let Some(daemon) = engine(Version::V20) else { return };
    let unit = "[Service]\nExecStart=/usr/sbin/dockerd -H fd://\n";
    // In order.
    let good = host(&[
        ("lib/systemd/system/docker.service", unit, 0o644),
        ("lib/systemd/system/docker.socket", "[Socket]\n", 0o600),
        ("etc/systemd/system/docker.service.d/proxy.conf", "[Service]\n", 0o644),
        ("etc/default/docker", "", 0o640),
        ("etc/docker/key.json", "{}", 0o600),
        ("etc/docker/certs.d/reg.example.com/ca.crt", "x", 0o444),
    ]);
    audit_root(&daemon.host(), good.path()).expect(
        "in order",
        &[
            ("3.1", "", "pass"),
            ("3.2", "", "pass"),
            ("3.3", "", "pass"),
            ("3.4", "", "pass"),
            ("3.5", "", "pass"),
            ("3.6", "", "pass"),
            ("3.7", "", "pass"),
            ("3.8", "", "pass"),
            ("file/default-docker-owner", "", "pass"),
            ("file/default-docker-mode", "", "pass"),
            ("file/sysconfig-docker-mode", "", "not-applicable"),
            ("file/sysconfig-docker-owner", "", "not-applicable"),
            // Whose daemon.json it is was not to be seen: there are no processes under this root.
            ("file/daemon-json-mode", "", "unknown"),
            ("1.1.3", "", "not-applicable"),
        ],
    );
    // Out of order: the override counts, bits and not numbers, links lead to what counts.
    let bad = host(&[
        ("lib/systemd/system/docker.service", unit, 0o644),
        ("etc/systemd/system/docker.service", unit, 0o606),
        ("lib/systemd/system/docker.socket", "[Socket]\n", 0o4644),
        ("etc/default/docker-real", "", 0o602),
        ("etc/sysconfig/docker", "", 0o100),
        ("etc/docker/certs.d/reg.example.com/ca.crt", "x", 0o460),
    ]);
    let at = |path: &str| bad.path().join(path);
    symlink("docker-real", at("etc/default/docker")).expect("link");
    chown(at("lib/systemd/system/docker.socket"), None, Some(990)).expect("chown");
    // Changing the owner takes the bit away.
    fs::set_permissions(at("lib/systemd/system/docker.socket"), fs::Permissions::from_mode(0o4644)).expect("chmod");
    chown(at("etc/docker"), Some(1000), None).expect("chown");
    fs::set_permissions(at("etc/docker"), fs::Permissions::from_mode(0o775)).expect("chmod");
    audit_root(&daemon.host(), bad.path()).expect(
        "out of order",
        &[
            ("3.1", "", "pass"),
            ("3.2", "", "fail"),
            ("3.3", "", "fail"),
            ("3.4", "", "fail"),
            ("3.5", "", "fail"),
            ("3.6", "", "fail"),
            ("3.7", "", "pass"),
            ("3.8", "", "fail"),
            ("file/default-docker-mode", "", "fail"),
            ("file/default-docker-owner", "", "pass"),
            ("file/sysconfig-docker-mode", "", "fail"),
        ],
    );
    // Who writes to a drop-in decides over the unit.
    let open = host(&[
        ("lib/systemd/system/docker.service", unit, 0o644),
        ("lib/systemd/system/docker.socket", "[Socket]\n", 0o644),
        ("etc/systemd/system/docker.service.d/proxy.conf", "[Service]\n", 0o664),
        ("etc/systemd/system/docker.socket.d/mode.conf", "[Socket]\n", 0o644),
    ]);
    symlink("/dev/null", open.path().join("etc/systemd/system/docker.service.d/gone.conf")).expect("link");
    chown(open.path().join("etc/systemd/system/docker.socket.d/mode.conf"), Some(1000), None).expect("chown");
    let expected = [("3.1", "", "pass"), ("3.2", "", "fail"), ("3.3", "", "fail"), ("3.4", "", "pass")];
    audit_root(&daemon.host(), open.path()).expect("drop-ins", &expected);
    // An access list grants what the mode does not show; nothing of all this is on a bare host.
    let listed = host(&[("etc/default/docker", "", 0o640)]);
    grant(&listed.path().join("etc/default/docker"), 1000, 6);
    audit_root(&daemon.host(), listed.path()).expect(
        "an access list",
        &[
            ("file/default-docker-mode", "", "fail"),
            ("3.1", "", "not-applicable"),
            ("3.2", "", "not-applicable"),
            ("3.3", "", "not-applicable"),
            ("3.5", "", "not-applicable"),
            ("3.7", "", "not-applicable"),
        ],
    );
}

/// Gives a user rights by an access list: version 2, then owner, user, group, mask and others.
fn grant(path: &Path, uid: u32, rights: u16) {
    let mut list = vec![2, 0, 0, 0];
    for (tag, bits, id) in
        [(1u16, 6u16, u32::MAX), (2, rights, uid), (4, 4, u32::MAX), (0x10, 7, u32::MAX), (0x20, 0, u32::MAX)]
    {
        list.extend(tag.to_le_bytes());
        list.extend(bits.to_le_bytes());
        list.extend(id.to_le_bytes());
    }
    rustix::fs::setxattr(path, "system.posix_acl_access", &list, rustix::fs::XattrFlags::empty()).expect("setxattr");
}

#[test]
fn clients() {
    let Some(daemon) = engine(Version::V20) else { return };
    let plain = r#"{"auths": {"reg.example.com": {"auth": "dXNlcjpTM0NSRVQ="}}}"#;
    let stored = r#"{"auths": {"reg.example.com": {}}, "credsStore": "secretservice"}"#;
    let dpkg = |version: &str| format!("Package: docker-ce-cli\nStatus: install ok installed\nVersion: {version}\n\n");
    let (old, new) = (dpkg("5:24.0.7-1~debian.12~bookworm"), dpkg("5:29.1.0-1~debian.12~bookworm"));
    let cli = ("usr/bin/docker", "", 0o755);
    let list = ("var/lib/dpkg/info/docker-ce-cli.list", "/.\n/usr\n/usr/bin\n/usr/bin/docker\n", 0o644);
    let hosts: Vec<Host<'_>> = vec![
        (
            "plain credentials",
            vec![("root/.docker/config.json", plain, 0o600)],
            vec![("client/no-plain-credentials", "root", "fail"), ("client/config-private", "root", "pass")],
        ),
        (
            "a store, open to others",
            vec![("root/.docker/config.json", stored, 0o644)],
            vec![("client/no-plain-credentials", "root", "pass"), ("client/config-private", "root", "fail")],
        ),
        (
            "trust",
            vec![
                cli,
                list,
                ("var/lib/dpkg/status", &old, 0o644),
                ("etc/profile.d/d.sh", "export DOCKER_CONTENT_TRUST=1\n", 0o644),
            ],
            vec![("4.5", "root", "pass")],
        ),
        (
            "trust as a comment",
            vec![
                cli,
                list,
                ("var/lib/dpkg/status", &old, 0o644),
                ("etc/profile.d/d.sh", "# export DOCKER_CONTENT_TRUST=1\n", 0o644),
            ],
            vec![("4.5", "root", "fail")],
        ),
        (
            "trust off",
            vec![
                cli,
                list,
                ("var/lib/dpkg/status", &old, 0o644),
                ("etc/profile", "export DOCKER_CONTENT_TRUST=0\n", 0o644),
            ],
            vec![("4.5", "root", "fail")],
        ),
        (
            "trust not exported",
            vec![cli, list, ("var/lib/dpkg/status", &old, 0o644), ("etc/profile", "DOCKER_CONTENT_TRUST=1\n", 0o644)],
            vec![("4.5", "root", "fail")],
        ),
        (
            "a client without trust",
            vec![
                cli,
                list,
                ("var/lib/dpkg/status", &new, 0o644),
                ("etc/profile.d/d.sh", "export DOCKER_CONTENT_TRUST=1\n", 0o644),
            ],
            vec![("client/content-trust", "root", "not-applicable")],
        ),
        (
            "DOCKER_HOST",
            vec![("etc/environment", "DOCKER_HOST=tcp://10.0.0.1:2375\n", 0o644)],
            vec![("client/docker-host-verified", "root", "manual")],
        ),
        (
            "DOCKER_HOST without a scheme",
            vec![("etc/environment", "DOCKER_HOST=10.0.0.1:2375\n", 0o644)],
            vec![("client/docker-host-verified", "root", "manual")],
        ),
    ];
    for (name, files, table) in hosts {
        let report = audit_root(&daemon.host(), host(&files).path());
        report.expect(name, &table);
        assert!(!report.text().contains("dXNlcjp"), "{name}: a credential in the report");
    }
}

#[test]
fn the_way_to_a_client_s_configuration_counts() {
    let Some(daemon) = engine(Version::V20) else { return };
    let host = host(&[("root/.docker/config.json", "{}", 0o644), ("root/.docker/key.pem", "x", 0o644)]);
    let mode = |path: &str, mode| {
        fs::set_permissions(host.path().join(path), fs::Permissions::from_mode(mode)).expect("chmod");
    };
    let expect = |place: &str, config: &'static str, keys: &'static str| {
        let table = [("client/config-private", "root", config), ("client/keys-private", "root", keys)];
        audit_root(&daemon.host(), host.path()).expect(place, &table);
    };
    expect("open to everybody", "fail", "fail");
    mode("root", 0o700);
    expect("in a home that is closed", "pass", "pass");
    mode("root", 0o755);
    mode("root/.docker/config.json", 0o600);
    mode("root/.docker/key.pem", 0o600);
    mode("root/.docker", 0o777);
    expect("to be replaced by everybody", "fail", "pass");
    mode("root/.docker", 0o1777);
    expect("where everybody may add files alone", "pass", "pass");
}

#[test]
fn the_daemons_own_files() {
    for version in [Version::V20, Version::V29] {
        let Some(daemon) = engine(version) else { return };
        let place = version.name();
        let mode = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("chmod");
        // Touching daemon.json would leave open what the daemon has read.
        mode(&daemon.socket(), 0o660);
        chown(daemon.socket(), Some(0), Some(0)).expect("chown");
        audit(&daemon.host(), &[]).expect(
            place,
            &[
                ("3.15", "", "pass"),
                ("3.16", "", "pass"),
                ("file/daemon-json-owner", "", "pass"),
                ("file/daemon-json-mode", "", "pass"),
                ("3.9", "", "not-applicable"),
                ("3.14", "", "not-applicable"),
                ("file/containerd-socket-mode", "", "pass"),
                ("host/data-separate", "host", "fail"),
                ("host/socket-group-trusted", "host", "pass"),
            ],
        );
        mode(&daemon.socket(), 0o606);
        chown(daemon.daemon_json(), Some(1000), None).expect("chown");
        mode(&daemon.daemon_json(), 0o4644);
        audit(&daemon.host(), &[]).expect(
            place,
            &[("3.16", "", "fail"), ("file/daemon-json-owner", "", "fail"), ("file/daemon-json-mode", "", "fail")],
        );
        // An access list on the socket.
        mode(&daemon.socket(), 0o600);
        grant(&daemon.socket(), 1000, 6);
        audit(&daemon.host(), &[]).expect(place, &[("3.16", "", "fail")]);
    }
}

#[test]
fn the_layers_of_a_containerd_of_its_own() {
    // Engine 29 keeps layers with a containerd whose file is found by its process.
    let Some(daemon) = engine(Version::V29) else { return };
    let report = audit(&daemon.host(), &[]);
    report.expect("engine 29", &[("1.1.1", "host", "fail")]);
    let layers = report.fact("host/data-separate", "host", "layers_dir");
    assert_eq!(layers, format!("{}/containerd/root", daemon.dir().display()).as_str());
}

#[test]
fn a_file_system_of_its_own_holds_the_layers_or_does_not() {
    for (version, expected) in [(Version::V20, "pass"), (Version::V29, "fail")] {
        let Some(mut daemon) = engine(version) else { return };
        daemon.stop();
        let data = daemon.dir().join("data");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "none"]).arg(&data).status();
        assert!(mounted.is_ok_and(|s| s.success()), "mount");
        daemon.restart().expect("restart");
        // With Engine 29 the layers lie with containerd, beside it.
        audit(&daemon.host(), &[]).expect(version.name(), &[("1.1.1", "host", expected)]);
    }
}

#[test]
fn who_has_no_rights_learns_nothing_that_is_not_so() {
    let Some(daemon) = engine(Version::V20) else { return };
    for path in [daemon.dir().to_owned(), daemon.socket()] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o777)).expect("chmod");
    }
    let program =
        tempfile::Builder::new().permissions(fs::Permissions::from_mode(0o755)).tempdir().expect("a directory");
    let copy = program.path().join("seaworthy");
    seaworthy_bed::copy_program(Path::new(env!("CARGO_BIN_EXE_seaworthy")), &copy);
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"]).arg(&copy);
    let report = audit_by(command, &daemon.host(), &[]);
    report.expect(
        "nobody",
        &[
            ("1.1.3", "", "unknown"),
            ("host/audit-enabled", "", "unknown"),
            ("host/sudo-docker", "", "unknown"),
            ("2.14", "daemon", "fail"),
            ("2.16", "daemon", "fail"),
        ],
    );
}

#[test]
fn a_process_that_is_only_called_so_is_not_the_daemon() {
    let Some(daemon) = engine(Version::V20) else { return };
    let dir = tempfile::tempdir().expect("a directory");
    let decoy = dir.path().join("dockerd");
    seaworthy_bed::copy_program(Path::new("/bin/sh"), &decoy);
    let mut child = Command::new(&decoy)
        .args(["-c", "while :; do sleep 1; done", "--icc=false", "--live-restore", "--no-new-privileges"])
        .spawn()
        .expect("a decoy");
    let report = audit(&daemon.host(), &[]);
    child.kill().expect("kill");
    child.wait().expect("wait");
    report.expect("a decoy", &[("2.15", "daemon", "fail"), ("2.17", "daemon", "fail"), ("2.9", "daemon", "manual")]);
}
