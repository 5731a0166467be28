use super::*;
use crate::host::testing::host;

const PASSWD: &str = "root:x:0:0::/root:/bin/sh\ntoor:x:0:0::/root:/bin/sh\nalice:x:1000:1000::/h:/bin/sh\ndeploy:x:1001:1001::/h:/bin/sh\n";
const GROUP: &str = "root:x:0:\ndocker:x:999:deploy\nsudo:x:27:alice\n";

fn read(files: &[(&str, &str)]) -> Reach {
    let mut all = vec![("/etc/passwd", PASSWD), ("/etc/group", GROUP), ("/etc/hostname", "web1.example.org\n")];
    all.extend(files);
    let (_dir, root) = host(&all);
    Reach::read(&root, &Accounts::read(&root), "docker")
}

/// One rule's grants as `WHO via password[ as group]`.
fn told(text: &str) -> Vec<String> {
    let reach = read(&[("/etc/sudoers", text)]);
    assert_eq!(reach.gaps, [], "{text}");
    reach.grants.iter().map(tell).collect()
}

fn tell(grant: &Grant) -> String {
    let who = match &grant.who {
        Who::All => "everybody".to_owned(),
        Who::User(name) => name.clone(),
        Who::Uid(id) => format!("#{id}"),
        Who::Group(name) => format!("%{name}"),
        Who::Gid(id) => format!("%#{id}"),
        Who::Foreign(name) => name.clone(),
    };
    let via = match &grant.via {
        Via::All => "ALL",
        Via::Engine(path) | Via::Shell(path) | Via::Covering(path) => path,
    };
    let args = match &grant.args {
        Args::Any => String::new(),
        Args::Limited { first } => format!(" [{}]", first.as_deref().unwrap_or("?")),
    };
    let group = if grant.run_as == RunAs::DockerGroup { " as docker" } else { "" };
    format!("{who} {via}{args} {:?}{group}", grant.password)
}

#[test]
fn rules_give_docker_by_path_pattern_directory_and_all() {
    for (rule, expected) in [
        ("alice ALL=(ALL:ALL) ALL", vec!["alice ALL Own"]),
        ("%sudo\tALL = NOPASSWD: ALL", vec!["%sudo ALL None"]),
        ("#1000 ALL=(root) /usr/bin/docker", vec!["#1000 /usr/bin/docker Own"]),
        ("%#27 ALL=/usr/bin/docker ps *", vec!["%#27 /usr/bin/docker [ps] Own"]),
        ("alice ALL=/usr/bin/docker*", vec!["alice /usr/bin/docker* Own"]),
        ("alice ALL=/usr/bin/", vec!["alice /usr/bin/ Own"]),
        ("alice ALL=/usr/*/d[n-p]cker", vec!["alice /usr/*/d[n-p]cker Own"]),
        ("alice ALL=^/usr/(local/)?bin/docker$ ^ps.*$", vec!["alice ^/usr/(local/)?bin/docker$ [?] Own"]),
        ("alice ALL=sha256:0a1b= , sha224:ff /usr/local/bin/nerdctl", vec!["alice /usr/local/bin/nerdctl Own"]),
        (
            "alice ALL=NOPASSWD: /bin/ls, PASSWD: /usr/bin/podman, /usr/bin/ctr",
            vec!["alice /usr/bin/podman Own", "alice /usr/bin/ctr Own"],
        ),
        ("alice ALL=NOPASSWD:SETENV: /usr/bin/dockerd", vec!["alice /usr/bin/dockerd None"]),
        ("alice ALL=/bin/su -", vec!["alice /bin/su [?] Own"]),
        ("alice ALL=/bin/bash", vec!["alice /bin/bash Own"]),
        ("alice ALL=/usr/bin/env docker *", vec!["alice /usr/bin/env [docker] Own"]),
        ("alice ALL=/bin/sh -c *", vec!["alice /bin/sh [?] Own"]),
        ("alice ALL=/bin/bash /opt/*", vec!["alice /bin/bash [?] Own"]),
        ("alice ALL=/bin/su - root -c *", vec!["alice /bin/su [?] Own"]),
        ("alice ALL=/usr/sbin/chroot /mnt *", vec!["alice /usr/sbin/chroot [?] Own"]),
        ("alice ALL=/usr/bin/python3.11", vec!["alice /usr/bin/python3.11 Own"]),
        ("alice ALL=/usr/bin/less /var/log/syslog", vec!["alice /usr/bin/less [?] Own"]),
        ("alice ALL=/usr/bin/systemctl", vec!["alice /usr/bin/systemctl Own"]),
        ("alice ALL=CWD=/tmp TIMEOUT=5m NOPASSWD: ALL", vec!["alice ALL None"]),
        ("\"alice\", bob ALL=ALL", vec!["alice ALL Own", "bob ALL Own"]),
        ("+admins, %:domain\\ users ALL=ALL", vec!["+admins ALL Own", "%:domain users ALL Own"]),
        (
            "alice other=ALL : web1=(root) NOPASSWD: /usr/bin/docker run -p 80\\:80",
            vec!["alice /usr/bin/docker [run] None"],
        ),
        // No docker in these.
        ("alice ALL=/bin/ls", vec![]),
        ("alice ALL=(www-data) ALL", vec![]),
        ("alice other=ALL", vec![]),
        ("alice ALL=/opt/tools/*", vec![]),
        ("alice ALL=/bin/bash /opt/script.sh", vec![]),
        ("alice ALL=/bin/bash /opt/script.sh *", vec![]),
        ("alice ALL=/usr/bin/timeout 5 /usr/bin/id *", vec![]),
        ("alice ALL=/bin/su - deploy", vec![]),
        ("alice ALL=/usr/bin/systemctl restart nginx", vec![]),
        ("alice ALL=/usr/bin/docker \"\"", vec![]),
        ("alice ALL=sudoedit /etc/docker/daemon.json", vec![]),
        ("root, toor, #0 ALL=(ALL) ALL", vec![]),
        ("# alice ALL=ALL", vec![]),
    ] {
        assert_eq!(told(rule), expected, "{rule}");
    }
}

#[test]
fn targets_are_root_or_the_group_docker() {
    for (rule, expected) in [
        ("alice ALL=(:docker) /bin/sh", vec!["alice /bin/sh Own as docker"]),
        ("alice ALL=(:#999) ALL", vec!["alice ALL Own as docker"]),
        ("alice ALL=(deploy) ALL", vec!["alice ALL Own as docker"]),
        ("alice ALL=(ALL, !root) ALL", vec!["alice ALL Own as docker"]),
        ("alice ALL=(#0) ALL", vec!["alice ALL Own"]),
        ("alice ALL=(toor) ALL", vec!["alice ALL Own"]),
        ("alice ALL=(:staff) ALL", vec![]),
        ("Defaults runas_default=www-data\nalice ALL=ALL", vec![]),
        ("Runas_Alias OP = www-data, root\nalice ALL=(OP) ALL", vec!["alice ALL Own"]),
    ] {
        assert_eq!(told(rule), expected, "{rule}");
    }
}

#[test]
fn aliases_work_in_any_order_nested_and_negated() {
    let text = "OPS HERE = NOPASSWD: TOOLS\n\
                User_Alias OPS = alice, !bob, MORE : MORE = %wheel\n\
                Host_Alias HERE = other, web1 : NETS=10.0.0.0/8\n\
                Cmnd_Alias TOOLS = /bin/ls, ENGINES\n\
                Cmnd_Alias ENGINES = /usr/bin/docker, \\\n   /usr/bin/podman # and no more\n";
    let expected = [
        "alice /usr/bin/docker None",
        "%wheel /usr/bin/docker None",
        "alice /usr/bin/podman None",
        "%wheel /usr/bin/podman None",
    ];
    assert_eq!(told(text), expected);
    assert_eq!(told("Cmnd_Alias A = B\nCmnd_Alias B = A\nalice ALL=A"), Vec::<String>::new());
    assert_eq!(told("User_Alias A = B, bob\nUser_Alias B = A\nA ALL=ALL"), ["bob ALL Own"]);
}

#[test]
fn later_denials_take_away_and_all_but_docker_is_still_all() {
    let none = Vec::<String>::new();
    assert_eq!(told("alice ALL=/usr/bin/docker\nalice ALL=!/usr/bin/docker"), none);
    assert_eq!(told("alice ALL=/usr/bin/docker, !/usr/bin/"), none);
    assert_eq!(told("alice ALL=ALL\nALL ALL=!ALL"), none);
    assert_eq!(told("alice ALL=!/usr/bin/docker, /usr/bin/docker"), ["alice /usr/bin/docker Own"]);
    let reach = read(&[(
        "/etc/sudoers",
        "alice ALL=ALL, !/usr/bin/docker, !SH\n%sudo ALL=ALL\nalice ALL=!ALL\nCmnd_Alias SH=/bin/sh\n",
    )]);
    assert_eq!(reach.grants.iter().map(tell).collect::<Vec<_>>(), ["%sudo ALL Own"]);
    assert_eq!(reach.grants[0].except, [Who::User("alice".into())]);
    let reach = read(&[("/etc/sudoers", "alice ALL=ALL, !/usr/bin/docker\n")]);
    assert_eq!(reach.grants[0].denied, ["/usr/bin/docker"]);
    let reach = read(&[("/etc/sudoers", "ALL, !bob ALL=ALL\n")]);
    assert_eq!(reach.grants[0].except, [Who::User("bob".into())]);
}

#[test]
fn passwords_follow_tags_and_defaults_and_the_last_rule() {
    for (text, expected) in [
        ("Defaults !authenticate\nalice ALL=ALL", "alice ALL None"),
        ("Defaults:alice !authenticate\nalice ALL=ALL", "alice ALL None"),
        ("Defaults:bob !authenticate\nalice ALL=ALL", "alice ALL Own"),
        ("Defaults:%sudo !authenticate\nalice ALL=ALL", "alice ALL None"),
        ("Defaults:alice !authenticate\n%sudo ALL=ALL", "%sudo ALL None"),
        ("Defaults:%sudo authenticate\nDefaults:%none !authenticate\nalice ALL=ALL", "alice ALL Own"),
        ("Defaults exempt_group=sudo\nalice ALL=ALL", "alice ALL None"),
        ("Defaults targetpw\nALL ALL=(ALL) ALL", "everybody ALL Target"),
        ("Defaults\tenv_reset, secure_path=\"/a:/b\", exempt_group=sudo\n%sudo ALL=ALL", "%sudo ALL None"),
        ("alice ALL=NOPASSWD: ALL\nalice ALL=ALL", "alice ALL Own"),
        ("alice ALL=NOPASSWD: /usr/bin/docker\nalice ALL=ALL", "alice ALL Own"),
        ("alice ALL=(ALL) NOPASSWD: /usr/bin/docker\nalice ALL=(ALL:ALL) ALL", "alice ALL Own"),
        ("%sudo ALL=NOPASSWD: ALL\nalice ALL=ALL", "alice ALL Own"),
        ("Defaults!/usr/bin/docker !authenticate\nalice ALL=/usr/bin/docker", "alice /usr/bin/docker None"),
        ("Defaults env_keep += \"A B\"\nDefaults@web1 log_year, logfile=/x\nalice ALL=ALL", "alice ALL Own"),
    ] {
        assert_eq!(told(text), [expected], "{text}");
    }
}

#[test]
fn a_program_that_others_may_write_is_any() {
    use std::os::unix::fs::PermissionsExt as _;
    let files = [
        ("/etc/passwd", PASSWD),
        ("/etc/group", GROUP),
        ("/opt/open", ""),
        ("/opt/shut", ""),
        ("/srv/tools/in-open", ""),
        ("/tmp/kept", ""),
        (
            "/etc/sudoers",
            "alice ALL=/opt/open, /opt/shut now, /srv/tools/in-open, /tmp/kept, /tmp/missing x, /opt/none",
        ),
    ];
    let (dir, root) = host(&files);
    for (path, mode) in [("opt/open", 0o757), ("srv/tools", 0o777), ("tmp", 0o1777)] {
        std::fs::set_permissions(dir.path().join(path), std::fs::Permissions::from_mode(mode)).unwrap();
    }
    let reach = Reach::read(&root, &Accounts::read(&root), "docker");
    let told: Vec<_> = reach.grants.iter().map(tell).collect();
    assert_eq!(told, ["alice /opt/open Own", "alice /srv/tools/in-open Own", "alice /tmp/missing Own"]);
}

#[test]
fn an_earlier_rule_counts_for_whom_and_what_no_later_one_decides() {
    for (text, expected) in [
        ("%staff ALL=NOPASSWD: ALL\nalice ALL=ALL", vec!["%staff ALL None", "alice ALL Own"]),
        ("alice ALL=NOPASSWD: ALL\nalice ALL=/usr/bin/docker", vec!["alice ALL None", "alice /usr/bin/docker Own"]),
        // Who may still become somebody of the group docker without a password.
        ("alice ALL=(ALL) NOPASSWD: ALL\nalice ALL=ALL", vec!["alice ALL None", "alice ALL Own"]),
        ("alice ALL=NOPASSWD: ALL\nalice ALL=(:docker) ALL", vec!["alice ALL None", "alice ALL Own as docker"]),
        ("%sudo ALL=NOPASSWD: ALL\nALL, !alice ALL=ALL", vec!["%sudo ALL None", "everybody ALL Own"]),
    ] {
        assert_eq!(told(text), expected, "{text}");
    }
}

#[test]
fn includes_follow_suds_own_rules() {
    let reach = read(&[
        (
            "/etc/sudoers",
            "#include sudoers.local\n@include /etc/sudoers.%h\n@includedir /etc/sudoers.d\n#includedir \"/etc/more d\"\n",
        ),
        ("/etc/sudoers.local", "a ALL=ALL"),
        ("/etc/sudoers.web1", "b ALL=ALL"),
        ("/etc/sudoers.d/20-x", "d ALL=ALL"),
        ("/etc/sudoers.d/10-x", "c ALL=ALL"),
        ("/etc/sudoers.d/skipped.conf", "no ALL=ALL"),
        ("/etc/sudoers.d/skipped~", "no ALL=ALL"),
        ("/etc/sudoers.d/sub/skipped", "no ALL=ALL"),
        ("/etc/more d/x", "e ALL=ALL"),
    ]);
    assert_eq!(reach.gaps, []);
    let who: Vec<_> = reach.grants.iter().map(|grant| (tell(grant), grant.at.to_string())).collect();
    let expected = [
        ("a ALL Own", "/etc/sudoers.local:1"),
        ("b ALL Own", "/etc/sudoers.web1:1"),
        ("c ALL Own", "/etc/sudoers.d/10-x:1"),
        ("d ALL Own", "/etc/sudoers.d/20-x:1"),
        ("e ALL Own", "/etc/more d/x:1"),
    ];
    assert_eq!(who, expected.map(|(grant, at)| (grant.to_owned(), at.to_owned())));
}

#[test]
fn what_is_not_read_or_understood_leaves_the_answer_open() {
    let reach = read(&[("/etc/sudoers", "alice ALL=ALL\nbroken\nbob ALL=(root /bin/ls\n@include /etc/sudoers\n")]);
    let sources: Vec<_> = reach.gaps.iter().map(|gap| gap.source.as_str()).collect();
    assert!(!reach.is_complete());
    assert!(sources.contains(&"/etc/sudoers:2") && sources.contains(&"/etc/sudoers:3"));
    assert!(reach.gaps.iter().any(|gap| gap.reason.contains("includes lead too deep")));
    let reach = read(&[("/etc/sudoers/x", "")]);
    assert_eq!(reach.gaps[0].reason, "is a directory, not a file");
    let reach = read(&[("/etc/nsswitch.conf", "sudoers: files sss\n")]);
    assert_eq!(reach.beyond_files, ["sss"]);
    assert!(!reach.is_complete());
    assert!(read(&[]).is_complete(), "no sudoers at all is a fact");
    let reach = read(&[("/etc/sudoers", "alice 10.0.0.0/8=ALL\n")]);
    assert!(!reach.grants[0].host_certain);
}

#[test]
fn doas_rules_count_the_last_one_first() {
    let text = "# permit nopass eve\npermit nopass :wheel\npermit setenv { A=b -C } keepenv alice as root cmd docker args ps\n\
                permit bob as www-data\npermit carol\ndeny carol\npermit 1000 as deploy \\\n cmd /bin/sh\nnonsense\n";
    let reach = read(&[("/etc/doas.conf", text), ("/etc/doas.d/x.conf", "permit dave cmd /usr/bin/podman\n")]);
    let told: Vec<_> = reach.grants.iter().map(tell).collect();
    let expected = [
        "%wheel ALL None",
        "alice /usr/bin/docker [ps] Own",
        "#1000 /bin/sh Own as docker",
        "dave /usr/bin/podman Own",
    ];
    assert_eq!(told, expected);
    assert_eq!(reach.gaps[0].source, "/etc/doas.conf:9");
}

#[test]
fn links_to_docker_are_docker_and_hostile_text_ends() {
    let (dir, root) = host(&[
        ("/usr/bin/docker", ""),
        ("/etc/sudoers", "alice ALL=/opt/run\nbob ALL=/opt/tools/*"),
        ("/opt/tools/nerdctl", ""),
    ]);
    std::os::unix::fs::symlink("/usr/bin/docker", dir.path().join("opt/run")).unwrap();
    let reach = Reach::read(&root, &Accounts::default(), "docker");
    assert_eq!(reach.grants.iter().map(tell).collect::<Vec<_>>(), ["alice /opt/run Own", "bob /opt/tools/* Own"]);
    for text in [
        "\\",
        "=",
        "a=",
        "a b=(",
        "a b=(:",
        "a b=!",
        "a b=\"",
        "a b=^x",
        "a b=sha256:",
        "Defaults",
        "Defaults:",
        "User_Alias",
        "é ü=ß",
        "a b=,",
        "!",
        "a b=/x \\",
        "\u{0}",
    ] {
        let reach = read(&[("/etc/sudoers", text)]);
        assert!(reach.grants.is_empty(), "{text}");
    }
}

#[test]
fn aliases_that_name_each_other_end() {
    let mut text = String::from("alice ALL=A0\nU0 ALL=ALL\n");
    for n in 0..40 {
        text += &format!("Cmnd_Alias A{n} = A{0}, A{0}\nUser_Alias U{n} = U{0}, U{0}\n", (n + 1) % 40);
    }
    let reach = read(&[("/etc/sudoers", &text)]);
    assert!(reach.gaps.iter().any(|gap| gap.reason.contains("too many rules")));
}

#[test]
fn grants_tell_the_people_behind_them() {
    for (rule, expected, complete) in [
        ("ALL, !deploy ALL=ALL", vec!["alice"], true),
        ("%sudo ALL=ALL", vec!["alice"], true),
        ("%#999 ALL=ALL", vec!["deploy"], true),
        ("#1000 ALL=ALL", vec!["alice"], true),
        ("ghost ALL=ALL", vec!["ghost"], true),
        ("#77 ALL=ALL", vec!["#77"], true),
        ("%none ALL=ALL", vec![], true),
        ("%sudo ALL=ALL\nalice ALL=!ALL", vec![], true),
        ("+admins ALL=ALL", vec![], false),
    ] {
        let (_dir, root) = host(&[("/etc/passwd", PASSWD), ("/etc/group", GROUP), ("/etc/sudoers", rule)]);
        let accounts = Accounts::read(&root);
        let reach = Reach::read(&root, &accounts, "docker");
        let people = reach.grants[0].people(&accounts);
        assert_eq!(
            (people.names, people.complete),
            (expected.into_iter().map(str::to_owned).collect(), complete),
            "{rule}"
        );
    }
}
