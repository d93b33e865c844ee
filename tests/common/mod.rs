//! What the tests share: real servers as child processes, TLS in front of them, and servers that
//! follow a script.
//!
//! Owns: starting a server of each `Kind`, stopping it, ending it, and starting it again at the same
//! port. What the servers do is told in `tests/servers/README.md`; `scripted` is for what no real
//! server does on demand, `tls` for certificates good and bad.

// Each test binary uses a part of this.
#![allow(dead_code, unreachable_pub, unused_imports)]

pub mod scripted;
pub mod tls;

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

/// The real servers. All speak the same test protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// npm socket.io.
    Node,
    /// python-socketio's AsyncServer on aiohttp.
    PythonAsyncio,
    /// python-socketio's Server on werkzeug, a thread for each connection.
    PythonThreaded,
    /// socketioxide on hyper.
    Oxide,
}

impl Kind {
    /// Every server, the fastest first.
    pub const fn all() -> [Kind; 4] {
        [Kind::Oxide, Kind::Node, Kind::PythonAsyncio, Kind::PythonThreaded]
    }

    /// Whether it is one of the two python servers, which are several times slower than the others.
    pub const fn is_python(self) -> bool {
        matches!(self, Kind::PythonAsyncio | Kind::PythonThreaded)
    }

    /// The program and its first arguments; fails with what to do if something is missing.
    fn command(self) -> Result<Command, String> {
        let servers = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/servers");
        let python = servers.join("python/.venv/bin/python");
        let (program, script) = match self {
            Kind::Node => {
                need(&servers.join("node/node_modules/socket.io"), "run `make setup`")?;
                (PathBuf::from("node"), Some(servers.join("node/server.js")))
            }
            Kind::PythonAsyncio => (python, Some(servers.join("python/server_asyncio.py"))),
            Kind::PythonThreaded => (python, Some(servers.join("python/server_threaded.py"))),
            Kind::Oxide => (example("test_server")?, None),
        };
        if self.is_python() {
            need(&servers.join("python/.venv/.sio-setup"), "run `make setup`")?;
        }
        let mut command = Command::new(program);
        command.args(script);
        Ok(command)
    }
}

/// How packets are carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Carriage {
    /// By HTTP long-polling alone.
    Polling,
    /// By websocket alone.
    WebSocket,
    /// By polling first, and by websocket after the upgrade in the background.
    Upgrade,
}

impl Carriage {
    /// The value of the option "transports".
    pub const fn transports(self) -> &'static str {
        match self {
            Carriage::Polling => "polling",
            Carriage::WebSocket => "websocket",
            Carriage::Upgrade => "polling,websocket",
        }
    }
}

/// How to start a server. What is `None` is left at the default that all servers share.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Between two pings, 25 s by default. Whole seconds: python servers announce nothing else.
    pub ping_interval: Option<Duration>,
    /// How long the server waits for a pong, 20 s by default.
    pub ping_timeout: Option<Duration>,
    /// The announced `maxPayload` in bytes, 1,000,000 by default; larger packets end the connection.
    pub max_payload: Option<usize>,
    /// The path, `/socket.io/` by default.
    pub path: Option<String>,
    /// The transports that the server takes, as a list with commas; all by default.
    pub transports: Option<&'static str>,
    /// The handshake announces no upgrade, though websocket is taken. Not with `Kind::Oxide`.
    pub no_upgrades: bool,
    /// The name of a cookie that each session sets, and that each of its requests has to bring back.
    pub cookie: Option<String>,
}

impl Options {
    fn args(&self) -> Vec<String> {
        let mut args = Vec::new();
        let mut push = |name: &str, value: Option<String>| {
            if let Some(value) = value {
                args.extend([name.to_owned(), value]);
            }
        };
        let millis = |duration: Duration| duration.as_millis().to_string();
        push("--ping-interval", self.ping_interval.map(millis));
        push("--ping-timeout", self.ping_timeout.map(millis));
        push("--max-payload", self.max_payload.map(|bytes| bytes.to_string()));
        push("--path", self.path.clone());
        push("--transports", self.transports.map(str::to_owned));
        push("--cookie", self.cookie.clone());
        if self.no_upgrades {
            args.push("--no-upgrades".to_owned());
        }
        args
    }
}

/// A server that runs, until it is dropped.
pub struct Server {
    child: Child,
    /// Its end is the server's, also when this process is killed.
    _stdin: Option<ChildStdin>,
    kind: Kind,
    options: Options,
    /// Nobody else gets it while the server is down.
    port: scripted::ReservedPort,
}

impl Server {
    /// Starts a server and waits until it listens, at most 30 s.
    ///
    /// # Panics
    ///
    /// If it cannot be started, with a text that says what to do about it.
    pub fn start(kind: Kind, options: Options) -> Server {
        match Server::try_start(kind, options) {
            Ok(server) => server,
            Err(text) => panic!("the {kind:?} test server: {text}"),
        }
    }

    /// `start` with the defaults.
    pub fn of(kind: Kind) -> Server {
        Server::start(kind, Options::default())
    }

    fn try_start(kind: Kind, options: Options) -> Result<Server, String> {
        let port = scripted::ReservedPort::any().map_err(|error| error.to_string())?;
        let (child, stdin) = spawn(kind, &options, port.number())?;
        Ok(Server { child, _stdin: stdin, kind, options, port })
    }

    /// Starts it again at the same port, after ending the process if it still runs. It has forgotten
    /// everything.
    ///
    /// # Panics
    ///
    /// As `start`.
    pub fn restart(&mut self) {
        self.kill();
        match spawn(self.kind, &self.options, self.port.number()) {
            Ok((child, stdin)) => (self.child, self._stdin) = (child, stdin),
            Err(text) => panic!("the {:?} test server, restarted: {text}", self.kind),
        }
    }

    /// Where it listens, at 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// The address for a client.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port())
    }

    /// What it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends the process at once, as a crash would; what was connected to it is reset or closed by the
    /// system.
    pub fn kill(&mut self) {
        // It fails only if the process has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(kind: Kind, options: &Options, port: u16) -> Result<(Child, Option<ChildStdin>), String> {
    let mut command = kind.command()?;
    let mut child = command
        .args(options.args())
        .args(["--port", &port.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("{:?} did not start ({error}): run `make setup`", command))?;
    let stdin = child.stdin.take();
    let stdout = child.stdout.take().ok_or("it has no stdout".to_owned());
    match stdout.and_then(listening_port) {
        Ok(listens) if listens == port => Ok((child, stdin)),
        other => {
            // Whatever it does, it is not what was asked for.
            let _ = child.kill();
            let _ = child.wait();
            Err(other.err().unwrap_or_else(|| format!("it does not listen at {port}")))
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// An example of this package, built. `cargo test` and `cargo nextest run` build all examples unless
/// they are told which targets to build.
pub fn example(name: &str) -> Result<PathBuf, String> {
    let test = std::env::current_exe().map_err(|error| error.to_string())?;
    // The test binary is in `deps` beside `examples`.
    let profile = test.parent().and_then(Path::parent).ok_or("the test binary has no folder")?;
    let path = profile.join("examples").join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    need(&path, &format!("run `cargo build --example {name}` (with the profile of the tests)"))?;
    Ok(path)
}

fn need(path: &Path, what_to_do: &str) -> Result<(), String> {
    if path.exists() { Ok(()) } else { Err(format!("{} is missing: {what_to_do}", path.display())) }
}

/// Reads the line that a server prints when it is ready.
fn listening_port(stdout: impl Read + Send + 'static) -> Result<u16, String> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut stdout = BufReader::new(stdout);
        let mut line = String::new();
        let result = stdout.read_line(&mut line).map(|_| line);
        // Nobody receives it after the deadline.
        let _ = sender.send(result);
        // What else it prints is read, so that it never waits for us.
        let _ = std::io::copy(&mut stdout, &mut std::io::sink());
    });
    let line = receiver
        .recv_timeout(Duration::from_secs(30))
        .map_err(|_| "it did not say within 30 s where it listens".to_owned())?
        .map_err(|error| error.to_string())?;
    if line.is_empty() {
        return Err("it ended before it listened; what it said is on stderr".to_owned());
    }
    let port = line.strip_prefix("LISTENING ").and_then(|port| port.trim_end().parse().ok());
    port.ok_or_else(|| format!("it said {line:?} instead of where it listens"))
}
