//! TLS: whom to trust, and the handshake.
//!
//! Owns the options of TLS, the certificates that they name, and the words for what goes wrong.
//! Refuses to know how a socket comes about and what travels over it.

#![forbid(unsafe_code)]

pub(in crate::net) mod channel;
mod handshake;
mod load;
#[cfg(test)]
pub(in crate::net) mod testing;
mod verify;
mod words;

use std::io;
use std::sync::Arc;

use tokio::sync::{OnceCell, oneshot};

use crate::error::{Failure, Phase, Status};
use crate::sys;

pub(super) use handshake::handshake;
pub(super) use load::Credentials;

/// The options of TLS. The files are in PEM form, and read when a connection is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsOptions {
    /// Whether the server's certificate is checked: its chain, its dates, its name.
    pub verify: bool,
    /// A file of certificates that are trusted instead of those of the system.
    pub ca_file: Option<String>,
    /// A file with the client's certificate and those between it and its authority.
    pub cert_file: Option<String>,
    /// A file with the key of the client's certificate.
    pub key_file: Option<String>,
}

impl Default for TlsOptions {
    fn default() -> Self {
        TlsOptions { verify: true, ca_file: None, cert_file: None, key_file: None }
    }
}

/// Whom one connection attempt trusts, and who it is itself. Made once per attempt and shared by
/// its dials, so that the files are read once and a second connection resumes the first's session.
#[derive(Debug)]
pub struct Trust {
    options: TlsOptions,
    loaded: OnceCell<Result<Arc<Credentials>, Failure>>,
}

impl Trust {
    /// Nothing is read before the first use.
    pub fn new(options: TlsOptions) -> Self {
        Trust { options, loaded: OnceCell::new() }
    }

    /// Whether the server's certificate is checked; the log warns if not.
    pub fn verifies(&self) -> bool {
        self.options.verify
    }

    /// Reads the certificates, the first time. Files may lie on slow disks, so they are read on a
    /// thread of its own, which is left alone when nobody waits for it any more.
    pub(super) async fn credentials(&self) -> Result<Arc<Credentials>, Failure> {
        self.loaded.get_or_init(|| load(self.options.clone())).await.clone()
    }
}

async fn load(options: TlsOptions) -> Result<Arc<Credentials>, Failure> {
    let (sender, receiver) = oneshot::channel();
    let read = move || {
        // Nobody may be waiting any more; then the result is for nobody.
        let _ = sender.send(load::credentials(&options));
    };
    if let Err(error) = sys::spawn_quiet("sio-trust", read) {
        let text = format!("no thread for reading the certificates: {error}");
        let mut failure = Failure::new(Status::System, text).in_phase(Phase::Tls);
        failure.details.os_error = error.raw_os_error();
        return Err(failure);
    }
    match receiver.await {
        Ok(loaded) => loaded.map(Arc::new),
        Err(_) => {
            let text = "reading the certificates ended without a result";
            Err(Failure::new(Status::Internal, text).in_phase(Phase::Tls))
        }
    }
}

/// The failure that an error of a [`Stream`](super::stream::Stream) stands for if TLS is to
/// blame: a server may say only after the handshake that it does not take our certificate.
pub fn failure_of(error: &io::Error) -> Option<Failure> {
    let error = error.get_ref()?.downcast_ref::<words::TlsError>()?;
    Some(Failure::new(Status::Tls, error.to_string()).in_phase(Phase::Tls))
}

#[cfg(test)]
mod tests;
