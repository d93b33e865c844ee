//! The table of options, in the order of the C header.
//!
//! Owns names, forms, defaults and remarks, from which the header's table is checked. Refuses to
//! know how a value is read.

#![forbid(unsafe_code)]

/// One option.
#[derive(Debug)]
pub struct OptionInfo {
    /// Its name, as the functions take it. The macro is `SIO_OPT_` and the name in capitals.
    pub name: &'static str,
    /// What its value looks like.
    pub form: &'static str,
    /// The default as text; empty for none.
    pub default: &'static str,
    /// What of it this version can do.
    pub availability: Availability,
    /// What it needs, for the text that says that this is missing.
    pub(super) feature: &'static str,
    /// What the header says behind the default, or in its place if it is empty: meaning and range.
    pub remark: &'static str,
}

impl OptionInfo {
    /// The option with that name.
    pub fn find(name: &str) -> Option<&'static OptionInfo> {
        TABLE.iter().find(|info| info.name == name)
    }
}

/// What this version can do with an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Availability {
    /// The option works.
    Works(Key),
    /// What it would shape is missing: it has no value and cannot be set.
    Missing,
}

/// The options that work, for matching without text.
#[allow(missing_docs)] // Each is the option whose name it bears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    Url,
    Namespace,
    Path,
    Auth,
    Transports,
    AttemptTimeout,
    RequestTimeout,
    RetryConnect,
    Reconnection,
    ReconnectAttempts,
    ReconnectMin,
    ReconnectMax,
    ReconnectJitter,
    RetryRefused,
    Offline,
    SendLimit,
    ReceiveLimit,
    ReceiveOverflow,
    MaxMessageBytes,
    MaxAttachments,
    EnforceMaxPayload,
    AckUnanswered,
    TlsVerify,
    TlsCaFile,
    TlsCertFile,
    TlsKeyFile,
    Cookies,
    ReportState,
    ReportAttempts,
}

/// The largest limit in bytes: one TiB, or what a smaller machine can address.
pub const BYTES_MAX: usize = cap(1 << 40);

/// The largest message: its lengths fit 32 bits.
pub(super) const MESSAGE_MAX: usize = cap(u32::MAX as u64);

/// The largest number of attachments.
pub(super) const COUNT_MAX: usize = 1 << 20;

/// The largest number of attempts that is a limit.
pub(super) const ATTEMPTS_MAX: usize = 1_000_000_000;

/// The largest jitter: a delay between nothing and twice what is due.
pub(super) const JITTER_MAX: usize = 100;

/// The longest time for an attempt, a request or a delay: a day.
pub(super) const MILLISECONDS_MAX: usize = 86_400_000;

const fn cap(most: u64) -> usize {
    if most > isize::MAX as u64 { isize::MAX as usize } else { most as usize }
}

/// Every option, those included that this version has no use for.
pub const TABLE: &[OptionInfo] = &[
    works(Key::Url, "url", "URL", "", "what connect was given"),
    works(Key::Namespace, "namespace", "text", "/", ""),
    works(Key::Path, "path", "text", "socket.io", ""),
    works(Key::Auth, "auth", "JSON", "", "none; by the protocol an object"),
    works(
        Key::Transports,
        "transports",
        "list",
        "polling,websocket",
        "or one alone, or the other way round",
    ),
    works(
        Key::AttemptTimeout,
        "attempt_timeout_ms",
        "ms",
        "20000",
        "one attempt, from name lookup to namespace; 1 to 86400000",
    ),
    works(
        Key::RequestTimeout,
        "request_timeout_ms",
        "ms",
        "5000",
        "each HTTP request but the long poll; 1 to 86400000",
    ),
    works(Key::RetryConnect, "retry_connect", FLAG, "0", "the first failure ends connect"),
    works(Key::Reconnection, "reconnection", FLAG, "1", ""),
    works(Key::ReconnectAttempts, "reconnect_attempts", "count", "0", "no limit; 0 to 1000000000"),
    works(Key::ReconnectMin, "reconnect_min_ms", "ms", "1000", "1 to 86400000"),
    works(Key::ReconnectMax, "reconnect_max_ms", "ms", "5000", "1 to 86400000"),
    works(Key::ReconnectJitter, "reconnect_jitter", "percent", "50", "0 to 100"),
    works(Key::RetryRefused, "retry_refused", FLAG, "0", "a refused reconnection is final"),
    works(Key::Offline, "offline", "word", "wait", "or \"buffer\" or \"fail\""),
    works(Key::SendLimit, "send_limit", "bytes", "67108864", "1 to 1099511627776"),
    works(Key::ReceiveLimit, "receive_limit", "bytes", "67108864", "0 to 1099511627776"),
    works(
        Key::ReceiveOverflow,
        "receive_overflow",
        "word",
        "pause",
        "or \"drop_oldest\" or \"drop_newest\"",
    ),
    works(
        Key::MaxMessageBytes,
        "max_message_bytes",
        "bytes",
        "104857600",
        "one packet with its attachments; 1 to 4294967295",
    ),
    works(Key::MaxAttachments, "max_attachments", "count", "1024", "1 to 1048576"),
    works(
        Key::EnforceMaxPayload,
        "enforce_max_payload",
        FLAG,
        "1",
        "0: by websocket ignore the server's limit",
    ),
    works(
        Key::AckUnanswered,
        "ack_unanswered",
        FLAG,
        "1",
        "an event freed unanswered is answered with []",
    ),
    works(Key::TlsVerify, "tls_verify", FLAG, "1", "0: any certificate is taken"),
    works(Key::TlsCaFile, "tls_ca_file", "path", "", "the system's; PEM, in its place"),
    works(Key::TlsCertFile, "tls_cert_file", "path", "", "none; PEM, the client's certificate"),
    works(Key::TlsKeyFile, "tls_key_file", "path", "", "none; PEM, the key to that"),
    OptionInfo {
        name: "proxy",
        form: "URL",
        default: "",
        availability: Availability::Missing,
        feature: "the proxy is",
        remark: "not available yet",
    },
    works(Key::Cookies, "cookies", FLAG, "1", "keep what the server sets"),
    works(Key::ReportState, "report_state", FLAG, "0", ""),
    works(Key::ReportAttempts, "report_attempts", FLAG, "0", ""),
];

/// The form of what is on or off.
const FLAG: &str = "0 or 1";

const fn works(
    key: Key,
    name: &'static str,
    form: &'static str,
    default: &'static str,
    remark: &'static str,
) -> OptionInfo {
    let availability = Availability::Works(key);
    OptionInfo { name, form, default, availability, feature: "", remark }
}
