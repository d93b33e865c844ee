//! Our disconnect, stage by stage, undisturbed and disturbed.

use super::*;

const FAREWELL: Action = Action::Farewell { code: 1000 };

/// The stages of leaving, each reached in a rig of its own.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
enum At {
    Flushing,
    Pinging,
    Pinged,
    Parting,
    Parted,
    Shut,
}

const STAGES: [At; 6] = [At::Flushing, At::Pinging, At::Pinged, At::Parting, At::Parted, At::Shut];

/// The answer that our ping of the first connection wants.
const PAYLOAD: &[u8] = b"sio 1";

fn leaving(at: At) -> Rig {
    let mut rig = Rig::connected();
    rig.session.leave(rig.now);
    if at >= At::Pinging {
        assert_eq!(rig.session.transmit(false), None);
        let ping = Some(Transmit::WebSocketPing(PAYLOAD.to_vec()));
        assert_eq!(rig.session.transmit(true), ping);
        assert_eq!(rig.session.transmit(true), None);
    }
    if at >= At::Pinged {
        rig.input(Input::Drained);
    }
    if at >= At::Parting {
        rig.input(Input::WebSocketPong(PAYLOAD));
    }
    if at >= At::Parted {
        let last = [Transmit::Disconnect(b"1".to_vec()), Transmit::WebSocketClose(1000)];
        assert_eq!(rig.sent(), last);
    }
    if at >= At::Shut {
        rig.input(Input::Drained);
        assert_eq!(rig.actions(), [Action::ShutdownWrite]);
    }
    assert_eq!(rig.session.state(), State::Closing);
    rig
}

#[track_caller]
fn left(rig: &mut Rig, left: Left, action: Action) {
    let reason = Some(Reason::ClientDisconnect);
    let failure = rig.ended(Status::Disconnected, reason, action);
    says(&failure, &["the program disconnected from"]);
    assert_eq!(rig.session.left(), Some(left));
    assert_eq!(failure.text.contains("did not confirm"), left != Left::Confirmed);
}

#[test]
fn leaving_waits_for_the_pong_then_parts_and_reads_to_the_end() {
    let mut rig = Rig::connected();
    rig.session.leave(rig.now);
    assert_eq!(rig.session.state(), State::Closing);
    assert_eq!(rig.session.sid(), "socket-sid");
    assert_eq!(rig.session.left(), None);
    // While the program's packets are being sent, nothing of ours goes out.
    rig.input(Input::Drained);
    assert_eq!(rig.session.transmit(false), None);
    assert_eq!(rig.sent(), [Transmit::WebSocketPing(PAYLOAD.to_vec())]);
    rig.input(Input::Drained);
    assert_eq!(rig.session.deadline(), Some(rig.now + ms(1_000)));
    assert_eq!(rig.sent(), []);
    rig.pass(ms(300));
    assert_eq!(rig.session.left(), None);
    rig.input(Input::WebSocketPong(PAYLOAD));
    assert_eq!(rig.session.left(), Some(Left::Confirmed));
    let last = [Transmit::Disconnect(b"1".to_vec()), Transmit::WebSocketClose(1000)];
    assert_eq!(rig.sent(), last);
    assert_eq!(rig.actions(), []);
    rig.input(Input::Drained);
    assert_eq!(rig.actions(), [Action::ShutdownWrite]);
    assert_eq!(rig.session.state(), State::Closing);
    rig.input(Input::Eof);
    left(&mut rig, Left::Confirmed, Action::Hangup);
}

#[test]
fn the_namespace_is_left_by_its_name() {
    let mut rig = Rig::connected_with(Settings { namespace: "/a?b=c".into(), ..settings() });
    rig.session.leave(rig.now);
    rig.sent();
    rig.input(Input::WebSocketPong(PAYLOAD));
    assert_eq!(rig.sent()[0], Transmit::Disconnect(b"1/a?b=c,".to_vec()));
}

#[test]
fn sending_what_was_emitted_has_no_limit_of_its_own() {
    for at in [At::Flushing, At::Pinging] {
        let mut rig = leaving(at);
        for _ in 0..100 {
            rig.pass(ms(20_000));
            rig.text("2");
            assert_eq!(rig.session.transmit(false), Some(Transmit::EnginePong(String::new())));
        }
        assert_eq!(rig.session.state(), State::Closing);
        let failure = rig.session.timeout("the timeout of disconnect", ms(7));
        says(&failure, &["disconnecting from", "sending what was emitted before"]);
    }
}

#[test]
fn without_a_pong_leaving_goes_on_after_a_second() {
    let mut rig = leaving(At::Pinged);
    for payload in [&b""[..], b"sio 0", b"sio 2", b"sio"] {
        rig.input(Input::WebSocketPong(payload));
    }
    rig.pass(ms(999));
    assert_eq!(rig.session.left(), None);
    rig.pass(ms(1));
    assert_eq!(rig.session.left(), Some(Left::Unknown));
    let last = [Transmit::Disconnect(b"1".to_vec()), Transmit::WebSocketClose(1000)];
    assert_eq!(rig.sent(), last);
    rig.input(Input::Drained);
    // The pong that comes now comes too late.
    rig.input(Input::WebSocketPong(PAYLOAD));
    assert_eq!(rig.actions(), [Action::ShutdownWrite]);
    rig.input(Input::Eof);
    left(&mut rig, Left::Unknown, Action::Hangup);
}

#[test]
fn a_server_that_goes_on_sending_has_a_second_from_each_byte_and_half_a_minute_in_all() {
    let mut rig = leaving(At::Pinged);
    for _ in 0..31 {
        rig.pass(ms(950));
        rig.session.touch(rig.now);
        assert_eq!(rig.session.left(), None);
    }
    rig.pass(ms(549));
    assert_eq!(rig.session.left(), None);
    rig.pass(ms(1));
    assert_eq!(rig.session.left(), Some(Left::Unknown));
}

#[test]
fn a_pong_may_overtake_the_news_that_the_ping_is_out() {
    let mut rig = leaving(At::Pinging);
    rig.input(Input::WebSocketPong(PAYLOAD));
    assert_eq!(rig.session.left(), Some(Left::Confirmed));
    // What was drained is not yet the last packets.
    rig.input(Input::Drained);
    assert_eq!(rig.actions(), []);
    assert_eq!(rig.sent().len(), 2);
    rig.input(Input::Drained);
    assert_eq!(rig.actions(), [Action::ShutdownWrite]);
}

#[test]
fn a_pong_before_our_ping_confirms_nothing() {
    let mut rig = leaving(At::Flushing);
    rig.input(Input::WebSocketPong(PAYLOAD));
    assert_eq!(rig.session.left(), None);
    assert_eq!(rig.sent(), [Transmit::WebSocketPing(PAYLOAD.to_vec())]);
}

#[test]
fn the_last_stages_end_after_a_second_each() {
    for (at, action) in
        [(At::Parting, FAREWELL), (At::Parted, FAREWELL), (At::Shut, Action::Hangup)]
    {
        let mut rig = leaving(at);
        assert_eq!(rig.session.deadline(), Some(rig.now + ms(1_000)));
        rig.pass(ms(999));
        assert_eq!(rig.session.state(), State::Closing);
        rig.pass(ms(1));
        left(&mut rig, Left::Confirmed, action);
    }
}

#[test]
fn an_entirely_silent_server_costs_two_seconds() {
    let mut rig = leaving(At::Pinged);
    let start = rig.now;
    rig.pass(ms(1_000));
    rig.sent();
    rig.input(Input::Drained);
    assert_eq!(rig.actions(), [Action::ShutdownWrite]);
    rig.pass(ms(1_000));
    assert_eq!(rig.now, start + ms(2_000));
    left(&mut rig, Left::Unknown, FAREWELL);
}

#[test]
fn events_still_come_out_in_every_stage() {
    for at in STAGES {
        let mut rig = leaving(at);
        for _ in 0..100 {
            assert_eq!(rig.text("42[\"flood\",1]"), event("flood", "[1]"));
            rig.text("451-[\"b\"]");
            assert_eq!(rig.binary(b"x"), binary_event("b", "[]", &[b"x"]));
        }
        assert_eq!(rig.session.state(), State::Closing, "{at:?}");
        // A flood prolongs no stage but the wait for the pong.
        let end = rig.session.deadline().unwrap();
        rig.pass(ms(10));
        rig.text("42[\"flood\"]");
        if at > At::Pinged {
            assert_eq!(rig.session.deadline(), Some(end));
        }
    }
}

#[test]
fn pings_are_answered_until_the_last_packets() {
    for at in STAGES {
        let mut rig = leaving(at);
        rig.text("2");
        rig.input(Input::WebSocketPing(b"p"));
        let pongs = [Transmit::EnginePong(String::new()), Transmit::WebSocketPong(b"p".to_vec())];
        let sent = rig.sent();
        if at < At::Parting {
            assert_eq!(sent[..2], pongs, "{at:?}");
        } else {
            assert!(!sent.iter().any(|sent| pongs.contains(sent)), "{at:?}");
        }
    }
}

#[test]
fn a_loss_in_each_stage_says_what_is_known() {
    for at in STAGES {
        for cause in 0..4 {
            let mut rig = leaving(at);
            let (reason, action) = match cause {
                0 => {
                    rig.input(Input::Eof);
                    (Reason::TransportClose, Action::Hangup)
                }
                1 => {
                    rig.input(Input::Lost { text: "reset".into(), os_error: None });
                    (Reason::TransportError, Action::Hangup)
                }
                2 => {
                    rig.text("42[");
                    (Reason::ParseError, Action::Farewell { code: 1002 })
                }
                _ => {
                    // A server that says nothing at all is noticed while we send.
                    if at >= At::Pinged {
                        continue;
                    }
                    rig.pass(ms(SILENCE_MS));
                    (Reason::PingTimeout, Action::Hangup)
                }
            };
            if at >= At::Parting {
                let action = if at == At::Shut { Action::Hangup } else { action };
                left(&mut rig, Left::Confirmed, action);
                continue;
            }
            let failure = rig.ended(Status::Disconnected, Some(reason), action);
            says(&failure, &["while disconnecting, before the server had confirmed"]);
            assert_eq!(rig.session.left(), Some(Left::Lost));
        }
    }
}

#[test]
fn a_close_by_the_server_is_a_loss_before_the_pong_and_the_answer_after_it() {
    for at in STAGES {
        for engine in [true, false] {
            let mut rig = leaving(at);
            if engine {
                rig.text("1");
            } else {
                rig.input(Input::WebSocketClose(Some(1000), String::new()));
            }
            if at < At::Parting {
                let reason = Some(Reason::TransportClose);
                rig.ended(Status::Disconnected, reason, FAREWELL);
                assert_eq!(rig.session.left(), Some(Left::Lost));
                continue;
            }
            // The end of the stream is still to come.
            assert_eq!(rig.session.state(), State::Closing);
            rig.input(Input::Eof);
            left(&mut rig, Left::Confirmed, Action::Hangup);
        }
    }
}

#[test]
fn a_disconnect_by_the_server_meets_ours() {
    for at in STAGES {
        let mut rig = leaving(at);
        rig.text("41");
        if at < At::Parting {
            rig.ended(Status::Disconnected, Some(Reason::ServerDisconnect), FAREWELL);
            assert_eq!(rig.session.left(), Some(Left::Lost));
        } else {
            assert_eq!(rig.session.state(), State::Closing);
        }
    }
}

#[test]
fn giving_up_ends_every_stage_at_once() {
    for at in STAGES {
        let mut rig = leaving(at);
        let text = format!("the deadline of disconnect, {TARGET}");
        rig.session.give_up(Failure::new(Status::Timeout, text), rig.now);
        let action = if at == At::Shut { Action::Hangup } else { FAREWELL };
        rig.ended(Status::Timeout, Some(Reason::ClientDisconnect), action);
        let known = if at >= At::Parting { Left::Confirmed } else { Left::Unknown };
        assert_eq!(rig.session.left(), Some(known));
    }
}

#[test]
fn giving_up_forgets_a_shutdown_that_was_not_taken() {
    let mut rig = leaving(At::Parted);
    rig.input(Input::Drained);
    rig.session.give_up(Failure::new(Status::Timeout, TARGET), rig.now);
    rig.ended(Status::Timeout, Some(Reason::ClientDisconnect), Action::Hangup);
}

#[test]
fn leaving_reads_on_after_a_pause() {
    let mut rig = Rig::connected();
    rig.pass(ms(40_000));
    rig.session.pause(rig.now);
    rig.pass(ms(100_000));
    rig.session.leave(rig.now);
    assert_eq!(rig.session.deadline(), Some(rig.now + ms(5_000)));
    rig.session.pause(rig.now);
    assert_eq!(rig.session.deadline(), Some(rig.now + ms(5_000)));
    rig.pass(ms(1_000));
    assert_eq!(rig.text("42[\"a\"]"), event("a", "[]"));
}

#[test]
fn leaving_twice_joins_the_first() {
    for at in STAGES {
        let mut rig = leaving(at);
        let deadline = rig.session.deadline();
        rig.session.leave(rig.now + ms(500));
        assert_eq!(rig.session.state(), State::Closing);
        assert_eq!(rig.session.deadline(), deadline);
    }
}

#[test]
fn calls_can_be_taken_back_as_leaving_begins_and_their_answers_are_late() {
    let mut rig = Rig::connected();
    let id = rig.session.begin_call(1);
    rig.session.leave(rig.now);
    assert_eq!(rig.session.take_calls().collect::<Vec<_>>(), [(id, 1)]);
    assert_eq!(rig.text(&format!("43{id}[]")), Got::Nothing);
    assert_eq!(rig.session.counters.late_acks, 1);
}

#[test]
fn the_next_connection_pings_with_another_payload() {
    let mut rig = leaving(At::Shut);
    rig.input(Input::Eof);
    rig.actions();
    rig.session.connect(settings(), false, rig.now);
    assert_eq!(rig.session.left(), None);
    rig.input(Input::Open);
    rig.text(OPEN);
    rig.text("40{\"sid\":\"x\"}");
    rig.sent();
    rig.session.leave(rig.now);
    assert_eq!(rig.sent(), [Transmit::WebSocketPing(b"sio 2".to_vec())]);
}
