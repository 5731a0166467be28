//! TLS and mutual TLS, with certificates made here.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, SanType,
    date_time_ymd,
};
use rustls::RootCertStore;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use tokio_rustls::TlsAcceptor;

use super::*;

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority(name: &str) -> Authority {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// PEM of a certificate and of its key.
struct Pair {
    cert: String,
    key: String,
}

fn issue(by: &Authority, adjust: impl FnOnce(&mut CertificateParams)) -> Pair {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "engine");
    params.subject_alt_names = vec![SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST))];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2090, 1, 1);
    adjust(&mut params);
    Pair { cert: params.signed_by(&key, by).unwrap().pem(), key: key.serialize_pem() }
}

/// An engine on loopback over TLS that demands a client's certificate where `clients` signs those.
/// Its port.
async fn secure_engine(server: &Pair, clients: Option<&Authority>) -> u16 {
    let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap();
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            roots.add(authority.der().clone()).unwrap();
            let provider = Arc::new(ring::default_provider());
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
            builder.with_client_cert_verifier(verifier)
        }
    };
    let chain = vec![CertificateDer::from_pem_slice(server.cert.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(server.key.as_bytes()).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(builder.with_single_cert(chain, key).unwrap()));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                if let Ok(stream) = acceptor.accept(stream).await {
                    well_but(stream, &response("200 OK", b"\"secure\"")).await;
                }
            });
        }
    });
    port
}

/// Files for the client's side: the authority, and a pair where there is one.
fn files(dir: &TempDir, ca: &Authority, ours: Option<&Pair>) -> TlsFiles {
    let put = |name: &str, text: &str| {
        let path = dir.path().join(name);
        fs::write(&path, text).unwrap();
        Some(path)
    };
    TlsFiles {
        ca: put("ca.pem", &ca.pem()),
        cert: ours.and_then(|pair| put("cert.pem", &pair.cert)),
        key: ours.and_then(|pair| put("key.pem", &pair.key)),
        skip_verify: false,
    }
}

async fn over_tls(host: &str, port: u16, files: TlsFiles) -> Result<Engine, Failure> {
    let endpoint = Endpoint::parse(&format!("tcp://{host}:{port}"), Some(files), "test").unwrap();
    Engine::connect(&endpoint, small()).await
}

#[tokio::test]
async fn mutual_tls_and_the_certificate_as_evidence() {
    let (ca, dir) = (authority("the authority"), tempfile::tempdir().unwrap());
    let (server, ours) = (issue(&ca, |_| ()), issue(&ca, |_| ()));
    let port = secure_engine(&server, Some(&ca)).await;
    let engine = over_tls("127.0.0.1", port, files(&dir, &ca, Some(&ours))).await.unwrap();
    assert_eq!(engine.get("/x").await.unwrap(), json!("secure"));
    let shown = engine.peer_certificate().unwrap();
    assert!(shown.verified && shown.ours_shown);
    assert!(shown.subject.contains("CN=engine") && shown.issuer.contains("CN=the authority"), "{shown:?}");
    assert_eq!((shown.not_before, shown.not_after), (1_577_836_800, 3_786_912_000));
    assert_eq!(shown.chain.len(), 1);
}

#[tokio::test]
async fn a_host_name_is_verified_too() {
    let (ca, dir) = (authority("a"), tempfile::tempdir().unwrap());
    let named = issue(&ca, |params| {
        params.subject_alt_names = vec![SanType::DnsName("localhost".try_into().unwrap())];
    });
    let port = secure_engine(&named, None).await;
    over_tls("localhost", port, files(&dir, &ca, None)).await.unwrap();
    let line = over_tls("127.0.0.1", port, files(&dir, &ca, None)).await.unwrap_err().to_string();
    assert!(line.contains("not for this host's name"), "{line}");
}

#[tokio::test]
async fn without_verification_that_is_a_fact() {
    let (ca, dir) = (authority("a"), tempfile::tempdir().unwrap());
    let expired = issue(&authority("another"), |params| params.not_after = date_time_ymd(2021, 1, 1));
    let port = secure_engine(&expired, None).await;
    let unverified = TlsFiles { skip_verify: true, ..files(&dir, &ca, None) };
    let engine = over_tls("127.0.0.1", port, unverified).await.unwrap();
    assert!(!engine.peer_certificate().unwrap().verified);
    assert!(engine.endpoint().tls.as_ref().unwrap().skip_verify);
}

#[tokio::test]
async fn each_refusal_has_its_line() {
    let (ca, dir) = (authority("a"), tempfile::tempdir().unwrap());
    let good = issue(&ca, |_| ());
    for (server, part) in [
        (issue(&ca, |params| params.not_after = date_time_ymd(2021, 1, 1)), "has expired"),
        (issue(&ca, |params| params.not_before = date_time_ymd(2089, 1, 1)), "not valid yet"),
        (issue(&authority("another"), |_| ()), "not trusted here"),
    ] {
        let port = secure_engine(&server, None).await;
        let failure = over_tls("127.0.0.1", port, files(&dir, &ca, None)).await.unwrap_err();
        assert!(matches!(failure, Failure::Tls { .. }) && failure.to_string().contains(part), "{part}: {failure}");
    }
    let port = secure_engine(&good, Some(&ca)).await;
    let line = over_tls("127.0.0.1", port, files(&dir, &ca, None)).await.unwrap_err().to_string();
    assert!(line.contains("demands a client certificate"), "{line}");
    let foreign = issue(&authority("another"), |_| ());
    let line = over_tls("127.0.0.1", port, files(&dir, &ca, Some(&foreign))).await.unwrap_err().to_string();
    assert!(line.contains("our client certificate"), "{line}");
}

#[tokio::test]
async fn plain_and_tls_at_cross_purposes() {
    let (ca, dir) = (authority("a"), tempfile::tempdir().unwrap());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read_u8().await;
            // What Go answers to a plain request on its TLS port, which is no TLS either.
            let _ = stream
                .write_all(&response("400 Bad Request", b"Client sent an HTTP request to an HTTPS server.\n"))
                .await;
            let mut rest = Vec::new();
            let _ = stream.read_to_end(&mut rest).await;
        }
    });
    let line = over_tls("127.0.0.1", port, files(&dir, &ca, None)).await.unwrap_err().to_string();
    assert!(line.contains("speaks no TLS"), "{line}");
    let plain = Endpoint::parse(&format!("tcp://127.0.0.1:{port}"), None, "test").unwrap();
    let line = Engine::connect(&plain, small()).await.unwrap_err().to_string();
    assert!(line.contains("wants TLS"), "{line}");
}

#[tokio::test]
async fn bad_material_is_told_before_connecting() {
    let (ca, dir) = (authority("a"), tempfile::tempdir().unwrap());
    let (one, other) = (issue(&ca, |_| ()), issue(&ca, |_| ()));
    let mixed = Pair { cert: one.cert.clone(), key: other.key.clone() };
    let encrypted = Pair {
        cert: one.cert.clone(),
        key: "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n-----END ENCRYPTED PRIVATE KEY-----\n".into(),
    };
    for (pair, part) in [(&mixed, "do not fit together"), (&encrypted, "is encrypted")] {
        let line = over_tls("127.0.0.1", 1, files(&dir, &ca, Some(pair))).await.unwrap_err().to_string();
        assert!(line.contains(part) && !line.contains("MAA"), "{part}: {line}");
    }
    let good = files(&dir, &ca, Some(&one));
    for (broken, part) in [
        (TlsFiles { key: None, ..good.clone() }, "no key.pem beside it"),
        (TlsFiles { cert: None, ..good.clone() }, "no cert.pem beside it"),
        (TlsFiles { ca: Some(dir.path().join("none.pem")), ..good.clone() }, "cannot read"),
        (TlsFiles { ca: Some(dir.path().into()), ..good.clone() }, "no regular file"),
        (TlsFiles { ca: good.key.clone(), ..good.clone() }, "no certificate"),
    ] {
        let failure = over_tls("127.0.0.1", 1, broken).await.unwrap_err();
        assert!(matches!(failure, Failure::Tls { .. }) && failure.to_string().contains(part), "{part}: {failure}");
    }
}

#[tokio::test]
async fn a_broken_chain_is_no_panic() {
    assert_eq!(PeerCertificate::of(&[], &TlsFiles::default()), None);
    assert_eq!(PeerCertificate::of(&[CertificateDer::from(vec![0x30, 0xff])], &TlsFiles::default()), None);
}
