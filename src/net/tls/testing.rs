//! Authorities, certificates and servers for the tests of TLS and of the stream.
//!
//! Owns what these tests share. Refuses to know what they check.

#![forbid(unsafe_code)]

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::{self, JoinHandle};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{
    RootCertStore, ServerConfig, ServerConnection, StreamOwned, SupportedProtocolVersion, version,
};

use super::{TlsOptions, Trust};
use crate::net::dial::Place;
use crate::net::stream::Stream;

/// An authority that exists for one test.
pub(in crate::net) struct Authority {
    pub(super) issuer: Issuer<'static, KeyPair>,
    pub(in crate::net) pem: String,
    pub(super) der: CertificateDer<'static>,
}

/// A certificate with its key.
pub(in crate::net) struct Certificate {
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(super) pem: String,
    pub(super) key: KeyPair,
}

impl Authority {
    pub(in crate::net) fn new(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let certificate = params.self_signed(&key).unwrap();
        Authority {
            issuer: Issuer::new(params, key),
            pem: certificate.pem(),
            der: certificate.der().clone(),
        }
    }

    pub(in crate::net) fn issue(&self, names: &[&str]) -> Certificate {
        self.issue_as(names, |_| ())
    }

    pub(super) fn issue_as(
        &self,
        names: &[&str],
        change: impl FnOnce(&mut CertificateParams),
    ) -> Certificate {
        let key = KeyPair::generate().unwrap();
        let mut params = params(names);
        change(&mut params);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Certificate { chain: vec![certificate.der().clone()], pem: certificate.pem(), key }
    }

    /// Wants a certificate of this authority from clients, or does without if `may_lack`.
    pub(super) fn demand(&self, may_lack: bool) -> Arc<dyn ClientCertVerifier> {
        let mut roots = RootCertStore::empty();
        roots.add(self.der.clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
        if may_lack { verifier.allow_unauthenticated() } else { verifier }.build().unwrap()
    }
}

pub(super) fn params(names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    CertificateParams::new(names).unwrap()
}

pub(super) fn self_signed(names: &[&str], is_ca: IsCa) -> Certificate {
    let key = KeyPair::generate().unwrap();
    let mut params = params(names);
    params.is_ca = is_ca;
    let certificate = params.self_signed(&key).unwrap();
    Certificate { chain: vec![certificate.der().clone()], pem: certificate.pem(), key }
}

pub(super) const BOTH: &[&SupportedProtocolVersion] = &[&version::TLS12, &version::TLS13];

pub(in crate::net) fn config(
    certificate: &Certificate,
    versions: &[&'static SupportedProtocolVersion],
) -> ServerConfig {
    config_with(certificate, versions, None)
}

pub(super) fn config_with(
    certificate: &Certificate,
    versions: &[&'static SupportedProtocolVersion],
    clients: Option<Arc<dyn ClientCertVerifier>>,
) -> ServerConfig {
    let builder =
        ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_protocol_versions(versions)
            .unwrap();
    let builder = match clients {
        Some(clients) => builder.with_client_cert_verifier(clients),
        None => builder.with_no_client_auth(),
    };
    let key = PrivateKeyDer::Pkcs8(certificate.key.serialize_der().into());
    builder.with_single_cert(certificate.chain.clone(), key).unwrap()
}

/// A server's side of a connection.
pub(in crate::net) type Served = StreamOwned<ServerConnection, TcpStream>;

/// Accepts one connection and does the handshake as the bytes flow.
pub(in crate::net) fn serve<T: Send + 'static>(
    config: ServerConfig,
    talk: impl FnOnce(Served) -> T + Send + 'static,
) -> (SocketAddr, JoinHandle<T>) {
    serve_tcp(move |tcp| {
        talk(StreamOwned::new(ServerConnection::new(Arc::new(config)).unwrap(), tcp))
    })
}

pub(in crate::net) fn serve_tcp<T: Send + 'static>(
    talk: impl FnOnce(TcpStream) -> T + Send + 'static,
) -> (SocketAddr, JoinHandle<T>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    (address, thread::spawn(move || talk(listener.accept().unwrap().0)))
}

/// A file that is gone when it is dropped.
pub(in crate::net) struct Scratch(PathBuf);

impl Scratch {
    pub(in crate::net) fn new(content: impl AsRef<[u8]>) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("sio-tls-{}-{count}.pem", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, content).unwrap();
        Scratch(path)
    }

    pub(in crate::net) fn path(&self) -> Option<String> {
        Some(self.0.to_str().unwrap().to_owned())
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

pub(in crate::net) fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

pub(in crate::net) fn place(host: &str, address: SocketAddr, options: TlsOptions) -> Place {
    let tls = Some(Arc::new(Trust::new(options)));
    Place { host: host.to_owned(), port: address.port(), tls }
}

/// Options that trust what is in the file and nothing else.
pub(in crate::net) fn trusting(file: &Scratch) -> TlsOptions {
    TlsOptions { ca_file: file.path(), ..TlsOptions::default() }
}

pub(in crate::net) async fn read(stream: &Stream) -> io::Result<Vec<u8>> {
    let mut buf = [0; 4096];
    let count = std::future::poll_fn(|context| stream.poll_read(context, &mut buf)).await?;
    Ok(buf[..count].to_vec())
}
