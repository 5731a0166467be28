//! Which engine the docker CLI would talk to: flags, environment, contexts, default, in its order.

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read};
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::endpoint::{Endpoint, TlsFiles, Transport};
use super::failure::Failure;
use super::text::{PEER_TEXT_LIMIT, sanitize};

/// The most that is read of `config.json` or `meta.json`, in bytes: 4 MiB.
const FILE_LIMIT: u64 = 4 << 20;
/// The variables by which the CLI takes a proxy for `tcp://`.
const PROXIES: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"];
/// The context that stands for "no context".
const DEFAULT_CONTEXT: &str = "default";

/// What the environment says about engines. Nothing else of this module reads it.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    /// `DOCKER_HOST`.
    pub docker_host: Option<String>,
    /// `DOCKER_CONTEXT`.
    pub docker_context: Option<String>,
    /// `DOCKER_CONFIG`: the directory of `config.json`.
    pub docker_config: Option<PathBuf>,
    /// Whether `DOCKER_TLS` is set to anything.
    pub docker_tls: bool,
    /// Whether `DOCKER_TLS_VERIFY` is set to anything, be it `0`.
    pub docker_tls_verify: bool,
    /// `DOCKER_CERT_PATH`: the directory of `ca.pem`, `cert.pem` and `key.pem`.
    pub docker_cert_path: Option<PathBuf>,
    /// `HOME`, else the home that `/etc/passwd` names.
    pub home: Option<PathBuf>,
    /// `XDG_RUNTIME_DIR`.
    pub runtime_dir: Option<PathBuf>,
    /// The name of a variable that sets a proxy (`HTTPS_PROXY`, `https_proxy`, …), never its value:
    /// that may hold a password.
    pub proxy: Option<&'static str>,
    /// `PATH`, where `ssh` is looked for.
    pub path: OsString,
    /// Where `/run` and `/var/run` hang; `/` but in tests.
    pub root: PathBuf,
}

impl Environment {
    /// The environment of this process.
    #[must_use]
    pub fn of_process() -> Self {
        // The CLI takes an empty variable for one that is not set.
        let text = |name: &str| env::var_os(name).filter(|value| !value.is_empty());
        let word = |name: &str| text(name).map(|value| value.to_string_lossy().into_owned());
        Self {
            docker_host: word("DOCKER_HOST"),
            docker_context: word("DOCKER_CONTEXT"),
            docker_config: text("DOCKER_CONFIG").map(PathBuf::from),
            docker_tls: text("DOCKER_TLS").is_some(),
            docker_tls_verify: text("DOCKER_TLS_VERIFY").is_some(),
            docker_cert_path: text("DOCKER_CERT_PATH").map(PathBuf::from),
            home: text("HOME").map(PathBuf::from).or_else(home_of_user),
            runtime_dir: text("XDG_RUNTIME_DIR").map(PathBuf::from),
            proxy: PROXIES.into_iter().find(|name| text(name).is_some()),
            path: text("PATH").unwrap_or_default(),
            root: "/".into(),
        }
    }

    /// The directory of the CLI's configuration.
    #[must_use]
    pub fn config_dir(&self) -> Option<PathBuf> {
        self.docker_config.clone().or_else(|| self.home.as_ref().map(|home| home.join(".docker")))
    }

    /// The first `ssh` in `PATH` that may be executed. Relative entries are passed over, as Go does.
    fn ssh_program(&self) -> Option<PathBuf> {
        env::split_paths(&self.path)
            .filter(|dir| dir.is_absolute())
            .map(|dir| dir.join("ssh"))
            .find(|program| fs::metadata(program).is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0))
    }
}

fn home_of_user() -> Option<PathBuf> {
    let uid = rustix::process::getuid().as_raw().to_string();
    let text = fs::read_to_string("/etc/passwd").ok()?;
    text.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        (fields.get(2) == Some(&uid.as_str())).then(|| fields.get(5).map(PathBuf::from))?
    })
}

/// What the user names on our own command line; both at once make no sense.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// `--docker HOST`: a host string.
    pub host: Option<String>,
    /// `--docker-context NAME`.
    pub context: Option<String>,
}

/// The engine that was meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// Where it is.
    pub endpoint: Endpoint,
    /// What named it: `--docker`, `DOCKER_HOST`, `context NAME` or `default`.
    pub origin: String,
    /// Whether it is a socket of this machine. A virtual machine may still be behind it (Docker
    /// Desktop): its `/info` tells.
    pub is_local: bool,
    /// What was passed over on the way, each one line: a `config.json` that cannot be read.
    pub notes: Vec<String>,
}

/// Says which engine the docker CLI would talk to.
///
/// In this order: `--docker-context`, `--docker`, `DOCKER_HOST`, `DOCKER_CONTEXT`, the
/// `currentContext` of `config.json`, the default socket. `DOCKER_TLS`, `DOCKER_TLS_VERIFY` and
/// `DOCKER_CERT_PATH` apply unless a context speaks.
///
/// # Errors
/// [`Failure::Usage`] for what makes no sense: both flags, an unknown context, a bad address.
pub fn resolve(wanted: &Wanted, environment: &Environment) -> Result<Resolved, Failure> {
    let mut notes = Vec::new();
    if wanted.host.is_some() && wanted.context.is_some() {
        return Err(Failure::Usage {
            what: "--docker and --docker-context".into(),
            why: "name an engine twice; give one of them".into(),
        });
    }
    let (context, named_by) = if let Some(name) = wanted.context.as_deref().filter(|name| !name.is_empty()) {
        (Some(name.to_owned()), "--docker-context")
    } else if wanted.host.is_some() || environment.docker_host.is_some() {
        (None, "")
    } else if let Some(name) = &environment.docker_context {
        (Some(name.clone()), "DOCKER_CONTEXT")
    } else {
        (current_context(environment, &mut notes), "currentContext of config.json")
    };
    let (mut endpoint, origin) = match context.filter(|name| name != DEFAULT_CONTEXT) {
        Some(name) => {
            let endpoint = of_context(&name, named_by, environment)?;
            (endpoint, format!("context {}", sanitize(&name, PEER_TEXT_LIMIT)))
        }
        None => without_context(wanted.host.as_deref(), environment)?,
    };
    if let Transport::Ssh(ssh) = &mut endpoint.transport {
        ssh.program = environment.ssh_program();
    }
    if let (Some(name), Transport::Tcp { host, .. }) = (environment.proxy, &endpoint.transport)
        && !is_loopback(host)
    {
        notes.push(format!(
            "{endpoint}: {name} is set; where the docker CLI would go through that proxy, this connects directly"
        ));
    }
    let is_local = endpoint.is_local();
    Ok(Resolved { endpoint, origin, is_local, notes })
}

fn without_context(host: Option<&str>, environment: &Environment) -> Result<(Endpoint, String), Failure> {
    let (text, origin) = match (host, &environment.docker_host) {
        (Some(host), _) => (host, "--docker"),
        (None, Some(host)) => (host.as_str(), "DOCKER_HOST"),
        (None, None) => ("", "default"),
    };
    let uses_tls = environment.docker_tls || environment.docker_tls_verify;
    let tls = uses_tls.then(|| {
        let dir = environment.docker_cert_path.clone().or_else(|| environment.config_dir()).unwrap_or_default();
        let existing = |name: &str| Some(dir.join(name)).filter(|path| !is_absent(path));
        TlsFiles {
            // The CLI insists on ca.pem here; that it is missing is told when connecting.
            ca: Some(dir.join("ca.pem")),
            cert: existing("cert.pem"),
            key: existing("key.pem"),
            skip_verify: !environment.docker_tls_verify,
        }
    });
    // With TLS and no address the CLI expects the engine's TLS port.
    let text = if text.trim().is_empty() && tls.is_some() { "tcp://localhost:2376" } else { text };
    Ok((Endpoint::parse(text, tls, origin)?, origin.to_owned()))
}

/// Whether it names this machine, for which no proxy is taken.
fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn is_absent(path: &Path) -> bool {
    fs::metadata(path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
}

/// The current context of `config.json`. What cannot be read is noted and passed over, as the CLI
/// does (with a warning).
fn current_context(environment: &Environment, notes: &mut Vec<String>) -> Option<String> {
    /// All else in the file, credentials among it, is never kept.
    #[derive(Deserialize)]
    struct Config {
        #[serde(default, rename = "currentContext")]
        current_context: Option<String>,
    }
    let path = environment.config_dir()?.join("config.json");
    let noted = |why: &str| format!("{}: {why}; the default engine is taken", path.display());
    match read(&path) {
        Ok(bytes) => match serde_json::from_slice::<Config>(&bytes) {
            Ok(config) => config.current_context.filter(|name| !name.is_empty()),
            Err(error) => {
                // Its place is told, not its text: that may be a credential.
                let place = format!("not JSON at line {} column {}", error.line(), error.column());
                notes.push(noted(&place));
                None
            }
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => {
            notes.push(noted(&error.to_string()));
            None
        }
    }
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("is no regular file"));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(FILE_LIMIT).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[derive(Deserialize)]
struct Meta {
    #[serde(default, rename = "Endpoints")]
    endpoints: BTreeMap<String, serde_json::Value>,
}

fn of_context(name: &str, named_by: &str, environment: &Environment) -> Result<Endpoint, Failure> {
    let told = |why: String| Failure::Usage { what: format!("{named_by} ({})", sanitize(name, PEER_TEXT_LIMIT)), why };
    let store = environment
        .config_dir()
        .ok_or_else(|| told("neither HOME nor DOCKER_CONFIG says where contexts are kept".into()))?
        .join("contexts");
    let id: String = Sha256::digest(name.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    let path = store.join("meta").join(&id).join("meta.json");
    let bytes = read(&path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => {
            told("there is no such context; \"docker context ls\" lists those that there are".into())
        }
        _ => told(format!("cannot read {}: {error}", path.display())),
    })?;
    let meta: Meta = serde_json::from_slice(&bytes)
        .map_err(|error| told(format!("{} is not a context: {error}", path.display())))?;
    let docker = meta
        .endpoints
        .get("docker")
        .filter(|value| value.is_object())
        .ok_or_else(|| told("the context names no docker endpoint".into()))?;
    let host = docker["Host"].as_str().unwrap_or_default();
    let skip_verify = docker["SkipTLSVerify"].as_bool().unwrap_or(false);
    let dir = store.join("tls").join(&id).join("docker");
    let existing = |file: &str| Some(dir.join(file)).filter(|path| !is_absent(path));
    let files = TlsFiles { ca: existing("ca.pem"), cert: existing("cert.pem"), key: existing("key.pem"), skip_verify };
    let uses_tls = skip_verify || !is_empty_dir(&dir);
    Endpoint::parse(host, uses_tls.then_some(files), &format!("context {}", sanitize(name, PEER_TEXT_LIMIT)))
}

/// Whether a context's TLS directory is not there or holds nothing. One that cannot be read counts
/// as holding something, so that a lack of rights never turns TLS off.
fn is_empty_dir(dir: &Path) -> bool {
    match fs::read_dir(dir) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}
