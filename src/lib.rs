//! A Socket.IO client (Socket.IO protocol 5 over Engine.IO protocol 4) as a shared library with a
//! C interface. What is promised is `include/sio.h`; the modules below are public for the crate's
//! own tests, benchmarks and fuzzers, and change without notice.
//!
//! Each client is one monitor: a mutex over the protocol's state, which callers and the driver
//! enter alike. There is no command channel and no task between a caller and the session: emit
//! locks, the session says whether it may go out, the bytes are appended to the out buffer, and if
//! the connection is quiet the caller writes them to the socket itself.
//!
//! ```text
//!  application threads         one lock, held for memory only             driver (the client's own thread, tokio)
//!  emit call ack leave ─────▶ Session ──Transmit──▶ outbox ──frames, POSTs──▶ transport ──bytes──▶ net ─▶ socket
//!  receive result ◀──park─── inbox ◀──Event── Session ◀──Input── transport ◀──bytes── net ◀──── socket
//!                     Effects, run after unlocking               timer, dial, poll, probe ◀──Action── Session
//! ```
//!
//! | layer | knows | refuses to know |
//! | --- | --- | --- |
//! | [`ffi`] | C: pointers, strings, panics | the protocol |
//! | [`client`], [`message`], [`outgoing`] | the Rust API: checks arguments, enters the monitor, waits | sockets |
//! | [`monitor`] | the lock, `Effects` (wakes, a kick for the driver, a caller's write, log lines) run after unlocking | the protocol |
//! | [`core`](mod@core) | what the lock guards: carries what one part decides to the others | sockets, clocks |
//! | [`sleepers`], [`gate`], [`turnstile`], [`prepare`] | who waits, each in a parking place of its own, until when; the program's functions, one call at a time. The only places that block | why they wait |
//! | [`ready`] | descriptor and wakeup function, which tell an event loop that there is something to take | what there is |
//! | [`inbox`], [`outbox`] | order and limits of what waits for the program and for the network | the protocol |
//! | [`session`] | the whole protocol, as (state, input, now) -> outputs: handshake, heartbeat, upgrade, namespace, acks, reassembly, reconnection, leaving | clock, randomness, threads, sockets |
//! | [`packet`], [`json`] | text and bytes <-> packets | state |
//! | [`transport`] | Engine.IO packets <-> websocket frames or HTTP bodies | Socket.IO |
//! | [`net`], [`url`] | one `dial` for both transports: names, TCP, TLS; HTTP requests, headers, cookies | Engine.IO |
//! | [`driver`] | the client's thread: a tokio current-thread runtime, one loop of links, timer and orders | what to do: it asks the session |
//! | [`sync`] | what threads meet by; the models of `tests/loom` put their own in its place | everything else |
//! | [`sys`] | all that differs by system | everything else |

pub mod callback;
pub mod client;
pub mod core;
pub mod driver;
pub mod error;
pub mod ffi;
pub mod gate;
pub mod inbox;
pub mod json;
pub mod log;
pub mod message;
pub mod monitor;
pub mod net;
pub mod options;
pub mod outbox;
pub mod outgoing;
pub mod packet;
pub mod prepare;
pub mod ready;
pub mod session;
pub mod sleepers;
pub mod sync;
pub mod sys;
pub mod transport;
pub mod turnstile;
pub mod url;
