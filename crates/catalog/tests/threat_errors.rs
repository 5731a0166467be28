//! What is wrong with files of threats, with file and line.

use std::fs;
use std::path::Path;

use seaworthy_catalog::{Catalog, LoadError, directory, whole};

const CHECK: &str = r#"```toml
about    = "docker.daemon"
severity = "medium"
require  = "!icc"

[remedy]
safety = "safe"
fix    = "Set it."
```
# It is off
Why.

## Cases
```toml pass
icc = false
```
```toml fail
icc = true
```
```toml unknown
```
"#;

const STORY: &str = "# It happens\n\n**Who.** A.\n\n**How.** B.\n\n**Lost.** C.\n\n**Answer.** D.\n\n**Remains.** E.\n";

const ROWS: &str =
    "[[row]]\nid = \"X1\"\nletters = \"SE\"\nsurface = \"docker-host\"\n\n[[row]]\nid = \"X2\"\nletters = \"T\"\n";

/// A threat that is right, with lines after `answered`.
fn threat(front: &str) -> String {
    format!("```toml\n{front}```\n{STORY}")
}

/// The front of a threat that is right.
fn front() -> String {
    [
        "stride   = [\"spoofing\", \"elevation-of-privilege\", \"tampering\"]",
        "about    = \"docker.daemon\"",
        "answered = \"docker/daemon/icc-off\"",
        "loses    = \"host\"",
        "surface  = \"docker-host\"",
        "covers   = [\"X1\", \"X2\"]",
        "",
    ]
    .join("\n")
}

/// Blanks for every cell that the right threat leaves open.
fn blanks() -> String {
    let mut out = String::new();
    for (kind, letter) in seaworthy_core::threat::cells() {
        if kind != "docker.daemon" || !["spoofing", "elevation-of-privilege", "tampering"].contains(&letter.word()) {
            out.push_str(&format!(
                "[[blank]]\nkind = \"{kind}\"\nletter = \"{}\"\nreason = \"none\"\n\n",
                letter.word()
            ));
        }
    }
    out
}

fn catalogue(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    dir
}

fn errors(load: impl Fn(&Path) -> Result<Catalog, Vec<LoadError>>, files: &[(&str, &str)]) -> Vec<String> {
    let dir = catalogue(files);
    load(dir.path()).err().unwrap_or_default().iter().map(ToString::to_string).collect()
}

#[test]
fn a_threat_that_is_wrong_is_refused_where_it_is() {
    let one = |text: &str| {
        errors(
            |dir| directory(dir, &Catalog::default()),
            &[("checks/docker/daemon/icc-off.md", CHECK), ("rows.toml", ROWS), ("threats/docker/daemon/a.md", text)],
        )
    };
    assert_eq!(one(&threat(&front())), Vec::<String>::new());
    let nested = format!("answered = {}\"docker/daemon/icc-off\"{}", "{ all = [".repeat(10), "] }".repeat(10));
    for (from, to, place, words) in [
        ("docker/daemon/icc-off", "docker/daemon/icc-on", "4:13", "there is no check `docker/daemon/icc-on`"),
        ("\"docker/daemon/icc-off\"", "{ any = [] }", "4:12", "`any` is empty"),
        ("\"docker/daemon/icc-off\"", "{ all = [{ any = [] }] }", "4:12", "`any` is empty"),
        ("\"docker/daemon/icc-off\"", "{ some = [\"docker/daemon/icc-off\"] }", "4:12", "not `some`"),
        ("\"docker/daemon/icc-off\"", "3", "4:12", "of type integer"),
        ("answered = \"docker/daemon/icc-off\"", nested.as_str(), "4:12", "more than 8 deep"),
        ("docker.daemon", "docker.demon", "3:12", "no kind `docker.demon`"),
        ("surface ", "crosses = \"docker.hst\"\nsurface ", "6:11", "no kind `docker.hst`"),
        ("surface ", "flow = \"pipe\"\nsurface ", "6:8", "unknown variant `pipe`"),
        ("surface ", "when = 'icc && nothing'\nsurface ", "6:16", "nothing"),
        ("\"X1\"", "\"X9\"", "7:13", "there is no row `X9`"),
        ("\"host\"", "\"hosts\"", "5:12", "unknown variant `hosts`"),
        ("loses ", "looses ", "5:1", "unknown field `looses`"),
        ("[\"spoofing\", \"elevation-of-privilege\", \"tampering\"]", "[]", "", "`stride` names no letter"),
    ] {
        let found = one(&threat(&front().replace(from, to)));
        let starts = format!("threats/docker/daemon/a.md:{place}");
        assert!(
            found.len() == 1 && found[0].starts_with(&starts) && found[0].contains(words),
            "{to}: {words} at {place}, not {found:?}"
        );
    }
    for (from, to, words) in [
        ("**Lost.** C.", "**Lost.**", "`**Lost.**` says nothing"),
        ("**Who.** A.", "A.", "no paragraph `**Who.**"),
        ("# It happens", "It happens", "there must be a title"),
        ("```toml", "```tom", "must begin with a ```toml block"),
    ] {
        let found = one(&threat(&front()).replacen(from, to, 1));
        assert!(found.len() == 1 && found[0].contains(words), "{words}: {found:?}");
    }
}

#[test]
fn rows_and_reasons_that_are_wrong_are_refused_where_they_are() {
    let one = |rows: &str, stride: &str| {
        errors(
            |dir| directory(dir, &Catalog::default()),
            &[("checks/docker/daemon/icc-off.md", CHECK), ("rows.toml", rows), ("stride.toml", stride)],
        )
    };
    for (rows, stride, starts) in [
        (&ROWS.replace("X2", "X1")[..], "", "rows.toml:6:1: the row `X1` is there twice"),
        (&ROWS.replace("\"T\"", "\"X\""), "", "rows.toml:6:1: the row `X2` needs letters"),
        (&ROWS.replace("\"T\"", "\"\""), "", "rows.toml:6:1: the row `X2` needs letters"),
        (&ROWS.replace("-host", "-guest"), "", "rows.toml:4:11: unknown variant `docker-guest`"),
        (ROWS, "[[alone]]\ncheck = \"a/b\"\nreason = \"r\"\n", "stride.toml:1:1: there is no check `a/b`"),
        (
            ROWS,
            "[[alone]]\ncheck = \"docker/daemon/icc-off\"\nreason = \" \"\n",
            "stride.toml:1:1: a check that answers",
        ),
        (ROWS, "\n[[blank]]\nkind = \"a\"\nletter = \"spoofing\"\nreason = \"r\"\n", "stride.toml:2:1: no kind `a`"),
        (ROWS, "[[blank]]\nkind = \"flow\"\nletter = \"spoofing\"\nreason = \"\"\n", "stride.toml:1:1: a blank cell"),
    ] {
        let found = one(rows, stride);
        assert!(found.len() == 1 && found[0].starts_with(starts), "{starts}: {found:?}");
    }
}

#[test]
fn the_programs_own_catalogue_must_be_complete() {
    let load = |front: &str, stride: &str, rows: &str, more: &[(&str, &str)]| {
        let text = threat(front);
        let mut files = vec![
            ("checks/docker/daemon/icc-off.md", CHECK),
            ("rows.toml", rows),
            ("stride.toml", stride),
            ("threats/docker/daemon/a.md", text.as_str()),
        ];
        files.extend_from_slice(more);
        errors(whole, &files)
    };
    let (front, stride) = (front(), blanks());
    assert_eq!(load(&front, &stride, ROWS, &[]), Vec::<String>::new());
    let is = |found: Vec<String>, starts: &str| {
        assert!(found.len() == 1 && found[0].starts_with(starts), "{starts}: {found:?}");
    };
    is(load(&front.replace("\"X1\", ", ""), &stride, ROWS, &[]), "rows.toml:1:1: no threat covers the row `X1`");
    is(
        load(&front, &stride, &ROWS.replace("\"T\"", "\"TR\""), &[]),
        "rows.toml:6:1: no threat that covers the row `X2` is of repudiation",
    );
    is(
        load(&front, &stride, &ROWS.replace("-host", "-client"), &[]),
        "rows.toml:1:1: no threat that covers the row `X1` begins at the Docker client",
    );
    let alone = "[[alone]]\ncheck = \"docker/daemon/icc-off\"\nreason = \"r\"\n";
    let other = ("checks/docker/daemon/other.md", CHECK);
    is(load(&front, &stride, ROWS, &[other]), "checks/docker/daemon/other.md:1:1: no threat is answered by it");
    let of_other = alone.replace("icc-off", "other");
    assert_eq!(load(&front, &format!("{of_other}{stride}"), ROWS, &[other]), Vec::<String>::new());
    is(
        load(&front, &format!("{of_other}{of_other}{stride}"), ROWS, &[other]),
        "stride.toml:4:1: `docker/daemon/other` is there twice",
    );
    is(
        load(&front, &format!("{alone}{stride}"), ROWS, &[]),
        "stride.toml:1:1: `docker/daemon/icc-off` answers a threat",
    );
    let blank =
        |letter: &str| format!("[[blank]]\nkind = \"docker.daemon\"\nletter = \"{letter}\"\nreason = \"none\"\n\n");
    is(
        load(&front, &format!("{}{stride}", blank("spoofing")), ROWS, &[]),
        "stride.toml:1:1: `docker/daemon/a` fills this cell",
    );
    let lines = stride.lines().count();
    is(
        load(&front, &format!("{stride}{}", blank("repudiation")), ROWS, &[]),
        &format!("stride.toml:{}:1: this cell is blank twice", lines + 1),
    );
    is(
        load(&front, &stride.replace(&blank("repudiation"), ""), ROWS, &[]),
        "stride.toml:1:1: no threat is about docker.daemon with repudiation",
    );
}

#[test]
fn a_users_catalogue_need_not_be_complete_but_must_not_repeat() {
    let mine = threat(&front().replace("[\"X1\", \"X2\"]", "[\"DM01\"]"));
    let dir = catalogue(&[("checks/mine/icc.md", CHECK), ("threats/mine/a.md", &mine)]);
    let mut catalog = Catalog::embedded();
    catalog.extend(dir.path()).unwrap();
    assert_eq!(catalog.threat("mine/a").unwrap().answered.checks(), ["docker/daemon/icc-off"]);
    fs::write(dir.path().join("rows.toml"), "[[row]]\nid = \"DM01\"\nletters = \"S\"\n").unwrap();
    let again: Vec<String> = catalog.extend(dir.path()).unwrap_err().iter().map(ToString::to_string).collect();
    assert_eq!(
        again,
        [
            "checks/mine/icc.md: the catalogue has a check `mine/icc` already; give it another name",
            "threats/mine/a.md: the catalogue has a threat `mine/a` already; give it another name",
            "rows.toml: the catalogue has a row `DM01` already; give it another name",
        ]
    );
}
