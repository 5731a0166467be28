use super::*;
use crate::host::testing::host;

const PASSWD: &str = "root:x:0:0::/root:/bin/bash\ntoor:x:0:0::/root:/bin/bash\nalice:x:1000:1000::/home/alice:/bin/bash\n\
                      zoe:x:1001:1001::/home/zoe:/usr/bin/zsh\nsys:x:7:7::/nonexistent:/usr/sbin/nologin\n";

fn read(files: &[(&str, &str)]) -> Client {
    let mut all = vec![("/etc/passwd", PASSWD), ("/etc/group", "")];
    all.extend(files);
    let (_dir, root) = host(&all);
    Client::read(&root, &Accounts::read(&root), &Packages::default(), Some("/opt/ignored"))
}

/// Content trust of alice (or the system's where she has nothing of her own): in effect, line.
fn trust(files: &[(&str, &str)]) -> Option<(Option<bool>, String)> {
    let mut all = files.to_vec();
    all.push(("/home/alice/.docker/x", ""));
    let client = read(&all);
    assert_eq!(client.gaps, []);
    let alice = client.users.into_iter().find(|user| user.users == ["alice"]).unwrap();
    alice.content_trust.map(|trust| (trust.in_effect(), trust.at.to_string()))
}

const CONFIG: &str = r#"{
  "auths": { "https://index.docker.io/v1/": {"auth": "dXNlcjpTRUNSRVQ="}, "stored.example": {}, "empty.example": {"auth": ""},
             "https://bob:SECRET@reg.example/v2": {}, "token.example": {"IdentityToken": "SECRET"} },
  "CredsStore": "desktop", "credHelpers": {"gcr.io": "gcloud"}, "currentContext": "remote",
  "proxies": {"default": {"httpProxy": "http://u:SECRET@proxy:3128", "httpsProxy": "http://proxy:3128", "noProxy": "a@b"}},
  "HttpHeaders": {"X-Auth": "SECRET"} }"#;

#[test]
fn configuration_tells_where_credentials_are_and_never_what() {
    let context = r#"{"Name":"remote","Metadata":{"Description":"SECRET"},"Endpoints":{"docker":{"Host":"tcp://me:SECRET@host:2376","SkipTLSVerify":true}}}"#;
    let client = read(&[
        ("/home/alice/.docker/config.json", CONFIG),
        ("/home/alice/.docker/contexts/meta/abc/meta.json", context),
        ("/home/alice/.docker/contexts/meta/bad/meta.json", "{"),
        ("/home/alice/.docker/contexts/tls/abc/docker/key.pem", "SECRET"),
        ("/home/alice/.docker/trust/private/abc.key", "SECRET"),
        ("/home/alice/.docker/trust/private/tuf_keys/old.key", "SECRET"),
        ("/home/alice/.docker/key.pem", "SECRET"),
        ("/root/.dockercfg", "{}"),
    ]);
    assert!(!format!("{client:?}").contains("SECRET"));
    let [root, alice] = client.users.as_slice() else { panic!("{:?}", client.users) };
    assert_eq!(root.users, ["root", "toor"]);
    assert!(root.dockercfg.is_some() && root.config.is_none());
    let config = alice.config.as_ref().unwrap();
    assert_eq!(config.plain_registries, ["https://index.docker.io/v1/", "https://reg.example/v2", "token.example"]);
    assert_eq!(config.named_registries, ["stored.example", "empty.example"]);
    assert_eq!(config.creds_store.as_deref(), Some("desktop"));
    assert_eq!(config.cred_helpers["gcr.io"], "gcloud");
    assert_eq!(config.current_context.as_deref(), Some("remote"));
    assert_eq!(config.proxies_with_credentials, ["default.httpProxy"]);
    assert_eq!(config.header_names, ["X-Auth"]);
    let [context] = alice.contexts.as_slice() else { panic!() };
    assert_eq!((context.host.as_deref(), context.skip_tls_verify), (Some("tcp://host:2376"), true));
    assert_eq!((context.tls.len(), alice.tls.len(), alice.trust_keys.len()), (1, 1, 2));
    assert_eq!(client.gaps.len(), 1);
}

#[test]
fn configuration_that_is_none_is_a_gap() {
    for (text, reason) in
        [("{\"auths\": SECRET", "is no JSON (line 1"), ("[]", "is no JSON object"), ("\u{feff}{}", "is no JSON")]
    {
        let client = read(&[("/home/alice/.docker/config.json", text)]);
        assert!(client.gaps[0].reason.starts_with(reason), "{text}: {:?}", client.gaps);
        assert!(!format!("{client:?}").contains("SECRET"));
        assert!(client.users[0].config.is_none());
    }
    let deep = "[".repeat(100_000);
    assert_eq!(read(&[("/home/alice/.docker/config.json", &deep)]).gaps.len(), 1);
    assert_eq!(read(&[("/home/alice/.docker/config.json/x", "")]).gaps[0].reason, "is a directory, not a file");
}

#[test]
fn content_trust_needs_an_exported_value_that_is_on() {
    let on = |at: &str| Some((Some(true), at.to_owned()));
    let off = |at: &str| Some((Some(false), at.to_owned()));
    let open = |at: &str| Some((None, at.to_owned()));
    let rc = "/home/alice/.bashrc:1";
    for (text, expected) in [
        ("export DOCKER_CONTENT_TRUST=1", on(rc)),
        ("DOCKER_CONTENT_TRUST=1", off(rc)),
        ("DOCKER_CONTENT_TRUST='1'; export DOCKER_CONTENT_TRUST", on(rc)),
        ("declare -x DOCKER_CONTENT_TRUST=\"1\"", on(rc)),
        ("set -a; DOCKER_CONTENT_TRUST=1", on(rc)),
        ("export DOCKER_CONTENT_TRUST=0", off(rc)),
        ("export DOCKER_CONTENT_TRUST=", off(rc)),
        ("export DOCKER_CONTENT_TRUST=yes", on(rc)),
        ("export DOCKER_CONTENT_TRUST=$X", open(rc)),
        ("export DOCKER_CONTENT_TRUST=$(echo \")\" 1)", open(rc)),
        ("# export DOCKER_CONTENT_TRUST=1", None),
        ("echo x # ; export DOCKER_CONTENT_TRUST=1", None),
        ("DOCKER_CONTENT_TRUST=1 docker pull x", None),
        ("echo 'export DOCKER_CONTENT_TRUST=1'", None),
        ("cat <<EOF\nexport DOCKER_CONTENT_TRUST=1\nEOF", None),
        ("export DOCKER_CONTENT_TRUST=1\nunset DOCKER_CONTENT_TRUST", None),
        ("export DOCKER_CONTENT_TRUST=1; export -n DOCKER_CONTENT_TRUST", off(rc)),
        ("export DOCKER_CONTENT_TRUST=1\nexport DOCKER_CONTENT_TRUST=0", off("/home/alice/.bashrc:2")),
        ("return\nexport DOCKER_CONTENT_TRUST=1", None),
        ("[ -z \"$PS1\" ] && return\nexport DOCKER_CONTENT_TRUST=1", on("/home/alice/.bashrc:2")),
        ("case $- in\n *i*|x) ;;\n *) return;;\nesac\nexport DOCKER_CONTENT_TRUST=1", on("/home/alice/.bashrc:5")),
        ("if true; then export DOCKER_CONTENT_TRUST=1; fi", open(rc)),
        ("if true; then export DOCKER_CONTENT_TRUST=1; fi\nDOCKER_CONTENT_TRUST=1", open("/home/alice/.bashrc:2")),
        ("f() {\n export DOCKER_CONTENT_TRUST=1\n}", open("/home/alice/.bashrc:2")),
        ("true && export DOCKER_CONTENT_TRUST=1", open(rc)),
        ("export DOCKER_CONTENT_TRUST=1\nif x; then export DOCKER_CONTENT_TRUST=0; fi", open("/home/alice/.bashrc:2")),
        ("export DOCKER_CONTENT_TRUST=1\nif x; then export DOCKER_CONTENT_TRUST=1; fi", on("/home/alice/.bashrc:2")),
        ("if x; then export DOCKER_CONTENT_TRUST=0; fi\nexport DOCKER_CONTENT_TRUST=1", on("/home/alice/.bashrc:2")),
        ("for i in a b; do :; done; a=(1 2)\nexport \\\n  DOCKER_CONTENT_TRUST=1", on("/home/alice/.bashrc:3")),
    ] {
        assert_eq!(trust(&[("/home/alice/.bashrc", text)]), expected, "{text}");
    }
}

#[test]
fn later_files_win_and_only_those_that_the_shell_reads() {
    let export = |value: u8| format!("export DOCKER_CONTENT_TRUST={value}\n");
    let (one, zero) = (export(1), export(0));
    let at = |path: &str, on: bool| Some((Some(on), format!("{path}:1")));
    assert_eq!(trust(&[("/etc/environment", "DOCKER_CONTENT_TRUST=1 # on\n")]), at("/etc/environment", true));
    assert_eq!(trust(&[("/etc/environment", "#DOCKER_CONTENT_TRUST=1\n")]), None);
    let pam = ("/etc/security/pam_env.conf", "DOCKER_CONTENT_TRUST DEFAULT=0 OVERRIDE=1\n");
    assert_eq!(trust(&[pam]), at("/etc/security/pam_env.conf", true));
    // A variable that is exported stays so when it is assigned again.
    assert_eq!(trust(&[pam, ("/etc/profile", "DOCKER_CONTENT_TRUST=0\n")]), at("/etc/profile", false));
    assert_eq!(trust(&[("/etc/profile.d/z.sh", &one), ("/etc/profile", &zero)]), at("/etc/profile.d/z.sh", true));
    assert_eq!(trust(&[("/etc/profile.d/z.csh", &one), ("/home/alice/.zshrc", &one)]), None);
    assert_eq!(trust(&[("/home/alice/.profile", &one), ("/home/alice/.bash_profile", "x\n")]), None);
    assert_eq!(
        trust(&[("/home/alice/.config/environment.d/1.conf", "DOCKER_CONTENT_TRUST=\"1\"")]),
        at("/home/alice/.config/environment.d/1.conf", true)
    );
    let client = read(&[("/home/zoe/.zshrc", &one)]);
    assert_eq!(client.users[0].content_trust.as_ref().and_then(ContentTrust::in_effect), Some(true));
    assert_eq!(client.content_trust, None);
    let client = read(&[("/etc/environment", "DOCKER_CONTENT_TRUST=1\n"), ("/etc/profile/x", "")]);
    assert_eq!(client.content_trust.and_then(|trust| trust.in_effect()), None, "an unread file may change it");
    let client = read(&[("/home/alice/.bashrc/x", "")]);
    assert!(client.environment_complete && !client.users[0].environment_complete);
}

#[test]
fn docker_host_and_docker_config_are_followed() {
    let client = read(&[
        ("/home/alice/.profile", "export DOCKER_HOST=tcp://me:SECRET@10.0.0.1:2375\nexport DOCKER_CONFIG=~/cfg\n"),
        ("/home/alice/cfg/config.json", "{\"auths\":{\"r\":{\"auth\":\"SECRET\"}}}"),
    ]);
    assert!(!format!("{client:?}").contains("SECRET"));
    let host = client.users[0].docker_host.as_ref().unwrap();
    assert_eq!((host.host.as_deref(), host.had_userinfo, host.exported), (Some("tcp://10.0.0.1:2375"), true, true));
    assert_eq!(client.users[1].dir, "/home/alice/cfg");
    assert_eq!(client.users[1].config.as_ref().unwrap().plain_registries, ["r"]);
}

#[test]
fn hostile_profiles_end() {
    for text in [
        "$(",
        "`",
        "\"",
        "'",
        "<<",
        "<<<",
        "${",
        "\\",
        "case x in",
        "(((",
        ")))",
        "esac",
        "export",
        "export =",
        "<<A",
        "&;|<>",
        "\u{0}\u{7f}é=1",
        "$'\\''",
    ] {
        let text = format!("DOCKER_CONTENT_TRUST\n{text}");
        let client = read(&[("/home/alice/.bashrc", &text)]);
        assert_eq!(client.content_trust, None);
    }
    let long = "DOCKER_CONTENT_TRUST ".to_owned() + &"$(".repeat(300_000);
    assert_eq!(read(&[("/home/alice/.bashrc", &long)]).gaps, []);
}

#[test]
fn the_version_of_the_command_line_comes_from_its_package() {
    let status = "Package: docker-ce-cli\nStatus: install ok installed\nVersion: 5:29.0.1-1~debian.12~bookworm\n";
    let (_dir, root) = host(&[("/etc/passwd", PASSWD), ("/var/lib/dpkg/status", status)]);
    let client = Client::read(&root, &Accounts::read(&root), &Packages::read(&root), None);
    assert_eq!(client.cli_version.as_deref(), Some("5:29.0.1-1~debian.12~bookworm"));
}
