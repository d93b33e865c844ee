//! Taking leave: in which order, of servers that do not play along, and with what outcome.

#![forbid(unsafe_code)]

use std::time::Instant;

use sio::error::Status;
use sio::session::State;

use crate::common::scripted::{End, Frame, Received, Record, Script, opcode};
use crate::sending::{connected_to_deaf, fill};
use crate::support::*;

/// The frames as words, in their order.
fn words(record: &Record) -> Vec<String> {
    let word = |frame: &Received| match frame.opcode {
        opcode::PING => "PING".to_owned(),
        opcode::PONG => "PONG".to_owned(),
        opcode::CLOSE => format!("CLOSE {}", frame.close_code().unwrap_or_default()),
        _ => frame.text().unwrap_or_else(|| "binary".to_owned()),
    };
    record.frames.iter().map(word).collect()
}

fn has_ping(record: &Record) -> bool {
    record.frames.iter().any(|frame| frame.opcode == opcode::PING)
}

#[test]
fn ping_then_pong_then_disconnect_then_close_then_the_end_of_the_stream() {
    let _quiet = quiet();
    let script = Script::new().connected().text("427[\"q\"]").ignoring_pings().read_aside();
    let script = script.until_told().then("answer the ping", |peer| {
        peer.frame(&Frame::pong("another"))?;
        peer.pause(ms(100))?;
        let ping = loop {
            match peer.next_frame() {
                Some(frame) if frame.opcode == opcode::PING => break frame,
                Some(_) => {}
                None => return Err("no ping".to_owned()),
            }
        };
        peer.frame(&Frame::pong(ping.payload))
    });
    let (client, server) = connected(script.until_closed());
    let event = client.receive(PATIENT).unwrap_or_else(|status| panic!("{status:?}"));
    assert_eq!(client.emit("a", None, &[], PATIENT), Ok(()));
    assert_eq!(event.ack(None, &[]), Ok(()));
    let leaving = start(&client, |client| client.disconnect(PATIENT));
    let record = server.wait_for(PATIENCE, has_ping);
    assert_eq!(words(&record), ["40", "42[\"a\"]", "437[]", "PING"]);
    assert_eq!(client.state(), State::Closing);
    assert_eq!((client.sid().as_str(), client.transport()), ("socket-sid", "websocket"));
    assert_eq!(client.emit("b", None, &[], PATIENT), Err(Status::Disconnected));
    assert_says(&client, "disconnecting");
    assert_eq!(call_fails(&client, "b", PATIENT), Status::Disconnected);
    assert_eq!(client.flush(PATIENT), Err(Status::Disconnected));
    assert_eq!(client.connect(Some("http://127.0.0.1:9"), PATIENT), Err(Status::State));
    std::thread::sleep(ms(50));
    assert_eq!(words(&server.record()).len(), 4);
    server.tell();
    let since = Instant::now();
    assert_eq!(leaving.back_within(since, ms(100) + WAKE), Ok(()));
    assert!(since.elapsed() >= ms(90), "the pong of another ping is none");
    assert_eq!(client.state(), State::Closed);
    assert_eq!((client.sid(), client.transport()), (String::new(), ""));
    let record = server.finish();
    assert_eq!(words(&record)[3..], ["PING", "41", "CLOSE 1000"]);
    assert!(matches!(record.end, Some(End::Eof(_))));
    assert_eq!(record.rest, b"");
}

#[test]
fn everything_emitted_goes_before_the_ping() {
    let _loud = loud();
    for count in [1, 5, 50, 1000] {
        let (client, server) = connected(Script::new().connected().read_aside().until_told());
        for i in 0..count {
            assert_eq!(client.emit("e", Some(&format!("[{i}]")), &[], PATIENT), Ok(()));
        }
        assert_eq!(client.disconnect(PATIENT), Ok(()));
        let record = wait_for_end(&server);
        let mut expected: Vec<_> = (0..count).map(|i| format!("42[\"e\",{i}]")).collect();
        expected.insert(0, "40".to_owned());
        expected.extend(["PING".to_owned(), "41".to_owned(), "CLOSE 1000".to_owned()]);
        assert_eq!(words(&record), expected);
        assert_eq!(stat(&client, "dropped_sent"), 0);
    }
}

#[test]
fn without_a_pong_the_rest_follows_after_a_second_and_nothing_is_known() {
    let _quiet = quiet();
    let script = Script::new().connected().ignoring_pings().read_aside();
    let (client, server) = connected(script.until_told());
    assert_eq!(client.emit("a", None, &[], PATIENT), Ok(()));
    let leaving: Vec<_> =
        (0..4).map(|_| start(&client, |client| client.disconnect(PATIENT))).collect();
    let pinged = server.wait_for(PATIENCE, has_ping).frames.pop().map(|frame| frame.at);
    let record = wait_for_end(&server);
    assert_eq!(words(&record), ["40", "42[\"a\"]", "PING", "41", "CLOSE 1000"]);
    let pinged = pinged.expect("it has a time");
    assert_time(pinged, record.frames[3].at, ms(950), ms(1050));
    server.tell();
    for leaving in leaving {
        assert_eq!(leaving.back(), Err(Status::Timeout));
    }
    assert_says(&client, "confirm");
    assert_eq!(stat(&client, "dropped_sent"), 0);
    assert_usable(&client);
}

#[test]
fn disconnect_is_back_at_its_limit() {
    let _quiet = quiet();
    let script = Script::new().connected().ignoring_pings().until_closed();
    let (client, server) = connected(script);
    assert_eq!(client.emit("a", None, &[], PATIENT), Ok(()));
    let since = Instant::now();
    assert_eq!(client.disconnect(limit(300)), Err(Status::Timeout));
    assert_elapsed(since, ms(300), ms(350));
    assert_eq!(client.state(), State::Closed);
    assert_says(&client, "confirm");
    let record = server.finish();
    let Some(End::Eof(at)) = record.end else { panic!("the connection was reset") };
    assert_time(since, at, ms(300), ms(400));
    assert_eq!(words(&record)[..2], ["40", "42[\"a\"]"]);
    assert_usable(&client);
}

#[test]
fn disconnect_without_time_is_back_at_once_and_final() {
    let _quiet = quiet();
    for _ in 0..20 {
        let (client, server) = connected(Script::new().connected().until_closed());
        assert_eq!(client.emit("a", None, &[], PATIENT), Ok(()));
        // However fast the server is: what was just sent is not known to have arrived.
        assert_eq!(within(WAKE, || client.disconnect(AT_ONCE)), Err(Status::Timeout));
        assert_eq!(client.state(), State::Closed);
        assert_eq!(receive_fails(&client, AT_ONCE), Status::Disconnected);
        // What was not yet at the socket is given up, and counted.
        let came = words(&server.finish()).contains(&"42[\"a\"]".to_owned());
        assert!(came || stat(&client, "dropped_sent") == 1);
        assert_usable(&client);
    }
}

#[test]
fn several_threads_disconnect_together() {
    let _quiet = quiet();
    for _ in 0..20 {
        let (client, server) = connected(Script::new().connected().until_closed());
        assert_eq!(client.emit("a", None, &[], PATIENT), Ok(()));
        let leaving: Vec<_> =
            (0..6).map(|_| start(&client, |client| client.disconnect(PATIENT))).collect();
        for leaving in leaving {
            assert_eq!(leaving.back(), Ok(()));
        }
        assert_eq!(words(&server.finish())[1..], ["42[\"a\"]", "PING", "41", "CLOSE 1000"]);
    }
}

#[test]
fn one_of_two_who_disconnect_has_less_time() {
    let _quiet = quiet();
    let (client, _server) = connected(Script::new().connected().ignoring_pings().until_closed());
    let patient = block(&client, |client| client.disconnect(PATIENT));
    let since = Instant::now();
    assert_eq!(client.disconnect(limit(200)), Err(Status::Timeout));
    assert_elapsed(since, ms(200), ms(250));
    // The connection is closed in any case.
    assert_eq!(patient.back_within(since, ms(250) + WAKE), Err(Status::Timeout));
    assert_eq!(client.state(), State::Closed);
}

#[test]
fn a_server_that_never_closes_its_side_is_left_after_a_second() {
    let _quiet = quiet();
    let script = Script::new().connected().ignoring_close().read_aside().stall();
    let (client, server) = connected(script);
    let since = Instant::now();
    assert_eq!(client.disconnect(PATIENT), Ok(()), "{}", client.error());
    assert_elapsed(since, ms(0), ms(1100));
    assert_eq!(words(&wait_for_end(&server))[1..], ["PING", "41", "CLOSE 1000"]);
    assert_usable(&client);
}

#[test]
fn input_is_read_to_its_end_so_that_nothing_is_reset() {
    let script = Script::new().connected().ignoring_close().then("send on", |peer| {
        while peer.next_frame().is_some() {}
        // The client has ended its side, and still takes what comes.
        let event = Frame::text(format!(r#"42["late","{}"]"#, "x".repeat(100_000)));
        for _ in 0..40 {
            peer.frame(&event)?;
            peer.pause(ms(2))?;
        }
        Ok(())
    });
    let (client, server) = connected(script);
    assert_eq!(client.emit("a", None, &[], PATIENT), Ok(()));
    assert_eq!(client.disconnect(PATIENT), Ok(()));
    let record = server.finish();
    assert!(matches!(record.end, Some(End::Eof(_))));
    assert_eq!(words(&record)[1..], ["42[\"a\"]", "PING", "41", "CLOSE 1000"]);
    assert_eq!(stat(&client, "receive_queued"), 40);
}

#[test]
fn disconnect_while_the_server_floods() {
    let _loud = loud();
    for count in [1, 50, 1000] {
        let frame = |i| Frame::text(format!(r#"42["flood",{i},"{}"]"#, "x".repeat(10_000)));
        let script = Script::new().connected().read_aside().flood_until_closed(frame);
        let (client, server) = connected_with(&[("receive_limit", "1000000")], script);
        for i in 0..count {
            assert_eq!(client.emit("e", Some(&format!("[{i}]")), &[], PATIENT), Ok(()));
        }
        assert_eq!(client.disconnect(PATIENT), Ok(()), "{}", client.error());
        let texts = wait_for_end(&server).texts();
        assert_eq!(texts.len(), count + 2);
        assert_eq!(texts[count], format!("42[\"e\",{}]", count - 1));
        // What had room is kept, and the rest counted.
        let mut kept = 0;
        while let Ok(event) = client.receive(AT_ONCE) {
            assert!(event.args().starts_with(&format!("[{kept},")), "{kept}");
            kept += 1;
        }
        assert!(kept <= 110, "{kept}");
        assert!(stat(&client, "receive_queued_bytes_max") < 1_200_000);
    }
}

#[test]
fn disconnect_while_paused_reads_on_and_counts_what_has_no_room() {
    let events = (0..100).map(|i| Frame::text(format!(r#"42["e",{i}]"#)));
    let script = Script::new().connected().frames(events).until_closed();
    let (client, server) = connected_with(&[("receive_limit", "1")], script);
    wait_until("it is paused", || stat(&client, "receive_queued") == 1);
    assert_eq!(client.emit("a", None, &[], PATIENT), Ok(()));
    assert_eq!(client.disconnect(PATIENT), Ok(()), "{}", client.error());
    assert_event(&client, "e", "[0]");
    assert_eq!(receive_fails(&client, AT_ONCE), Status::Disconnected);
    assert_eq!(stat(&client, "dropped_received"), 99);
    assert_eq!(words(&server.finish())[1..], ["42[\"a\"]", "PING", "41", "CLOSE 1000"]);
}

#[test]
fn events_that_come_while_we_leave_can_be_received_but_not_answered() {
    let script = Script::new().connected().ignoring_pings().then("send on", |peer| {
        let ping = loop {
            match peer.next_frame() {
                Some(frame) if frame.opcode == opcode::PING => break frame,
                Some(_) => {}
                None => return Err("no ping".to_owned()),
            }
        };
        peer.text(r#"42["late",1]"#)?;
        peer.text(r#"423["late",2]"#)?;
        peer.text("2")?;
        peer.frame(&Frame::pong(ping.payload))
    });
    let (client, server) = connected(script.until_closed());
    assert_eq!(client.disconnect(PATIENT), Ok(()));
    assert_event(&client, "late", "[1]");
    let event = client.receive(PATIENT).unwrap_or_else(|status| panic!("{status:?}"));
    assert!(!event.wants_ack());
    assert_eq!(event.ack(None, &[]), Err(Status::Disconnected));
    assert_eq!(receive_fails(&client, PATIENT), Status::Disconnected);
    let words = words(&server.finish());
    assert_eq!(words.iter().filter(|word| *word != "3").count(), 4, "{words:?}");
}

/// What a server does when it has the ping of one who leaves, and what comes of it.
type Answer = fn(&mut crate::common::scripted::Peer, Vec<u8>) -> Result<(), String>;

#[test]
fn servers_that_end_the_connection_while_we_leave() {
    let _quiet = quiet();
    let lost = Err(Status::Disconnected);
    let answers: [(&str, Answer, Result<(), Status>); 9] = [
        ("end", |_, _| Ok(()), lost),
        ("reset", |peer, _| peer.reset(), lost),
        ("close frame", |peer, _| peer.frame(&Frame::close(1001, "")), lost),
        ("CLOSE", |peer, _| peer.text("1"), lost),
        ("DISCONNECT", |peer, _| peer.text("41"), lost),
        ("nonsense", |peer, _| peer.text("nonsense"), lost),
        ("PONG, then end", |peer, ping| peer.frame(&Frame::pong(ping)), Ok(())),
        (
            "PONG, then close frame",
            |peer, ping| {
                peer.raw(&[Frame::pong(ping).encode(), Frame::close(1000, "").encode()].concat())
            },
            Ok(()),
        ),
        (
            "PONG, then DISCONNECT and CLOSE",
            |peer, ping| {
                let packets = ["41", "1"].map(|text| Frame::text(text).encode()).concat();
                peer.raw(&[Frame::pong(ping).encode(), packets].concat())
            },
            Ok(()),
        ),
    ];
    let what_41 = "disconnected the namespace";
    for (what, answer, outcome) in answers {
        let script = Script::new().connected().ignoring_pings().then(what, move |peer| {
            loop {
                match peer.next_frame() {
                    Some(frame) if frame.opcode == opcode::PING => {
                        return answer(peer, frame.payload);
                    }
                    Some(_) => {}
                    None => return Err("no ping".to_owned()),
                }
            }
        });
        let (client, _server) = connected(script);
        assert_eq!(client.emit("a", None, &[], PATIENT), Ok(()));
        let left = within(ms(200), || client.disconnect(PATIENT));
        assert_eq!(left, outcome, "{what}: {}", client.error());
        assert_eq!(client.state(), State::Closed);
        if outcome.is_err() {
            assert_says(
                &client,
                if what == "DISCONNECT" { what_41 } else { "while disconnecting" },
            );
        }
        assert_usable(&client);
    }
}

#[test]
fn leaving_takes_the_time_that_sending_takes() {
    let _loud = loud();
    let (client, server) = connected_to_deaf(&[("send_limit", "3000000")]);
    let count = fill(&client);
    let leaving = start(&client, |client| client.disconnect(PATIENT));
    std::thread::sleep(ms(1500));
    assert_eq!(client.state(), State::Closing);
    server.tell();
    assert_eq!(leaving.back(), Ok(()), "{}", client.error());
    let texts = wait_for_end(&server).texts();
    assert_eq!(texts.len(), count + 2);
    assert_eq!(texts[count + 1], "41");
    assert_eq!(stat(&client, "dropped_sent"), 0);
}

#[test]
fn what_is_not_sent_within_the_limit_is_given_up_and_counted() {
    let _loud = loud();
    for timeout in [0, 200] {
        let (client, server) = connected_to_deaf(&[("send_limit", "3000000")]);
        fill(&client);
        let queued = stat(&client, "send_queued");
        let since = Instant::now();
        assert_eq!(client.disconnect(limit(timeout)), Err(Status::Timeout));
        assert_elapsed(since, ms(timeout), ms(timeout) + WAKE);
        assert_eq!(client.state(), State::Closed);
        let dropped = stat(&client, "dropped_sent");
        assert!(dropped > 0 && dropped <= queued, "{dropped} of {queued}");
        server.tell();
        wait_for_end(&server);
    }
}
