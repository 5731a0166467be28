//! What is given on the command line: evidence from others, Dockerfiles, manifests.

use seaworthy_collect::kubernetes::files::{Version, target};
use seaworthy_collect::kubernetes::yaml;
use seaworthy_collect::{evidence, files};
use seaworthy_core::component::Component;
use seaworthy_core::schema::docker::{DOCKERFILE, IMAGE};
use seaworthy_core::snapshot::{Snapshot, Target};

use super::engine::{REDACTOR, sound};

/// A report or a signature, applied to an image: whatever it says has the schema's types.
pub fn given_evidence(data: &[u8]) {
    match evidence::parse("fuzz.json", data) {
        Ok(read) => {
            let mut target = Target::new("t", "docker", "unix:///x");
            let id = format!("sha256:{}", "1".repeat(64));
            target.components.push(Component::new(&IMAGE, id.as_str(), "app:1"));
            let mut snapshot = Snapshot { tool: "0".into(), collected_at: 1_795_132_800, targets: vec![target] };
            evidence::apply(&mut snapshot, &[read]);
        }
        Err(why) => assert!(!why.contains('\n'), "{why:?}"),
    }
}

/// A Dockerfile.
pub fn dockerfile(data: &[u8]) {
    match files::facts(data, &REDACTOR) {
        Ok(facts) => {
            for (name, value) in facts {
                let ty = DOCKERFILE.fact(name).expect("the schema has it").ty;
                ty.conforms(&value).expect("the schema's type");
            }
        }
        Err(why) => assert!(!why.contains('\n'), "{why:?}"),
    }
}

/// Manifests: documents in YAML or JSON, and what is made of the objects in them.
pub fn manifest(data: &[u8]) {
    // A carriage return alone ends a line of YAML, too.
    let lines = data.split(|byte| matches!(byte, b'\n' | b'\r')).count();
    let done = yaml::documents(data, |read| match read {
        Ok(document) => {
            assert!((1..=lines).contains(&document.line), "line {}", document.line);
            assert!(document.doubts.iter().all(|doubt| !doubt.contains('\n')));
        }
        Err(broken) => assert!(!broken.reason.contains(char::is_control) && broken.line <= lines + 1, "{broken:?}"),
    });
    if let Err(why) = done {
        assert!(!why.contains(char::is_control), "{why:?}");
    }
    let version: Version = "1.35.1".parse().expect("a version");
    for version in [None, Some(&version)] {
        sound(target(data, version, &REDACTOR).components);
    }
}
