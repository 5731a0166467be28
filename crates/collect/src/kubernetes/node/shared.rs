//! What several components have in common: reading files that settings name, and TLS.

use std::path::Path;

use seaworthy_core::value::Value;
use serde_json::Value as Json;

use super::process::Part;
use super::sheet::{Run, Sheet};
use super::{defaults, document};

/// A document as it is now.
///
/// # Errors
/// Why it could not be read.
pub(super) fn load(run: &Run<'_>, path: &str) -> Result<Json, String> {
    document::parse(&run.files.read(path)?)
}

/// A document that is read when the component starts.
///
/// # Errors
/// Why it could not be read, or what changed since.
pub(super) fn load_at_start(run: &Run<'_>, path: &str) -> Result<Json, String> {
    match run.files.changed(path) {
        Some(why) => Err(format!("what is in effect cannot be read: {why}")),
        None => load(run, path),
    }
}

/// A path that is relative to the directory of a file.
pub(super) fn beside(file: &str, path: &str) -> String {
    if path.starts_with('/') {
        return path.to_owned();
    }
    Path::new(file).parent().unwrap_or(Path::new("/")).join(path).to_string_lossy().into_owned()
}

/// Serving certificate, versions and cipher suites; by fields of the configuration below `fields` where it has such.
pub(super) fn tls(part: &mut Part<'_>, fields: &str, told: bool) {
    let field = |name: &str| if fields.is_empty() { String::new() } else { name.to_owned() };
    part.file("tls_cert_file", "tls-cert-file", &field("tlsCertFile"), "pki-cert");
    part.file("tls_private_key_file", "tls-private-key-file", &field("tlsPrivateKeyFile"), "pki-key");
    let sheet = &mut part.sheet;
    sheet.text("tls_min_version", "tls-min-version", &field("tlsMinVersion"), "VersionTLS12");
    if sheet.c.value("tls_min_version").as_str() == Some("") {
        let source = sheet.at_flag("tls-min-version");
        sheet.c.set("tls_min_version", "VersionTLS12", source);
    }
    ciphers(sheet, &field("tlsCipherSuites"), told);
}

fn ciphers(sheet: &mut Sheet<'_>, field: &str, told: bool) {
    let given = sheet.find("tls-cipher-suites", field, super::sheet::strings, |sheet| {
        sheet.otherwise(super::sheet::NONE).map(|_| Vec::new())
    });
    let (given, source) = match given {
        Ok(found) => found,
        Err((why, source)) => {
            sheet.c.set_unknown("tls_cipher_suites", why.as_str(), source.clone());
            if told {
                sheet.c.set_unknown("tls_cipher_suites_given", why, source);
            }
            return;
        }
    };
    if told {
        sheet.c.set("tls_cipher_suites_given", !given.is_empty(), source.clone());
    }
    let suites = match sheet.c.value("tls_min_version") {
        Value::Str(version) if &**version == "VersionTLS13" => Ok(Vec::new()),
        Value::Str(_) if !given.is_empty() => Ok(given.iter().map(|name| iana(name)).collect()),
        Value::Str(_) => match sheet.run.minor.map(|minor| (minor, defaults::ciphers(minor))) {
            Some((_, Some(suites))) => Ok(suites.into_iter().map(str::to_owned).collect()),
            Some((minor, None)) => Err(format!("those of version 1.{minor} are not known here")),
            None => Err("the version decides them and is unknown".to_owned()),
        },
        _ => Err("the lowest version of TLS is unknown".to_owned()),
    };
    match suites {
        Ok(suites) => {
            let all: Vec<String> = suites.into_iter().chain(defaults::TLS13.map(str::to_owned)).collect();
            let mut unique: Vec<String> = Vec::with_capacity(all.len());
            for suite in all {
                if !unique.contains(&suite) {
                    unique.push(suite);
                }
            }
            let value = sheet.strings(unique);
            sheet.c.set("tls_cipher_suites", value, source);
        }
        Err(why) => sheet.c.set_unknown("tls_cipher_suites", why, source),
    }
}

/// Two suites have an old name as well.
fn iana(name: &str) -> String {
    if name.ends_with("_WITH_CHACHA20_POLY1305") { format!("{name}_SHA256") } else { name.to_owned() }
}
