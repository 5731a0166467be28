//! What a daemon takes from its environment, and where its `daemon.json` lies.

use super::argv::Flags;
use super::find::Program;
use crate::host::process::{Owner, Proc};
use crate::host::root::Unread;

/// The variables of its environment that change its settings, without their secrets.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Environment {
    /// It runs in RootlessKit (`ROOTLESSKIT_STATE_DIR`).
    pub rootlesskit: bool,
    /// `DOCKER_TLS_VERIFY` is set.
    pub tls_verify: bool,
    /// Where TLS files are looked for when no option names them.
    pub cert_dir: Option<String>,
    /// The user's configuration directory (`XDG_CONFIG_HOME`, else `HOME/.config`).
    pub config_home: Option<String>,
    /// The user's run-time directory (`XDG_RUNTIME_DIR`).
    pub runtime_dir: Option<String>,
    /// `DEBUG` is set: the engine then calls itself in debug mode, while its log stays at the level that was configured.
    pub debug: bool,
    /// The storage driver by `DOCKER_DRIVER`.
    pub storage_driver: Option<String>,
    /// The proxy variables that are set, and whether each carries a user part.
    pub proxies: Vec<(String, bool)>,
}

/// Reads them.
///
/// # Errors
/// [`Unread::Denied`] without root or CAP_SYS_PTRACE for processes of others.
pub fn environment(proc: &Proc, pid: u32) -> Result<Environment, Unread> {
    const NAMES: [&str; 16] = [
        "DEBUG",
        "ROOTLESSKIT_STATE_DIR",
        "DOCKER_TLS_VERIFY",
        "DOCKER_CERT_PATH",
        "DOCKER_CONFIG",
        "DOCKER_DRIVER",
        "HOME",
        "XDG_CONFIG_HOME",
        "XDG_RUNTIME_DIR",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "NO_PROXY",
        "http_proxy",
        "https_proxy",
        "no_proxy",
        "ALL_PROXY",
    ];
    let variables = proc.variables(pid, &NAMES)?;
    let get = |name: &str| variables.iter().find(|(n, v)| n == name && !v.is_empty()).map(|(_, v)| v.clone());
    let home = get("HOME");
    let proxies = variables.iter().filter(|(n, v)| n.to_ascii_lowercase().ends_with("_proxy") && !v.is_empty());
    Ok(Environment {
        rootlesskit: get("ROOTLESSKIT_STATE_DIR").is_some(),
        tls_verify: get("DOCKER_TLS_VERIFY").is_some(),
        cert_dir: get("DOCKER_CERT_PATH")
            .or_else(|| get("DOCKER_CONFIG"))
            .or_else(|| home.as_ref().map(|h| format!("{h}/.docker"))),
        config_home: get("XDG_CONFIG_HOME").or_else(|| home.map(|h| format!("{h}/.config"))),
        runtime_dir: get("XDG_RUNTIME_DIR"),
        debug: get("DEBUG").is_some(),
        storage_driver: get("DOCKER_DRIVER"),
        proxies: proxies.map(|(n, v)| (n.clone(), v.contains('@'))).collect(),
    })
}

/// The path of `daemon.json` as the daemon sees it.
///
/// # Errors
/// Why that is not known, or that there is none.
pub fn config_path(
    program: Program,
    flags: &Flags,
    environment: Option<&Environment>,
    owner: Owner,
    cwd: Option<&str>,
) -> Result<String, String> {
    if program == Program::Podman {
        return Err("Podman has no daemon.json".into());
    }
    if let Some(path) = flags.last("config-file") {
        return match (path.starts_with('/'), cwd) {
            (true, _) => Ok(path.to_owned()),
            (false, Some(cwd)) => Ok(format!("{cwd}/{path}")),
            (false, None) => Err("its path is relative, and the daemon's working directory may not be read".into()),
        };
    }
    match environment {
        Some(Environment { rootlesskit: true, config_home: Some(home), .. }) => {
            Ok(format!("{home}/docker/daemon.json"))
        }
        Some(Environment { rootlesskit: true, config_home: None, .. }) => {
            Err("the rootless daemon has no HOME, so where its daemon.json lies is not known".into())
        }
        None if owner.uid != 0 => {
            Err("where it lies depends on the daemon's environment, which may not be read".into())
        }
        _ => Ok("/etc/docker/daemon.json".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::argv;
    use super::*;

    #[test]
    fn where_the_file_lies() {
        let owner = Owner { uid: 0, effective_uid: 0, effective_gid: 0 };
        let path = |line: &str, environment: Option<Environment>, uid: u32| {
            let flags = argv::parse(&line.split(' ').map(str::to_owned).collect::<Vec<_>>());
            config_path(Program::Dockerd, &flags, environment.as_ref(), Owner { uid, ..owner }, Some("/srv"))
        };
        let rootless =
            Environment { rootlesskit: true, config_home: Some("/home/a/.config".into()), ..Default::default() };
        assert_eq!(path("dockerd", Some(Environment::default()), 0).unwrap(), "/etc/docker/daemon.json");
        assert_eq!(path("dockerd --config-file d.json", None, 0).unwrap(), "/srv/d.json");
        assert_eq!(path("dockerd", Some(rootless), 1000).unwrap(), "/home/a/.config/docker/daemon.json");
        assert!(path("dockerd", None, 1000).is_err());
    }
}
