use super::*;
use serde_json::json;

fn of(steps: &[&str]) -> History {
    let items: Vec<Json> =
        steps.iter().map(|step| json!({"CreatedBy": step, "Comment": "", "Size": 3 << 20})).collect();
    history(&Json::Array(items), &Redactor::new()).expect("a history")
}

#[test]
fn recorded_histories_are_understood() {
    for text in [
        include_str!("../../../fixtures/engine-20.10/histories.json"),
        include_str!("../../../fixtures/engine-29/histories.json"),
    ] {
        let recorded: Vec<Json> = serde_json::from_str(text).expect("a fixture");
        let built = history(&recorded[0], &Redactor::new()).expect("a history");
        assert!(built.complete);
        assert!(built.adds.to_string().contains("ADD file:73e2b2d4"), "{}", built.adds);
        assert_eq!(built.adds.as_list().map(<[Value]>::len), Some(1));
        let secrets = built.secrets.to_string();
        assert!(secrets.contains("ENV: DB_PASSWORD") && secrets.contains("build argument: TOKEN"), "{secrets}");
        assert!(!built.steps.to_string().contains("hunter2"), "{}", built.steps);
        let imported = history(&recorded[1], &Redactor::new()).expect("a history");
        assert!(!imported.complete);
    }
    assert!(history(&json!([]), &Redactor::new()).is_err());
    assert!(history(&json!({}), &Redactor::new()).is_err());
}

#[test]
fn steps_of_both_builders_are_taken_apart() {
    for (text, instruction, rest) in [
        ("/bin/sh -c #(nop) ADD file:abc in / ", "ADD", "file:abc in /"),
        ("/bin/sh -c #(nop)  CMD [\"sh\"]", "CMD", "[\"sh\"]"),
        ("/bin/sh -c apt-get update", "RUN", "apt-get update"),
        ("RUN /bin/sh -c apk add curl # buildkit", "RUN", "apk add curl"),
        ("RUN |1 A=b c /bin/sh -c make # buildkit", "RUN", "make"),
        ("|2 A=b TOKEN=abc /bin/sh -c echo $TOKEN", "RUN", "echo $TOKEN"),
        ("COPY x /y # buildkit", "COPY", "x /y"),
        ("bazel build //base", "RUN", "bazel build //base"),
    ] {
        let step = parse(text);
        assert_eq!((step.instruction, step.text), (instruction, rest), "{text}");
    }
    assert_eq!(parse("|2 A=b c TOKEN=abc /bin/sh -c x").arguments, ["A=b c", "TOKEN=abc"]);
    assert_eq!(parse("|9999999 A=b").text, "A=b");
}

#[test]
fn only_the_authors_adds_count() {
    let history = of(&[
        "ADD app.conf /etc/ # buildkit",
        "ADD https://example.org/x /x # buildkit",
        "ADD app.tar.xz /opt/ # buildkit",
        "COPY a /a # buildkit",
        "/bin/sh -c #(nop) ADD file:abc in / ",
    ]);
    assert_eq!(history.adds.to_string(), "[ADD app.conf /etc/ # buildkit, ADD app.tar.xz /opt/ # buildkit]");
    assert_eq!(history.remote_adds.to_string(), "[ADD https://example.org/x /x # buildkit]");
    let scratch = of(&["CMD [\"x\"]", "ADD rootfs.tar.xz / # buildkit"]);
    assert_eq!(scratch.adds.to_string(), "[]");
    let small = json!([{"CreatedBy": "/bin/sh -c #(nop) ADD file:abc in / ", "Comment": "", "Size": 700}]);
    let small = super::history(&small, &Redactor::new()).expect("a history");
    assert_eq!(small.adds.as_list().map(<[Value]>::len), Some(1), "a file is no system");
    // As 20.10 and 29 record what their classic builder fetched: by its sum alone.
    const SUM: &str = "377b670bd35119ba8f27367815e51b54e3904a73765e9ea08e14f03f5828b394";
    let fetched = of(&["CMD [\"x\"]", &format!("/bin/sh -c #(nop) ADD {SUM} in /opt/ "), "FROM x"]);
    assert_eq!(fetched.remote_adds.as_list().map(<[Value]>::len), Some(1));
    let sent = of(&["CMD [\"x\"]", &format!("/bin/sh -c #(nop) ADD file:{SUM} in /opt/ "), "FROM x"]);
    assert_eq!(sent.remote_adds.as_list().map(<[Value]>::len), Some(0));
    let several = of(&["CMD [\"x\"]", &format!("/bin/sh -c #(nop) ADD multi:{SUM} in /opt/ "), "FROM x"]);
    assert!(several.remote_adds.as_list().is_some_and(|adds| matches!(adds, [one] if one.is_unknown())));
    assert_eq!(several.adds.as_list().map(<[Value]>::len), Some(1));
    let remote = of(&["ADD https://example.org/root.tar / # buildkit"]);
    assert_eq!(remote.remote_adds.as_list().map(<[Value]>::len), Some(1), "also as the oldest step");
}

#[test]
fn updates_without_an_install_are_found() {
    for (step, alone) in [
        ("RUN /bin/sh -c apt-get update # buildkit", true),
        ("/bin/sh -c apt-get -y -qq update", true),
        ("/bin/sh -c apt-get -o Acquire::Retries=3 update && rm -rf /x", true),
        ("/bin/sh -c apt-get update && apt-get install -y curl", false),
        ("/bin/sh -c apt-get update \\\n  && apt-get upgrade -y", false),
        ("/bin/sh -c apk update", true),
        ("/bin/sh -c apk update && apk add curl", false),
        ("/bin/sh -c apk add --update curl", false),
        ("/bin/sh -c yum makecache", true),
        ("/bin/sh -c yum -y update", false),
        ("/bin/sh -c echo update", false),
        ("/bin/sh -c echo apt-get update", false),
        ("/bin/sh -c apt-get update; echo now apt-get install curl", true),
        ("/bin/sh -c apt-get update # apt-get install curl", true),
        ("/bin/sh -c /usr/bin/apt update; true", true),
        ("/bin/sh -c pacman -Sy", true),
        ("/bin/sh -c pacman -Syu", false),
        ("/bin/sh -c pacman --noconfirm -Sy", true),
        ("/bin/sh -c pacman -Sy --noconfirm > /dev/null", true),
        ("/bin/sh -c pacman -Sy --noconfirm nginx", false),
        ("/bin/sh -c pacman --noconfirm -Sy nginx", false),
        // SHELL names another one, or none stands there.
        ("|1 V=1 /usr/bin/bash -c apt-get update && ls /bin/x", true),
        ("RUN |1 V=1 /usr/bin/env bash -c apt-get update && /bin/true # buildkit", true),
        ("RUN |1 V=a b /opt/tools/bash -ec apt-get update && /bin/true # buildkit", true),
        ("RUN |1 V=1 apt-get update /bin/x # buildkit", true),
    ] {
        assert_eq!(
            of(&[step, "FROM x"]).updates_alone.as_list().map(<[Value]>::len),
            Some(usize::from(alone)),
            "{step}"
        );
    }
}

#[test]
fn fetches_without_verification_are_found() {
    for (step, unverified) in [
        ("/bin/sh -c curl -k https://x", true),
        ("/bin/sh -c curl -fsSLk https://x", true),
        ("/bin/sh -c curl --insecure https://x | sh", true),
        ("/bin/sh -c curl -fsSL https://x/-k", false),
        ("/bin/sh -c wget --no-check-certificate https://x", true),
        ("/bin/sh -c apt-get install -y --allow-unauthenticated x", true),
        ("/bin/sh -c apt-get -o APT::Get::AllowUnauthenticated=true install x", true),
        ("/bin/sh -c yum install --nogpgcheck x", true),
        ("/bin/sh -c apk add --allow-untrusted x.apk", true),
        ("/bin/sh -c pip install --trusted-host x y", true),
        ("/bin/sh -c tar -k x", false),
        ("/bin/sh -c make -k && curl https://x", false),
        ("/bin/sh -c curl -fsSLOkJ https://x", true),
        ("/bin/sh -c curl -sLokind https://x/kind", false),
        ("/bin/sh -c curl -sSLHk:v https://x", false),
        ("/bin/sh -c echo 'curl -k helps' > /etc/motd", false),
        ("/bin/sh -c true # curl -k https://x", false),
        ("/bin/sh -c npm config set strict-ssl false", true),
        ("/bin/sh -c npm install --strict-ssl=false x", true),
        ("/bin/sh -c echo strict-ssl=false >> ~/.npmrc", true),
        ("/bin/sh -c git config --global http.sslVerify false", true),
        ("/bin/sh -c git config --global http.sslVerify true", false),
        ("/bin/sh -c git -c http.sslVerify=false clone https://x", true),
        ("/bin/sh -c echo 'deb [arch=amd64 trusted=yes] http://x/ ./' > /etc/apt/sources.list.d/x.list", true),
        ("/bin/sh -c echo 'deb [signed-by=/k.gpg] http://x/ ./' > /etc/apt/sources.list.d/x.list", false),
        ("/bin/sh -c conda config --set ssl_verify False", true),
        ("/bin/sh -c NODE_TLS_REJECT_UNAUTHORIZED=0 npm ci", true),
        ("/bin/sh -c dnf --setopt=sslverify=False install x", true),
        ("ENV NODE_TLS_REJECT_UNAUTHORIZED=0", true),
        ("/bin/sh -c #(nop)  ENV GIT_SSL_NO_VERIFY=true", true),
        ("ENV NODE_TLS_REJECT_UNAUTHORIZED=1 PIP_TRUSTED_HOST=", false),
        ("LABEL GIT_SSL_NO_VERIFY=1", false),
    ] {
        assert_eq!(
            of(&[step, "FROM x"]).unverified_fetches.as_list().map(<[Value]>::len),
            Some(usize::from(unverified)),
            "{step}"
        );
    }
}

#[test]
fn secrets_of_steps_leave_no_value() {
    let history = of(&[
        "/bin/sh -c #(nop)  ENV PATH=/bin DB_PASSWORD=hunter2secret",
        "ENV API_TOKEN=\"hunter2 secret\" # buildkit",
        "RUN |1 NPM_TOKEN=hunter2secret /bin/sh -c npm ci # buildkit",
        "/bin/sh -c mysql --password=hunter2secret",
        "LABEL password=hunter2secret",
    ]);
    let secrets = history.secrets.to_string();
    for name in ["DB_PASSWORD", "API_TOKEN", "NPM_TOKEN", "RUN", "LABEL: password"] {
        assert!(secrets.contains(name), "{name} in {secrets}");
    }
    let all = format!("{history:?}");
    assert!(!all.contains("hunter2"), "{all}");
}
