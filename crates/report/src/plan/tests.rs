use seaworthy_core::plan::*;
use seaworthy_core::remedy::Safety;

use super::render_plan;
use crate::clean::is_harmful;
use crate::{Format, Options};

fn closed(check: &str, component: &str) -> Closed {
    Closed {
        check: check.into(),
        kind: "docker.container".into(),
        component: component.into(),
        fingerprint: "f".into(),
    }
}

fn plan(name: &str) -> Plan {
    let container = ContainerRef { id: "1".into(), name: name.into() };
    Plan {
        schema: SCHEMA,
        tool: "0".into(),
        id: String::new(),
        made_at: 0,
        target: Place { name: name.into(), address: "unix:///x".into(), host: None, engine: None, demo: false },
        changes: vec![
            Change {
                title: format!("Limits of {name}: memory"),
                safety: Safety::Disruptive,
                action: Action::Update(Update {
                    container: container.clone(),
                    compose: None,
                    set: vec![SetField {
                        field: "memory".into(),
                        before: serde_json::Value::Null,
                        after: (224i64 << 20).into(),
                        why: "peak 143 MiB observed".into(),
                    }],
                }),
                closes: vec![closed("docker/container/memory-limited", name)],
                breaks: vec![format!("{name} is ended")],
                lasting: vec![name.into()],
            },
            Change {
                title: "The engine restarts".into(),
                safety: Safety::Disruptive,
                action: Action::Activate(Activate {
                    how: Activation::Restart,
                    returns: vec![container.clone()],
                    started_again: vec![container.clone()],
                    stop_all: true,
                }),
                closes: Vec::new(),
                breaks: Vec::new(),
                lasting: Vec::new(),
            },
        ],
        by_hand: vec![ByHand {
            finding: closed("docker/container/no-ssh-server", name),
            what: name.into(),
            command: vec!["kill".into(), name.into()],
        }],
        left_out: vec![
            LeftOut { finding: closed("docker/container/unprivileged", name), why: "needs --recreate".into() },
            LeftOut { finding: closed("docker/container/seccomp", name), why: "needs --recreate".into() },
        ],
        expects: vec![Expected { finding: closed("docker/container/memory-limited", name), pending: None }],
        interruption: Interruption {
            restarts: vec!["dockerd".into()],
            stops: vec![container],
            seconds: Some((12, name.into())),
        },
        warnings: vec![name.into()],
        forecast: Some(Forecast { threats_open: (17, 6), ..Forecast::default() }),
    }
    .sealed()
}

fn rendered(format: Format, name: &str) -> String {
    let mut out = Vec::new();
    render_plan(format, &plan(name), &Options::default(), &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn a_plan_tells_what_changes_what_stops_and_what_is_left() {
    let text = rendered(Format::Text, "web");
    for says in [
        "memory  no limit → 224 MiB",
        "peak 143 MiB observed",
        "dockerd restarts; 1 container stops: web.",
        "For at most about 12 s",
        "kill web",
        "container/unprivileged · web, container/seccomp · web: needs --recreate",
        "open threats  17 → 6",
        "1 check passes in effect at once",
        "all containers are stopped before it",
    ] {
        assert!(text.contains(says), "{says}: {text}");
    }
}

#[test]
fn hostile_names_command_no_terminal_and_no_page() {
    let name = "we\x1b[2Jb\n## <b>x</b> `id` | ![](http://x)\u{202e}'$(id)";
    for format in [Format::Text, Format::Markdown] {
        let text = rendered(format, name);
        assert!(!text.chars().any(|c| c != '\n' && is_harmful(c)), "{text:?}");
        assert!(!text.contains("\n## <b>"), "{text}");
    }
    let markdown = rendered(Format::Markdown, name);
    let fenced: Vec<&str> = markdown.split("```").collect();
    assert!(fenced.iter().step_by(2).all(|prose| !prose.contains("<b>") && !prose.contains("![](")), "{markdown}");
    let read = Plan::parse(rendered(Format::Json, name).as_bytes()).unwrap();
    assert_eq!(read, plan(name));
}

#[test]
fn formats_of_reports_tell_no_plan() {
    let mut out = Vec::new();
    let why = render_plan(Format::Sarif, &plan("web"), &Options::default(), &mut out).unwrap_err();
    assert!(why.to_string().contains("text, json or markdown"));
}
