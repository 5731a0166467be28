//! `harden plan`, `show` and `export` as they are called.

use serde_json::Value;

use super::common::Sea;

#[test]
fn a_plan_is_shown_and_written_and_read_back() {
    let sea = Sea::new();
    let file = sea.dir().join("plan.json");
    let path = file.to_str().unwrap();
    let run = sea.run(&["harden", "plan", "--demo", "--check", "icc-off", "-o", path]);
    run.ended(0);
    assert!(run.out.contains("dockerd restarts") && run.out.contains("icc  true → false"), "{}", run.out);
    let shown = sea.run(&["harden", "show", path]);
    shown.ended(0);
    assert_eq!(shown.out, run.out);
    let plan = sea.run(&["harden", "plan", "--demo", "--check", "icc-off", "-f", "json"]).ended(0).json();
    let written: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    assert_eq!(plan, written);
    assert_eq!(plan["target"]["demo"], true);
    assert!(plan["forecast"]["controls_failing"][0].as_u64() > plan["forecast"]["controls_failing"][1].as_u64());
    let quiet = sea.run(&["harden", "plan", "--demo", "--check", "icc-off", "-q", "-o", path]);
    assert!(quiet.ended(0).out.is_empty());
    let markdown = sea.run(&["harden", "show", path, "-f", "markdown"]);
    assert!(markdown.ended(0).out.starts_with("# Plan "));
    for (format, begins) in [("shell", "#!/bin/sh"), ("ansible", "---"), ("daemon-json", "{")] {
        let out = sea.dir().join(format);
        sea.run(&["harden", "export", path, "-f", format, "-o", out.to_str().unwrap()]).ended(0);
        assert!(std::fs::read_to_string(out).unwrap().starts_with(begins), "{format}");
    }
    let none = sea.run(&["harden", "export", path, "-f", "compose"]);
    none.ended(2).failed_with("no container of Docker Compose");
}

#[test]
fn what_cannot_be_planned_or_read_is_one_line() {
    let sea = Sea::new();
    let file = sea.dir().join("plan.json");
    let path = file.to_str().unwrap();
    sea.run(&["harden", "plan", "--demo", "--check", "icc-off", "-q", "-o", path]).ended(0);
    let text = std::fs::read_to_string(&file).unwrap();
    let put = |name: &str, text: &str| sea.write(name, text).to_str().unwrap().to_owned();
    for (name, text, says) in [
        ("edited", text.replace("\"after\": false", "\"after\": true"), "changed after it was made"),
        ("newer", text.replacen("\"schema\": 1", "\"schema\": 2", 1), "shape 2"),
        ("cut", text[..text.len() / 2].to_owned(), "no plan"),
        ("other", "{}".to_owned(), "no plan"),
        ("empty", String::new(), "no plan"),
        ("more", text.replacen("\"tool\"", "\"spell\": 1, \"tool\"", 1), "damaged"),
    ] {
        let path = put(name, &text);
        for command in [&["harden", "show", &path][..], &["harden", "export", &path, "-f", "shell"]] {
            let run = sea.run(command);
            run.ended(4);
            assert!(run.err.contains(says) && run.err.lines().count() == 1, "{}", run.err);
        }
    }
    for (arguments, code, says) in [
        (&["harden", "plan", "--demo", "9999"][..], 2, "there is no 9999"),
        (&["harden", "plan", "--demo", "0"], 2, "there is no 0"),
        (&["harden", "plan", "--demo", "--check", "no-such"], 2, "no-such"),
        (&["harden", "plan", "--demo", "--threat", "no-such"], 2, "no-such"),
        (&["harden", "plan", "--demo", "--set", "web=1"], 2, "--set web=1"),
        (&["harden", "plan", "--demo", "--set", "web:cpus=1"], 2, "nothing that is to be planned"),
        (&["harden", "plan", "--demo", "-f", "sarif"], 2, "text, json or markdown"),
        (&["harden", "show", "/nowhere"], 2, "/nowhere"),
        (&["harden", "plan", "--demo", "--check", "no-runtime-socket"], 4, "needs --recreate"),
    ] {
        let run = sea.run(arguments);
        run.ended(code);
        assert!(run.err.contains(says), "{arguments:?}: {}", run.err);
        assert_eq!(run.err.lines().count(), 1, "{}", run.err);
    }
}

#[test]
fn several_hosts_are_no_plan() {
    let sea = Sea::new();
    let file = sea.dir().join("demo.json");
    sea.run(&["collect", "--demo", "-o", file.to_str().unwrap()]).ended(0);
    let path = file.to_str().unwrap();
    let run = sea.run(&["harden", "plan", "--from", path, "--from", path]);
    run.ended(2).failed_with("a plan is for one host");
}
