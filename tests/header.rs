//! `include/sio.h`: that it is what cbindgen writes from the sources, and that compilers take it.
//!
//! With `SIO_WRITE_HEADER` in the environment (`make header`) the file is written anew.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use sio::options::{Availability, OptionInfo, TABLE};

#[test]
fn the_committed_header_is_the_one_that_is_generated() {
    let path = root().join("include/sio.h");
    let generated = generate();
    if std::env::var_os("SIO_WRITE_HEADER").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &generated).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    if committed != generated {
        let differs = committed.lines().zip(generated.lines()).position(|(a, b)| a != b);
        let line = differs.unwrap_or(committed.lines().count().min(generated.lines().count()));
        panic!(
            "include/sio.h is not what src/ffi says: run `make header`\n\
             line {}\ncommitted: {:?}\ngenerated: {:?}",
            line + 1,
            committed.lines().nth(line),
            generated.lines().nth(line)
        );
    }
}

#[test]
fn the_header_has_nothing_that_betrays_its_generation() {
    let header = generate();
    for (number, line) in header.lines().enumerate() {
        let at = format!("line {}: {line}", number + 1);
        assert!(!line.ends_with(' '), "white space at its end, {at}");
        assert!(!line.contains('\t'), "{at}");
        let table = line.starts_with("#define SIO_OPT_");
        assert!(table || line.chars().count() <= 88, "too long to read, {at}");
    }
    for word in [
        "@MAJOR@",
        "@VERSION@",
        "@OPTIONS@",
        "cbindgen",
        "# Safety",
        "Option<",
        "_t Out",
        "\n\n\n\n",
    ] {
        assert!(!header.contains(word), "{word:?}");
    }
}

#[test]
fn every_function_and_type_is_explained() {
    let header = generate();
    let lines: Vec<&str> = header.lines().collect();
    let declares = |line: &str| line.starts_with("SIO_API") || line.starts_with("typedef ");
    for pair in lines.windows(2).filter(|pair| declares(pair[1])) {
        assert!(pair[0].starts_with("///"), "no comment above: {}", pair[1]);
    }
}

#[test]
fn every_compiler_takes_the_header_in_every_standard() {
    let c = ["c99", "c11", "c17", "c2x"];
    let cpp = ["c++14", "c++17", "c++20"];
    let folder = scratch();
    let c_source = folder.join("use.c");
    let cpp_source = folder.join("use.cpp");
    fs::write(&c_source, USE).unwrap();
    fs::write(&cpp_source, USE).unwrap();
    let strict = ["-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wconversion", "-Werror"];
    let mut failures = String::new();
    for (compiler, standards, source) in [
        ("gcc", &c[..], &c_source),
        ("clang", &c[..], &c_source),
        ("g++", &cpp[..], &cpp_source),
        ("clang++", &cpp[..], &cpp_source),
    ] {
        for standard in standards {
            let mut command = Command::new(compiler);
            command.args(strict).arg(format!("-std={standard}")).arg("-fsyntax-only");
            if source == &c_source {
                command.args(["-Wstrict-prototypes", "-Wmissing-prototypes"]);
            }
            command.arg("-I").arg(root().join("include")).arg(source);
            let output = command.output().unwrap_or_else(|error| {
                panic!("{compiler} cannot be run ({error}): `make setup` installs it")
            });
            if !output.status.success() {
                failures += &format!("{command:?}\n{}", String::from_utf8_lossy(&output.stderr));
            }
        }
    }
    assert!(failures.is_empty(), "{failures}");
}

/// Includes the header first and twice, and uses its macros in the ways that it shows.
const USE: &str = r#"
#include "sio.h"
#include "sio.h"

static const char with_buffer[] = "[\"photo.png\", " SIO_PLACEHOLDER(0) "]";
#if SIO_VERSION_NUMBER < 0x000100
#error "the preprocessor can compare versions"
#endif
static int on_prepare(void *user, sio_client *client)
{
    (void)user;
    return sio_client_set(client, SIO_OPT_AUTH, "{}");
}

static void on_log(void *user, int level, const char *line)
{
    (void)user;
    (void)level;
    (void)line;
}

int main(void)
{
    sio_client *client = sio_client_new();
    sio_buffer buffer = {"\x89PNG", 4};
    sio_message *reply;
    int status;

    sio_client_set_prepare(client, on_prepare, NULL);
    sio_client_set_log(client, SIO_LOG_WARN, on_log, NULL);
    sio_client_set(client, SIO_OPT_NAMESPACE, "/");
    status = sio_client_call(client, "photo", with_buffer, &buffer, 1, SIO_FOREVER, &reply);
    if (status == SIO_E_TIMEOUT || sio_client_state(client) == SIO_STATE_CONNECTED)
        sio_message_free(reply);
    sio_client_free(client);
    return 0;
}
"#;

fn generate() -> String {
    let root = root();
    let mut config = cbindgen::Config::from_file(root.join("cbindgen.toml")).unwrap();
    let fill = |text: &mut Option<String>, what: &str, with: &str| {
        let text = text.as_mut().unwrap();
        assert!(text.contains(what), "cbindgen.toml has no {what}");
        *text = text.replace(what, with);
    };
    let after = &mut config.after_includes;
    fill(after, "@MAJOR@", env!("CARGO_PKG_VERSION_MAJOR"));
    fill(after, "@MINOR@", env!("CARGO_PKG_VERSION_MINOR"));
    fill(after, "@PATCH@", env!("CARGO_PKG_VERSION_PATCH"));
    fill(after, "@VERSION@", env!("CARGO_PKG_VERSION"));
    fill(after, "@OPTIONS@", &TABLE.iter().map(row).collect::<Vec<_>>().join("\n"));
    let mut builder = cbindgen::Builder::new().with_config(config);
    // The order of the header.
    let sources =
        ["arguments", "handle", "callbacks", "status", "client", "message", "json", "nonblocking"];
    for source in sources {
        builder = builder.with_src(root.join(format!("src/ffi/{source}.rs")));
    }
    let mut header = Vec::new();
    builder.generate().unwrap().write(&mut header);
    let header = String::from_utf8(header).unwrap();
    // It sets a space behind the star of a pointer that has another name in Rust.
    let tidy = |line: &str| {
        let comment = line.trim_start().starts_with("//") || line.contains("/*");
        (if comment { line.to_owned() } else { line.replace("* ", "*") }) + "\n"
    };
    header.lines().map(tidy).collect()
}

/// One line of the table of options.
fn row(info: &OptionInfo) -> String {
    let text = ["word", "text", "list"].contains(&info.form);
    let default = if text { format!("\"{}\"", info.default) } else { info.default.to_owned() };
    let apart = info.remark.starts_with(|c: char| c.is_ascii_digit() || c == '"');
    let remark = match (info.default, info.remark) {
        (_, "") => default,
        ("", remark) => remark.to_owned(),
        (_, remark) => format!("{default}{} {remark}", if apart { ';' } else { ',' }),
    };
    let meaning = match info.availability {
        Availability::Works(_) => remark,
        Availability::Missing => "not yet: SIO_E_UNSUPPORTED".to_owned(),
    };
    let name = info.name.to_uppercase();
    let quoted = format!("\"{}\"", info.name);
    format!("#define SIO_OPT_{name:<19} {quoted:<21} // {:<8} {meaning}", info.form)
}

fn scratch() -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("header");
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
