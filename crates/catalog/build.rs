//! Loads the catalogue once, when the program is built: its predicates are parsed and typed here, so that a wrong
//! file fails the build and a run does not pay for it.

#[path = "src/load/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the library uses more of the loader than the build does")]
mod load;

use std::mem::take;
use std::path::Path;

use seaworthy_core::check::Case;

fn main() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../catalog");
    println!("cargo::rerun-if-changed={}", dir.display());
    let loaded = match load::whole(&dir) {
        Ok(loaded) => loaded,
        Err(errors) => {
            for error in errors {
                println!("cargo::error=catalog/{error}");
            }
            return;
        }
    };
    let out = std::env::var_os("OUT_DIR").expect("cargo sets OUT_DIR");
    let (judging, rest) = apart(loaded);
    for (name, bytes) in [("judging", postcard::to_stdvec(&judging)), ("rest", postcard::to_stdvec(&rest))] {
        let file = Path::new(&out).join(name).with_extension("postcard");
        std::fs::write(file, bytes.expect("the catalogue serializes")).expect("OUT_DIR is writable");
    }
}

/// What judging needs of a catalogue, and the rest of it: the cases of each check apart, in the order of the checks.
fn apart(mut whole: load::Catalog) -> (load::Catalog, (Vec<Vec<Case>>, load::Catalog)) {
    let cases = whole.checks.iter_mut().map(|check| take(&mut check.cases)).collect();
    let judging = load::Catalog {
        checks: take(&mut whole.checks),
        benchmarks: take(&mut whole.benchmarks),
        flaws: take(&mut whole.flaws),
        ..load::Catalog::default()
    };
    (judging, (cases, whole))
}
