use super::*;
use crate::host::testing::host;

const PASSWD: &str = "root:x:0:0:root:/root:/bin/bash\nalice:x:1000:1000::/home/alice:/bin/bash\n\
                      bob:x:1001:999::/home/bob:/bin/sh\n";

fn names(members: &Members) -> Vec<(&str, How)> {
    members.names.iter().map(|member| (member.name.as_str(), member.how)).collect()
}

#[test]
fn members_come_by_listing_by_primary_group_and_by_another_name_of_the_same_id() {
    let group = "root:x:0:\ndocker:x:999:alice,ghost\nhelpers:x:999:carol\n";
    let (_dir, root) = host(&[("/etc/passwd", PASSWD), ("/etc/group", group)]);
    let accounts = Accounts::read(&root);
    let members = accounts.members("docker");
    assert_eq!((members.group_exists, members.gid), (Some(true), Some(999)));
    let expected = [
        ("alice", How::Supplementary),
        ("bob", How::Primary),
        ("carol", How::Supplementary),
        ("ghost", How::Supplementary),
    ];
    assert_eq!(names(&members), expected);
    assert!(members.is_complete());
    assert_eq!(members.names[0].at, Place::new("/etc/group", 2));
    assert!(members.names[0].has_account && !members.names[3].has_account);
    assert_eq!(accounts.user_by_uid(1001).map(|user| user.name.as_str()), Some("bob"));
    assert_eq!(accounts.group_names(999), ["docker", "helpers"]);
    assert_eq!(accounts.members("none").group_exists, Some(false));
}

#[test]
fn sources_beyond_the_files_leave_membership_open() {
    let nss = "# a comment\npasswd: files systemd\ngroup:  files [SUCCESS=merge] sss [NOTFOUND=return] ldap # x\n";
    let (_dir, root) = host(&[("/etc/passwd", PASSWD), ("/etc/group", "docker:x:999:\n"), ("/etc/nsswitch.conf", nss)]);
    let members = Accounts::read(&root).members("docker");
    assert_eq!(members.beyond_files, ["sss", "ldap"]);
    assert!(!members.is_complete());
    let accounts = Accounts::read(&root);
    assert_eq!(accounts.members("other").group_exists, None, "ldap may know it");
}

#[test]
fn initgroups_counts_and_compat_lines_mean_nis() {
    let nss = "passwd: compat\ngroup: files\ninitgroups: files winbind\n";
    let passwd = format!("-bob\n{PASSWD}+::::::\n");
    let (_dir, root) =
        host(&[("/etc/passwd", &passwd), ("/etc/group", "docker:x:999:\n+\n"), ("/etc/nsswitch.conf", nss)]);
    let members = Accounts::read(&root).members("docker");
    assert_eq!(members.beyond_files, ["nis (a + line of /etc/passwd)", "winbind"]);
    assert!(members.names.is_empty(), "bob is excluded by the - line before him");
}

#[test]
fn plus_lines_mean_nothing_where_only_files_are_asked() {
    let nss = "passwd: files\ngroup: files\n";
    let (_dir, root) =
        host(&[("/etc/passwd", PASSWD), ("/etc/group", "+:::\ndocker:x:998:\n"), ("/etc/nsswitch.conf", nss)]);
    assert!(Accounts::read(&root).members("docker").is_complete());
}

#[test]
fn broken_lines_are_gaps_and_the_rest_is_read() {
    let group =
        "docker\n:x:1:\n\n# docker:x:9:eve\ndocker:x:abc:eve\ndocker:x:999:alice\ndocker:x:5:dave\nx:x:99999999999:\n";
    let (_dir, root) = host(&[("/etc/passwd", "a:b:c\n"), ("/etc/group", group)]);
    let accounts = Accounts::read(&root);
    let members = accounts.members("docker");
    assert_eq!(members.gid, Some(999));
    assert_eq!(names(&members), [("alice", How::Supplementary), ("dave", How::Supplementary)]);
    let sources: Vec<_> = accounts.gaps.iter().map(|gap| gap.source.as_str()).collect();
    assert_eq!(sources, ["/etc/passwd:1", "/etc/group:1", "/etc/group:2", "/etc/group:5", "/etc/group:8"]);
}

#[test]
fn unread_files_are_unknown_not_empty() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(dir.path().join("etc/group")).unwrap();
    std::fs::write(dir.path().join("etc/passwd"), b"al\xffice:x:7:7::/:/bin/sh\n").unwrap();
    let accounts = Accounts::read(&Root::open(dir.path()).unwrap());
    let members = accounts.members("docker");
    assert_eq!(members.group_exists, None);
    assert_eq!(members.unread.as_deref(), Some("/etc/group: is a directory, not a file"));
    assert_eq!(accounts.users.len(), 1);
}

#[test]
fn who_may_join_a_group_is_told() {
    let of = |group: &str, shadow: &str| {
        let (_dir, root) = host(&[("/etc/passwd", PASSWD), ("/etc/group", group), ("/etc/gshadow", shadow)]);
        Accounts::read(&root).members("docker")
    };
    let plain = "docker:x:990:\n";
    assert!(of(plain, "docker:!::\nother:$6$a$b:alice:bob\n").names.is_empty());
    assert!(of(plain, "docker:*::\n").is_complete() && of(plain, "docker:::\n").is_complete());
    assert_eq!(
        names(&of(plain, "docker:!:alice:bob,carol\n")),
        [("alice", How::Administrator), ("bob", How::Shadow), ("carol", How::Shadow)]
    );
    assert_eq!(of(plain, "docker:$6$a$b::\n").beyond_files, ["its password (/etc/gshadow:1)"]);
    assert_eq!(of("docker:$1$a$b:990:\n", "").beyond_files, ["its password (/etc/group:1)"]);
    assert!(of("docker:$1$a$b:990:\n", "docker:!::\n").is_complete());
    assert_eq!(of("docker:x:990:\nbuild:x:990:\n", "build:$6$a$b::\n").beyond_files.len(), 1);
}

#[test]
fn other_ways_into_a_group_are_seen() {
    let (_dir, root) = host(&[
        ("/etc/passwd", PASSWD),
        ("/etc/group", "docker:x:990:\n"),
        ("/etc/nsswitch.conf", "passwd: files systemd\ngroup: files systemd\n"),
        ("/etc/userdb/alice:docker.membership", "{}"),
        ("/etc/security/group.conf", "# *;*;*;Al;root\n*;*;%staff;Al0000-2400;games, docker\n"),
    ]);
    let members = Accounts::read(&root).members("docker");
    assert_eq!(names(&members), [("alice", How::UserDb)]);
    assert_eq!(members.beyond_files, ["pam_group (/etc/security/group.conf:2)"]);
}
