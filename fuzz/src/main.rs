//! Runs one target, which `SEAWORTHY_FUZZ_TARGET` names, under libFuzzer. One program holds them all, so that the
//! instrumented crates are linked once.

#![no_main]

use std::sync::LazyLock;

#[path = "../targets/catalog.rs"]
mod catalog;
#[path = "../targets/collect/mod.rs"]
mod collect;
#[path = "../targets/core.rs"]
mod core;
#[path = "../targets/whole.rs"]
mod whole;

static TARGET: LazyLock<fn(&[u8])> = LazyLock::new(|| {
    let wanted = std::env::var("SEAWORTHY_FUZZ_TARGET").unwrap_or_default();
    let all = || core::ALL.iter().chain(catalog::ALL).chain(collect::ALL).chain(whole::ALL);
    match all().find(|(name, _)| *name == wanted) {
        Some((_, target)) => *target,
        None => {
            let names: Vec<&str> = all().map(|(name, _)| *name).collect();
            eprintln!("SEAWORTHY_FUZZ_TARGET must be one of: {}", names.join(" "));
            std::process::exit(2);
        }
    }
});

libfuzzer_sys::fuzz_target!(|data: &[u8]| TARGET(data));
