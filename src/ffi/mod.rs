//! The interface for C: what `include/sio.h` declares.
//!
//! Owns pointers, strings and panics: a function here checks what C gave, asks the Rust API, and
//! puts the answer where C wants it. Refuses to know the protocol.
//!
//! Each function is one expression inside a fence, which catches a panic, answers a NULL object and
//! turns failures into statuses. The types of its arguments, in `arguments` and `callbacks`, are
//! pointers as only C makes them; what can be done with one is safe if the caller keeps to the
//! header, so that nothing but they and `handle` needs the word `unsafe`. Names, order and comments are those of the
//! header, which is generated from these files.

// The names are those of C, and the comments are read there.
#![allow(non_camel_case_types, rustdoc::bare_urls, rustdoc::broken_intra_doc_links)]

pub mod arguments;
pub mod callbacks;
pub mod client;
pub mod handle;
pub mod json;
pub mod message;
pub mod nonblocking;
pub mod status;
mod support;
