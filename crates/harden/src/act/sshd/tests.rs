use super::*;
use crate::act::people::tests::root;

const MAIN: &str = "/etc/ssh/sshd_config";
const DEBIAN: &str =
    "# comment\nInclude /etc/ssh/sshd_config.d/*.conf\n\nKbdInteractiveAuthentication no\nUsePAM yes\n";
const SERVER: (&str, &str) = ("/usr/sbin/sshd", "");

fn change(set: &[(&str, &str)]) -> Sshd {
    Sshd { set: set.iter().map(|(keyword, value)| ((*keyword).to_owned(), (*value).to_owned())).collect() }
}

fn passwords() -> Sshd {
    change(&[("PasswordAuthentication", "no"), ("KbdInteractiveAuthentication", "no")])
}

fn of(host: &Host, transaction: &str) -> Host {
    Host { root: host.root.clone(), engine: None, daemon: None, transaction: transaction.into() }
}

/// The file that is chosen, its text after the change, and whether everything is as before after the undoing.
fn round(files: &[(&str, &str)], act: &Sshd) -> Result<(String, String), Refusal> {
    let (dir, host) = root(&[&[SERVER], files].concat());
    let mut keep = Keep::at(dir.path());
    let list = || {
        let mut all: Vec<(std::path::PathBuf, Vec<u8>)> = Vec::new();
        let mut stack = vec![dir.path().to_owned()];
        while let Some(path) = stack.pop() {
            if path.is_dir() {
                stack.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
                all.push((path, Vec::new()));
            } else {
                all.push((path.clone(), std::fs::read(path).unwrap()));
            }
        }
        all.sort();
        all
    };
    let before = list();
    act.check(&host)?;
    assert_eq!(list(), before);
    let undo = act.prepare(&host, &mut keep).unwrap();
    act.apply(&host, &undo).unwrap();
    assert!(matches!(act.verify(&host, &undo).unwrap(), Effect::Pending(_)));
    let path = Undo::of(&undo).unwrap().file.path;
    let text = std::fs::read_to_string(host.path(&path)).unwrap();
    assert_eq!(act.undo(&host, &keep, &undo).unwrap(), Undone::Restored);
    assert_eq!(list(), before);
    Ok((path, text))
}

#[test]
fn a_drop_in_that_is_read_first_is_taken_where_there_can_be_one() {
    let (path, text) = round(&[(MAIN, DEBIAN)], &passwords()).unwrap();
    assert_eq!(path, "/etc/ssh/sshd_config.d/00-seaworthy.conf");
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(lines, ["PasswordAuthentication no", "KbdInteractiveAuthentication no"]);
    let chosen = |name: &str, says: &str| {
        let path = format!("/etc/ssh/sshd_config.d/{name}");
        round(&[(MAIN, DEBIAN), (&path, says)], &passwords()).unwrap().0.rsplit('/').next().unwrap().to_owned()
    };
    assert_eq!(chosen("50-cloud-init.conf", "PasswordAuthentication yes\n"), "00-seaworthy.conf");
    assert_eq!(chosen("00-a.conf", "PasswordAuthentication yes\n"), "00-0-seaworthy.conf");
    assert_eq!(chosen("00-a.conf", "UsePAM yes\n"), "00-seaworthy.conf");
    assert_eq!(chosen("0-a.conf", "passwordauthentication=yes\n"), "+seaworthy.conf");
    // Before every name there is: the main file is left.
    assert_eq!(chosen("!.conf", "PasswordAuthentication yes\n"), "sshd_config");
    assert_eq!(chosen(".hidden.conf", "PasswordAuthentication yes\n"), "00-seaworthy.conf");
    assert_eq!(chosen("00-a.txt", "PasswordAuthentication yes\n"), "00-seaworthy.conf");
}

#[test]
fn without_such_an_include_the_main_file_gets_its_lines_on_top() {
    for main in [
        "PasswordAuthentication yes\nPort 22\n",
        "PasswordAuthentication yes\nInclude /etc/ssh/sshd_config.d/*.conf\n",
        "Match User x\n  Include /etc/ssh/sshd_config.d/*.conf\n",
        "Include /etc/ssh/other.conf\n",
        "",
        "# no end of line",
        "Port 22\r\nPasswordAuthentication yes\r\n",
    ] {
        let (path, text) = round(&[(MAIN, main), ("/etc/ssh/other.conf", "")], &passwords()).unwrap();
        assert_eq!(path, MAIN, "{main}");
        assert!(text.ends_with(main) && text.lines().nth(1) == Some("PasswordAuthentication no"), "{text}");
    }
}

#[test]
fn a_condition_that_says_otherwise_is_preceded_by_one_for_all() {
    let main = format!(
        "{DEBIAN}Match User bob\n    PasswordAuthentication yes\nMatch Address 10.0.0.0/8\n    X11Forwarding no\n"
    );
    let (path, text) = round(&[(MAIN, &main)], &passwords()).unwrap();
    assert_eq!(path, "/etc/ssh/sshd_config.d/00-seaworthy.conf");
    assert!(text.contains("Match all\n    PasswordAuthentication no\n#"), "{text}");
    let (path, text) = round(&[(MAIN, main.replace("Include", "#").as_str())], &passwords()).unwrap();
    assert_eq!(path, MAIN);
    let (all, bob) =
        (text.find("Match all\n    PasswordAuthentication no\n").unwrap(), text.find("Match User").unwrap());
    assert!(all < bob && text.find("UsePAM").unwrap() < all, "{text}");
    let agrees = main.replace("PasswordAuthentication yes", "passwordauthentication No");
    assert!(!round(&[(MAIN, &agrees)], &passwords()).unwrap().1.contains("Match all"));
    let before = ("/etc/ssh/sshd_config.d/!.conf", "Match User bob\nPasswordAuthentication yes\n");
    let refusal = round(&[(MAIN, DEBIAN), before], &passwords()).unwrap_err().to_string();
    assert!(refusal.contains("under Match in /etc/ssh/sshd_config.d/!.conf"), "{refusal}");
}

#[test]
fn two_changes_go_in_either_order_and_others_edits_stay() {
    let drop_in = "/etc/ssh/sshd_config.d/00-seaworthy.conf";
    for (main, file) in [(DEBIAN, drop_in), ("Port 22\nMatch User bob\n    PermitRootLogin yes\n", MAIN)] {
        for first_out in [true, false] {
            let (dir, host) = root(&[SERVER, (MAIN, main)]);
            let mut keep = Keep::at(dir.path());
            let (one, two) = (of(&host, "aaaaaaaaaaaa"), of(&host, "bbbbbbbbbbbb"));
            let (root, both) =
                (change(&[("PermitRootLogin", "prohibit-password")]), change(&[("PermitRootLogin", "no")]));
            let early = root.prepare(&one, &mut keep).unwrap();
            root.apply(&one, &early).unwrap();
            let late = both.prepare(&two, &mut keep).unwrap();
            both.apply(&two, &late).unwrap();
            both.verify(&two, &late).unwrap();
            assert!(root.verify(&one, &early).unwrap_err().0.contains("PermitRootLogin"));
            let text = std::fs::read_to_string(host.path(file)).unwrap();
            std::fs::write(host.path(file), format!("# mine\n{text}")).unwrap();
            let mut ways = [(&root, &early), (&both, &late)];
            if !first_out {
                ways.reverse();
            }
            let [(act, undo), (last, rest)] = ways;
            assert_eq!(act.undo(&host, &keep, undo).unwrap(), Undone::Restored);
            last.verify(&host, rest).unwrap();
            assert_eq!(last.undo(&host, &keep, rest).unwrap(), Undone::Restored);
            let left = if file == MAIN { format!("# mine\n{main}") } else { "# mine\n".to_owned() };
            assert_eq!(std::fs::read_to_string(host.path(file)).unwrap(), left);
        }
    }
}

#[test]
fn what_is_no_such_setting_or_cannot_be_read_is_refused() {
    let refused = |files: &[(&str, &str)], set: &[(&str, &str)]| {
        let refusal = round(files, &change(set)).unwrap_err().to_string();
        assert!(!refusal.contains('\n'), "{refusal}");
        refusal
    };
    for (keyword, value) in [
        ("AllowUsers", "root"),
        ("Match", "all"),
        ("PermitRootLogin", "no\nPermitRootLogin yes"),
        ("PermitRootLogin", "no # not"),
        ("Permit Root", "no"),
        ("", "no"),
        ("PermitRootLogin", ""),
    ] {
        assert!(refused(&[(MAIN, DEBIAN)], &[(keyword, value)]).contains("not made here"), "{keyword} {value}");
    }
    let no = [("PermitRootLogin", "no")];
    assert!(refused(&[], &no).contains("sshd_config: it is not there"));
    let started = ("/etc/default/ssh", "SSHD_OPTS=\"-D\"\nSSHD_OPTS='-oPermitRootLogin=yes'\n");
    assert!(refused(&[(MAIN, DEBIAN), started], &no).contains("command line"));
    let around = ("/etc/ssh/sshd_config.d/a.conf", "Include /etc/ssh/sshd_config\n");
    assert!(refused(&[(MAIN, DEBIAN), around], &no).contains("too deep"));
    assert!(refused(&[(MAIN, "Include /etc/ssh/[^a]*.conf\n")], &no).contains("not understood"));
    let (_dir, bare) = root(&[(MAIN, DEBIAN)]);
    assert!(change(&no).check(&bare).unwrap_err().to_string().contains("no OpenSSH server"));
    // A vendor's own file is included from nowhere and not edited.
    assert!(refused(&[("/usr/etc/ssh/sshd_config", "Port 22\n")], &no).contains("not for editing"));
}
