//! Loads the catalogue once, when the program is built: its predicates are parsed and typed here, so that a wrong
//! file fails the build and a run does not pay for it.

#[path = "src/load/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the library uses more of the loader than the build does")]
mod load;

use std::path::Path;

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
    let bytes = postcard::to_stdvec(&loaded).expect("the catalogue serializes");
    let out = std::env::var_os("OUT_DIR").expect("cargo sets OUT_DIR");
    std::fs::write(Path::new(&out).join("catalog.postcard"), bytes).expect("OUT_DIR is writable");
}
