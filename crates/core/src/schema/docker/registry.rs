//! Registries.

use super::{BOOL, STR, STRINGS};
use crate::schema::{Type, fact, kind};

kind! {
    /// A registry that images come from, that the engine is configured for, or that a client keeps credentials for.
    REGISTRY = "docker.registry", "A registry that images come from, that the engine is configured for, or that a client keeps credentials for.", &[
    fact("address", STR, "host and port, without scheme and path; docker.io for all names of Docker Hub", "names of images, the daemon's registries and mirrors, the clients' credentials", "never").derived(),
    fact("insecure", BOOL, "whether the engine talks to it over a network in clear or without verifying it; false for loopback", "the daemon's insecure_registries and registry_mirrors", "the daemon's registries are unknown, or its name may lead into a network where nothing is verified").derived(),
    fact("mirror", BOOL, "whether the engine pulls through it as a mirror", "the daemon's registry_mirrors", "the daemon's mirrors are unknown").derived(),
    fact("allowed", Type::Optional(&BOOL), "whether seaworthy.toml allows it; null where it has no list", "its address against seaworthy.toml", "never").derived(),
    fact("used_by", STRINGS, "images whose names point to it", "registries of all images", "the images could not be listed, or the names of one could not be read").derived(),
    fact("credentials_kept_by", STRINGS, "users whose client keeps credentials for it in plain text", "plain_credentials of all clients", "a client's configuration could not be read, or does not say for which registries it keeps them").derived(),
]}
