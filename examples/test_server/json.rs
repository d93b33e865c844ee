//! Arguments: JSON with binary in it, in the order in which it was written.
//!
//! Owns: what a handler receives (`Call`, `Auth`) and what it sends (`Args`). The crate's own
//! `Data` extractor takes buffers by their order and not by their number, and sorts members.

use std::collections::VecDeque;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use serde::de::{DeserializeOwned, MapAccess, SeqAccess, Visitor};
use serde::ser::{SerializeMap, SerializeTuple};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use socketioxide::adapter::LocalAdapter;
use socketioxide::extract::AckSender;
use socketioxide::handler::{FromConnectParts, FromMessage, FromMessageParts, Value};
use socketioxide::socket::Socket;

/// One value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Json {
    Null,
    Bool(bool),
    Number(serde_json::Number),
    Text(String),
    Binary(Vec<u8>),
    Array(Vec<Json>),
    Object(Vec<(String, Json)>),
}

impl Json {
    pub(crate) fn as_u64(&self) -> Option<u64> {
        match self {
            Json::Number(number) => number.as_u64(),
            _ => None,
        }
    }

    pub(crate) fn as_f64(&self) -> Option<f64> {
        match self {
            Json::Number(number) => number.as_f64(),
            _ => None,
        }
    }

    pub(crate) fn as_text(&self) -> Option<&str> {
        match self {
            Json::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn member(&self, name: &str) -> Option<&Json> {
        match self {
            Json::Object(members) => {
                members.iter().find(|(key, _)| key == name).map(|(_, value)| value)
            }
            _ => None,
        }
    }

    /// Calls `visit` with each buffer, depth first.
    pub(crate) fn buffers(&self, visit: &mut impl FnMut(&[u8])) {
        match self {
            Json::Binary(bytes) => visit(bytes),
            Json::Array(items) => items.iter().for_each(|item| item.buffers(visit)),
            Json::Object(members) => members.iter().for_each(|(_, value)| value.buffers(visit)),
            _ => {}
        }
    }

    /// Puts the buffers in the places that name them.
    fn fill(&mut self, buffers: &[impl Deref<Target = [u8]>]) {
        if self.member("_placeholder") == Some(&Json::Bool(true)) {
            let number = self.member("num").and_then(Json::as_u64);
            if let Some(bytes) = number.and_then(|number| buffers.get(number as usize)) {
                *self = Json::Binary(bytes.to_vec());
                return;
            }
        }
        match self {
            Json::Array(items) => items.iter_mut().for_each(|item| item.fill(buffers)),
            Json::Object(members) => members.iter_mut().for_each(|(_, value)| value.fill(buffers)),
            _ => {}
        }
    }
}

impl From<u64> for Json {
    fn from(value: u64) -> Self {
        Json::Number(value.into())
    }
}

impl From<&str> for Json {
    fn from(value: &str) -> Self {
        Json::Text(value.to_owned())
    }
}

/// An event as it came, with the means to acknowledge it.
pub(crate) struct Call {
    pub(crate) name: String,
    pub(crate) args: Vec<Json>,
    /// None if the client asked for no acknowledgement.
    pub(crate) ack: Option<AckSender>,
}

impl FromMessage<LocalAdapter> for Call {
    type Error = Unreadable;

    fn from_message(
        socket: Arc<Socket<LocalAdapter>>,
        mut value: Value,
        id: Option<i64>,
    ) -> Result<Self, Unreadable> {
        let Ok(ack) = AckSender::from_message_parts(&socket, &mut value, &id);
        let Value::Str(text, buffers) = value else { return Err(Unreadable) };
        let mut items: VecDeque<Json> = read(&text)?;
        let Some(Json::Text(name)) = items.pop_front() else { return Err(Unreadable) };
        let mut args = Json::Array(items.into());
        if let Some(buffers) = buffers {
            args.fill(&Vec::from(buffers));
        }
        let Json::Array(args) = args else { return Err(Unreadable) };
        Ok(Call { name, args, ack: id.map(|_| ack) })
    }
}

/// What the client sent to be let in; `{}` if nothing.
pub(crate) struct Auth(pub(crate) Json);

impl FromConnectParts<LocalAdapter> for Auth {
    type Error = Unreadable;

    fn from_connect_parts(
        _: &Arc<Socket<LocalAdapter>>,
        auth: &Option<Value>,
    ) -> Result<Self, Unreadable> {
        match auth {
            Some(Value::Str(text, _)) => read(text).map(Auth),
            _ => Ok(Auth(Json::Object(Vec::new()))),
        }
    }
}

fn read<T: DeserializeOwned>(text: &str) -> Result<T, Unreadable> {
    serde_json::from_str(text).map_err(|_| Unreadable)
}

/// The text of an event was not JSON, or no event.
#[derive(Debug)]
pub(crate) struct Unreadable;

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("unreadable arguments")
    }
}

impl std::error::Error for Unreadable {}

/// Arguments of an event or an answer. For serde a tuple, because that is what the crate spreads
/// over several arguments.
pub(crate) struct Args(pub(crate) Vec<Json>);

impl Serialize for Args {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut tuple = serializer.serialize_tuple(self.0.len())?;
        for item in &self.0 {
            tuple.serialize_element(item)?;
        }
        tuple.end()
    }
}

impl<'de> Deserialize<'de> for Args {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match deserializer.deserialize_tuple(usize::MAX, JsonVisitor)? {
            Json::Array(items) => Ok(Args(items)),
            other => Ok(Args(vec![other])),
        }
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Json::Null => serializer.serialize_unit(),
            Json::Bool(value) => serializer.serialize_bool(*value),
            Json::Number(number) => number.serialize(serializer),
            Json::Text(text) => serializer.serialize_str(text),
            Json::Binary(bytes) => serializer.serialize_bytes(bytes),
            Json::Array(items) => serializer.collect_seq(items),
            Json::Object(members) => {
                let mut map = serializer.serialize_map(Some(members.len()))?;
                for (key, value) in members {
                    map.serialize_entry(key, value)?;
                }
                map.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(JsonVisitor)
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON or binary")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Number(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Json, E> {
        Ok(serde_json::Number::from_f64(value).map_or(Json::Null, Json::Number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Json, E> {
        Ok(Json::Text(text.to_owned()))
    }

    fn visit_byte_buf<E>(self, bytes: Vec<u8>) -> Result<Json, E> {
        Ok(Json::Binary(bytes))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Json, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Json::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Json::Object(members))
    }
}
