//! A component's version without asking it: by its container's image, by what Go wrote into its executable, by the
//! places of distributions, by the package that owns it.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;

use serde_json::Value as Json;

use super::find::Which;
use crate::host::packages::{Owner, Packages};
use crate::host::process::{Proc, Process};
use crate::host::root::Root;

/// A version with where it was read.
pub(super) type Version = (String, String);

/// The largest list of modules in an executable.
const LARGEST: u64 = 1 << 20;

/// Finds the version of a component that a process runs.
pub(super) fn of(host: &Root, proc: &Proc, process: &Process, which: Which, snap: Option<&str>) -> Option<Version> {
    by_image(host, proc, process.pid)
        .or_else(|| by_executable(&proc.entry(process.pid, "exe"), which))
        .or_else(|| by_place(host, process, snap))
        .or_else(|| by_package(host, process))
}

/// A version's minor number: 35 of `1.35.4`.
pub(super) fn minor(version: &str) -> Option<i64> {
    let mut parts = version.split('.');
    let _major: i64 = parts.next()?.parse().ok()?;
    parts.next()?.chars().take_while(char::is_ascii_digit).collect::<String>().parse().ok()
}

/// `1.35.4` of `v1.35.4`, `1.35.4-1.1`, `v1.35.4+k3s1`; none of what is no version.
pub(super) fn clean(text: &str) -> Option<String> {
    let text = text.trim().trim_start_matches('v');
    let numbers = text.split(|c: char| !c.is_ascii_digit() && c != '.').next()?.trim_end_matches('.');
    let parts: Vec<&str> = numbers.split('.').collect();
    let sound = parts.len() >= 2 && parts.len() <= 4 && parts.iter().all(|p| !p.is_empty() && p.len() < 6);
    (sound && text.len() < 128).then(|| numbers.to_owned())
}

/// The version in the tag of an image.
pub(super) fn of_image(image: &str) -> Option<String> {
    let name = image.split('@').next()?;
    let (repository, tag) = name.rsplit_once(':')?;
    (!tag.contains('/') && !repository.is_empty()).then(|| clean(tag))?
}

/// The number of the container that a process is in, by its control group.
pub(super) fn container(proc: &Proc, pid: u32) -> Option<String> {
    let text = proc.read(pid, "cgroup", 64 << 10).ok()?;
    let text = String::from_utf8_lossy(&text).into_owned();
    let hex = |part: &str| part.len() == 64 && part.bytes().all(|b| b.is_ascii_hexdigit());
    text.lines().flat_map(|line| line.split(['/', ':', '-', '.'])).find(|part| hex(part)).map(str::to_owned)
}

/// What the container runtime wrote beside the container names its image.
fn by_image(host: &Root, proc: &Proc, pid: u32) -> Option<Version> {
    let id = container(proc, pid)?;
    let places = [
        format!("/run/containerd/io.containerd.runtime.v2.task/k8s.io/{id}/config.json"),
        format!("/run/k3s/containerd/io.containerd.runtime.v2.task/k8s.io/{id}/config.json"),
        format!("/var/snap/microk8s/common/run/containerd/io.containerd.runtime.v2.task/k8s.io/{id}/config.json"),
        format!("/run/containers/storage/overlay-containers/{id}/userdata/config.json"),
    ];
    places.into_iter().find_map(|place| {
        let json: Json = serde_json::from_slice(&host.read(&place, 4 << 20).ok()?).ok()?;
        let notes = &json["annotations"];
        let names = ["io.kubernetes.cri.image-name", "io.kubernetes.cri-o.ImageName"];
        let image = names.iter().find_map(|name| notes[*name].as_str())?;
        Some((of_image(image)?, place))
    })
}

/// What Go's linker keeps in an executable: its modules and how it was built.
fn by_executable(path: &std::path::Path, which: Which) -> Option<Version> {
    let file = File::open(path).ok()?;
    let info = build_info(&file)?;
    let module = if which == Which::Etcd { "go.etcd.io/etcd/server/v3" } else { "k8s.io/kubernetes" };
    Some((of_modules(&info, module)?, path.display().to_string()))
}

/// The version of a module, or what was set when it was linked.
fn of_modules(info: &str, module: &str) -> Option<String> {
    let given = "component-base/version.gitVersion=";
    if module == "k8s.io/kubernetes"
        && let Some(at) = info.find(given)
    {
        let text = &info[at + given.len()..];
        return clean(text.split(|c: char| c.is_whitespace() || "'\"\\".contains(c)).next()?);
    }
    let mut lines = info.lines();
    while let Some(line) = lines.next() {
        let mut fields = line.split('\t');
        if !matches!(fields.next(), Some("mod" | "dep")) || fields.next() != Some(module) {
            continue;
        }
        let own = fields.next().unwrap_or_default();
        // A module that stands in for it is named in the next line.
        let other = lines.next().and_then(|next| next.strip_prefix("=>\t")).and_then(|next| next.split('\t').nth(1));
        let version = other.filter(|v| v.starts_with('v')).unwrap_or(own);
        return clean(version).filter(|v| !v.starts_with("0."));
    }
    None
}

fn build_info(file: &File) -> Option<String> {
    let at = |offset: u64, length: usize| -> Option<Vec<u8>> {
        let mut bytes = vec![0; length];
        file.read_exact_at(&mut bytes, offset).ok()?;
        Some(bytes)
    };
    let (short, word, long) = (
        |b: &[u8], i: usize| Some(u64::from(u16::from_le_bytes(b.get(i..i + 2)?.try_into().ok()?))),
        |b: &[u8], i: usize| Some(u64::from(u32::from_le_bytes(b.get(i..i + 4)?.try_into().ok()?))),
        |b: &[u8], i: usize| Some(u64::from_le_bytes(b.get(i..i + 8)?.try_into().ok()?)),
    );
    let head = at(0, 64)?;
    // 64 bits, little-endian: what Kubernetes is built for on every Linux but one.
    if head.get(..6)? != [0x7f, b'E', b'L', b'F', 2, 1] {
        return None;
    }
    let (table, size, count, names) = (long(&head, 40)?, short(&head, 58)?, short(&head, 60)?, short(&head, 62)?);
    if size != 64 || count > 4096 {
        return None;
    }
    let sections = at(table, usize::try_from(size * count).ok()?)?;
    let section = |i: u64| sections.get(usize::try_from(i * 64).ok()?..usize::try_from(i * 64 + 64).ok()?);
    let texts = section(names)?;
    let texts = at(long(texts, 24)?, usize::try_from(long(texts, 32)?.min(LARGEST)).ok()?)?;
    let named = (0..count).find_map(|i| {
        let entry = section(i)?;
        let name = texts.get(usize::try_from(word(entry, 0)?).ok()?..)?;
        name.starts_with(b".go.buildinfo\0").then_some(entry)
    })?;
    let bytes = at(long(named, 24)?, usize::try_from(long(named, 32)?.min(LARGEST)).ok()?)?;
    if !bytes.starts_with(b"\xff Go buildinf:") || bytes.get(15)? & 2 == 0 {
        return None;
    }
    let (version, rest) = text(bytes.get(32..)?)?;
    let (modules, _) = text(rest)?;
    let _ = version;
    // Between marks of 16 bytes.
    Some(String::from_utf8_lossy(modules.get(16..modules.len().saturating_sub(16))?).into_owned())
}

/// A text with its length before it, as a varint.
fn text(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut length = 0usize;
    for (i, byte) in bytes.iter().enumerate().take(5) {
        length |= usize::from(byte & 0x7f) << (7 * i);
        if byte & 0x80 == 0 {
            let rest = &bytes[i + 1..];
            return (length <= rest.len()).then(|| rest.split_at(length));
        }
    }
    None
}

/// Distributions keep each version in a directory of its own.
fn by_place(host: &Root, process: &Process, snap: Option<&str>) -> Option<Version> {
    if let Some(snap) = snap {
        let place = PathBuf::from(snap).join("meta/snap.yaml");
        let text = host.read_text(&place).ok()?;
        let version = text.lines().find_map(|line| line.strip_prefix("version:"))?;
        return Some((clean(version.trim().trim_matches(['\'', '"']))?, place.display().to_string()));
    }
    let exe = process.exe.as_deref()?;
    let part = exe.split('/').find(|part| part.starts_with("v1.") && part.contains("rke2"))?;
    Some((clean(part)?, exe.to_owned()))
}

fn by_package(host: &Root, process: &Process) -> Option<Version> {
    let exe = process.exe.as_deref().filter(|exe| exe.starts_with("/usr/"))?;
    match Packages::read(host).owners(host, &[exe]).pop()? {
        Owner::Package { name, version: Some(version), .. } => {
            let version = version.split_once(':').map_or(version.as_str(), |(_, v)| v);
            Some((clean(version)?, format!("package {name}")))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_told_from_other_texts() {
        for (text, version) in [
            ("v1.35.4", Some("1.35.4")),
            ("1.35.4-1.1", Some("1.35.4")),
            ("v1.35.4+k3s1", Some("1.35.4")),
            ("latest", None),
            ("", None),
            ("1", None),
        ] {
            assert_eq!(clean(text).as_deref(), version, "{text}");
        }
        assert_eq!(of_image("registry.k8s.io/kube-apiserver:v1.35.4").as_deref(), Some("1.35.4"));
        assert_eq!(of_image("localhost:5000/kube-apiserver"), None);
        assert_eq!(of_image("r/a:v1.30.1@sha256:00").as_deref(), Some("1.30.1"));
        assert_eq!((minor("1.35.4"), minor("3.6"), minor("x")), (Some(35), Some(6), None));
    }

    #[test]
    fn modules_tell_the_version_with_what_stands_in_for_them() {
        let info = "path\tx\nmod\tbed\t(devel)\ndep\tk8s.io/kubernetes\tv1.35.4\th1:=\ndep\tk8s.io/api\tv0.0.0\n";
        assert_eq!(of_modules(info, "k8s.io/kubernetes").as_deref(), Some("1.35.4"));
        let k3s = "dep\tk8s.io/kubernetes\tv1.30.0\n=>\tgithub.com/k3s-io/kubernetes\tv1.30.2-k3s1\th1:=\n";
        assert_eq!(of_modules(k3s, "k8s.io/kubernetes").as_deref(), Some("1.30.2"));
        let linked = "mod\tk8s.io/kubernetes\t(devel)\nbuild\t-ldflags=\"-X 'k8s.io/component-base/version.gitVersion=v1.33.1'\"\n";
        assert_eq!(of_modules(linked, "k8s.io/kubernetes").as_deref(), Some("1.33.1"));
        assert_eq!(of_modules("mod\tk8s.io/kubernetes\t(devel)\n", "k8s.io/kubernetes"), None);
    }

    #[test]
    fn an_executable_of_another_kind_tells_nothing() {
        assert!(build_info(&File::open("/proc/self/exe").unwrap()).is_none());
        assert!(build_info(&File::open("/proc/self/status").unwrap()).is_none());
    }
}
