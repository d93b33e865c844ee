//! An Engine.IO server that does what it should, but for what a test changes: polling, websocket,
//! and the upgrade from one to the other, with sessions that a test can write to and look into.
//!
//! ```ignore
//! let engine = Engine::start(Plan::default().hook(|request| {
//!     (request.method == "POST").then(|| Answer::error(3, "Bad request"))
//! }));
//! client.connect(Some(&engine.url()), PATIENT);
//! engine.send(r#"42["hello"]"#);          // released by the poll that waits, or by websocket
//! engine.wait_for_text(r#"42["answer"]"#);
//! ```
//!
//! When it is dropped it asserts that the client was polite: one GET at a time, one POST at a time, no
//! POST of more than 16 packets or of `maxPayload` bytes, nothing by polling after the upgrade.
//!
//! Owns: what is answered to whom. `plan` owns what a test changes of it, `sessions` what came and goes
//! in each, `manners` the rules for clients; `http` the connections and requests.

#![forbid(unsafe_code)]

mod manners;
mod plan;
mod sessions;

use std::sync::Arc;
use std::time::Duration;

use super::answer::Answer;
use super::bell::Bell;
use super::http::{Exchange, HttpRequest, HttpServer};
use super::peer::Record;
use super::script::Script;
use sessions::Sessions;

pub use plan::{Plan, open};
pub use sessions::{Came, Packet};

/// How long a test waits for what has to come.
const PATIENCE: Duration = Duration::from_secs(10);

/// A server that runs, until it is dropped.
pub struct Engine {
    server: HttpServer,
    sessions: Arc<Sessions>,
    impolite: bool,
}

impl Engine {
    pub fn start(plan: Plan) -> Engine {
        let bell = Arc::new(Bell::default());
        let sessions = Arc::new(Sessions::new(Arc::clone(&bell)));
        let impolite = plan.impolite;
        let answering = Arc::clone(&sessions);
        let plan = Arc::new(plan);
        plan.namespace.tell(&bell);
        plan.probe.tell(&bell);
        let handler = Box::new(move |request: &HttpRequest| answer(&plan, &answering, request));
        Engine { server: HttpServer::start_with(bell, handler), sessions, impolite }
    }

    /// One that does all as it should.
    pub fn usual() -> Engine {
        Engine::start(Plan::default())
    }

    /// The server below.
    pub fn http(&self) -> &HttpServer {
        &self.server
    }

    pub fn url(&self) -> String {
        self.server.url()
    }

    // ---- the server's side of sessions ----

    /// Sends a packet in the newest session.
    pub fn send(&self, text: &str) {
        self.send_all(&[text]);
    }

    /// Sends packets in the newest session; by polling in one body.
    pub fn send_all(&self, texts: &[&str]) {
        self.sessions.send(texts.iter().map(|text| Packet::Text((*text).to_owned())));
    }

    /// The same with binary among them.
    pub fn send_packets(&self, packets: impl IntoIterator<Item = Packet>) {
        self.sessions.send(packets);
    }

    /// The poll that waits, or the next, is answered this.
    pub fn answer_poll(&self, answer: Answer) {
        self.sessions.answer_poll(answer);
    }

    /// The next POST is taken in, and answered this.
    pub fn answer_post(&self, answer: Answer) {
        self.sessions.answer_post(answer);
    }

    /// The server has forgotten its sessions, as after a restart; their websockets end.
    pub fn forget(&self) {
        self.sessions.forget();
    }

    /// Listens no more, ends all connections and forgets all sessions.
    pub fn down(&mut self) {
        self.forget();
        self.server.down();
    }

    /// Listens again, at the same port.
    pub fn up(&mut self) {
        self.server.up();
    }

    /// How many sessions there were so far.
    pub fn sessions(&self) -> usize {
        self.sessions.count()
    }

    // ---- what the client did ----

    /// All packets so far, of all sessions, in the order in which they came.
    pub fn came(&self) -> Vec<Came> {
        self.sessions.came()
    }

    /// The texts among them but for PONGs.
    pub fn texts(&self) -> Vec<String> {
        let texts =
            self.came().into_iter().filter_map(|came| came.packet.text().map(str::to_owned));
        texts.filter(|text| text != "3").collect()
    }

    /// Waits until `look` finds what it looks for among the packets.
    ///
    /// # Panics
    ///
    /// If it does not within 10 s.
    #[track_caller]
    pub fn wait_for<T>(&self, what: &str, mut look: impl FnMut(&[Came]) -> Option<T>) -> T {
        let found = self.sessions.bell().wait_for(PATIENCE, || look(&self.came()));
        found.unwrap_or_else(|| {
            let texts = self.texts();
            let texts = &texts[texts.len().saturating_sub(20)..];
            panic!("not within {PATIENCE:?}: {what}; {texts:?}; {}", self.server.summary())
        })
    }

    /// Waits until the client has sent this text.
    #[track_caller]
    pub fn wait_for_text(&self, text: &str) -> Came {
        let is_it = |came: &&Came| came.packet.text() == Some(text);
        self.wait_for(text, |all| all.iter().find(is_it).cloned())
    }

    /// Waits until a poll waits for its answer.
    #[track_caller]
    pub fn wait_for_poll(&self) {
        self.server.wait_for("a poll waits", |all| {
            let waits =
                |one: &Exchange| is_poll(one) && one.answered.is_none() && one.left.is_none();
            all.iter().any(waits).then_some(())
        });
    }

    /// Waits until the newest session has been upgraded.
    #[track_caller]
    pub fn wait_for_upgrade(&self) {
        self.wait_for("the upgrade", |all| {
            all.iter().any(|one| one.packet.text() == Some("5")).then_some(())
        });
    }

    /// The polls so far, the handshakes left out.
    pub fn polls(&self) -> Vec<Exchange> {
        self.server.exchanges().into_iter().filter(is_poll).collect()
    }

    /// The POSTs so far.
    pub fn posts(&self) -> Vec<Exchange> {
        let all = self.server.exchanges().into_iter();
        all.filter(|one| one.request.method == "POST").collect()
    }

    /// What has happened so far on websockets, in their order.
    pub fn websockets(&self) -> Vec<Record> {
        self.server.scripts()
    }

    /// What the client did against the rules so far.
    pub fn rudeness(&self) -> Option<String> {
        manners::complaint(&self.server.exchanges(), &self.came())
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.sessions.forget();
        if !self.impolite
            && !std::thread::panicking()
            && let Some(complaint) = self.rudeness()
        {
            panic!("the client is impolite: {complaint}; {}", self.server.summary());
        }
    }
}

/// Whether it is a GET of a session.
fn is_poll(exchange: &Exchange) -> bool {
    let request = &exchange.request;
    request.method == "GET" && !request.is_upgrade() && request.query("sid").is_some()
}

fn answer(plan: &Arc<Plan>, sessions: &Arc<Sessions>, request: &HttpRequest) -> Answer {
    if let Some(answer) = (plan.hook)(request) {
        return answer;
    }
    let transport = request.query("transport").unwrap_or_default();
    if !plan.transports.contains(&transport) {
        return Answer::error(0, "Transport unknown");
    }
    let session = match request.query("sid") {
        None => None,
        Some(sid) => match sessions.find(sid) {
            Some(session) => Some(session),
            None => return Answer::error(1, "Session ID unknown"),
        },
    };
    match (request.method.as_str(), request.is_upgrade(), session) {
        ("GET", false, None) if transport == "polling" => {
            let number = sessions.begin("polling");
            let head = Answer::head("200 OK").header("Content-Type: text/plain; charset=UTF-8");
            (plan.handshake)(head).body(format!("0{}", (plan.open)(number)))
        }
        ("GET", true, None) => {
            let number = sessions.begin("websocket");
            let open = format!("0{}", (plan.open)(number));
            Answer::script(serving(Script::new().switch().text(open), plan, sessions, number))
        }
        ("GET", true, Some(number)) => match (plan.upgrade)(request) {
            Some(script) => Answer::script(script),
            None => Answer::script(upgrading(plan, sessions, number)).when(&plan.opening),
        },
        ("GET", false, Some(number)) => {
            let sessions = Arc::clone(sessions);
            Answer::later(move || sessions.take_poll(number))
        }
        ("POST", false, Some(number)) => {
            // Whoever is told of the packets may say how the next POST is answered, not this one.
            let special = sessions.take_post();
            match sessions.take_in_body(number, request.number, &request.body) {
                Ok(packets) => {
                    packets.iter().for_each(|packet| react(plan, sessions, number, packet));
                    special.unwrap_or_else(|| Answer::ok("ok"))
                }
                Err(text) => Answer::error(3, &text),
            }
        }
        _ => Answer::error(2, "Bad handshake method"),
    }
}

/// The usual upgrade.
fn upgrading(plan: &Arc<Plan>, sessions: &Arc<Sessions>, number: usize) -> Script {
    let (gate, probed) = (plan.probe.clone(), Arc::clone(sessions));
    let over = Arc::clone(sessions);
    let script = Script::new()
        .switch()
        .expect_text("2probe")
        .then("answer the probe", move |peer| {
            // From here on polls bring nothing but NOOPs.
            probed.set_upgrading(number, true);
            let open = probed.bell().wait(None, || {
                let open = gate.is_open().then_some(true);
                open.or(probed.is_over(number).then_some(false))
            });
            if open == Some(true) { peer.text("3probe") } else { Err("it is over".to_owned()) }
        })
        .then("wait for the upgrade", move |peer| {
            let upgraded = peer.next_data().map(|frame| frame.text().as_deref() == Some("5"));
            over.set_upgrading(number, false);
            match upgraded {
                Ok(true) => {
                    over.carried_by_websocket(number);
                    Ok(())
                }
                Ok(false) => Err("the client sent something else than 5".to_owned()),
                Err(error) => Err(error),
            }
        });
    serving(script, plan, sessions, number)
}

/// The steps, and behind them a websocket on which the session goes on.
fn serving(script: Script, plan: &Arc<Plan>, sessions: &Arc<Sessions>, number: usize) -> Script {
    let (plan, sessions) = (Arc::clone(plan), Arc::clone(sessions));
    script.then("serve", move |peer| {
        let sender = peer.sender();
        let (writing, over) = (Arc::clone(&sessions), sender.clone());
        let writer = std::thread::spawn(move || {
            while let Some(packets) = writing.next_packets(number) {
                if packets.iter().any(|packet| sender.frame(&packet.frame()).is_err()) {
                    return;
                }
            }
            over.end();
        });
        while let Some(frame) = peer.next_frame() {
            if let Some(packet) = Packet::from_frame(&frame) {
                sessions.take_in_frame(number, packet.clone(), frame.at);
                react(&plan, &sessions, number, &packet);
            }
        }
        sessions.end(number);
        // A panic in it has been told already.
        let _ = writer.join();
        Ok(())
    })
}

fn react(plan: &Arc<Plan>, sessions: &Arc<Sessions>, number: usize, packet: &Packet) {
    let Some(text) = packet.text() else { return };
    if text == "1" {
        sessions.end(number);
        return;
    }
    if let Some(rest) = text.strip_prefix("40") {
        let namespace = match rest.split_once(',') {
            Some((name, _)) if name.starts_with('/') => {
                format!("{},", name.split('?').next().unwrap_or_default())
            }
            _ if rest.starts_with('/') => format!("{rest},"),
            _ => String::new(),
        };
        let welcome = || format!(r#"40{namespace}{{"sid":"socket-{number}"}}"#);
        let reply = (plan.refuse)(number).unwrap_or_else(welcome);
        let acknowledge = {
            let (sessions, reply) = (Arc::clone(sessions), Packet::Text(reply));
            move || sessions.send_to(number, [reply])
        };
        if plan.namespace.is_open() {
            acknowledge();
        } else {
            let (gate, sessions) = (plan.namespace.clone(), Arc::clone(sessions));
            std::thread::spawn(move || {
                let over = || sessions.is_over(number).then_some(());
                sessions.bell().wait(None, || gate.is_open().then_some(()).or_else(over));
                if gate.is_open() {
                    acknowledge();
                }
            });
        }
    }
    let replies = (plan.reply)(text).into_iter().map(Packet::Text);
    sessions.send_to(number, replies);
}
