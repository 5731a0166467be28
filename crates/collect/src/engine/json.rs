//! Bodies into JSON, so that hostile bytes are an error and not a loss of everything.

use std::str;

use serde::de::DeserializeOwned;

use super::failure::Failure;
use super::text::{PEER_TEXT_LIMIT, sanitize};

/// Parses a body. Invalid UTF-8 (a name or a label that somebody set so) is replaced by U+FFFD
/// rather than losing the whole answer; that second pass happens only then.
///
/// # Errors
/// [`Failure::TooDeep`] over 128 levels, else [`Failure::BrokenJson`].
pub fn parse<T: DeserializeOwned>(body: &[u8], at: impl Fn() -> String) -> Result<T, Failure> {
    let error = match serde_json::from_slice(body) {
        Ok(value) => return Ok(value),
        Err(error) => error,
    };
    let error = match str::from_utf8(body) {
        Ok(_) => error,
        Err(_) => match serde_json::from_str(&String::from_utf8_lossy(body)) {
            Ok(value) => return Ok(value),
            Err(error) => error,
        },
    };
    let why = error.to_string();
    if why.starts_with("recursion limit exceeded") {
        return Err(Failure::TooDeep { at: at() });
    }
    Err(Failure::BrokenJson { at: at(), why: sanitize(&why, PEER_TEXT_LIMIT) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn at() -> String {
        "GET /x".into()
    }

    #[test]
    fn invalid_utf8_costs_the_letter_only() {
        let value: Value = parse(b"{\"Name\":\"a\xff\xfeb\",\"Ok\":true}", at).unwrap();
        assert_eq!(value, json!({"Name": "a\u{fffd}\u{fffd}b", "Ok": true}));
    }

    #[test]
    fn depth_is_bounded() {
        let deep = "[".repeat(100_000);
        assert_eq!(parse::<Value>(deep.as_bytes(), at), Err(Failure::TooDeep { at: at() }));
    }

    #[test]
    fn broken_json_names_the_place() {
        let Err(Failure::BrokenJson { why, .. }) = parse::<Value>(b"{\"a\":1,\n!}", at) else { panic!("parsed") };
        assert!(why.contains("line 2 column 1"), "{why}");
        assert!(matches!(parse::<Value>(b"", at), Err(Failure::BrokenJson { .. })));
    }
}
