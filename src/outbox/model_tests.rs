//! Random lives of a queue: whatever happens to its connections, each packet is sent at most
//! once, in order, and is sent, kept or counted as lost.
use super::*;
use crate::packet::socket::OutKind;
use crate::transport::polling::{BodyDecoder, Post};
use proptest::collection::vec;
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Op {
    Push { kind: u8, buffers: Vec<usize>, connected: bool },
    TakeAsCaller,
    TakeAsDriver,
    Write { share: u8 },
    FrameWaiting,
    FillPost { limit: u64 },
    Post { sent: bool },
    Upgrade,
    Report,
    Cancel { share: u8 },
    CancelAll,
    Lose { keep: bool, late: bool },
    Rename { to: u8 },
    Connect { polling: bool },
}

fn op() -> impl Strategy<Value = Op> {
    let sizes = vec(prop_oneof![0..20usize, Just(300), Just(70_000)], 0..4);
    prop_oneof![
        10 => (0..4u8, sizes, any::<bool>())
            .prop_map(|(kind, buffers, connected)| Op::Push { kind, buffers, connected }),
        3 => Just(Op::TakeAsCaller),
        3 => Just(Op::TakeAsDriver),
        6 => any::<u8>().prop_map(|share| Op::Write { share }),
        3 => Just(Op::FrameWaiting),
        4 => prop_oneof![10..60u64, 1000..200_000u64].prop_map(|limit| Op::FillPost { limit }),
        4 => any::<bool>().prop_map(|sent| Op::Post { sent }),
        4 => Just(Op::Upgrade),
        2 => Just(Op::Report),
        4 => any::<u8>().prop_map(|share| Op::Cancel { share }),
        1 => Just(Op::CancelAll),
        3 => (any::<bool>(), any::<bool>()).prop_map(|(keep, late)| Op::Lose { keep, late }),
        2 => (0..3u8).prop_map(|to| Op::Rename { to }),
        6 => any::<bool>().prop_map(|polling| Op::Connect { polling }),
    ]
}

const NAMESPACES: [&str; 3] = ["/", "/a", "/long?query=1"];

/// What was done with one packet.
#[derive(Debug, Default)]
struct Fate {
    call: Option<u64>,
    parts: usize,
    /// The connection during which its call ended, be it without an answer or by the program.
    ended: Option<u64>,
    cancelled: bool,
    /// The connections by which a byte of it was handed to the system.
    touched: Vec<u64>,
    sent: usize,
}

/// Who holds framed bytes.
#[derive(Debug)]
struct Writer {
    link: u64,
    caller: bool,
    /// It is inside the system call.
    busy: bool,
    bytes: Vec<u8>,
    at: usize,
}

#[derive(Debug)]
struct Body {
    bytes: Vec<u8>,
    begun: bool,
}

/// The program, the driver and the server around a queue.
struct World {
    outbox: Outbox,
    link: u64,
    /// None without a connection.
    transport: Option<Transport>,
    namespace: &'static str,
    writer: Option<Writer>,
    /// One that has not reported since its connection ended.
    late: Option<Writer>,
    post: Option<Body>,
    /// What was taken from the stream of frames, and how much of it is with the system.
    stream: Vec<u8>,
    written: usize,
    /// What the server has of this connection: by POSTs.
    received: Vec<(bool, Vec<u8>)>,
    packets: Vec<Fate>,
    order: Vec<usize>,
    ordered: bool,
    lost: u64,
}

impl World {
    fn new() -> Self {
        World {
            outbox: Outbox::new([3; 32]),
            link: 1,
            transport: None,
            namespace: "/",
            writer: None,
            late: None,
            post: None,
            stream: Vec::new(),
            written: 0,
            received: Vec::new(),
            packets: Vec::new(),
            order: Vec::new(),
            ordered: true,
            lost: 0,
        }
    }

    fn apply(&mut self, op: &Op) {
        match op {
            Op::Push { kind, buffers, connected } => self.push(*kind, buffers, *connected),
            Op::TakeAsCaller => self.take(true),
            Op::TakeAsDriver => self.take(false),
            Op::Write { share } => self.write(*share),
            Op::FrameWaiting => {
                if self.transport == Some(Transport::WebSocket) {
                    self.outbox.frame_waiting();
                }
            }
            Op::FillPost { limit } => self.fill_post(*limit),
            Op::Post { sent } => self.go_on_posting(*sent),
            Op::Upgrade => {
                if self.transport == Some(Transport::Polling) && self.post.is_none() {
                    self.transport = Some(Transport::WebSocket);
                    self.outbox.begin(Transport::WebSocket);
                    self.outbox.frame_text(b'5', b"");
                }
            }
            Op::Report => self.report_late(),
            Op::Cancel { share } => {
                // One of the last is most likely on its way.
                let back = usize::from(*share) % 5 + 1;
                if let Some(at) = self.packets.len().checked_sub(back) {
                    self.cancel(at);
                }
            }
            Op::CancelAll => {
                self.outbox.cancel_calls();
                (0..self.packets.len()).for_each(|at| self.end_call(at, true));
            }
            Op::Lose { keep, late } => {
                self.lose(if *keep { Keep::Untouched } else { Keep::Nothing }, *late);
            }
            Op::Rename { to } => {
                if self.transport.is_none() {
                    let to = NAMESPACES[usize::from(*to)];
                    self.outbox.rename(self.namespace, to);
                    self.namespace = to;
                }
            }
            Op::Connect { polling } => self.connect(*polling),
        }
        self.check();
    }

    fn push(&mut self, kind: u8, sizes: &[usize], connected: bool) {
        let number = self.packets.len();
        let id = number as u64;
        let (role, id) = match kind {
            0 | 1 => (Role::Event, None),
            2 => (Role::Call(id), Some(id)),
            _ => (Role::Answer, Some(0)),
        };
        let args = format!("[{number}]");
        let kind = match role {
            Role::Answer => OutKind::Ack,
            _ => OutKind::Event { quoted_name: b"\"n\"" },
        };
        let buffers: Vec<Vec<u8>> = sizes.iter().map(|size| vec![number as u8; *size]).collect();
        let buffers: Vec<&[u8]> = buffers.iter().map(Vec::as_slice).collect();
        let attachments = buffers.len();
        let outgoing = Outgoing { kind, id, args: &args, args_empty: false, attachments };
        let connected = connected && self.transport.is_some();
        self.outbox.push(&outgoing, self.namespace, &buffers, role, connected);
        let call = id.filter(|_| role != Role::Answer);
        self.packets.push(Fate { call, parts: 1 + attachments, ..Fate::default() });
    }

    fn take(&mut self, caller: bool) {
        if self.transport != Some(Transport::WebSocket) || self.writer.is_some() {
            return;
        }
        let mut bytes = Vec::new();
        if caller {
            let Some(taken) = self.outbox.take_as_caller() else { return };
            bytes = taken;
        } else if !self.outbox.take_as_driver(&mut bytes) {
            return;
        }
        // What a caller could not write comes again.
        self.stream.truncate(self.written);
        self.stream.extend_from_slice(&bytes);
        self.writer = Some(Writer { link: self.link, caller, busy: true, bytes, at: 0 });
    }

    fn write(&mut self, share: u8) {
        let Some(mut writer) = self.writer.take() else { return };
        let left = writer.bytes.len() - writer.at;
        let count = if share > 150 { left } else { (usize::from(share) * left / 200).min(left) };
        self.written += count;
        writer.at += count;
        let done = writer.at == writer.bytes.len();
        if writer.caller {
            self.outbox.caller_wrote(writer.bytes, count);
            return;
        }
        self.outbox.driver_wrote(count, done);
        if !done {
            writer.busy = share & 1 == 1;
            if writer.busy {
                self.outbox.begin_write();
            }
            self.writer = Some(writer);
        }
    }

    fn fill_post(&mut self, limit: u64) {
        if self.transport != Some(Transport::Polling) || self.post.is_some() {
            return;
        }
        let mut post = Post::new(Some(limit));
        self.outbox.fill_post(&mut post);
        assert_eq!(self.outbox.is_posting(), !post.is_empty());
        assert!(post.packets() <= 16);
        if !post.is_empty() {
            let alone = post.packets() == 1;
            let bytes = post.into_body();
            assert!(alone || (bytes.len() as u64) < limit);
            self.post = Some(Body { bytes, begun: false });
        }
    }

    fn go_on_posting(&mut self, sent: bool) {
        let Some(mut body) = self.post.take() else { return };
        body.begun = true;
        self.outbox.post_begun();
        if sent {
            self.outbox.post_sent();
            self.received.extend(decoded(&body.bytes));
        } else {
            self.post = Some(body);
        }
    }

    fn cancel(&mut self, at: usize) {
        if let Some(id) = self.packets[at].call
            && self.packets[at].ended.is_none()
        {
            self.outbox.cancel_call(id);
            self.end_call(at, true);
        }
    }

    fn end_call(&mut self, at: usize, cancelled: bool) {
        let packet = &mut self.packets[at];
        if packet.call.is_some() && packet.ended.is_none() {
            packet.ended = Some(self.link);
            packet.cancelled |= cancelled;
        }
    }

    /// The connection ends; its writer reports at once, or `late`.
    fn lose(&mut self, keep: Keep, late: bool) {
        if self.transport.take().is_none() {
            return;
        }
        self.report_late();
        let lost = self.outbox.lose(self.link, keep);
        self.lost += lost.packets;
        for at in 0..self.packets.len() {
            let Some(id) = self.packets[at].call else { continue };
            if lost.kept_calls.binary_search(&id).is_err() {
                self.end_call(at, false);
            } else {
                assert_eq!(keep, Keep::Untouched);
                assert!(self.packets[at].ended.is_none(), "call {id} stays, but has ended");
            }
        }
        self.late = self.writer.take();
        // A write that goes on may bring some more bytes away.
        if let Some(writer) = &mut self.late {
            let left = writer.bytes.split_off(writer.at);
            writer.at = if writer.busy { left.len() * (self.packets.len() % 3) / 2 } else { 0 };
            self.written += writer.at;
            writer.bytes = left;
        }
        self.settle_session();
        for id in lost.unsent_calls {
            assert!(
                self.packets[id as usize].touched.is_empty(),
                "call {id} was told to be unsent"
            );
        }
        if late {
            self.ordered &= self.late.is_none();
        } else {
            self.report_late();
        }
        self.link += 1;
    }

    fn report_late(&mut self) {
        let Some(writer) = self.late.take() else { return };
        let Writer { link, bytes, at, .. } = writer;
        let lost = self.outbox.give_back(link, &bytes[at..], at);
        self.lost += lost.packets;
        for id in lost.lost_calls {
            assert!(!self.packets[id as usize].touched.is_empty(), "call {id} was not touched");
            self.end_call(id as usize, false);
        }
        for id in lost.kept_calls {
            assert!(self.packets[id as usize].touched.is_empty(), "call {id} was touched");
        }
    }

    fn connect(&mut self, polling: bool) {
        if self.transport.is_none() {
            let transport = if polling { Transport::Polling } else { Transport::WebSocket };
            self.transport = Some(transport);
            self.outbox.begin(transport);
        }
    }

    /// What the server makes of the connection that has ended.
    fn settle_session(&mut self) {
        let mut messages: Vec<(bool, Vec<u8>, bool)> = Vec::new();
        for (binary, payload) in std::mem::take(&mut self.received) {
            messages.push((binary, payload, true));
        }
        if let Some(body) = self.post.take().filter(|body| body.begun) {
            messages
                .extend(decoded(&body.bytes).into_iter().map(|(b, payload)| (b, payload, false)));
        }
        let stream = std::mem::take(&mut self.stream);
        let mut rest = stream.as_slice();
        while !rest.is_empty() {
            let start = stream.len() - rest.len();
            let binary = rest[0] & 0xf == 2;
            let (payload, behind) = frame::take_back(rest).unwrap();
            rest = behind;
            if start < self.written {
                messages.push((binary, payload, stream.len() - rest.len() <= self.written));
            }
        }
        self.written = 0;
        let mut current: Option<(usize, usize)> = None;
        for (binary, payload, whole) in messages {
            if payload == b"5" {
                continue;
            }
            let (number, left) = match current.take() {
                Some((number, left)) => {
                    assert!(binary, "attachments follow their packet");
                    assert!(payload.iter().all(|byte| *byte == number as u8));
                    (number, left - 1)
                }
                None => {
                    assert!(!binary, "an attachment nobody announced");
                    let number = self.number_of(&payload);
                    self.packets[number].touched.push(self.link);
                    (number, self.packets[number].parts - 1)
                }
            };
            if left > 0 {
                current = Some((number, left));
            } else if whole {
                self.packets[number].sent += 1;
                self.order.push(number);
            }
        }
    }

    fn number_of(&self, text: &[u8]) -> usize {
        let text = std::str::from_utf8(text).unwrap();
        let packet = crate::packet::socket::parse_from(text.as_bytes(), 1).unwrap();
        let prefix = if self.namespace == "/" { String::new() } else { self.namespace.to_owned() };
        let behind_type = text[2..].trim_start_matches(|char: char| char.is_ascii_digit());
        let behind_type = behind_type.strip_prefix('-').unwrap_or(behind_type);
        assert!(behind_type.starts_with(&prefix), "{text} is for {prefix}");
        let args = &text[packet.data.clone()];
        let number = args.trim_start_matches("[\"n\",").trim_matches(['[', ']']);
        number.parse().unwrap()
    }

    fn check(&self) {
        let outbox = &self.outbox;
        let len = outbox.len();
        assert_eq!(outbox.is_empty(), len == 0);
        assert!(outbox.cost() >= outbox.len() * OVERHEAD);
        assert!(outbox.answers_cost() <= outbox.cost());
        assert!(!outbox.is_flushed(outbox.last_sequence()) || outbox.is_empty());
    }

    /// Everything that is kept is sent by one last connection.
    fn finish(mut self) {
        self.lose(Keep::Untouched, false);
        self.report_late();
        let kept = self.outbox.len() as u64;
        self.connect(false);
        while self.outbox.has_waiting() {
            self.outbox.frame_waiting();
        }
        self.take(false);
        self.write(255);
        assert!(self.outbox.is_empty());
        assert_eq!((self.outbox.cost(), self.outbox.answers_cost()), (0, 0));
        assert!(self.outbox.is_flushed(self.outbox.last_sequence()));
        assert!(self.outbox.is_between_frames());
        let before = self.order.len() as u64;
        self.settle_session();
        let sent = self.order.len() as u64;
        assert_eq!(sent - before, kept, "all that is kept is sent");

        let mut cancelled = 0;
        for (number, packet) in self.packets.iter().enumerate() {
            assert!(packet.sent <= 1, "packet {number} was sent twice");
            assert!(packet.touched.len() <= 1, "packet {number} went out by {:?}", packet.touched);
            cancelled += u64::from(packet.cancelled && packet.sent == 0);
            let Some(ended) = packet.ended else {
                assert!(packet.call.is_none() || packet.sent == 1, "call {number} waits for ever");
                continue;
            };
            assert!(packet.touched.iter().all(|link| *link <= ended), "call {number} had ended");
        }
        if self.ordered {
            assert!(self.order.is_sorted(), "{:?}", self.order);
        }
        let gone = self.packets.len() as u64 - sent;
        assert!(self.lost <= gone && gone <= self.lost + cancelled, "{gone} and {}", self.lost);
        assert_eq!(self.outbox.losses() > 0, self.lost > 0);
    }
}

/// The packets in the body of a POST, without the type of a message.
fn decoded(body: &[u8]) -> Vec<(bool, Vec<u8>)> {
    let mut decoder = BodyDecoder::new(usize::MAX);
    decoder.feed(body);
    decoder.end();
    let mut packets = Vec::new();
    while let Some(frame) = decoder.next().unwrap() {
        use crate::transport::frame::{Frame, Payload};
        let (binary, payload) = match frame {
            Frame::Text(payload) => (false, payload),
            Frame::Binary(payload) => (true, payload),
            other => panic!("{other:?}"),
        };
        packets.push((
            binary,
            match payload {
                Payload::Here(range) => decoder.bytes()[range].to_vec(),
                Payload::Own(block) => block,
            },
        ));
    }
    packets
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..Default::default() })]

    #[test]
    fn each_packet_is_sent_once_or_kept_or_counted_as_lost(ops in vec(op(), 0..60)) {
        let mut world = World::new();
        ops.iter().for_each(|op| world.apply(op));
        world.finish();
    }
}
