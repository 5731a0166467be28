use super::*;

fn proc_of(root: &Path) -> Proc {
    Proc::open(root, Lsms::Known(Vec::new()), None).unwrap()
}

/// The test's own process, live.
#[test]
fn this_process_is_seen_as_it_is() {
    let proc = proc_of(Path::new("/"));
    let dir = open_dir_at(&proc.dir, "self").unwrap();
    let mut buffer = Buffer::default();
    let pid = std::process::id();
    let process = proc.process(&dir, pid, || None, &mut buffer);
    let status = process.status.value.as_ref().unwrap();
    assert_eq!(status.uids[1], rustix::process::geteuid().as_raw());
    assert_eq!(status.ns_pids.first(), Some(&pid));
    assert_eq!(process.program(), std::env::current_exe().unwrap().file_name().and_then(|n| n.to_str()));
    assert!(process::uid_map(&dir, &"".into(), &mut buffer).value.is_ok());
    let own = Namespaces::read(&dir, String::new());
    let again = std::fs::metadata("/proc/self/ns/pid").map(|m| std::os::unix::fs::MetadataExt::ino(&m)).unwrap();
    assert_eq!(own.id(Namespace::Pid), &Ok(again));
}

#[test]
fn a_listening_socket_is_found_with_its_process() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let proc = proc_of(Path::new("/"));
    let dir = open_dir_at(&proc.dir, "self").unwrap();
    let mut buffer = Buffer::default();
    let process = proc.process(&dir, std::process::id(), || None, &mut buffer);
    let held = process.listeners.value.unwrap();
    let address = listener.local_addr().unwrap();
    assert!(held.contains(&sockets::Listener { address: address.ip(), port: address.port() }));
}

#[test]
fn a_process_that_is_not_the_containers_is_refused() {
    let proc = proc_of(Path::new("/"));
    let ask = |pid, id| proc.observe(Target { pid, id, started_at: Some(0) });
    let unproven = ask(std::process::id(), "0123456789abcdef0123456789abcdef").unwrap_err();
    assert!(unproven.to_string().contains("not proven"), "{unproven}");
    // Process ids end at 2^22.
    assert!(ask(u32::MAX, "0123456789abcdef").unwrap_err().to_string().starts_with("vanished"));
    assert!(ask(0, "0123456789abcdef").is_err());
}

const ID: &str = "4f5c1e8a9b7d4f5c1e8a9b7d4f5c1e8a9b7d4f5c1e8a9b7d4f5c1e8a9b7d0001";

const STATUS: &str = "Name:\tsleep\nState:\tS (sleeping)\nUid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\nNSpid:\t2211\t1\nCapInh:\t0000000000000000\nCapPrm:\t00000000a80425fb\nCapEff:\t00000000a80425fb\nCapBnd:\t00000000a80425fb\nCapAmb:\t0000000000000000\nNoNewPrivs:\t0\nSeccomp:\t2\n";

/// A host's tree as recorded from an engine 20.10 on cgroup v2, cut to what is read.
fn recorded() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    let write = |path: &str, text: &str| {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    let link = |path: &str, target: &str| {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(target, path).unwrap();
    };
    write("proc/stat", "cpu 1 2 3\nbtime 1700000000\n");
    write("proc/self/mountinfo", &format!("30 1 0:26 / {}/sys/fs/cgroup rw - cgroup2 cgroup2 rw\n", root.display()));
    for (kind, number) in [("pid", 2), ("net", 3), ("ipc", 4), ("uts", 5), ("cgroup", 7)] {
        link(&format!("proc/1/ns/{kind}"), &format!("{kind}:[402653{number}]"));
        for pid in ["2211", "2300"] {
            let other = if kind == "net" { number } else { number + 10 };
            link(&format!("proc/{pid}/ns/{kind}"), &format!("{kind}:[402653{other}]"));
        }
    }
    for (pid, status) in [
        ("2211", STATUS.to_owned()),
        ("2300", STATUS.replace("sleep", "sshd").replace("NoNewPrivs:\t0", "NoNewPrivs:\t1")),
    ] {
        let at = |file: &str| format!("proc/{pid}/{file}");
        write(&at("status"), &status);
        write(&at("stat"), &format!("{pid} (a) b) S 1 1 1 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 4711 1 1\n"));
        write(&at("cgroup"), &format!("0::/system.slice/docker-{ID}.scope\n"));
        write(&at("uid_map"), "         0     100000      65536\n");
        write(
            &at("mountinfo"),
            "612 545 0:57 / / ro,relatime - overlay overlay rw\n620 612 254:0 /srv /data rw shared:7 - ext4 /dev/vda rw\n",
        );
        write(
            &at("net/tcp"),
            "  sl\n   0: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 548 1 0 100 0 0 10 0\n",
        );
        link(&at("exe"), if pid == "2300" { "/usr/sbin/sshd" } else { "/bin/sleep" });
        link(&at("fd/3"), if pid == "2300" { "socket:[548]" } else { "/dev/null" });
    }
    let group = format!("sys/fs/cgroup/system.slice/docker-{ID}.scope");
    write(&format!("{group}/cgroup.procs"), "2211\n");
    write(&format!("{group}/inner/cgroup.procs"), "2300\n");
    write(&format!("{group}/memory.max"), "536870912\n");
    write(&format!("{group}/pids.max"), "max\n");
    write("sys/fs/cgroup/system.slice/pids.max", "4915\n");
    dir
}

#[test]
fn a_recorded_container_is_seen_whole() {
    let dir = recorded();
    let proc = proc_of(dir.path());
    assert_eq!(proc.cgroup_version(), Some(Version::V2));
    let seen = proc.observe(Target { pid: 2211, id: ID, started_at: None }).unwrap();
    assert_eq!(seen.init.status.ok().map(|s| s.effective), Some(caps::DOCKER_DEFAULT));
    assert_eq!(seen.label.value, Ok(None));
    assert_eq!(seen.root_maps_to(), Ok(Some(100_000)));
    assert_eq!(seen.init.is_ssh_server(), Ok(false));
    assert_eq!(seen.shares_with_host(Namespace::Net, &proc), Ok(true));
    assert_eq!(seen.shares_with_host(Namespace::Pid, &proc), Ok(false));
    assert_eq!(seen.root_read_only(), Ok(true));
    assert_eq!(seen.mounts.ok().unwrap()[1].shared, Some(7));
    let others = seen.others.value.as_ref().unwrap();
    assert_eq!((others.len(), seen.incomplete.as_deref()), (1, None));
    assert_eq!(others[0].is_ssh_server(), Ok(true));
    assert_eq!(others[0].listeners.ok().unwrap()[0].port, 22);
    let limits = seen.limits.as_ref().unwrap();
    assert_eq!(limits.memory_max.ok().unwrap().effective, Some(512 << 20));
    assert_eq!((limits.pids_max.ok().unwrap().own, limits.pids_max.ok().unwrap().effective), (None, Some(4915)));
    assert_eq!(
        limits.memory_max.path(),
        format!("{}/sys/fs/cgroup/system.slice/docker-{ID}.scope/memory.max", dir.path().display())
    );
}

#[test]
fn a_label_is_unknown_unless_the_kernel_has_no_module() {
    let dir = recorded();
    let label = |lsms| {
        let proc = Proc::open(dir.path(), lsms, None).unwrap();
        proc.observe(Target { pid: 2211, id: ID, started_at: None }).unwrap().label.value
    };
    assert!(label(Lsms::Unknown("not mounted".into())).is_err());
    assert!(label(Lsms::Known(vec!["apparmor".into()])).is_err());
    assert_eq!(label(Lsms::Known(vec!["capability".into(), "yama".into()])), Ok(None));
    std::fs::create_dir_all(dir.path().join("proc/2211/attr/apparmor")).unwrap();
    std::fs::write(dir.path().join("proc/2211/attr/apparmor/current"), "docker-default (enforce)\n").unwrap();
    assert_eq!(label(Lsms::Known(vec!["apparmor".into()])), Ok(Some("docker-default (enforce)".into())));
}

#[test]
fn a_start_at_the_same_time_proves_where_the_cgroup_does_not() {
    let dir = recorded();
    let proc = proc_of(dir.path());
    let other = "f".repeat(64);
    let ask = |started_at| proc.observe(Target { pid: 2211, id: &other, started_at });
    let ticks = i64::try_from(rustix::param::clock_ticks_per_second()).unwrap();
    assert!(ask(Some(1_700_000_000 + 4711 / ticks)).is_ok());
    assert!(ask(Some(1_700_009_999)).is_err());
    assert!(ask(None).is_err());
}

#[test]
fn what_is_damaged_is_unknown_and_the_rest_is_read() {
    let dir = recorded();
    for (file, text) in [("status", "junk"), ("uid_map", "x"), ("mountinfo", "1 2"), ("net/tcp", "a\nb\n")] {
        std::fs::write(dir.path().join("proc/2211").join(file), text).unwrap();
    }
    // Both are in the host's network, whose table is read once.
    std::fs::write(dir.path().join("proc/2300/net/tcp"), "a\nb\n").unwrap();
    std::fs::remove_file(dir.path().join("proc/2211/exe")).unwrap();
    std::os::unix::fs::symlink("socket:[548]", dir.path().join("proc/2211/fd/4")).unwrap();
    let seen = proc_of(dir.path()).observe(Target { pid: 2211, id: ID, started_at: None }).unwrap();
    assert!(seen.init.status.value.is_err() && seen.uid_map.value.is_err() && seen.root_maps_to().is_err());
    assert!(seen.mounts.value.is_err() && seen.root_read_only().is_err() && seen.init.is_ssh_server().is_err());
    assert!(seen.init.listeners.value.is_err());
    assert!(seen.limits.is_ok());
}

#[test]
fn modules_are_known_by_the_kernels_list_or_not_at_all() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(Lsms::read(dir.path()), Lsms::Unknown(_)));
    std::fs::create_dir_all(dir.path().join("sys/kernel/security")).unwrap();
    std::fs::write(dir.path().join("sys/kernel/security/lsm"), "capability,yama,apparmor").unwrap();
    assert_eq!(Lsms::read(dir.path()).labels(), Some(true));
    std::fs::write(dir.path().join("sys/kernel/security/lsm"), "capability,landlock").unwrap();
    assert_eq!(Lsms::read(dir.path()).labels(), Some(false));
}
