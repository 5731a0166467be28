//! Certificates in files: whom they name, whose they are, until when. Of private keys only that they are there.

use seaworthy_core::value::Value;
use sha2::{Digest as _, Sha256};
use x509_parser::prelude::{FromDer as _, X509Certificate};
use x509_parser::public_key::PublicKey;

use super::sheet::{Found, Sheet};

/// The most certificates of one file: what distributions ship as their bundle is under 200.
const MOST: usize = 512;

/// A certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Certificate {
    /// Whom it names, as one text.
    pub subject: String,
    /// The common name.
    pub common_name: String,
    /// The organizations.
    pub organizations: Vec<String>,
    issuer: String,
    /// The first 16 hexadecimal digits of its SHA-256.
    pub fingerprint: String,
    ca: bool,
    client: bool,
    server: bool,
    key: String,
    not_before: i64,
    not_after: i64,
}

/// What a file of PEM blocks holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Pem {
    /// Its certificates.
    pub certificates: Vec<Certificate>,
    /// Whether a private key lies in it.
    pub private_key: bool,
}

/// Reads a file of PEM blocks; what is none is passed over.
///
/// # Errors
/// A certificate that cannot be read.
pub(super) fn pem(bytes: &[u8]) -> Result<Pem, String> {
    let mut found = Pem::default();
    for block in x509_parser::pem::Pem::iter_from_buffer(bytes) {
        // What stands around the blocks, or is broken, is no certificate for the components either.
        let Ok(block) = block else { break };
        if block.label == "CERTIFICATE" {
            if found.certificates.len() == MOST {
                return Err(format!("it holds more than {MOST} certificates"));
            }
            found.certificates.push(certificate(&block.contents)?);
        }
        found.private_key |= block.label.ends_with("PRIVATE KEY");
    }
    Ok(found)
}

fn certificate(der: &[u8]) -> Result<Certificate, String> {
    let (_, read) = X509Certificate::from_der(der).map_err(|_| "a certificate in it cannot be read")?;
    let texts = |names: x509_parser::prelude::AttributeTypeAndValue<'_>| names.as_str().unwrap_or_default().to_owned();
    let subject = read.subject();
    let ca = read.basic_constraints().ok().flatten().is_some_and(|constraints| constraints.value.ca);
    let extended = read.extended_key_usage().ok().flatten().map(|usage| usage.value);
    let usable = |named: fn(&x509_parser::prelude::ExtendedKeyUsage<'_>) -> bool| {
        extended.is_none_or(|usage| usage.any || named(usage))
    };
    Ok(Certificate {
        subject: subject.to_string(),
        common_name: subject.iter_common_name().next().cloned().map(texts).unwrap_or_default(),
        organizations: subject.iter_organization().take(64).cloned().map(texts).collect(),
        issuer: read.issuer().to_string(),
        fingerprint: Sha256::digest(der).iter().take(8).map(|byte| format!("{byte:02x}")).collect(),
        ca,
        client: usable(|usage| usage.client_auth),
        server: usable(|usage| usage.server_auth),
        key: key(&read),
        not_before: read.validity().not_before.timestamp(),
        not_after: read.validity().not_after.timestamp(),
    })
}

fn key(certificate: &X509Certificate<'_>) -> String {
    let spki = certificate.public_key();
    match spki.parsed() {
        Ok(PublicKey::RSA(rsa)) => format!("RSA {}", rsa.key_size()),
        Ok(PublicKey::EC(point)) => format!("EC P-{}", point.key_size()),
        Ok(PublicKey::DSA(_)) => "DSA".to_owned(),
        _ if spki.algorithm.algorithm.to_id_string() == "1.3.101.112" => "Ed25519".to_owned(),
        _ => "another".to_owned(),
    }
}

impl Certificate {
    /// Days to its end.
    pub fn days_left(&self, now: i64) -> i64 {
        (self.not_after - now).div_euclid(86_400)
    }

    /// It as a value.
    pub fn value(&self, sheet_text: impl Fn(&str) -> Value, now: i64) -> Value {
        Value::Object(vec![
            ("subject", sheet_text(&self.subject)),
            ("common_name", sheet_text(&self.common_name)),
            ("organizations", Value::List(self.organizations.iter().map(|o| sheet_text(o)).collect())),
            ("issuer", sheet_text(&self.issuer)),
            ("fingerprint", self.fingerprint.as_str().into()),
            ("ca", self.ca.into()),
            ("client", self.client.into()),
            ("server", self.server.into()),
            ("key", self.key.as_str().into()),
            ("expires_in_days", self.days_left(now).into()),
            ("valid_days", (self.not_after - self.not_before).div_euclid(86_400).into()),
        ])
    }
}

/// Fingerprints of the authorities in a file that a flag names; none where no file is given.
pub(super) fn fingerprints(sheet: &Sheet<'_>, flag: &str) -> Found<Vec<String>> {
    fingerprints_of(sheet, flag, "")
}

/// The same by flag or field.
pub(super) fn fingerprints_of(sheet: &Sheet<'_>, flag: &str, field: &str) -> Found<Vec<String>> {
    let (path, source) = sheet.path_of(flag, field)?;
    let Some(path) = path else { return Ok((Vec::new(), source)) };
    let source = seaworthy_core::fact::Source::place(path.as_str());
    let read = sheet.run.files.read(&path).and_then(|bytes| pem(&bytes));
    match read {
        Ok(pem) if pem.certificates.is_empty() => Err((format!("{path}: it holds no certificate"), source)),
        Ok(pem) => Ok((pem.certificates.into_iter().map(|c| c.fingerprint).collect(), source)),
        Err(why) => Err((format!("{path}: {why}"), source)),
    }
}
