//! API servers that fail, lie or never end: each one line or a gap, and what follows from it unknown.

use std::collections::HashMap;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use seaworthy_collect::kubernetes::api::{Options, collect};
use seaworthy_core::schema::kubernetes::{
    API_SERVICE, APISERVER, CERTIFICATE_REQUEST, CLUSTER, CONFIG_MAP, CONTROLLER_MANAGER, ETCD, FILE, NODE, PROXY,
    SCHEDULER, SECRET, VOLUME,
};
use seaworthy_core::snapshot::Target;
use serde_json::{Value as Json, json};

/// What a server does with a request.
enum Answer {
    /// Status line's number and body, with more headers.
    Is(u16, Vec<u8>, &'static str),
    /// Half of the body that was promised, then the end.
    Half(Vec<u8>),
    /// Nothing, for ever.
    Hang,
    /// The end, at once.
    Gone,
}

type Serve = dyn Fn(&str, usize) -> Option<Answer> + Send + Sync;

/// A server that answers as an empty cluster does, but for what the test says.
struct Server {
    dir: tempfile::TempDir,
    asked: Arc<Mutex<HashMap<String, usize>>>,
}

fn ok(json: &Json) -> Answer {
    Answer::Is(200, json.to_string().into_bytes(), "")
}

fn status(code: u16, message: &str) -> Answer {
    Answer::Is(code, json!({"kind": "Status", "code": code, "message": message}).to_string().into_bytes(), "")
}

impl Server {
    fn start(serve: impl Fn(&str, usize) -> Option<Answer> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let config = json!({"apiVersion": "v1", "kind": "Config", "current-context": "c",
            "clusters": [{"name": "c", "cluster": {"server": format!("http://{address}")}}],
            "users": [{"name": "u", "user": {"token": "opaque"}}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}]});
        std::fs::write(dir.path().join("config"), config.to_string()).unwrap();
        let asked: Arc<Mutex<HashMap<String, usize>>> = Arc::default();
        let (serve, counts): (Arc<Serve>, _) = (Arc::new(serve), Arc::clone(&asked));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (Ok(stream), serve, counts) = (stream, Arc::clone(&serve), Arc::clone(&counts)) else { return };
                std::thread::spawn(move || connection(stream, &*serve, &counts));
            }
        });
        Self { dir, asked }
    }

    fn options(&self) -> Options {
        Options {
            kubeconfig: Some(self.dir.path().join("config")),
            context: None,
            namespaces: Vec::new(),
            secrets: false,
            timeout: Duration::from_secs(20),
        }
    }

    fn collect(&self) -> Target {
        collect(&self.options()).unwrap().targets.remove(0)
    }

    fn times(&self, path: &str) -> usize {
        let asked = self.asked.lock().unwrap();
        asked.iter().filter(|(asked, _)| asked.split('?').next() == Some(path)).map(|(_, times)| times).sum()
    }
}

fn connection(mut stream: TcpStream, serve: &Serve, counts: &Mutex<HashMap<String, usize>>) {
    let mut pending = Vec::new();
    loop {
        let end = loop {
            if let Some(at) = pending.windows(4).position(|w| w == b"\r\n\r\n") {
                break at + 4;
            }
            let mut chunk = [0; 4096];
            match stream.read(&mut chunk) {
                Ok(0) | Err(_) => return,
                Ok(n) => pending.extend_from_slice(&chunk[..n]),
            }
        };
        let head = String::from_utf8_lossy(&pending[..end]).into_owned();
        pending.drain(..end);
        let mut words = head.split(' ');
        let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default().to_owned());
        assert_eq!(method, "GET", "collecting only reads: {head}");
        let time = {
            let mut counts = counts.lock().unwrap();
            let time = counts.entry(path.clone()).or_insert(0);
            *time += 1;
            *time - 1
        };
        let answer = serve(&path, time).unwrap_or_else(|| usual(&path));
        let written = match answer {
            Answer::Is(code, body, headers) => {
                let head = format!("HTTP/1.1 {code} X\r\nContent-Length: {}\r\n{headers}\r\n", body.len());
                stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body))
            }
            Answer::Half(body) => {
                let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
                let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body[..body.len() / 2]));
                return;
            }
            Answer::Hang => loop {
                std::thread::park();
            },
            Answer::Gone => return,
        };
        if written.is_err() {
            return;
        }
    }
}

/// An empty cluster of an older kind of discovery.
fn usual(path: &str) -> Answer {
    let bare = path.split('?').next().unwrap_or_default();
    let groups: Vec<Json> = GROUPS
        .iter()
        .map(|(name, version)| json!({"name": name, "versions": [{"groupVersion": format!("{name}/{version}"), "version": version}]}))
        .collect();
    match bare {
        "/version" => ok(&json!({"major": "1", "minor": "35", "gitVersion": "v1.35.4"})),
        "/api" => ok(&json!({"kind": "APIVersions", "versions": ["v1"]})),
        "/apis" => ok(&json!({"kind": "APIGroupList", "groups": groups})),
        _ if bare.ends_with("/leases") => ok(&json!({"kind": "LeaseList", "items": []})),
        _ if bare.ends_with("/proxy/configz") => ok(&json!({"kubeletconfig": {}})),
        _ => ok(&json!({"kind": "List", "apiVersion": "v1", "metadata": {}, "items": null})),
    }
}

const GROUPS: &[(&str, &str)] = &[
    ("apps", "v1"),
    ("batch", "v1"),
    ("policy", "v1"),
    ("node.k8s.io", "v1"),
    ("autoscaling", "v2"),
    ("storage.k8s.io", "v1"),
    ("networking.k8s.io", "v1"),
    ("coordination.k8s.io", "v1"),
    ("certificates.k8s.io", "v1"),
    ("apiregistration.k8s.io", "v1"),
    ("apiextensions.k8s.io", "v1"),
    ("rbac.authorization.k8s.io", "v1"),
    ("admissionregistration.k8s.io", "v1"),
    ("scheduling.k8s.io", "v1"),
    ("discovery.k8s.io", "v1"),
];

fn is(path: &str, resource: &str) -> bool {
    path.split('?').next() == Some(resource)
}

fn node(name: &str) -> Json {
    json!({"metadata": {"name": name, "uid": name}, "spec": {}, "status": {}})
}

fn page(names: &[&str], next: &str) -> Answer {
    let items: Vec<Json> = names.iter().map(|name| node(name)).collect();
    ok(&json!({"kind": "NodeList", "apiVersion": "v1", "metadata": {"continue": next}, "items": items}))
}

fn names(target: &Target) -> Vec<&str> {
    target.of(&NODE).map(|node| &*node.name).collect()
}

/// The one reason why nothing of a cluster was read.
fn why(target: &Target) -> &str {
    assert!(target.components.is_empty(), "{target:?}");
    assert_eq!(target.gaps.len(), 1, "{:?}", target.gaps);
    let reason = &target.gaps[0].reason;
    assert!(!reason.contains('\n'), "{reason}");
    reason
}

const NODES: &str = "/api/v1/nodes";

#[test]
fn an_empty_cluster_has_no_gap_but_what_was_not_asked_for() {
    let server = Server::start(|_, _| None);
    let target = server.collect();
    assert_eq!(target.gaps, []);
    // What only nodes tell of is not there either.
    let of_nodes = [&APISERVER, &ETCD, &CONTROLLER_MANAGER, &SCHEDULER, &PROXY, &FILE].map(|kind| kind.name);
    let incomplete = target.incomplete.keys().copied().filter(|kind| !of_nodes.contains(kind));
    assert_eq!(incomplete.collect::<Vec<_>>(), [SECRET.name]);
    assert_eq!(target.of(&CLUSTER).next().unwrap().value("minor").as_int(), Some(35));
}

#[test]
fn what_is_no_cluster_is_one_line() {
    type Case = (fn(&str, usize) -> Option<Answer>, &'static str);
    let cases: [Case; 7] = [
        (|_, _| Some(Answer::Is(200, b"<html>hello</html>".to_vec(), "")), "no version of Kubernetes"),
        (|_, _| Some(Answer::Is(404, b"not here".to_vec(), "")), "not as an API server does"),
        (|_, _| Some(Answer::Is(302, Vec::new(), "Location: http://127.0.0.1:1/\r\n")), "redirect"),
        (|_, _| Some(status(401, "Unauthorized")), "is not accepted"),
        (|_, _| Some(status(500, "boom")), "boom"),
        (|_, _| Some(Answer::Gone), "connection ended"),
        (|_, _| Some(Answer::Is(200, vec![b'x'; 17 << 20], "")), "larger than"),
    ];
    for (serve, expected) in cases {
        let target = Server::start(serve).collect();
        assert!(why(&target).contains(expected), "{expected}: {}", why(&target));
    }
}

#[test]
fn a_server_that_hangs_is_left() {
    let server = Server::start(|_, _| Some(Answer::Hang));
    let options = Options { timeout: Duration::from_secs(1), ..server.options() };
    let target = collect(&options).unwrap().targets.remove(0);
    assert!(why(&target).contains("no answer within 1 s"), "{}", why(&target));
}

#[test]
fn a_server_that_stops_answering_is_not_waited_for_again_and_again() {
    let server =
        Server::start(|path, _| (path.starts_with("/api/v1/") || path.starts_with("/apis/")).then_some(Answer::Hang));
    let options = Options { timeout: Duration::from_secs(1), ..server.options() };
    let target = collect(&options).unwrap().targets.remove(0);
    for kind in [&NODE, &CONFIG_MAP, &VOLUME, &API_SERVICE, &CERTIFICATE_REQUEST] {
        assert!(target.incomplete.contains_key(kind.name), "{}", kind.name);
    }
    assert!(target.gaps.iter().any(|gap| gap.reason.contains("not asked any more")), "{:?}", target.gaps);
}

#[test]
fn nothing_listens() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("config");
    let config = json!({"current-context": "c", "clusters": [{"name": "c", "cluster": {"server": format!("https://127.0.0.1:{port}")}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": ""}}]});
    std::fs::write(&file, config.to_string()).unwrap();
    let options = Options {
        kubeconfig: Some(file),
        context: None,
        namespaces: vec![],
        secrets: false,
        timeout: Duration::from_secs(5),
    };
    let target = collect(&options).unwrap().targets.remove(0);
    assert!(why(&target).contains("connection refused"), "{}", why(&target));
}

#[test]
fn too_many_requests_are_waited_for() {
    let server = Server::start(|path, time| match (is(path, NODES), time) {
        (true, 0) => Some(Answer::Is(429, Vec::new(), "Retry-After: 0\r\n")),
        (true, 1) => Some(Answer::Is(429, Vec::new(), "")),
        (true, _) => Some(page(&["n1"], "")),
        _ => None,
    });
    let target = server.collect();
    assert_eq!((names(&target), target.gaps.len(), server.times(NODES)), (vec!["n1"], 0, 3));
    let server = Server::start(|path, _| is(path, NODES).then(|| Answer::Is(429, Vec::new(), "Retry-After: 0\r\n")));
    let target = server.collect();
    assert!(target.incomplete[NODE.name].contains("too many requests"), "{:?}", target.incomplete);
    assert_eq!(server.times(NODES), 4);
}

#[test]
fn passing_failures_are_tried_again_and_lasting_ones_are_gaps() {
    let server = Server::start(|path, time| match (is(path, NODES), time) {
        (true, 0) => Some(status(500, "etcd leader changed")),
        (true, 1) => Some(Answer::Half(json!({"kind": "NodeList", "items": []}).to_string().into_bytes())),
        (true, 2) => Some(Answer::Gone),
        (true, _) => Some(page(&["n1"], "")),
        _ => None,
    });
    let target = server.collect();
    assert_eq!((names(&target), target.gaps.len()), (vec!["n1"], 0), "{:?}", target.gaps);
    for (answer, expected) in [
        (|| status(500, "boom"), "boom"),
        (|| Answer::Half(vec![b' '; 100]), "connection ended"),
        (|| Answer::Is(200, b"{\"kind\":\"NodeList\",\"items\":[{".to_vec(), ""), "no JSON"),
        (|| Answer::Is(200, b"{\"kind\":\"NodeList\",\"items\":{}}".to_vec(), ""), "items are none"),
        (|| Answer::Is(200, b"{\"kind\":\"Status\"}".to_vec(), ""), "no list"),
        (|| Answer::Is(200, [vec![b'['; 100_000], vec![b']'; 100_000]].concat(), ""), "no list"),
        (
            || Answer::Is(200, [b"{\"kind\":\"NodeList\",\"items\":".to_vec(), vec![b'['; 100_000]].concat(), ""),
            "no JSON",
        ),
        (|| status(404, "page not found"), "a foreign API"),
        (|| Answer::Is(307, Vec::new(), "Location: http://127.0.0.1:1/\r\n"), "redirect"),
    ] as [(fn() -> Answer, &str); 9]
    {
        let target = Server::start(move |path, _| is(path, NODES).then(answer)).collect();
        let reason = &target.incomplete[NODE.name];
        assert!(reason.contains(expected) && !reason.contains('\n'), "{expected}: {reason}");
        assert!(target.of(&CLUSTER).next().unwrap().value("nodes").is_unknown());
        // The others are read all the same.
        assert!(!target.incomplete.contains_key(VOLUME.name), "{:?}", target.incomplete);
    }
}

#[test]
fn a_missing_right_is_named() {
    let server = Server::start(|path, _| {
        is(path, "/apis/certificates.k8s.io/v1/certificatesigningrequests").then(|| status(403, "forbidden"))
    });
    let target = server.collect();
    let reason = &target.incomplete[CERTIFICATE_REQUEST.name];
    assert!(reason.contains("verb list, resource certificatesigningrequests of certificates.k8s.io"), "{reason}");
    assert_eq!(target.gaps.len(), 1, "{:?}", target.gaps);
    assert_eq!(server.times("/apis/certificates.k8s.io/v1/certificatesigningrequests"), 1);
}

#[test]
fn an_expired_list_is_begun_anew_once_and_nothing_counts_twice() {
    let server = Server::start(|path, time| {
        match (is(path, NODES), path.contains("continue=a"), path.contains("continue=b"), time) {
            (true, false, false, _) => Some(page(&["n1", "n2"], "a")),
            (true, true, _, 0) => Some(status(410, "expired")),
            (true, true, ..) => Some(page(&["n2", "n3"], "b")),
            (true, _, true, _) => Some(page(&["n4"], "")),
            _ => None,
        }
    });
    let target = server.collect();
    assert_eq!(names(&target), ["n1", "n2", "n3", "n4"]);
    assert_eq!(target.gaps, []);
    let server = Server::start(|path, _| match (is(path, NODES), path.contains("continue")) {
        (true, false) => Some(page(&["n1"], "a")),
        (true, true) => Some(status(410, "expired")),
        _ => None,
    });
    let target = server.collect();
    assert_eq!(names(&target), ["n1"]);
    assert!(target.incomplete[NODE.name].contains("expired twice"), "{:?}", target.incomplete);
}

#[test]
fn pages_without_end_end() {
    let server = Server::start(|path, _| is(path, NODES).then(|| page(&["n1"], "again")));
    let target = server.collect();
    assert!(target.incomplete[NODE.name].contains("pages without end"), "{:?}", target.incomplete);
    assert!(server.times(NODES) < 10);
}

#[test]
fn a_page_that_is_too_large_is_asked_for_in_parts() {
    let huge = "x".repeat(66 << 20);
    let server = Server::start(move |path, _| match (is(path, NODES), path.contains("limit=500")) {
        (true, true) => Some(ok(&json!({"kind": "NodeList", "items": [{"metadata": {"name": huge}}]}))),
        (true, false) => Some(page(&["n1"], "")),
        _ => None,
    });
    let target = server.collect();
    assert_eq!((names(&target), target.gaps.len()), (vec!["n1"], 0), "{:?}", target.gaps);
}

#[test]
fn an_aggregated_api_that_is_down_hurts_itself_alone() {
    let server = Server::start(|path, _| match path.split('?').next().unwrap_or_default() {
        "/apis" => Some(ok(&json!({"kind": "APIGroupDiscoveryList", "items": GROUPS.iter().map(|(group, version)| {
            let stale = *group == "certificates.k8s.io";
            let resources = if stale { vec![] } else { RESOURCES.iter().map(|r| json!({"resource": r})).collect() };
            json!({"metadata": {"name": group}, "versions": [{"version": version, "freshness": if stale { "Stale" } else { "Current" }, "resources": resources}]})
        }).collect::<Vec<_>>()}))),
        "/apis/certificates.k8s.io/v1/certificatesigningrequests" => Some(status(503, "service unavailable")),
        _ => None,
    });
    let target = server.collect();
    assert!(target.incomplete[CERTIFICATE_REQUEST.name].contains("does not answer"), "{:?}", target.incomplete);
    assert!(!target.incomplete.contains_key(API_SERVICE.name));
}

const RESOURCES: &[&str] = &["apiservices", "customresourcedefinitions", "runtimeclasses", "storageclasses"];

#[test]
fn objects_of_hostile_content_are_unknown_and_hurt_nobody() {
    let server = Server::start(|path, _| {
        is(path, NODES).then(|| {
            ok(&json!({"kind": "NodeList", "items": [
                {"metadata": {"name": "odd", "labels": [], "annotations": 3}, "spec": "no", "status": {"conditions": {}, "nodeInfo": {"kubeletVersion": 7}}},
                {"metadata": {"name": "new", "uid": "1"}, "spec": {"taints": [{"key": "k", "effect": "NeverHeardOf"}], "podCIDRs": null},
                 "status": {"conditions": [{"type": "Ready", "status": "Perhaps"}]}, "novel": {"field": []}},
            ]}))
        })
    });
    let target = server.collect();
    let odd = target.of(&NODE).find(|n| &*n.name == "odd").unwrap();
    for fact in ["labels", "control_plane", "taints", "ready", "kubelet_version"] {
        assert!(odd.value(fact).is_unknown(), "{fact}");
    }
    let new = target.of(&NODE).find(|n| &*n.name == "new").unwrap();
    assert!(new.value("ready").is_unknown());
    assert!(new.value("taints").to_string().contains("NeverHeardOf"));
    // An item without a name is none of the API's, and what there is besides may be just as wrong.
    let server = Server::start(|path, _| {
        is(path, NODES).then(|| ok(&json!({"kind": "NodeList", "items": [7, {"metadata": {"name": "n1"}}]})))
    });
    let target = server.collect();
    assert_eq!(names(&target), ["n1"]);
    assert!(target.incomplete[NODE.name].contains("without a name"), "{:?}", target.incomplete);
}

#[test]
fn secrets_are_listed_as_a_table_or_not_at_all() {
    let secret = "/api/v1/namespaces/shop/secrets";
    let table = json!({"kind": "Table", "columnDefinitions": [{"name": "Name"}, {"name": "Type"}, {"name": "Data"}, {"name": "Age"}],
        "rows": [{"cells": ["db", "Opaque", 1, "6d"]}]});
    let server = Server::start(move |path, _| is(path, secret).then(|| ok(&table)));
    assert!(server.collect().of(&SECRET).next().is_none());
    assert_eq!(server.times(secret) + server.times("/api/v1/secrets"), 0);
    let options = Options { secrets: true, namespaces: vec!["shop".into()], ..server.options() };
    let target = collect(&options).unwrap().targets.remove(0);
    assert_eq!(target.of(&SECRET).next().unwrap().value("type").as_str(), Some("Opaque"));
    // One who hands out the objects instead is not believed, and nothing of it is kept.
    let list =
        json!({"kind": "SecretList", "items": [{"metadata": {"name": "db"}, "data": {"password": "aHVudGVyMg=="}}]});
    let server = Server::start(move |path, _| is(path, secret).then(|| ok(&list)));
    let options = Options { secrets: true, namespaces: vec!["shop".into()], ..server.options() };
    let target = collect(&options).unwrap().targets.remove(0);
    assert!(target.of(&SECRET).next().is_none() && target.incomplete.contains_key(SECRET.name));
    assert!(!format!("{target:?}").contains("aHVudGVyMg"));
    assert_eq!(server.times("/api/v1/secrets"), 0);
}

#[test]
fn kubeconfigs_that_make_no_sense_are_one_line_without_their_content() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("config");
    let options = |path: &std::path::Path, context: Option<&str>| Options {
        kubeconfig: Some(path.to_owned()),
        context: context.map(str::to_owned),
        namespaces: vec![],
        secrets: false,
        timeout: Duration::from_secs(5),
    };
    let whole = json!({"current-context": "c", "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}],
        "users": [{"name": "u", "user": {"token": "hunter2"}}], "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}]});
    let without = |key: &str| {
        let mut part = whole.clone();
        part.as_object_mut().unwrap().remove(key);
        part.to_string()
    };
    let mut exec = whole.clone();
    exec["users"][0]["user"] = json!({"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "/no/such/plugin", "installHint": "get it\nthere"}});
    let mut failing = whole.clone();
    failing["users"][0]["user"] = json!({"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "sh",
        "args": ["-c", "echo '{\"status\":{\"token\":\"hunter2\"}}'; echo password=hunter2-Correct-9 >&2; exit 3"]}});
    let mut talking = whole.clone();
    talking["users"][0]["user"] =
        json!({"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "echo", "args": ["hunter2"]}});
    for (text, context, expected) in [
        ("clusters: [{name: hunter2, cluster: {server: [".to_owned(), None, "line 1"),
        ("token: hunter2\n\tbad".to_owned(), None, "no kubeconfig"),
        (String::new(), None, "empty"),
        (whole.to_string(), Some("other"), "no context other; choose one with --context NAME (there are: c)"),
        (without("current-context"), None, "no current context"),
        (without("clusters"), None, "no cluster c"),
        (exec.to_string(), None, "/no/such/plugin cannot be started"),
        (failing.to_string(), None, "sh failed"),
        (talking.to_string(), None, "something other than JSON"),
    ] {
        std::fs::write(&path, &text).unwrap();
        let why = collect(&options(&path, context)).unwrap_err();
        assert!(why.contains(expected) && !why.contains('\n') && !why.contains("hunter2"), "{expected}: {why}");
        assert!(why.contains("config"), "{why}");
    }
    let why = collect(&options(&dir.path().join("absent"), None)).unwrap_err();
    assert!(why.contains("absent: cannot be read"), "{why}");
}

#[test]
fn a_plugin_hands_out_the_credential() {
    let server = Server::start(|_, _| None);
    let file = server.dir.path().join("config");
    let mut config: Json = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    config["users"][0]["user"] = json!({"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "sh", "interactiveMode": "Never",
        "env": [{"name": "GIVEN", "value": "abc"}],
        "args": ["-c", "echo \"{\\\"kind\\\":\\\"ExecCredential\\\",\\\"status\\\":{\\\"token\\\":\\\"$GIVEN\\\"}}\""]}});
    std::fs::write(&file, config.to_string()).unwrap();
    let target = server.collect();
    assert_eq!(target.gaps, []);
    assert!(target.of(&CLUSTER).next().unwrap().value("collected_as").is_unknown());
}
