//! How a cluster is reached: a kubeconfig with its context, as kubectl reads it, or the service account of the pod
//! that this runs in.

use std::path::{Path, PathBuf};
use std::time::Duration;

use kube::Config;
use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError};
use secrecy::ExposeSecret as _;

use super::identity::{self, Identity};
use super::{Options, plugin, proxy};
use crate::engine::{PEER_TEXT_LIMIT, sanitize, without_userinfo};

/// The most that is read of a kubeconfig or of a token's file, in bytes: 4 MiB.
const MOST_READ: u64 = 4 << 20;

/// Where a pod finds the credential of its service account.
const SERVICE_ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// A cluster that can be asked.
#[derive(Clone)]
pub(super) struct Access {
    /// What the target is called: the context's name, or `in-cluster`.
    pub name: String,
    /// What kube makes a client of.
    pub config: Config,
    /// The server's address without credentials.
    pub server: String,
    /// Where all this was said: the kubeconfig's path, or the service account's directory.
    pub origin: String,
    /// Whom the credential names, and until when.
    pub identity: Identity,
}

/// Finds the cluster that is meant. The error is one line: what, where, why, what to do.
pub(super) async fn find(options: &Options) -> Result<Access, String> {
    let files = kubeconfigs(options)?;
    if files.is_empty() {
        if is_in_cluster() {
            return in_cluster();
        }
        return Err("no cluster is named: there is no kubeconfig (~/.kube/config) and this is no pod; name one with \
                    --kubeconfig FILE or KUBECONFIG"
            .to_owned());
    }
    of_kubeconfig(options, &files).await
}

/// Whether this runs in a pod that was given a service account's token.
pub fn is_in_cluster() -> bool {
    std::env::var_os("KUBERNETES_SERVICE_HOST").is_some() && Path::new(SERVICE_ACCOUNT).join("token").is_file()
}

/// The files that say it: the one that was named, those of KUBECONFIG that are there, or the one in the home.
fn kubeconfigs(options: &Options) -> Result<Vec<PathBuf>, String> {
    if let Some(path) = &options.kubeconfig {
        return Ok(vec![path.clone()]);
    }
    if let Some(list) = std::env::var_os("KUBECONFIG").filter(|list| !list.is_empty()) {
        let named: Vec<PathBuf> = std::env::split_paths(&list).filter(|p| !p.as_os_str().is_empty()).collect();
        let there: Vec<PathBuf> = named.iter().filter(|p| p.exists()).cloned().collect();
        if there.is_empty() && !named.is_empty() {
            let list = sanitize(&list.to_string_lossy(), PEER_TEXT_LIMIT);
            return Err(format!("KUBECONFIG: none of its files is there ({list}); name one with --kubeconfig FILE"));
        }
        return Ok(there);
    }
    let home = std::env::var_os("HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
    Ok(home.map(|home| home.join(".kube/config")).filter(|path| path.is_file()).into_iter().collect())
}

async fn of_kubeconfig(options: &Options, files: &[PathBuf]) -> Result<Access, String> {
    let origin = files.iter().map(|f| f.display().to_string()).collect::<Vec<_>>().join(":");
    let mut merged = Kubeconfig::default();
    for file in files {
        let one = read(file)?;
        merged = merged.merge(one).map_err(|e| format!("{}: {e}; it cannot be merged", file.display()))?;
    }
    let context = options.context.clone().or_else(|| merged.current_context.clone()).filter(|c| !c.is_empty());
    let Some(context) = context else {
        return Err(format!("{origin}: it names no current context; choose one with --context NAME{}", known(&merged)));
    };
    let named = |e: KubeconfigError| format!("{origin}: {}", explain(&e, &context, &merged));
    let wanted = KubeConfigOptions { context: Some(context.clone()), cluster: None, user: None };
    let mut config = Config::from_custom_kubeconfig(merged.clone(), &wanted).await.map_err(named)?;
    let of_context = merged.contexts.iter().find(|c| c.name == context).and_then(|c| c.context.as_ref());
    let proxy_url = of_context.and_then(|of| {
        let cluster = merged.clusters.iter().find(|c| c.name == of.cluster)?;
        cluster.cluster.as_ref()?.proxy_url.clone()
    });
    config.proxy_url = proxy::of(&config.cluster_url, proxy_url.as_deref(), &|name| std::env::var(name).ok())
        .map_err(|why| format!("{origin}: {why}"))?;
    if let Some(provider) = config.auth_info.auth_provider.take() {
        let name = sanitize(&provider.name, PEER_TEXT_LIMIT);
        return Err(format!(
            "{origin}: context {} signs in by auth-provider `{name}`, which kubectl dropped in 1.26; use an exec plugin",
            sanitize(&context, PEER_TEXT_LIMIT)
        ));
    }
    token_of_file(&mut config).map_err(|why| format!("{origin}: {why}"))?;
    let is_signed_in = config.auth_info.token.is_some() || config.auth_info.username.is_some();
    if let Some(exec) = config.auth_info.exec.take().filter(|_| !is_signed_in) {
        let given = plugin::run(&exec, plugin_time(options.timeout)).await;
        given.map_err(|why| format!("{origin}: {why}"))?.put_into(&mut config.auth_info);
    }
    let identity = identity::of(&config).map_err(|why| format!("{origin}: {why}"))?;
    Ok(access(context, config, origin, identity))
}

/// A plugin may have to ask somebody: it has more time than a request.
fn plugin_time(request: Duration) -> Duration {
    request.max(Duration::from_secs(60))
}

fn access(name: String, mut config: Config, origin: String, identity: Identity) -> Access {
    // Retries are our own: bounded, and by the server's word.
    config.default_retry = false;
    let server = without_userinfo(&config.cluster_url.to_string());
    Access { name, server: server.trim_end_matches('/').to_owned(), config, origin, identity }
}

fn in_cluster() -> Result<Access, String> {
    let mut config =
        Config::incluster().map_err(|e| format!("{SERVICE_ACCOUNT}: {e}; the pod's service account cannot be used"))?;
    config.proxy_url = proxy::of(&config.cluster_url, None, &|name| std::env::var(name).ok())?;
    // What the kubelet mounted is read once; nothing here lives long enough for it to be renewed.
    config.root_cert_file = None;
    token_of_file(&mut config)?;
    let identity = identity::of(&config)?;
    Ok(access("in-cluster".to_owned(), config, SERVICE_ACCOUNT.to_owned(), identity))
}

/// Puts the token of a file in place, without the line's end that would spoil the header. As in kubectl a file goes
/// before a token that stands in the kubeconfig.
fn token_of_file(config: &mut Config) -> Result<(), String> {
    let Some(path) = config.auth_info.token_file.take() else { return Ok(()) };
    let token = bounded(Path::new(&path))?;
    let token = String::from_utf8(token).map_err(|_| format!("{path}: it holds no token"))?;
    match (token.trim(), &config.auth_info.token) {
        ("", Some(_)) => {}
        ("", None) => return Err(format!("{path}: the token's file is empty; get a new token")),
        (token, _) => config.auth_info.token = Some(token.to_owned().into()),
    }
    Ok(())
}

fn read(path: &Path) -> Result<Kubeconfig, String> {
    let told = |why: String| format!("{}: {why}; name another kubeconfig with --kubeconfig FILE", path.display());
    let meta = std::fs::metadata(path).map_err(|e| told(format!("cannot be read: {e}")))?;
    if meta.is_dir() {
        return Err(told("it is a directory".to_owned()));
    }
    if meta.is_file() && meta.len() > MOST_READ {
        return Err(told("it is larger than 4 MiB, which no kubeconfig is".to_owned()));
    }
    if meta.is_file() && meta.len() == 0 {
        return Err(told("it is empty".to_owned()));
    }
    Kubeconfig::read_from(path).map_err(|e| told(explain(&e, "", &Kubeconfig::default())))
}

/// A file's bytes; a pipe or a large file is refused.
pub(super) fn bounded(path: &Path) -> Result<Vec<u8>, String> {
    use std::io::Read as _;
    let told = |why: String| format!("{}: {why}", path.display());
    let file = std::fs::File::open(path).map_err(|e| told(format!("cannot be read: {e}")))?;
    if !file.metadata().is_ok_and(|meta| meta.is_file()) {
        return Err(told("it is no regular file".to_owned()));
    }
    let mut bytes = Vec::new();
    file.take(MOST_READ).read_to_end(&mut bytes).map_err(|e| told(format!("cannot be read: {e}")))?;
    Ok(bytes)
}

/// The contexts that there are, for who named another one.
fn known(config: &Kubeconfig) -> String {
    let names: Vec<String> = config.contexts.iter().take(8).map(|c| sanitize(&c.name, 64)).collect();
    match (names.is_empty(), config.contexts.len() > names.len()) {
        (true, _) => String::new(),
        (false, more) => format!(" (there are: {}{})", names.join(", "), if more { ", …" } else { "" }),
    }
}

/// What is wrong with a kubeconfig, without a word of its content that might be a secret.
fn explain(error: &KubeconfigError, context: &str, config: &Kubeconfig) -> String {
    let context = sanitize(context, PEER_TEXT_LIMIT);
    match error {
        // The parser's own words repeat lines of the file.
        KubeconfigError::Parse(why) => match why.location() {
            Some(at) => format!("it is no kubeconfig: line {}, column {} cannot be understood", at.line(), at.column()),
            None => "it is no kubeconfig".to_owned(),
        },
        KubeconfigError::CurrentContextNotSet => {
            format!("it names no current context; choose one with --context NAME{}", known(config))
        }
        KubeconfigError::LoadContext(name) => {
            format!(
                "it has no context {}; choose one with --context NAME{}",
                sanitize(name, PEER_TEXT_LIMIT),
                known(config)
            )
        }
        KubeconfigError::LoadClusterOfContext(name) => {
            format!("it has no cluster {} for context {context}", sanitize(name, PEER_TEXT_LIMIT))
        }
        KubeconfigError::MissingClusterUrl => format!("the cluster of context {context} has no server"),
        KubeconfigError::ParseClusterUrl(_) => format!("the server of context {context} is no address"),
        KubeconfigError::ParseProxyUrl(_) => "the proxy is no address".to_owned(),
        KubeconfigError::LoadCertificateAuthority(why) => {
            format!("the certificate authority of context {context}: {why}")
        }
        KubeconfigError::ParseCertificates(_) => format!("the certificate authority of context {context} is no PEM"),
        KubeconfigError::ReadConfig(why, _) => format!("cannot be read: {why}"),
        other => sanitize(&other.to_string(), PEER_TEXT_LIMIT),
    }
}

/// The token of a configuration, where it has one.
pub(super) fn token(config: &Config) -> Option<&str> {
    config.auth_info.token.as_ref().map(|token| token.expose_secret())
}
