//! Events, and everything that may not come while connected.

use super::*;

#[test]
fn events_come_out_as_they_were_sent() {
    let mut rig = Rig::connected();
    assert_eq!(rig.text("42[\"plain\"]"), event("plain", "[]"));
    assert_eq!(
        rig.text("42[\"args\",1,{\"a\":[]}, 1e400 ]"),
        event("args", "[1,{\"a\":[]}, 1e400 ]")
    );
    assert_eq!(rig.text("42 [ \"w\" , 1 ] "), event("w", "[ 1 ]"));
    assert_eq!(rig.text("42[7,true]"), event("7", "[true]"));
    assert_eq!(rig.text("42[\"\\u0061\\ud800\"]"), event("a\u{FFFD}", "[]"));
    assert_eq!(rig.own_text("42[\"own\",1]"), event("own", "[1]"));
    let placeholder = r#"{"_placeholder":true,"num":9}"#;
    let plain = rig.text(&format!("42[\"p\",{placeholder}]"));
    assert_eq!(plain, event("p", &format!("[{placeholder}]")));
    let got = rig.text("4212[\"ask\",1]");
    assert!(matches!(&got, Got::Message { id: Some(12), content } if content.name == "ask"));
    let got = rig.text("420[\"ask\"]");
    assert!(matches!(&got, Got::Message { id: Some(0), .. }));
    assert_eq!(rig.session.counters.packets_received, 10);
}

#[test]
fn event_names_are_data() {
    let mut rig = Rig::connected();
    for name in ["", "connect", "disconnect", "connect_error", "__disconnect_final", "*", "close"] {
        assert_eq!(rig.text(&format!("42[\"{name}\"]")), event(name, "[]"));
        assert_eq!(rig.session.state(), State::Connected);
    }
}

#[test]
fn events_before_the_namespaces_answer_come_out_while_connecting() {
    let mut rig = Rig::asking(settings());
    assert_eq!(rig.text("42[\"early\",1]"), event("early", "[1]"));
    assert_eq!(rig.text("451-[\"early\",{\"_placeholder\":true,\"num\":0}]"), Got::Nothing);
    let args = "[{\"_placeholder\":true,\"num\":0}]";
    assert_eq!(rig.binary(b"b"), binary_event("early", args, &[b"b"]));
    assert_eq!(rig.session.state(), State::Connecting);
    // An answer can only be to a call of an earlier session.
    assert_eq!(rig.text("430[]"), Got::Nothing);
    assert_eq!(rig.session.counters.late_acks, 1);
    rig.text("40{\"sid\":\"x\"}");
    assert_eq!(rig.session.state(), State::Connected);
}

#[test]
fn malformed_packets_are_parse_errors() {
    for (text, words) in [
        ("", "empty"),
        ("7", "type"),
        ("x", "type"),
        ("é", "type"),
        ("4", "empty"),
        ("47[\"a\"]", "type"),
        ("42", ""),
        ("42[]", ""),
        ("42{}", ""),
        ("42[null]", ""),
        ("42[{}]", ""),
        ("42[\"a\"", ""),
        ("42[\"a\",]", ""),
        ("42[\"a\"]x", ""),
        ("42[\"a\",NaN]", "NaN"),
        ("42[\"a\",Infinity]", "Infinity"),
        ("4299999999999999999999[\"a\"]", "id"),
        ("43[1]", ""),
        ("430", ""),
        ("430{}", ""),
        ("40{\"sid\":\"x\"", ""),
        ("40\"x\"", ""),
        ("44[1]", ""),
        ("41{", ""),
        ("45[\"a\"]", ""),
        ("451[\"a\"]", ""),
        ("451-[\"a\",{\"_placeholder\":true,\"num\":1}]", ""),
        ("451-[\"a\",{\"_placeholder\":true,\"num\":-1}]", ""),
        ("451-[\"a\",{\"_placeholder\":true,\"num\":0.5}]", ""),
        ("451-[\"a\",{\"_placeholder\":true}]", ""),
        ("45x-[\"a\"]", ""),
    ] {
        let mut rig = Rig::connected();
        assert_eq!(rig.text(text), Got::Nothing);
        assert_eq!(rig.session.state(), State::Closed, "{text}");
        rig.ended_by_parse_error(words);
    }
    let mut rig = Rig::connected();
    rig.input(Input::Malformed("text that is not UTF-8".into()));
    rig.ended_by_parse_error("text that is not UTF-8");
}

#[test]
fn a_second_open_or_connect_is_a_parse_error() {
    let mut rig = Rig::connected();
    rig.text(OPEN);
    rig.ended_by_parse_error("a second Engine.IO handshake");
    let mut rig = Rig::connected();
    rig.text("40{\"sid\":\"other\"}");
    rig.ended_by_parse_error("a second CONNECT");
}

#[test]
fn unasked_pong_and_noop_are_ignored() {
    let mut rig = Rig::connected();
    for text in ["3", "3probe", "6", "5"] {
        assert_eq!(rig.text(text), Got::Nothing);
    }
    rig.input(Input::WebSocketPong(b"sio 1"));
    assert_eq!(rig.session.state(), State::Connected);
    assert_eq!(rig.sent(), []);
    assert_eq!(rig.actions(), []);
    assert_eq!(rig.session.left(), None);
}

#[test]
fn inputs_that_belong_to_the_attempt_change_nothing_later() {
    let mut rig = Rig::connected();
    rig.input(Input::Phase(Phase::Resolve));
    rig.input(Input::Phase(Phase::Handshake));
    rig.input(Input::Open);
    rig.input(Input::Drained);
    assert_eq!(rig.session.state(), State::Connected);
    assert_eq!(rig.sent(), []);
    assert_eq!(rig.text("42[\"a\"]"), event("a", "[]"));
}

#[test]
fn after_the_end_nothing_has_an_effect() {
    let mut rig = Rig::connected();
    rig.input(Input::Eof);
    rig.actions();
    let ended = rig.session.ended().cloned();
    for text in [OPEN, "40{\"sid\":\"x\"}", "42[\"a\"]", "2", "1", "41", "", "451-[\"a\"]"] {
        assert_eq!(rig.text(text), Got::Nothing);
    }
    assert_eq!(rig.binary(b"x"), Got::Nothing);
    for input in [
        Input::Eof,
        Input::Drained,
        Input::Open,
        Input::WebSocketPing(b"x"),
        Input::WebSocketClose(None, String::new()),
        Input::Failed(Failure::new(Status::Unreachable, "late")),
    ] {
        assert_eq!(rig.input(input), Got::Nothing);
    }
    rig.session.expire(rig.now + ms(1_000_000));
    assert_eq!(rig.session.state(), State::Closed);
    assert_eq!(rig.session.ended().cloned(), ended);
    assert_eq!(rig.actions(), []);
    assert_eq!(rig.sent(), []);
}
