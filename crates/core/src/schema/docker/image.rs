//! Images.

use super::{BOOL, INT, OPT_STR, SECRETS, STR, STRINGS};
use crate::schema::{Type, fact, kind};

const GONE: &str = "the image vanished, or the engine did not answer";
const HISTORY: &str = "its history could not be read, or is empty";
const STEPS: &str = "its history could not be read, or records no build steps (imported or squashed)";

kind! {
    /// An image on the host.
    IMAGE = "docker.image", "An image on the host.", &[
    fact("tags", STRINGS, "its names", "inspect RepoTags", GONE),
    fact("digests", STRINGS, "digests under which a registry knows it", "inspect RepoDigests", GONE),
    fact("registries", STRINGS, "registries that its names point to", "inspect RepoTags, RepoDigests", GONE),
    fact("registries_not_allowed", Type::Optional(&STRINGS), "those of them that seaworthy.toml does not allow; null where it has no list", "its registries against seaworthy.toml", "its registries are unknown").derived(),
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
    fact("history_secrets", SECRETS, "secrets in its build steps", "GET /images/ID/history", HISTORY),
    fact("env_secrets", SECRETS, "secrets in its environment", "inspect Config.Env", GONE),
    fact("label_secrets", SECRETS, "secrets in its labels", "inspect Config.Labels", GONE),
    fact("provenance", STRINGS, "labels that say where it comes from", "inspect Config.Labels", GONE),
    fact("base", OPT_STR, "the base image that its labels name", "inspect Config.Labels", GONE),
    fact("setuid_files", Type::Optional(&STRINGS), "setuid and setgid files in it; null without --deep", "its layers", "its layers could not be read"),
]}
