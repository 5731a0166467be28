//! systemd's units as it would load them: the file in effect, its drop-ins, and the settings that
//! matter for an engine.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use seaworthy_core::systemd::SEARCH;

use super::gap::Gap;
use super::root::{Root, Unread};
use crate::daemon::keys::{HIDDEN, without_credentials};

/// The most drop-ins of one directory.
const MOST: usize = 1024;

/// Where a unit's own file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fragment {
    /// It is this file, as found in the search.
    File(PathBuf),
    /// It is masked by this link to `/dev/null`, or by this empty file.
    Masked(PathBuf),
    /// No directory has one.
    Absent,
}

/// A unit as it would be loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    /// Its name, such as `docker.service`.
    pub name: String,
    /// Its own file.
    pub fragment: Fragment,
    /// Files of the same name that the one in effect hides.
    pub hidden: Vec<PathBuf>,
    /// The drop-ins in effect, in the order in which they are read.
    pub drop_ins: Vec<PathBuf>,
    /// Its settings by name, in order, an empty assignment having cleared those before it. Of
    /// `Environment` only the names are kept; addresses are without their user parts.
    pub settings: BTreeMap<String, Vec<String>>,
    /// What could not be read.
    pub gaps: Vec<Gap>,
}

impl Unit {
    /// The last value of a setting that has one value.
    pub fn last(&self, name: &str) -> Option<&str> {
        self.settings.get(name)?.last().map(String::as_str)
    }

    /// Every value of a setting.
    pub fn all(&self, name: &str) -> &[String] {
        self.settings.get(name).map_or(&[], Vec::as_slice)
    }
}

/// The settings that are kept; the rest of a unit is of no use here and may hold anything.
const KEPT: [&str; 20] = [
    "ListenStream",
    "SocketMode",
    "SocketUser",
    "SocketGroup",
    "ExecStart",
    "EnvironmentFile",
    "Environment",
    "PassEnvironment",
    "User",
    "Group",
    "Type",
    "PIDFile",
    "Restart",
    "Slice",
    "Delegate",
    "LimitNOFILE",
    "OOMScoreAdjust",
    "PrivateMounts",
    "IPAddressDeny",
    "IPAddressAllow",
];

/// Reads a unit with its drop-ins.
pub fn read(root: &Root, name: &str) -> Unit {
    let mut unit = Unit {
        name: name.to_owned(),
        fragment: Fragment::Absent,
        hidden: Vec::new(),
        drop_ins: Vec::new(),
        settings: BTreeMap::new(),
        gaps: Vec::new(),
    };
    find_fragment(root, &mut unit);
    if let Fragment::File(path) = unit.fragment.clone() {
        load(root, &path, &mut unit);
    }
    if !matches!(unit.fragment, Fragment::Masked(_)) {
        find_drop_ins(root, &mut unit);
        for path in unit.drop_ins.clone() {
            load(root, &path, &mut unit);
        }
    }
    unit
}

fn find_fragment(root: &Root, unit: &mut Unit) {
    let mut seen: Vec<PathBuf> = Vec::new();
    for directory in SEARCH {
        let path = Path::new(directory).join(&unit.name);
        match root.lstat(&path) {
            Ok(_) => {}
            Err(Unread::Absent) => continue,
            Err(why) => {
                gap(unit, &path, &why);
                continue;
            }
        }
        let real = real_directory(root, directory).join(&unit.name);
        // `/lib` is `/usr/lib` on most hosts: the same file found twice hides nothing.
        if seen.contains(&real) {
            continue;
        }
        seen.push(real);
        if unit.fragment != Fragment::Absent {
            unit.hidden.push(path);
        } else if is_masked(root, &path) {
            unit.fragment = Fragment::Masked(path);
        } else {
            unit.fragment = Fragment::File(path);
        }
    }
}

fn real_directory(root: &Root, directory: &str) -> PathBuf {
    root.canonical(directory).unwrap_or_else(|_| PathBuf::from(directory))
}

fn is_masked(root: &Root, path: &Path) -> bool {
    let linked = root.read_link(path).is_ok_and(|target| target == Path::new("/dev/null"));
    linked || root.stat(path).is_ok_and(|s| s.st_size == 0 && s.st_mode & 0o170_000 == 0o100_000)
}

/// The names of the drop-in directories of a unit, the most specific first.
fn drop_in_directories(name: &str) -> Vec<String> {
    let mut names = vec![format!("{name}.d")];
    let Some((stem, kind)) = name.rsplit_once('.') else { return names };
    let mut rest = stem;
    while let Some(at) = rest.rfind('-') {
        rest = &rest[..at];
        names.push(format!("{rest}-.{kind}.d"));
    }
    names.push(format!("{kind}.d"));
    names
}

/// A drop-in's name counts once: that of the higher directory hides the others, and one that is
/// masked hides them, too. They are read in the order of their names.
fn find_drop_ins(root: &Root, unit: &mut Unit) {
    let mut found: BTreeMap<String, PathBuf> = BTreeMap::new();
    for kind in drop_in_directories(&unit.name) {
        for directory in SEARCH {
            let path = Path::new(directory).join(&kind);
            let names = match root.list(&path, MOST) {
                Ok(names) => names,
                Err(Unread::Absent) => continue,
                Err(why) => {
                    gap(unit, &path, &why);
                    continue;
                }
            };
            for name in names {
                let text = name.to_string_lossy().into_owned();
                if text.ends_with(".conf") {
                    found.entry(text).or_insert_with(|| path.join(&name));
                }
            }
        }
    }
    unit.drop_ins = found.into_values().filter(|p| !is_masked(root, p)).collect();
}

fn load(root: &Root, path: &Path, unit: &mut Unit) {
    match root.read_text(path) {
        Ok(text) => parse(&text, &mut unit.settings),
        Err(why) => gap(unit, path, &why),
    }
}

fn gap(unit: &mut Unit, path: &Path, why: &Unread) {
    let affects = format!("{} as systemd would load it", unit.name);
    unit.gaps.push(Gap { source: path.display().to_string(), reason: why.to_string(), affects });
}

/// Hands each assignment of a unit's file to `take`: the number of its first line, its name, its value.
pub(super) fn assignments(text: &str, mut take: impl FnMut(usize, &str, &str)) {
    let mut lines = text.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let line = line.trim_start();
        if line.is_empty() || line.starts_with(['#', ';', '[']) {
            continue;
        }
        let mut whole = line.trim_end().to_owned();
        while let Some(cut) = whole.strip_suffix('\\') {
            whole = format!("{cut} ");
            // Comments in the middle of a continued line are left out.
            match lines.by_ref().find(|(_, l)| !l.trim_start().starts_with(['#', ';'])) {
                Some((_, next)) => whole.push_str(next.trim()),
                None => break,
            }
        }
        if let Some((name, value)) = whole.split_once('=') {
            take(number + 1, name.trim_end(), value.trim());
        }
    }
}

fn parse(text: &str, settings: &mut BTreeMap<String, Vec<String>>) {
    assignments(text, |_, name, value| {
        let Some(name) = KEPT.iter().find(|k| **k == name) else { return };
        let values = settings.entry((*name).to_owned()).or_default();
        match (*name, value) {
            (_, "") => values.clear(),
            ("Environment", value) => values.extend(variables(value)),
            ("ExecStart", value) => values.push(command(value)),
            (_, value) => values.push(without_credentials(value)),
        }
    });
}

/// The names in `Environment=`, each followed by `=***`, and by `@` where an address has a user
/// part.
fn variables(value: &str) -> Vec<String> {
    let assignment = |word: String| {
        let (name, value) = word.split_once('=')?;
        let user = name.to_ascii_lowercase().ends_with("_proxy") && value.contains('@');
        Some(format!("{name}=***{}", if user { "@" } else { "" }))
    };
    words(value).into_iter().filter_map(assignment).collect()
}

/// A command line without its secrets: dockerd's by its flags, containerd's without credentials, of
/// any other only the program and the names of its options.
fn command(value: &str) -> String {
    let words = words(value);
    let Some((program, arguments)) = words.split_first() else { return String::new() };
    let name = program.rsplit('/').next().unwrap_or(program).trim_start_matches(['-', '@', '+', '!', ':', '|']);
    let shown: Vec<String> = match name {
        "dockerd" => return crate::daemon::argv::parse(&words).shown.join(" "),
        "containerd" => arguments.iter().map(|w| without_credentials(w)).collect(),
        _ => arguments.iter().map(|w| option_name(w)).collect(),
    };
    [vec![without_credentials(program)], shown].concat().join(" ")
}

fn option_name(word: &str) -> String {
    match word.split_once('=') {
        Some((name, _)) if name.starts_with('-') => format!("{name}={HIDDEN}"),
        None if word.starts_with("--") && word.len() <= 40 => word.to_owned(),
        _ => HIDDEN.to_owned(),
    }
}

/// Splits at blanks, with quotes and backslashes as systemd has them.
fn words(text: &str) -> Vec<String> {
    let (mut words, mut word, mut quote, mut open) = (Vec::new(), String::new(), None, false);
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(q), c) if q == c => quote = None,
            (_, '\\') => {
                word.extend(chars.next());
                open = true;
            }
            (Some(_), c) => word.push(c),
            (None, '"' | '\'') => (quote, open) = (Some(c), true),
            (None, c) if c.is_whitespace() => {
                if open || !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                open = false;
            }
            (None, c) => word.push(c),
        }
    }
    if open || !word.is_empty() {
        words.push(word);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(files: &[(&str, &str)]) -> (tempfile::TempDir, Root) {
        let dir = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let root = Root::open(dir.path()).unwrap();
        (dir, root)
    }

    #[test]
    fn the_administrators_unit_hides_the_packages_and_drop_ins_follow_their_names() {
        let (dir, root) = host(&[
            ("usr/lib/systemd/system/docker.service", "[Service]\nExecStart=/usr/bin/dockerd -H fd://\nType=notify\n"),
            ("etc/systemd/system/docker.service", "[Service]\nExecStart=/usr/bin/dockerd\n"),
            ("usr/lib/systemd/system/docker.service.d/20-b.conf", "[Service]\nExecStart=\nExecStart=/b\n"),
            ("etc/systemd/system/docker.service.d/10-a.conf", "[Service]\nExecStart=/a\nUser=a\n"),
            (
                "etc/systemd/system/docker.service.d/20-b.conf",
                "[Service]\nExecStart=\nExecStart=/c --x \\\n# no\n  --y=1\n",
            ),
            ("etc/systemd/system/service.d/15-all.conf", "[Service]\nSlice=all.slice\n"),
            ("etc/systemd/system/docker.service.d/readme", "[Service]\nUser=no\n"),
        ]);
        std::os::unix::fs::symlink("usr/lib", dir.path().join("lib")).unwrap();
        let unit = read(&root, "docker.service");
        assert_eq!(unit.fragment, Fragment::File("/etc/systemd/system/docker.service".into()));
        assert_eq!(unit.hidden, [Path::new("/usr/lib/systemd/system/docker.service")]);
        let names: Vec<&str> = unit.drop_ins.iter().map(|p| p.file_name().unwrap().to_str().unwrap()).collect();
        assert_eq!(names, ["10-a.conf", "15-all.conf", "20-b.conf"]);
        assert_eq!(unit.all("ExecStart"), ["/c --x --y=***"]);
        assert_eq!((unit.last("User"), unit.last("Slice"), unit.last("Type")), (Some("a"), Some("all.slice"), None));
        assert!(unit.gaps.is_empty());
    }

    #[test]
    fn a_mask_is_a_mask_and_an_absent_unit_has_none() {
        let (dir, root) = host(&[("usr/lib/systemd/system/docker.socket", "[Socket]\nSocketMode=0660\n")]);
        assert_eq!(read(&root, "docker.socket").last("SocketMode"), Some("0660"));
        std::fs::create_dir_all(dir.path().join("etc/systemd/system")).unwrap();
        std::os::unix::fs::symlink("/dev/null", dir.path().join("etc/systemd/system/docker.socket")).unwrap();
        let unit = read(&root, "docker.socket");
        assert!(matches!(unit.fragment, Fragment::Masked(_)) && unit.settings.is_empty());
        assert_eq!(read(&root, "containerd.service").fragment, Fragment::Absent);
    }

    #[test]
    fn no_secret_of_a_unit_is_kept() {
        let (_dir, root) = host(&[(
            "etc/systemd/system/docker.service",
            "[Service]\nEnvironment=\"HTTP_PROXY=http://u:S3CRET@p\" TOKEN=S3CRET\nDescription=S3CRET\n\
             ExecStart=/usr/bin/dockerd --log-opt splunk-token=S3CRET --http-proxy=http://u:S3CRET@p\n\
             ExecStartPre=/bin/x S3CRET\nExecStart=-/bin/y S3CRET --token=S3CRET\n",
        )]);
        let unit = read(&root, "docker.service");
        assert!(!format!("{unit:?}").contains("S3CRET"), "{unit:?}");
        assert_eq!(unit.all("Environment"), ["HTTP_PROXY=***@", "TOKEN=***"]);
    }

    #[test]
    fn dashes_in_a_name_give_more_directories() {
        assert_eq!(
            drop_in_directories("a-b-c.service"),
            ["a-b-c.service.d", "a-b-.service.d", "a-.service.d", "service.d"]
        );
    }
}
