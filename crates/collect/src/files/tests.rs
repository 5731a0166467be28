//! Dockerfiles as people write them, and as nobody should.

use std::os::unix::fs::PermissionsExt as _;

use proptest::prelude::*;

use super::*;

fn read(text: &str) -> Component {
    let mut component = Component::new(&DOCKERFILE, "Dockerfile", "Dockerfile");
    for (fact, value) in facts(text.as_bytes(), &Redactor::new()).unwrap_or_else(|why| panic!("{why}: {text}")) {
        component.set(fact, value, Source::place("test"));
    }
    component
}

fn fact(text: &str, name: &str) -> String {
    read(text).value(name).to_string()
}

/// The lines and columns of a list.
fn places(component: &Component, name: &str) -> Vec<(i64, i64)> {
    let number = |value: &Value, field: &str| value.field(field).and_then(Value::as_int).expect("a number");
    let list = component.value(name).as_list().unwrap_or_else(|| panic!("{name}: {}", component.value(name)));
    list.iter().map(|place| (number(place, "line"), number(place, "column"))).collect()
}

const WHOLE: &str = "# syntax=docker/dockerfile:1
ARG VERSION=1.27
ARG NONE
FROM golang:${VERSION} AS build
RUN --mount=type=secret,id=token --mount=type=cache,target=/c \\
    # a comment between
    go build ./...
FROM build AS test
FROM $NONE AS other
FROM alpine@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa AS middle
ENV PORT=22
RUN apk update
RUN adduser -D -u 10001 app
FROM middle
ARG VERSION
COPY --from=build /app /app
COPY --from=busybox /bin/sh /bin/sh
COPY --from=0 /x /x
  ADD . /src
ADD --checksum=sha256:aa https://example.com/a /a
ADD https://example.com/b /b
RUN apt-get update && \\
    curl \\
      -k https://example.com/x | sh
EXPOSE 80 20-25/tcp $PORT
HEALTHCHECK CMD true
USER app
";

#[test]
fn a_whole_file_is_read_with_lines_and_columns() {
    let file = read(WHOLE);
    for (name, expected) in [
        ("syntax", "docker/dockerfile:1"),
        ("stages", "5"),
        ("user", "app"),
        ("root_user", "false"),
        ("healthcheck", "true"),
        ("exposed_ports", "[80, 20-25/tcp, 22]"),
    ] {
        assert_eq!(file.value(name).to_string(), expected, "{name}");
    }
    let bases: Vec<String> = file
        .value("bases")
        .as_list()
        .expect("a list")
        .iter()
        .map(|base| {
            format!(
                "{} {} {}",
                base.field("line").unwrap(),
                base.field("reference").unwrap(),
                base.field("use").unwrap()
            )
        })
        .collect();
    let unknown = "unknown (the build argument NONE has no default)";
    assert_eq!(
        bases,
        [
            "4 tag from",
            "8 stage from",
            &format!("9 {unknown} from"),
            "10 digest from",
            "14 stage from",
            "16 stage copy",
            "17 latest copy",
            "18 stage copy"
        ]
    );
    assert_eq!(places(&file, "unpinned_bases"), [(4, 1), (17, 1)]);
    assert_eq!(places(&file, "latest_bases"), [(17, 1)]);
    assert!(read("ARG B\nFROM $B\n").value("unpinned_bases").is_unknown());
    assert_eq!(fact("FROM scratch\n", "unpinned_bases"), "[]");
    assert_eq!(places(&file, "adds"), [(19, 3)]);
    assert_eq!(places(&file, "remote_adds"), [(21, 1)]);
    assert_eq!(places(&file, "updates_alone"), [(12, 1), (22, 1)]);
    assert_eq!(places(&file, "unverified_fetches"), [(22, 1)]);
    assert_eq!(places(&file, "piped_scripts"), [(22, 1)]);
    assert_eq!(places(&file, "secret_mounts"), [(5, 1)]);
    assert_eq!(places(&file, "ssh_ports"), [(25, 1), (25, 1)]);
    assert_eq!(places(&file, "secrets"), []);
}

#[test]
fn who_a_container_starts_as_is_known_or_unknown_and_never_guessed() {
    for (text, user, root) in [
        ("FROM scratch\n", "\"\"", "true"),
        ("FROM a\nUSER 0:0\n", "0:0", "true"),
        ("FROM a\nUSER 1000\n", "1000", "false"),
        ("FROM a\nUSER root\n", "root", "true"),
        ("FROM a\nARG U=1000\nUSER ${U}\n", "1000", "false"),
        ("ARG U=1000\nFROM a\nARG U\nUSER ${U}:${U}\n", "1000:1000", "false"),
        ("FROM a\nENV U=1000\nARG U=0\nUSER $U\n", "1000", "false"),
        ("FROM a AS b\nUSER 7\nFROM B\n", "7", "false"),
        ("FROM a AS b\nENV U=7\nARG V=7\nFROM b\nUSER $U\n", "7", "false"),
        ("FROM a\nRUN useradd -r app\nUSER app:app\n", "app:app", "false"),
        ("FROM a\nRUN [\"useradd\", \"app\"]\nUSER app\n", "app", "false"),
        ("FROM a AS b\nUSER 7\nFROM c\nUSER 0\n", "0", "true"),
    ] {
        assert_eq!((fact(text, "user").as_str(), fact(text, "root_user").as_str()), (user, root), "{text}");
    }
    for text in [
        "FROM nginx\n",
        "FROM a\nUSER app\n",
        "FROM a\nRUN useradd -o -u 0 app\nUSER app\n",
        "FROM a\nARG U\nUSER $U\n",
        "FROM a\nUSER ${U:-1000}\n",
        "ARG U=1000\nFROM a\nUSER $U\n",
        "FROM a AS b\nARG U=7\nFROM b\nUSER $U\n",
        "FROM a\nONBUILD USER 1000\n",
        "FROM a\nONBUILD RUN useradd app\nUSER app\n",
    ] {
        assert!(read(text).value("root_user").is_unknown(), "{text}");
    }
    assert!(fact("FROM nginx", "root_user").contains("the base image nginx may set one"));
}

#[test]
fn health_and_ports_follow_the_last_stage() {
    assert_eq!(fact("FROM scratch", "healthcheck"), "false");
    assert_eq!(fact("FROM a\nHEALTHCHECK NONE", "healthcheck"), "false");
    assert_eq!(fact("FROM a AS b\nHEALTHCHECK CMD [\"x\"]\nEXPOSE 22\nFROM b", "healthcheck"), "true");
    assert!(fact("FROM a", "healthcheck").contains("may set one"));
    assert_eq!(fact("FROM a AS b\nEXPOSE 22\nFROM c\nEXPOSE 80", "ssh_ports"), "[]");
    assert_eq!(places(&read("FROM a AS b\nEXPOSE 22\nFROM b"), "ssh_ports"), [(2, 1)]);
    assert!(read("FROM a\nARG P\nEXPOSE $P").value("ssh_ports").is_unknown());
    assert_eq!(fact("FROM a\nEXPOSE 22/udp 2222 220-221", "ssh_ports"), "[]");
}

#[test]
fn secrets_are_found_wherever_they_stand_and_none_is_kept() {
    let token = "ghp_a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8";
    for (text, name) in [
        (format!("FROM a\nARG NPM_TOKEN={token}\n"), "ARG: NPM_TOKEN"),
        ("FROM a\nARG NPM_TOKEN\n".to_owned(), "ARG: NPM_TOKEN"),
        ("ARG API_TOKEN\nFROM a\n".to_owned(), "ARG: API_TOKEN"),
        ("FROM a\nENV DB_PASSWORD=hunter2hunter2\n".to_owned(), "ENV: DB_PASSWORD"),
        ("FROM a\nENV DB_PASSWORD hunter2hunter2\n".to_owned(), "ENV: DB_PASSWORD"),
        ("FROM a\nENV A=b \\\n  DB_PASSWORD=\"hunter2hunter2\"\n".to_owned(), "ENV: DB_PASSWORD"),
        ("FROM a\nENV NPM_TOKEN=$T\n".to_owned(), "ENV: NPM_TOKEN"),
        ("FROM a\nLABEL deploy.password=hunter2hunter2\n".to_owned(), "LABEL: deploy.password"),
        (format!("FROM a\nRUN git clone https://x:{token}@example.com/a.git\n"), "RUN"),
        (format!("FROM a\nRUN <<EOF\nexport TOKEN={token}\nEOF\n"), "RUN"),
        (format!("FROM a\nCOPY <<EOF /x\ntoken: {token}\nEOF\n"), "COPY"),
        (format!("FROM a\nONBUILD RUN login {token}\n"), "RUN"),
        (format!("FROM a\nCMD [\"x\", \"--token={token}\"]\n"), "CMD"),
        ("FROM a\nCOPY .ssh/id_rsa /root/.ssh/\n".to_owned(), "COPY: .ssh/id_rsa"),
        ("FROM a\nADD server.key /etc/\n".to_owned(), "ADD: server.key"),
    ] {
        let file = read(&text);
        let found = file.value("secrets").to_string();
        assert!(found.contains(&format!("name: {name}")), "{text}: {found}");
        let all = format!("{:?}", file.facts().map(|(_, fact)| &fact.value).collect::<Vec<_>>());
        assert!(!all.contains("hunter2") && !all.contains(&token[4..]), "{text}: {all}");
    }
    for text in [
        "FROM a\nRUN --mount=type=secret,id=npm_token npm ci\n",
        "FROM a\nENV DB_PASSWORD_FILE=/run/secrets/db\n",
        "FROM a\nCOPY --from=b /id_rsa /x\n",
        "FROM a\nCOPY id_rsa.pub ca.pem /x/\n",
        "FROM a\nENV PASSWORD=\n",
        "ARG VERSION=1\nFROM a\nARG VERSION\n",
    ] {
        assert_eq!(fact(text, "secrets"), "[]", "{text}");
    }
}

#[test]
fn hard_files_are_read_as_builders_read_them() {
    let text = "\u{feff}# escape=`\r\nFROM a:1`\r\n  AS b\r\nRUN apt-get `\r\n  update\r\n";
    let file = read(text);
    assert_eq!(places(&file, "updates_alone"), [(4, 1)]);
    assert_eq!(fact("FROM a\nRUN <<EOF\napt-get update\nEOF\n", "updates_alone").matches("line").count(), 1);
    assert_eq!(fact("FROM a\nRUN bash <<'EOF'\ncurl -k x\nEOF\n", "unverified_fetches").matches("line").count(), 1);
    // A script is none of the file's own instructions.
    let script = "FROM a\nRUN bash <<EOF\nUSER 1000\nHEALTHCHECK CMD true\nEOF\n";
    assert!(read(script).value("user").is_unknown() && read(script).value("healthcheck").is_unknown());
    assert_eq!(fact("FROM a\nRUN cat <<EOF >/x\ncurl -k x\nEOF\n", "unverified_fetches"), "[]");
    assert_eq!(fact("FROM a\nENV NODE_TLS_REJECT_UNAUTHORIZED=0\n", "unverified_fetches").matches("line").count(), 1);
    assert_eq!(fact("FROM scratch\nADD rootfs.tar.xz /\n", "adds"), "[]");
    assert_eq!(fact("FROM scratch\nADD passwd /\n", "adds").matches("line").count(), 1);
    assert_eq!(fact("FROM a\nADD rootfs.tar.xz /\n", "adds").matches("line").count(), 1);
    assert_eq!(fact("FROM a\nADD [\"a b\", \"/x\"]\n", "adds").matches("line").count(), 1);
    assert!(read("FROM a\nARG U\nADD $U /x\n").value("remote_adds").is_unknown());
    let commit = "a".repeat(40);
    assert_eq!(fact(&format!("FROM a\nADD https://example.com/a.git#{commit} /x\n"), "remote_adds"), "[]");
    assert_eq!(fact("FROM a\nADD https://example.com/a.git#main /x\n", "remote_adds").matches("line").count(), 1);
    // The same step in a Dockerfile and in an image's history.
    assert_eq!(
        fact("FROM a\nONBUILD RUN apk update\nONBUILD RUN apk update\n", "updates_alone").matches("line").count(),
        2
    );
}

#[test]
fn what_is_no_dockerfile_is_said_in_one_line_and_the_others_go_on() {
    let redactor = Redactor::new();
    let utf16: Vec<u8> = [0xff, 0xfe].into_iter().chain("FROM a".bytes().flat_map(|b| [b, 0])).collect();
    for (bytes, words) in [
        (&b""[..], "no Dockerfile"),
        (b"hello\n", "no Dockerfile"),
        (b"RUN x\n", "no Dockerfile"),
        (b"FROM a\nRUN <<EOF\nnever ends ghp_a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8\n", "no Dockerfile"),
        (b"FROM a\nINCLUDE x\n", "no Dockerfile"),
        (b"FROM a AS \x1b[31m\nFROM b AS \x1b[31m\n", "no Dockerfile"),
        (b"\x7fELF\0\0", "binary"),
        (b"FROM a\nRUN \xff\n", "not UTF-8 in line 2"),
        (&utf16, "UTF-16"),
    ] {
        let why = facts(bytes, &redactor).expect_err(words);
        assert!(why.contains(words), "{why}");
        assert!(!why.contains(char::is_control) && !why.contains("ghp_") && why.len() < 400, "{why:?}");
    }
    let dir = tempfile::tempdir().expect("a directory");
    let write = |name: &str, bytes: &[u8]| std::fs::write(dir.path().join(name), bytes).expect("written");
    write("Dockerfile", b"FROM a\nUSER 1\n");
    write("Dockerfile.huge", &vec![b'#'; LARGEST + 1]);
    write("x.Dockerfile", b"\0");
    write("Containerfile", b"FROM a\n");
    write("Dockerfile.dockerignore", b"*\n");
    write("README", b"no\n");
    std::fs::create_dir(dir.path().join("Dockerfile.d")).expect("made");
    let snapshot = collect(&[dir.path().to_owned(), dir.path().to_owned()], &Options::default()).expect("read");
    let [target] = snapshot.targets.as_slice() else { panic!("{}", snapshot.targets.len()) };
    assert_eq!((target.platform.as_str(), target.components.len()), ("files", 4));
    let names: Vec<&str> = target.components.iter().filter_map(|c| c.name.rsplit('/').next()).collect();
    assert_eq!(names, ["Containerfile", "Dockerfile", "Dockerfile.huge", "x.Dockerfile"]);
    assert_eq!(target.gaps.len(), 2, "{:?}", target.gaps);
    assert!(target.components[2].value("bases").to_string().contains("larger than 1048576 bytes"));
    assert_eq!(target.components[1].value("root_user").to_string(), "false");
    assert_eq!(target.components[1].value("dockerignore").to_string(), "true");
    assert_eq!(target.components[0].value("dockerignore").to_string(), "false");
    for component in &target.components {
        assert_eq!(component.facts().count(), DOCKERFILE.facts.len(), "{}", component.name);
    }
    assert!(collect(&[dir.path().join("nothing")], &Options::default()).expect_err("nothing").contains("not there"));
    assert!(
        collect(&[dir.path().join("Dockerfile.d")], &Options::default())
            .expect_err("empty")
            .contains("no Dockerfile is in it")
    );
    assert!(
        collect(&[dir.path().join("README")], &Options::default()).is_ok(),
        "a file that is named is read, whatever its name"
    );
}

#[test]
fn whoever_else_may_write_is_found() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("Dockerfile");
    std::fs::write(&path, "FROM a\n").expect("written");
    let judged = |file: u32, context: u32| {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(file)).expect("set");
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(context)).expect("set");
        let snapshot = collect(std::slice::from_ref(&path), &Options::default()).expect("read");
        let component = &snapshot.targets[0].components[0];
        let value = |name: &str| component.value(name).to_string();
        (value("writable_by_others"), value("context_writable_by_others"), value("mode"))
    };
    assert_eq!(judged(0o644, 0o755), ("false".into(), "false".into(), 0o644.to_string()));
    assert_eq!(judged(0o646, 0o1777), ("true".into(), "true".into(), 0o646.to_string()));
}

proptest! {
    #[test]
    fn nothing_makes_it_panic(pieces in prop::collection::vec(prop::sample::select(&[
        "FROM ", "a", " AS ", "b", "\n", "\\", "ARG ", "ENV ", "X", "=", "$", "{", "}", ":-", "RUN ", "<<EOF", "EOF", "\"", "'", "[", "]", ",",
        "--mount=type=secret", "COPY ", "--from=", "ADD ", "https://", "USER ", "EXPOSE ", "22", "-", "ONBUILD ", "HEALTHCHECK ", "NONE", "CMD ",
        "# escape=`\n", "`", "é", "\r\n", "\u{feff}", " ", "#", "apt-get update", "|", "curl -k ", "sh", "SHELL ", "scratch",
    ][..]), 0..60)) {
        let _ = facts(format!("FROM a\n{}", pieces.concat()).as_bytes(), &Redactor::new());
        let _ = facts(pieces.concat().as_bytes(), &Redactor::new());
    }

    #[test]
    fn nor_do_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = facts(&bytes, &Redactor::new());
    }
}
