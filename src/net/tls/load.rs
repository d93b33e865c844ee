//! The certificates and keys that the options of TLS name.
//!
//! Owns the files and the system's store. Refuses to know connections.

#![forbid(unsafe_code)]

use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustls::client::{ResolvesClientCert, Resumption, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, RootCertStore, SignatureScheme};
use rustls_native_certs::ErrorKind;

use super::TlsOptions;
use super::verify::{Anyone, Verifier};
use crate::error::{Failure, Phase, Status};
use crate::sys;

/// What every handshake of an attempt needs.
#[derive(Debug)]
pub(in crate::net) struct Credentials {
    pub(super) config: Arc<ClientConfig>,
    pub(super) identity: Arc<Identity>,
}

/// The client's certificate, if it has one, and whether a server has asked for it.
#[derive(Debug)]
pub(super) struct Identity {
    key: Option<Arc<CertifiedKey>>,
    asked: AtomicBool,
}

/// Reads all that the options name.
///
/// # Errors
///
/// [`Status::Invalid`] with the option and its file, if the file cannot be read or does not hold
/// what it should; [`Status::Tls`] if the system has no store of certificates.
pub(super) fn credentials(options: &TlsOptions) -> Result<Credentials, Failure> {
    let provider = Arc::new(ring::default_provider());
    let key = client_key(options, &provider)?.map(Arc::new);
    let authorities = match &options.ca_file {
        Some(path) => Some((path, certificates("tls_ca_file", path)?)),
        None => None,
    };
    let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| internal(error.to_string()))?
        .dangerous();
    let config = if options.verify {
        let (roots, own) = match authorities {
            Some((path, own)) => (roots_of("tls_ca_file", path, &own)?, own),
            None => (system_roots()?, Vec::new()),
        };
        let webpki = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
            .build()
            .map_err(|error| internal(error.to_string()))?;
        config.with_custom_certificate_verifier(Arc::new(Verifier::new(webpki, own)))
    } else {
        config.with_custom_certificate_verifier(Arc::new(Anyone::new(&provider)))
    };
    let identity = Arc::new(Identity { key, asked: AtomicBool::new(false) });
    let mut config = config.with_client_cert_resolver(Arc::clone(&identity) as _);
    // All go to one server.
    config.resumption = Resumption::in_memory_sessions(4);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Credentials { config: Arc::new(config), identity })
}

impl Identity {
    /// Whether a server has asked for a certificate.
    pub(super) fn asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }

    /// Whether there is one to show.
    pub(super) fn has_certificate(&self) -> bool {
        self.key.is_some()
    }
}

impl ResolvesClientCert for Identity {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.asked.store(true, Ordering::Relaxed);
        self.key.clone()
    }

    fn has_certs(&self) -> bool {
        self.has_certificate()
    }
}

fn client_key(
    options: &TlsOptions,
    provider: &CryptoProvider,
) -> Result<Option<CertifiedKey>, Failure> {
    let (cert_file, key_file) = match (&options.cert_file, &options.key_file) {
        (None, None) => return Ok(None),
        (Some(cert_file), Some(key_file)) => (cert_file, key_file),
        (Some(_), None) => return Err(invalid("tls_cert_file needs tls_key_file beside it")),
        (None, Some(_)) => return Err(invalid("tls_key_file needs tls_cert_file beside it")),
    };
    let chain = certificates("tls_cert_file", cert_file)?;
    let key = key_in("tls_key_file", key_file)?;
    CertifiedKey::from_der(chain, key, provider).map(Some).map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => invalid(format!(
            "tls_key_file: {key_file:?} does not hold the key of the first certificate in \
             {cert_file:?}"
        )),
        rustls::Error::InvalidCertificate(_) => {
            invalid(format!("tls_cert_file: the first certificate in {cert_file:?} is malformed"))
        }
        error => invalid(format!("tls_key_file: the key in {key_file:?} cannot be used: {error}")),
    })
}

/// The certificates in a file, at least one.
fn certificates(option: &str, path: &str) -> Result<Vec<CertificateDer<'static>>, Failure> {
    let content = content(option, path)?;
    let certificates: Result<Vec<_>, pem::Error> =
        CertificateDer::pem_slice_iter(&content).collect();
    match certificates {
        Ok(certificates) if certificates.is_empty() => Err(invalid(format!(
            "{option}: {path:?} holds no certificate in PEM form (\"-----BEGIN CERTIFICATE-----\")"
        ))),
        Ok(certificates) => Ok(certificates),
        Err(error) => Err(invalid(format!("{option}: {path:?} is malformed: {error}"))),
    }
}

fn key_in(option: &str, path: &str) -> Result<PrivateKeyDer<'static>, Failure> {
    let content = content(option, path)?;
    PrivateKeyDer::from_pem_slice(&content).map_err(|error| match error {
        _ if holds(&content, b"ENCRYPTED") => invalid(format!(
            "{option}: the key in {path:?} is encrypted; only a key without a passphrase is taken"
        )),
        pem::Error::NoItemsFound => invalid(format!(
            "{option}: {path:?} holds no key in PEM form (\"-----BEGIN PRIVATE KEY-----\")"
        )),
        error => invalid(format!("{option}: {path:?} is malformed: {error}")),
    })
}

fn content(option: &str, path: &str) -> Result<Vec<u8>, Failure> {
    let mut content = Vec::new();
    let read = File::open(path).and_then(|file| file.take(MAX_FILE).read_to_end(&mut content));
    match read {
        Ok(count) if (count as u64) < MAX_FILE => Ok(content),
        Ok(_) => Err(invalid(format!("{option}: {path:?} is larger than 16 MiB"))),
        Err(error) => Err(unreadable(option, path, &error)),
    }
}

fn roots_of(
    option: &str,
    path: &str,
    certificates: &[CertificateDer<'static>],
) -> Result<RootCertStore, Failure> {
    let mut roots = RootCertStore::empty();
    match roots.add_parsable_certificates(certificates.iter().cloned()) {
        (0, _) => Err(invalid(format!(
            "{option}: no certificate in {path:?} can be used: all are malformed or of an old \
             version"
        ))),
        _ => Ok(roots),
    }
}

fn system_roots() -> Result<RootCertStore, Failure> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    // A store holds some that are odd; the others are good nevertheless.
    let (usable, _) = roots.add_parsable_certificates(found.certs);
    if usable > 0 {
        return Ok(roots);
    }
    let lacking = found.errors.iter().find_map(|error| match &error.kind {
        ErrorKind::Io { inner, .. } if sys::lacks_resources(inner) => Some(inner),
        _ => None,
    });
    if let Some(error) = lacking {
        let text = format!("the system's store of trusted certificates cannot be read: {error}");
        let mut failure = Failure::new(Status::System, text).in_phase(Phase::Tls);
        failure.details.os_error = error.raw_os_error();
        return Err(failure);
    }
    let mut text = String::from("the system has no store of trusted certificates");
    if let Some(error) = found.errors.first() {
        text.push_str(&format!(" that can be read ({error})"));
    }
    text.push_str(
        "; install its package (mostly \"ca-certificates\"), or set tls_ca_file or the \
         environment's SSL_CERT_FILE",
    );
    Err(Failure::new(Status::Tls, text).in_phase(Phase::Tls))
}

fn holds(content: &[u8], word: &[u8]) -> bool {
    content.windows(word.len()).any(|window| window == word)
}

fn unreadable(option: &str, path: &str, error: &io::Error) -> Failure {
    let mut failure = invalid(format!("{option}: {path:?} cannot be read: {error}"));
    if sys::lacks_resources(error) {
        // Nothing is wrong with the file, and the next attempt may have what this one lacked.
        failure.status = Status::System;
    }
    failure.details.os_error = error.raw_os_error();
    failure
}

fn invalid(text: impl Into<String>) -> Failure {
    Failure::new(Status::Invalid, text).in_phase(Phase::Tls)
}

fn internal(text: String) -> Failure {
    Failure::new(Status::Internal, format!("TLS cannot be set up: {text}")).in_phase(Phase::Tls)
}

/// More than any store has, and an end for a path that leads to a device.
const MAX_FILE: u64 = 16 << 20;
