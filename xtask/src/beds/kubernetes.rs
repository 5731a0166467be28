//! Builds the Kubernetes releases that tests run against, and fetches the cases that Kubernetes publishes.
//!
//! What is built or fetched appears under its name only when it is whole: a build that breaks leaves nothing behind.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use seaworthy_bed::{Kubernetes, POD_SECURITY, beds_dir, find_pod_security_cases};

use super::{build, find_go, run};
use crate::root;

/// The module with the cases of Pod Security, and what `go mod download` says that it sums to.
const CASES: (&str, &str) =
    ("k8s.io/pod-security-admission@v0.37.0", "h1:5lx9eMh47oWJy2EQDHJ82yoYj6/KiTomzzcpDS1be14=");

/// Builds a release, unless what is there was built from the same module.
pub fn kubernetes(version: Kubernetes) -> Result<(), String> {
    let source = root().join("xtask/beds").join(version.name());
    let read = |name: &str| {
        let path = source.join(name);
        fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))
    };
    let (module, sums) = (read("go.mod")?, read("go.sum")?);
    let release = version.release();
    if !module.lines().any(|line| line.trim_start_matches("require ") == format!("k8s.io/kubernetes v{release}")) {
        return Err(format!("{}/go.mod does not require k8s.io/kubernetes v{release}", source.display()));
    }
    let (place, stamp) = (version.place(), module + &sums);
    let complete = Kubernetes::PROGRAMS.iter().all(|name| place.join(name).is_file());
    if complete && fs::read_to_string(place.join("stamp")).is_ok_and(|built| built == stamp) {
        return Ok(());
    }
    let go = find_go()?;
    eprintln!("beds: building Kubernetes {release}, once (many minutes)");
    let begun = Instant::now();
    let fresh = Fresh::new(&place)?;
    for name in Kubernetes::PROGRAMS {
        // One after the other: to link one takes much memory.
        let mut command = build(&go, &source, &fresh.path);
        command.env("CGO_ENABLED", "0");
        command.arg(format!("-ldflags=-s -w -X k8s.io/component-base/version.gitVersion=v{release}"));
        run(command.arg(format!("k8s.io/kubernetes/cmd/{name}")))?;
    }
    fs::write(fresh.path.join("stamp"), stamp).map_err(|error| format!("{}: {error}", place.display()))?;
    fresh.finish()?;
    eprintln!("beds: built Kubernetes {release} in {} s", begun.elapsed().as_secs());
    Ok(())
}

/// Fetches the cases of Pod Security, unless those of this module are there.
pub fn pod_security() -> Result<(), String> {
    let (module, sum) = CASES;
    let place = beds_dir().join(POD_SECURITY);
    let stamp = format!("{module} {sum}\n");
    if find_pod_security_cases().is_ok() && fs::read_to_string(place.join("stamp")).is_ok_and(|there| there == stamp) {
        return Ok(());
    }
    let mut download = Command::new(find_go()?);
    download.current_dir(root().join("xtask/beds")).env("GOWORK", "off").args(["mod", "download", "-json", module]);
    let answer = run(&mut download)?;
    let answer: serde_json::Value = serde_json::from_str(&answer).map_err(|error| format!("{module}: {error}"))?;
    if answer["Sum"] != sum {
        return Err(format!("{module} sums to {}, not to {sum}", answer["Sum"]));
    }
    let from = Path::new(answer["Dir"].as_str().ok_or("go does not say where the module is")?).join("test/testdata");
    let at = |error: io::Error| format!("{}: {error}", from.display());
    let fresh = Fresh::new(&place)?;
    for level in ["baseline", "restricted"] {
        copy(&from.join(level), &fresh.path.join(level)).map_err(at)?;
    }
    fs::write(fresh.path.join("stamp"), stamp).map_err(at)?;
    fresh.finish()
}

/// A folder that takes the place of another when it is whole, and goes away when it never is.
struct Fresh {
    path: PathBuf,
    place: PathBuf,
}

impl Fresh {
    fn new(place: &Path) -> Result<Self, String> {
        let at = |error: io::Error| format!("{}: {error}", place.display());
        let (parent, name) = (place.parent().ok_or("no folder")?, place.file_name().ok_or("no name")?);
        fs::create_dir_all(parent).map_err(at)?;
        let place = parent.canonicalize().map_err(at)?.join(name);
        let path = place.with_file_name(format!(".{}.new", name.display()));
        // Left by one that was killed.
        if path.exists() {
            fs::remove_dir_all(&path).map_err(at)?;
        }
        fs::create_dir(&path).map_err(at)?;
        Ok(Self { path, place })
    }

    fn finish(self) -> Result<(), String> {
        let at = |error: io::Error| format!("{}: {error}", self.place.display());
        if self.place.exists() {
            fs::remove_dir_all(&self.place).map_err(at)?;
        }
        fs::rename(&self.path, &self.place).map_err(at)
    }
}

impl Drop for Fresh {
    fn drop(&mut self) {
        // Gone already where it has been finished.
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// The module cache is read-only; the copies need not be.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &to)?;
        } else {
            fs::write(to, fs::read(entry.path())?)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::Fresh;

    #[test]
    fn what_is_broken_off_leaves_what_was_there() {
        let folder = std::env::temp_dir().join(format!("xtask-fresh-{}", std::process::id()));
        let (place, new) = (folder.join("bed"), folder.join(".bed.new"));
        fs::create_dir_all(&place).unwrap();
        fs::write(place.join("program"), "old").unwrap();
        // One that was killed left something.
        fs::create_dir(&new).unwrap();
        fs::write(new.join("half"), "").unwrap();

        let fresh = Fresh::new(&place).unwrap();
        assert!(!fresh.path.join("half").exists());
        fs::write(fresh.path.join("program"), "new").unwrap();
        drop(fresh);
        assert_eq!((fs::read_to_string(place.join("program")).unwrap().as_str(), new.exists()), ("old", false));

        let fresh = Fresh::new(&place).unwrap();
        fs::write(fresh.path.join("program"), "new").unwrap();
        fresh.finish().unwrap();
        assert_eq!((fs::read_to_string(place.join("program")).unwrap().as_str(), new.exists()), ("new", false));
        fs::remove_dir_all(&folder).unwrap();
    }
}
