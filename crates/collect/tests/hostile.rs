//! What others wrote is read without a panic, and secrets in it go no further.

use proptest::prelude::*;
use seaworthy_collect::daemon::{argv, config, go, keys};
use seaworthy_collect::host::audit::{file, netlink};

/// Text of the words that the parsers know, and of anything.
fn text(words: &'static [&'static str]) -> impl Strategy<Value = String> {
    let piece = prop_oneof![3 => prop::sample::select(words).prop_map(str::to_owned), 1 => "\\PC{0,6}"];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

const JSON: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "\"",
    "icc",
    "log-opts",
    "true",
    "null",
    "\"hosts\"",
    "\"x\":",
    "1",
    "\u{feff}",
    "\n",
    "proxies",
    "http-proxy",
    "://",
    "@",
    "default-ulimits",
    "runtimes",
    "\\u",
];
const RULES: &[&str] = &[
    "-w ",
    "-a ",
    "-F ",
    "-S ",
    "-k ",
    "-p ",
    "always,exit",
    "path=",
    "dir=",
    "/etc",
    " ",
    "\n",
    "\"",
    "'",
    "\\",
    "-D",
    "-e ",
    "arch=b64",
    "perm=wa",
    "auid>=",
    "#",
    "never",
    "-d ",
    "-W ",
];

proptest! {
    #[test]
    fn daemon_json(text in text(JSON), bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        for major in [20, 29] {
            let _ = config::parse(text.as_bytes(), major);
            let _ = config::parse(&bytes, major);
            let _ = config::parse(format!("{{\"log-opts\":{{\"{}\":\"S3CRET\"}}}}", text.escape_default()).as_bytes(), major);
        }
    }

    #[test]
    fn rules(text in text(RULES)) {
        let read = file::parse(&text, "f");
        prop_assert!(read.gaps.len() <= 65);
    }

    #[test]
    fn kernel_rules(mut bytes in prop::collection::vec(any::<u8>(), 1040..1200), fields in 0u32..70, length in 0u32..200) {
        bytes[0..4].copy_from_slice(&4u32.to_ne_bytes());
        bytes[4..8].copy_from_slice(&2u32.to_ne_bytes());
        bytes[8..12].copy_from_slice(&fields.to_ne_bytes());
        bytes[1036..1040].copy_from_slice(&length.to_ne_bytes());
        let _ = netlink::decode(&bytes);
    }

    #[test]
    fn arguments(words in prop::collection::vec("(-{0,2}(H|D|icc|host|label|log-opt|x)=?)?\\PC{0,8}", 0..12)) {
        let flags = argv::parse(&words);
        for name in seaworthy_core::dockerd::KEYS {
            let _ = flags.value(name.file);
        }
    }

    #[test]
    fn credentials_in_addresses(user in "[a-z]{1,4}", password in "S3CRET[a-zA-Z0-9/:!@]{0,6}", host in "[a-z]{1,8}") {
        let shown = keys::without_credentials(&format!("http://{user}:{password}@{host}:1/p"));
        prop_assert!(!shown.contains("S3CRET"), "{}", shown);
        prop_assert!(shown.contains(&host));
    }

    #[test]
    fn durations_and_limits(text in "[-+0-9.a-zµ=:]{0,12}") {
        let _ = (go::duration(&text), go::ulimit(&text), go::boolean(&text));
    }
}
