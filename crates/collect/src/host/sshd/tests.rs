use super::*;
use crate::host::testing::host;

fn read(files: &[(&str, &str)]) -> Sshd {
    let (_dir, root) = host(files);
    Sshd::read(&root, &Accounts::read(&root))
}

fn value(sshd: &Sshd, keyword: &str) -> String {
    match sshd.setting(keyword) {
        Setting::Known { value, at: Some(at) } => format!("{value} {at}"),
        Setting::Known { value, at: None } => format!("{value} (default)"),
        Setting::Unknown(reason) => format!("unknown: {reason}"),
    }
}

#[test]
fn defaults_are_openssh_s_own() {
    let sshd = read(&[("/etc/ssh/sshd_config", "\n# PermitRootLogin yes\n"), ("/usr/sbin/sshd", "")]);
    assert_eq!(sshd.server, Server::Installed("/usr/sbin/sshd".into()));
    for (keyword, expected) in [
        ("PermitRootLogin", "prohibit-password"),
        ("PasswordAuthentication", "yes"),
        ("ChallengeResponseAuthentication", "yes"),
        ("PermitEmptyPasswords", "no"),
        ("PubkeyAuthentication", "yes"),
        ("UsePAM", "no"),
        ("Port", "22"),
    ] {
        assert_eq!(value(&sshd, keyword), format!("{expected} (default)"), "{keyword}");
    }
    assert_eq!(sshd.listeners().unwrap(), ["0.0.0.0:22", "[::]:22"]);
    assert!(read(&[]).config.is_none());
    assert_eq!(read(&[]).server, Server::Absent);
}

#[test]
fn the_unit_says_which_file_it_reads() {
    let unit = "[Service]\nExecStart=/usr/sbin/sshd -D $SSHD_OPTS\n";
    let other =
        "[Service]\nExecStart=\nExecStart=-/usr/sbin/sshd -D \\\n -f /etc/ssh/other -o PermitEmptyPasswords=yes\n";
    let files = [
        ("/etc/ssh/sshd_config", "PasswordAuthentication no\n"),
        ("/etc/ssh/other", "PermitRootLogin yes\n"),
        ("/usr/lib/systemd/system/ssh.service", unit),
    ];
    let sshd = read(&files);
    assert_eq!(value(&sshd, "passwordauthentication"), "no /etc/ssh/sshd_config:1");
    let drop_in = "/etc/systemd/system/ssh.service.d/x.conf";
    let sshd = read(&[files[0], files[1], files[2], (drop_in, other)]);
    assert_eq!(value(&sshd, "passwordauthentication"), "yes (default)");
    assert_eq!(value(&sshd, "permitrootlogin"), "yes /etc/ssh/other:1");
    assert_eq!(value(&sshd, "permitemptypasswords"), format!("yes {drop_in}:3"));
}

#[test]
fn the_first_value_wins_in_every_spelling() {
    let text = "permitROOTlogin=without-password # why\nPermitRootLogin yes\nPasswordAuthentication \"No\"\n\
                PasswordAuthentication yes\nSkeyAuthentication = no\nPort 22\nPort 2222\nListenAddress 127.0.0.1\n\
                ListenAddress [::1]:22022\nListenAddress 10.0.0.1:23\nAuthorizedKeysCommand /bin/x --token secret\n";
    let sshd = read(&[("/etc/ssh/sshd_config", text)]);
    assert_eq!(value(&sshd, "permitrootlogin"), "prohibit-password /etc/ssh/sshd_config:1");
    assert_eq!(value(&sshd, "passwordauthentication"), "no /etc/ssh/sshd_config:3");
    assert_eq!(value(&sshd, "kbdinteractiveauthentication"), "no /etc/ssh/sshd_config:5");
    assert_eq!(sshd.listeners().unwrap(), ["127.0.0.1:22", "127.0.0.1:2222", "[::1]:22022", "10.0.0.1:23"]);
    assert_eq!(value(&sshd, "authorizedkeyscommand"), "/bin/x /etc/ssh/sshd_config:11");
    assert!(!format!("{sshd:?}").contains("secret"));
}

#[test]
fn includes_come_where_they_stand_and_their_blocks_end_with_them() {
    let sshd = read(&[
        (
            "/etc/ssh/sshd_config",
            "Include sshd_config.d/*.conf /none/*.conf\nPasswordAuthentication yes\nPermitRootLogin yes\nUsePAM yes\n",
        ),
        ("/etc/ssh/sshd_config.d/50-b.conf", "PasswordAuthentication yes\n"),
        ("/etc/ssh/sshd_config.d/10-a.conf", "PasswordAuthentication no\nMatch User root\nPermitRootLogin no\n"),
        ("/etc/ssh/sshd_config.d/x.txt", "PermitRootLogin no\n"),
    ]);
    assert_eq!(value(&sshd, "passwordauthentication"), "no /etc/ssh/sshd_config.d/10-a.conf:1");
    assert_eq!(value(&sshd, "permitrootlogin"), "yes /etc/ssh/sshd_config:3");
    assert_eq!(value(&sshd, "usepam"), "yes /etc/ssh/sshd_config:4");
    assert_eq!(sshd.matches.len(), 1);
    assert!(!sshd.matches[0].looser && sshd.matches_complete);
}

#[test]
fn match_blocks_loosen_and_a_block_for_all_is_in_effect() {
    let text = "PasswordAuthentication no\nPermitRootLogin no\nPort 22\nMatch User x Address 10.0.0.0/8\n  PasswordAuthentication yes\n\
                PermitRootLogin forced-commands-only\n  Port 99\nInclude /etc/ssh/more\nMatch all\nPermitEmptyPasswords yes\n";
    let sshd = read(&[
        ("/etc/ssh/sshd_config", text),
        ("/etc/ssh/more", "KbdInteractiveAuthentication no\nMatch Group y\nPubkeyAuthentication no\n"),
    ]);
    let told: Vec<_> = sshd
        .matches
        .iter()
        .map(|m| (m.criteria.as_str(), m.keyword.as_str(), m.value.as_str(), m.looser, m.at.line))
        .collect();
    let user = "User x Address 10.0.0.0/8";
    let expected = [
        (user, "passwordauthentication", "yes", true, 5),
        (user, "permitrootlogin", "forced-commands-only", true, 6),
        (user, "kbdinteractiveauthentication", "no", false, 1),
        ("User x Address 10.0.0.0/8 and Group y", "pubkeyauthentication", "no", false, 3),
        ("all", "permitemptypasswords", "yes", false, 10),
    ];
    assert_eq!(told, expected);
    assert_eq!(value(&sshd, "passwordauthentication"), "no /etc/ssh/sshd_config:1");
    assert_eq!(value(&sshd, "permitemptypasswords"), "yes /etc/ssh/sshd_config:10");
    assert_eq!(value(&sshd, "port"), "22 /etc/ssh/sshd_config:3");
}

#[test]
fn what_comes_after_a_block_for_all_does_not_count() {
    let text = "Include sshd_config.d/*.conf\nPasswordAuthentication yes\nMatch User x\n  PasswordAuthentication yes\n\
                PermitRootLogin yes\n";
    let first =
        "PasswordAuthentication no\nMatch User y\nPasswordAuthentication yes\nMatch all\n  PasswordAuthentication no\n";
    let sshd = read(&[("/etc/ssh/sshd_config", text), ("/etc/ssh/sshd_config.d/00-a.conf", first)]);
    let told: Vec<_> =
        sshd.matches.iter().map(|m| (m.criteria.as_str(), m.keyword.as_str(), m.value.as_str())).collect();
    let expected = [
        ("User y", "passwordauthentication", "yes"),
        ("all", "passwordauthentication", "no"),
        ("User x", "permitrootlogin", "yes"),
    ];
    assert_eq!(told, expected);
}

#[test]
fn what_an_unread_include_may_set_is_unknown() {
    let text = "PermitRootLogin no\nInclude sub/*\nPasswordAuthentication no\n";
    let sshd = read(&[("/etc/ssh/sshd_config", text), ("/etc/ssh/sub/dir/x", "")]);
    assert_eq!(value(&sshd, "permitrootlogin"), "no /etc/ssh/sshd_config:1");
    let unknown = "unknown: /etc/ssh/sub/dir: is a directory, not a file";
    assert_eq!(value(&sshd, "passwordauthentication"), unknown);
    assert_eq!(value(&sshd, "usepam"), unknown);
    assert!(sshd.listeners().is_none() && !sshd.matches_complete);
    let sshd = read(&[("/etc/ssh/sshd_config/x", "")]);
    assert!(value(&sshd, "permitrootlogin").starts_with("unknown"));
    let sshd = read(&[("/etc/ssh/sshd_config", "Include sshd_config\nInclude sshd_config\n")]);
    assert!(value(&sshd, "permitrootlogin").contains("too deep"));
}

#[test]
fn arguments_of_the_service_come_first() {
    let sshd = read(&[
        ("/etc/ssh/sshd_config", "PermitRootLogin no\nPort 22\n"),
        ("/etc/default/ssh", "# SSHD_OPTS=-d\nSSHD_OPTS=\"-oPermitRootLogin=yes -p 2022\"\n"),
    ]);
    assert_eq!(value(&sshd, "permitrootlogin"), "yes /etc/default/ssh:2");
    assert_eq!(value(&sshd, "port"), "2022 22 /etc/default/ssh:2");
    let sshd = read(&[
        ("/etc/sysconfig/sshd", "OPTIONS='-f /opt/conf'\n"),
        ("/opt/conf", "UsePAM yes\n"),
        ("/etc/ssh/sshd_config", "UsePAM no"),
    ]);
    assert_eq!(value(&sshd, "usepam"), "yes /opt/conf:1");
}

#[test]
fn keys_are_counted_and_never_kept() {
    let passwd = "root:x:0:0::/root:/bin/sh\nalice:x:1000:1000::/home/alice:/bin/sh\nbob:x:1001:1001::/home/bob/:/bin/sh\nsys:x:7:7:::\n";
    let keys = "# comment\n\nssh-ed25519 AAAAC3SECRET alice@x\n\
                command=\"echo \\\"a, b\\\" from\",no-pty,From=\"10.0.0.0/8\" ssh-rsa AAAAB3SECRET\nrestrict ecdsa-sha2-nistp256 AAAASECRET c\nrubbish\nssh-rsa notakey\n";
    let (dir, root) = host(&[
        ("/etc/passwd", passwd),
        ("/etc/group", ""),
        (
            "/etc/ssh/sshd_config",
            "AuthorizedKeysFile %h/.ssh/authorized_keys /etc/keys/%u\nMatch User bob\nAuthorizedKeysFile .ssh/others\n",
        ),
        ("/home/alice/.ssh/authorized_keys", keys),
        ("/etc/keys/root", "sk-ssh-ed25519@openssh.com AAAAG x\n"),
        ("/home/bob/.ssh/others", "cert-authority,principals=\"a\" ssh-rsa AAAAB\n"),
        ("/home/bob/.ssh/authorized_keys/x", ""),
    ]);
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(
        dir.path().join("home/alice/.ssh/authorized_keys"),
        std::fs::Permissions::from_mode(0o664),
    )
    .unwrap();
    let sshd = Sshd::read(&root, &Accounts::read(&root));
    let told: Vec<_> =
        sshd.keys.iter().map(|file| (file.users.join(","), file.meta.path.as_str(), file.keys)).collect();
    let expected = [
        ("root".to_owned(), "/etc/keys/root", 1),
        ("alice".to_owned(), "/home/alice/.ssh/authorized_keys", 3),
        ("bob".to_owned(), "/home/bob/.ssh/others", 1),
    ];
    assert_eq!(told, expected);
    let alice = &sshd.keys[1];
    assert_eq!((alice.restricted, alice.unparsed, alice.meta.mode), (2, 2, 0o664));
    let names: Vec<_> = alice.options.keys().map(String::as_str).collect();
    assert_eq!(names, ["command", "from", "no-pty", "restrict"]);
    assert!(!format!("{sshd:?}").contains("SECRET"));
    assert_eq!(sshd.gaps.len(), 1);
    assert_eq!(sshd.gaps[0].source, "/home/bob/.ssh/authorized_keys");
}

#[test]
fn a_condition_of_any_length_is_kept_short_by_every_line_beneath_it() {
    let text = format!("Match User {}\nPermitRootLogin yes\nPasswordAuthentication yes\n", "é".repeat(100_000));
    let sshd = read(&[("/etc/ssh/sshd_config", &text)]);
    assert!(format!("{sshd:?}").len() < 10_000);
}
