//! The docker client of each user as a component.

use seaworthy_core::component::Component;
use seaworthy_core::fact::Source;
use seaworthy_core::schema::docker;
use seaworthy_core::value::Value;

use super::access::Access;
use super::daemon::bounded;
use super::host::Host;
use crate::host::client::{Client, UserClient};
use crate::host::packages::Installed;
use seaworthy_core::version::Version;

/// The clients: one for root in any case, whose shells the engine is administered from, and one for every user whose
/// home holds anything of docker's.
pub(super) fn components(host: &Host) -> Vec<Component> {
    let mut out: Vec<Component> = host.client.users.iter().map(|u| user(host, u)).collect();
    if !host.client.users.iter().any(|u| u.users.iter().any(|n| n == "root")) {
        let home = host.accounts.user("root").map_or("/root", |u| u.home.as_str());
        let nothing = UserClient {
            users: vec!["root".into()],
            dir: format!("{home}/.docker"),
            dir_meta: None,
            config: None,
            dockercfg: None,
            contexts: Vec::new(),
            tls: Vec::new(),
            trust_keys: Vec::new(),
            content_trust: host.client.content_trust.clone(),
            docker_host: host.client.docker_host.clone(),
            environment_complete: host.client.environment_complete,
        };
        out.insert(0, user(host, &nothing));
    }
    out
}

fn user(host: &Host, found: &UserClient) -> Component {
    let name = found.users.join(", ");
    let home = found.dir.strip_suffix("/.docker").unwrap_or(&found.dir).to_owned();
    let mut c = Component::new(&docker::CLIENT, found.dir.as_str(), name.as_str());
    let path = format!("{}/config.json", found.dir);
    let unread = host.client.gaps.iter().find(|g| g.source.starts_with(&home));
    let unread = unread.map(|g| format!("{}: {}", g.source, g.reason));
    let mut put = |fact: &str, value: Result<Value, String>, place: &str| match value {
        Ok(value) => c.set(fact, value, Source::place(place)),
        Err(why) => c.set_unknown(fact, why, Source::place(place)),
    };
    put("user", Ok(bounded(&name)), "/etc/passwd");
    put("home", Ok(bounded(&home)), "/etc/passwd");
    let of_config = |value: Value| match (&found.config, &unread) {
        (None, Some(why)) => Err(why.clone()),
        _ => Ok(value),
    };
    let config = found.config.as_ref();
    put("config", of_config(config.map_or(Value::Null, |_| bounded(&path))), &path);
    put("config_mode", of_config(config.map_or(Value::Null, |m| octal(m.meta.mode))), &path);
    put(
        "config_exposed",
        of_config(config.is_some_and(|m| Access::new(host, &found.users, &m.meta).exposed()).into()),
        &path,
    );
    let mut plain: Vec<String> = config.map_or_else(Vec::new, |m| m.plain_registries.clone());
    if found.dockercfg.is_some() {
        plain.push("~/.dockercfg".into());
    }
    put("plain_credentials", of_config(Value::List(plain.iter().map(|r| bounded(r)).collect())), &path);
    put(
        "credential_store",
        of_config(config.and_then(|m| m.creds_store.as_deref()).map_or(Value::Null, bounded)),
        &path,
    );
    put("proxy_credentials", of_config(config.is_some_and(|m| !m.proxies_with_credentials.is_empty()).into()), &path);
    let contexts = found.contexts.iter().map(|context| {
        let has = |file: &str| context.tls.iter().any(|t| t.path.ends_with(file));
        let tls = match (has("cert.pem"), has("ca.pem"), context.skip_tls_verify) {
            (_, _, true) => "unverified",
            (true, _, false) => "mutual",
            (false, true, false) => "tls",
            (false, false, false) => "none",
        };
        let address = context.host.as_deref().map_or_else(|| Value::unknown("it could not be read"), bounded);
        Value::Object(vec![("name", bounded(&context.name)), ("host", address), ("tls", tls.into())])
    });
    put("contexts", of_config(Value::List(contexts.collect())), &format!("{}/contexts", found.dir));
    let docker_host = match &found.docker_host {
        Some(setting) if setting.exported => match &setting.host {
            Some(address) => Ok(bounded(address)),
            None => Err("the shell computes it".to_owned()),
        },
        _ if found.environment_complete => Ok(Value::Null),
        _ => Err("a profile could not be read".to_owned()),
    };
    put("docker_host", docker_host, "profiles and environment files");
    let keys = found.contexts.iter().flat_map(|c| &c.tls).chain(&found.tls).chain(&found.trust_keys);
    let keys = keys.filter(|m| m.path.ends_with("key.pem") || m.path.ends_with(".key")).map(|m| {
        let others = Access::new(host, &found.users, m).reached();
        Value::Object(vec![("path", bounded(&m.path)), ("mode", octal(m.mode)), ("others_read", others.into())])
    });
    put("key_files", of_config(Value::List(keys.collect())), &found.dir);
    let trust = match &found.content_trust {
        Some(trust) => {
            trust.in_effect().ok_or_else(|| format!("{}: it depends on what the shell decides", trust.at.path))
        }
        None if found.environment_complete => Ok(false),
        None => Err("a profile could not be read".to_owned()),
    };
    let place = found
        .content_trust
        .as_ref()
        .map_or_else(|| "profiles and environment files".to_owned(), |t| format!("{}:{}", t.at.path, t.at.line));
    put("content_trust", trust.map(Value::Bool), &place);
    let version = cli_version(&host.client, host);
    let honours = version.clone().and_then(|v| match v {
        None => Ok(false),
        Some(v) => Version::of_package(&v).map(|v| v.major() < 29).ok_or_else(|| format!("`{v}` is no version")),
    });
    put("cli_version", version.map(|v| v.map_or(Value::Null, |v| bounded(&v))), "package database");
    put("cli_honours_trust", honours.map(Value::Bool), "the client's version");
    c
}

/// The client's version by its package; null where none is installed.
fn cli_version(client: &Client, host: &Host) -> Result<Option<String>, String> {
    let paths = ["/usr/bin/docker", "/usr/local/bin/docker", "/bin/docker", "/snap/bin/docker"];
    let there = paths.into_iter().find(|p| host.root.stat(p).is_ok());
    match (&client.cli_version, host.packages.docker_cli(), there) {
        (_, _, Some("/usr/local/bin/docker")) => Err("no package owns /usr/local/bin/docker".into()),
        (Some(version), _, _) => Ok(Some(version.clone())),
        (None, Installed::Unknown(why), _) => Err(why.to_owned()),
        (None, _, Some(path)) => Err(format!("no package owns {path}")),
        (None, _, None) => Ok(None),
    }
}

fn octal(mode: u32) -> Value {
    format!("{mode:04o}").into()
}
