//! Certificates, good and bad, made anew for each front, and the files in which they are.

#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, CrlDistributionPoint, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose, date_time_ymd,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::version::{TLS12, TLS13};
use rustls::{RootCertStore, ServerConfig, crypto};

/// What the server shows, and what it demands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Certificate {
    /// Signed by the CA, valid, for localhost, 127.0.0.1 and ::1.
    Good,
    /// The same for the name alone.
    NameOnly,
    /// Its time is over.
    Expired,
    /// Its time has not begun.
    NotYetValid,
    /// For another host.
    WrongName,
    /// Signed by itself; the CA file holds another certificate.
    SelfSigned,
    /// Good, and the client has to show one that the CA signed.
    DemandsClient,
    /// Good, and TLS 1.2 is spoken.
    Tls12,
    /// Good, and says that the list of what was revoked is to be had at that port of 127.0.0.1.
    Revocable(u16),
}

/// The files of one front, in a folder of their own, which goes with it.
pub(super) struct Files {
    folder: PathBuf,
    pub(super) ca: PathBuf,
    pub(super) client: PathBuf,
    pub(super) client_key: PathBuf,
    pub(super) stranger: PathBuf,
    pub(super) stranger_key: PathBuf,
}

impl Drop for Files {
    fn drop(&mut self) {
        // What stays behind is small, and in the folder for temporary files.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Makes all that a front of that kind needs.
pub(super) fn make(kind: Certificate) -> (Files, ServerConfig) {
    let ca = authority("sio tests");
    let key = KeyPair::generate().expect("a key");
    let params = server_params(kind);
    let certificate = match kind {
        Certificate::SelfSigned => params.self_signed(&key),
        _ => params.signed_by(&key, &ca),
    };
    let chain = vec![certificate.expect("a certificate").der().clone()];
    let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
    let versions: &[_] = if kind == Certificate::Tls12 { &[&TLS12] } else { &[&TLS13, &TLS12] };
    let provider = Arc::new(crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(versions)
        .expect("the versions are known");
    let builder = if kind == Certificate::DemandsClient {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(ca.der().to_vec())).expect("a root");
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
        builder.with_client_cert_verifier(verifier.build().expect("a verifier"))
    } else {
        builder.with_no_client_auth()
    };
    let mut config = builder.with_single_cert(chain, key).expect("a server's configuration");
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    (files(&ca), config)
}

fn authority(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::new()).expect("no names");
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("a CA")
}

fn server_params(kind: Certificate) -> CertificateParams {
    let names: &[&str] = match kind {
        Certificate::WrongName => &["elsewhere.example"],
        Certificate::NameOnly => &["localhost"],
        _ => &["localhost", "127.0.0.1", "::1"],
    };
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    let mut params = CertificateParams::new(names).expect("good names");
    params.distinguished_name.push(DnType::CommonName, "a server of the tests");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    if let Certificate::Revocable(port) = kind {
        let uris = vec![format!("http://127.0.0.1:{port}/revoked.crl")];
        params.crl_distribution_points = vec![CrlDistributionPoint { uris }];
    }
    (params.not_before, params.not_after) = match kind {
        Certificate::Expired => (date_time_ymd(2019, 1, 1), date_time_ymd(2020, 1, 1)),
        Certificate::NotYetValid => (date_time_ymd(2090, 1, 1), date_time_ymd(2091, 1, 1)),
        _ => (date_time_ymd(2020, 1, 1), date_time_ymd(2090, 1, 1)),
    };
    params
}

fn files(ca: &CertifiedIssuer<'static, KeyPair>) -> Files {
    static LAST: AtomicU64 = AtomicU64::new(0);
    let number = LAST.fetch_add(1, Ordering::Relaxed);
    let folder = std::env::temp_dir().join(format!("sio-tls-{}-{number}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder for temporary files");
    let write = |name: &str, text: String| {
        let path = folder.join(name);
        std::fs::write(&path, text).expect("a temporary file");
        path
    };
    let client_of = |ca: &CertifiedIssuer<'static, KeyPair>| {
        let mut params = CertificateParams::new(vec!["client.example".into()]).expect("a name");
        params.distinguished_name.push(DnType::CommonName, "a client of the tests");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, ca).expect("a certificate");
        (certificate.pem(), key.serialize_pem())
    };
    let (client, client_key) = client_of(ca);
    let (stranger, stranger_key) = client_of(&authority("somebody else"));
    Files {
        ca: write("ca.pem", ca.pem()),
        client: write("client.pem", client),
        client_key: write("client.key", client_key),
        stranger: write("stranger.pem", stranger),
        stranger_key: write("stranger.key", stranger_key),
        folder,
    }
}
