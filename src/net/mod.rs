//! The network below every transport: names, connections, TLS, HTTP.
//!
//! Owns the way to a connected stream of bytes, requests over HTTP/1.1, and what goes on all
//! requests to a server. Refuses to know Engine.IO and what travels over the stream.

#![forbid(unsafe_code)]

pub mod cookies;
pub mod dial;
pub mod head;
pub mod headers;
pub mod http;
pub mod server;
pub mod stream;
pub mod tls;
