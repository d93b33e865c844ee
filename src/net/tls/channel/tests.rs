//! Records between a channel and a server in memory, over a link that takes what it likes.

use std::sync::Arc;

use proptest::prelude::*;
use rustls::version::{TLS12, TLS13};
use rustls::{ServerConnection, SupportedProtocolVersion};

use super::super::load::credentials;
use super::super::testing::{Authority, config};
use super::super::{TlsOptions, words::Peer};
use super::*;

/// A channel whose handshake is done, and the server at its other end.
struct Pair {
    channel: Channel,
    server: ServerConnection,
    /// All that the server could read.
    heard: Vec<u8>,
    /// What a send may take from now on.
    room: usize,
}

impl Pair {
    fn new(version: &'static SupportedProtocolVersion) -> Self {
        let options = TlsOptions { verify: false, ..TlsOptions::default() };
        let credentials = credentials(&options).unwrap();
        let certificate = Authority::new("Ours").issue(&["localhost"]);
        let mut server = ServerConnection::new(Arc::new(config(&certificate, &[version]))).unwrap();
        let mut client =
            ClientConnection::new(credentials.config, "localhost".try_into().unwrap()).unwrap();
        let mut bytes = Vec::new();
        while client.wants_write() || server.wants_write() {
            while client.wants_write() {
                client.write_tls(&mut bytes).unwrap();
            }
            feed(&mut server, &std::mem::take(&mut bytes), &mut Vec::new());
            while server.wants_write() {
                server.write_tls(&mut bytes).unwrap();
            }
            let mut rest = &std::mem::take(&mut bytes)[..];
            while !rest.is_empty() {
                client.read_tls(&mut rest).unwrap();
                client.process_new_packets().unwrap();
            }
        }
        let peer = Peer { target: "localhost:1".into(), identity: credentials.identity };
        let channel = Channel::new(client, peer);
        Pair { channel, server, heard: Vec::new(), room: usize::MAX }
    }

    /// Lets the channel do something with a link that takes as much as there is room for.
    fn with<T>(
        &mut self,
        act: impl FnOnce(&mut Channel, &mut dyn FnMut(&[u8]) -> io::Result<usize>) -> T,
    ) -> T {
        let mut sent = Vec::new();
        let room = &mut self.room;
        let outcome = act(&mut self.channel, &mut |bytes| {
            let count = bytes.len().min(*room);
            *room -= count;
            sent.extend_from_slice(&bytes[..count]);
            Ok(count)
        });
        feed(&mut self.server, &sent, &mut self.heard);
        outcome
    }

    fn write(&mut self, bytes: &[u8]) -> usize {
        self.with(|channel, send| channel.write(bytes, send)).unwrap()
    }
}

fn feed(server: &mut ServerConnection, mut bytes: &[u8], heard: &mut Vec<u8>) {
    while !bytes.is_empty() {
        server.read_tls(&mut bytes).unwrap();
        server.process_new_packets().unwrap();
        // It would block for more, or is at its end.
        let _ = server.reader().read_to_end(heard);
    }
}

fn version() -> impl Strategy<Value = &'static SupportedProtocolVersion> {
    prop_oneof![Just(&TLS12), Just(&TLS13)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// The heart of it: at every moment the server has what was reported as written, no byte
    /// more and no byte less, whatever the link takes and however the rest is given again.
    #[test]
    fn the_server_can_read_what_was_reported_and_nothing_else(
        version in version(),
        steps in prop::collection::vec((0usize..9000, 0usize..7000, any::<bool>()), 1..40),
    ) {
        let all: Vec<u8> = (0..1 << 20).map(|index: usize| (index % 251) as u8).collect();
        let mut pair = Pair::new(version);
        let (mut reported, mut given) = (0, 0);
        for (room, more, own) in steps {
            pair.room = room;
            given = given.max(reported + more);
            if own {
                pair.with(|channel, send| channel.send_own(send));
                prop_assert_eq!(pair.heard.len(), reported);
            }
            reported += pair.write(&all[reported..given]);
            prop_assert_eq!(&pair.heard[..], &all[..reported]);
        }
        // However it ends, nothing comes after.
        pair.room = usize::MAX;
        let was_between_records = pair.channel.sealed == 0;
        pair.with(|channel, send| channel.close(send));
        prop_assert_eq!(&pair.heard[..], &all[..reported]);
        let ended = pair.server.process_new_packets().unwrap().peer_has_closed();
        prop_assert_eq!(ended, was_between_records);
    }

    /// Records split anywhere are opened to the same bytes, into any space.
    #[test]
    fn records_are_opened_however_they_arrive(
        version in version(),
        lengths in prop::collection::vec(1usize..20_000, 1..6),
        cuts in prop::collection::vec(1usize..20_000, 1..9),
        spaces in prop::collection::vec(1usize..5_000, 1..5),
    ) {
        let mut pair = Pair::new(version);
        pair.server.set_buffer_limit(None);
        let mut expected = Vec::new();
        let mut records = Vec::new();
        for (index, length) in lengths.iter().enumerate() {
            let bytes = vec![index as u8 + 1; *length];
            pair.server.writer().write_all(&bytes).unwrap();
            expected.extend(bytes);
        }
        pair.server.send_close_notify();
        while pair.server.wants_write() {
            pair.server.write_tls(&mut records).unwrap();
        }
        let mut arrived = Arrived::default();
        let mut got: Vec<u8> = Vec::new();
        let (mut rest, mut cuts, mut spaces) =
            (&records[..], cuts.iter().cycle(), spaces.iter().cycle());
        loop {
            let mut space = vec![0; *spaces.next().unwrap()];
            match pair.channel.read(&mut arrived, &mut space).unwrap() {
                Some(0) => break,
                Some(count) => got.extend(&space[..count]),
                None => {
                    prop_assert!(!rest.is_empty(), "the end was not understood");
                    let space = arrived.space();
                    let count = rest.len().min(*cuts.next().unwrap()).min(space.len());
                    space[..count].copy_from_slice(&rest[..count]);
                    arrived.advance(count);
                    rest = &rest[count..];
                }
            }
        }
        prop_assert_eq!(got, expected);
    }
}

#[test]
fn a_record_that_was_changed_on_the_way_is_an_error_after_what_came_before_it() {
    for version in [&TLS12, &TLS13] {
        let mut pair = Pair::new(version);
        let mut records = Vec::new();
        for word in [b"good", b"evil"] {
            pair.server.writer().write_all(word).unwrap();
            while pair.server.wants_write() {
                pair.server.write_tls(&mut records).unwrap();
            }
        }
        *records.last_mut().unwrap() ^= 1;
        let mut arrived = Arrived::default();
        arrived.space()[..records.len()].copy_from_slice(&records);
        arrived.advance(records.len());
        let mut buf = [0; 99];
        assert_eq!(pair.channel.read(&mut arrived, &mut buf).unwrap(), Some(4));
        assert_eq!(&buf[..4], b"good");
        for _ in 0..2 {
            let error = pair.channel.read(&mut arrived, &mut buf).unwrap_err();
            let failure = super::super::failure_of(&error).unwrap();
            assert!(failure.text.starts_with("TLS with localhost:1 failed: the server broke"));
        }
    }
}

#[test]
fn keys_that_cannot_be_changed_are_not_used_for_more_than_they_may() {
    let mut pair = Pair::new(&TLS12);
    assert!(pair.channel.seals_left < 1 << 24);
    pair.channel.seals_left = 2;
    assert_eq!(pair.write(&[7; 50_000]), 2 * MAX_RECORD);
    let error = pair.with(|channel, send| channel.write(b"more", send)).unwrap_err();
    assert!(super::super::failure_of(&error).unwrap().text.contains("keys of one TLS 1.2"));
    assert_eq!(pair.heard.len(), 2 * MAX_RECORD);
    assert_eq!(Pair::new(&TLS13).channel.seals_left, u64::MAX);
}

#[test]
fn a_link_that_fails_reports_what_went_before() {
    let mut pair = Pair::new(&TLS13);
    let mut calls = 0;
    let mut broken = |bytes: &[u8]| {
        calls += 1;
        if calls == 1 { Ok(bytes.len()) } else { Err(io::ErrorKind::BrokenPipe.into()) }
    };
    assert_eq!(pair.channel.write(&[1; 40_000], &mut broken).unwrap(), MAX_RECORD);
    let error = pair.channel.write(&[1; 40_000 - MAX_RECORD], &mut broken).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
}
