//! Peers that are absent, forbidden, hung, broken, or up to no good.

use std::fs;
use std::ops::ControlFlow;

use super::*;

async fn failure_at(path: &Path) -> Failure {
    Engine::connect(&at(path), small()).await.unwrap_err()
}

#[tokio::test]
async fn what_is_no_listening_socket_is_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    fs::write(path("file"), "x").unwrap();
    drop(std::os::unix::net::UnixListener::bind(path("dead")).unwrap());
    std::os::unix::fs::symlink(path("loop"), path("loop")).unwrap();
    let _datagrams = std::os::unix::net::UnixDatagram::bind(path("datagram")).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, path("fifo"), rustix::fs::Mode::RUSR).unwrap();
    assert!(matches!(failure_at(&path("absent")).await, Failure::NoSocket { .. }));
    assert!(matches!(failure_at(&path("file/below")).await, Failure::NoSocket { .. }));
    assert!(matches!(failure_at(&path("dead")).await, Failure::DeadSocket { .. }));
    assert!(matches!(failure_at(&path("loop")).await, Failure::Unreachable { .. }));
    for (name, expected) in
        [("file", "a regular file"), (".", "a directory"), ("fifo", "a FIFO"), ("datagram", "not a stream")]
    {
        let Failure::NotASocket { found, .. } = failure_at(&path(name)).await else { panic!("{name}") };
        assert!(found.contains(expected), "{name}: {found}");
    }
    let long = dir.path().join("x".repeat(300));
    assert!(matches!(failure_at(&long).await, Failure::Unreachable { .. }));
}

#[tokio::test]
async fn a_closed_port_refuses() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let endpoint = Endpoint::parse(&format!("tcp://127.0.0.1:{port}"), None, "test").unwrap();
    let failure = Engine::connect(&endpoint, small()).await.unwrap_err();
    assert!(matches!(failure, Failure::DeadSocket { .. }), "{failure}");
}

#[tokio::test]
async fn tcp_with_a_base_path_is_asked_below_it() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        assert_eq!(asked(&mut stream).await.unwrap(), "/base/version");
        stream.write_all(&version_answer()).await.unwrap();
        assert_eq!(asked(&mut stream).await.unwrap(), "/base/v1.44/info");
        stream.write_all(&response("200 OK", b"{}")).await.unwrap();
    });
    let endpoint = Endpoint::parse(&format!("tcp://127.0.0.1:{port}/base/"), None, "test").unwrap();
    let engine = Engine::connect(&endpoint, small()).await.unwrap();
    assert_eq!(engine.get("/info").await.unwrap(), json!({}));
}

#[tokio::test]
async fn a_silent_engine_times_out() {
    let peer = peer(|mut stream| async move {
        asked(&mut stream).await;
        std::future::pending::<()>().await;
    });
    let failure = impatient_failure(&peer).await;
    assert!(matches!(failure, Failure::TimedOut { .. }), "{failure}");
}

#[tokio::test]
async fn an_engine_that_accepts_nothing_times_out() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s");
    let socket = rustix::net::socket(rustix::net::AddressFamily::UNIX, rustix::net::SocketType::STREAM, None).unwrap();
    rustix::net::bind(&socket, &rustix::net::SocketAddrUnix::new(&path).unwrap()).unwrap();
    rustix::net::listen(&socket, 0).unwrap();
    let _fills_the_queue = std::os::unix::net::UnixStream::connect(&path).unwrap();
    let limits = Limits { connect: Duration::from_millis(200), ..small() };
    let failure = Engine::connect(&at(&path), limits).await.unwrap_err();
    assert!(matches!(failure, Failure::TimedOut { .. }), "{failure}");
}

#[tokio::test]
async fn a_body_that_drips_times_out() {
    let peer = peer(|mut stream| async move {
        while let Some(path) = asked(&mut stream).await {
            if path == "/version" {
                stream.write_all(&version_answer()).await.unwrap();
                continue;
            }
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n[").await.unwrap();
            while stream.write_all(b" ").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    });
    let failure = impatient_failure(&peer).await;
    assert!(matches!(failure, Failure::TimedOut { .. }), "{failure}");
}

#[tokio::test]
async fn an_engine_whose_answers_never_end_is_left() {
    let peer = peer(|stream| async move { well_but(stream, &response("200 OK", b"{}")).await });
    let limits = Limits { whole: Duration::from_millis(200), ..small() };
    let failure = match Engine::connect(&peer.endpoint(), limits).await {
        Ok(engine) => loop {
            if let Err(failure) = engine.get("/info").await {
                break failure;
            }
        },
        Err(failure) => failure,
    };
    assert!(matches!(failure, Failure::Late { .. }), "{failure}");
}

/// A peer that sends `start`, then `again` without end.
fn flood(start: &'static [u8], again: &'static [u8]) -> Peer {
    peer(move |mut stream| async move {
        while let Some(path) = asked(&mut stream).await {
            if path == "/version" {
                stream.write_all(&version_answer()).await.unwrap();
                continue;
            }
            let _ = stream.write_all(start).await;
            let block = again.repeat(1000);
            while stream.write_all(&block).await.is_ok() {}
            return;
        }
    })
}

#[tokio::test]
async fn endless_headers_are_refused() {
    for again in [b"X-More: and more and more\r\n".as_slice(), b"x"] {
        let engine = flood(b"HTTP/1.1 200 OK\r\nX-", again).connect().await;
        let failure = match engine {
            Ok(engine) => engine.get("/info").await.unwrap_err(),
            Err(failure) => failure,
        };
        assert!(matches!(failure, Failure::HeadersTooLarge { .. }), "{failure}");
    }
}

#[tokio::test]
async fn endless_interim_answers_time_out() {
    let peer = flood(b"", b"HTTP/1.1 100 Continue\r\n\r\n");
    let failure = impatient_failure(&peer).await;
    assert!(matches!(failure, Failure::TimedOut { .. }), "{failure}");
}

#[tokio::test]
async fn gigabytes_are_refused() {
    let chunked =
        flood(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"20\r\n                                \r\n");
    let failure = chunked.connect().await.unwrap().get("/info").await.unwrap_err();
    assert!(matches!(failure, Failure::BodyTooLarge { limit: 1_048_576, .. }), "{failure}");
    let failure = chunked.connect().await.unwrap().get_list("/info").await.unwrap_err();
    assert!(matches!(failure, Failure::BodyTooLarge { limit: 2_097_152, .. }), "{failure}");
    let until_close = flood(b"HTTP/1.1 200 OK\r\n\r\n", b"        ");
    let failure = until_close.connect().await.unwrap().get("/info").await.unwrap_err();
    assert!(matches!(failure, Failure::BodyTooLarge { .. }), "{failure}");
    let failure = answered_with(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n".into()).await.unwrap_err();
    assert!(matches!(failure, Failure::BodyTooLarge { .. }), "{failure}");
}

#[tokio::test]
async fn a_length_that_lies_is_no_answer() {
    // Shorter than the body: what follows belongs to nothing.
    let failure = answered_with(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n[1,2,3]".into()).await.unwrap_err();
    assert!(matches!(failure, Failure::BrokenJson { .. }), "{failure}");
    for two_lengths in [
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{} ",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n{}\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFFF\r\n{}\r\n0\r\n\r\n",
    ] {
        let failure = answered_with(two_lengths.into()).await.unwrap_err();
        assert!(matches!(failure, Failure::NotHttp { .. }), "{two_lengths}: {failure}");
    }
}

#[tokio::test]
async fn an_engine_that_stops_half_way_ended_early() {
    for half in [
        "",
        "HTTP/1.1 200",
        "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"a\":",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"a\":\r\n",
    ] {
        let peer = peer(move |mut stream| async move {
            while let Some(path) = asked(&mut stream).await {
                if path == "/version" {
                    stream.write_all(&version_answer()).await.unwrap();
                } else {
                    stream.write_all(half.as_bytes()).await.unwrap();
                    return;
                }
            }
        });
        let failure = peer.connect().await.unwrap().get("/info").await.unwrap_err();
        assert!(matches!(failure, Failure::EndedEarly { .. }), "{half}: {failure}");
    }
}

#[tokio::test]
async fn a_peer_without_http_is_told() {
    for banner in
        ["SSH-2.0-OpenSSH_9.2p1\r\n", "220 mail ESMTP\r\n", "\x15\x03\x01\x00\x02\x02\x16", "PRI * HTTP/2.0\r\n\r\n"]
    {
        let peer = peer(move |mut stream| async move {
            stream.write_all(banner.as_bytes()).await.unwrap();
            asked(&mut stream).await;
            asked(&mut stream).await;
        });
        let failure = peer.connect().await.unwrap_err();
        assert!(matches!(failure, Failure::NotHttp { .. }), "{banner:?}: {failure:?}");
    }
}

#[tokio::test]
async fn broken_json_and_deep_json_are_errors() {
    for (body, deep) in [("{", false), ("", false), ("<html>", false), ("[1] x", false), (&*"[".repeat(500_000), true)]
    {
        let failure = answered_with(response("200 OK", body.as_bytes())).await.unwrap_err();
        assert_eq!(matches!(failure, Failure::TooDeep { .. }), deep, "{failure}");
        assert_eq!(matches!(failure, Failure::BrokenJson { .. }), !deep, "{failure}");
    }
}

#[tokio::test]
async fn invalid_utf8_in_a_name_loses_the_name_only() {
    let value = answered_with(response("200 OK", b"{\"Name\":\"\xc3\x28\",\"N\":1}")).await.unwrap();
    assert_eq!(value, json!({"Name": "\u{fffd}(", "N": 1}));
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let answer = b"HTTP/1.1 307 Temporary\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n";
    let failure = answered_with(answer.to_vec()).await.unwrap_err();
    assert!(matches!(failure, Failure::Redirected { status: 307, .. }), "{failure}");
    let failure = answered_with(b"HTTP/1.1 101 Switching Protocols\r\n\r\n".to_vec()).await.unwrap_err();
    assert!(!failure.to_string().contains('\n'), "{failure}");
}

#[tokio::test]
async fn a_refusal_is_bounded_and_escaped() {
    let body = json!({"message": format!("no\x1b[2J http://u:hunter2@h/ {}", "y".repeat(100_000))}).to_string();
    // Longer than is read of an error, so the reason is lost, not the status.
    let failure = answered_with(response("500 Internal Server Error", body.as_bytes())).await.unwrap_err();
    assert!(matches!(failure, Failure::Status { code: 500, .. }), "{failure}");
    let failure = answered_with(response("403 Forbidden", &body.as_bytes()[..2000])).await.unwrap_err();
    let line = failure.to_string();
    assert!(matches!(failure, Failure::Status { code: 403, .. }), "{line}");
    assert!(line.chars().count() < 400 && !line.contains(char::is_control) && !line.contains("hunter2"), "{line}");
}

#[tokio::test]
async fn connections_closed_between_requests_are_opened_again() {
    let peer = peer(|mut stream| async move {
        if let Some(path) = asked(&mut stream).await {
            let answer = if path == "/version" { version_answer() } else { response("200 OK", b"1") };
            stream.write_all(&answer).await.unwrap();
        }
    });
    let engine = peer.connect().await.unwrap();
    for _ in 0..3 {
        assert_eq!(engine.get("/a").await.unwrap(), json!(1));
    }
    assert_eq!(peer.taken.load(Ordering::SeqCst), 4);
}

#[tokio::test]
async fn a_peer_that_only_closes_is_asked_twice_at_most() {
    let asked_for = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked_for);
    let peer = peer(move |mut stream| {
        let count = Arc::clone(&count);
        async move {
            while let Some(path) = asked(&mut stream).await {
                if path != "/version" {
                    count.fetch_add(1, Ordering::SeqCst);
                    return;
                }
                stream.write_all(&version_answer()).await.unwrap();
            }
        }
    });
    let failure = peer.connect().await.unwrap().get("/info").await.unwrap_err();
    assert!(matches!(failure, Failure::EndedEarly { .. }), "{failure}");
    assert_eq!(asked_for.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn no_more_connections_than_lanes() {
    let peer = peer(|stream| async move { well_but(stream, &response("200 OK", b"[]")).await });
    let engine = peer.connect().await.unwrap();
    let tasks: Vec<_> = (0..200)
        .map(|_| {
            let engine = engine.clone();
            tokio::spawn(async move { engine.get("/x").await })
        })
        .collect();
    for task in tasks {
        assert_eq!(task.await.unwrap().unwrap(), json!([]));
    }
    let taken = peer.taken.load(Ordering::SeqCst);
    assert!((1..=4).contains(&taken), "{taken}");
}

#[tokio::test]
async fn a_request_given_up_costs_its_connection_only() {
    let peer = peer(|mut stream| async move {
        while let Some(path) = asked(&mut stream).await {
            match path.as_str() {
                "/version" => stream.write_all(&version_answer()).await.unwrap(),
                "/v1.44/slow" => std::future::pending().await,
                _ => stream.write_all(&response("200 OK", b"2")).await.unwrap(),
            }
        }
    });
    let engine = Engine::connect(&peer.endpoint(), Limits { lanes: 1, ..small() }).await.unwrap();
    let given_up = tokio::time::timeout(Duration::from_millis(50), engine.get("/slow")).await;
    assert!(given_up.is_err());
    assert_eq!(engine.get("/fast").await.unwrap(), json!(2));
}

#[tokio::test]
async fn versions_of_the_api() {
    async fn connect(status: &'static str, version: &'static str) -> Result<Engine, Failure> {
        let peer = peer(move |mut stream| async move {
            while let Some(path) = asked(&mut stream).await {
                let answer = match path.as_str() {
                    "/version" => response(status, version.as_bytes()),
                    "/_ping" => b"HTTP/1.1 200 OK\r\nApi-Version: 1.43\r\nContent-Length: 2\r\n\r\nOK".to_vec(),
                    path => response("200 OK", format!("{path:?}").as_bytes()),
                };
                stream.write_all(&answer).await.unwrap();
            }
        });
        let engine = peer.connect().await?;
        let said = engine.get("/x").await?;
        assert_eq!(said, json!(format!("/v{}/x", engine.api())));
        Ok(engine)
    }
    let engine = connect("200 OK", r#"{"ApiVersion":"1.60","MinAPIVersion":"1.44"}"#).await.unwrap();
    assert_eq!((engine.api(), engine.server_api().to_string().as_str()), (NEWEST_API, "1.60"));
    let engine = connect("200 OK", r#"{"ApiVersion":"1.26","MinAPIVersion":"1.12"}"#).await.unwrap();
    assert!(matches!(engine.caveat(), Some(Failure::ApiTooOld { .. })));
    assert_eq!(engine.api().to_string(), "1.26");
    let podman = r#"{"ApiVersion":"1.41","Components":[{"Name":"Podman Engine","Version":"5.4"}]}"#;
    let engine = connect("200 OK", podman).await.unwrap();
    assert!(engine.is_podman() && engine.caveat().is_none());
    // A proxy that keeps /version back.
    let engine = connect("403 Forbidden", "no").await.unwrap();
    assert_eq!(engine.api().to_string(), "1.43");
    assert!(engine.version().is_null());
    let failure = connect("200 OK", r#"{"ApiVersion":"1.70","MinAPIVersion":"1.60"}"#).await.unwrap_err();
    assert!(matches!(failure, Failure::ApiTooNew { .. }), "{failure}");
    let failure = connect("200 OK", r#"{"major":"1","minor":"34","gitVersion":"v1.34.1"}"#).await.unwrap_err();
    assert!(matches!(failure, Failure::NotAnEngine { .. }), "{failure}");
}

#[tokio::test]
async fn streams_with_a_bound() {
    let peer = peer(|stream| async move { well_but(stream, &response("200 OK", &[7; 100_000])).await });
    let engine = peer.connect().await.unwrap();
    let mut total = 0;
    let mut count = |chunk: &[u8]| {
        total += chunk.len();
        ControlFlow::Continue(())
    };
    engine.get_bytes_with("/tar", 100_000, &mut count).await.unwrap();
    assert_eq!(total, 100_000);
    let failure = engine.get_bytes_with("/tar", 99_999, |_| ControlFlow::Continue(())).await.unwrap_err();
    assert!(matches!(failure, Failure::BodyTooLarge { limit: 99_999, .. }), "{failure}");
    let mut chunks = 0;
    let broken_off = engine.get_bytes_with("/tar", 100_000, |_| {
        chunks += 1;
        ControlFlow::Break(())
    });
    broken_off.await.unwrap();
    assert_eq!(chunks, 1);
    assert!(matches!(engine.get("/tar").await, Err(Failure::BrokenJson { .. })));
}

#[tokio::test]
async fn names_of_others_stay_one_segment() {
    assert_eq!(path_segment("web-1_a.b:c@sha256"), "web-1_a.b:c@sha256");
    assert_eq!(path_segment("a/../b?c#d%e f\n\u{e9}"), "a%2F%2E%2E%2Fb%3Fc%23d%25e%20f%0A%C3%A9");
    assert_eq!(path_segment(".."), "%2E%2E");
    let peer = peer(|stream| async move { well_but(stream, &response("200 OK", b"1")).await });
    let engine = peer.connect().await.unwrap();
    let failure = engine.get("/a b\r\nX: y").await.unwrap_err();
    assert!(matches!(failure, Failure::Usage { .. }) && !failure.to_string().contains('\n'), "{failure}");
    assert_eq!(engine.get("/fine").await.unwrap(), json!(1));
}
