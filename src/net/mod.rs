//! The network below every transport: names, connections, HTTP heads.
//!
//! Owns the way to a connected socket and the rules of the program's own headers. Refuses to
//! know Engine.IO and what travels over the socket.

#![forbid(unsafe_code)]

pub mod dial;
pub mod headers;
pub mod wire;
