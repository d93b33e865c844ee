//! Every way in which a connection ends, and what the program can give up.

use super::*;

fn abort() -> Failure {
    Failure::new(Status::Interrupted, format!("interrupted, {TARGET}"))
}

#[test]
fn each_cause_ends_a_connection_with_its_reason() {
    let closed = Some(Reason::TransportClose);
    let mut rig = Rig::connected();
    rig.input(Input::Eof);
    let failure = rig.ended(Status::Disconnected, closed, Action::Hangup);
    says(&failure, &["the connection to", "ended: the server closed the connection"]);

    let mut rig = Rig::connected();
    rig.text("1");
    let failure = rig.ended(Status::Disconnected, closed, Action::Farewell { code: 1000 });
    says(&failure, &["the server closed the Engine.IO session"]);

    let mut rig = Rig::connected();
    rig.input(Input::WebSocketClose(None, String::new()));
    let failure = rig.ended(Status::Disconnected, closed, Action::Farewell { code: 1000 });
    says(&failure, &["the server closed the WebSocket"]);
    assert_eq!(failure.details.close_code, None);

    let mut rig = Rig::connected();
    rig.input(Input::WebSocketClose(Some(1009), "too\nbig".into()));
    let failure = rig.ended(Status::Disconnected, closed, Action::Farewell { code: 1009 });
    says(&failure, &["with code 1009", "too large", "too big"]);
    assert_eq!(failure.details.close_code, Some(1009));

    for code in [0, 999, 1004, 1005, 1006, 1015, 2000] {
        let mut rig = Rig::connected();
        rig.input(Input::WebSocketClose(Some(code), String::new()));
        let failure = rig.ended(Status::Disconnected, closed, Action::Farewell { code: 1000 });
        assert_eq!(failure.details.close_code, Some(code));
    }

    let mut rig = Rig::connected();
    rig.input(Input::Lost { text: "Connection reset".into(), os_error: Some(104) });
    let reason = Some(Reason::TransportError);
    let failure = rig.ended(Status::Disconnected, reason, Action::Hangup);
    says(&failure, &["Connection reset"]);
    assert_eq!(failure.details.os_error, Some(104));

    let mut rig = Rig::connected();
    rig.input(Input::Failed(Failure::new(Status::System, "out of descriptors")));
    let failure = rig.ended(Status::Disconnected, reason, Action::Hangup);
    says(&failure, &["out of descriptors"]);

    let mut rig = Rig::connected();
    rig.text("41");
    let reason = Some(Reason::ServerDisconnect);
    rig.ended(Status::Disconnected, reason, Action::Farewell { code: 1000 });
}

#[test]
fn the_reasons_have_the_words_of_every_client() {
    let names: Vec<&str> = [
        Reason::ServerDisconnect,
        Reason::ClientDisconnect,
        Reason::PingTimeout,
        Reason::TransportClose,
        Reason::TransportError,
        Reason::ParseError,
    ]
    .into_iter()
    .map(Reason::name)
    .collect();
    assert_eq!(
        names,
        [
            "io server disconnect",
            "io client disconnect",
            "ping timeout",
            "transport close",
            "transport error",
            "parse error"
        ]
    );
}

#[test]
fn giving_up_ends_every_state_at_once() {
    let at_phase = |phase| {
        let mut rig = Rig::dialing(settings());
        rig.input(Input::Phase(phase));
        rig
    };
    let farewell = Action::Farewell { code: 1000 };
    for (mut rig, phase, action) in [
        (Rig::dialing(settings()), Phase::Resolve, Action::Hangup),
        (at_phase(Phase::Connect), Phase::Connect, Action::Hangup),
        (at_phase(Phase::Handshake), Phase::Handshake, Action::Hangup),
        (Rig::greeting(settings()), Phase::Handshake, farewell),
        (Rig::asking(settings()), Phase::Namespace, farewell),
    ] {
        rig.session.give_up(abort(), rig.now);
        let failure = rig.ended(Status::Interrupted, None, action);
        assert_eq!(failure.details.phase, Some(phase));
    }
    let mut rig = Rig::connected();
    rig.text("2");
    rig.session.give_up(abort(), rig.now);
    rig.ended(Status::Interrupted, Some(Reason::ClientDisconnect), farewell);
    assert_eq!(rig.session.left(), None);
    // Given up twice is given up once.
    rig.session.give_up(Failure::new(Status::Timeout, "second"), rig.now);
    assert_eq!(rig.session.ended().unwrap().status, Status::Interrupted);
    assert_eq!(rig.actions(), []);
}

#[test]
fn disconnecting_while_connecting_ends_the_attempt() {
    let farewell = Action::Farewell { code: 1000 };
    for (mut rig, words, action) in [
        (Rig::dialing(settings()), "looking up", Action::Hangup),
        (Rig::greeting(settings()), "Engine.IO handshake", farewell),
        (Rig::asking(settings()), "namespace", farewell),
    ] {
        rig.session.leave(rig.now);
        let failure = rig.ended(Status::Disconnected, None, action);
        says(&failure, &["ended by the program, which disconnected", words]);
        assert_eq!(rig.session.left(), None);
    }
}

#[test]
fn a_closed_session_connects_again() {
    let mut rig = Rig::connected();
    rig.input(Input::Eof);
    rig.session.leave(rig.now);
    assert_eq!(rig.session.state(), State::Closed);
    // The link of old is parted from before the next is made.
    rig.session.connect(Settings { namespace: "/two".into(), ..settings() }, false, rig.now);
    assert_eq!(rig.actions(), [Action::Hangup, Action::Dial(WEBSOCKET)]);
    assert_eq!(rig.session.state(), State::Connecting);
    assert_eq!((rig.session.ended(), rig.session.reason()), (None, None));
    rig.input(Input::Open);
    rig.text(OPEN);
    assert_eq!(rig.sent(), [Transmit::Connect(b"0/two,".to_vec())]);
    rig.text("40/two,{\"sid\":\"second\"}");
    assert_eq!(rig.session.sid(), "second");
    assert_eq!(rig.session.epoch(), 2);
    assert_eq!(rig.text("42/two,[\"a\"]"), event("a", "[]"));
    let counters = rig.session.counters;
    assert_eq!((counters.attempts, counters.connects), (2, 2));
}
