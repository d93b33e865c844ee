//! Our disconnect by polling: DISCONNECT in a POST of its own behind the last, then CLOSE.

use super::*;

const FAREWELL: Action = Action::Farewell { code: 1000 };

/// The stages, each reached in a rig of its own.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
enum At {
    /// A POST of the program's is under way.
    Flushing,
    /// The one with DISCONNECT is.
    Disconnecting,
    /// It was answered.
    Parting,
    /// The one with CLOSE is under way.
    Parted,
}

const STAGES: [At; 4] = [At::Flushing, At::Disconnecting, At::Parting, At::Parted];

fn disconnect() -> Transmit {
    Transmit::Disconnect(b"1".to_vec())
}

fn leaving(at: At) -> Rig {
    let mut rig = Rig::polling();
    rig.session.post_begun(rig.now);
    rig.session.leave(rig.now);
    if at >= At::Disconnecting {
        rig.input(Input::Posted);
        assert_eq!(rig.post(), [disconnect()]);
    }
    if at >= At::Parting {
        rig.input(Input::Posted);
    }
    if at >= At::Parted {
        assert_eq!(rig.post(), [Transmit::EngineClose]);
    }
    assert_eq!(rig.session.state(), State::Closing);
    assert_eq!(rig.session.transport(), Some(POLLING));
    rig
}

#[track_caller]
fn left(rig: &mut Rig, left: Left, action: Action) {
    let failure = rig.ended(Status::Disconnected, Some(Reason::ClientDisconnect), action);
    says(&failure, &["the program disconnected from"]);
    assert_eq!(failure.text.contains("did not confirm"), left != Left::Confirmed);
    assert_eq!(rig.session.left(), Some(left));
}

#[test]
fn leaving_goes_step_by_step() {
    let mut rig = leaving(At::Flushing);
    assert_eq!(rig.session.sid(), "socket-sid");
    assert_eq!(rig.post(), []);
    rig.input(Input::Posted);
    // What the program emitted before goes first.
    assert_eq!(rig.session.transmit(false), None);
    rig.session.post_begun(rig.now);
    assert_eq!(rig.session.transmit(true), None);
    rig.input(Input::Posted);
    // Nothing of a websocket's leaving applies here.
    rig.input(Input::Drained);
    assert_eq!(rig.session.left(), None);
    assert_eq!(rig.post(), [disconnect()]);
    rig.input(Input::Drained);
    assert_eq!(rig.session.left(), None);
    rig.input(Input::Posted);
    assert_eq!(rig.session.left(), Some(Left::Confirmed));
    assert_eq!(rig.post(), [Transmit::EngineClose]);
    rig.input(Input::Drained);
    assert_eq!(rig.session.state(), State::Closing);
    rig.input(Input::Posted);
    left(&mut rig, Left::Confirmed, Action::Hangup);
}

#[test]
fn both_last_packets_go_alone() {
    let mut rig = Rig::polling();
    rig.text("2");
    rig.session.leave(rig.now);
    assert_eq!(rig.session.transmit(true), Some(Transmit::EnginePong(String::new())));
    assert_eq!(rig.session.transmit(true), None);
    rig.session.post_begun(rig.now);
    rig.text("2");
    rig.input(Input::Posted);
    assert_eq!(rig.post(), [Transmit::EnginePong(String::new())]);
    rig.input(Input::Posted);
    assert_eq!(rig.post(), [disconnect()]);
    // Pings that come now are not worth a POST.
    rig.text("2");
    rig.input(Input::Posted);
    assert_eq!(rig.post(), [Transmit::EngineClose]);
    rig.text("2");
    rig.input(Input::Posted);
    left(&mut rig, Left::Confirmed, Action::Hangup);
}

#[test]
fn the_namespace_is_left_by_its_name() {
    let mut rig = Rig::polling_with(Settings { namespace: "/a?b=c".into(), ..both() }, OPEN);
    rig.session.leave(rig.now);
    assert_eq!(rig.post(), [Transmit::Disconnect(b"1/a?b=c,".to_vec())]);
}

#[test]
fn polls_go_on_and_what_arrives_is_read() {
    for at in STAGES {
        let mut rig = leaving(at);
        for _ in 0..10 {
            assert_eq!(rig.text("42[\"flood\",1]"), event("flood", "[1]"), "{at:?}");
            rig.polled();
            assert_eq!(rig.actions(), [Action::Poll], "{at:?}");
        }
        assert_eq!(rig.session.state(), State::Closing);
    }
}

#[test]
fn sending_what_was_emitted_takes_the_time_that_it_takes() {
    let mut rig = leaving(At::Flushing);
    for _ in 0..1_000 {
        rig.pass(ms(4_000));
        rig.body(&["2"]);
        rig.input(Input::Posted);
        rig.session.post_begun(rig.now);
    }
    assert_eq!(rig.session.state(), State::Closing);
    let failure = rig.session.timeout("the timeout of disconnect", ms(7));
    says(&failure, &["disconnecting from", "sending what was emitted before"]);
}

#[test]
fn a_disconnect_that_is_not_answered_leaves_it_unknown() {
    let mut rig = leaving(At::Disconnecting);
    assert_eq!(rig.session.deadline(), Some(rig.now + ms(5_000)));
    rig.pass(ms(4_999));
    assert_eq!(rig.session.left(), None);
    says(&rig.session.timeout("x", ms(1)), &["waiting for the server to confirm"]);
    rig.pass(ms(1));
    left(&mut rig, Left::Unknown, FAREWELL);
}

#[test]
fn a_post_of_the_programs_that_is_not_answered_is_a_loss() {
    let mut rig = leaving(At::Flushing);
    rig.pass(ms(5_000));
    let failure = rig.ended(Status::Disconnected, Some(Reason::TransportError), Action::Hangup);
    says(&failure, &["while disconnecting", "a POST was not answered"]);
    assert_eq!(rig.session.left(), Some(Left::Lost));
}

#[test]
fn the_close_has_a_second() {
    for (at, action) in [(At::Parting, FAREWELL), (At::Parted, Action::Hangup)] {
        let mut rig = leaving(at);
        rig.pass(ms(999));
        assert_eq!(rig.session.state(), State::Closing);
        rig.pass(ms(1));
        left(&mut rig, Left::Confirmed, action);
    }
    // A POST may have less.
    let mut rig = Rig::polling_with(Settings { request_timeout: ms(300), ..both() }, OPEN);
    rig.actions();
    rig.session.leave(rig.now);
    rig.post();
    rig.input(Input::Posted);
    rig.post();
    rig.pass(ms(300));
    left(&mut rig, Left::Confirmed, Action::Hangup);
}

#[test]
fn a_loss_in_each_stage_says_what_is_known() {
    let mut status = Failure::new(Status::Unreachable, "400").in_phase(Phase::Http);
    status.details.http_status = Some(400);
    let losses: [(Input<'_>, Reason, Action); 4] = [
        (Input::Failed(status), Reason::TransportError, Action::Hangup),
        (Input::Eof, Reason::TransportClose, Action::Hangup),
        (Input::Lost { text: "r".into(), os_error: None }, Reason::TransportError, Action::Hangup),
        (Input::Malformed("m".into()), Reason::ParseError, Action::Farewell { code: 1002 }),
    ];
    for at in STAGES {
        for (input, reason, action) in &losses {
            let mut rig = leaving(at);
            let input = match input {
                Input::Failed(failure) => Input::Failed(failure.clone()),
                Input::Lost { .. } => Input::Lost { text: "reset".into(), os_error: None },
                Input::Malformed(text) => Input::Malformed(text.clone()),
                _ => Input::Eof,
            };
            rig.input(input);
            if at >= At::Parting {
                left(&mut rig, Left::Confirmed, *action);
                continue;
            }
            let failure = rig.ended(Status::Disconnected, Some(*reason), *action);
            says(&failure, &["while disconnecting, before the server had confirmed"]);
            assert_eq!(rig.session.left(), Some(Left::Lost));
        }
    }
}

#[test]
fn a_close_by_the_server_is_an_answer_once_our_disconnect_is_on_its_way() {
    for at in STAGES {
        let mut rig = leaving(at);
        rig.text("1");
        if at == At::Flushing {
            rig.ended(Status::Disconnected, Some(Reason::TransportClose), FAREWELL);
            assert_eq!(rig.session.left(), Some(Left::Lost));
            continue;
        }
        // There is no session any more that could be polled.
        rig.polled();
        assert_eq!(rig.actions(), []);
        assert_eq!(rig.session.state(), State::Closing);
        if at == At::Disconnecting {
            rig.input(Input::Posted);
            assert_eq!(rig.post(), [Transmit::EngineClose]);
        } else if at == At::Parting {
            rig.post();
        }
        rig.input(Input::Failed(Failure::new(Status::Unreachable, "400")));
        left(&mut rig, Left::Confirmed, Action::Hangup);
    }
}

#[test]
fn a_disconnect_by_the_server_meets_ours() {
    for at in STAGES {
        let mut rig = leaving(at);
        rig.text("41");
        if at == At::Flushing {
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
        rig.session.give_up(Failure::new(Status::Timeout, TARGET), rig.now);
        rig.ended(Status::Timeout, Some(Reason::ClientDisconnect), FAREWELL);
        let known = if at >= At::Parting { Left::Confirmed } else { Left::Unknown };
        assert_eq!(rig.session.left(), Some(known));
    }
}

#[test]
fn leaving_reads_on_after_a_pause() {
    let mut rig = Rig::polling();
    rig.session.pause(rig.now);
    rig.pass(ms(100_000));
    rig.session.leave(rig.now);
    assert_eq!(rig.session.deadline(), Some(rig.now + ms(SILENCE_MS)));
}
