//! Images.

use super::{BOOL, INT, OPT_STR, SECRETS, STR, STRINGS};
use crate::schema::{Field, Type, fact, field, kind};

const GONE: &str = "the image vanished, or the engine did not answer";
const HISTORY: &str = "its history could not be read, or is empty";
const STEPS: &str = "its history could not be read, or records no build steps (imported or squashed)";

const REPORT: &str = "no vulnerability report was given for this image, or only one of another digest, stale (more than 30 days from the snapshot), undated, or without a scan of packages";
const EVIDENCE: &str = "--evidence FILE: Trivy, Grype, CycloneDX";
const SIGNATURE: &str = "no verified signature was given for a digest of this image; an engine knows none";

const VULNERABILITY: &[Field] = &[
    field("id", STR, "its number: CVE-2026-1234"),
    field("severity", STR, "critical, high, unrated, medium, low or negligible"),
    field("package", STR, "the package with its version"),
    field("fixed", OPT_STR, "the version without it; null where there is none yet"),
];

kind! {
    /// An image on the host.
    IMAGE = "docker.image", "An image on the host.", &[
    fact("tags", STRINGS, "its names", "inspect RepoTags", GONE),
    fact("digests", STRINGS, "digests under which a registry knows it", "inspect RepoDigests", GONE),
    fact("registries", STRINGS, "registries that its names point to", "inspect RepoTags, RepoDigests", GONE),
    fact("registries_not_allowed", Type::Optional(&STRINGS), "those of them that seaworthy.toml does not allow; null where it has no list", "its registries against seaworthy.toml", "its registries are unknown").derived(),
    fact("platform", STR, "operating system and architecture: linux/amd64", "inspect Os, Architecture", GONE),
    fact("used_by", STRINGS, "containers that were made from it", "GET /containers/json", "the containers could not be listed"),
    fact("user", STR, "the user it sets; empty is root", "inspect Config.User", GONE),
    fact("root_user", BOOL, "whether it starts as user 0", "inspect Config.User; etc/passwd in its layers for a name", "a user name that could not be resolved to a number"),
    fact("healthcheck", BOOL, "whether it sets a health check", "inspect Config.Healthcheck", GONE),
    fact("exposed_ports", STRINGS, "ports that it declares", "inspect Config.ExposedPorts", GONE),
    fact("volumes", STRINGS, "volumes that it declares", "inspect Config.Volumes", GONE),
    fact("created_days", Type::Optional(&INT), "age at the time of collecting; null when it carries no date", "inspect Created", GONE).unit("days"),
    fact("size", INT, "size on disk", "inspect Size", GONE).unit("bytes"),
    fact("history", STRINGS, "its build steps, newest first, secrets taken out", "GET /images/ID/history", HISTORY),
    fact("history_complete", BOOL, "whether build steps are recorded at all (an imported or squashed image has none)", "GET /images/ID/history", HISTORY),
    fact("adds", STRINGS, "build steps that use ADD where COPY would do, the base image's first layer apart", "GET /images/ID/history", STEPS),
    fact("remote_adds", STRINGS, "build steps that ADD from a URL", "GET /images/ID/history", STEPS),
    fact("updates_alone", STRINGS, "build steps that update package lists without installing", "GET /images/ID/history", STEPS),
    fact("unverified_fetches", STRINGS, "build steps that switch verification off: curl -k, --allow-unauthenticated, --nogpgcheck, …", "GET /images/ID/history", STEPS),
    fact("history_secrets", SECRETS, "secrets in its build steps, its command, entry point and health check", "GET /images/ID/history; inspect Config", HISTORY),
    fact("env_secrets", SECRETS, "secrets in its environment", "inspect Config.Env", GONE),
    fact("label_secrets", SECRETS, "secrets in its labels", "inspect Config.Labels", GONE),
    fact("provenance", STRINGS, "labels that say where it comes from", "inspect Config.Labels", GONE),
    fact("base", OPT_STR, "the base image that its labels name", "inspect Config.Labels", GONE),
    fact("setuid_files", Type::Optional(&STRINGS), "setuid and setgid files in it; null without --deep", "its layers", "its layers could not be read"),
    fact("vulnerabilities", Type::List(&Type::Object(VULNERABILITY)), "known vulnerabilities of what is in it, the 200 gravest", EVIDENCE, REPORT),
    fact("vulnerabilities_critical", INT, "how many are rated critical", EVIDENCE, REPORT),
    fact("vulnerabilities_high", INT, "how many are rated high", EVIDENCE, REPORT),
    fact("vulnerabilities_fixable", INT, "how many are critical or high and have a fixed version", EVIDENCE, "as the others; also where none is proven and the report leaves open how grave some are, or whether they have a fix"),
    fact("scanned_days", INT, "age of the report, or of the scanner's database where the report says that it is older", EVIDENCE, "no vulnerability report was given for this image, or it carries no date").unit("days"),
    fact("scanner", STR, "what made the report", EVIDENCE, "no vulnerability report was given for this image"),
    fact("os_ended", Type::Optional(&BOOL), "whether its distribution gets no fixes any more; null where the report does not say", EVIDENCE, "no vulnerability report was given for this image"),
    fact("signature_verified", BOOL, "whether a signature over one of its digests was verified; undated, since a signature over a digest does not age", "--evidence FILE: cosign verify", SIGNATURE),
    fact("signed_by", STRINGS, "whose signatures they are, where the record says", "--evidence FILE: cosign verify", SIGNATURE),
]}
