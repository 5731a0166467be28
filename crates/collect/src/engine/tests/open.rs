//! Engines that are opened by a ping and tell of themselves later.

use super::*;

const PING: &[u8] = b"HTTP/1.1 200 OK\r\nApi-Version: 1.44\r\nContent-Length: 2\r\n\r\nOK";

/// Answers `/_ping` and `/version` with these bytes, and everything else with its path.
fn pinged(ping: &'static [u8], version: Vec<u8>) -> Peer {
    let version = Arc::new(version);
    peer(move |mut stream| {
        let version = Arc::clone(&version);
        async move {
            while let Some(path) = asked(&mut stream).await {
                let answer = match path.as_str() {
                    "/_ping" => ping.to_vec(),
                    "/version" => version.to_vec(),
                    other => response("200 OK", json!(other).to_string().as_bytes()),
                };
                if stream.write_all(&answer).await.is_err() {
                    return;
                }
            }
        }
    })
}

async fn open(peer: &Peer) -> Result<Engine, Failure> {
    Engine::open(&peer.endpoint(), small()).await
}

#[tokio::test]
async fn a_ping_is_enough_to_ask_and_the_engine_introduces_itself_later() {
    let peer = pinged(PING, version_answer());
    let engine = open(&peer).await.unwrap();
    assert_eq!((engine.api().to_string(), engine.version()), ("1.44".to_owned(), &Value::Null));
    assert_eq!(engine.get("/info").await.unwrap(), json!("/v1.44/info"));
    engine.introduce().await.unwrap();
    assert_eq!(engine.version()["MinAPIVersion"], "1.24");
    engine.introduce().await.unwrap();
    assert_eq!(engine.get("/info").await.unwrap(), json!("/v1.44/info"));
}

#[tokio::test]
async fn without_a_ping_the_version_tells_at_once() {
    for ping in [
        &b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"[..],
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK",
        b"HTTP/1.1 200 OK\r\nApi-Version: none\r\nContent-Length: 2\r\n\r\nOK",
    ] {
        let peer = pinged(ping, version_answer());
        let engine = open(&peer).await.unwrap();
        assert_eq!((engine.api().to_string(), &engine.version()["ApiVersion"]), ("1.44".to_owned(), &json!("1.44")));
    }
    let failure = open(&pinged(b"nonsense\r\n\r\n", b"nonsense\r\n\r\n".to_vec())).await.unwrap_err();
    assert!(failure.to_string().contains("/version"), "{failure}");
}

#[tokio::test]
async fn what_the_introduction_shows_counts() {
    let too_new = response("200 OK", br#"{"ApiVersion":"1.99","MinAPIVersion":"1.90"}"#);
    let foreign = response("200 OK", b"{}");
    for (version, words) in [(too_new, "1.90"), (foreign, "ApiVersion"), (response("500 Oh", b""), "500")] {
        let peer = pinged(PING, version);
        let engine = open(&peer).await.unwrap();
        let failure = engine.introduce().await.unwrap_err();
        assert!(failure.to_string().contains(words), "{failure}");
        assert_eq!(engine.version(), &Value::Null);
    }
    // A proxy that keeps it back.
    let peer = pinged(PING, response("403 Forbidden", b""));
    let engine = open(&peer).await.unwrap();
    engine.introduce().await.unwrap();
    assert_eq!((engine.version(), engine.server_api().to_string()), (&Value::Null, "1.44".to_owned()));
}

#[tokio::test]
async fn an_engine_that_is_none_after_all_is_not_gathered() {
    let peer = pinged(PING, response("200 OK", b"{}"));
    let engine = open(&peer).await.unwrap();
    let options = crate::docker::gather::Options {
        redactor: Arc::new(crate::redact::Redactor::new()),
        host: Arc::new(crate::docker::context::NoHost::new("not looked at")),
        collected_at: 0,
        deep: false,
        finish: None,
    };
    let failure = crate::docker::gather::gather(&engine, options).await.unwrap_err();
    assert!(matches!(failure, Failure::NotAnEngine { .. }), "{failure}");
}
