//! What lies in an image's layers: setuid programs and the passwd file, from the archive of `GET /images/ID/get`.
//!
//! The archive is read as it comes and kept nowhere. A file counts where the last layer that speaks of it leaves it.

use std::collections::{BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{self, BufReader, Read};
use std::sync::Arc;
use std::sync::mpsc::Receiver;

use flate2::read::GzDecoder;
use serde_json::Value as Json;
use tar::EntryType;

use super::json::Read as Answer;

/// The most layers of one image, files of one layer, and setuid files of one layer that are looked at.
const MOST_LAYERS: usize = 512;
const MOST_FILES: usize = 2_000_000;
const MOST_SETUID: usize = 10_000;
/// The most bytes of a manifest or a passwd file.
const MOST_TEXT: u64 = 1 << 20;
/// The most bytes that a compressed layer may unfold to.
const MOST_UNPACKED: u64 = 16 << 30;
/// Links from one layer of the archive to another, as engines write layers that occur twice.
const MOST_HOPS: usize = 8;

/// What the layers of one image leave.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Contents {
    /// Files with a setuid or setgid bit, as absolute paths.
    pub(super) setuid: BTreeSet<String>,
    /// The passwd file; none where there is none that is a plain file.
    pub(super) passwd: Option<String>,
}

/// The chunks of an answer, as something to read from.
pub(super) struct Chunks {
    from: Receiver<Vec<u8>>,
    now: io::Cursor<Vec<u8>>,
}

impl Chunks {
    pub(super) fn new(from: Receiver<Vec<u8>>) -> Self {
        Self { from, now: io::Cursor::new(Vec::new()) }
    }
}

impl Read for Chunks {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.now.read(out)?;
            if read > 0 || out.is_empty() {
                return Ok(read);
            }
            match self.from.recv() {
                Ok(chunk) => self.now = io::Cursor::new(chunk),
                Err(_) => return Ok(0),
            }
        }
    }
}

/// One layer, as far as it matters.
#[derive(Debug, Default)]
struct Layer {
    /// Whether each path in it, by its hash, is a directory.
    paths: HashMap<u64, bool>,
    setuid: Vec<String>,
    /// Paths that it takes away from the layers beneath, and directories whose content it takes away.
    gone: Vec<String>,
    emptied: Vec<String>,
    passwd: Option<Passwd>,
}

#[derive(Debug, Clone)]
enum Passwd {
    Text(String),
    NoFile,
}

/// Reads an image's archive to its end.
///
/// # Errors
/// Why it is no archive of an image, or what of it cannot be read.
pub(super) fn contents(archive: impl Read) -> Answer<Contents> {
    let mut archive = tar::Archive::new(archive);
    let mut layers: HashMap<String, Answer<Layer>> = HashMap::new();
    let mut links: HashMap<String, String> = HashMap::new();
    let mut manifest = None;
    let mut files = 0;
    for entry in archive.entries().map_err(broken)? {
        let mut entry = entry.map_err(broken)?;
        let path = clean(&entry.path_bytes());
        if layers.len() + links.len() > 4 * MOST_LAYERS {
            return Err("the image's archive has too many parts".into());
        }
        match entry.header().entry_type() {
            EntryType::Symlink | EntryType::Link => {
                let target = entry.link_name_bytes().map(|name| String::from_utf8_lossy(&name).into_owned());
                let beside = match entry.header().entry_type() {
                    EntryType::Symlink => path.rsplit_once('/').map_or("", |(parent, _)| parent),
                    _ => "",
                };
                let target = clean(format!("{beside}/{}", target.unwrap_or_default()).as_bytes());
                links.insert(path, target);
            }
            EntryType::Regular if path == "manifest.json" => manifest = Some(text(&mut entry)?),
            EntryType::Regular if !path.ends_with(".json") => {
                if let Some(layer) = layer_or_other(&mut entry, &mut files)? {
                    layers.insert(path, layer);
                }
            }
            _ => {}
        }
    }
    let manifest = manifest.ok_or_else(|| Arc::<str>::from("the image's archive has no manifest"))?;
    merge(&order(&manifest)?, &layers, &links)
}

/// The text of the first file of an archive, which must be a plain one.
///
/// # Errors
/// Why there is none.
pub(super) fn first_file(archive: impl Read) -> Answer<String> {
    let mut archive = tar::Archive::new(archive);
    let mut entries = archive.entries().map_err(broken)?;
    let mut entry = entries.next().ok_or_else(|| Arc::<str>::from("the archive is empty"))?.map_err(broken)?;
    if entry.header().entry_type() != EntryType::Regular {
        return Err("it is no plain file".into());
    }
    text(&mut entry)
}

fn broken(error: io::Error) -> Arc<str> {
    format!("the image's archive cannot be read: {error}").into()
}

fn text(from: &mut impl Read) -> Answer<String> {
    let mut text = String::new();
    from.take(MOST_TEXT).read_to_string(&mut text).map_err(broken)?;
    Ok(text)
}

/// The layers by name, the lowest first.
fn order(manifest: &str) -> Answer<Vec<String>> {
    let none = || Arc::<str>::from("the image's manifest names no layers");
    let manifest: Json = serde_json::from_str(manifest).map_err(|_| none())?;
    let layers = manifest.get(0).and_then(|image| image.get("Layers")).and_then(Json::as_array).ok_or_else(none)?;
    if layers.len() > MOST_LAYERS {
        return Err(format!("the image has more than {MOST_LAYERS} layers").into());
    }
    layers.iter().map(|name| Ok(clean(name.as_str().ok_or_else(none)?.as_bytes()))).collect()
}

/// A part of the archive as a layer, plain or compressed; none where it is a document.
fn layer_or_other(part: &mut impl Read, files: &mut usize) -> Answer<Option<Answer<Layer>>> {
    let mut first = Vec::with_capacity(4);
    part.take(4).read_to_end(&mut first).map_err(broken)?;
    let whole = io::Cursor::new(first.clone()).chain(part);
    Ok(match first.as_slice() {
        [] | [b'{', ..] => None,
        [0x1f, 0x8b, ..] => Some(layer(GzDecoder::new(BufReader::new(whole)).take(MOST_UNPACKED), files)),
        [0x28, 0xb5, 0x2f, 0xfd] => Some(Err("a layer is compressed by zstd, which is not read".into())),
        _ => Some(layer(whole, files)),
    })
}

fn layer(from: impl Read, files: &mut usize) -> Answer<Layer> {
    let mut out = Layer::default();
    let mut archive = tar::Archive::new(from);
    for entry in archive.entries().map_err(broken)? {
        let mut entry = entry.map_err(broken)?;
        *files += 1;
        if *files > MOST_FILES || out.setuid.len() > MOST_SETUID {
            return Err("the image has too many files to be looked at".into());
        }
        let path = clean(&entry.path_bytes());
        let (parent, name) = path.rsplit_once('/').unwrap_or(("", &path));
        if name == ".wh..wh..opq" {
            out.emptied.push(parent.to_owned());
            continue;
        }
        if let Some(name) = name.strip_prefix(".wh.") {
            out.gone.push(if parent.is_empty() { name.to_owned() } else { format!("{parent}/{name}") });
            continue;
        }
        let kind = entry.header().entry_type();
        out.paths.insert(hash(&path), kind.is_dir());
        // A hard link says the mode of its file again.
        let is_file = matches!(kind, EntryType::Regular | EntryType::Continuous | EntryType::Link);
        if is_file && entry.header().mode().map_err(broken)? & 0o6000 != 0 {
            out.setuid.push(path.clone());
        }
        if path == "etc/passwd" {
            out.passwd =
                Some(if kind == EntryType::Regular { Passwd::Text(text(&mut entry)?) } else { Passwd::NoFile });
        }
    }
    Ok(out)
}

fn merge(
    order: &[String],
    layers: &HashMap<String, Answer<Layer>>,
    links: &HashMap<String, String>,
) -> Answer<Contents> {
    let mut setuid: BTreeSet<String> = BTreeSet::new();
    let mut passwd = None;
    for name in order {
        let mut name = name;
        for _ in 0..MOST_HOPS {
            match links.get(name) {
                Some(target) if !layers.contains_key(name) => name = target,
                _ => break,
            }
        }
        let layer = layers.get(name).ok_or_else(|| Arc::<str>::from("a layer is missing from the image's archive"))?;
        let layer = layer.as_ref().map_err(Arc::clone)?;
        let under =
            |path: &str, top: &str| top.is_empty() || path.strip_prefix(top).is_some_and(|rest| rest.starts_with('/'));
        let hidden = |path: &str| {
            layer.gone.iter().any(|gone| path == gone || under(path, gone))
                || layer.emptied.iter().any(|top| under(path, top))
                || layer.paths.contains_key(&hash(path))
                || ancestors(path).any(|above| layer.paths.get(&hash(above)) == Some(&false))
        };
        setuid.retain(|path| !hidden(path));
        if hidden("etc/passwd") {
            passwd = None;
        }
        setuid.extend(layer.setuid.iter().cloned());
        if let Some(new) = &layer.passwd {
            passwd = Some(new.clone());
        }
    }
    Ok(Contents {
        setuid: setuid.into_iter().map(|path| format!("/{path}")).collect(),
        passwd: passwd.and_then(|passwd| match passwd {
            Passwd::Text(text) => Some(text),
            Passwd::NoFile => None,
        }),
    })
}

fn ancestors(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').map(|(at, _)| &path[..at])
}

fn hash(path: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    path.hash(&mut hasher);
    hasher.finish()
}

/// A path without leading, doubled and last slashes, `.` and `..`.
fn clean(path: &[u8]) -> String {
    let path = String::from_utf8_lossy(path);
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    type File<'a> = (&'a str, u32, EntryType, &'a [u8]);

    fn archive(files: &[File<'_>]) -> Vec<u8> {
        let mut tar = tar::Builder::new(Vec::new());
        for (path, mode, kind, bytes) in files {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(*kind);
            header.set_mode(*mode);
            header.set_size(bytes.len() as u64);
            if *kind == EntryType::Symlink {
                header.set_size(0);
                tar.append_link(&mut header, path, std::str::from_utf8(bytes).unwrap()).unwrap();
            } else {
                tar.append_data(&mut header, path, *bytes).unwrap();
            }
        }
        tar.into_inner().unwrap()
    }

    fn image(layers: &[(&str, &[u8])], order: &str) -> Vec<u8> {
        let mut parts: Vec<File<'_>> =
            layers.iter().map(|(name, bytes)| (*name, 0o644, EntryType::Regular, *bytes)).collect();
        let manifest = format!(r#"[{{"Config":"c.json","Layers":[{order}]}}]"#);
        parts.push(("manifest.json", 0o644, EntryType::Regular, manifest.as_bytes()));
        archive(&parts)
    }

    #[test]
    fn the_last_layer_that_speaks_of_a_file_decides() {
        const FILE: EntryType = EntryType::Regular;
        let low = archive(&[
            ("./usr/bin/su", 0o4755, FILE, b""),
            ("usr/bin/kept", 0o2755, FILE, b""),
            ("usr/bin/tamed", 0o4755, FILE, b""),
            ("opt/a/b", 0o4755, FILE, b""),
            ("var/x/y", 0o4755, FILE, b""),
            ("tmp", 0o2777, EntryType::Directory, b""),
            ("etc/passwd", 0o644, FILE, b"app:x:7:7::/:\n"),
        ]);
        let high = archive(&[
            ("usr/bin/.wh.su", 0o644, FILE, b""),
            ("usr/bin/tamed", 0o755, FILE, b""),
            ("opt/.wh..wh..opq", 0o644, FILE, b""),
            ("var/x", 0o777, EntryType::Symlink, b"/y"),
            ("new", 0o6755, FILE, b""),
        ]);
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(&high).unwrap();
        let packed = packed.finish().unwrap();
        for high in [&high, &packed] {
            let found =
                contents(&image(&[("2/layer.tar", high), ("1/layer.tar", &low)], r#""1/layer.tar","2/layer.tar""#)[..]);
            let found = found.unwrap();
            assert_eq!(found.setuid.iter().map(String::as_str).collect::<Vec<_>>(), ["/new", "/usr/bin/kept"]);
            assert_eq!(found.passwd.as_deref(), Some("app:x:7:7::/:\n"));
        }
    }

    #[test]
    fn what_is_not_whole_is_unknown() {
        let low = archive(&[("a", 0o4755, EntryType::Regular, b"x")]);
        let whole = image(&[("1/layer.tar", &low)], r#""1/layer.tar""#);
        assert!(contents(&whole[..]).is_ok());
        assert!(contents(&whole[..600]).is_err());
        assert!(contents(&b""[..]).is_err());
        assert!(contents(&image(&[], r#""1/layer.tar""#)[..]).is_err());
        assert!(contents(&image(&[("1", &[0x28, 0xb5, 0x2f, 0xfd, 0])], r#""1""#)[..]).is_err());
        assert!(contents(&image(&[("1", &low[..700])], r#""1""#)[..]).is_err());
        let twice = archive(&[
            ("1/layer.tar", 0o644, EntryType::Regular, &low),
            ("2/layer.tar", 0o777, EntryType::Symlink, b"../1/layer.tar"),
            ("manifest.json", 0o644, EntryType::Regular, br#"[{"Layers":["1/layer.tar","2/layer.tar"]}]"#),
        ]);
        assert_eq!(contents(&twice[..]).unwrap().setuid.len(), 1);
    }
}
