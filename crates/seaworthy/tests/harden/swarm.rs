//! The swarm's certificates, from the finding to what the engine then holds, and back.

use seaworthy_bed::{Bridge, Spec, Version};
use serde_json::{Value, json};

use crate::bed::Bed;

/// The engine's unit.
const HOUR: i64 = 3_600_000_000_000;

fn expiry(bed: &Bed) -> Value {
    bed.daemon.request("GET", "/swarm", None).1["Spec"]["CAConfig"]["NodeCertExpiry"].clone()
}

#[test]
fn certificates_that_last_too_long_are_planned_in_the_engines_unit_applied_and_given_back() {
    for version in [Version::V20, Version::V29] {
        let Some(bed) = Bed::start(version, Spec { bridge: Bridge::None, ..Spec::default() }) else { continue };
        // Not a whole number of days, which is all that a finding tells: rounded up.
        let long = 4333 * HOUR;
        let init = json!({ "ListenAddr": "127.0.0.1:2377", "AdvertiseAddr": "127.0.0.1",
            "Spec": { "CAConfig": { "NodeCertExpiry": long } } });
        let (status, answer) = bed.daemon.request("POST", "/swarm/init", Some(&init));
        assert_eq!((status, expiry(&bed)), (200, json!(long)), "{answer}");
        assert_eq!(bed.verdict("node-certificates", ""), "fail");
        let plan = bed.plan("plan.json", &["--check", "node-certificates"]);
        let made = bed.read(&plan);
        assert_eq!(made["changes"][0]["action"]["set"], json!([["cert-expiry", 4344 * HOUR, 2160 * HOUR]]), "{made:#}");
        let shown = bed.sea.run(&["harden", "show", plan.to_str().unwrap()]);
        assert!(shown.ended(0).out.contains("cert-expiry  4344 h → 2160 h"), "{}", shown.out);
        bed.apply(&plan, &["--confirm-within", "0"]).ended(0);
        assert_eq!(expiry(&bed), json!(2160 * HOUR));
        assert_eq!(bed.verdict("node-certificates", ""), "pass");
        let (_, status) = bed.status();
        bed.harden(&["rollback", status["transactions"][0]["transaction"].as_str().unwrap()]).ended(0);
        assert_eq!(expiry(&bed), json!(long));
        assert_eq!(bed.verdict("node-certificates", ""), "fail");
    }
}
