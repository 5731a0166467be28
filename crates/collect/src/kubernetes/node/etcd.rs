//! etcd's settings in effect: its configuration file alone where one is given, else flags, else variables, else defaults.

use seaworthy_core::fact::Source;
use seaworthy_core::value::Value;

use super::certificates;
use super::process::Part;

/// Variables of the environment that are asked for, by their flags' names.
pub(super) const VARIABLES: [&str; 23] = [
    "ETCD_CONFIG_FILE",
    "ETCD_CERT_FILE",
    "ETCD_KEY_FILE",
    "ETCD_CLIENT_CERT_AUTH",
    "ETCD_TRUSTED_CA_FILE",
    "ETCD_AUTO_TLS",
    "ETCD_PEER_CERT_FILE",
    "ETCD_PEER_KEY_FILE",
    "ETCD_PEER_CLIENT_CERT_AUTH",
    "ETCD_PEER_TRUSTED_CA_FILE",
    "ETCD_PEER_AUTO_TLS",
    "ETCD_LISTEN_CLIENT_URLS",
    "ETCD_LISTEN_PEER_URLS",
    "ETCD_LISTEN_METRICS_URLS",
    "ETCD_INITIAL_CLUSTER",
    "ETCD_DATA_DIR",
    "ETCD_WAL_DIR",
    "ETCD_NAME",
    "ETCD_CIPHER_SUITES",
    "ETCD_TLS_MIN_VERSION",
    "ETCD_ENABLE_PPROF",
    "ETCD_CA_FILE",
    "ETCD_PEER_CA_FILE",
];

/// The flag that a variable stands for.
pub(super) fn flag(variable: &str) -> Option<String> {
    Some(variable.strip_prefix("ETCD_")?.to_lowercase().replace('_', "-"))
}

/// Sets every fact of an etcd.
pub(super) fn decide(part: &mut Part<'_>) {
    part.configuration("config-file", "distribution-config", false);
    let client = "client-transport-security";
    let peer = "peer-transport-security";
    part.file("cert_file", "cert-file", &format!("{client}.cert-file"), "pki-cert");
    part.file("key_file", "key-file", &format!("{client}.key-file"), "pki-key");
    part.file("trusted_ca_file", "trusted-ca-file", &format!("{client}.trusted-ca-file"), "pki-cert");
    part.file("peer_cert_file", "peer-cert-file", &format!("{peer}.cert-file"), "pki-cert");
    part.file("peer_key_file", "peer-key-file", &format!("{peer}.key-file"), "pki-key");
    part.file("peer_trusted_ca_file", "peer-trusted-ca-file", &format!("{peer}.trusted-ca-file"), "pki-cert");
    let sheet = &mut part.sheet;
    for (fact, flag, section) in
        [("client_ca_fingerprints", "trusted-ca-file", client), ("peer_ca_fingerprints", "peer-trusted-ca-file", peer)]
    {
        let found = certificates::fingerprints_of(sheet, flag, &format!("{section}.trusted-ca-file"));
        sheet.put(fact, found);
    }
    for (fact, flag, section) in
        [("client_cert_auth", "client-cert-auth", client), ("peer_client_cert_auth", "peer-client-cert-auth", peer)]
    {
        sheet.boolean(fact, flag, &format!("{section}.client-cert-auth"), false);
        verified_by_authority(sheet, fact, if section == client { "trusted_ca_file" } else { "peer_trusted_ca_file" });
    }
    sheet.boolean("auto_tls", "auto-tls", &format!("{client}.auto-tls"), false);
    sheet.boolean("peer_auto_tls", "peer-auto-tls", &format!("{peer}.auto-tls"), false);
    urls(part);
    data(part);
}

/// etcd asks for certificates where authorities are given, even if it was not told to (`TLSInfo.ServerConfig`).
fn verified_by_authority(sheet: &mut super::sheet::Sheet<'_>, fact: &str, authorities: &str) {
    if sheet.c.value(fact).as_bool() != Some(false) {
        return;
    }
    let given = sheet.c.fact(authorities).clone();
    match &given.value {
        Value::Str(_) => sheet.c.set(fact, true, given.source),
        Value::Unknown(why) => sheet.c.set_unknown(fact, why.as_ref(), given.source),
        _ => {}
    }
}

fn urls(part: &mut Part<'_>) {
    let sheet = &mut part.sheet;
    for (fact, name, otherwise) in [
        ("listen_client_urls", "listen-client-urls", vec!["http://localhost:2379"]),
        ("listen_peer_urls", "listen-peer-urls", vec!["http://localhost:2380"]),
        ("listen_metrics_urls", "listen-metrics-urls", Vec::new()),
    ] {
        listed(sheet, fact, name, &otherwise, |url| Some(url.to_owned()));
    }
    listed(sheet, "members", "initial-cluster", &[], |entry| Some(entry.split_once('=')?.0.to_owned()));
    listed(sheet, "cipher_suites", "cipher-suites", &[], |suite| Some(suite.to_owned()));
}

/// Lists, which the configuration file has as one text between commas or as a list.
fn listed(
    sheet: &mut super::sheet::Sheet<'_>,
    fact: &str,
    name: &str,
    otherwise: &[&str],
    each: impl Fn(&str) -> Option<String>,
) {
    let text = |given: super::sheet::Given<'_>| match given {
        super::sheet::Given::Flag(flags, name) => flags.last(name).map(str::to_owned),
        super::sheet::Given::File(json) => match json.as_str() {
            Some(text) => Some(text.to_owned()),
            None => super::sheet::strings(given).map(|items| items.join(",")),
        },
    };
    let found = sheet.find(name, name, text, |sheet| sheet.otherwise(super::sheet::NONE).map(|_| otherwise.join(",")));
    let found = found.and_then(|(text, source)| {
        let parts: Option<Vec<String>> =
            text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(&each).collect();
        parts.map(|parts| (sheet.strings(parts), source.clone())).ok_or(("it makes no sense".to_owned(), source))
    });
    sheet.put(fact, found);
}

fn data(part: &mut Part<'_>) {
    let found = part.sheet.path_of("data-dir", "data-dir").and_then(|(path, source)| match path {
        Some(path) => Ok((path, source)),
        None => {
            let (name, at) = part.sheet.find(
                "name",
                "name",
                |given| match given {
                    super::sheet::Given::Flag(flags, name) => flags.last(name).map(str::to_owned),
                    super::sheet::Given::File(json) => json.as_str().map(str::to_owned),
                },
                |_| Ok("default".to_owned()),
            )?;
            let path = part.sheet.run.files.absolute(&format!("{name}.etcd"));
            path.map(|path| (path, at.clone())).map_err(|why| (why, at))
        }
    });
    if let Ok((path, _)) = &found {
        let path = path.clone();
        part.uses("etcd-data-dir", &path);
    }
    let sheet = &mut part.sheet;
    let found = found.map(|(path, source)| (sheet.shown(&path), source));
    sheet.put("data_dir", found);
    sheet.text("tls_min_version", "tls-min-version", "tls-min-version", "TLS1.2");
    if sheet.c.value("tls_min_version").as_str() == Some("") {
        let source = Source::new(&sheet.run.place, "the default");
        sheet.c.set("tls_min_version", "TLS1.2", source);
    }
    sheet.boolean("pprof", "enable-pprof", "enable-pprof", false);
}
