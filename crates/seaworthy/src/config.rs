//! `seaworthy.toml`: found in the working directory, then in the XDG configuration directory; flags win.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use seaworthy_core::waiver::Waiver;
use serde::Deserialize;

/// The file's name.
const NAME: &str = "seaworthy.toml";
/// The largest file, in bytes.
const LARGEST: u64 = 1 << 20;

/// What a user settles once.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The benchmark whose ids are shown.
    pub benchmark: Option<String>,
    /// Checks that are not wanted.
    #[serde(default)]
    pub skip: Vec<String>,
    /// A directory of checks beside the built-in ones.
    pub catalog: Option<PathBuf>,
    /// Registries that images may come from.
    #[serde(default)]
    pub registries: Registries,
    /// What is exposed beyond what can be seen from the host.
    #[serde(default)]
    pub exposure: Exposure,
    /// Accepted failures.
    #[serde(default, rename = "waiver")]
    pub waivers: Vec<Waiver>,
}

/// Registries that images may come from.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Registries {
    /// Their names: `docker.io`, `registry.example.com:5000`; `*` stands for anything. None: all of them.
    pub allowed: Option<Vec<String>>,
}

/// What is exposed beyond what can be seen from the host.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exposure {
    /// What the internet reaches: names of containers, or `address:port` as published; `*` stands for anything.
    #[serde(default)]
    pub internet: Vec<String>,
}

impl Config {
    /// The configuration that applies: the file named, else the first found, else the defaults.
    pub fn find(named: Option<&Path>) -> Result<Self> {
        if let Some(path) = named {
            return Self::read(path);
        }
        let home = || std::env::var_os("HOME").map(|h| PathBuf::from(h).join(".config"));
        let xdg = std::env::var_os("XDG_CONFIG_HOME").map(PathBuf::from).filter(|p| p.is_absolute()).or_else(home);
        let candidates = [Some(PathBuf::from(NAME)), xdg.map(|x| x.join("seaworthy").join(NAME))];
        match candidates.into_iter().flatten().find(|p| p.is_file()) {
            Some(path) => Self::read(&path),
            None => Ok(Self::default()),
        }
    }

    fn read(path: &Path) -> Result<Self> {
        let meta = std::fs::metadata(path).with_context(|| format!("configuration {}", path.display()))?;
        if !meta.is_file() || meta.len() > LARGEST {
            bail!("configuration {}: not a file of at most {LARGEST} bytes", path.display());
        }
        let text = std::fs::read_to_string(path).with_context(|| format!("configuration {}", path.display()))?;
        toml::from_str(&text).map_err(|error| {
            let before = error.span().and_then(|s| text.get(..s.start)).unwrap_or_default();
            let line = before.matches('\n').count() + 1;
            let column = before.rsplit('\n').next().map_or(0, |l| l.chars().count()) + 1;
            anyhow::anyhow!("{}:{line}:{column}: {}", path.display(), error.message())
        })
    }
}
