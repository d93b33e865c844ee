//! What went wrong with TLS, in words that say which check failed and what to do.
//!
//! Owns the texts. Refuses to know how the errors come about.

#![forbid(unsafe_code)]

use std::error::Error;
use std::fmt;
use std::io;
use std::sync::Arc;

use rustls::pki_types::{ServerName, UnixTime};
use rustls::{AlertDescription, CertificateError, InvalidMessage};

use super::load::Identity;

/// Whom the texts are about: the server by name and port, and who we are to it.
#[derive(Clone, Debug)]
pub(super) struct Peer {
    pub(super) target: String,
    pub(super) identity: Arc<Identity>,
}

impl Peer {
    /// Whether the server has asked for a certificate.
    pub(super) fn asked(&self) -> bool {
        self.identity.asked()
    }
}

/// A failure of TLS as an [`io::Error`] carries it.
#[derive(Debug)]
pub(super) struct TlsError(String);

impl TlsError {
    /// What rustls found.
    pub(super) fn of(error: &rustls::Error, peer: &Peer) -> Self {
        Self::new(peer, &explain(error, peer))
    }

    /// The server ended the connection once it had seen our certificate, or that we have none.
    pub(super) fn refused(peer: &Peer) -> Self {
        Self::new(
            peer,
            &format!(
                "the server asked for a client certificate and then closed the connection; {}",
                certificate_advice(peer)
            ),
        )
    }

    /// The server ended the connection in the handshake.
    pub(super) fn closed(peer: &Peer, heard: bool) -> Self {
        match heard {
            _ if peer.asked() => Self::refused(peer),
            true => Self::new(peer, "the server closed the connection during the handshake"),
            false => Self::new(
                peer,
                "the server closed the connection as the handshake began; if it does not speak \
                 TLS there, use http:// or ws://",
            ),
        }
    }

    /// What the server says is no TLS.
    pub(super) fn not_tls(peer: &Peer, first: &[u8]) -> Self {
        let how = if first.starts_with(b"HTTP/") { " but plain HTTP" } else { "" };
        Self::new(peer, &format!("the server does not speak TLS there{how}; try http:// or ws://"))
    }

    /// The keys have been used for as much as they may.
    pub(super) fn exhausted(peer: &Peer) -> Self {
        Self::new(
            peer,
            "as much was sent as is safe with the keys of one TLS 1.2 connection; it has to be \
             made again",
        )
    }

    fn new(peer: &Peer, what: &str) -> Self {
        TlsError(format!("TLS with {} failed: {what}", peer.target))
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for TlsError {}

impl From<TlsError> for io::Error {
    fn from(error: TlsError) -> Self {
        io::Error::new(io::ErrorKind::InvalidData, error)
    }
}

fn explain(error: &rustls::Error, peer: &Peer) -> String {
    match error {
        rustls::Error::InvalidCertificate(error) => explain_certificate(error),
        rustls::Error::AlertReceived(alert) => explain_alert(*alert, peer),
        rustls::Error::NoCertificatesPresented => "the server has no certificate".into(),
        rustls::Error::InvalidMessage(
            InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion,
        ) => "the server sent something that is not TLS".into(),
        rustls::Error::PeerIncompatible(why) => format!(
            "the server and this library have no version, cipher or signature of TLS in common \
             (1.2 and 1.3 are known here): {why:?}"
        ),
        rustls::Error::InvalidMessage(_)
        | rustls::Error::InappropriateMessage { .. }
        | rustls::Error::InappropriateHandshakeMessage { .. }
        | rustls::Error::PeerMisbehaved(_)
        | rustls::Error::PeerSentOversizedRecord
        | rustls::Error::DecryptError => format!("the server broke the protocol: {error}"),
        error => error.to_string(),
    }
}

fn explain_certificate(error: &CertificateError) -> String {
    let trust = "; set tls_ca_file to the certificate of its authority, or tls_verify to 0 if it \
                 does not matter who the server is";
    match error {
        CertificateError::ExpiredContext { time, not_after } => format!(
            "the server's certificate, or one that it builds on, expired on {} (the clock here \
             says {})",
            date(*not_after),
            date(*time)
        ),
        CertificateError::NotValidYetContext { time, not_before } => format!(
            "the server's certificate, or one that it builds on, is not valid before {} (the \
             clock here says {})",
            date(*not_before),
            date(*time)
        ),
        CertificateError::Expired => "the server's certificate has expired".into(),
        CertificateError::NotValidYet => "the server's certificate is not valid yet".into(),
        CertificateError::NotValidForNameContext { expected, presented } => {
            explain_names(expected, presented)
        }
        CertificateError::NotValidForName => "the server's certificate is for another name".into(),
        CertificateError::UnknownIssuer => {
            format!("no trusted certificate leads to the server's{trust}")
        }
        CertificateError::Revoked => "the server's certificate has been revoked".into(),
        CertificateError::BadSignature => {
            "the signature of the server's certificate, or of its handshake, is wrong".into()
        }
        CertificateError::BadEncoding => "the server's certificate is malformed".into(),
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "the server's certificate is not meant for a server".into()
        }
        CertificateError::UnsupportedSignatureAlgorithmContext { .. }
        | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
            "the server's certificate, or one that it builds on, is signed in a way that is not \
             known here or not safe"
                .into()
        }
        CertificateError::Other(other) => match other.to_string().as_str() {
            "UnsupportedCertVersion" => {
                "the server's certificate is not of version 3, hence without a name that can be \
                 checked"
                    .into()
            }
            what if other.0.is::<super::verify::Untrusted>() => {
                format!("the server's certificate {what}{trust}")
            }
            what => format!("the server's certificate is not valid: {what}"),
        },
        error => format!("the server's certificate is not valid: {error}"),
    }
}

fn explain_names(expected: &ServerName<'_>, presented: &[String]) -> String {
    // They come as webpki shows them: DnsName("example.com").
    let name = |shown: &String| {
        let inner = shown.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
        inner.unwrap_or(shown).trim_matches('"').to_owned()
    };
    let names: Vec<String> = presented.iter().map(name).collect();
    let has = match names.len() {
        0 => "it has no names (subject alternative names; a common name does not count)".into(),
        1..=8 => format!("it is for {}", names.join(", ")),
        count => format!("it is for {} and {} more", names[..8].join(", "), count - 8),
    };
    format!("the server's certificate is not for {}: {has}", expected.to_str())
}

fn explain_alert(alert: AlertDescription, peer: &Peer) -> String {
    match alert {
        AlertDescription::CertificateRequired => {
            format!("the server wants a client certificate; {}", certificate_advice(peer))
        }
        AlertDescription::BadCertificate
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::CertificateRevoked
        | AlertDescription::CertificateExpired
        | AlertDescription::CertificateUnknown
        | AlertDescription::UnknownCA
        | AlertDescription::AccessDenied
        | AlertDescription::HandshakeFailure
            if peer.asked() =>
        {
            format!(
                "the server asked for a client certificate and then refused the handshake \
                 ({alert:?}); {}",
                certificate_advice(peer)
            )
        }
        AlertDescription::ProtocolVersion => {
            "the server does not speak TLS 1.2 or 1.3, the versions that are known here".into()
        }
        AlertDescription::HandshakeFailure | AlertDescription::InsufficientSecurity => {
            "the server found no cipher, key exchange or signature in common with what is known \
             here"
                .into()
        }
        AlertDescription::UnrecognisedName => {
            "the server does not know the name that it was called by".into()
        }
        AlertDescription::NoApplicationProtocol => {
            "the server does not speak HTTP/1.1 over TLS".into()
        }
        alert => format!("the server ended it with the alert {alert:?}"),
    }
}

fn certificate_advice(peer: &Peer) -> &'static str {
    if peer.identity.has_certificate() {
        "it does not take the one in tls_cert_file"
    } else {
        "set tls_cert_file and tls_key_file"
    }
}

/// A date as people write it, in UTC.
fn date(time: UnixTime) -> String {
    let seconds = time.as_secs();
    let (year, month, day) = civil(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{year}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}

/// Year, month and day of a day since 1970. Years are counted from March on, so that the day that
/// only some years have is a year's last, in eras of 400 years.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn dates_are_written_as_people_write_them() {
        for (seconds, expected) in [
            (0, "1970-01-01 00:00:00 UTC"),
            (951_782_399, "2000-02-28 23:59:59 UTC"),
            (951_782_400, "2000-02-29 00:00:00 UTC"),
            (951_868_800, "2000-03-01 00:00:00 UTC"),
            (1_735_689_599, "2024-12-31 23:59:59 UTC"),
            (4_107_542_400, "2100-03-01 00:00:00 UTC"),
        ] {
            assert_eq!(date(UnixTime::since_unix_epoch(Duration::from_secs(seconds))), expected);
        }
    }

    #[test]
    fn names_are_told_without_what_webpki_puts_around_them() {
        let expected = ServerName::try_from("a.example").unwrap();
        let explain = |names: &[&str]| {
            explain_names(&expected, &names.iter().map(|name| (*name).into()).collect::<Vec<_>>())
        };
        assert_eq!(
            explain(&["DnsName(\"b.example\")", "IpAddress(127.0.0.1)"]),
            "the server's certificate is not for a.example: it is for b.example, 127.0.0.1"
        );
        assert!(explain(&[]).contains("has no names"));
        assert!(explain(&["DnsName(\"b\")"; 20]).ends_with(", b and 12 more"));
    }
}
