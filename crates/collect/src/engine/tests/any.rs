//! What must hold for any input at all.

use proptest::prelude::*;

use super::*;

proptest! {
    #[test]
    fn any_host_string_is_an_endpoint_or_one_line(text in "(unix|tcp|http|https|ssh|npipe|fd|x)?(://)?.{0,40}") {
        match Endpoint::parse(&text, None, "--docker") {
            Ok(endpoint) => prop_assert!(!endpoint.to_string().contains(char::is_control)),
            Err(failure) => prop_assert!(!failure.to_string().contains(char::is_control)),
        }
    }

    #[test]
    fn a_password_before_an_at_never_shows(
        scheme in "(unix|tcp|http|https|ssh|npipe|fd|x)",
        password in "PLANTED[!-~&&[^/@]]{0,8}",
        host in "[a-z.:\\[\\] ]{0,12}",
    ) {
        let line = match Endpoint::parse(&format!("{scheme}://me:{password}@{host}"), None, "--docker") {
            // For a unix socket it is a part of the path.
            Ok(Endpoint { transport: Transport::Unix(_), .. }) => return Ok(()),
            Ok(endpoint) => endpoint.to_string(),
            Err(failure) => failure.to_string(),
        };
        prop_assert!(!line.contains("PLANTED"), "{}", line);
    }

    #[test]
    fn any_text_is_made_fit_for_a_line(text in "(\\PC|\\p{Cc}|://|@|:){0,60}", limit in 0usize..50) {
        let line = sanitize(&text, limit);
        prop_assert!(!line.contains(char::is_control));
        // The longest escape is \u{10ffff}, ten characters.
        prop_assert!(line.chars().count() <= limit * 10 + 1);
    }

    #[test]
    fn any_segment_stays_one(name in any::<String>()) {
        let segment = path_segment(&name);
        prop_assert!(!segment.contains(['/', '?', '#', ' ']) && segment.is_ascii());
        prop_assert!(segment != "." && segment != "..");
    }

    #[test]
    fn any_version_is_agreed_on_or_refused(newest in any::<Option<String>>(), oldest in any::<Option<String>>()) {
        if let Ok(agreed) = negotiate::agree(newest.as_deref(), oldest.as_deref(), "x") {
            prop_assert!(agreed.api <= NEWEST_API);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// The peer closes after its bytes, so each ends; that it does so is what is tested.
    #[test]
    fn any_bytes_are_an_answer_or_a_failure(
        head in prop::sample::select(vec!["", "HTTP/1.1 ", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"]),
        tail in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let bytes = Arc::new([head.as_bytes(), &tail].concat());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let outcome = runtime.block_on(async {
            let peer = peer(move |mut stream| {
                let bytes = Arc::clone(&bytes);
                async move {
                    asked(&mut stream).await;
                    let _ = stream.write_all(&bytes).await;
                }
            });
            peer.connect().await
        });
        // No random bytes name a version of the API.
        let line = outcome.unwrap_err().to_string();
        prop_assert!(!line.contains(char::is_control), "{}", line);
    }
}
