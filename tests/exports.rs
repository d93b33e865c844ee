//! What the shared library offers to the linker, and how the functions behind it are written.

#![cfg(target_os = "linux")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

#[test]
fn the_exported_symbols_are_the_functions_of_the_header_and_no_others() {
    let header = fs::read_to_string(root().join("include/sio.h")).unwrap();
    let code = header.lines().filter(|line| !line.trim_start().starts_with("//"));
    let declared: BTreeSet<String> =
        code.filter(|line| !line.starts_with([' ', '#'])).filter_map(function_name).collect();
    let symbols = output("nm", &["-D", "--defined-only"]);
    let exported: BTreeSet<String> =
        symbols.lines().filter_map(|line| line.split(' ').next_back()).map(str::to_owned).collect();
    assert!(declared.len() > 30, "{declared:?}");
    assert_eq!(exported, declared);
}

#[test]
fn every_symbol_has_the_prefix_of_a_group() {
    let groups = ["sio_client_", "sio_message_", "sio_json_", "sio_status_", "sio_version"];
    for line in output("nm", &["-D", "--defined-only"]).lines() {
        let name = line.split(' ').next_back().unwrap();
        assert!(groups.iter().any(|group| name.starts_with(group)), "{name}");
    }
}

#[test]
fn the_library_names_its_major_version_and_is_never_unloaded() {
    let dynamic = output("readelf", &["-d", "-W"]);
    let soname = format!("[libsio.so.{}]", env!("CARGO_PKG_VERSION_MAJOR"));
    assert!(dynamic.lines().any(|l| l.contains("(SONAME)") && l.ends_with(&soname)), "{dynamic}");
    let flags = dynamic.lines().find(|line| line.contains("(FLAGS_1)")).unwrap_or_default();
    assert!(flags.contains("NODELETE"), "{dynamic}");
}

#[test]
fn the_library_needs_the_c_library_alone() {
    let allowed = ["libc.so", "libgcc_s.so", "libm.so", "libpthread.so", "libdl.so", "ld-linux"];
    for line in output("readelf", &["-d", "-W"]).lines().filter(|l| l.contains("(NEEDED)")) {
        assert!(allowed.iter().any(|name| line.contains(name)), "{line}");
    }
}

/// Formatted code says it by its indentation: a function's body is one expression if no line but the
/// first begins at its level, other than with closing brackets.
#[test]
fn every_exported_function_is_one_expression_inside_a_fence() {
    let mut found = 0;
    for entry in fs::read_dir(root().join("src/ffi")).unwrap() {
        let path = entry.unwrap().path();
        let source = fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = source.lines().collect();
        for (at, line) in lines.iter().enumerate() {
            let place = format!("{}:{}", path.display(), at + 1);
            if line.contains("extern \"C\"") && line.contains("fn ") && !line.contains("fn(") {
                assert!(line.starts_with("pub extern \"C\" fn "), "{place}: {line}");
                assert_eq!(lines[at - 1], "#[unsafe(no_mangle)]", "{place}");
                let head = lines[at..].iter().position(|l| l.ends_with(" {")).unwrap();
                let body = &lines[at + head + 1..];
                let end = body.iter().position(|l| *l == "}").unwrap();
                check_body(&body[..end], &place);
                found += 1;
            }
            let exported = line.contains("no_mangle") || line.contains("export_name");
            assert!(!exported || lines[at + 1].contains("extern \"C\" fn "), "{place}");
        }
    }
    let symbols = output("nm", &["-D", "--defined-only"]);
    assert_eq!(found, symbols.lines().count(), "as many functions as symbols");
}

#[track_caller]
fn check_body(body: &[&str], place: &str) {
    let fences = ["    fence(", "    fence_value("];
    assert!(fences.iter().any(|fence| body[0].starts_with(fence)), "{place}: {}", body[0]);
    for line in &body[1..] {
        let inside = line.starts_with("     ") || line.is_empty();
        assert!(inside || line.starts_with("    }") || *line == "    )", "{place}: {line}");
    }
    assert!(!body[body.len() - 1].ends_with(';'), "{place}");
}

/// The name in a line such as `int sio_client_set(sio_client *client,`.
fn function_name(line: &str) -> Option<String> {
    let name = line.split_once('(')?.0.rsplit([' ', '*']).next()?;
    name.starts_with("sio_").then(|| name.to_owned())
}

fn output(program: &str, arguments: &[&str]) -> String {
    let library: PathBuf = std::env::current_exe().unwrap().with_file_name("libsio.so");
    let output = Command::new(program).args(arguments).arg(&library).output();
    let output = output.unwrap_or_else(|error| {
        panic!("{program} cannot be run ({error}): it comes with the C compiler, see `make setup`")
    });
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
