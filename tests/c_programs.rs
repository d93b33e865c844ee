//! The C programs under `tests/c`, each built against `include/sio.h` and the shared library, and run as
//! it is and under valgrind, which finds leaks and bad memory.
//!
//! Owns: building, the servers that each program meets, and running. What is promised is in the programs.

#![cfg(target_os = "linux")]

mod common;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{OnceLock, PoisonError, RwLock};

use common::scripted::{Frame, Listen, Script, Scripted};
use common::{Kind, Server};

/// Makes the two tests of each program. What follows the name says which servers it gets, after the one
/// that speaks the test protocol, as arguments.
macro_rules! programs {
    ($($name:ident: $servers:expr;)*) => {
        $(mod $name {
            use super::*;

            #[test]
            fn plain() {
                run(stringify!($name), $servers, Mode::Plain);
            }

            #[test]
            fn under_valgrind() {
                run(stringify!($name), $servers, Mode::Valgrind);
            }
        })*
    };
}

programs! {
    attempts: Servers::Real;
    bad_arguments: Servers::Real;
    deadlines: Servers::SilentAndDeaf;
    dlopen: Servers::Real;
    fork: Servers::Real;
    interrupt: Servers::SilentAndDeaf;
    interrupt_signal: Servers::SilentAndDeaf;
    json: Servers::Real;
    lifecycle: Servers::SilentAndDeaf;
    line: Servers::SilentAndDeaf;
    log: Servers::Real;
    lookup: Servers::SilentAndDeaf;
    messages: Servers::Exact;
    mixed: Servers::SilentAndDeaf;
    prepare: Servers::SilentAndDeaf;
    process: Servers::Real;
    readiness: Servers::SilentDeafAndFast;
    scarce: Servers::Real;
    started: Servers::SilentAndDeaf;
    stress: Servers::Real;
    threads: Servers::Real;
    wakeup: Servers::SilentDeafAndFast;
}

#[derive(Clone, Copy, PartialEq)]
enum Mode {
    Plain,
    Valgrind,
}

#[derive(Clone, Copy)]
enum Servers {
    Real,
    /// One that connects and then reads but never answers or closes, and one that does not even read.
    SilentAndDeaf,
    /// These two, and the real server that sends most in a second.
    SilentDeafAndFast,
    /// One whose packets `messages.c` knows byte for byte.
    Exact,
}

fn run(name: &str, servers: Servers, mode: Mode) {
    static QUIET: RwLock<()> = RwLock::new(());

    let program = build(name, mode);
    let real = Server::of(Kind::Node);
    let mut urls = vec![real.url()];
    let mut exact = None;
    // Scripts that no connection has begun end with the servers.
    let several =
        |script: fn() -> Script| Scripted::start_with(Listen::default(), (0..40).map(|_| script()));
    let others = match servers {
        Servers::Real => Vec::new(),
        Servers::SilentAndDeaf | Servers::SilentDeafAndFast => {
            vec![several(silent), several(deaf)]
        }
        Servers::Exact => {
            let server = Scripted::start(exact_packets());
            urls.push(server.url());
            exact = Some(server);
            Vec::new()
        }
    };
    urls.extend(others.iter().map(Scripted::url));
    let fast = matches!(servers, Servers::SilentDeafAndFast).then(|| Server::of(Kind::Oxide));
    urls.extend(fast.iter().map(Server::url));
    if name == "dlopen" {
        urls.push(folder().join("libsio.so.0").display().to_string());
    }

    let mut command = command(&program, mode);
    command.args(&urls).env_remove("SIO_LOG");
    // Times are measured, so those that measure strictly have the machine for themselves.
    let timed = !matches!(servers, Servers::Exact | Servers::Real) && mode == Mode::Plain;
    let output = if timed {
        let _alone = QUIET.write().unwrap_or_else(PoisonError::into_inner);
        command.output()
    } else {
        let _beside_others = QUIET.read().unwrap_or_else(PoisonError::into_inner);
        command.output()
    };
    let output = output.unwrap_or_else(|error| panic!("{command:?} cannot be run: {error}"));
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(output.status.success(), "{}: {}\n{said}", program.display(), output.status);
    if let Some(server) = exact {
        server.finish();
    }
}

fn command(program: &Path, mode: Mode) -> Command {
    // A program that hangs is ended, and with it the test.
    let mut command = Command::new("timeout");
    command.args(["--signal=KILL", if mode == Mode::Plain { "120" } else { "240" }]);
    if mode == Mode::Valgrind {
        need("valgrind");
        command.args([
            "valgrind",
            "--quiet",
            "--error-exitcode=99",
            "--fair-sched=yes",
            "--vgdb=no",
        ]);
        command.args([
            "--leak-check=full",
            "--show-leak-kinds=definite,indirect",
            "--errors-for-leak-kinds=definite,indirect",
        ]);
        command.env("SIO_TEST_SLOW", "1");
    }
    command.arg(program);
    command
}

fn build(name: &str, mode: Mode) -> PathBuf {
    let folder = folder();
    let kind = if mode == Mode::Plain { "plain" } else { "valgrind" };
    let program = folder.join(format!("{name}-{kind}"));
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    need("cc");
    let mut cc = Command::new("cc");
    cc.args(["-std=c99", "-D_GNU_SOURCE", "-g", "-O1", "-pthread"]);
    cc.args(["-Wall", "-Wextra", "-Wpedantic", "-Wstrict-prototypes", "-Werror"]);
    cc.arg("-I").arg(root.join("include")).arg(root.join(format!("tests/c/{name}.c")));
    cc.arg("-o").arg(&program);
    if name != "dlopen" {
        // The linker takes libsio.so, and the program then asks for what that calls itself.
        cc.arg("-L").arg(folder).arg("-lsio").arg(format!("-Wl,-rpath,{}", folder.display()));
    }
    // For those that look functions up by themselves; in some C libraries they stand apart.
    cc.arg("-ldl");
    let output = cc.output().unwrap();
    assert!(output.status.success(), "{cc:?}\n{}", String::from_utf8_lossy(&output.stderr));
    program
}

/// Where the programs are built, with the library under the names that they need. It is a copy, so that
/// it stays the same one when cargo builds anew meanwhile.
fn folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("c");
        fs::create_dir_all(&folder).unwrap();
        let (soname, link) = (folder.join("libsio.so.0"), folder.join("libsio.so"));
        for path in [&soname, &link] {
            let _ = fs::remove_file(path);
        }
        fs::copy(library(), &soname).unwrap();
        symlink(&soname, &link).unwrap();
        folder
    })
}

/// The library as cargo has built it for this test.
fn library() -> PathBuf {
    let path = std::env::current_exe().unwrap().with_file_name("libsio.so");
    assert!(path.exists(), "{} is missing", path.display());
    path
}

fn need(program: &str) {
    let output = Command::new(program).arg("--version").output();
    if !output.is_ok_and(|output| output.status.success()) {
        panic!("{program} cannot be run: `make setup` installs it");
    }
}

fn silent() -> Script {
    Script::new().connected().ignoring_pings().ignoring_close().until_closed()
}

fn deaf() -> Script {
    Script::new().connected().stall()
}

fn exact_packets() -> Script {
    let bytes =
        r#"452-["bytes",{"num":1,"_placeholder":true}, {"\u005fplaceholder":true,"num":1}]"#;
    Script::new()
        .connected()
        .text(r#"42["raw", 1.0 , 1e2,"\u00e9\/" ]"#)
        .text(r#"42["none"]"#)
        .text(r#"42["",null]"#)
        .text(r#"42["a\u0000b",1]"#)
        .text(r#"42["a\"b"]"#)
        .text(r#"42[7,"x"]"#)
        .text(r#"42[-1.5e3]"#)
        .text(r#"42["\ud800","\ud800"]"#)
        .text(r#"42["disconnect",1]"#)
        .text(r#"42["plain",{"_placeholder":true,"num":0}]"#)
        .frames([Frame::text(bytes), Frame::binary("first"), Frame::binary("")])
        .text(r#"420["to be answered"]"#)
        .expect_text(r#"430[ 1.0,"\u00e9" ]"#)
        .text(r#"42999["to be freed"]"#)
        .expect_text("43999[]")
        .text(r#"4251["to be answered with bytes"]"#)
        .expect_text(r#"461-51[{"_placeholder":true,"num":0}]"#)
        .expect_binary(b"\0z")
}
