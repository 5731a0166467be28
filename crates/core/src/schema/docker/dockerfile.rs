//! Dockerfiles that were given as paths.

use super::{BOOL, INT, OPT_STR, STR, STRINGS};
use crate::schema::{Field, Type, fact, field, kind};

const STAT: &str = "the right to look at it is missing";
const GROUPS: &str =
    "the right to look at it is missing, its access list cannot be read, or who is in its group is not known";
const PARSED: &str = "the file could not be read as a Dockerfile: no right, too large, binary, in another encoding, or with an error of syntax; the reason names the line";

const LINE: Field = field("line", INT, "the line, from 1");
const COLUMN: Field = field("column", INT, "the character in the line, from 1");
const TEXT: Field = field("text", STR, "the instruction, secrets taken out, at most 256 bytes");

const PLACE: &[Field] = &[LINE, COLUMN, TEXT];
const PLACES: Type = Type::List(&Type::Object(PLACE));

const BASE: &[Field] = &[
    LINE,
    COLUMN,
    field("image", STR, "the image, build arguments put in by their defaults; unknown where one has none"),
    field(
        "reference",
        STR,
        "how it is named: digest, tag, latest (also without a tag), scratch, or stage of this file",
    ),
    field("use", STR, "from, copy or mount: what it is there for"),
];

const SECRET_AT: &[Field] = &[
    LINE,
    COLUMN,
    field("name", STR, "the variable, label, option or file that holds it"),
    field("class", STR, "what kind of secret it looks like"),
    field("length", STR, "bucket of its length in characters"),
];

kind! {
    /// A Dockerfile that was given as a path.
    DOCKERFILE = "docker.dockerfile", "A Dockerfile that was given as a path, with its build context: the directory that it lies in.", &[
    fact("path", STR, "where it is, links resolved", "the file system", STAT),
    fact("owner", STR, "the owner's name, or its number", "the file system, /etc/passwd", STAT),
    fact("group", STR, "the group's name, or its number", "the file system, /etc/group", STAT),
    fact("mode", INT, "the permission bits", "the file system", STAT).unit("octal bits"),
    fact("writable_by_others", BOOL, "whether anybody but its owner and root may write it; a group of the owner alone does not count", "the file system, its access list, /etc/group", GROUPS),
    fact("context_owner", STR, "the owner of the directory that it lies in", "the file system, /etc/passwd", STAT),
    fact("context_mode", INT, "the permission bits of that directory", "the file system", STAT).unit("octal bits"),
    fact("context_writable_by_others", BOOL, "whether anybody but that directory's owner and root may put files there", "the file system, its access list, /etc/group", GROUPS),
    fact("dockerignore", BOOL, "whether a .dockerignore keeps files out of the context", "the file system: .dockerignore beside it, or of its own name", STAT),
    fact("syntax", OPT_STR, "the frontend that `# syntax` names, which reads the file in the builder's place; null without", "the file", PARSED),
    fact("stages", INT, "how many stages it has", "the file", PARSED),
    fact("bases", Type::List(&Type::Object(BASE)), "the images that it builds from or copies from, in every stage", "FROM, COPY --from, RUN --mount", PARSED),
    fact("unpinned_bases", Type::List(&Type::Object(BASE)), "those of them that are named by a tag or as latest, not by digest", "as the bases", "as the bases; also where none is found and one depends on an argument without a default"),
    fact("latest_bases", Type::List(&Type::Object(BASE)), "those of them that are taken as latest, or without a tag", "as the bases", "as the bases; also where none is found and one depends on an argument without a default"),
    fact("user", STR, "the user that the last stage ends with", "USER in the last stage and those that it is built from", "no USER is set, and the base image may set one; or it comes from an argument without a default"),
    fact("root_user", BOOL, "whether that is user 0", "USER; useradd and adduser in RUN for a name", "as for the user; or it is a name that the base image maps to a number"),
    fact("healthcheck", BOOL, "whether the last stage has a health check", "HEALTHCHECK in the last stage and those that it is built from", "none is set, and the base image may set one"),
    fact("exposed_ports", STRINGS, "ports that it declares, as they are written", "EXPOSE", "an argument without a default is among them"),
    fact("ssh_ports", PLACES, "where it declares port 22", "EXPOSE", PARSED),
    fact("adds", PLACES, "where ADD stands for what COPY would do; the root file system of an image from scratch apart", "ADD", PARSED),
    fact("remote_adds", PLACES, "where ADD fetches from the network without a checksum or a commit", "ADD", PARSED),
    fact("updates_alone", PLACES, "where package lists are updated and nothing is installed", "RUN", PARSED),
    fact("unverified_fetches", PLACES, "where verification is switched off: curl -k, --allow-unauthenticated, --nogpgcheck, …", "RUN", PARSED),
    fact("piped_scripts", PLACES, "where a script from the network runs unseen: curl … | sh", "RUN", PARSED),
    fact("secrets", Type::List(&Type::Object(SECRET_AT)), "secrets in it, build arguments that are made for one, and key files that are copied in", "ARG, ENV, LABEL, RUN, COPY, ADD", PARSED),
    fact("secret_mounts", PLACES, "where a secret is lent to one step and not kept, as it should be", "RUN --mount=type=secret, ssh", PARSED),
]}
