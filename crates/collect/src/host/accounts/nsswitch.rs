//! `/etc/nsswitch.conf`: which sources a host asks for accounts.

use std::collections::BTreeMap;

use crate::host::gap::Gap;
use crate::host::root::{Root, Unread};

const PATH: &str = "/etc/nsswitch.conf";

/// The sources per database; a host without the file asks the files alone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Nsswitch {
    databases: BTreeMap<String, Vec<String>>,
    present: bool,
    /// Why the file could not be read, if it is there.
    pub unread: Option<String>,
}

impl Nsswitch {
    /// Reads the file; an absent one is no gap.
    pub fn read(root: &Root, gaps: &mut Vec<Gap>) -> Self {
        match root.read_text(PATH) {
            Ok(text) => Self { databases: parse(&text), present: true, unread: None },
            Err(Unread::Absent) => Self::default(),
            Err(unread) => {
                gaps.push(Gap::new(PATH, &unread, "which sources beyond the files know accounts and groups"));
                Self { unread: Some(format!("{PATH}: {unread}")), ..Self::default() }
            }
        }
    }

    /// The sources of a database in their order; `initgroups` follows `group` where it has no line,
    /// and a database without a line asks the files.
    pub fn sources(&self, database: &str) -> Vec<String> {
        let found = self.databases.get(database);
        let found = found.or_else(|| (database == "initgroups").then(|| self.databases.get("group")).flatten());
        found.cloned().unwrap_or_else(|| vec!["files".to_owned()])
    }

    /// The sources of a database that are not files of the host which are read here.
    pub fn beyond_files(&self, database: &str) -> Vec<String> {
        let local = ["files", "compat", "systemd"];
        self.sources(database).into_iter().filter(|source| !local.contains(&source.as_str())).collect()
    }

    /// True when `+` and `-` lines mean something: asked for, or a host without the file, where it
    /// depends on the C library.
    pub(super) fn is_compat(&self, database: &str) -> bool {
        !self.present || self.sources(database).iter().any(|source| source == "compat")
    }
}

fn parse(text: &str) -> BTreeMap<String, Vec<String>> {
    let mut databases = BTreeMap::new();
    for line in text.lines() {
        let line = line.split('#').next().unwrap_or_default();
        let Some((name, sources)) = line.split_once(':') else { continue };
        let mut list = Vec::new();
        let mut rest = sources;
        // What is between brackets are actions on the outcome of the source before.
        while let Some(open) = rest.find('[') {
            list.extend(rest[..open].split_whitespace().map(str::to_owned));
            rest = rest[open..].split_once(']').map_or("", |(_, after)| after);
        }
        list.extend(rest.split_whitespace().map(str::to_owned));
        databases.entry(name.trim().to_owned()).or_insert(list);
    }
    databases
}
