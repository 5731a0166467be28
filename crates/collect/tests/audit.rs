//! Rules that `auditctl` loads, as the kernel's table gives them back.

use std::path::Path;
use std::process::Command;

use seaworthy_collect::host::audit::coverage::{Kind, Table};
use seaworthy_collect::host::audit::{file, netlink};
use seaworthy_collect::host::root::Root;

fn auditctl(words: &str) -> bool {
    Command::new("auditctl").args(words.split(' ')).output().is_ok_and(|o| o.status.success())
}

/// Takes its rules out again, however the test ends.
struct Loaded(Vec<String>);

impl Drop for Loaded {
    fn drop(&mut self) {
        for rule in self.0.iter().rev() {
            let (option, rest) = rule.split_once(' ').unwrap();
            auditctl(&format!("{} {rest}", if option == "-w" { "-W" } else { "-d" }));
        }
    }
}

#[test]
fn the_kernel_gives_back_the_meaning_that_a_file_has() {
    let _lock = seaworthy_bed::audit_table();
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path().to_str().unwrap().to_owned();
    for name in ["watched", "narrow", "open"] {
        std::fs::create_dir(dir.path().join(name)).unwrap();
        std::fs::write(dir.path().join(name).join("file"), "").unwrap();
    }
    let rules = [
        format!("-a never,exit -F path={at}/watched/file -F perm=x"),
        format!("-w {at}/watched -p wa -k one"),
        format!("-a always,exit -F dir={at}/narrow -F perm=wa -F exe=/usr/bin/true -F auid!=unset -k two -k three"),
        format!("-a always,exit -F arch=b64 -S chmod,openat -F path={at}/open/file -F perm=wa"),
    ];
    if !auditctl(&rules[0]) {
        return seaworthy_bed::skip("audit", "auditctl is not installed, or the kernel's rules may not be changed");
    }
    let mut loaded = Loaded(vec![rules[0].clone()]);
    for rule in &rules[1..] {
        assert!(auditctl(rule), "{rule}");
        loaded.0.push(rule.clone());
    }
    let root = Root::open(Path::new("/")).unwrap();
    let kernel = netlink::read().unwrap();
    let from_file = file::parse(&rules.join("\n"), "audit.rules");
    assert!(from_file.gaps.is_empty(), "{:?}", from_file.gaps);
    let in_kernel = Table::new(&root, &kernel.rules, Some(1));
    let in_file = Table::new(&root, &from_file.rules, None);
    for (path, kind, changes, partly) in [
        ("watched", Kind::Directory, true, false),
        ("watched/file", Kind::File, true, false),
        ("narrow/file", Kind::File, false, true),
        ("open/file", Kind::File, false, true),
        ("open", Kind::Directory, false, false),
    ] {
        for table in [&in_kernel, &in_file] {
            let coverage = table.coverage(&root, &dir.path().join(path), kind);
            assert_eq!((coverage.changes_logged(), coverage.partly.write), (changes, partly), "{path}: {coverage:?}");
        }
    }
    let narrow = kernel.rules.iter().find(|r| r.keys.contains(&"two".to_owned())).unwrap();
    assert_eq!(narrow.keys, ["two", "three"]);
    assert_eq!(narrow.narrowing, ["exe=/usr/bin/true", "auid!=unset"]);
    drop(loaded);
    let left = netlink::read().unwrap().rules;
    assert!(!left.iter().any(|r| r.text.contains(&at)), "{left:?}");
}
