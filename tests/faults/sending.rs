//! Sending to a server that does not read: limits, waiting, and what is taken back.

#![forbid(unsafe_code)]

use std::sync::Arc;
use std::time::Instant;

use sio::client::Client;
use sio::error::Status;

use crate::common::scripted::{Listen, Record, Script, Scripted};
use crate::support::*;

/// A server that reads nothing until it is told to, and then everything.
pub(crate) fn deaf() -> Scripted {
    let listen = Listen { receive_buffer: Some(4096), ..Listen::default() };
    let script = Script::new().connected().until_told().read_aside().until_told();
    Scripted::start_with(listen, [script])
}

pub(crate) fn connected_to_deaf(options: &[(&str, &str)]) -> (Arc<Client>, Scripted) {
    let (client, server) = (client_with(options), deaf());
    connect(&client, &server);
    (client, server)
}

/// Emits numbered events of 10 kB until there is no room; how many there was room for.
pub(crate) fn fill(client: &Client) -> usize {
    let mut count = 0;
    loop {
        let args = format!("[{count},\"{}\"]", "x".repeat(10_000));
        match client.emit("fill", Some(&args), &[], limit(50)) {
            Ok(()) => count += 1,
            Err(status) => {
                assert_eq!(status, Status::Timeout, "{}", client.error());
                return count;
            }
        }
    }
}

/// Waits until the server has got this text, and gives the texts of the program's packets.
fn texts_up_to(server: &Scripted, last: &str) -> Vec<String> {
    let is_last = |record: &Record| {
        record.frames.iter().rev().take(3).any(|frame| frame.text().as_deref() == Some(last))
    };
    let mut texts = server.wait_for(PATIENCE, is_last).texts();
    assert_eq!(texts.remove(0), "40");
    texts
}

/// The texts begin with the events of `fill`.
fn assert_filled(texts: &[String], count: usize) {
    for (i, text) in texts.iter().take(count).enumerate() {
        assert!(text.starts_with(&format!("42[\"fill\",{i},")), "{i}: {:.40}", text);
    }
}

#[test]
fn emit_without_room_is_refused_at_once_or_at_its_time() {
    let _loud = loud();
    let (client, _server) = connected_to_deaf(&[("send_limit", "1000000")]);
    let count = fill(&client);
    assert!(count > 90, "{count}");
    assert!(stat(&client, "send_queued_bytes_max") <= 1_000_000);
    let args = format!("[\"{}\"]", "x".repeat(20_000));
    within(WAKE, || {
        assert_eq!(client.emit("a", Some(&args), &[], AT_ONCE), Err(Status::Timeout));
    });
    let since = Instant::now();
    assert_eq!(client.emit("a", Some(&args), &[], limit(300)), Err(Status::Timeout));
    assert_elapsed(since, ms(300), ms(350));
    assert_eq!(client.flush(limit(100)), Err(Status::Timeout));
    assert_eq!(client.flush(AT_ONCE), Err(Status::Timeout));
    assert_eq!(stat(&client, "packets_sent"), count as u64);
}

#[test]
fn emit_waits_for_room_and_goes_on_when_the_server_reads() {
    let _loud = loud();
    let (client, server) = connected_to_deaf(&[("send_limit", "1000000")]);
    let count = fill(&client);
    let args = format!("[\"{}\"]", "x".repeat(20_000));
    let emitting = block(&client, move |client| client.emit("waited", Some(&args), &[], PATIENT));
    let flushing = block(&client, |client| client.flush(PATIENT));
    server.tell();
    assert_eq!(emitting.back(), Ok(()));
    assert_eq!(flushing.back(), Ok(()));
    assert_eq!(client.emit("last", None, &[], PATIENT), Ok(()));
    let texts = texts_up_to(&server, "42[\"last\"]");
    assert_eq!(texts.len(), count + 2);
    assert_filled(&texts, count);
    assert!(texts[count].starts_with("42[\"waited\""));
}

#[test]
fn a_packet_larger_than_the_limit_is_taken_when_nothing_waits() {
    let options = [("send_limit", "1000"), ("enforce_max_payload", "0")];
    let (client, server) = connected_to_deaf(&options);
    // Much more than the system takes on its own.
    let args = format!("[\"{}\"]", "x".repeat(16_000_000));
    assert_eq!(client.emit("large", Some(&args), &[], AT_ONCE), Ok(()), "{}", client.error());
    assert_eq!(client.emit("small", None, &[], AT_ONCE), Err(Status::Timeout));
    let emitting = block(&client, |client| client.emit("small", None, &[], PATIENT));
    server.tell();
    assert_eq!(emitting.back(), Ok(()));
    let texts = texts_up_to(&server, "42[\"small\"]");
    assert_eq!((texts.len(), texts[0].len()), (2, args.len() + "42\"large\",".len()));
}

#[test]
fn who_waits_for_room_is_served_in_the_order_of_arrival() {
    let _loud = loud();
    let (client, server) = connected_to_deaf(&[("send_limit", "1000000")]);
    let count = fill(&client);
    // The second is small enough to fit at once, and has to wait for the first all the same.
    let sizes = [500_000, 10, 300_000, 10, 10];
    let emitting: Vec<_> = sizes
        .into_iter()
        .enumerate()
        .map(|(i, size)| {
            block(&client, move |client| {
                let args = format!("[{i},\"{}\"]", "x".repeat(size));
                client.emit("queued", Some(&args), &[], PATIENT)
            })
        })
        .collect();
    server.tell();
    for emitting in emitting {
        assert_eq!(emitting.back(), Ok(()));
    }
    assert_eq!(client.emit("last", None, &[], PATIENT), Ok(()));
    let texts = texts_up_to(&server, "42[\"last\"]");
    for (i, text) in texts[count..count + sizes.len()].iter().enumerate() {
        assert!(text.starts_with(&format!("42[\"queued\",{i},")), "{i}: {text:.40}");
    }
}

#[test]
fn an_emit_that_was_given_up_lets_the_next_one_go() {
    let _loud = loud();
    let (client, server) = connected_to_deaf(&[("send_limit", "1000000")]);
    fill(&client);
    let large = format!("[\"{}\"]", "x".repeat(990_000));
    let first = start(&client, move |client| client.emit("large", Some(&large), &[], limit(200)));
    std::thread::sleep(ms(50));
    let second = block(&client, |client| client.emit("small", None, &[], PATIENT));
    assert_eq!(first.back(), Err(Status::Timeout));
    // There is room for it, now that it is the first.
    assert_eq!(second.back_within(Instant::now(), WAKE), Ok(()));
    server.tell();
    let texts = texts_up_to(&server, "42[\"small\"]");
    assert!(!texts.iter().any(|text| text.contains("large")));
}

#[test]
fn a_call_whose_time_ends_while_it_is_queued_is_never_sent() {
    let _loud = loud();
    let (client, server) = connected_to_deaf(&[]);
    // More than the system and the framed bytes on their way hold.
    let args = format!("[\"{}\"]", "x".repeat(500_000));
    for _ in 0..20 {
        assert_eq!(client.emit("fill", Some(&args), &[], PATIENT), Ok(()));
    }
    let queued = stat(&client, "send_queued");
    assert_eq!(call_fails(&client, "timed out", limit(100)), Status::Timeout);
    let interrupted = block(&client, |client| call_fails(client, "interrupted", PATIENT));
    client.interrupt();
    assert_eq!(interrupted.back(), Status::Interrupted);
    assert_eq!(stat(&client, "send_queued"), queued);
    assert_eq!(stat(&client, "calls_waiting"), 0);
    server.tell();
    assert_eq!(client.emit("last", None, &[], PATIENT), Ok(()));
    let texts = texts_up_to(&server, "42[\"last\"]");
    assert_eq!(texts.len(), 21, "{:?}", texts.iter().map(|text| &text[..10]).collect::<Vec<_>>());
}

#[test]
fn a_call_without_time_is_never_sent() {
    let (client, server) =
        connected(Script::new().connected().expect_text("42[\"a\"]").until_closed());
    assert_eq!(call_fails(&client, "c", AT_ONCE), Status::Timeout);
    assert_eq!(client.emit("a", None, &[], PATIENT), Ok(()));
    assert_eq!(client.disconnect(PATIENT), Ok(()));
    server.finish();
}

#[test]
fn what_is_too_large_for_the_server_is_not_sent() {
    let open = r#"{"sid":"a","pingInterval":25000,"pingTimeout":20000,"maxPayload":100}"#;
    let script = || Script::new().websocket().open_with(open).namespace();
    // With its type byte the text may have 99 bytes, and a buffer as many.
    let text = |len: usize| format!("[\"{}\"]", "x".repeat(len - r#"42["e",""]"#.len()));
    let (client, server) = connected(script().until_closed());
    assert_eq!(client.emit("e", Some(&text(99)), &[], PATIENT), Ok(()));
    assert_eq!(client.emit("e", Some(&text(100)), &[], PATIENT), Err(Status::TooLarge));
    assert_says(&client, "maxPayload");
    let placeholder = r#"[{"_placeholder":true,"num":0}]"#;
    let (fits, exceeds) = ([0; 99], [0; 100]);
    assert_eq!(client.emit("e", Some(placeholder), &[&fits], PATIENT), Ok(()));
    assert_eq!(client.emit("e", Some(placeholder), &[&exceeds], PATIENT), Err(Status::TooLarge));
    assert_says(&client, "buffer 0");
    let outcome = client.call("e", Some(&text(100)), &[], PATIENT).map(drop);
    assert_eq!(outcome, Err(Status::TooLarge));
    assert_eq!(client.disconnect(PATIENT), Ok(()));
    let texts = server.finish().texts();
    assert_eq!(texts.len(), 4, "{texts:?}");
    assert_eq!(texts[1].len(), 99);

    let (client, server) =
        connected_with(&[("enforce_max_payload", "0")], script().read(1).until_closed());
    assert_eq!(client.emit("e", Some(&text(100)), &[], PATIENT), Ok(()));
    assert_eq!(client.disconnect(PATIENT), Ok(()));
    assert_eq!(server.finish().texts()[1].len(), 100);
}

#[test]
fn an_answer_that_is_too_large_can_be_followed_by_one_that_is_not() {
    let open = r#"{"sid":"a","pingInterval":25000,"pingTimeout":20000,"maxPayload":100}"#;
    let script = Script::new().websocket().open_with(open).namespace().text("420[\"q\"]");
    let (client, server) = connected(script.until_closed());
    let event = client.receive(PATIENT).unwrap_or_else(|status| panic!("{status:?}"));
    let large = format!("[\"{}\"]", "x".repeat(100));
    assert_eq!(event.ack(Some(&large), &[]), Err(Status::TooLarge));
    assert!(event.wants_ack());
    assert_eq!(event.ack(Some("[1]"), &[]), Ok(()));
    assert_eq!(client.disconnect(PATIENT), Ok(()));
    assert_eq!(server.finish().texts(), ["40", "430[1]", "41"]);
}

#[test]
fn a_socket_that_takes_a_little_at_a_time_gets_every_byte_in_order() {
    let _loud = loud();
    let listen = Listen { receive_buffer: Some(4096), ..Listen::default() };
    let script = Script::new().connected().until_told().then("read slowly", |peer| {
        // Each frame is looked at before the next is read.
        for _ in 0..600 {
            peer.next_data()?;
        }
        Ok(())
    });
    let server = Scripted::start_with(listen, [script.until_closed()]);
    let client = client_with(&[("send_limit", "200000")]);
    connect(&client, &server);
    server.tell();
    let placeholder = r#",{"_placeholder":true,"num":0}]"#;
    for i in 0..300usize {
        let bytes = vec![i as u8; i * 37 % 20_000];
        let args = format!("[{i}{placeholder}");
        assert_eq!(client.emit("b", Some(&args), &[&bytes], PATIENT), Ok(()));
    }
    assert_eq!(client.disconnect(PATIENT), Ok(()), "{}", client.error());
    let data: Vec<_> =
        server.finish().frames.into_iter().filter(|frame| frame.is_data()).skip(1).collect();
    for (i, pair) in data[..600].chunks(2).enumerate() {
        let text = format!(r#"451-["b",{i}{placeholder}"#);
        assert_eq!(pair[0].text(), Some(text));
        assert_eq!(pair[1].binary(), Some(&vec![i as u8; i * 37 % 20_000][..]));
    }
}
