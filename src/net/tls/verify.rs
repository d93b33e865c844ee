//! Whether a server's certificate is good.
//!
//! Owns what goes beyond the usual checks, which are webpki's. Refuses to know where the trusted
//! certificates come from.

#![forbid(unsafe_code)]

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, OtherError, SignatureScheme};

/// Checks chain, dates, purpose and name.
///
/// A certificate that the program itself named is trusted as a server's also if it says that it
/// is an authority's, which webpki refuses: that is what `openssl req -x509` makes, and how most
/// come to a certificate for a server of their own.
#[derive(Debug)]
pub(super) struct Verifier {
    webpki: Arc<WebPkiServerVerifier>,
    named: Vec<CertificateDer<'static>>,
}

impl Verifier {
    /// With the certificates that the program named, if these are what `webpki` trusts.
    pub(super) fn new(
        webpki: Arc<WebPkiServerVerifier>,
        named: Vec<CertificateDer<'static>>,
    ) -> Self {
        Verifier { webpki, named }
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let verified = self.webpki.verify_server_cert(certificate, intermediates, name, ocsp, now);
        let Err(rustls::Error::InvalidCertificate(error)) = &verified else { return verified };
        let of_authority = match error {
            CertificateError::UnknownIssuer => false,
            // The dates are good then: they are what webpki looks at before.
            CertificateError::Other(other) if other.to_string() == "CaUsedAsEndEntity" => true,
            _ => return verified,
        };
        if of_authority && self.named.iter().any(|named| named == certificate) {
            verify_server_name(&ParsedCertificate::try_from(certificate)?, name)?;
            return Ok(ServerCertVerified::assertion());
        }
        let error = Untrusted::new(certificate, of_authority);
        Err(CertificateError::Other(OtherError(Arc::new(error))).into())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.webpki.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.webpki.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.webpki.supported_verify_schemes()
    }
}

/// Takes every certificate. Where anyone's is good, nobody needs to prove that it is his own, so
/// that certificates which nothing here can read are taken too.
#[derive(Debug)]
pub(super) struct Anyone(Vec<SignatureScheme>);

impl Anyone {
    /// For a server that signs in one of the ways that the provider knows.
    pub(super) fn new(provider: &CryptoProvider) -> Self {
        Anyone(provider.signature_verification_algorithms.supported_schemes())
    }
}

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.clone()
    }
}

/// A certificate that leads to nobody who is trusted.
#[derive(Debug)]
pub(super) enum Untrusted {
    /// It vouches for itself.
    SelfSigned,
    /// It is an authority's own.
    Authority,
    /// Somebody vouches for it who is not known, by this name if it has one.
    Unknown(Option<String>),
}

impl Untrusted {
    fn new(certificate: &CertificateDer<'_>, of_authority: bool) -> Self {
        match issuer_and_subject(certificate) {
            Some((issuer, subject)) if issuer == subject => Untrusted::SelfSigned,
            _ if of_authority => Untrusted::Authority,
            names => Untrusted::Unknown(names.and_then(|(issuer, _)| common_name(issuer))),
        }
    }
}

impl fmt::Display for Untrusted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Untrusted::SelfSigned => f.write_str("is self-signed and not among the trusted ones"),
            Untrusted::Authority => f.write_str("is that of an authority and not of a server"),
            Untrusted::Unknown(Some(issuer)) => {
                write!(f, "is issued by {issuer:?}, to whom no trusted certificate leads")
            }
            Untrusted::Unknown(None) => {
                f.write_str("is issued by somebody to whom no trusted certificate leads")
            }
        }
    }
}

impl Error for Untrusted {}

/// The two names in a certificate as they are encoded (RFC 5280, section 4.1).
fn issuer_and_subject(certificate: &[u8]) -> Option<(&[u8], &[u8])> {
    let (_, certificate, _) = element(certificate)?;
    let (_, mut fields, _) = element(certificate)?;
    if let (VERSION, _, rest) = element(fields)? {
        fields = rest;
    }
    let (_, _, fields) = element(fields)?; // The serial number.
    let (_, _, fields) = element(fields)?; // The algorithm of the signature.
    let (_, issuer, fields) = element(fields)?;
    let (_, _, fields) = element(fields)?; // The dates.
    let (_, subject, _) = element(fields)?;
    Some((issuer, subject))
}

/// The common name in a name, or else its organization.
fn common_name(mut name: &[u8]) -> Option<String> {
    let mut organization = None;
    while let Some((_, set, rest)) = element(name) {
        name = rest;
        let (_, attribute, _) = element(set)?;
        let (_, kind, value) = element(attribute)?;
        let text = |value| {
            let (_, text, _) = element(value)?;
            Some(String::from_utf8_lossy(text).into_owned())
        };
        match kind {
            COMMON_NAME => return text(value),
            ORGANIZATION => organization = text(value),
            _ => (),
        }
    }
    organization
}

/// The first element of a DER encoding: its tag, its content, and what follows it.
fn element(input: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[tag, length], rest) = input.split_first_chunk::<2>()?;
    let (length, rest) = match length {
        0..=0x7f => (usize::from(length), rest),
        0x81..=0x84 => {
            let (digits, rest) = rest.split_at_checked(usize::from(length & 0x7f))?;
            (digits.iter().fold(0, |sum, digit| sum << 8 | usize::from(*digit)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

/// The tag of a certificate's version, and the identifiers of two attributes.
const VERSION: u8 = 0xa0;
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
const ORGANIZATION: &[u8] = &[0x55, 0x04, 0x0a];
