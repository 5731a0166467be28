//! Files that were given as paths: Dockerfiles with their build context, and manifests of Kubernetes. Their content is
//! others' and may be anything.

mod dockerfile;
mod expand;
mod heredoc;
mod place;
mod shell;

#[cfg(test)]
mod tests;

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use seaworthy_core::component::Component;
use seaworthy_core::fact::Source;
use seaworthy_core::schema::docker::DOCKERFILE;
use seaworthy_core::snapshot::{Snapshot, Target};
use seaworthy_core::value::Value;

use crate::assemble::scrub::scrub;
use crate::host::accounts::Accounts;
use crate::host::paths::{Access, access};
use crate::host::root::{Root, Unread};
use crate::kubernetes::files::{self as manifests, Manifests, Version};
use crate::kubernetes::yaml;
use crate::redact::Redactor;

/// The largest Dockerfile, in bytes: 1 MiB. BuildKit reads no larger one.
const LARGEST: usize = 1 << 20;

/// The most Dockerfiles of one directory.
const MOST_FILES: usize = 1000;

/// The most entries of a directory that are looked at.
const MOST_ENTRIES: usize = 100_000;

/// The most bytes of the manifests of one path: 1 GiB.
const MOST_BYTES: usize = 1 << 30;

/// How files are read.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The version of Kubernetes that manifests are judged for.
    pub kubernetes_version: Option<Version>,
}

/// Reads Dockerfiles and manifests: each path is one, `-` for manifests from standard input, or a directory that holds
/// some: Dockerfiles directly (`Dockerfile`, `Containerfile`, `*.Dockerfile`, `Dockerfile.*`), manifests also beneath
/// (`*.yaml`, `*.yml`, `*.json`). Each becomes a target of its own. What cannot be read is a component with unknown
/// facts or a gap, and the others go on.
///
/// # Errors
/// In one line: a path at which there is nothing, or neither a Dockerfile nor an object.
pub fn collect(paths: &[PathBuf], options: &Options) -> Result<Snapshot, String> {
    let redactor = Redactor::new();
    let root = Root::open(Path::new("/")).map_err(|why| format!("/: {why}"))?;
    let accounts = Accounts::read(&root);
    let machine = Machine { root, accounts, redactor, version: options.kubernetes_version.clone() };
    let mut targets: Vec<Target> = Vec::new();
    for (i, path) in paths.iter().enumerate() {
        let (shown, name) = shown(path);
        if paths[..i].iter().all(|other| self::shown(other).1 != name) {
            targets.extend(machine.targets(&shown, name)?);
        }
    }
    Ok(Snapshot { tool: env!("CARGO_PKG_VERSION").to_owned(), collected_at: crate::assemble::now(), targets })
}

/// `./x` is `x`, so that a report names files as a repository does.
fn shown(path: &Path) -> (PathBuf, String) {
    let given = path.components().collect::<PathBuf>();
    let given = given.strip_prefix(".").map_or(given.as_path(), |rest| rest);
    let shown = if given.as_os_str().is_empty() { Path::new(".") } else { given };
    let name = if path.as_os_str() == "-" { "standard input".to_owned() } else { shown.display().to_string() };
    (shown.to_owned(), name)
}

/// The facts of a Dockerfile's text, as they are after redaction; for tests of the parser.
///
/// # Errors
/// In one line: why it is no Dockerfile.
pub fn facts(bytes: &[u8], redactor: &Redactor) -> Result<Vec<(&'static str, Value)>, String> {
    dockerfile::facts(text(bytes)?, redactor)
}

/// The text of a file, without the mark that some editors begin it with.
fn text(bytes: &[u8]) -> Result<&str, String> {
    let starts = |mark: &[u8]| bytes.starts_with(mark);
    if starts(&[0xff, 0xfe]) || starts(&[0xfe, 0xff]) {
        return Err("it is UTF-16, which builders do not read; write it as UTF-8".to_owned());
    }
    if memchr::memchr(0, bytes).is_some() {
        return Err("it is binary, not a text".to_owned());
    }
    let text = std::str::from_utf8(bytes).map_err(|why| {
        let line = memchr::memchr_iter(b'\n', &bytes[..why.valid_up_to()]).count() + 1;
        format!("it is not UTF-8 in line {line}")
    })?;
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}

/// A name that a Dockerfile goes by, letters of either case.
fn is_named_so(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    matches!(name.as_str(), "dockerfile" | "containerfile")
        || (name.starts_with("dockerfile.") && name != "dockerfile.dockerignore")
        || name.ends_with(".dockerfile")
}

/// What is needed to read any of them.
struct Machine {
    root: Root,
    accounts: Accounts,
    redactor: Redactor,
    version: Option<Version>,
}

impl Machine {
    /// The target of a path; several where objects of one name are in it.
    fn targets(&self, shown: &Path, name: String) -> Result<Vec<Target>, String> {
        let began = Instant::now();
        let mut manifests = Manifests::new(self.version.as_ref(), &self.redactor);
        let mut target = if shown.as_os_str() == "-" {
            self.standard_input(name, &mut manifests)?
        } else {
            self.path(shown, name, &mut manifests)?
        };
        let more = manifests.finish(&mut target);
        let took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let mut targets: Vec<Target> = std::iter::once(target).chain(more).collect();
        for target in &mut targets {
            scrub(target, &self.redactor);
            target.took_ms = took_ms;
        }
        Ok(targets)
    }

    fn standard_input(&self, name: String, manifests: &mut Manifests<'_>) -> Result<Target, String> {
        let target = Target::new(&*name, "files", "-");
        let mut bytes = Vec::new();
        let most = yaml::LARGEST as u64 + 1;
        std::io::stdin().lock().take(most).read_to_end(&mut bytes).map_err(|why| format!("{name}: {why}"))?;
        if bytes.len() > yaml::LARGEST {
            manifests.lost(&*name, format!("larger than {} MiB", yaml::LARGEST >> 20));
        } else if manifests.file(&name, &bytes, true) == manifests::Kind::Other {
            return Err(format!("{name}: no Kubernetes object is in it"));
        }
        Ok(target)
    }

    fn path(&self, shown: &Path, name: String, manifests: &mut Manifests<'_>) -> Result<Target, String> {
        let whole = absolute(shown)?;
        let meta = std::fs::metadata(&whole).map_err(|why| format!("{name}: {}", Unread::from(why)))?;
        let mut target = Target::new(&*name, "files", whole.display().to_string());
        if meta.is_dir() {
            self.directory(shown, &name, &mut target, manifests)?;
        } else if manifests::is_manifest(shown) {
            if self.manifest(shown, manifests) == manifests::Kind::Other {
                return Err(format!(
                    "{name}: no Kubernetes object is in it: none of its documents has apiVersion and kind"
                ));
            }
        } else {
            self.file(shown, &mut target)?;
        }
        Ok(target)
    }

    fn directory(
        &self,
        shown: &Path,
        name: &str,
        target: &mut Target,
        manifests: &mut Manifests<'_>,
    ) -> Result<(), String> {
        match within_directory(shown) {
            Ok(files) => files.iter().try_for_each(|file| self.file(file, target))?,
            Err(why) => {
                target.incomplete(&DOCKERFILE, format!("{name}: {why}"));
                target.gap(name, why, "which Dockerfiles are in it");
            }
        }
        let found = manifests::walk(shown);
        let mut left = MOST_BYTES;
        let mut is_any = !found.lost.is_empty();
        for (source, why) in found.lost {
            manifests.lost(source, why);
        }
        for (source, why) in found.changed {
            manifests.gap(source, why, "what is deployed of them");
        }
        for file in &found.files {
            let whole = absolute(file)?;
            match self.root.read(&whole, yaml::LARGEST.min(left)) {
                Ok(bytes) => {
                    left -= bytes.len();
                    let names = names_objects(&bytes);
                    // A name may be written in escapes.
                    if names || memchr::memchr(b'\\', &bytes).is_some() {
                        let kind = manifests.file(&file.display().to_string(), &bytes, names);
                        is_any |= kind == manifests::Kind::Manifest;
                    } else {
                        manifests.other();
                    }
                }
                Err(why) => {
                    is_any = true;
                    manifests.lost(file.display().to_string(), why.to_string());
                }
            }
        }
        if !is_any && target.components.is_empty() && target.gaps.is_empty() {
            return Err(format!(
                "{name}: no Dockerfile is in it, and no Kubernetes object beneath it; name what is meant"
            ));
        }
        Ok(())
    }

    /// A manifest that was named.
    fn manifest(&self, file: &Path, manifests: &mut Manifests<'_>) -> manifests::Kind {
        let name = file.display().to_string();
        let read = absolute(file).and_then(|whole| self.root.read(whole, yaml::LARGEST).map_err(|why| why.to_string()));
        match read {
            Ok(bytes) => manifests.file(&name, &bytes, true),
            Err(why) => {
                manifests.lost(name, why);
                manifests::Kind::Manifest
            }
        }
    }

    fn file(&self, file: &Path, target: &mut Target) -> Result<(), String> {
        let name = file.display().to_string();
        let whole = absolute(file)?;
        let mut component = Component::new(&DOCKERFILE, &*name, &*name);
        let source = || Source::place(&*name);
        match access(&self.root, &whole) {
            Ok(access) => {
                component.set("path", place::cut(&access.real.to_string_lossy()), source());
                component.set("owner", self.user(access.uid), source());
                component.set("group", self.group(access.gid), source());
                component.set("mode", i64::from(access.mode), source());
                component.set("writable_by_others", self.others(&access), source());
                self.context(&mut component, &whole);
            }
            Err(why) => {
                let why: Arc<str> = why.to_string().into();
                for fact in ["path", "owner", "group", "mode", "writable_by_others"] {
                    component.set_unknown(fact, Arc::clone(&why), source());
                }
                self.context(&mut component, &whole);
            }
        }
        let read = self.root.read(&whole, LARGEST).map_err(|why| why.to_string());
        match read.and_then(|bytes| facts(&bytes, &self.redactor)) {
            Ok(facts) => facts.into_iter().for_each(|(fact, value)| component.set(fact, value, source())),
            Err(why) => {
                target.gap(&*name, &*why, "what it builds");
                component.rest_unknown(&why.into(), &source());
            }
        }
        target.components.push(component);
        Ok(())
    }

    /// The directory that it lies in, from which a build takes files.
    fn context(&self, component: &mut Component, file: &Path) {
        let context = file.parent().unwrap_or(Path::new("/"));
        let source = || Source::place(context.display().to_string());
        match access(&self.root, context) {
            Ok(access) => {
                component.set("context_owner", self.user(access.uid), source());
                component.set("context_mode", i64::from(access.mode), source());
                component.set("context_writable_by_others", self.others(&access), source());
            }
            Err(why) => {
                let why: Arc<str> = why.to_string().into();
                for fact in ["context_owner", "context_mode", "context_writable_by_others"] {
                    component.set_unknown(fact, Arc::clone(&why), source());
                }
            }
        }
        let mut own = file.as_os_str().to_owned();
        own.push(".dockerignore");
        let ignores = [context.join(".dockerignore"), PathBuf::from(own)];
        let found: Vec<_> = ignores.iter().map(|path| access(&self.root, path)).collect();
        let there = match found.iter().find_map(|found| found.as_ref().err().filter(|why| **why != Unread::Absent)) {
            _ if found.iter().any(Result::is_ok) => Value::Bool(true),
            Some(why) => Value::unknown(why.to_string()),
            None => Value::Bool(false),
        };
        component.set("dockerignore", there, source());
    }

    fn user(&self, uid: u32) -> String {
        self.accounts.user_by_uid(uid).map_or_else(|| uid.to_string(), |user| place::cut(&user.name).to_owned())
    }

    fn group(&self, gid: u32) -> String {
        self.accounts.group_names(gid).first().map_or_else(|| gid.to_string(), |name| place::cut(name).to_owned())
    }

    /// Whether anybody but the owner and root may write it.
    fn others(&self, access: &Access) -> Value {
        if access.mode & 0o002 != 0 {
            return Value::Bool(true);
        }
        match &access.list {
            Ok(entries) => {
                let foreign =
                    |e: &crate::host::paths::Entry| e.grants & 2 != 0 && e.id != 0 && (e.group || e.id != access.uid);
                if entries.iter().any(foreign) {
                    return Value::Bool(true);
                }
            }
            Err(why) => return Value::unknown(why.as_str()),
        }
        if access.mode & 0o020 == 0 {
            return Value::Bool(false);
        }
        self.shared(access)
    }

    /// Whether somebody else is in the group, which may write.
    fn shared(&self, access: &Access) -> Value {
        let Some(group) = self.accounts.group_names(access.gid).first().copied() else {
            return Value::unknown(format!("its group {} may write, and who is in it is not known", access.gid));
        };
        let members = self.accounts.members(group);
        let is_other = |name: &str| self.accounts.user(name).is_none_or(|user| user.uid != access.uid && user.uid != 0);
        if members.names.iter().any(|member| is_other(&member.name)) {
            return Value::Bool(true);
        }
        if members.is_complete() {
            return Value::Bool(false);
        }
        Value::unknown(format!("its group {} may write, and who is in it is not known", place::cut(group)))
    }
}

/// Whether the fields of an object are named in a file, or it is of wide characters, in which they cannot be seen.
fn names_objects(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0xff, 0xfe])
        || bytes.starts_with(&[0xfe, 0xff])
        || memchr::memmem::find(bytes, b"apiVersion").is_some()
}

fn absolute(path: &Path) -> Result<PathBuf, String> {
    std::path::absolute(path).map_err(|why| format!("{}: {why}", path.display()))
}

/// The Dockerfiles that lie directly in a directory, in the order of their names.
fn within_directory(directory: &Path) -> Result<Vec<PathBuf>, String> {
    let entries = std::fs::read_dir(directory).map_err(|why| Unread::from(why).to_string())?;
    let mut files = Vec::new();
    for (count, entry) in entries.enumerate() {
        if count == MOST_ENTRIES || files.len() > MOST_FILES {
            return Err(format!("it holds more than {MOST_ENTRIES} entries or {MOST_FILES} Dockerfiles; name them"));
        }
        let entry = entry.map_err(|why| Unread::from(why).to_string())?;
        let path = if directory.as_os_str() == "." { PathBuf::from(entry.file_name()) } else { entry.path() };
        if entry.file_name().to_str().is_some_and(is_named_so) && !path.is_dir() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
