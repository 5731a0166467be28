//! Containers made anew, as a user has them made: found again, proven, taken back, whatever else is on the host.

use serde_json::json;

use seaworthy_bed::{Spec, Version};

use crate::bed::Bed;

const PLAN: [&str; 4] = ["--check", "container/no-new-privileges", "--recreate", "--accept-lost-changes"];

fn newest(bed: &Bed) -> String {
    let (_, status) = bed.status();
    status["transactions"][0]["transaction"].as_str().unwrap().to_owned()
}

/// A container that belongs to no project is known by what it runs, as the one that is kept for the way back is.
#[test]
fn a_container_of_no_project_is_found_again_beside_the_one_that_is_kept() {
    for version in [Version::V20, Version::V29] {
        let Some(bed) = Bed::start(version, Spec::default()) else { continue };
        let quick = json!({ "StopSignal": "SIGKILL" });
        let old = bed.run_container("web", quick.clone());
        let fingerprint = |bed: &Bed| {
            let arguments = ["audit", "--docker", &bed.daemon.host(), "--all", "-f", "json", "--check", PLAN[1]];
            let report = bed.sea.run(&arguments).ended(0).json();
            let all = report["findings"].as_array().unwrap();
            all.iter().find(|f| f["component"]["name"] == "web").unwrap()["fingerprint"].clone()
        };
        let before = fingerprint(&bed);
        let plan = bed.plan("plan.json", &PLAN);
        let warnings = bed.read(&plan)["warnings"].to_string();
        assert!(warnings.contains("The old containers are kept, stopped"), "{warnings}");
        let applied = bed.apply(&plan, &["--confirm-within", "0"]);
        assert!(applied.ended(0).out.contains("1 of 1 check passes in effect"), "{applied:?}");
        let new = bed.daemon.inspect("web");
        assert_ne!(new["Id"], old.as_str());
        assert_eq!(new["HostConfig"]["SecurityOpt"], json!(["no-new-privileges"]));
        // The old one is there still: nothing more is done to it, and it is said what it is kept for.
        let id = newest(&bed);
        assert_eq!(bed.daemon.inspect(&format!("web-before-{id}"))["Id"], old.as_str());
        let more = bed.sea.run(&[&["harden", "plan", "--docker", &bed.daemon.host()][..], &PLAN].concat());
        assert!(!more.out.contains("is made anew") && more.out.contains(&format!("--prune {id}")), "{more:?}");
        // A decision on it holds for the new one as well.
        assert_eq!(fingerprint(&bed), before);
        let back = bed.harden(&["rollback", &newest(&bed)]);
        assert!(back.ended(0).out.contains("in effect now: docker/container/no-new-privileges (web) fail"), "{back:?}");
        assert_eq!(bed.daemon.inspect("web")["Id"], old.as_str());
    }
}

#[test]
fn an_equal_container_that_came_since_the_plan_and_a_tag_that_moved_change_nothing() {
    let Some(bed) = Bed::start(Version::V20, Spec::default()) else { return };
    let tagged = |tag: &str| {
        let (status, answer) = bed.daemon.request("POST", &format!("/images/{tag}"), None);
        assert_eq!(status, 201, "{answer}");
    };
    tagged("busybox:test/tag?repo=shop&tag=1");
    let quick = json!({
        "Image": "shop:1", "StopSignal": "SIGKILL", "ExposedPorts": { "80/tcp": {} }, "HostConfig": { "PublishAllPorts": true },
    });
    let old = bed.run_container("web", quick.clone());
    let image = bed.daemon.inspect("web")["Image"].clone();
    let plan = bed.plan("plan.json", &PLAN);
    bed.run_container("web2", quick);
    // Another image is called so now: the new container is made of the old one's all the same, by its id.
    bed.daemon.import_busybox("other:1");
    tagged("other:1/tag?repo=shop&tag=1");
    assert_ne!(bed.daemon.request("GET", "/images/shop:1/json", None).1["Id"], image);
    let applied = bed.apply(&plan, &["--confirm-within", "0"]);
    applied.ended(0);
    for said in ["another port of the host at each start: for 80/tcp (was", "taken back where it is cut short"] {
        assert!(applied.out.contains(said), "{said}: {applied:?}");
    }
    let new = bed.daemon.inspect("web");
    assert_eq!((&new["Image"], new["Id"] != old.as_str()), (&image, true));
    let back = bed.harden(&["rollback", &newest(&bed)]);
    assert!(back.ended(0).out.contains("(web) fail"), "{back:?}");
    assert_eq!(bed.daemon.inspect("web")["Id"], old.as_str());
}
