//! What plans rest on, as it is read from real engines.

use seaworthy_bed::{Daemon, Spec, Version};
use serde_json::{Value, json};

use super::common::Sea;

fn plan(daemon: &Daemon, arguments: &[&str]) -> Value {
    let host = daemon.host();
    let begin = ["harden", "plan", "--docker", &host, "-f", "json"];
    Sea::new().run(&[&begin[..], arguments].concat()).ended(0).json()
}

fn change<'v>(plan: &'v Value, word: &str) -> &'v Value {
    let changes = plan["changes"].as_array().unwrap();
    let found = changes.iter().find(|c| c["action"]["do"] == word);
    &found.unwrap_or_else(|| panic!("no {word}: {plan:#}"))["action"]
}

#[test]
fn plans_of_real_engines_name_their_own_file_and_what_was_observed() {
    for version in [Version::V20, Version::V29] {
        let text = r#"{ "debug": true, "max-concurrent-downloads": 2 }"#;
        let spec = Spec { daemon_json: Some(text.to_owned()), ..Spec::default() };
        let Some(daemon) = Daemon::require(version, spec) else { continue };
        daemon.import_busybox("busybox:test");
        let id = daemon.run("web", &json!({ "Image": "busybox:test", "Cmd": ["sleep", "3600"] }));
        let made = plan(&daemon, &["--check", "debug-off,pids-limited,memory-limited", "--set", "web:memory=256m"]);
        let file = change(&made, "daemon-json");
        assert_eq!(file["path"], daemon.daemon_json().to_str().unwrap());
        assert_eq!(file["digest"], seaworthy_harden::files::digest(&std::fs::read(daemon.daemon_json()).unwrap()));
        assert_eq!(file["set"][0]["before"], true);
        // The engine would not take its default file of the host for its own: a reload is enough for this one.
        assert_eq!(change(&made, "activate")["how"], "reload");
        let update = change(&made, "update");
        assert_eq!(update["container"]["id"], id.as_str());
        let field = |name: &str| update["set"].as_array().unwrap().iter().find(|f| f["field"] == name).cloned();
        assert_eq!(field("memory").unwrap()["after"], 256i64 << 20);
        // Where this kernel keeps no peak of processes, none is made up.
        match field("pids-limit") {
            Some(pids) => assert!(pids["why"].as_str().unwrap().starts_with("peak "), "{pids}"),
            None => assert!(
                made["left_out"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .any(|l| l["finding"]["check"] == "docker/container/pids-limited")
            ),
        }
        assert!(made["target"]["engine"].is_string());
        assert_eq!(plan(&daemon, &["--check", "debug-off"])["target"], made["target"], "the same engine again");
    }
}
