//! The snapshot of a client's counters.
//!
//! Owns the names of its members. Refuses to count: the numbers are kept where they arise.

#![forbid(unsafe_code)]

use std::fmt::{Display, Write};
use std::time::Duration;

use crate::core::Core;
use crate::json;
use crate::session::{Moment, State};
use crate::transport::Transport;

/// The JSON object that `sio_client_stats()` gives. What is not known is null.
pub(super) fn json(core: &Core, now: Moment) -> String {
    let mut object = Object(String::with_capacity(1024));
    let state = match core.state() {
        State::New | State::Closed => "disconnected",
        State::Connecting => "connecting",
        State::Connected => "connected",
        State::Reconnecting => "reconnecting",
        State::Closing => "closing",
    };
    let since = |moment: Option<Moment>| moment.map(|moment| millis(now.saturating_sub(moment)));
    let counters = &core.session.counters;
    let tally = &core.tally;
    object.text("state", state);
    object.text("transport", core.session.transport().map_or("", Transport::name));
    object.text("sid", core.session.sid());
    object.text("engine_sid", core.session.engine_sid());
    object.optional("connected_ms", since(tally.connected_at));
    object.optional("rtt_ms", tally.rtt.map(millis));
    object.value("packets_sent", tally.packets_sent);
    object.value("packets_received", counters.packets_received);
    object.value("bytes_sent", tally.bytes_sent);
    object.value("bytes_received", tally.bytes_received);
    object.value("send_queued", core.outbox.len());
    object.value("send_queued_bytes", core.outbox.cost());
    object.value("send_queued_bytes_max", core.outbox.cost_max());
    object.value("receive_queued", core.inbox.len());
    object.value("receive_queued_bytes", core.inbox.cost());
    object.value("receive_queued_bytes_max", core.inbox.cost_max());
    object.value("calls_waiting", core.session.calls_waiting());
    object.value("dropped_sent", tally.dropped_sent);
    object.value("dropped_received", tally.dropped_received);
    object.value("late_acks", counters.late_acks);
    object.value("foreign_packets", counters.foreign_packets);
    object.value("connects", counters.connects);
    object.value("attempts", counters.attempts);
    let next = core.session.next_attempt();
    object.optional("next_attempt_ms", next.map(|at| millis(at.saturating_sub(now))));
    object.optional("last_received_ms", since(tally.received_at));
    object.end()
}

/// Milliseconds with three decimals.
fn millis(time: Duration) -> String {
    format!("{:.3}", time.as_secs_f64() * 1000.0)
}

struct Object(String);

impl Object {
    fn value(&mut self, name: &str, value: impl Display) {
        let comma = if self.0.is_empty() { '{' } else { ',' };
        // Writing to a String cannot fail.
        let _ = write!(self.0, "{comma}\"{name}\":{value}");
    }

    fn text(&mut self, name: &str, text: &str) {
        let mut quoted = String::new();
        json::quote(text, &mut quoted);
        self.value(name, quoted);
    }

    fn optional(&mut self, name: &str, value: Option<impl Display>) {
        match value {
            Some(value) => self.value(name, value),
            None => self.value(name, "null"),
        }
    }

    fn end(mut self) -> String {
        self.0.push('}');
        self.0
    }
}
