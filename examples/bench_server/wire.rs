//! The bytes of one connection, with or without TLS.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;

use crate::tls::TlsStream;

pub enum Wire {
    Plain(TcpStream),
    Tls(Box<TlsStream>),
}

impl Wire {
    pub fn new(stream: TcpStream, tls: Option<&Arc<ServerConfig>>) -> std::io::Result<Wire> {
        match tls {
            None => Ok(Wire::Plain(stream)),
            Some(config) => Ok(Wire::Tls(Box::new(TlsStream::new(stream, config)?))),
        }
    }

    /// A read that brings nothing for so long fails.
    pub fn set_read_timeout(&self, limit: Duration) -> std::io::Result<()> {
        self.socket().set_read_timeout(Some(limit))
    }

    pub fn shutdown(&self) -> std::io::Result<()> {
        self.socket().shutdown(Shutdown::Both)
    }

    fn socket(&self) -> &TcpStream {
        match self {
            Wire::Plain(stream) => stream,
            Wire::Tls(stream) => stream.socket(),
        }
    }
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Wire::Plain(stream) => stream.read(buffer),
            Wire::Tls(stream) => stream.read(buffer),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match self {
            Wire::Plain(stream) => stream.write(bytes),
            Wire::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
