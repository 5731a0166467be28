//! Certificates and keys as kubeadm makes them, for one cluster and one year.

use std::fs;
use std::io;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, SanType, date_time_ymd,
};

/// How long certificates are good for.
const YEAR: i64 = 365 * 24 * 3600;

/// They begin in the past, so that no clock finds them too young.
const HOUR: i64 = 3600;

/// A moment so many seconds from now, by a type of the library's own library.
macro_rules! moment {
    ($seconds:expr) => {{
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        date_time_ymd(1970, 1, 1) + Duration::from_secs(now.saturating_add_signed($seconds))
    }};
}

/// A certificate and its key, in PEM.
#[derive(Clone, Debug)]
pub(crate) struct Pair {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

/// Who a certificate is for.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Subject<'a> {
    pub(crate) name: &'a str,
    /// Two at most: the library's names hold no more.
    pub(crate) groups: &'a [&'a str],
    /// Names and addresses; where there are any, it is a server's certificate.
    pub(crate) hosts: &'a [String],
    /// Whether a server may use it as a client also.
    pub(crate) both: bool,
    /// Whether its year is over.
    pub(crate) expired: bool,
}

/// One that signs.
#[derive(Debug)]
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages =
            vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment, KeyUsagePurpose::KeyCertSign];
        (params.not_before, params.not_after) = (moment!(-HOUR), moment!(10 * YEAR));
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key"));
        Self { issuer: issuer.expect("a certificate") }
    }

    pub(crate) fn certificate(&self) -> String {
        self.issuer.pem()
    }

    pub(crate) fn pair(&self) -> Pair {
        Pair { certificate: self.certificate(), key: self.issuer.key().serialize_pem() }
    }

    pub(crate) fn issue(&self, subject: Subject<'_>) -> Pair {
        let mut params = CertificateParams::default();
        params.distinguished_name = name(subject);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
        if !subject.hosts.is_empty() {
            params.extended_key_usages.push(ExtendedKeyUsagePurpose::ServerAuth);
        }
        if subject.hosts.is_empty() || subject.both {
            params.extended_key_usages.push(ExtendedKeyUsagePurpose::ClientAuth);
        }
        params.subject_alt_names = subject.hosts.iter().map(|host| alternative(host)).collect();
        params.use_authority_key_identifier_extension = true;
        let (begin, end) = if subject.expired { (-YEAR, -HOUR) } else { (-HOUR, YEAR) };
        (params.not_before, params.not_after) = (moment!(begin), moment!(end));
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        Pair { certificate: certificate.pem(), key: key.serialize_pem() }
    }
}

/// The key pair that signs service accounts' tokens: private and public, in PEM.
pub(crate) fn token_keys() -> (String, String) {
    let key = KeyPair::generate().expect("a key");
    (key.serialize_pem(), key.public_key_pem())
}

impl Pair {
    /// Writes `path.crt` and, for its owner alone, `path.key`.
    pub(crate) fn write(&self, path: &Path) -> io::Result<()> {
        let ending = |ending: &str| path.with_file_name(format!("{}.{ending}", path.file_name().unwrap().display()));
        write(&ending("crt"), &self.certificate, 0o644)?;
        write(&ending("key"), &self.key, 0o600)
    }
}

/// Writes a file and gives it its mode, with the folders above it.
pub(crate) fn write(path: &Path, content: impl AsRef<[u8]>, mode: u32) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::write(path, content)?;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

fn name(subject: Subject<'_>) -> DistinguishedName {
    assert!(subject.groups.len() <= 2, "a bed's certificate holds two groups; {:?} are more", subject.groups);
    let mut name = DistinguishedName::new();
    // A name holds one value of each type; the second organisation is one by its number.
    let types = [DnType::OrganizationName, DnType::CustomDnType(vec![2, 5, 4, 10])];
    for (kind, group) in types.into_iter().zip(subject.groups) {
        name.push(kind, *group);
    }
    name.push(DnType::CommonName, subject.name);
    name
}

fn alternative(host: &str) -> SanType {
    match host.parse::<IpAddr>() {
        Ok(address) => SanType::IpAddress(address),
        Err(_) => SanType::DnsName(host.try_into().expect("a host's name")),
    }
}
