//! What the linker has to know of the shared library, so that a plain `cargo build` yields the one
//! that ships.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let major = env::var("CARGO_PKG_VERSION_MAJOR").unwrap_or_default();
    let arguments: &[String] = match env::var("CARGO_CFG_TARGET_OS").as_deref() {
        Ok("macos" | "ios") => &[format!("-Wl,-install_name,@rpath/libsio.{major}.dylib")],
        Ok("windows") | Err(_) => &[],
        Ok(_) => &[
            format!("-Wl,-soname,libsio.so.{major}"),
            // Threads of the library may be on their last instructions, and a fork handler stays
            // registered, when the program has closed the library.
            "-Wl,-z,nodelete".into(),
        ],
    };
    for argument in arguments {
        println!("cargo::rustc-cdylib-link-arg={argument}");
    }
}
