//! Which commands of a rule give docker.

use crate::host::glob;
use crate::host::root::{Root, Unread};

/// What a rule allows that gives docker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Via {
    /// Every command.
    All,
    /// A client or daemon of a container engine, by the path in the rule.
    Engine(String),
    /// A shell, a program that starts any other, or one that others than root may write, by the path in the rule.
    Shell(String),
    /// A pattern, a directory or an expression that covers one of them, as written.
    Covering(String),
}

/// The arguments that a rule allows. They are not kept: people write passwords there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Args {
    /// Any.
    Any,
    /// Only certain ones.
    Limited {
        /// The first of them where it is a plain word, as `run`.
        first: Option<String>,
    },
}

const ENGINES: [&str; 12] = [
    "docker",
    "dockerd",
    "docker-compose",
    "podman",
    "ctr",
    "nerdctl",
    "containerd",
    "crictl",
    "runc",
    "crun",
    "buildah",
    "buildctl",
];
/// Shells, and programs that start any other that they are told.
const SHELLS: [&str; 42] = [
    "sh",
    "bash",
    "dash",
    "ash",
    "zsh",
    "ksh",
    "fish",
    "csh",
    "tcsh",
    "su",
    "sudo",
    "doas",
    "runuser",
    "pkexec",
    "env",
    "busybox",
    "nsenter",
    "chroot",
    "unshare",
    "systemd-run",
    "setpriv",
    "capsh",
    "setsid",
    "nohup",
    "nice",
    "ionice",
    "timeout",
    "xargs",
    "find",
    "watch",
    "screen",
    "tmux",
    "strace",
    "gdb",
    "expect",
    "perl",
    "ruby",
    "php",
    "node",
    "python",
    "python2",
    "python3",
];
/// Programs that give a shell from within, whatever they were started with.
const INTERACTIVE: [&str; 8] = ["vi", "vim", "nvim", "nano", "emacs", "less", "more", "man"];
/// Programs that start any other by what they are told or given to read; with arguments that a rule fixes they may do
/// that one thing alone.
const OBEDIENT: [&str; 16] = [
    "systemctl",
    "crontab",
    "visudo",
    "awk",
    "gawk",
    "tar",
    "make",
    "git",
    "ssh",
    "rsync",
    "apt",
    "apt-get",
    "dpkg",
    "rpm",
    "dnf",
    "yum",
];
const DIRS: [&str; 7] = ["/usr/bin", "/usr/sbin", "/bin", "/sbin", "/usr/local/bin", "/usr/local/sbin", "/snap/bin"];

/// What a command of a rule gives; none when it gives no docker.
///
/// # Errors
/// Why an expression could not be judged.
pub(super) fn judge(root: &Root, path: &str, args: Option<&str>) -> Result<Option<(Via, Args)>, String> {
    if path == "ALL" {
        return Ok(Some((Via::All, Args::Any)));
    }
    let plain = path.replace('\\', "");
    if plain.starts_with('/') && !glob::is_pattern(path) && writable(root, &plain) {
        return Ok(Some((Via::Shell(plain), Args::Any)));
    }
    let Some(via) = via(root, path, &plain)? else { return Ok(None) };
    let args = match args {
        None => Args::Any,
        Some("*" | "^.*$") => Args::Any,
        // Two quotes mean: no arguments at all.
        Some("\"\"") if matches!(via, Via::Engine(_)) => return Ok(None),
        Some("\"\"") => Args::Limited { first: None },
        Some(args) => {
            if matches!(via, Via::Shell(_)) && !opens_a_shell(&plain, args) {
                return Ok(None);
            }
            let first = args.split_whitespace().next().unwrap_or_default();
            let is_plain = first.len() <= 16 && first.bytes().all(|byte| byte.is_ascii_lowercase());
            Args::Limited { first: is_plain.then(|| first.to_owned()) }
        }
    };
    Ok(Some((via, args)))
}

/// `su -` and its kin, and what leaves to the caller which program is started (`sh -c *`, `env docker *`: a pattern of
/// sudo matches blanks and slashes, too); a shell that may only run one script is none.
fn opens_a_shell(path: &str, args: &str) -> bool {
    let name = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
    let own = matches!(&*name(path), "su" | "sudo" | "doas" | "runuser");
    let flags = ["-", "-l", "--login", "root", "-i", "-s", "--shell"];
    if own && args.split_whitespace().all(|arg| flags.contains(&arg)) {
        return true;
    }
    let program = name(path);
    if !is_shell(&program) {
        return INTERACTIVE.contains(&&*program);
    }
    for arg in args.split_whitespace() {
        let word = arg.trim_matches(['"', '\'']);
        if glob::is_pattern(word) || is_engine(&name(word)) || is_shell(&name(word)) {
            return true;
        }
        // What follows a script or another program are its own arguments; these two take a directory first.
        if word.starts_with('/') && !matches!(&*program, "chroot" | "find") {
            return false;
        }
    }
    false
}

fn is_engine(name: &str) -> bool {
    ENGINES.contains(&name) || name.starts_with("docker")
}

fn is_shell(name: &str) -> bool {
    let versioned = ["python2.", "python3.", "perl5."].iter().any(|program| name.starts_with(program));
    versioned || SHELLS.contains(&name)
}

fn via(root: &Root, path: &str, plain: &str) -> Result<Option<Via>, String> {
    if path.starts_with('^') {
        let expression = regex::RegexBuilder::new(path).size_limit(1 << 20).build();
        let expression = expression.map_err(|_| "an expression that is not understood here".to_owned())?;
        let fits = candidates().any(|candidate| expression.is_match(&candidate));
        return Ok(fits.then(|| Via::Covering(path.to_owned())));
    }
    if let Some(dir) = path.strip_suffix('/') {
        let fits = covers(root, &format!("{dir}/*"));
        return Ok(fits.then(|| Via::Covering(path.to_owned())));
    }
    if glob::is_pattern(path) {
        return Ok(covers(root, path).then(|| Via::Covering(path.to_owned())));
    }
    if !plain.starts_with('/') {
        return Ok(None);
    }
    let resolved = root.canonical(plain).ok().map(|path| path.to_string_lossy().into_owned());
    for path in [Some(plain), resolved.as_deref()].into_iter().flatten() {
        let name = path.rsplit('/').next().unwrap_or_default();
        if is_engine(name) {
            return Ok(Some(Via::Engine(plain.to_owned())));
        }
        if is_shell(name) || INTERACTIVE.contains(&name) || OBEDIENT.contains(&name) {
            return Ok(Some(Via::Shell(plain.to_owned())));
        }
    }
    Ok(None)
}

/// Whether somebody else than root may write the program, put another in its place, or make it where it is missing: then
/// it is whatever he likes. Groups are not looked at: distributions give `/usr/local` to one that nobody is in.
fn writable(root: &Root, path: &str) -> bool {
    const OTHERS_WRITE: u32 = 0o002;
    const STICKY: u32 = 0o1000;
    // A file system that was unpacked by somebody is his, as a host's is root's.
    let Ok(owner) = root.stat("/").map(|stat| stat.st_uid) else { return false };
    let real = root.canonical(path).unwrap_or_else(|_| path.into());
    let mut missing = false;
    for (above, place) in real.ancestors().enumerate() {
        match root.stat(place) {
            Ok(stat) => {
                let kept = above > 0 && !missing && stat.st_mode & STICKY != 0;
                if ![0, owner].contains(&stat.st_uid) || (stat.st_mode & OTHERS_WRITE != 0 && !kept) {
                    return true;
                }
                missing = false;
            }
            Err(Unread::Absent) => missing = true,
            Err(_) => {}
        }
    }
    false
}

fn names() -> impl Iterator<Item = &'static str> {
    ENGINES.into_iter().chain(SHELLS)
}

fn candidates() -> impl Iterator<Item = String> {
    DIRS.into_iter().flat_map(|dir| names().map(move |name| format!("{dir}/{name}")))
}

/// Whether a pattern covers an engine or a shell at one of the usual places, or one that lies in
/// the directory that it names.
fn covers(root: &Root, pattern: &str) -> bool {
    if candidates().any(|candidate| glob::matches(pattern, &candidate, true)) {
        return true;
    }
    let (dir, last) = pattern.rsplit_once('/').unwrap_or(("", pattern));
    if glob::is_pattern(dir) {
        return names().any(|name| name == last) || last.starts_with("docker");
    }
    names().any(|name| {
        glob::matches(last, name, true) && !matches!(root.stat(format!("{dir}/{name}")), Err(Unread::Absent))
    })
}
