//! Bad input: one clear line each, nothing hangs, nothing leaks, and what could be read is kept.

mod common;

use std::io::{Read as _, Write as _};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::{FORMATS, Fake, Sea, container, reply, run, small_engine, version, wait};
use seaworthy_bed::copy_program;
use serde_json::{Value, json};

#[test]
fn what_is_no_engine_is_said_in_one_line() {
    let sea = Sea::new();
    let at = |name: &str| format!("unix://{}", sea.dir().join(name).display());
    sea.write("file", "");
    std::fs::create_dir(sea.dir().join("directory")).unwrap();
    drop(UnixListener::bind(sea.dir().join("dead")).unwrap());
    rustix::fs::mknodat(rustix::fs::CWD, sea.dir().join("fifo"), rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    let _datagram = std::os::unix::net::UnixDatagram::bind(sea.dir().join("datagram")).unwrap();
    symlink("loop", sea.dir().join("loop")).unwrap();
    for (name, words) in [
        ("nothing", "no socket is there"),
        ("file", "a regular file is there, not a socket"),
        ("directory", "a directory is there, not a socket"),
        ("fifo", "a FIFO is there, not a socket"),
        ("dead", "nobody listens there"),
        ("datagram", "a socket of another kind"),
        ("loop", "cannot connect"),
        (&"x".repeat(300), "unix://"),
    ] {
        sea.run(&["audit", "--timeout", "2", "--docker", &at(name)]).failed_with(words).failed_with("assess --demo");
    }
    for (address, words) in [
        ("tcp://127.0.0.1:1", "nobody listens there"),
        ("tcp://no.such.host.invalid:2375", "cannot connect"),
        ("tcp://h:99999", "port"),
        ("npipe:////./pipe/docker", "Windows"),
        ("ftp://h", "unknown kind of address"),
        ("ssh://-oProxyCommand=x", "begins with '-'"),
        ("ssh://me:hunter2@h", "password"),
        ("unix://a\u{1b}[31m\nb", "no socket is there"),
    ] {
        let run = sea.run(&["audit", "--timeout", "2", "--docker", address]);
        run.failed_with(words);
        assert!(!run.err.contains("hunter2"), "{}", run.err);
    }
}

#[test]
fn a_forbidden_socket_says_whose_right_would_open_it() {
    if !rustix::process::geteuid().is_root() {
        return seaworthy_bed::skip("root", "only root can become somebody without the right");
    }
    let sea = Sea::new();
    std::fs::set_permissions(sea.dir(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let _listener = UnixListener::bind(sea.dir().join("s")).unwrap();
    std::fs::set_permissions(sea.dir().join("s"), std::fs::Permissions::from_mode(0o660)).unwrap();
    // The program may lie where nobody else enters.
    let program = sea.dir().join("seaworthy");
    copy_program(Path::new(env!("CARGO_BIN_EXE_seaworthy")), &program);
    let as_nobody = || {
        let mut command = std::process::Command::new(&program);
        command.args(["audit", "--docker"]).arg(format!("unix://{}", sea.dir().join("s").display()));
        command.env_clear().current_dir(sea.dir()).uid(65534).gid(65534);
        run(command)
    };
    as_nobody().failed_with("permission denied").failed_with("a member of group root");
    std::fs::set_permissions(sea.dir(), std::fs::Permissions::from_mode(0o700)).unwrap();
    // Now it cannot even be started from there.
    let program = tempfile::tempdir().unwrap();
    std::fs::set_permissions(program.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let copied = program.path().join("seaworthy");
    copy_program(Path::new(env!("CARGO_BIN_EXE_seaworthy")), &copied);
    let mut command = std::process::Command::new(&copied);
    command.args(["audit", "--docker"]).arg(format!("unix://{}", sea.dir().join("s").display()));
    run({
        command.env_clear().current_dir("/").uid(65534).gid(65534);
        command
    })
    .failed_with("cannot be entered by this user");
}

/// Writes until the other side has had enough.
fn forever(stream: &mut UnixStream, head: &[u8], piece: &[u8]) -> bool {
    let _ = stream.write_all(head);
    while stream.write_all(piece).is_ok() {}
    false
}

#[test]
fn peers_that_misbehave_are_refused_in_bounded_time() {
    let sea = Sea::new();
    let peers: Vec<(Fake, &str)> = vec![
        (
            Fake::new(|_, stream| {
                // Accepts and never answers.
                let _ = stream.read(&mut [0u8; 1]);
                false
            }),
            "no answer within 2 s",
        ),
        (Fake::new(|_, stream| stream.write_all(b"SSH-2.0-OpenSSH_9.2\r\n\r\n").is_ok()), "speaks no HTTP"),
        (Fake::new(|_, stream| forever(stream, b"HTTP/1.1 200 OK\r\n", b"X-More: and more\r\n")), "headers"),
        (
            Fake::new(|_, stream| {
                forever(stream, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"4\r\n1111\r\n")
            }),
            "",
        ),
        (
            Fake::new(|_, stream| {
                forever(stream, b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n", &[b' '; 65536])
            }),
            "",
        ),
        (
            Fake::new(|_, stream| {
                reply(stream, 200, b"{\"ApiVersion\": ");
                true
            }),
            "not JSON",
        ),
        (
            Fake::new(|_, stream| {
                reply(stream, 200, "[".repeat(100_000).as_bytes());
                true
            }),
            "nests deeper",
        ),
        (
            Fake::new(|_, stream| {
                stream
                    .write_all(b"HTTP/1.1 301 X\r\nLocation: http://u:hunter2@x/\r\nContent-Length: 0\r\n\r\n")
                    .is_ok()
            }),
            "redirect",
        ),
        (
            Fake::new(|_, stream| {
                reply(stream, 200, b"{\"kind\":\"APIVersions\",\"versions\":[\"v1\"]}");
                true
            }),
            "not as a container engine",
        ),
        (
            Fake::new(|_, stream| {
                reply(stream, 200, b"<html>\x1b[31mhello</html>");
                true
            }),
            "not JSON",
        ),
        (
            Fake::new(|_, stream| {
                reply(stream, 500, b"{\"message\":\"\x1b[31m tcp://u:hunter2@x/ \\u001b[0m\\nmore\"}");
                true
            }),
            "status 500",
        ),
        (
            Fake::new(|_, stream| {
                reply(stream, 200, b"{\"ApiVersion\":\"9.99\",\"MinAPIVersion\":\"9.98\"}");
                true
            }),
            "update Seaworthy",
        ),
        (Fake::new(|_, _| false), "connection ended"),
    ];
    for (peer, words) in peers {
        let run = sea.run(&["audit", "--timeout", "2", "--docker", &peer.host()]);
        run.failed_with(words);
        assert!(!run.err.contains("hunter2"), "{}", run.err);
        assert!(run.err.len() < 1500, "{}", run.err);
    }
}

/// The verdicts of a report on components of a kind, one for each finding.
fn verdicts(report: &Value, kind: &str) -> Vec<String> {
    let of_kind = |f: &&Value| f["component"]["kind"].as_str().is_some_and(|k| k == kind);
    let all = report["findings"].as_array().unwrap();
    let word = |f: &Value| format!("{} {}", f["verdict"].as_str().unwrap(), f["check"].as_str().unwrap());
    all.iter().filter(of_kind).map(word).collect()
}

/// What the list of containers alone decides.
const LISTED: &str = "pass docker/container/image-not-latest";

#[test]
fn an_engine_that_stops_half_way_is_unknown_and_never_passes() {
    let sea = Sea::new();
    let table = small_engine();
    let half = Fake::new(move |path, stream| {
        let known = table.iter().find(|(p, _)| *p == path && ["/version", "/info"].contains(p));
        known.is_some_and(|(_, value)| {
            reply(stream, 200, value.to_string().as_bytes());
            true
        })
    });
    let run = sea.run(&["audit", "--timeout", "2", "-f", "json", "--docker", &half.host()]);
    let report = run.ended(0).json();
    assert!(report["targets"][0]["about"].as_str().unwrap().contains("20.10.24"), "what was read is kept");
    for kind in ["docker.container", "docker.image", "docker.network", "docker.volume"] {
        let verdicts = verdicts(&report, kind);
        assert!(verdicts.iter().all(|v| v.starts_with("unknown ")), "{kind}: {verdicts:?}");
    }
    let gaps = report["coverage"]["gaps"].as_array().unwrap();
    assert!(gaps.iter().any(|g| g["source"] == "GET /containers"), "{gaps:?}");
    for kind in ["container", "image"] {
        let control_passes = report["findings"].as_array().unwrap().iter().any(|f| {
            f["check"].as_str().unwrap().starts_with(&format!("docker/{kind}/"))
                && matches!(f["verdict"].as_str().unwrap(), "pass" | "not-applicable")
        });
        assert!(!control_passes, "a check of {kind}s passes though the list was lost");
    }
    sea.run(&["audit", "--timeout", "2", "--strict", "--docker", &half.host()]).ended(3);
    let gate = ["audit", "--timeout", "2", "--check", "docker/container", "--fail-on", "low", "--docker"];
    sea.run(&[&gate[..], &[&half.host()]].concat()).ended(3);
    sea.run(&[&gate[..], &[&half.host(), "--allow-unknown"]].concat()).ended(0);
}

#[test]
fn a_container_that_vanishes_is_unknown_beside_the_others() {
    let sea = Sea::new();
    let mut table = small_engine();
    table.iter_mut().find(|(p, _)| *p == "/containers/json?all=1").unwrap().1 = json!([
        {"Id": "c1", "Names": ["/web"], "Image": "app:1", "ImageID": "sha256:i1", "State": "exited"},
        {"Id": "gone", "Names": ["/brief"], "Image": "app:1", "ImageID": "sha256:i1", "State": "running"},
    ]);
    let engine = Fake::of(table);
    let report = sea.run(&["audit", "-f", "json", "--all", "--docker", &engine.host()]).ended(0).json();
    let of = |name: &str| -> Vec<String> {
        let all = report["findings"].as_array().unwrap().iter();
        let word = |f: &Value| format!("{} {}", f["verdict"].as_str().unwrap(), f["check"].as_str().unwrap());
        all.filter(|f| f["component"]["name"] == name).map(word).collect()
    };
    assert!(of("web").iter().any(|v| v.starts_with("fail ")), "{:?}", of("web"));
    let brief = of("brief");
    let passed: Vec<&String> = brief.iter().filter(|v| v.starts_with("pass ") && **v != LISTED).collect();
    assert!(!brief.is_empty() && passed.is_empty(), "{passed:?}");
    assert!(report.to_string().contains("vanished while it was read"));
}

#[test]
fn an_engine_that_answers_garbage_for_one_thing_is_asked_for_the_others() {
    let sea = Sea::new();
    for garbage in [
        &b"{\"HostConfig\": 7, \"Config\": [], \"State\": \"x\", \"Mounts\": {}, \"Name\": 5}"[..],
        b"[]",
        b"null",
        b"{",
        b"\xff\xfe",
    ] {
        let table = small_engine();
        let engine = Fake::new(move |path, stream| {
            match table.iter().find(|(p, _)| *p == path) {
                Some(("/containers/c1/json" | "/networks" | "/images/sha256:i1/history", _)) => {
                    reply(stream, 200, garbage);
                }
                Some((_, value)) => reply(stream, 200, value.to_string().as_bytes()),
                None => reply(stream, 404, b"{}"),
            }
            true
        });
        let report = sea.run(&["audit", "-f", "json", "--docker", &engine.host()]).ended(0).json();
        let container = verdicts(&report, "docker.container");
        let garbage = String::from_utf8_lossy(garbage);
        let passed: Vec<&String> = container.iter().filter(|v| v.starts_with("pass ") && **v != LISTED).collect();
        assert!(passed.is_empty(), "{garbage}: {passed:?}");
        assert!(verdicts(&report, "docker.image").iter().any(|v| v.starts_with("fail ")));
    }
}

/// Texts that take over a terminal, a page, a spreadsheet or a log.
const HOSTILE: [&str; 10] = [
    "\u{9b}31mred\u{7f}",
    "\u{1b}]0;owned\u{7}\u{1b}[2J",
    "<script>alert(1)</script>",
    "](javascript:alert(1)) **x** | y `z`",
    "=HYPERLINK(\"http://x\")",
    "@SUM(1)",
    "a\nseaworthy: all is well\r\nb",
    "\u{202e}gnp.exe\u{200b}",
    "]]>&<!--",
    "::error::x",
];

#[test]
fn hostile_texts_are_made_harmless_in_every_format() {
    let sea = Sea::new();
    let long = "A".repeat(1 << 20);
    for hostile in HOSTILE.into_iter().chain([long.as_str()]) {
        let mut table = small_engine();
        table.iter_mut().find(|(p, _)| *p == "/containers/c1/json").unwrap().1 = container(hostile, hostile);
        let history = json!([{"Id": "x", "Created": 1_700_000_000, "CreatedBy": hostile, "Comment": hostile, "Size": 0,
                              "Tags": [hostile]}]);
        table.iter_mut().find(|(p, _)| *p == "/images/sha256:i1/history").unwrap().1 = history;
        let engine = Fake::of(table);
        let snapshot = sea.dir().join("hostile.json");
        let snapshot = snapshot.to_str().unwrap();
        sea.run(&["collect", "--docker", &engine.host(), "-o", snapshot]).ended(0);
        for view in ["audit", "assess"] {
            for format in FORMATS {
                let run = sea.run(&[view, "--from", snapshot, "-f", format, "--all", "--gaps"]);
                run.ended(0);
                harmless(&run.out, format, hostile);
                assert!(run.err.is_empty(), "{}", run.err);
                let most = 40 << 20;
                assert!(run.out.len() < most, "{view} {format}: {} bytes", run.out.len());
            }
        }
    }
}

#[track_caller]
fn harmless(out: &str, format: &str, hostile: &str) {
    let hides = |c: char| c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c) || c == '\u{200b}';
    // What programs read has values as they are, as far as JSON allows.
    let control = |c: char| c != '\n' && if ["json", "sarif"].contains(&format) { c < ' ' } else { hides(c) };
    let short: String = hostile.chars().take(40).collect();
    assert!(!out.contains(control), "{format} of {short:?} has {:?}", out.chars().find(|c| control(*c)));
    let fakes = out.lines().any(|l| l.starts_with("seaworthy: all is well") || l.starts_with("::error::"));
    assert!(!fakes, "{format} of {short:?} has a line of the host's own");
    match format {
        "json" | "sarif" => drop(serde_json::from_str::<Value>(out).unwrap_or_else(|why| panic!("{format}: {why}"))),
        "junit" => assert!(!out.contains("<script"), "{format} of {short:?}"),
        // Between backticks nothing is markup.
        "markdown" => {
            let bare = out.replace("\\`", "").replace("\\]", "");
            for text in bare.lines().flat_map(|l| l.split('`').step_by(2)) {
                assert!(!text.contains("<script") && !text.contains("](javascript"), "{format} of {short:?}: {text}");
            }
        }
        "csv" => {
            let formula = |cell: &str| cell.trim_start_matches('"').starts_with(['=', '@', '+']);
            assert!(!out.lines().flat_map(|l| l.split(',')).any(formula), "csv of {short:?} has a formula");
        }
        _ => {}
    }
}

#[test]
fn snapshots_that_are_none_are_refused() {
    let sea = Sea::new();
    let good = std::fs::read(sea.snapshot()).unwrap();
    let gzip = |bytes: &[u8]| {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packer.write_all(bytes).unwrap();
        packer.finish().unwrap()
    };
    let packed = gzip(&good);
    let mut flipped = packed.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 0x55;
    // A stream may have many members.
    let bomb = gzip(&vec![b' '; 1 << 20]).repeat(1100);
    let text = String::from_utf8(good.clone()).unwrap();
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("empty", Vec::new(), "not a snapshot"),
        ("truncated", good[..good.len() / 2].to_vec(), "not a snapshot"),
        ("foreign", b"{\"hello\": [1, 2]}".to_vec(), "not a snapshot"),
        ("newer", text.replacen("\"schema\":1", "\"schema\":2", 1).into_bytes(), "newer Seaworthy"),
        ("kind", text.replace("docker.container", "docker.boat").into_bytes(), "no kind"),
        ("deep", "[".repeat(1 << 20).into_bytes(), "not a snapshot"),
        ("binary", vec![0xff; 4096], "not a snapshot"),
        ("torn.gz", packed[..packed.len() - 9].to_vec(), "damaged"),
        ("flipped.gz", flipped, "snapshot"),
        ("bomb.gz", bomb, "larger than"),
        ("wide.gz", gzip(&b"[0],".repeat(20 << 20)), "not a snapshot"),
        ("report", b"\x1b[31m".to_vec(), "not a snapshot"),
    ];
    for (name, bytes, words) in cases {
        let path = sea.write(name, bytes);
        sea.run(&["audit", "--from", path.to_str().unwrap()]).failed_with(words).failed_with(name);
    }
    let absent = sea.dir().join("absent");
    sea.run(&["audit", "--from", absent.to_str().unwrap()]).failed_with("No such file");
    sea.run(&["audit", "--from", sea.dir().to_str().unwrap()]).failed_with("is a directory");
    sea.run(&["audit", "--from", "/dev/zero"]).failed_with("larger than");
    sea.run(&["audit", "--from", "-"]).failed_with("not a snapshot");
    sea.run(&["audit", "--baseline", absent.to_str().unwrap()]).failed_with("No such file");
    let foreign = sea.write("foreign-report", "{}");
    sea.run(&["audit", "--baseline", foreign.to_str().unwrap()]).failed_with("foreign-report");
}

#[test]
fn a_root_full_of_traps_is_read_without_hanging_or_leaving_it() {
    let sea = Sea::new();
    let secret = sea.write("outside/secret", "root:hunter2:0:0::/root:/bin/sh\n");
    let root = sea.dir().join("root");
    let fifo = |path: &str| {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, 0o644.into(), 0).unwrap();
    };
    for path in ["etc/group", "etc/sudoers", "etc/docker/daemon.json", "etc/nsswitch.conf", "etc/audit/audit.rules"] {
        fifo(path);
    }
    for (link, to) in [
        ("etc/passwd", secret.to_str().unwrap()),
        ("etc/ssh", "ssh"),
        ("etc/os-release", "/etc/os-release-2"),
        ("etc/os-release-2", "/etc/os-release"),
        ("etc/containerd", "../../../outside"),
        ("usr", "/"),
        ("lib", "lib2"),
        ("lib2", "lib"),
        ("etc/systemd", "/etc"),
        ("root", "/root/root"),
    ] {
        symlink(to, root.join(link)).unwrap();
    }
    sea.write("root/etc/sudoers.d/loop", "@includedir /etc/sudoers.d\n@include /etc/sudoers.d/loop\n");
    sea.write("root/etc/docker/certs.d/x/ca.crt", vec![b'A'; 3 << 20]);
    sea.write("root/etc/audit/rules.d/big.rules", "-w /x -p wa\n".repeat(100_000));
    sea.write("root/var/lib/dpkg/status", [0xffu8; 100_000]);
    if rustix::process::geteuid().is_root() {
        let device = rustix::fs::makedev(1, 5);
        let zero = root.join("etc/environment");
        // A device where a file belongs; where this is not allowed the rest is tested all the same.
        let _ = rustix::fs::mknodat(rustix::fs::CWD, zero, rustix::fs::FileType::CharacterDevice, 0o644.into(), device);
    }
    let engine = Fake::of(small_engine());
    let arguments = ["audit", "--root", root.to_str().unwrap(), "--docker", &engine.host(), "-f", "json", "--all"];
    let run = sea.run(&arguments);
    run.ended(0);
    assert!(!run.out.contains("hunter2"), "a link led outside");
    let report = run.json();
    let host: Vec<&Value> =
        report["findings"].as_array().unwrap().iter().filter(|f| f["component"]["kind"] == "docker.host").collect();
    assert!(host.iter().any(|f| f["verdict"] == "unknown"), "{host:?}");
    sea.run(&["audit", "--root", "/no/such/root", "--docker", &engine.host(), "-f", "json"]).ended(0);
}

#[test]
fn a_broken_catalogue_points_at_line_and_column() {
    let sea = Sea::new();
    let snapshot = sea.snapshot();
    let snapshot = snapshot.to_str().unwrap();
    let good = "```toml\nabout    = \"docker.container\"\nseverity = \"low\"\nrequire  = \"!privileged\"\n\n[remedy]\n\
                safety = \"manual\"\nfix = \"Do it.\"\n```\n# Containers are named well\nBecause.\n## Cases\n\
                ```toml pass\nprivileged = false\n```\n```toml fail\nprivileged = true\n```\n```toml unknown\n```\n";
    let dir = sea.dir().join("mine");
    let dir = dir.to_str().unwrap();
    for (from, to, words) in [
        ("!privileged", "!privilegd", ":4:"),
        ("\"low\"", "\"lwo\"", ":3:"),
        ("\"docker.container\"", "\"docker.boat\"", ":2:"),
        ("!privileged", "!privileged &&", ":4:"),
        ("severity =", "severity", ":3:"),
    ] {
        sea.write("mine/checks/mine/named.md", good.replacen(from, to, 1));
        sea.run(&["audit", "--from", snapshot, "--catalog", dir]).failed_with(&format!("checks/mine/named.md{words}"));
    }
    sea.write("mine/checks/mine/named.md", good);
    let listed = sea.run(&["list", "checks", "--catalog", dir]);
    assert!(listed.ended(0).out.contains("mine/named"), "{}", listed.out);
    let run = sea.run(&["audit", "--from", snapshot, "--catalog", dir, "--check", "mine/named", "--fail-on", "low"]);
    run.ended(1);
    rustix::fs::mknodat(
        rustix::fs::CWD,
        sea.dir().join("mine/checks/mine/pipe.md"),
        rustix::fs::FileType::Fifo,
        0o644.into(),
        0,
    )
    .unwrap();
    sea.run(&["list", "checks", "--catalog", dir]).failed_with("not a regular file");
    sea.run(&["audit", "--demo", "--catalog", "/no/such/dir"]).failed_with("/no/such/dir");
}

#[test]
fn a_full_disk_is_said_and_a_closed_pipe_is_not() {
    let sea = Sea::new();
    let snapshot = sea.snapshot();
    let snapshot = snapshot.to_str().unwrap();
    for arguments in [
        vec!["audit", "--from", snapshot, "--all"],
        vec!["audit", "--from", snapshot, "-f", "json"],
        vec!["collect", "--from", snapshot],
        vec!["list", "facts"],
        vec!["explain", "5.4"],
        vec!["man"],
        vec!["completions", "bash"],
        vec!["--help"],
        vec!["--version"],
    ] {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut command = sea.command(&arguments);
        let mut child = command.stdout(full).stderr(Stdio::piped()).stdin(Stdio::null()).spawn().unwrap();
        let mut err = String::new();
        child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        assert_eq!(wait(&mut child).code(), Some(2), "{arguments:?}: {err}");
        assert!(err.starts_with("seaworthy: ") && err.contains("No space left"), "{arguments:?}: {err}");
        let mut child =
            sea.command(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).stdin(Stdio::null()).spawn().unwrap();
        drop(child.stdout.take());
        let mut err = String::new();
        child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        assert_eq!((wait(&mut child).code(), err.as_str()), (Some(0), ""), "{arguments:?}");
    }
    sea.run(&["audit", "--from", snapshot, "-o", "/dev/full", "-f", "json"]).failed_with("writing /dev/full");
    sea.run(&["audit", "--from", snapshot, "-o", "/no/such/dir/x.json"]).failed_with("/no/such/dir/x.json");
    sea.run(&["collect", "--from", snapshot, "-o", "/no/such/dir/x.json"]).failed_with("/no/such/dir/x.json");
    let dir = sea.dir().to_str().unwrap();
    sea.run(&["audit", "--from", snapshot, "-f", "json", "-o", dir]).failed_with("writing");
    let left: Vec<_> = std::fs::read_dir(sea.dir()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(!left.iter().any(|n| n.to_string_lossy().ends_with(".tmp")), "{left:?}");
}

#[test]
fn a_gate_does_not_open_for_a_reader_that_goes_away() {
    let sea = Sea::new();
    let snapshot = sea.snapshot();
    let arguments = ["audit", "--from", snapshot.to_str().unwrap(), "--all", "--fail-on", "high"];
    let mut child = sea.command(&arguments).stdout(Stdio::piped()).stdin(Stdio::null()).spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(wait(&mut child).code(), Some(1));
}

#[test]
fn an_engine_that_breaks_once_is_read_to_the_end() {
    let sea = Sea::new();
    let table = small_engine();
    let count = AtomicUsize::new(0);
    let engine = Fake::new(move |path, stream| {
        if path != "/version" && count.fetch_add(1, Ordering::SeqCst) == 2 {
            reply(stream, 503, b"{\"message\":\"starting\"}");
            return true;
        }
        match table.iter().find(|(p, _)| *p == path) {
            Some((_, value)) => reply(stream, 200, value.to_string().as_bytes()),
            None => reply(stream, 404, b"{}"),
        }
        true
    });
    let report = sea.run(&["audit", "-f", "json", "--docker", &engine.host()]).ended(0).json();
    assert!(report["coverage"]["gaps"].to_string().contains("503"), "{}", report["coverage"]);
    assert_eq!(version()["ApiVersion"], "1.41");
}
