//! Images on real engines: each is built like one that passes but for one thing, and only the checks that are about
//! that thing may say something else of it.

mod verdicts;

use seaworthy_bed::{ContextFile, Daemon, Spec, Version};
use serde_json::json;
use verdicts::{Report, Wrong};

#[test]
fn images_of_engine_20_are_judged_by_what_they_hold() {
    let Some(daemon) = Daemon::require(Version::V20, Spec::default()) else { return };
    judge(&daemon);
}

#[test]
fn images_of_engine_29_are_judged_by_what_they_hold() {
    let Some(daemon) = Daemon::require(Version::V29, Spec::default()) else { return };
    judge(&daemon);
}

const GOOD: &str = "FROM busybox:test\nLABEL org.opencontainers.image.source=https://example.com/app.git\n\
    COPY passwd /etc/passwd\nHEALTHCHECK CMD true\nUSER 1000:1000\n";

/// An image, what its Dockerfile adds to that of the good one, and what is said of it besides.
type Case<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)]);

const CASES: &[Case<'_>] = &[
    ("user-zeros", "USER 0:0", &[("non-root-user", "fail")]),
    ("user-root", "USER root", &[("non-root-user", "fail")]),
    ("user-toor", "USER toor", &[("non-root-user", "fail")]),
    ("user-group", "USER :1000", &[("non-root-user", "fail")]),
    ("user-odd", "USER odd", &[("non-root-user", "fail")]),
    ("user-app", "USER app", &[]),
    ("user-app-group", "USER app:0", &[]),
    ("health-none", "HEALTHCHECK NONE", &[("healthcheck", "fail")]),
    ("port-ssh", "EXPOSE 80 22", &[("no-ssh-port", "fail")]),
    ("port-other", "EXPOSE 2222/tcp 80", &[]),
    ("add-file", "ADD passwd /opt/", &[("copy-not-add", "fail")]),
    ("add-archive", "ADD some.tar /opt/", &[("copy-not-add", "fail")]),
    ("copy", "COPY some.tar /opt/", &[]),
    ("update-alone", "USER 0\nRUN apt-get update || true\nUSER 1000", &[("updates-not-alone", "fail")]),
    (
        "update-shell",
        "ARG V=1\nSHELL [\"/bin/busybox\", \"sh\", \"-c\"]\nRUN apt-get update || /bin/true",
        &[("updates-not-alone", "fail")],
    ),
    ("update-apart", "RUN apt-get update || true\nRUN apt-get install -y x || true", &[("updates-not-alone", "fail")]),
    ("update-used", "RUN (apt-get update && apt-get install -y --no-install-recommends x) || true", &[]),
    ("fetch", "RUN curl -k https://example.com/x || true", &[("no-unverified-fetches", "fail")]),
    ("fetch-told", "RUN echo 'curl -k helps' > /tmp/help || true", &[]),
    ("fetch-always", "ENV NODE_TLS_REJECT_UNAUTHORIZED=0", &[("no-unverified-fetches", "fail")]),
    ("fetch-well", "RUN curl -fsSLO https://example.com/x || true", &[]),
    ("secret-env", "ENV DB_PASSWORD=hunter2hunter2", &[("no-secrets", "fail")]),
    ("secret-label", "LABEL deploy.password=hunter2hunter2", &[("no-secrets", "fail")]),
    ("secret-run", "RUN echo --password=hunter2hunter2", &[("no-secrets", "fail")]),
    ("secret-arg", "ARG API_TOKEN=c2VjcmV0c2VjcmV0MTIz\nRUN true", &[("no-secrets", "fail")]),
    ("env-file", "ENV DB_PASSWORD_FILE=/run/secrets/db", &[]),
    ("setuid", "USER 0\nRUN cp /bin/busybox /su && chmod 4755 /su\nUSER 1000", &[("no-setuid-files", "manual")]),
    ("setgid", "USER 0\nRUN cp /bin/busybox /su && chmod 2755 /su\nUSER 1000", &[("no-setuid-files", "manual")]),
    ("setuid-tamed", "USER 0\nRUN cp /bin/busybox /su && chmod 4755 /su\nRUN chmod a-s /su\nUSER 1000", &[]),
    ("setuid-gone", "USER 0\nRUN cp /bin/busybox /su && chmod 4755 /su\nRUN rm /su\nUSER 1000", &[]),
];

fn judge(daemon: &Daemon) {
    daemon.import_busybox("busybox:test");
    let files = [
        // The engine takes what is no number for 0.
        ContextFile::new(
            "passwd",
            b"root:x:0:0::/:/bin/sh\ntoor:x:0:0::/:/bin/sh\nodd:x: 7:7::/:/bin/sh\napp:x:1000:1000::/:/bin/sh\n",
        ),
        ContextFile::new("some.tar", &[0; 1024]),
    ];
    daemon.build("good:1", GOOD, &files);
    for (name, more, _) in CASES {
        daemon.build(&format!("{name}:1"), &format!("{GOOD}{more}\n"), &files);
    }
    daemon.build("scratch:1", "FROM scratch\nADD passwd /\n", &files);
    let mut wrong = Wrong::default();
    let report = Report::of(daemon, &["--deep"]);
    for check in report.of_component("image", "good:1").keys() {
        let expected = match check.trim_start_matches("image/") {
            "allowed-registry" => "not-applicable",
            // Containerd's store gives every image a digest.
            "known-to-registry" if daemon.version() == Version::V20 => "fail",
            "no-needless-packages" | "trusted-base" | "verified-packages" => "manual",
            // Nobody gave evidence.
            "scanned" | "signed" => "unknown",
            _ => "pass",
        };
        wrong.expect(&report, "good:1", check, expected);
    }
    for (name, _, other) in CASES {
        wrong.expect_like(&report, "image", "good:1", &format!("{name}:1"), other);
    }
    // An image that records no steps says nothing about them.
    let imported = [
        ("non-root-user", "fail"),
        ("healthcheck", "fail"),
        ("provenance-labels", "fail"),
        ("copy-not-add", "unknown"),
        ("no-remote-add", "unknown"),
        ("updates-not-alone", "unknown"),
        ("no-unverified-fetches", "unknown"),
        ("no-secrets", "unknown"),
    ];
    wrong.expect_like(&report, "image", "good:1", "busybox:test", &imported);
    wrong.expect(&report, "scratch:1", "image/copy-not-add", "fail");
    shallow(daemon, &mut wrong);
    unnamed(daemon, &files, &mut wrong);
    wrong.finish(daemon.version().name());
}

/// Without `--deep` nobody has looked for setuid files, and nothing passes for it.
fn shallow(daemon: &Daemon, wrong: &mut Wrong) {
    let report = Report::of(daemon, &[]);
    for name in ["good:1", "setuid:1"] {
        wrong.expect(&report, name, "image/no-setuid-files", "manual");
    }
    // Graph drivers say where the layers are; containerd's store does not.
    let named = if daemon.version() == Version::V20 { ("pass", "fail") } else { ("unknown", "unknown") };
    wrong.expect(&report, "user-app:1", "image/non-root-user", named.0);
    wrong.expect(&report, "user-toor:1", "image/non-root-user", named.1);
}

/// Images without a name, with a registry's, and used by containers.
fn unnamed(daemon: &Daemon, files: &[ContextFile<'_>], wrong: &mut Wrong) {
    let old = daemon.build("moved:1", &format!("{GOOD}LABEL old=1\nUSER 0\n"), files);
    daemon.build("moved:1", &format!("{GOOD}LABEL old=0\n"), files);
    let (status, _) = daemon.request("POST", "/images/good:1/tag?repo=registry.example.com:5000/app&tag=2", None);
    assert_eq!(status, 201);
    daemon.create("user", &json!({ "Image": "good:1" }));
    let report = Report::of(daemon, &[]);
    let short = old.trim_start_matches("sha256:").get(..12).unwrap().to_owned();
    let names = [old.clone(), short, format!("moved@{old}")];
    let found = names.iter().find(|name| !report.verdict("image/non-root-user", name).is_empty());
    match found {
        Some(name) => wrong.expect(&report, name, "image/non-root-user", "fail"),
        None => wrong.note(&format!("nothing is said of the image that lost its name, {old}")),
    }
    wrong.expect(&report, "moved:1", "image/non-root-user", "pass");
}
