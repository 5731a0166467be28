//! The limits of a process, read from one and set for another.

use std::fs;

use rustix::process::{Resource, Rlimit};
use serde::{Deserialize, Serialize};

use super::Process;

/// The limits by the names that `/proc/PID/limits` has for them.
const ALL: [(&str, Resource); 16] = [
    ("Max cpu time", Resource::Cpu),
    ("Max file size", Resource::Fsize),
    ("Max data size", Resource::Data),
    ("Max stack size", Resource::Stack),
    ("Max core file size", Resource::Core),
    ("Max resident set", Resource::Rss),
    ("Max processes", Resource::Nproc),
    ("Max open files", Resource::Nofile),
    ("Max locked memory", Resource::Memlock),
    ("Max address space", Resource::As),
    ("Max file locks", Resource::Locks),
    ("Max pending signals", Resource::Sigpending),
    ("Max msgqueue size", Resource::Msgqueue),
    ("Max nice priority", Resource::Nice),
    ("Max realtime priority", Resource::Rtprio),
    ("Max realtime timeout", Resource::Rttime),
];

/// Limits of a process; none is no limit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits(Vec<(String, Option<u64>, Option<u64>)>);

impl Limits {
    /// What a process may use, for a new start of its program.
    ///
    /// A program in Go has raised its own number of open files to what it may have; containers would inherit that, so
    /// the new start gets ours instead, as far as the old one reached.
    #[must_use]
    pub fn of(process: &Process) -> Self {
        let text = fs::read_to_string(process.at("limits")).unwrap_or_default();
        let mut limits = parse(&text);
        let own = rustix::process::getrlimit(Resource::Nofile).current;
        for (_, soft, hard) in limits.iter_mut().filter(|(name, soft, hard)| name == "Max open files" && soft == hard) {
            *soft = own.map_or(*hard, |own| Some(hard.map_or(own, |hard| own.min(hard))));
        }
        Self(limits)
    }

    /// Sets them for this process, each as far as it is allowed. Neither allocates nor locks.
    pub fn set(&self) {
        for (name, soft, hard) in &self.0 {
            let Some((_, resource)) = ALL.iter().find(|(known, _)| known == name) else { continue };
            let _ = rustix::process::setrlimit(*resource, Rlimit { current: *soft, maximum: *hard });
        }
    }
}

fn parse(text: &str) -> Vec<(String, Option<u64>, Option<u64>)> {
    let line = |line: &str| {
        let (name, _) = ALL.iter().find(|(name, _)| line.starts_with(name))?;
        let mut values = line[name.len()..].split_whitespace();
        let number = |word: &str| if word == "unlimited" { Some(None) } else { word.parse().ok().map(Some) };
        Some(((*name).to_owned(), number(values.next()?)?, number(values.next()?)?))
    };
    text.lines().filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read_as_the_kernel_writes_them() {
        let own = Process::of(std::process::id()).unwrap();
        let limits = parse(&fs::read_to_string(own.at("limits")).unwrap());
        assert_eq!(limits.len(), ALL.len());
        for (name, resource) in ALL {
            let now = rustix::process::getrlimit(resource);
            assert!(limits.contains(&(name.to_owned(), now.current, now.maximum)), "{name}");
        }
        assert_eq!(
            parse("Max cpu time   unlimited 5 seconds\nMax x 1 2\nMax open files a b\n"),
            [("Max cpu time".to_owned(), None, Some(5))]
        );
    }
}
