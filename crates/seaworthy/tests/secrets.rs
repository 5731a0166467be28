//! Secrets planted in every field where people put them, on real engines: none of them is in any snapshot, report, log
//! or error.

mod common;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use common::{FORMATS, Run, Sea, run};
use seaworthy_bed::{Daemon, Spec, Version};
use serde_json::json;

/// Makes secrets, different ones in every run, and remembers where each was planted.
struct Garden {
    state: u64,
    seed: u64,
    planted: BTreeMap<String, String>,
}

impl Garden {
    fn new() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let seed = u64::try_from(now.as_nanos() & u128::from(u64::MAX)).unwrap() | 1;
        Self { state: seed, seed, planted: BTreeMap::new() }
    }

    fn text(&mut self, length: usize, alphabet: &[u8]) -> String {
        (0..length)
            .map(|_| {
                self.state ^= self.state << 13;
                self.state ^= self.state >> 7;
                self.state ^= self.state << 17;
                let index = usize::try_from(self.state >> 40).unwrap() % alphabet.len();
                char::from(alphabet[index])
            })
            .collect()
    }

    fn plant(&mut self, place: &str, before: &str, length: usize, alphabet: &[u8]) -> String {
        let body = self.text(length, alphabet);
        self.planted.insert(body.clone(), place.to_owned());
        format!("{before}{body}")
    }

    /// What a person would choose.
    fn password(&mut self, place: &str) -> String {
        self.plant(place, "Pw", 12, b"abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789")
    }

    fn github(&mut self, place: &str) -> String {
        self.plant(place, "ghp_", 36, b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789")
    }

    fn aws(&mut self, place: &str) -> String {
        self.plant(place, "AKIA", 16, b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")
    }

    fn npm(&mut self, place: &str) -> String {
        self.plant(place, "npm_", 36, b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789")
    }

    fn uuid(&mut self, place: &str) -> String {
        let part = |g: &mut Self, n| g.text(n, b"0123456789ABCDEF");
        let parts = [8, 4, 4, 4, 12].map(|n| part(self, n)).join("-");
        self.planted.insert(parts.clone(), place.to_owned());
        parts
    }

    fn key(&mut self, place: &str) -> String {
        let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
        let body = self.plant(place, "MIIE", 60, alphabet);
        format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n")
    }

    /// That none of it is in there.
    #[track_caller]
    fn absent_from(&self, text: &str, what: &str) {
        let mut leaks = String::new();
        for (secret, place) in &self.planted {
            if let Some(at) = text.find(secret.as_str()) {
                let around: String = text[..at].chars().rev().take(120).collect::<Vec<_>>().into_iter().rev().collect();
                let _ = writeln!(leaks, "  {place} ({secret}) after …{around}");
            }
        }
        assert!(leaks.is_empty(), "{what} (seed {}) tells secrets:\n{leaks}", self.seed);
    }

    #[track_caller]
    fn absent_from_run(&self, run: &Run, what: &str) {
        self.absent_from(&run.out, what);
        self.absent_from(&run.err, what);
    }
}

fn engine(version: Version, garden: &mut Garden) -> Option<Daemon> {
    let mut config = json!({
        "log-driver": "splunk",
        "log-opts": {"splunk-token": garden.uuid("daemon.json log-opts"), "splunk-url": "https://splunk.example:8088"},
        "labels": [format!("registry.password={}", garden.password("daemon.json labels"))],
    });
    let proxy = |garden: &mut Garden, place: &str| format!("http://bob:{}@proxy.example:3128", garden.password(place));
    let mut env = vec![("HTTPS_PROXY".to_owned(), proxy(garden, "the daemon's environment"))];
    if version == Version::V29 {
        config["proxies"] = json!({"http-proxy": proxy(garden, "daemon.json proxies"), "no-proxy": "localhost"});
    } else {
        env.push(("HTTP_PROXY".to_owned(), proxy(garden, "the daemon's environment")));
    }
    let label = format!("api_key={}", garden.github("the daemon's arguments"));
    // One setting may not be given in both places.
    if version == Version::V20 {
        config.as_object_mut().unwrap().remove("labels");
    }
    let args = if version == Version::V20 { vec!["--label".to_owned(), label] } else { Vec::new() };
    Daemon::require(version, Spec { args, env, daemon_json: Some(config.to_string()), ..Spec::default() })
}

#[track_caller]
fn post(daemon: &Daemon, path: &str, body: &serde_json::Value) -> serde_json::Value {
    let (status, answer) = daemon.request("POST", path, Some(body));
    assert!((200..300).contains(&status), "{path}: {status} {answer}");
    answer
}

fn plant(daemon: &Daemon, garden: &mut Garden) {
    daemon.import_busybox("busybox:test");
    let g = garden;
    let dockerfile = format!(
        "FROM busybox:test\nARG NPM_TOKEN={}\nENV DB_PASSWORD={}\nLABEL com.example.token=\"{}\"\n\
         RUN true\nHEALTHCHECK CMD curl -u admin:{} http://localhost/\nENTRYPOINT [\"serve\", \"--password\", \"{}\"]\n\
         CMD [\"--url\", \"postgres://u:{}@db/x\"]\n",
        g.npm("build argument"),
        g.password("image ENV"),
        g.github("image LABEL"),
        g.password("image HEALTHCHECK"),
        g.password("image ENTRYPOINT"),
        g.password("image CMD"),
    );
    daemon.build("app:1", &dockerfile, &[]);
    let json_file = json!({"Type": "json-file", "Config": {}});
    let none = "none";
    let id = daemon.run(
        "web",
        &json!({"Image": "busybox:test", "Cmd": ["sh", "-c", "sleep 3600; true", "--password", g.password("process arguments"),
            format!("--token={}", g.github("process arguments"))],
            "Env": [format!("DB_PASSWORD={}", g.password("environment")), format!("ANY={}", g.aws("environment")),
                format!("DATABASE_URL=postgres://u:{}@db/x", g.password("environment")),
                format!("HARMLESS={}", g.password("environment, whatever its name")),
                format!("KEY={}", g.key("environment").replace('\n', "\\n"))],
            "Labels": {"db.password": g.password("label"), "url": format!("https://u:{}@h/", g.password("label")),
                "note": format!("see {}", g.github("label"))},
            "Healthcheck": {"Test": ["CMD-SHELL", format!("curl -u admin:{} http://localhost/ || exit 1", g.password("health check"))],
                "Interval": 3_600_000_000_000_i64},
            "HostConfig": {"LogConfig": json_file, "NetworkMode": none}}),
    );
    let exec = json!({"Cmd": ["sh", "-c", "sleep 3600; true", "--api-key", g.password("exec command")],
        "Env": [format!("TOKEN={}", g.password("exec environment"))]});
    let exec = post(daemon, &format!("/containers/{id}/exec"), &exec);
    post(daemon, &format!("/exec/{}/start", exec["Id"].as_str().unwrap()), &json!({"Detach": true}));
    daemon.create(
        "logs",
        &json!({"Image": "busybox:test", "Entrypoint": ["env", format!("TOKEN={}", g.password("entrypoint")), "mysql"],
            "Cmd": [format!("-p{}", g.password("command")), "-h", "db"],
            "HostConfig": {"NetworkMode": none, "LogConfig": {"Type": "splunk",
                "Config": {"splunk-token": g.uuid("log option"), "splunk-url": "https://splunk.example:8088"}}}}),
    );
    let named = g.github("container name");
    daemon.create(&named, &json!({"Image": "app:1", "HostConfig": {"LogConfig": json_file, "NetworkMode": none}}));
    post(
        daemon,
        "/volumes/create",
        &json!({"Name": "share", "Driver": "local", "Labels": {"secret": g.password("volume label")},
            "DriverOpts": {"type": "cifs", "device": "//192.0.2.1/x",
                "o": format!("addr=192.0.2.1,username=u,password={}", g.password("volume option"))}}),
    );
    post(
        daemon,
        "/networks/create",
        &json!({"Name": "own", "Driver": "bridge", "Labels": {"auth": format!("Bearer {}", g.github("network label"))},
            "Options": {"com.example.token": g.password("network option")}}),
    );
    let tag = g.npm("image tag");
    let (status, answer) = daemon.request("POST", &format!("/images/busybox:test/tag?repo=other&tag={tag}"), None);
    assert_eq!(status, 201, "{answer}");
}

fn client(sea: &Sea, g: &mut Garden) {
    let auth = g.plant("config.json auth", "", 32, b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789");
    let config = json!({
        "auths": {"https://registry.example/": {"auth": auth},
            "other.example": {"username": "u", "password": g.password("config.json password")},
            "third.example": {"identitytoken": g.github("config.json identity token")}},
        "HttpHeaders": {"Authorization": format!("Bearer {}", g.password("config.json header"))},
        "proxies": {"default": {"httpProxy": format!("http://u:{}@p:3128", g.password("config.json proxy"))}},
    });
    sea.write(".docker/config.json", config.to_string());
    sea.write(".docker/key.pem", g.key("TLS key"));
    sea.write(".docker/cert.pem", g.key("a key in place of a certificate"));
    sea.write(".docker/ca.pem", g.key("a key in place of an authority"));
    sea.write(".bashrc", format!("export DOCKER_PASSWORD={}\n", g.password("profile")));
}

fn tell_nothing(version: Version) {
    let mut garden = Garden::new();
    let Some(daemon) = engine(version, &mut garden) else { return };
    plant(&daemon, &mut garden);
    let sea = Sea::new();
    client(&sea, &mut garden);
    let at = version.name();
    let snapshot = sea.dir().join("snapshot.json");
    let path = snapshot.to_str().unwrap();
    let collected = sea.run(&["collect", "--deep", "--docker", &daemon.host(), "-o", path]);
    garden.absent_from_run(collected.ended(0), "collect");
    let bytes = String::from_utf8(std::fs::read(&snapshot).unwrap()).unwrap();
    assert!(bytes.contains("env_secrets") && bytes.contains("splunk"), "{at}: nothing was collected");
    garden.absent_from(&bytes, &format!("{at}: the snapshot"));
    for view in ["audit", "assess"] {
        for format in FORMATS {
            let run = sea.run(&[view, "--from", path, "-f", format, "--all", "--gaps", "--top", "99"]);
            garden.absent_from_run(run.ended(0), &format!("{at}: {view} -f {format}"));
        }
        garden.absent_from_run(sea.run(&[view, "--docker", &daemon.host()]).ended(0), &format!("{at}: {view}"));
    }
    let report = sea.run(&["audit", "--from", path, "-f", "json"]).json();
    let failed = |check: &str| {
        report["findings"].as_array().unwrap().iter().any(|f| f["check"] == check && f["verdict"] == "fail")
    };
    assert!(failed("docker/container/no-env-secrets"), "{at}: secrets in the environment are not told of");
}

#[test]
fn engine_20_tells_no_secret() {
    tell_nothing(Version::V20);
}

#[test]
fn engine_29_tells_no_secret() {
    tell_nothing(Version::V29);
}

#[test]
fn errors_tell_no_secret() {
    let mut garden = Garden::new();
    let sea = Sea::new();
    let g = &mut garden;
    client(&sea, g);
    let from_environment = |variables: &[(&str, String)], arguments: &[&str]| {
        let mut command = sea.command(arguments);
        command.envs(variables.iter().map(|(n, v)| (*n, v.as_str())));
        run(command)
    };
    let audit = ["audit", "--timeout", "2"];
    let mut hosts = Vec::new();
    for form in
        ["tcp://u:{}@127.0.0.1:1", "ssh://u:{}@127.0.0.1:1", "http://{}@127.0.0.1:1/x", "tcp://u:{}@h:port", "u:{}@h x"]
    {
        hosts.push(form.replace("{}", &g.password("DOCKER_HOST")));
    }
    let proxy = format!("http://u:{}@127.0.0.1:9", g.password("HTTPS_PROXY"));
    let torn = format!("{{\"auths\": {{\"x\": {{\"auth\": \"{}\" !", g.password("a torn config.json"));
    let config = sea.write("bad.toml", format!("password = {}\n", g.password("seaworthy.toml")));
    let waiver = sea.write("waiver.toml", format!("[[waiver]]\ntoken = \"{}\"\n", g.password("seaworthy.toml")));
    let snapshot = sea.write("bad.json", format!("{{\"schema\": \"{}\"}}", g.password("a file that is no snapshot")));
    for host in hosts {
        let run = from_environment(&[("DOCKER_HOST", host.clone())], &audit);
        garden.absent_from_run(run.failed_with(""), "DOCKER_HOST");
        let run = from_environment(&[("HTTPS_PROXY", proxy.clone())], &[&audit[..], &["--docker", &host]].concat());
        garden.absent_from_run(run.failed_with(""), "--docker");
    }
    let tls = [("DOCKER_TLS_VERIFY", "1".to_owned()), ("DOCKER_HOST", "tcp://127.0.0.1:1".to_owned())];
    garden.absent_from_run(from_environment(&tls, &audit).failed_with("TLS"), "keys in place of certificates");
    for file in [config, waiver] {
        let run = sea.run(&["audit", "--demo", "-c", file.to_str().unwrap()]);
        garden.absent_from_run(run.failed_with(file.to_str().unwrap()), "a broken seaworthy.toml");
    }
    garden.absent_from_run(sea.run(&["audit", "--from", snapshot.to_str().unwrap()]).failed_with(""), "--from");
    sea.write(".docker/config.json", torn);
    let run = from_environment(&[("DOCKER_HOST", "unix:///no/such/socket".to_owned())], &audit);
    garden.absent_from_run(run.failed_with("no socket"), "a torn config.json");
}
