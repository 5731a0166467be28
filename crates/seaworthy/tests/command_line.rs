//! The command line: exit codes, flags that do not fit, configuration, waivers, choosing checks, and the help.

mod common;

use std::io::Write as _;
use std::process::Stdio;

use common::{Fake, Sea, small_engine, wait};
use serde_json::{Value, json};

/// A folder with a snapshot of the small engine: a privileged container that does not run, from an image with a tag.
fn ready() -> (Sea, String) {
    let sea = Sea::new();
    let snapshot = sea.snapshot().to_str().unwrap().to_owned();
    (sea, snapshot)
}

/// A check that passes there, one that fails (with its severity), one that is unknown, and one for a person.
const PASSES: &str = "docker/container/image-not-latest";
const FAILS: &str = "docker/container/unprivileged";

fn verdict(report: &Value, check: &str) -> String {
    let found = report["findings"].as_array().unwrap().iter().find(|f| f["check"] == check);
    found.map_or_else(|| "absent".to_owned(), |f| f["verdict"].as_str().unwrap().to_owned())
}

#[test]
fn exit_codes_are_as_documented() {
    let (sea, snapshot) = ready();
    let unknown = "docker/daemon/log-level-info";
    let report = sea.run(&["audit", "--from", &snapshot, "-f", "json"]).ended(0).json();
    assert_eq!([PASSES, FAILS, unknown].map(|c| verdict(&report, c)), ["pass", "fail", "unknown"]);
    let severity = |check: &str| {
        let finding = report["findings"].as_array().unwrap().iter().find(|f| f["check"] == check).unwrap();
        finding["severity"].as_str().unwrap().to_owned()
    };
    let (of_unknown, of_fail) = (severity(unknown), severity(FAILS));
    let audit = |more: &[&str]| sea.run(&[&["audit", "--from", &snapshot, "-q"], more].concat()).code.unwrap();
    // Clean without a limit, whatever fails.
    assert_eq!(audit(&[]), 0);
    assert_eq!(audit(&["--fail-on", &of_fail, "--check", FAILS]), 1);
    assert_eq!(audit(&["--fail-on", "low", "--check", PASSES]), 0);
    // What fails below the limit is no finding.
    let low = report["findings"].as_array().unwrap().iter().find(|f| f["verdict"] == "fail" && f["severity"] == "low");
    let low = low.unwrap()["check"].as_str().unwrap().to_owned();
    assert_eq!(
        (audit(&["--fail-on", "medium", "--check", &low]), audit(&["--fail-on", "low", "--check", &low])),
        (0, 1)
    );
    // Unknown at the limit is incomplete, below it is not, and findings go before it.
    assert_eq!(audit(&["--fail-on", &of_unknown, "--check", unknown]), 3);
    assert_eq!(audit(&["--fail-on", "critical", "--check", unknown]), 0);
    assert_eq!(audit(&["--fail-on", &of_unknown, "--allow-unknown", "--check", unknown]), 0);
    assert_eq!(audit(&["--fail-on", "low", "--check", unknown, "--check", FAILS]), 1);
    // Any gap under --strict, also where what was asked for passes; findings go before it, failures before both.
    assert_eq!(audit(&["--strict", "--check", PASSES]), 3);
    assert_eq!(audit(&["--strict", "--fail-on", "low", "--check", FAILS]), 1);
    assert_eq!(audit(&["--strict", "--fail-on", "low", "--check", FAILS, "-f", "json", "-o", "/dev/full"]), 2);
    assert_eq!(audit(&["--strict", "--allow-unknown", "--fail-on", "low", "--check", PASSES]), 3);
    assert_eq!(audit(&["--check", "no/such/check"]), 2);
    assert_eq!(sea.run(&["audit", "--docker", "unix:///no/such", "--fail-on", "low"]).code, Some(2));
    let dead = ["audit", "--docker", "unix:///no/such", "--from", &snapshot, "--check", PASSES];
    assert_eq!(sea.run(&[&dead[..], &["--fail-on", "low"]].concat()).code, Some(3));
    assert_eq!(sea.run(&dead).code, Some(0));
}

#[test]
fn flags_that_do_not_fit_are_usage_errors() {
    let (sea, snapshot) = ready();
    for arguments in [
        &[][..],
        &["audti"],
        &["audit", "--nope"],
        &["audit", "--timeout", "0"],
        &["audit", "--timeout", "soon"],
        &["audit", "--fail-on", "huge"],
        &["audit", "--demo", "--from", "x"],
        &["audit", "--docker", "a", "--docker-context", "b"],
        &["audit", "-f", "pdf"],
        &["audit", "--top", "-1"],
        &["explain"],
        &["list", "nothing"],
        &["completions", "tcsh-ng"],
        &["audit", "\u{1b}[31mx"],
    ] {
        let run = sea.run(arguments);
        assert_eq!(run.code, Some(2), "{arguments:?}: {run:?}");
        assert!(run.out.is_empty() && !run.err.is_empty() && !run.err.contains('\u{1b}'), "{arguments:?}: {run:?}");
    }
    assert!(sea.run(&["audti"]).err.contains("'audit'"), "the nearest command");
    assert!(sea.run(&["audit", "--form", "x"]).err.contains("--from"), "the nearest flag");
    assert!(sea.run(&["audit", "-f", "pdf"]).err.contains("markdown"), "the formats that there are");
    let from = ["audit", "--from", &snapshot];
    for (more, words) in [
        (&["-f", "json", "-f", "csv"][..], "do not pair"),
        (&["-o", "a.json", "-o", "b.json", "-f", "json", "-f", "csv", "-f", "text", "-f", "junit"], "do not pair"),
        (&["-f", "json", "-o", "a", "-o", "b"], "do not pair"),
        (&["-o", "report.pdf"], "which format"),
        (&["-o", "report"], "which format"),
        (&["--benchmark", "cis-dokcer"], "cis-docker-1.8.0"),
        (&["--benchmark", "cis-docker-0.1"], "there is no benchmark"),
        (&["--check", "unprivilegd"], "docker/container/unprivileged"),
        (&["--skip", "unprivilegd"], "docker/container/unprivileged"),
        (&["--check", "\u{1b}[31m\n"], "nothing in the catalogue"),
    ] {
        sea.run(&[&from[..], more].concat()).failed_with(words);
    }
    sea.run(&["explain", "icc-of"]).failed_with("icc-off");
    let long = "x".repeat(100_000);
    sea.run(&["explain", &long]).failed_with("nothing in the catalogue");
    sea.run(&["audit", "--docker-context", "nowhere"]).failed_with("nowhere");
}

#[test]
fn formats_pair_with_their_files() {
    let (sea, snapshot) = ready();
    let run = sea.run(&["audit", "--from", &snapshot, "-f", "json", "-o", "a.out", "-f", "csv", "-o", "-"]);
    assert!(run.ended(0).out.starts_with("check,") || run.out.contains(','), "{run:?}");
    let report = std::fs::read(sea.dir().join("a.out")).unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&report).unwrap()["schema"], 2);
    let run = sea.run(&[
        "audit", "--from", &snapshot, "-o", "b.json", "-o", "b.sarif", "-o", "b.xml", "-o", "b.md", "-o", "b.csv",
    ]);
    assert!(run.ended(0).out.is_empty());
    for (file, begins) in [("b.json", "{"), ("b.sarif", "{"), ("b.xml", "<?xml"), ("b.md", "# "), ("b.csv", "")] {
        let text = std::fs::read_to_string(sea.dir().join(file)).unwrap();
        assert!(text.starts_with(begins) && !text.is_empty(), "{file}");
    }
    // The last format may go without a file.
    let run = sea.run(&["audit", "--from", &snapshot, "-f", "csv", "-o", "c.csv", "-f", "json"]);
    assert_eq!(run.ended(0).json()["schema"], 2);
    // The same snapshot gives the same bytes.
    assert_eq!(sea.run(&["audit", "--from", &snapshot, "-f", "json"]).out.into_bytes(), report);
    let run = sea.run(&["audit", "--from", &snapshot, "-q"]);
    assert!(run.ended(0).out.is_empty() && run.err.is_empty());
}

#[test]
fn snapshots_go_through_pipes() {
    let engine = Fake::of(small_engine());
    let sea = Sea::new();
    let collected = sea.run(&["collect", "--docker", &engine.host(), "-o", "-"]);
    assert!(collected.ended(0).out.starts_with("{\"schema\":"), "{collected:?}");
    let mut command = sea.command(&["audit", "--from", "-", "-f", "json"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(collected.out.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(verdict(&report, FAILS), "fail");
    // Two of one name are told apart.
    let path = sea.write("one.json", &collected.out);
    let path = path.to_str().unwrap();
    let both = sea.run(&["audit", "--from", path, "--from", path, "-f", "json"]).ended(0).json();
    let names: Vec<&Value> = both["targets"].as_array().unwrap().iter().map(|t| &t["name"]).collect();
    assert_eq!(names, ["local", "local#2"]);
    // Written through standard output's own device, as /dev/stdout is.
    let run = sea.run(&["collect", "--from", path, "-o", "/dev/stdout"]);
    assert_eq!(run.ended(0).out, collected.out);
}

#[test]
fn a_large_snapshot_is_compressed_and_read_back() {
    let sea = Sea::new();
    let mut table = small_engine();
    let containers: Vec<Value> = (0..400)
        .map(|i| json!({"Id": format!("v{i}"), "Names": [format!("/gone-{i}")], "Image": "app:1", "State": "exited"}))
        .collect();
    table.iter_mut().find(|(p, _)| *p == "/containers/json?all=1").unwrap().1 = json!(containers);
    let engine = Fake::of(table);
    let path = sea.dir().join("large");
    sea.run(&["collect", "--docker", &engine.host(), "-o", path.to_str().unwrap()]).ended(0);
    assert_eq!(std::fs::read(&path).unwrap()[..2], [0x1f, 0x8b]);
    let report = sea.run(&["audit", "--from", path.to_str().unwrap(), "-f", "json"]).ended(0).json();
    assert!(report["components"].as_array().unwrap().len() >= 400);
}

#[test]
fn checks_are_chosen_by_name_folder_and_benchmark() {
    let (sea, snapshot) = ready();
    let checks = |more: &[&str]| -> Vec<String> {
        let run = sea.run(&[&["audit", "--from", &snapshot, "-f", "json"], more].concat());
        let report = run.ended(0).json();
        let all = report["findings"].as_array().unwrap().iter().map(|f| f["check"].as_str().unwrap().to_owned());
        let mut all: Vec<String> = all.collect();
        all.sort();
        all.dedup();
        all
    };
    assert_eq!(checks(&["--check", "unprivileged"]), [FAILS]);
    assert_eq!(checks(&["--check", "container/unprivileged,image-not-latest"]), [PASSES, FAILS]);
    let containers = checks(&["--check", "docker/container"]);
    assert!(containers.len() > 20 && containers.iter().all(|c| c.starts_with("docker/container/")));
    assert_eq!(checks(&["--check", "docker/container", "--skip", FAILS]).len(), containers.len() - 1);
    let by_id = checks(&["--check", "5.5"]);
    assert_eq!(checks(&["--check", "5.4@1.5.0"]), by_id, "the same demand has another number in another version");
    assert!(!checks(&["--skip", "docker/container"]).iter().any(|c| c.starts_with("docker/container/")));
    sea.write("seaworthy.toml", format!("skip = [\"{FAILS}\"]\n"));
    assert!(!checks(&[]).contains(&FAILS.to_owned()));
    sea.write("seaworthy.toml", "skip = [\"unprivilegd\"]\n");
    sea.run(&["audit", "--from", &snapshot]).failed_with("docker/container/unprivileged");
    sea.write("seaworthy.toml", "benchmark = \"cis-docker-1.2.0\"\n");
    let run = sea.run(&["audit", "--from", &snapshot, "-f", "json"]);
    assert!(run.ended(0).out.contains("cis-docker-1.2.0/"));
    assert!(
        sea.run(&["audit", "--from", &snapshot, "--benchmark", "cis-docker-1.7.0", "-f", "json"])
            .out
            .contains("cis-docker-1.7.0/")
    );
}

#[test]
fn allowed_registries_come_from_the_configuration() {
    let (sea, snapshot) = ready();
    let find = || -> String {
        let report = sea.run(&["audit", "--from", &snapshot, "-f", "json"]).ended(0).json();
        let all = report["findings"].as_array().unwrap().iter();
        let about = all.filter(|f| f["check"].as_str().unwrap().contains("allowed-registry"));
        about.map(|f| f["verdict"].as_str().unwrap().to_owned()).collect::<Vec<_>>().join(",")
    };
    let without = find();
    assert!(without == "not-applicable" || without == "manual" || without.is_empty(), "{without}");
    sea.write("seaworthy.toml", "[registries]\nallowed = [\"docker.io\"]\n");
    assert_eq!(find(), "pass");
    sea.write("seaworthy.toml", "[registries]\nallowed = [\"registry.example.com\"]\n");
    assert_eq!(find(), "fail");
}

#[test]
fn a_configuration_that_is_none_is_refused_with_its_place() {
    let (sea, snapshot) = ready();
    let audit = |path: &str| sea.run(&["audit", "--from", &snapshot, "-c", path]);
    for (text, words) in [
        ("skip = 7\n", ":1:8: "),
        ("\n\nbenchmrk = \"x\"\n", ":3:1: "),
        ("[[waiver]]\ncheck = \"x\"\n", "component"),
        ("skip = [\"\u{1b}[31m\n", ":1:"),
        ("[registries]\nallowed = \"all\"\n", ":2:11: "),
    ] {
        let path = sea.write("bad.toml", text);
        audit(path.to_str().unwrap()).failed_with(words).failed_with("bad.toml");
    }
    audit("/no/such.toml").failed_with("/no/such.toml");
    audit(sea.dir().to_str().unwrap()).failed_with("not a file");
    audit("/dev/zero").failed_with("not a file");
    let latin = sea.write("latin.toml", b"skip = [\"\xe9\"]\n");
    audit(latin.to_str().unwrap()).failed_with("latin.toml");
    let large = sea.write("large.toml", vec![b'#'; 2 << 20]);
    audit(large.to_str().unwrap()).failed_with("large.toml");
    // Found in the configuration directory where none lies here.
    sea.write(".config/seaworthy/seaworthy.toml", "benchmark = \"nope\"\n");
    sea.run(&["audit", "--from", &snapshot]).failed_with("nope");
    sea.write("seaworthy.toml", "benchmark = \"cis-docker-1.7.0\"\n");
    sea.run(&["audit", "--from", &snapshot]).ended(0);
}

#[test]
fn waivers_need_a_reason_and_an_end() {
    let (sea, snapshot) = ready();
    let waiver = |check: &str, component: &str, reason: &str, expires: &str| {
        format!(
            "[[waiver]]\ncheck = \"{check}\"\ncomponent = \"{component}\"\nreason = \"{reason}\"\nowner = \"ops\"\nexpires = \"{expires}\"\n"
        )
    };
    let gate = |text: &str| {
        sea.write("seaworthy.toml", text);
        sea.run(&["audit", "--from", &snapshot, "--check", FAILS, "--fail-on", "low"])
    };
    let accepted = gate(&waiver(FAILS, "web", "it is being replaced", "2999-12-31"));
    assert!(accepted.ended(0).out.contains("it is being replaced"), "{accepted:?}");
    gate(&waiver(FAILS, "we*", "it is being replaced", "2999-12-31")).ended(0);
    for (text, words) in [
        (waiver(FAILS, "web", "it was to be replaced", "2001-12-31"), "expired"),
        (waiver(FAILS, "web", " ", "2999-12-31"), "reason"),
        (waiver(FAILS, "web", "it is being replaced", "soon"), "YYYY-MM-DD"),
        (waiver(FAILS, "nobody", "it is being replaced", "2999-12-31"), "nobody"),
        (waiver("docker/container/unprivilegd", "web", "it is being replaced", "2999-12-31"), "unprivilegd"),
    ] {
        let run = gate(&text);
        run.ended(1);
        assert!(run.out.contains(words) || run.err.contains(words), "{words}: {run:?}\n{}", run.out);
    }
    // A waiver is of a check or of a threat; those of threats say nothing of findings.
    let of_threat = waiver(FAILS, "web", "it is being replaced", "2999-12-31").replace("check", "threat");
    let run = gate(&of_threat);
    run.ended(1);
    assert!(!run.out.contains("waiver of"), "{run:?}");
    for (line, words) in
        [("", "give it `check` or `threat`"), ("check = \"a\"\nthreat = \"b\"\n", "one waiver for each")]
    {
        let run = gate(&format!(
            "[[waiver]]\n{line}component = \"web\"\nreason = \"r\"\nowner = \"o\"\nexpires = \"2999-12-31\"\n"
        ));
        assert!(run.ended(2).err.contains("seaworthy.toml:1:1: ") && run.err.contains(words), "{run:?}");
    }
    // What is unknown cannot be waived.
    let unknown = "docker/daemon/log-level-info";
    sea.write("seaworthy.toml", waiver(unknown, "*", "nobody knows", "2999-12-31"));
    sea.run(&["audit", "--from", &snapshot, "--check", unknown, "--fail-on", "low"]).ended(3);
}

#[test]
fn a_baseline_leaves_only_what_is_new() {
    let (sea, snapshot) = ready();
    let base = sea.dir().join("base.json");
    let base = base.to_str().unwrap();
    sea.run(&["audit", "--from", &snapshot, "-f", "json", "-o", base, "--check", FAILS]).ended(0);
    let new = ["audit", "--from", &snapshot, "--baseline", base, "--fail-on", "low", "--allow-unknown"];
    sea.run(&[&new[..], &["--check", FAILS]].concat()).ended(0);
    sea.run(&new).ended(1);
}

/// What the program offers a shell for the last word of a line.
fn offered(sea: &Sea, shell: &str, line: &[&str]) -> Vec<String> {
    let mut command = sea.command(&[&["--", "seaworthy"], line].concat());
    command.env("COMPLETE", shell).env("_CLAP_COMPLETE_INDEX", line.len().to_string());
    command.env("_CLAP_IFS", "\n").env("_CLAP_COMPLETE_COMP_TYPE", "9");
    let run = common::run(command);
    assert!(run.ended(0).err.is_empty(), "{run:?}");
    let word = |line: &str| line.split(['\t', ':']).next().unwrap_or_default().to_owned();
    run.out.lines().map(word).collect()
}

#[test]
fn a_shell_is_offered_what_exists() {
    let sea = Sea::new();
    for shell in ["bash", "zsh", "fish"] {
        let mut command = sea.command(&[]);
        command.env("COMPLETE", shell);
        let script = common::run(command);
        assert!(script.ended(0).out.contains("COMPLETE"), "{shell}: {script:?}");
        let entries = offered(&sea, shell, &["paths", "--demo", "--from", "ba"]);
        assert!(entries.contains(&"backup".to_owned()) && !entries.contains(&"web".to_owned()), "{shell}: {entries:?}");
        let jewels = offered(&sea, shell, &["paths", "--demo", "--to", "host"]);
        assert!(jewels.contains(&"host-root".to_owned()), "{shell}: {jewels:?}");
        assert!(offered(&sea, shell, &["paths", "--demo", "--to", "in"]).iter().all(|j| j != "internet"), "{shell}");
        // Without a host the kinds are offered all the same, and nothing is complained of.
        let nowhere = offered(&sea, shell, &["paths", "--docker", "unix:///nowhere.sock", "--to", ""]);
        assert!(nowhere.contains(&"engine".to_owned()), "{shell}: {nowhere:?}");
        assert!(offered(&sea, shell, &["as"]).contains(&"assess".to_owned()), "{shell}");
    }
    // A snapshot that stands on the line is asked, and names that are more than a word are not offered.
    let snapshot = sea.snapshot();
    let named = |text: &str| {
        std::fs::read_to_string(&snapshot).unwrap().replace("\"name\":\"web\"", &format!("\"name\":\"{text}\""))
    };
    let path = sea.write("named.json", named("wharf"));
    let line = ["paths", "--from", path.to_str().unwrap(), "--to", "w"];
    assert!(offered(&sea, "fish", &line).contains(&"wharf".to_owned()));
    sea.write("named.json", named("w$(id)"));
    assert!(offered(&sea, "fish", &line).is_empty());
}

#[test]
fn help_completions_and_the_manual_are_there() {
    let sea = Sea::new();
    for command in ["", "assess", "audit", "collect", "list", "explain", "completions", "man"] {
        for flag in ["--help", "-h"] {
            let arguments: Vec<&str> = [command, flag].into_iter().filter(|a| !a.is_empty()).collect();
            let run = sea.run(&arguments);
            assert!(run.ended(0).out.contains("Usage: seaworthy"), "{arguments:?}: {run:?}");
            assert!(
                run.err.is_empty() && run.out.lines().all(|l| l.chars().count() <= 100),
                "{arguments:?}: {}",
                run.out
            );
        }
    }
    assert!(sea.run(&["--version"]).ended(0).out.starts_with("seaworthy "));
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let run = sea.run(&["completions", shell]);
        assert!(run.ended(0).out.contains("docker-context"), "{shell}");
    }
    let manual = sea.run(&["man"]);
    for words in [".TH", "seaworthy", "fail\\-on", "Exit codes"] {
        assert!(manual.ended(0).out.contains(words), "the manual has no {words}");
    }
    for (arguments, words) in [
        (&["list", "checks"][..], FAILS),
        (&["list", "benchmarks"], "cis-docker-1.2.0"),
        (&["list", "facts"], "no_new_privileges"),
        (&["explain", "5.5"], "privileged"),
        (&["explain", "5.31@1.2.0"], "5.31"),
        (&["explain", FAILS], "Cases"),
        (&["explain", FAILS], "threats    docker/container/"),
        (&["list", "threats"], "docker/container/engine-socket-mounted"),
        (&["explain", "engine-socket-mounted"], "answered   docker/"),
        (&["explain", "dm13"], "docker/container/engine-socket-mounted"),
        (&["explain", "docker/image/healthcheck"], "threats    none: "),
    ] {
        assert!(sea.run(arguments).ended(0).out.contains(words), "{arguments:?}");
    }
    let mut command = sea.command(&["assess", "--help"]);
    let mut child = command.stdout(Stdio::null()).spawn().unwrap();
    assert_eq!(wait(&mut child).code(), Some(0));
}
