//! Images without a registry: a busybox tree imported, and contexts built.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::daemon::Daemon;

/// A file in a build context.
#[derive(Clone, Copy, Debug)]
pub struct ContextFile<'a> {
    /// The path inside the context.
    pub path: &'a str,
    /// The permission bits, set-user-id included: `0o644`, `0o4755`.
    pub mode: u32,
    /// The content.
    pub bytes: &'a [u8],
}

impl<'a> ContextFile<'a> {
    /// A plain file, mode 0644.
    pub fn new(path: &'a str, bytes: &'a [u8]) -> Self {
        Self { path, mode: 0o644, bytes }
    }
}

impl Daemon {
    /// Imports an image `tag` (`name:tag`) of one layer: a static busybox with its applets, `/etc/passwd`, `/etc/group`, `/tmp`.
    ///
    /// # Panics
    /// Where the engine refuses.
    pub fn import_busybox(&self, tag: &str) {
        let tar = busybox_tree(self.busybox()).unwrap_or_else(|error| panic!("busybox tree: {error}"));
        let (name, tag) = tag.split_once(':').unwrap_or((tag, "latest"));
        let path = format!("/images/create?fromSrc=-&repo={name}&tag={tag}&changes=CMD%20sleep%203600");
        let (status, answer) = self.send("POST", &path, Some(("application/x-tar", &tar)));
        assert!(status == 200 && !failed(&answer), "import {name}:{tag}: {status} {answer}");
    }

    /// Builds an image `tag` with the classic builder from a Dockerfile and files; returns the image's id.
    ///
    /// # Panics
    /// Where the engine refuses or the build fails.
    pub fn build(&self, tag: &str, dockerfile: &str, files: &[ContextFile<'_>]) -> String {
        let docker = ContextFile::new("Dockerfile", dockerfile.as_bytes());
        let tar = context(files.iter().copied().chain([docker])).unwrap_or_else(|error| panic!("context: {error}"));
        let path = format!("/build?t={tag}&rm=1&forcerm=1");
        let (status, answer) = self.send("POST", &path, Some(("application/x-tar", &tar)));
        assert!(status == 200 && !failed(&answer), "build {tag}: {status} {answer}");
        let (status, image) = self.request("GET", &format!("/images/{tag}/json"), None);
        assert_eq!(status, 200, "built image {tag}: {image}");
        image["Id"].as_str().unwrap_or_default().to_owned()
    }
}

/// Streams report failure inside a 200.
fn failed(answer: &Value) -> bool {
    match answer {
        Value::Array(items) => items.iter().any(|item| item.get("error").is_some()),
        other => other.get("error").is_some(),
    }
}

fn context<'a>(files: impl Iterator<Item = ContextFile<'a>>) -> std::io::Result<Vec<u8>> {
    let mut tar = tar::Builder::new(Vec::new());
    for file in files {
        add(&mut tar, file)?;
    }
    tar.into_inner()
}

fn add(tar: &mut tar::Builder<Vec<u8>>, file: ContextFile<'_>) -> std::io::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_size(file.bytes.len() as u64);
    header.set_mode(file.mode);
    header.set_mtime(1_700_000_000);
    tar.append_data(&mut header, file.path, file.bytes)
}

/// An archive as `docker save` writes it: an image of one layer, busybox, with the command that it runs.
pub(crate) fn archive(busybox: &Path, name: &str, command: &[&str]) -> std::io::Result<Vec<u8>> {
    let layer = busybox_tree(busybox)?;
    let digest = |bytes: &[u8]| Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let config = json!({ "architecture": architecture(), "os": "linux",
        "config": { "Cmd": command, "Env": ["PATH=/usr/local/bin:/usr/bin:/bin"] },
        "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{}", digest(&layer))] } });
    let config = config.to_string();
    let file = format!("{}.json", digest(config.as_bytes()));
    let manifest = json!([{ "Config": file, "RepoTags": [name], "Layers": ["layer.tar"] }]).to_string();
    let files = [
        ContextFile::new(&file, config.as_bytes()),
        ContextFile::new("layer.tar", &layer),
        ContextFile::new("manifest.json", manifest.as_bytes()),
    ];
    context(files.into_iter())
}

/// As images name it.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

pub(crate) fn busybox_tree(busybox: &Path) -> std::io::Result<Vec<u8>> {
    let bytes = std::fs::read(busybox)?;
    let applets = Command::new(busybox).arg("--list").output()?.stdout;
    let mut tar = tar::Builder::new(Vec::new());
    for (dir, mode) in [("bin/", 0o755), ("etc/", 0o755), ("root/", 0o700), ("tmp/", 0o1777)] {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Directory);
        header.set_size(0);
        header.set_mode(mode);
        tar.append_data(&mut header, dir, std::io::empty())?;
    }
    add(&mut tar, ContextFile { path: "bin/busybox", mode: 0o755, bytes: &bytes })?;
    for applet in String::from_utf8_lossy(&applets).lines().filter(|name| !name.is_empty() && *name != "busybox") {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Symlink);
        header.set_size(0);
        header.set_mode(0o777);
        tar.append_link(&mut header, format!("bin/{applet}"), "busybox")?;
    }
    add(
        &mut tar,
        ContextFile::new("etc/passwd", b"root:x:0:0:root:/root:/bin/sh\nsailor:x:1000:1000::/tmp:/bin/sh\n"),
    )?;
    add(&mut tar, ContextFile::new("etc/group", b"root:x:0:\nsailor:x:1000:\n"))?;
    tar.into_inner()
}
