use super::*;
use crate::host::testing::host;

const STATUS: &str = "Package: docker.io\nStatus: install ok installed\nArchitecture: amd64\nSource: docker.io-app (20.10.24)\n\
Version: 20.10.24+dfsg1-1+deb12u1\nDescription: x\n Package: trap\n\n\
Package: containerd\nStatus: deinstall ok config-files\nVersion: 1.6.20~ds1-1\n\n\
Package: runc\nStatus: hold ok installed\nVersion: 1.1.5+ds1-1\n\n\
Package: docker.iox\nStatus: install ok installed\nVersion: 9\n\n\
Package: util-linux\nStatus: install ok installed\nVersion: 2.38\n\n\
Package: linux-image-6.1.0-13-amd64\nStatus: install ok installed\nVersion: 6.1.55-1\n";

#[test]
fn the_wanted_list_is_sorted_for_its_search() {
    assert!(WANTED.is_sorted());
}

#[test]
fn dpkg_tells_versions_with_their_lines_and_not_what_was_removed() {
    let (_dir, root) = host(&[("/var/lib/dpkg/status", STATUS)]);
    let packages = Packages::read(&root);
    let found: Vec<_> = packages.installed.iter().map(|p| (p.name.as_str(), p.version.as_str(), p.at.line)).collect();
    let expected = [
        ("docker.io", "20.10.24+dfsg1-1+deb12u1", 1),
        ("runc", "1.1.5+ds1-1", 13),
        ("linux-image-6.1.0-13-amd64", "6.1.55-1", 25),
    ];
    assert_eq!(found, expected);
    assert_eq!(packages.find("containerd"), Installed::No, "only its configuration is left");
    assert!(matches!(packages.docker_cli(), Installed::Yes(package) if package.name == "docker.io"));
    assert_eq!(packages.kernels().count(), 1);
}

#[test]
fn files_have_owners_on_a_merged_system_through_links_and_diversions() {
    let (dir, root) = host(&[
        ("/var/lib/dpkg/status", STATUS),
        ("/var/lib/dpkg/info/runc.list", "/.\n/sbin\n/sbin/runc\n"),
        ("/var/lib/dpkg/info/docker.io.list", "/usr/sbin/dockerd-old\n/usr/bin/docker\n/usr/sbin/dockerd\n"),
        ("/var/lib/dpkg/info/util-linux:amd64.list", "/bin/more\n/usr/bin/diverted\n"),
        ("/var/lib/dpkg/info/zz.list", "/usr/bin/diverted"),
        ("/var/lib/dpkg/diversions", "/usr/bin/diverted\n/usr/bin/diverted.real\nzz\n/a\n"),
        ("/usr/sbin/runc", ""),
        ("/usr/bin/docker", ""),
        ("/opt/dockerd", ""),
    ]);
    std::os::unix::fs::symlink("usr/sbin", dir.path().join("sbin")).unwrap();
    std::os::unix::fs::symlink("usr/bin", dir.path().join("bin")).unwrap();
    std::os::unix::fs::symlink("/usr/bin/docker", dir.path().join("opt/link")).unwrap();
    let packages = Packages::read(&root);
    let asked = [
        "/usr/sbin/runc",
        "/opt/link",
        "/opt/dockerd",
        "/usr/bin/more",
        "/usr/sbin/dockerd",
        "/usr/bin/diverted",
        "/usr/bin/diverted.real",
    ];
    let owners = packages.owners(&root, &asked);
    let name = |owner: &Owner| match owner {
        Owner::Package { name, version } => format!("{name} {}", version.as_deref().unwrap_or("?")),
        other => format!("{other:?}"),
    };
    let names: Vec<String> = owners.iter().map(name).collect();
    let expected = [
        "runc 1.1.5+ds1-1",
        "docker.io 20.10.24+dfsg1-1+deb12u1",
        "Nobody",
        "util-linux 2.38",
        "docker.io 20.10.24+dfsg1-1+deb12u1",
        "zz ?",
        "util-linux 2.38",
    ];
    assert_eq!(names, expected);
}

#[test]
fn bin_and_usr_bin_are_two_places_where_they_are_not_merged() {
    let (_dir, root) = host(&[
        ("/var/lib/dpkg/status", STATUS),
        ("/var/lib/dpkg/info/util-linux.list", "/bin/tool\n"),
        ("/bin/tool", ""),
        ("/usr/bin/tool", ""),
    ]);
    let owners = Packages::read(&root).owners(&root, &["/usr/bin/tool"]);
    assert_eq!(owners, [Owner::Nobody]);
}

#[test]
fn apk_tells_versions_and_owners() {
    let text = "C:Q1x\nP:docker-cli\nV:25.0.5-r1\nA:x86_64\no:docker\nF:usr\nF:usr/bin\nR:docker\na:0:0:755\n\n\
                P:musl\nV:1.2\nF:lib\nR:libc.so\n\nP:containerd\nV:1.7.10-r0\nF:usr/bin\nR:containerd\n";
    let (_dir, root) = host(&[("/lib/apk/db/installed", text)]);
    let packages = Packages::read(&root);
    assert_eq!(packages.managers, [Manager::Apk]);
    assert!(
        matches!(packages.docker_cli(), Installed::Yes(p) if p.version == "25.0.5-r1" && p.source.as_deref() == Some("docker"))
    );
    let owners = packages.owners(&root, &["/usr/bin/containerd", "/usr/bin/docker", "/usr/bin/dockerd"]);
    assert!(matches!(&owners[0], Owner::Package { name, .. } if name == "containerd"));
    assert!(matches!(&owners[1], Owner::Package { name, .. } if name == "docker-cli"));
    assert_eq!(owners[2], Owner::Nobody);
}

#[test]
fn pacman_tells_versions_and_owners() {
    let (_dir, root) = host(&[
        ("/var/lib/pacman/local/docker-1:26.1.0-1/files", "%FILES%\nusr/\nusr/bin/\nusr/bin/dockerd\n"),
        ("/var/lib/pacman/local/ALPM_DB_VERSION", "9\n"),
    ]);
    let packages = Packages::read(&root);
    assert!(matches!(packages.find("docker"), Installed::Yes(p) if p.version == "1:26.1.0-1"));
    let version = Some("1:26.1.0-1".to_owned());
    assert_eq!(packages.owners(&root, &["/usr/bin/dockerd"]), [Owner::Package { name: "docker".into(), version }]);
}

/// A database as rpm 4.18 made it of six small packages, and a log beside it: a transaction that changed a package's
/// version, and half of one that was never finished.
fn rpm_host(path: &str, is_logged: bool) -> (tempfile::TempDir, Root) {
    let unpacked = |bytes: &[u8]| {
        let mut out = Vec::new();
        std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(bytes), &mut out).unwrap();
        out
    };
    let (dir, root) = host(&[]);
    let place = dir.path().join(path.trim_start_matches('/'));
    std::fs::create_dir_all(place.parent().unwrap()).unwrap();
    std::fs::write(&place, unpacked(include_bytes!("../../../fixtures/rpm/rpmdb.sqlite.gz"))).unwrap();
    let log = unpacked(include_bytes!("../../../fixtures/rpm/rpmdb.sqlite-wal.gz"));
    let log = if is_logged { log } else { Vec::new() };
    std::fs::write(place.with_extension("sqlite-wal"), log).unwrap();
    (dir, root)
}

#[test]
fn rpm_tells_versions_and_owners() {
    for path in ["/var/lib/rpm/rpmdb.sqlite", "/usr/lib/sysimage/rpm/rpmdb.sqlite"] {
        let (_dir, root) = rpm_host(path, false);
        let packages = Packages::read(&root);
        assert_eq!((packages.managers.as_slice(), packages.gaps.len()), (&[Manager::Rpm][..], 0));
        let version = |name| match packages.find(name) {
            Installed::Yes(package) => package.version.clone(),
            other => format!("{other:?}"),
        };
        assert_eq!(version("docker-ce"), "3:29.1.3-1.el9");
        assert_eq!(version("containerd.io"), "2.2.0-1.el9");
        assert_eq!(version("openssh-server"), "8.7p1-45.el9_6");
        assert_eq!((version("runc").as_str(), version("filler").as_str()), ("No", "No"));
        assert!(matches!(packages.find("openssh-server"), Installed::Yes(p) if p.source.as_deref() == Some("openssh")));
        let asked =
            ["/usr/bin/dockerd", "/usr/bin/runc", "/opt/filler/docker", "/opt/filler/dir7/file1339", "/bin/docker"];
        let owners = packages.owners(&root, &asked);
        let named = |owner: &Owner| match owner {
            Owner::Package { name, version } => format!("{name} {}", version.as_deref().unwrap_or("?")),
            other => format!("{other:?}"),
        };
        let owners: Vec<String> = owners.iter().map(named).collect();
        let filler = "filler 1-1";
        assert_eq!(owners, ["docker-ce 3:29.1.3-1.el9", "containerd.io 2.2.0-1.el9", filler, filler, "Nobody"]);
    }
}

#[test]
fn what_a_log_holds_counts_once_it_is_whole() {
    let (dir, root) = rpm_host("/var/lib/rpm/rpmdb.sqlite", true);
    let version = |root: &Root| match Packages::read(root).find("docker-ce") {
        Installed::Yes(package) => package.version.clone(),
        other => format!("{other:?}"),
    };
    assert_eq!(version(&root), "3:29.1.4-1.el9");
    assert!(matches!(Packages::read(&root).find("runc"), Installed::No), "that transaction was not finished");
    // A page that was written half ends the log before its transaction.
    let log = dir.path().join("var/lib/rpm/rpmdb.sqlite-wal");
    let mut bytes = std::fs::read(&log).unwrap();
    bytes[100] ^= 1;
    std::fs::write(&log, &bytes).unwrap();
    assert_eq!(version(&root), "3:29.1.3-1.el9");
}

#[test]
fn a_damaged_rpm_database_is_unknown_and_ends() {
    let (dir, root) = rpm_host("/var/lib/rpm/rpmdb.sqlite", false);
    let place = dir.path().join("var/lib/rpm/rpmdb.sqlite");
    let whole = std::fs::read(&place).unwrap();
    let mut unknown = 0;
    for at in (0..whole.len()).step_by(997) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x55;
        std::fs::write(&place, &bytes).unwrap();
        let packages = Packages::read(&root);
        assert_eq!(packages.owners(&root, &["/usr/bin/dockerd"]).len(), 1);
        unknown += usize::from(matches!(packages.find("docker-ce"), Installed::Unknown(_)));
    }
    for length in [0, 50, 99, 100, 4096, 9000, whole.len() / 2] {
        std::fs::write(&place, &whole[..length]).unwrap();
        assert!(matches!(Packages::read(&root).find("docker-ce"), Installed::Unknown(_)), "cut at {length}");
    }
    assert!(unknown > 0);
}

#[test]
fn other_databases_of_rpm_and_none_at_all_are_unknown() {
    let (_dir, root) = host(&[("/var/lib/rpm/rpmdb.sqlite", "SQLite format 3")]);
    let packages = Packages::read(&root);
    assert!(matches!(packages.find("docker-ce"), Installed::Unknown(reason) if reason.contains("it is cut short")));
    assert!(matches!(&packages.owners(&root, &["/usr/bin/docker"])[0], Owner::Unknown(_)));
    let (_dir, root) = host(&[("/var/lib/rpm/Packages", "x")]);
    let packages = Packages::read(&root);
    assert!(matches!(packages.find("docker-ce"), Installed::Unknown(reason) if reason.contains("Berkeley")));
    assert!(matches!(&packages.owners(&root, &["/usr/bin/docker"])[0], Owner::Unknown(_)));
    // Where another tool rules, that of rpm left it behind.
    let status = ("/var/lib/dpkg/status", "Package: runc\nStatus: install ok installed\nVersion: 1.1\n\n");
    let (_dir, root) = host(&[("/var/lib/rpm/Packages", "x"), status]);
    let packages = Packages::read(&root);
    assert!(matches!(packages.find("docker-ce"), Installed::No) && packages.gaps.is_empty());
    let (_dir, root) = host(&[]);
    assert!(matches!(Packages::read(&root).find("runc"), Installed::Unknown(_)));
}

#[test]
fn a_status_file_that_is_none_is_unknown() {
    let (_dir, root) = host(&[("/var/lib/dpkg/status/x", "")]);
    let packages = Packages::read(&root);
    assert!(matches!(packages.find("runc"), Installed::Unknown("/var/lib/dpkg/status: is a directory, not a file")));
    assert_eq!(packages.gaps.len(), 1);
}

#[test]
fn os_release_is_read_with_its_quotes() {
    let text = "PRETTY_NAME=\"Debian \\\"12\\\"\"\nID=debian\n#ID=x\nVERSION_ID='12'\nVERSION_CODENAME=bookworm\nID_LIKE=\"a b\"\n";
    let (_dir, root) = host(&[("/usr/lib/os-release", text)]);
    let mut gaps = Vec::new();
    let os = OsRelease::read(&root, &mut gaps);
    assert_eq!((os.id.as_deref(), os.version_id.as_deref()), (Some("debian"), Some("12")));
    assert_eq!(os.pretty_name.as_deref(), Some("Debian \"12\""));
    assert_eq!(os.id_like, ["a", "b"]);
    assert!(gaps.is_empty());
}
