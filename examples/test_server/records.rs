//! What is remembered of each connection, also after its end.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use socketioxide::socket::DisconnectReason;

use crate::content::crc32;
use crate::json::Json;

/// All records: each by its sid, and the latest of each name.
#[derive(Clone, Default)]
pub(crate) struct Records {
    by_key: Arc<Mutex<HashMap<String, Arc<Mutex<Record>>>>>,
}

/// One connection.
#[derive(Default)]
pub(crate) struct Record {
    name: String,
    sid: String,
    namespace: String,
    connected: bool,
    connections: u64,
    reason: Option<&'static str>,
    events: u64,
    count: u64,
    misordered: bool,
    checked: u64,
    bad: u64,
    misplaced: u64,
    bytes: u64,
    transport: &'static str,
    threads: HashMap<u64, u64>,
}

impl Records {
    pub(crate) fn add(&self, sid: &str, namespace: &str) -> Arc<Mutex<Record>> {
        let record = Record {
            sid: sid.to_owned(),
            namespace: namespace.to_owned(),
            connected: true,
            connections: 1,
            ..Record::default()
        };
        let record = Arc::new(Mutex::new(record));
        locked(&self.by_key).insert(sid.to_owned(), record.clone());
        record
    }

    pub(crate) fn give_name(&self, record: &Arc<Mutex<Record>>, name: &str) {
        let mut by_key = locked(&self.by_key);
        let earlier = by_key.get(name).filter(|earlier| !Arc::ptr_eq(earlier, record));
        let earlier = earlier.map(|earlier| locked(earlier).connections);
        let mut named = locked(record);
        if let Some(connections) = earlier {
            named.connections = connections + 1;
        }
        named.name = name.to_owned();
        by_key.insert(name.to_owned(), record.clone());
    }

    /// What `tally` answers.
    pub(crate) fn tally(&self, key: &str) -> Json {
        let found = locked(&self.by_key).get(key).cloned();
        found.map_or(Json::Null, |record| locked(&record).shown())
    }

    pub(crate) fn connections(&self) -> u64 {
        let by_key = locked(&self.by_key);
        let open = by_key.iter().filter(|(key, record)| {
            let record = locked(record);
            record.connected && record.sid == **key
        });
        open.count() as u64
    }
}

impl Record {
    /// The transport that carries it now.
    pub(crate) fn carried_by(&mut self, transport: &'static str) {
        self.transport = transport;
    }

    pub(crate) fn event(&mut self) {
        self.events += 1;
    }

    pub(crate) fn count(&mut self, seq: Option<u64>) -> u64 {
        self.misordered |= seq != Some(self.count);
        self.count += 1;
        self.count
    }

    pub(crate) fn check(&mut self, thread: u64, seq: u64, sum: u64, content: &[Json]) -> u64 {
        let mut found = 0;
        for value in content {
            value.buffers(&mut |bytes| {
                found = crc32(bytes, found);
                self.bytes += bytes.len() as u64;
            });
        }
        self.checked += 1;
        self.bad += u64::from(u64::from(found) != sum);
        let expected = self.threads.insert(thread, seq + 1).unwrap_or(0);
        self.misplaced += u64::from(seq != expected);
        self.checked
    }

    pub(crate) fn ended(&mut self, reason: DisconnectReason) {
        self.connected = false;
        self.reason = Some(reason_name(reason));
    }

    fn shown(&self) -> Json {
        let members = [
            ("name", Json::from(self.name.as_str())),
            ("sid", Json::from(self.sid.as_str())),
            ("namespace", Json::from(self.namespace.as_str())),
            ("connected", Json::Bool(self.connected)),
            ("connections", Json::from(self.connections)),
            ("reason", self.reason.map_or(Json::Null, Json::from)),
            ("events", Json::from(self.events)),
            ("count", Json::from(self.count)),
            ("in_order", Json::Bool(!self.misordered)),
            ("checked", Json::from(self.checked)),
            ("bad", Json::from(self.bad)),
            ("misplaced", Json::from(self.misplaced)),
            ("bytes", Json::from(self.bytes)),
            ("transport", Json::from(self.transport)),
        ];
        Json::Object(members.map(|(key, value)| (key.to_owned(), value)).into())
    }
}

/// The words of the JavaScript server.
fn reason_name(reason: DisconnectReason) -> &'static str {
    match reason {
        DisconnectReason::ClientNSDisconnect => "client namespace disconnect",
        DisconnectReason::ServerNSDisconnect => "server namespace disconnect",
        DisconnectReason::TransportClose => "transport close",
        DisconnectReason::TransportError => "transport error",
        DisconnectReason::HeartbeatTimeout => "ping timeout",
        DisconnectReason::PacketParsingError => "parse error",
        DisconnectReason::MultipleHttpPollingError => "multiple polls",
        DisconnectReason::ClosingServer => "server shutting down",
    }
}

/// A lock whose holder panicked still guards what can be shown.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
