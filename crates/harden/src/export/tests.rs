//! Exports read back by what they are for: a shell, a YAML parser, a JSON merge.

use std::path::Path;
use std::process::Command;

use saphyr::{LoadableYamlNode as _, Scalar, Yaml};
use seaworthy_core::plan::*;
use seaworthy_core::remedy::Safety;
use serde_json::{Value, json};

use super::{ansible, compose, daemon_json, shell};

/// Names that try to be code somewhere.
const HOSTILE: &[&str] = &[
    "web",
    "it's",
    "a\nrm -rf /tmp/nothing\nSEAWORTHY",
    "$(touch /tmp/seaworthy-owned)",
    "`id`",
    "{{ lookup('pipe', 'id') }}",
    "{% for x in y %}",
    "${HOME} $HOME $$",
    "\"quoted\" \\ back",
    "- item: # comment",
    "größe 箱 \u{202e}gnp.exe",
    "tab\tand\u{1b}[2Jescape\u{85}next",
    "!!python/object",
    "'; exit 1 #",
    "\u{1f433}\u{e0041}",
];

fn container(name: &str) -> ContainerRef {
    ContainerRef { id: name.to_owned(), name: name.to_owned() }
}

fn change(action: Action) -> Change {
    let closes = Vec::new();
    Change { title: "T".into(), safety: Safety::Disruptive, action, closes, breaks: Vec::new(), lasting: Vec::new() }
}

fn plan(changes: Vec<Change>) -> Plan {
    Plan {
        schema: SCHEMA,
        tool: "0".into(),
        id: String::new(),
        made_at: 7,
        target: Place {
            name: "t".into(),
            address: "unix:///run/docker.sock".into(),
            host: None,
            engine: None,
            demo: false,
        },
        changes,
        by_hand: Vec::new(),
        left_out: Vec::new(),
        expects: Vec::new(),
        interruption: Interruption::default(),
        warnings: Vec::new(),
        forecast: None,
    }
    .sealed()
}

fn limit(field: &str, after: Value) -> SetField {
    SetField { field: field.into(), before: Value::Null, after, why: "as you set it".into() }
}

/// Everything that a plan can hold, with a hostile name wherever one can be.
fn everything(name: &str) -> Plan {
    let rights = Rights {
        path: format!("/etc/{name}"),
        what: "file".into(),
        before: Owned { uid: 1, gid: 1, mode: 0o666 },
        after: Owned { uid: 0, gid: 0, mode: 0o644 },
    };
    let watch =
        |path: &str| Watch { path: path.into(), directory: true, permissions: "wa".into(), kernel: true, disk: true };
    let compose = Some(("shop".to_owned(), name.to_owned()));
    let actions = vec![
        Action::Rights(rights.clone()),
        Action::DropIn(DropIn {
            unit: "docker.socket".into(),
            section: "Socket".into(),
            set: vec![("SocketMode".into(), "0660".into())],
            socket: Some(rights),
        }),
        Action::Audit(AuditRules { watches: vec![watch("/etc/docker"), watch(&format!("/srv/{name}"))], enable: true }),
        Action::ProfileEnv(ProfileEnv { set: vec![("DOCKER_CONTENT_TRUST".into(), "1".into())] }),
        Action::Sshd(Sshd { set: vec![("PermitRootLogin".into(), "no".into())] }),
        Action::LeaveGroup(LeaveGroup { group: "docker".into(), user: name.into() }),
        Action::DaemonJson(DaemonJson {
            path: "/etc/docker/daemon.json".into(),
            digest: None,
            set: vec![SetKey { key: "icc".into(), before: None, after: Some(false.into()) }],
        }),
        Action::Activate(Activate {
            how: Activation::Restart,
            returns: Vec::new(),
            started_again: vec![container(name)],
            stop_all: true,
        }),
        Action::Update(Update {
            container: container(name),
            compose: compose.clone(),
            set: vec![
                limit("memory", (64i64 << 20).into()),
                limit("cpus", 1500.into()),
                limit("restart", json!("on-failure:5")),
            ],
        }),
        Action::Recreate(Recreate {
            container: container(name),
            compose,
            set: vec![
                SpecChange { option: "privileged".into(), remove: Vec::new(), add: vec!["false".into()] },
                SpecChange { option: "cap-drop".into(), remove: Vec::new(), add: vec!["NET_RAW".into()] },
                SpecChange { option: "volume".into(), remove: vec![format!("/{name}")], add: Vec::new() },
                SpecChange { option: "pid".into(), remove: Vec::new(), add: vec![String::new()] },
                SpecChange { option: "user".into(), remove: Vec::new(), add: vec![name.into()] },
            ],
            accept_lost_changes: false,
        }),
        Action::Swarm(Swarm { set: vec![("cert-expiry".into(), json!(0), json!(7_776_000_000_000_000u64))] }),
    ];
    let mut plan = plan(actions.into_iter().map(change).collect());
    plan.changes[0].title = name.into();
    plan.changes[0].breaks = vec![name.into()];
    plan.target.name = name.into();
    let finding = Closed { check: "c".into(), kind: "k".into(), component: name.into(), fingerprint: String::new() };
    plan.by_hand = vec![ByHand { finding, what: name.into(), command: vec!["kill".into(), name.into()] }];
    plan.sealed()
}

/// Functions in place of the programs that would change the machine: each writes down how it was called.
const RECORD: &str = r#"
record() { for word in "$@"; do printf '%s\0' "$word" >> "$LOG"; done; printf '\0\0' >> "$LOG"; }
docker() { record docker "$@"; }
auditctl() { record auditctl "$@"; }
systemctl() { record systemctl "$@"; }
sshd() { record sshd "$@"; }
gpasswd() { record gpasswd "$@"; }
dockerd() { record dockerd "$@"; }
rights() { record rights "$@"; }
put() { record put "$1" "$2"; put_changed=1; cat > /dev/null; }
python3() { cat > /dev/null; return 9; }
mkdir() { :; }
keep() { :; }
id() { case "$1" in -u) echo 0 ;; *) printf '%s\n' docker ;; esac; }
"#;

/// What a script calls, when nothing of it may touch the machine.
fn calls(script: &str, dir: &Path) -> Vec<Vec<String>> {
    // The recorders come after the script's own functions, and before the first thing that it does.
    let (head, rest) = script.split_once("changed=0\n").expect("the script's functions end there");
    let whole = format!("{head}{RECORD}changed=0\n{rest}");
    let (file, log) = (dir.join("script"), dir.join("log"));
    std::fs::write(&file, whole).unwrap();
    std::fs::write(&log, "").unwrap();
    let ran = Command::new("sh").arg(&file).env("LOG", &log).output().unwrap();
    assert!(ran.status.success(), "{}\n{script}", String::from_utf8_lossy(&ran.stderr));
    let log = String::from_utf8(std::fs::read(&log).unwrap()).unwrap();
    let calls = log.split("\0\0\0").filter(|c| !c.is_empty());
    calls.map(|call| call.split('\0').map(str::to_owned).collect()).collect()
}

#[test]
fn no_name_is_code_in_the_script() {
    let dir = tempfile::tempdir().unwrap();
    for name in HOSTILE {
        let script = shell(&everything(name));
        let file = dir.path().join("checked");
        std::fs::write(&file, &script).unwrap();
        let checked = Command::new("sh").arg("-n").arg(&file).output().unwrap();
        assert!(checked.status.success(), "{}\n{script}", String::from_utf8_lossy(&checked.stderr));
        let calls = calls(&script, dir.path());
        let has = |words: &[&str]| calls.iter().any(|c| c.iter().map(String::as_str).eq(words.iter().copied()));
        assert!(has(&["rights", &format!("/etc/{name}"), "0:0", "644"]), "{calls:?}");
        assert!(has(&["docker", "start", name]), "{calls:?}");
        assert!(
            has(&[
                "docker",
                "update",
                "--memory=67108864",
                "--memory-swap=67108864",
                "--cpus=1.500",
                "--restart=on-failure:5",
                name
            ]),
            "{calls:?}"
        );
        assert!(has(&["auditctl", "-w", &format!("/srv/{name}"), "-p", "wa", "-k", "seaworthy"]), "{calls:?}");
        assert!(has(&["docker", "swarm", "update", "--cert-expiry=2160h"]), "{calls:?}");
        assert!(has(&["systemctl", "restart", "docker.service"]), "{calls:?}");
    }
    assert!(!Path::new("/tmp/seaworthy-owned").exists());
}

fn python() -> bool {
    let there = Command::new("python3").arg("--version").output().is_ok_and(|o| o.status.success());
    if !there {
        eprintln!("skipped: there is no python3");
    }
    there
}

#[test]
fn the_script_edits_daemon_json_and_modes_once() {
    use std::os::unix::fs::PermissionsExt as _;
    if !python() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (json_path, file) = (dir.path().join("it's {{ daemon }}.json"), dir.path().join("a file"));
    let before = br#"{"icc": true, "seccomp-profile": "/x", "log-opts": {"max-file": "9"}}"#;
    std::fs::write(&json_path, before).unwrap();
    std::fs::write(&file, "x").unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o666)).unwrap();
    let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    let key = |key: &str, after: Option<Value>| SetKey { key: key.into(), before: None, after };
    let plan = plan(vec![
        change(Action::Rights(Rights {
            path: file.to_str().unwrap().into(),
            what: "file".into(),
            before: Owned { uid, gid, mode: 0o666 },
            after: Owned { uid, gid, mode: 0o640 },
        })),
        change(Action::DaemonJson(DaemonJson {
            path: json_path.to_str().unwrap().into(),
            digest: Some(crate::files::digest(before)),
            set: vec![
                key("icc", Some(false.into())),
                key("log-opts", Some(json!({ "max-size": "10m" }))),
                key("seccomp-profile", None),
            ],
        })),
        change(Action::Activate(Activate {
            how: Activation::Reload,
            returns: Vec::new(),
            started_again: Vec::new(),
            stop_all: false,
        })),
    ]);
    let log = dir.path().join("log");
    let backup = dir.path().join("backup");
    let fakes = "systemctl() { printf '%s ' \"$@\" >> \"$LOG\"; }\nid() { echo 0; }\n";
    let run = |fakes: &str| {
        std::fs::write(&log, "").unwrap();
        let script = shell(&plan).replacen("changed=0\n", &format!("{fakes}changed=0\n"), 1);
        let place = format!("backup={}", super::shell::quoted(backup.to_str().unwrap()));
        let own = script.lines().find(|l| l.starts_with("backup=")).unwrap().to_owned();
        let script = script.replace(&own, &place);
        let path = dir.path().join("script");
        std::fs::write(&path, script).unwrap();
        let ran = Command::new("sh").arg(&path).env("LOG", &log).output().unwrap();
        (ran, std::fs::read_to_string(&log).unwrap())
    };
    let (ran, called) = run(fakes);
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    assert!(called.contains("--signal=HUP"), "{called}");
    let now: Value = serde_json::from_slice(&std::fs::read(&json_path).unwrap()).unwrap();
    assert_eq!(now, json!({ "icc": false, "log-opts": { "max-file": "9", "max-size": "10m" } }));
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o7777, 0o640);
    let kept = format!("{}{}", backup.display(), json_path.display());
    assert_eq!(std::fs::read(kept).unwrap(), before);
    // A second run finds everything as it is wanted, and reloads nothing.
    let (again, called) = run(fakes);
    assert!(again.status.success() && called.is_empty(), "{called}");
    // One that ended between the file and the reload is made good by the next.
    std::fs::write(&json_path, before).unwrap();
    let fails = "systemctl() { return 1; }\nid() { echo 0; }\n";
    let (cut, _) = run(fails);
    assert!(!cut.status.success(), "it stops where something fails");
    let (next, called) = run(fakes);
    assert!(next.status.success() && called.contains("--signal=HUP"), "{called}");
    let (_, called) = run(fakes);
    assert!(called.is_empty(), "{called}");
    // Edited by somebody else since: refused, and untouched.
    std::fs::write(&json_path, r#"{"icc": true}"#).unwrap();
    let (refused, _) = run(fakes);
    assert!(!refused.status.success());
    assert!(String::from_utf8_lossy(&refused.stderr).contains("plan again"));
    assert_eq!(std::fs::read(&json_path).unwrap(), br#"{"icc": true}"#);
}

/// The script's own functions, and a call of them after.
fn with_functions(call: &str) -> std::process::Output {
    let script = shell(&plan(Vec::new()));
    let (head, _) = script.split_once("changed=0\n").unwrap();
    Command::new("sh").arg("-c").arg(format!("{head}backup=$(mktemp -d)\n{call}\nrm -rf \"$backup\"")).output().unwrap()
}

#[test]
fn what_an_earlier_plan_has_put_into_a_file_stays_there() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("made").join("it's.rules");
    let file = super::shell::quoted(path.to_str().unwrap());
    let put = |place: &str, lines: &str| {
        let ran = with_functions(&format!("put {file} 0640 {place} <<'END'\n{lines}END"));
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        std::fs::read_to_string(&path).unwrap()
    };
    assert_eq!(put("last", "-w /a -p wa -k seaworthy\n"), "-w /a -p wa -k seaworthy\n");
    // Without a line end, as an editor may leave it.
    std::fs::write(&path, "# by hand\n-w /a -p wa -k seaworthy").unwrap();
    let both = put("last", "-w /b -p wa -k seaworthy\n");
    assert_eq!(both, "# by hand\n-w /a -p wa -k seaworthy\n-w /b -p wa -k seaworthy\n");
    assert_eq!(put("last", "-w /a -p wa -k seaworthy\n"), both, "it is there already");
    assert!(put("first", "PermitRootLogin no\n").starts_with("PermitRootLogin no\n# by hand\n"));
    assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "nothing is left beside it");
    let link = dir.path().join("link");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    let refused = with_functions(&format!("put {} 0640 last </dev/null", super::shell::quoted(link.to_str().unwrap())));
    assert!(!refused.status.success() && link.is_symlink());
}

/// A text, whatever its tag.
fn text<'y>(node: &'y Yaml<'_>) -> Option<&'y str> {
    match node {
        Yaml::Value(Scalar::String(text)) => Some(text),
        Yaml::Tagged(_, inner) => text(inner),
        _ => None,
    }
}

/// Every text of a document, with whether it is tagged `!unsafe`.
fn texts(node: &Yaml<'_>, tagged: bool, out: &mut Vec<(String, bool)>) {
    match node {
        Yaml::Value(Scalar::String(text)) => out.push((text.to_string(), tagged)),
        Yaml::Tagged(tag, inner) => texts(inner, format!("{}{}", tag.handle, tag.suffix) == "!unsafe", out),
        Yaml::Representation(text, _, tag) => out.push((text.to_string(), tag.is_some() || tagged)),
        Yaml::Sequence(items) => items.iter().for_each(|i| texts(i, false, out)),
        Yaml::Mapping(map) => map.iter().for_each(|(k, v)| {
            texts(k, false, out);
            texts(v, false, out);
        }),
        _ => {}
    }
}

#[test]
fn no_name_is_a_template_of_ansible() {
    for name in HOSTILE {
        let document = ansible(&everything(name));
        let read = Yaml::load_from_str(&document).unwrap_or_else(|e| panic!("{e}: {document}"));
        assert_eq!(read.len(), 1, "{document}");
        let mut all = Vec::new();
        texts(&read[0], false, &mut all);
        assert!(all.iter().any(|(text, _)| text == name), "{name:?} is lost: {document}");
        let ours = ["seaworthy_", "ansible_facts"];
        for (text, tagged) in &all {
            let template = ["{{", "{%", "{#"].iter().any(|t| text.contains(t));
            if template && !ours.iter().any(|o| text.contains(o)) {
                assert!(*tagged, "{text:?} would be a template");
            }
        }
    }
}

#[test]
fn a_compose_override_doubles_dollars_and_names_what_it_cannot_take_away() {
    for name in HOSTILE {
        let document = compose(&everything(name), None).unwrap();
        let read = Yaml::load_from_str(&document).unwrap_or_else(|e| panic!("{e}: {document}"));
        let services = read[0].as_mapping_get("services").unwrap();
        let service = services.as_mapping_get(name).unwrap_or_else(|| panic!("{name:?} is lost: {document}"));
        let value = |key: &str| service.as_mapping_get(key);
        assert_eq!(value("privileged").and_then(Yaml::as_bool), Some(false));
        assert_eq!(value("mem_limit").and_then(Yaml::as_integer), Some(64 << 20));
        assert_eq!(value("cpus").and_then(text), Some("1.500"));
        assert_eq!(value("user").and_then(text), Some(name.replace('$', "$$").as_str()));
        assert!(document.contains("# To be taken out of the service's own file"), "{document}");
        assert!(document.contains("pid: !reset null"), "{document}");
    }
    let mut two = everything("web");
    let mut other = two.changes[8].clone();
    if let Action::Update(update) = &mut other.action {
        update.compose = Some(("blog".into(), "web".into()));
    }
    two.changes.push(other);
    assert!(compose(&two, None).unwrap_err().0.contains("blog, shop"));
    assert!(compose(&two, Some("blog")).unwrap().contains("mem_limit"));
    assert!(compose(&two, Some("none")).unwrap_err().0.contains("nothing of project none"));
    assert!(compose(&plan(Vec::new()), None).unwrap_err().0.contains("no container of Docker Compose"));
}

#[test]
fn the_patch_of_daemon_json_is_a_merge_patch() {
    let set = vec![
        SetKey { key: "icc".into(), before: None, after: Some(false.into()) },
        SetKey { key: "seccomp-profile".into(), before: None, after: None },
    ];
    let file = DaemonJson { path: "/etc/docker/daemon.json".into(), digest: None, set };
    let text = daemon_json(&plan(vec![change(Action::DaemonJson(file))])).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), json!({ "icc": false, "seccomp-profile": null }));
    assert!(daemon_json(&plan(Vec::new())).is_err());
}
