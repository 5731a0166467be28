//! Hosts for tests: a directory with files, opened as a root.

use super::root::Root;

/// A root that holds these files; their directories are made.
pub(crate) fn host(files: &[(&str, &str)]) -> (tempfile::TempDir, Root) {
    let dir = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = dir.path().join(path.trim_start_matches('/'));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let root = Root::open(dir.path()).unwrap();
    (dir, root)
}
