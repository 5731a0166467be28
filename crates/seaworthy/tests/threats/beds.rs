//! The hosts: a careless one, a hardened one, and ones of which not everything can be read.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::Command;

use seaworthy_bed::{ContextFile, Daemon, Spec, Version};
use serde_json::{Value, json};

use crate::machine::{Machine, PASSWD, context, hard, made, program, quiet};
use crate::report::Report;

/// Where a line of the table holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Engine 20.10 as somebody in a hurry leaves it, read as root.
    Careless,
    /// Engine 20.10 as hard as this machine allows, read as root, with evidence about its image.
    Hardened,
    /// The careless engine behind a TCP proxy that refuses to inspect: neither the host nor the details are in reach.
    Refused,
    /// The careless engine, read by a user without rights.
    Nobody,
    /// The snapshot of the hardened host with what this machine cannot have written into it.
    Edited,
}

/// What the program says of each.
pub struct Hosts {
    reports: Vec<(Place, Report)>,
}

impl Hosts {
    /// Starts the engines, reads them and ends them; none where there are no engines.
    pub fn prepare() -> Option<Self> {
        let (careless, hardened) = std::thread::scope(|scope| {
            let hardened = scope.spawn(hardened);
            let careless = careless();
            (careless, hardened.join().expect("the hardened host"))
        });
        Some(Self { reports: [careless?, hardened?].into_iter().flatten().collect() })
    }

    /// The report on a host.
    pub fn report(&self, place: Place) -> &Report {
        &self.reports.iter().find(|(known, _)| *known == place).expect("every place is reported").1
    }
}

const THREATS: [&str; 5] = ["threats", "-f", "json", "--timeout", "60"];

fn careless() -> Option<Vec<(Place, Report)>> {
    let spec = Spec {
        daemon_json: Some(r#"{"insecure-registries": ["reg.example.com:5000"], "cgroup-parent": "/elsewhere"}"#.into()),
        hosts: vec!["tcp://0.0.0.0:2375".into()],
        // Left out, the engine waits for fifteen seconds before it listens.
        args: vec!["--tls=false".into()],
        ..Spec::default()
    };
    let mut daemon = Daemon::require(Version::V20, spec)?;
    // What changes after the start is no longer proven to be in effect.
    let mode = |path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("chmod");
    chown(daemon.daemon_json(), Some(1000), None).expect("chown");
    mode(daemon.dir().to_owned(), 0o755);
    daemon.restart().expect("restart");
    mode(daemon.socket(), 0o666);
    chown(daemon.socket(), Some(0), Some(990)).expect("chown");
    daemon.import_busybox("busybox:test");
    daemon.import_busybox("imported:1");
    let dockerfile = "FROM busybox:test\nADD notes /opt/\nENV DB_PASSWORD=hunter2hunter2\n\
                      RUN cp /bin/busybox /su && chmod 4755 /su\n";
    daemon.build("careless:latest", dockerfile, &[ContextFile::new("notes", b"x")]);
    daemon.build("careless:1", dockerfile, &[ContextFile::new("notes", b"x")]);
    made(
        &daemon,
        "/volumes/create",
        &json!({ "Name": "hides", "DriverOpts": { "type": "none", "o": "bind", "device": "/etc" } }),
    );
    made(&daemon, "/volumes/create", &json!({ "Name": "shared" }));
    let socket = format!("{}:/var/run/docker.sock", daemon.socket().display());
    daemon.run(
        "web",
        &json!({
            "Image": "careless:latest", "Cmd": ["sleep", "3600"], "Env": ["API_TOKEN=c2VjcmV0c2VjcmV0MTIz"],
            "ExposedPorts": { "80/tcp": {} },
            "HostConfig": {
                "PortBindings": { "80/tcp": [{ "HostIp": "0.0.0.0", "HostPort": "8080" }] },
                "RestartPolicy": { "Name": "always" }, "Binds": [socket, "/etc:/host-etc", "shared:/data"],
            },
        }),
    );
    daemon.run("db", &json!({ "Image": "careless:1", "Cmd": ["sleep", "3600"], "HostConfig": { "Binds": ["shared:/data", "hides:/h"] } }));
    daemon.run(
        "agent",
        &json!({ "Image": "imported:1", "HostConfig": { "NetworkMode": "host", "PidMode": "host", "CapAdd": ["SYS_ADMIN"] } }),
    );
    daemon.create("privileged", &json!({ "Image": "imported:1", "HostConfig": { "Privileged": true } }));
    let machine = Machine::new(&[
        ("etc/passwd", PASSWD, 0o644),
        ("etc/group", "root:x:0:\ndocker:x:990:alice\n", 0o644),
        ("etc/nsswitch.conf", "passwd: files\ngroup: files\n", 0o644),
        ("etc/sudoers", "alice ALL=(root) NOPASSWD: /usr/bin/docker\n", 0o440),
        ("etc/ssh/sshd_config", "PasswordAuthentication yes\nPermitRootLogin yes\n", 0o644),
        ("root/.docker/config.json", r#"{"auths": {"reg.example.com": {"auth": "dXNlcjpTM0NSRVQ="}}}"#, 0o644),
        ("root/.docker/contexts/meta/9f/meta.json", &context("tcp://192.0.2.7:2375"), 0o644),
        ("root/bob/.docker/config.json", "not JSON", 0o600),
    ]);
    let evidence = machine.dir.path().join("root/trivy.json");
    fs::write(&evidence, trivy(&daemon, "careless:1", "1.2.4")).expect("write");
    let read =
        machine.command(&[&THREATS[..], &["--deep", "--docker", &daemon.host(), "--evidence", "trivy.json"]].concat());
    let careless = Report::run(read);
    let refused = refuse(daemon.socket());
    let refused = Report::run(machine.command(&[&THREATS[..], &["--docker", &refused]].concat()));
    let nobody = nobody(&daemon);
    Some(vec![(Place::Careless, careless), (Place::Refused, refused), (Place::Nobody, nobody)])
}

/// A report of Trivy's on an image, with one vulnerability that is fixed in a version (or nowhere, for "").
fn trivy(daemon: &Daemon, image: &str, fixed: &str) -> String {
    let (_, image) = daemon.request("GET", &format!("/images/{image}/json"), None);
    json!({
        "SchemaVersion": 2, "CreatedAt": jiff::Timestamp::now().to_string(), "ArtifactName": "app",
        "ArtifactType": "container_image",
        "Metadata": { "OS": { "Family": "debian", "Name": "12.8" }, "ImageID": image["Id"], "RepoDigests": image["RepoDigests"] },
        "Results": [{ "Target": "app", "Class": "os-pkgs", "Type": "debian", "Vulnerabilities": [
            { "VulnerabilityID": "CVE-2026-0001", "PkgName": "openssl", "InstalledVersion": "1.2.3",
              "FixedVersion": fixed, "Severity": "CRITICAL" },
        ] }],
    })
    .to_string()
}

/// The careless engine, as a user without rights finds it.
fn nobody(daemon: &Daemon) -> Report {
    let place = tempfile::Builder::new().permissions(fs::Permissions::from_mode(0o755)).tempdir().expect("a directory");
    let copy = place.path().join("seaworthy");
    seaworthy_bed::copy_program(program().as_ref(), &copy);
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"]).arg(&copy).args(THREATS);
    command.args(["--docker", &daemon.host()]).env("HOME", place.path()).current_dir(place.path());
    quiet(&mut command);
    Report::run(command)
}

/// An engine behind a proxy that lists but refuses to tell more; reached by TCP, so that nothing says whose host it is.
fn refuse(socket: PathBuf) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
    let address = format!("tcp://{}", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            let socket = socket.clone();
            std::thread::spawn(move || {
                let mut head = Vec::new();
                let mut byte = [0u8; 1];
                while !head.ends_with(b"\r\n\r\n") && matches!(client.read(&mut byte), Ok(1)) {
                    head.push(byte[0]);
                }
                let text = String::from_utf8_lossy(&head).into_owned();
                let path = text.split(' ').nth(1).unwrap_or_default().to_owned();
                if refused(&path) {
                    let body = r#"{"message": "the proxy does not let this through"}"#;
                    let head = "HTTP/1.1 403 Forbidden\r\nContent-Type: application/json\r\nConnection: close\r\n";
                    drop(write!(client, "{head}Content-Length: {}\r\n\r\n{body}", body.len()));
                    return;
                }
                let Ok(mut engine) = UnixStream::connect(&socket) else { return };
                // One request a connection, so that every one is looked at.
                let once = text.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n");
                if engine.write_all(once.as_bytes()).is_ok() {
                    drop(std::io::copy(&mut engine, &mut client));
                }
            });
        }
    });
    address
}

/// What looks into one container or image, the engine's own settings, and its volumes' mounts.
fn refused(path: &str) -> bool {
    let path = path.split('?').next().unwrap_or_default();
    let path = path.strip_prefix("/v1.").and_then(|rest| rest.split_once('/')).map_or(path, |(_, rest)| rest);
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    matches!(parts[..], ["info"] | ["containers" | "images" | "networks", _, _] | ["networks", _])
}

fn hardened() -> Option<Vec<(Place, Report)>> {
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let tls = "--tlsverify --tlscacert={dir}/cert.pem --tlscert={dir}/cert.pem --tlskey={dir}/key.pem";
    let settings = r#"{"icc": false, "userland-proxy": false, "no-new-privileges": true, "live-restore": true,
        "log-driver": "syslog", "log-opts": {"syslog-address": "tcp://192.0.2.1:514"},
        "default-ulimits": {"nofile": {"Name": "nofile", "Soft": 1024, "Hard": 2048}}}"#;
    let spec = Spec {
        daemon_json: Some(settings.into()),
        args: tls.split(' ').map(str::to_owned).collect(),
        hosts: vec!["tcp://127.0.0.1:2376".into()],
        files: vec![
            ("cert.pem".into(), own.cert.pem().into()),
            ("key.pem".into(), own.signing_key.serialize_pem().into()),
        ],
        ..Spec::default()
    };
    let daemon = Daemon::require(Version::V20, spec)?;
    fs::set_permissions(daemon.socket(), fs::Permissions::from_mode(0o660)).expect("chmod");
    chown(daemon.socket(), Some(0), Some(0)).expect("chown");
    daemon.import_busybox("busybox:test");
    let dockerfile = "FROM busybox:test\nLABEL org.opencontainers.image.source=https://example.com/app.git\n\
        COPY passwd /etc/passwd\nHEALTHCHECK CMD true\nUSER 1000:1000\n";
    let passwd = [ContextFile::new("passwd", b"app:x:1000:1000::/:/bin/sh\n")];
    let id = daemon.build("app:1", dockerfile, &passwd);
    daemon.build("spare:1", &format!("{dockerfile}LABEL spare=1\n"), &passwd);
    made(&daemon, "/networks/create", &json!({ "Name": "quiet" }));
    made(&daemon, "/volumes/create", &json!({ "Name": "data" }));
    daemon.run("app", &hard(&id, "data:/data:ro", "8080"));
    daemon.run("reader", &hard(&id, "data:/data:ro", "8081"));
    let machine = Machine::new(&[
        ("etc/passwd", PASSWD, 0o644),
        ("etc/group", "root:x:0:\ndocker:x:990:\n", 0o644),
        ("etc/nsswitch.conf", "passwd: files\ngroup: files\n", 0o644),
        ("etc/sudoers", "root ALL=(ALL:ALL) ALL\n", 0o440),
        (
            "etc/ssh/sshd_config",
            "PasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin no\n",
            0o644,
        ),
        ("root/.docker/config.json", r#"{"auths": {"reg.example.com": {}}, "credsStore": "secretservice"}"#, 0o600),
        ("root/.docker/contexts/meta/9f/meta.json", &context("ssh://far.example.com"), 0o600),
        ("root/trivy.json", &trivy(&daemon, "app:1", ""), 0o600),
        ("root/cosign.json", &cosign(&id), 0o600),
    ]);
    let host = daemon.host();
    let evidence = ["--deep", "--timeout", "60", "--evidence", "trivy.json", "--evidence", "cosign.json"];
    let mut collect = machine.command(&[&["collect", "-o", "host.json", "--docker", &host], &evidence[..]].concat());
    assert!(collect.status().is_ok_and(|status| status.success()), "collect");
    let told = |file: &str| Report::run(machine.command(&["threats", "-f", "json", "--from", file]));
    let at = |name: &str| machine.dir.path().join("root").join(name);
    let collected = fs::read_to_string(at("host.json")).expect("a snapshot");
    fs::write(at("edited.json"), edited(&collected)).expect("write");
    Some(vec![(Place::Hardened, told("host.json")), (Place::Edited, told("edited.json"))])
}

/// A kind, the end of a component's name, and facts with the values that they get.
type Edit<'a> = (&'a str, &'a str, Vec<(&'a str, Value)>);

/// A snapshot in which some facts are others, read from where they were.
fn edited(snapshot: &str) -> String {
    let digest = format!("registry.example.com/app@sha256:{}", "2".repeat(64));
    let edits: [Edit<'_>; 8] = [
        ("docker.host", "", vec![("audit_enabled", json!(true)), ("apparmor", json!(true))]),
        ("docker.file", "/data", vec![("audited", json!(true)), ("audit_on_disk", json!(true))]),
        ("docker.file", "/docker.sock", vec![("audited", json!(true)), ("audit_on_disk", json!(true))]),
        ("docker.daemon", "", vec![("apparmor", json!(true))]),
        ("docker.container", "app", vec![("apparmor", json!("docker-default"))]),
        ("docker.image", "app:1", vec![("digests", json!([digest]))]),
        ("docker.image", "spare:1", vec![("digests", json!([digest]))]),
        ("docker.image", "spare:1", vec![("provenance", json!({ "unknown": "it was not recorded" }))]),
    ];
    let mut snapshot: Value = serde_json::from_str(snapshot).expect("a snapshot in JSON");
    let components = snapshot["targets"][0]["components"].as_array_mut().expect("components");
    for (kind, name, facts) in edits {
        let is = |c: &&mut Value| c["kind"] == kind && c["name"].as_str().is_some_and(|own| own.ends_with(name));
        let component = components.iter_mut().find(is).unwrap_or_else(|| panic!("no {kind} {name}"));
        for (fact, value) in facts {
            let cell = &mut component["facts"][fact];
            assert!(cell.is_array(), "{kind} {name} has no {fact}");
            cell[0] = value;
        }
    }
    snapshot.to_string()
}

/// What `cosign verify` prints of a digest.
fn cosign(digest: &str) -> String {
    json!([{ "critical": { "identity": { "docker-reference": "app" }, "image": { "docker-manifest-digest": digest },
        "type": "cosign container image signature" }, "optional": { "Issuer": "https://example.com", "Subject": "release" } }])
    .to_string()
}
