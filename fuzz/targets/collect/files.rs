//! Files of a host, put into a directory and read as the collector reads them.

use std::fs;
use std::path::Path;
use std::sync::Mutex;

use seaworthy_collect::host::accounts::Accounts;
use seaworthy_collect::host::audit::coverage::{Kind, Table};
use seaworthy_collect::host::audit::rules::describe;
use seaworthy_collect::host::audit::watched::Watched;
use seaworthy_collect::host::audit::{file, log};
use seaworthy_collect::host::client::Client;
use seaworthy_collect::host::containerd::Containerd;
use seaworthy_collect::host::glob as globs;
use seaworthy_collect::host::packages::{OsRelease, Packages};
use seaworthy_collect::host::root::Root;
use seaworthy_collect::host::sshd::Sshd;
use seaworthy_collect::host::sudoers::Reach;
use seaworthy_collect::host::units as unit_files;

use super::pieces;

const PASSWD: &[u8] = b"root:x:0:0::/root:/bin/bash\na:x:1000:1000::/home/a:/bin/bash\n";
const GROUP: &[u8] = b"root:x:0:\nsudo:x:27:a\ndocker:x:999:a\n";

/// Gives `read` a root with these files. The directory is made once and its files are written anew, which makes
/// thousands of runs a second possible.
fn host<T>(files: &[(&str, &[u8])], read: impl FnOnce(&Root) -> T) -> T {
    static DIRECTORY: Mutex<Option<tempfile::TempDir>> = Mutex::new(None);
    let mut directory = DIRECTORY.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    // Memory, where there is such a file system.
    let memory = Path::new("/dev/shm");
    let place = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    let directory = directory.get_or_insert_with(|| tempfile::tempdir_in(place).expect("a directory can be made"));
    let paths: Vec<_> = files.iter().map(|(path, _)| directory.path().join(&path[1..])).collect();
    for (path, (_, bytes)) in paths.iter().zip(files) {
        if fs::write(path, bytes).is_err() {
            fs::create_dir_all(path.parent().expect("a path beneath the root")).expect("a directory can be made");
            fs::write(path, bytes).expect("a file can be written");
        }
    }
    let result = read(&Root::open(directory.path()).expect("a root can be opened"));
    for path in paths {
        fs::remove_file(path).expect("a file can be removed");
    }
    result
}

/// passwd, group, nsswitch.conf.
pub fn accounts(data: &[u8]) {
    let [passwd, group, nsswitch] = pieces(data);
    let files = [("/etc/passwd", passwd), ("/etc/group", group), ("/etc/nsswitch.conf", nsswitch)];
    host(&files, |root| {
        let accounts = Accounts::read(root);
        accounts.members("docker");
        accounts.beyond();
        accounts.group_names(0);
    });
}

/// sudoers, a file that it may include, doas.conf.
pub fn sudoers(data: &[u8]) {
    let [main, included, doas] = pieces(data);
    let files = [
        ("/etc/passwd", PASSWD),
        ("/etc/group", GROUP),
        ("/etc/sudoers", main),
        ("/etc/sudoers.d/a", included),
        ("/etc/doas.conf", doas),
    ];
    host(&files, |root| {
        let accounts = Accounts::read(root);
        let reach = Reach::read(root, &accounts, "docker");
        for grant in &reach.grants {
            grant.people(&accounts);
        }
        reach.is_complete();
    });
}

/// sshd_config, a file that it may include, authorized_keys.
pub fn sshd(data: &[u8]) {
    let [main, included, keys] = pieces(data);
    let files = [
        ("/etc/passwd", PASSWD),
        ("/etc/group", GROUP),
        ("/usr/sbin/sshd", b""),
        ("/etc/ssh/sshd_config", main),
        ("/etc/ssh/sshd_config.d/a.conf", included),
        ("/home/a/.ssh/authorized_keys", keys),
    ];
    host(&files, |root| {
        let sshd = Sshd::read(root, &Accounts::read(root));
        for keyword in ["PermitRootLogin", "PasswordAuthentication", "Port", "AuthorizedKeysFile"] {
            sshd.setting(keyword);
        }
        sshd.listeners();
    });
}

/// dpkg's status, a package's list, apk's database, os-release.
pub fn packages(data: &[u8]) {
    let [status, list, apk, release] = pieces(data);
    let files = [
        ("/var/lib/dpkg/status", status),
        ("/var/lib/dpkg/info/docker-ce.list", list),
        ("/var/lib/dpkg/diversions", list),
        ("/lib/apk/db/installed", apk),
        ("/etc/os-release", release),
    ];
    host(&files, |root| {
        let packages = Packages::read(root);
        packages.docker_cli();
        packages.kernels().count();
        assert_eq!(packages.owners(root, &["/usr/bin/dockerd", "/bin/sh"]).len(), 2);
        OsRelease::read(root, &mut Vec::new());
    });
}

/// rpm's database, and the log beside it.
pub fn rpm(data: &[u8]) {
    let [database, log] = pieces(data);
    // The first piece ends with the line's end that parts them.
    let database = if log.is_empty() { data } else { &database[..database.len() - 1] };
    host(&[("/var/lib/rpm/rpmdb.sqlite", database), ("/var/lib/rpm/rpmdb.sqlite-wal", log)], |root| {
        let packages = Packages::read(root);
        packages.docker_cli();
        assert_eq!(packages.owners(root, &["/usr/bin/dockerd", "/bin/sh"]).len(), 2);
    });
}

/// A unit, a drop-in.
pub fn units(data: &[u8]) {
    let [unit, drop_in] = pieces(data);
    let files =
        [("/lib/systemd/system/docker.service", unit), ("/etc/systemd/system/docker.service.d/a.conf", drop_in)];
    host(&files, |root| {
        let unit = unit_files::read(root, "docker.service");
        unit.last("Service.ExecStart");
        unit.all("Service.Environment");
    });
}

/// containerd's configuration, a file that it may import.
pub fn containerd(data: &[u8]) {
    let [main, imported] = pieces(data);
    let files = [("/etc/containerd/config.toml", main), ("/etc/containerd/conf.d/a.toml", imported)];
    host(&files, |root| {
        Containerd::read(root);
    });
}

/// A user's config.json, a context, .bashrc, /etc/environment. What stands as a credential is never kept.
pub fn client(data: &[u8]) {
    let [config, context, shell, environment] = pieces(data);
    let files = [
        ("/etc/passwd", PASSWD),
        ("/etc/group", GROUP),
        ("/home/a/.docker/config.json", config),
        ("/home/a/.docker/contexts/meta/abc/meta.json", context),
        ("/home/a/.bashrc", shell),
        ("/etc/environment", environment),
    ];
    let client = host(&files, |root| Client::read(root, &Accounts::read(root), &Packages::default(), None));
    let Ok(json) = serde_json::from_slice::<serde_json::Value>(config) else { return };
    let auths = json.get("auths").and_then(|a| a.as_object()).into_iter().flatten();
    let shown = format!("{client:?}");
    for (registry, entry) in auths {
        for secret in ["auth", "password", "identitytoken"].iter().filter_map(|k| entry.get(k)?.as_str()) {
            // Short ones, and those that are the registry's name, may stand there for another reason.
            if secret.len() > 12 && !registry.contains(secret) && secret.bytes().all(|b| b.is_ascii_alphanumeric()) {
                let elsewhere =
                    [context, shell, environment].iter().any(|f| String::from_utf8_lossy(f).contains(secret));
                let names = String::from_utf8_lossy(config).matches(secret).count() > 1;
                assert!(elsewhere || names || !shown.contains(secret), "{secret} is kept");
            }
        }
    }
}

/// A file of audit rules, as the kernel's table and judged on a path.
pub fn audit_rules(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let parsed = file::parse(&text, "/etc/audit/audit.rules");
    for rule in &parsed.rules {
        describe(rule);
        for other in parsed.rules.iter().take(4) {
            rule.same_meaning(other);
        }
    }
    host(&[("/etc/docker/daemon.json", b"{}")], |root| {
        let table = Table::new(root, &parsed.rules, Some(1));
        for (path, kind) in [("/etc/docker", Kind::Directory), ("/etc/docker/daemon.json", Kind::File)] {
            let coverage = table.coverage(root, path.as_ref(), kind);
            coverage.changes_logged();
            coverage.execution_logged();
        }
    });
}

/// The audit log.
pub fn audit_log(data: &[u8]) {
    host(&[("/var/log/audit/audit.log", data)], |root| {
        let watched = Watched { more: vec!["/srv/daemon.json".into()] };
        // Without one record it tells nothing.
        let Ok(log) = log::read(root, &watched) else { return };
        assert!(log.events.iter().all(|event| watched.matters(&event.path)));
    });
}

/// A pattern and a text, a line each.
pub fn glob(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (pattern, text) = text.split_once('\n').unwrap_or((text, ""));
    globs::is_pattern(pattern);
    globs::matches(pattern, text, true);
    globs::matches(pattern, text, false);
    if !globs::is_pattern(pattern) && !pattern.contains('\\') {
        assert_eq!(globs::matches(pattern, text, false), pattern == text);
    }
}
