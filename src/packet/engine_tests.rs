//! Engine.IO packets and handshakes, good and bad.

use super::*;

fn error(text: &str) -> String {
    parse(text).unwrap_err().to_string()
}

fn handshake_error(json: &str) -> String {
    parse_handshake(json).unwrap_err().to_string()
}

fn with(members: &str) -> Result<Handshake, ParseError> {
    parse_handshake(&format!(r#"{{"sid":"x","pingInterval":25000,"pingTimeout":20000{members}}}"#))
}

#[test]
fn every_type_is_read_with_what_it_carries() {
    for (text, packet) in [
        ("0{\"sid\":\"x\"}", Packet::Open("{\"sid\":\"x\"}")),
        ("0", Packet::Open("")),
        ("1", Packet::Close),
        ("1what", Packet::Close),
        ("2", Packet::Ping("")),
        ("2probe", Packet::Ping("probe")),
        ("3", Packet::Pong("")),
        ("3probe", Packet::Pong("probe")),
        ("4", Packet::Message("")),
        ("42", Packet::Message("2")),
        ("42[\"a\"]", Packet::Message("2[\"a\"]")),
        ("4213[\"a\"]", Packet::Message("213[\"a\"]")),
        ("4é", Packet::Message("é")),
        ("4x:0{", Packet::Message("x:0{")),
        ("40", Packet::Message("0")),
        ("5", Packet::Upgrade),
        ("6", Packet::Noop),
    ] {
        assert_eq!(parse(text), Ok(packet), "{text}");
    }
}

#[test]
fn an_unknown_type_is_named() {
    assert_eq!(error(""), "an Engine.IO packet is empty");
    assert_eq!(error("7"), "unknown Engine.IO packet type at byte 0: '7'");
    assert_eq!(error("bAQID"), "unknown Engine.IO packet type at byte 0: 'b'");
    assert_eq!(error("\n4"), "unknown Engine.IO packet type at byte 0: '\\n'");
    assert_eq!(error("é"), "unknown Engine.IO packet type at byte 0: 'é'");
    assert_eq!(error("<html>"), "unknown Engine.IO packet type at byte 0: '<'");
}

#[test]
fn a_server_of_engine_io_3_is_named() {
    for text in ["96:0{\"sid\":\"x\"}2:40", "7:0{", "1:0{", "42:0{", "410:0{\"sid\"", "0:0{"] {
        assert!(error(text).starts_with("an Engine.IO 3 server"), "{text}");
    }
}

#[test]
fn a_handshake_is_read() {
    assert_eq!(
        parse_handshake(
            r#" {"sid":"lv_VI97HAXpY6yYWAAAC","upgrades":["websocket"],"pingInterval":25000,
                "pingTimeout":20000,"maxPayload":1000000,"more":[{}]} "#
        ),
        Ok(Handshake {
            sid: "lv_VI97HAXpY6yYWAAAC".into(),
            ping_interval: Duration::from_secs(25),
            ping_timeout: Duration::from_secs(20),
            max_payload: Some(1_000_000),
            upgrades: vec!["websocket".into()],
        })
    );
    assert_eq!(
        parse_handshake(r#"{"pingTimeout":0.5,"sid":"\u0041","pingInterval":1500.5}"#),
        Ok(Handshake {
            sid: "A".into(),
            ping_interval: Duration::from_micros(1_500_500),
            ping_timeout: Duration::from_millis(1),
            max_payload: None,
            upgrades: vec![],
        })
    );
}

#[test]
fn a_period_over_a_day_is_a_day() {
    let handshake =
        parse_handshake(r#"{"sid":"x","pingInterval":86400001,"pingTimeout":1e999}"#).unwrap();
    let day = Duration::from_secs(24 * 60 * 60);
    assert_eq!((handshake.ping_interval, handshake.ping_timeout), (day, day));
}

#[test]
fn a_handshake_without_sid_or_periods_is_an_error_that_says_which() {
    for json in [
        r#"{"pingInterval":1,"pingTimeout":1}"#,
        r#"{"sid":"","pingInterval":1,"pingTimeout":1}"#,
        r#"{"sid":5,"pingInterval":1,"pingTimeout":1}"#,
        r#"{"sid":null,"pingInterval":1,"pingTimeout":1}"#,
        "[]",
        "null",
    ] {
        assert_eq!(handshake_error(json), "the Engine.IO handshake has no sid", "{json}");
    }
    for bad in ["null", "\"25000\"", "[]", "true"] {
        assert_eq!(
            handshake_error(&format!(r#"{{"sid":"x","pingInterval":{bad},"pingTimeout":1}}"#)),
            "the Engine.IO handshake has no number pingInterval"
        );
    }
    for bad in ["0", "-1", "0.0", "-0", "-1e999", "1e-999"] {
        assert_eq!(
            handshake_error(&format!(r#"{{"sid":"x","pingInterval":1,"pingTimeout":{bad}}}"#)),
            "the pingTimeout of the Engine.IO handshake is not above 0"
        );
    }
    assert_eq!(
        handshake_error(r#"{"sid":"x","pingInterval":1}"#),
        "the Engine.IO handshake has no number pingTimeout"
    );
    for json in ["", "{", "x", r#"{"sid":NaN}"#, "{}1"] {
        let text = handshake_error(json);
        assert!(text.starts_with("the Engine.IO handshake is not JSON: "), "{text}");
        assert!(text.contains(" at byte "), "{text}");
    }
}

#[test]
fn a_limit_or_upgrades_of_no_use_are_as_if_missing() {
    for bad in ["null", "0", "-5", "\"100\"", "[]", "-0.0"] {
        assert_eq!(with(&format!(",\"maxPayload\":{bad}")).unwrap().max_payload, None, "{bad}");
    }
    for (text, limit) in [("100", 100), ("1e6", 1_000_000), ("99.5", 100), ("1e99", u64::MAX)] {
        let handshake = with(&format!(",\"maxPayload\":{text}")).unwrap();
        assert_eq!(handshake.max_payload, Some(limit), "{text}");
    }
    for bad in ["null", "\"websocket\"", "{\"0\":1}", "[]", "[1,null,[\"websocket\"]]"] {
        let handshake = with(&format!(",\"upgrades\":{bad}")).unwrap();
        assert!(handshake.upgrades.is_empty(), "{bad}");
    }
    let handshake = with(",\"upgrades\":[1,\"websocket\" , \"webtransport\"]").unwrap();
    assert_eq!(handshake.upgrades, ["websocket", "webtransport"]);
}
