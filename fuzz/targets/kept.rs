//! Runs the seeds of the fuzzing and the cases that ever failed as ordinary tests.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A target's name, and what is fed.
type Target = (&'static str, fn(&[u8]));

/// Feeds every file of `fuzz/seeds/TARGET` and `fuzz/kept/TARGET` to its target; each target has at least one.
pub fn run(targets: &[Target]) {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz");
    for (name, target) in targets {
        let mut cases = files(&fuzz.join("seeds").join(name));
        assert!(!cases.is_empty(), "fuzz/seeds/{name} is empty");
        cases.extend(files(&fuzz.join("kept").join(name)));
        for case in cases {
            // Told before, because a panic does not name it.
            println!("{}", case.display());
            target(&fs::read(&case).expect("a case can be read"));
        }
    }
}

fn files(folder: &Path) -> BTreeSet<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    entries.map(|entry| entry.expect("the folder can be listed").path()).filter(|path| path.is_file()).collect()
}
