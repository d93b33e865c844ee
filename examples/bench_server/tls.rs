//! A CA and a certificate made anew for each run, and a stream over rustls that reads and writes much
//! at a time.

use std::io::{Error, ErrorKind, Read, Result, Write};
use std::net::TcpStream;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rcgen::{KeyUsagePurpose, date_time_ymd};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, crypto};

/// So much is read from the socket at once.
const READ: usize = 256 * 1024;

/// The CA as PEM, and what a server with a certificate of it for 127.0.0.1 shows.
pub fn make() -> (String, Arc<ServerConfig>) {
    let mut params = CertificateParams::new(Vec::new()).expect("no names are valid names");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.distinguished_name.push(DnType::CommonName, "sio benchmark");
    (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2049, 1, 1));
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key"))
        .expect("a certificate of the CA");

    let names = ["127.0.0.1", "localhost"].map(String::from).to_vec();
    let mut params = CertificateParams::new(names).expect("the names are valid");
    params.use_authority_key_identifier_extension = true;
    (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2049, 1, 1));
    let key = KeyPair::generate().expect("a key");
    let certificate = params.signed_by(&key, &authority).expect("a certificate");
    let chain = vec![certificate.der().clone()];
    let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
    let config = ServerConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the versions are known")
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .expect("the key belongs to the certificate");
    (authority.pem(), Arc::new(config))
}

pub struct TlsStream {
    session: ServerConnection,
    socket: TcpStream,
    /// What was read from the socket and is yet to be decrypted: `start..end`.
    sealed: Vec<u8>,
    start: usize,
    end: usize,
}

impl TlsStream {
    pub fn new(socket: TcpStream, config: &Arc<ServerConfig>) -> Result<TlsStream> {
        let session = ServerConnection::new(Arc::clone(config)).map_err(Error::other)?;
        Ok(TlsStream { session, socket, sealed: vec![0; READ], start: 0, end: 0 })
    }

    pub fn socket(&self) -> &TcpStream {
        &self.socket
    }

    fn send(&mut self) -> Result<()> {
        while self.session.wants_write() {
            self.session.write_tls(&mut self.socket)?;
        }
        Ok(())
    }
}

impl Read for TlsStream {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        loop {
            match self.session.reader().read(buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                outcome => return outcome,
            }
            if self.start == self.end {
                (self.start, self.end) = (0, self.socket.read(&mut self.sealed)?);
            }
            let mut sealed = &self.sealed[self.start..self.end];
            self.session.read_tls(&mut sealed)?;
            self.start = self.end - sealed.len();
            self.session.process_new_packets().map_err(Error::other)?;
            self.send()?;
        }
    }
}

impl Write for TlsStream {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        let count = self.session.writer().write(bytes)?;
        self.send()?;
        Ok(count)
    }

    fn flush(&mut self) -> Result<()> {
        self.send()
    }
}
