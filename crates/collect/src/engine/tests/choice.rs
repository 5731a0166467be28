//! Which engine is meant: the order of flags, environment, contexts and the default.

use std::fs;

use super::*;

/// A home directory with contexts in it.
struct Home(TempDir);

impl Home {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn put(&self, path: &str, text: &str) {
        let path = self.0.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Adds the context `prod`; its directory is the SHA-256 of the name.
    fn prod(&self, endpoint: &str) {
        let meta = format!(r#"{{"Name":"prod","Metadata":{{}},"Endpoints":{{"docker":{endpoint}}}}}"#);
        self.put(&format!(".docker/contexts/meta/{PROD}/meta.json"), &meta);
    }

    fn environment(&self) -> Environment {
        Environment { home: Some(self.0.path().into()), root: self.0.path().into(), ..Environment::default() }
    }
}

/// SHA-256 of `prod`.
const PROD: &str = "6754af9632a2745e85c293e5aac0863370d9bd3330b9938c00cadfd215227d77";

fn meant(wanted: &Wanted, environment: &Environment) -> (String, String) {
    match resolve(wanted, environment) {
        Ok(resolved) => (resolved.endpoint.to_string(), resolved.origin),
        Err(failure) => (failure.to_string(), "error".into()),
    }
}

#[test]
fn the_order_is_the_clis() {
    let home = Home::new();
    home.prod(r#"{"Host":"tcp://prod:1","SkipTLSVerify":false}"#);
    let nothing = Wanted::default();
    let of = |address: &str, origin: &str| (address.to_owned(), origin.to_owned());
    let mut environment = home.environment();
    assert_eq!(meant(&nothing, &environment), of("unix:///var/run/docker.sock", "default"));
    home.put(".docker/config.json", r#"{"auths":{"r":{"auth":"c2VjcmV0"}},"currentContext":"prod"}"#);
    assert_eq!(meant(&nothing, &environment), of("tcp://prod:1", "context prod"));
    environment.docker_context = Some("default".into());
    assert_eq!(meant(&nothing, &environment), of("unix:///var/run/docker.sock", "default"));
    environment.docker_host = Some("tcp://host".into());
    environment.docker_context = Some("prod".into());
    assert_eq!(meant(&nothing, &environment), of("tcp://host:2375", "DOCKER_HOST"));
    let host = Wanted { host: Some("unix:///x".into()), context: None };
    assert_eq!(meant(&host, &environment), of("unix:///x", "--docker"));
    let context = Wanted { host: None, context: Some("prod".into()) };
    assert_eq!(meant(&context, &environment), of("tcp://prod:1", "context prod"));
    let default = Wanted { host: None, context: Some("default".into()) };
    assert_eq!(meant(&default, &environment), of("tcp://host:2375", "DOCKER_HOST"));
    let both = Wanted { host: Some("a".into()), context: Some("b".into()) };
    assert!(meant(&both, &environment).0.contains("twice"));
    assert!(resolve(&host, &environment).unwrap().is_local);
    assert!(!resolve(&context, &environment).unwrap().is_local);
}

#[test]
fn tls_comes_from_the_environment_or_the_context_not_both() {
    let home = Home::new();
    let tls = |wanted: &Wanted, environment: &Environment| resolve(wanted, environment).unwrap().endpoint.tls;
    let nothing = Wanted::default();
    let verify = Environment { docker_tls_verify: true, ..home.environment() };
    let endpoint = resolve(&nothing, &verify).unwrap().endpoint;
    assert_eq!(endpoint.to_string(), "tcp://localhost:2376");
    let dir = home.0.path().join(".docker");
    let expected = TlsFiles { ca: Some(dir.join("ca.pem")), ..TlsFiles::default() };
    assert_eq!(endpoint.tls, Some(expected));
    home.put("certs/cert.pem", "");
    let certs = home.0.path().join("certs");
    let unverified = Environment {
        docker_tls: true,
        docker_host: Some("tcp://h:9".into()),
        docker_cert_path: Some(certs.clone()),
        ..home.environment()
    };
    let files = tls(&nothing, &unverified).unwrap();
    assert!(files.skip_verify && files.key.is_none());
    assert_eq!((files.ca, files.cert), (Some(certs.join("ca.pem")), Some(certs.join("cert.pem"))));
    let socket = Environment { docker_host: Some("unix:///x".into()), ..unverified.clone() };
    assert_eq!(tls(&nothing, &socket), None);

    let context = Wanted { host: None, context: Some("prod".into()) };
    home.prod(r#"{"Host":"tcp://prod:1"}"#);
    assert_eq!(tls(&context, &unverified), None);
    home.prod(r#"{"Host":"tcp://prod:1","SkipTLSVerify":true}"#);
    assert_eq!(tls(&context, &home.environment()), Some(TlsFiles { skip_verify: true, ..TlsFiles::default() }));
    home.prod(r#"{"Host":"tcp://prod:1"}"#);
    home.put(&format!(".docker/contexts/tls/{PROD}/docker/ca.pem"), "");
    let files = tls(&context, &home.environment()).unwrap();
    assert!(files.ca.unwrap().ends_with("docker/ca.pem") && !files.skip_verify);
    assert_eq!((files.cert, files.key), (None, None));
}

#[test]
fn contexts_that_are_broken_are_told() {
    let home = Home::new();
    let environment = home.environment();
    let context = |name: &str| Wanted { host: None, context: Some(name.into()) };
    let line = |name: &str| meant(&context(name), &environment).0;
    assert!(
        line("nope\x1b").contains("--docker-context (nope\\u{1b}): there is no such context"),
        "{}",
        line("nope\x1b")
    );
    assert!(line("../../etc").contains("no such context"));
    home.prod("null");
    assert!(line("prod").contains("no docker endpoint"));
    home.put(&format!(".docker/contexts/meta/{PROD}/meta.json"), "{");
    assert!(line("prod").contains("is not a context"));
    home.prod(r#"{"Host":"npipe:////./pipe/x"}"#);
    assert!(line("prod").contains("Windows"));
    home.prod(r#"{"Host":""}"#);
    assert_eq!(line("prod"), "unix:///var/run/docker.sock");
    let nowhere = Environment::default();
    assert!(meant(&context("prod"), &nowhere).0.contains("HOME"));
}

#[test]
fn a_broken_config_is_noted_without_its_text() {
    let home = Home::new();
    for (text, part) in
        [(r#"{"auths":{"r":{"auth":"c2VjcmV0"}"#, "not JSON at line 1"), (r#"{"currentContext":3}"#, "not JSON")]
    {
        home.put(".docker/config.json", text);
        let resolved = resolve(&Wanted::default(), &home.environment()).unwrap();
        assert_eq!(resolved.origin, "default");
        assert!(resolved.notes.len() == 1 && resolved.notes[0].contains(part), "{:?}", resolved.notes);
        assert!(!resolved.notes[0].contains("c2VjcmV0"));
    }
    let directory = Environment { docker_config: Some(home.0.path().join("d")), ..home.environment() };
    fs::create_dir_all(home.0.path().join("d/config.json")).unwrap();
    assert!(resolve(&Wanted::default(), &directory).unwrap().notes[0].contains("no regular file"));
}

#[test]
fn a_proxy_that_is_passed_by_is_noted() {
    let environment = Environment { proxy: Some("HTTPS_PROXY"), ..Environment::default() };
    let notes = |host: &str| resolve(&Wanted { host: Some(host.into()), context: None }, &environment).unwrap().notes;
    assert!(notes("tcp://engine.example").join("").contains("HTTPS_PROXY is set"));
    for near in ["tcp://localhost:1", "tcp://127.8.8.8", "[::1]:5", "unix:///x", "ssh://h"] {
        assert_eq!(notes(near), [""; 0], "{near}");
    }
}

#[test]
fn other_sockets_are_named_once() {
    let home = Home::new();
    let mut listeners = Vec::new();
    let mut bind = |path: &str| {
        let path = home.0.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        listeners.push(std::os::unix::net::UnixListener::bind(&path).unwrap());
        path
    };
    let docker = bind("run/docker.sock");
    let rootless = bind("run/user/1000/docker.sock");
    let podman = bind("run/podman/podman.sock");
    let colima = bind(".colima/default/docker.sock");
    home.put(".rd/docker.sock", "a file");
    fs::create_dir(home.0.path().join("var")).unwrap();
    std::os::unix::fs::symlink("../run", home.0.path().join("var/run")).unwrap();
    let environment = Environment { runtime_dir: Some(home.0.path().join("run/user/1000")), ..home.environment() };
    let found = |in_use: &Path| -> Vec<(PathBuf, &str)> {
        other_sockets(&environment, &at(in_use)).into_iter().map(|socket| (socket.path, socket.kind)).collect()
    };
    let mut expected = vec![(podman, "podman"), (rootless.clone(), "rootless docker"), (colima, "colima")];
    assert_eq!(found(&docker), expected);
    expected.remove(1);
    expected.insert(0, (home.0.path().join("var/run/docker.sock"), "docker"));
    assert_eq!(found(&rootless), expected);
}
