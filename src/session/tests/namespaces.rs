//! Refusals, disconnections by the server, and packets for other namespaces.

use super::*;

const FAREWELL: Action = Action::Farewell { code: 1000 };

/// What the server says, and what the failure has of it: message, data, words of the text.
const WORDS: [(&str, Option<&str>, Option<&str>, &str); 9] = [
    (
        r#"{"message":"not \"you\"","data":{"code":[1, 2]}}"#,
        Some(r#""not \"you\"""#),
        Some(r#"{"code":[1, 2]}"#),
        ": not \"you\"",
    ),
    (r#"{"message":"no"}"#, Some("\"no\""), None, ": no"),
    (r#"{"message":null,"data":null}"#, Some("null"), Some("null"), ": null"),
    (r#"{"message":{"a":1}}"#, Some(r#"{"a":1}"#), None, r#": {"a":1}"#),
    (r#""text""#, Some(r#""text""#), None, ": text"),
    (r#""two\nlines \ud83d\ude00""#, Some(r#""two\nlines \ud83d\ude00""#), None, ": two lines 😀"),
    (r#""""#, Some(r#""""#), None, " without saying why"),
    (r#"{"reason":5}"#, None, Some(r#"{"reason":5}"#), r#": {"reason":5}"#),
    ("", None, None, " without saying why"),
];

fn admin() -> Settings {
    Settings { namespace: "/admin".into(), ..settings() }
}

#[test]
fn a_refusal_carries_the_servers_message_and_data_in_all_forms() {
    for kind in ['4', '1'] {
        for (json, message, data, words) in WORDS {
            for (settings, prefix, name) in [(settings(), "", "/"), (admin(), "/admin,", "/admin")]
            {
                let mut rig = Rig::asking(settings);
                assert_eq!(rig.text(&format!("4{kind}{prefix}{json}")), Got::Nothing);
                let failure = rig.ended(Status::Refused, None, FAREWELL);
                says(&failure, &[&format!("refused the namespace \"{name}\"{words}")]);
                let details = &failure.details;
                assert_eq!(details.phase, Some(Phase::Namespace));
                assert_eq!(details.message.as_deref(), message.or(Some("\"\"")), "{json}");
                assert_eq!(details.data.as_deref(), data, "{json}");
            }
        }
    }
}

#[test]
fn a_disconnect_is_final_and_carries_the_servers_words() {
    for kind in ['1', '4'] {
        for (json, message, data, words) in WORDS {
            for (settings, prefix) in [(settings(), ""), (admin(), "/admin,")] {
                let mut rig = Rig::connected_with(settings);
                assert_eq!(rig.text(&format!("4{kind}{prefix}{json}")), Got::Nothing);
                let reason = Some(Reason::ServerDisconnect);
                let failure = rig.ended(Status::Disconnected, reason, FAREWELL);
                says(&failure, &["disconnected the namespace", words]);
                let details = &failure.details;
                assert_eq!(details.phase, Some(Phase::Session));
                assert_eq!(details.message.as_deref(), message, "{json}");
                assert_eq!(details.data.as_deref(), data, "{json}");
            }
        }
    }
}

#[test]
fn a_disconnect_may_carry_any_json() {
    for json in ["7", "[1]", "null", "true"] {
        let mut rig = Rig::connected();
        rig.text(&format!("41{json}"));
        let reason = Some(Reason::ServerDisconnect);
        let failure = rig.ended(Status::Disconnected, reason, FAREWELL);
        assert_eq!(failure.details.data.as_deref(), Some(json));
    }
}

#[test]
fn long_words_of_a_server_are_cut_in_the_text_and_whole_in_the_details() {
    let mut rig = Rig::asking(settings());
    let words = format!("\"{}\"", "é".repeat(5_000));
    rig.text(&format!("44{words}"));
    let failure = rig.ended(Status::Refused, None, FAREWELL);
    assert!(failure.text.len() < 1_000);
    assert!(failure.text.ends_with("é..."));
    assert_eq!(failure.details.message, Some(words));
}

#[test]
fn packets_for_other_namespaces_are_counted_and_ignored() {
    let foreign = [
        "42/b,[\"a\"]",
        "42/adminx,7[\"a\"]",
        "43/b,0[]",
        "40/b,{\"sid\":\"x\"}",
        "40/b,",
        "41/b,",
        "44/b,\"no\"",
    ];
    for text in foreign {
        let mut rig = Rig::connected();
        assert_eq!(rig.text(text), Got::Nothing);
        assert_eq!(rig.session.state(), State::Connected, "{text}");
        assert_eq!(rig.session.counters.foreign_packets, 1);
        // The main namespace is foreign to another one.
        let mut rig = Rig::connected_with(admin());
        for text in ["42[\"a\"]", "42/,[\"a\"]", "40{\"sid\":\"x\"}", "41", "44\"no\""] {
            assert_eq!(rig.text(text), Got::Nothing);
        }
        assert_eq!(rig.text(text), Got::Nothing);
        assert_eq!(rig.session.state(), State::Connected, "{text}");
        assert_eq!(rig.session.counters.foreign_packets, 6);
        assert_eq!(rig.text("42/admin,[\"a\"]"), event("a", "[]"));
        assert_eq!(rig.session.counters.packets_received, 8);
    }
}

#[test]
fn packets_for_other_namespaces_do_not_connect_ours() {
    let mut rig = Rig::asking(admin());
    for text in ["40{\"sid\":\"x\"}", "44\"no\"", "41", "40/b,", "42/b,[\"a\"]"] {
        assert_eq!(rig.text(text), Got::Nothing);
        assert_eq!(rig.session.state(), State::Connecting);
    }
    rig.text("40/admin,{\"sid\":\"mine\"}");
    assert_eq!(rig.session.sid(), "mine");
}

#[test]
fn foreign_packets_are_consumed_with_their_attachments() {
    let mut rig = Rig::connected();
    let placeholder = r#"{"_placeholder":true,"num":1}"#;
    assert_eq!(rig.text(&format!("452-/b,[\"x\",{placeholder}]")), Got::Nothing);
    assert_eq!(rig.binary(b"one"), Got::Nothing);
    assert_eq!(rig.own_binary(b"two"), Got::Nothing);
    assert_eq!(rig.text("461-/b,0[]"), Got::Nothing);
    assert_eq!(rig.binary(b"three"), Got::Nothing);
    assert_eq!(rig.session.counters.foreign_packets, 2);
    assert_eq!(rig.text("42[\"mine\",1]"), event("mine", "[1]"));
    // The same limits hold for them.
    rig.text("451025-/b,[\"x\"]");
    rig.ended_by_flaw("1025 attachments", 1009);
}

#[test]
fn packets_for_the_name_before_the_query_are_ours() {
    for namespace in ["/admin?token=a", "/admin?"] {
        let mut rig = Rig::greeting(Settings { namespace: namespace.into(), ..settings() });
        rig.text(OPEN);
        assert_eq!(rig.sent(), [Transmit::Connect(format!("0{namespace},").into_bytes())]);
        rig.text("40/admin,{\"sid\":\"x\"}");
        assert_eq!(rig.session.state(), State::Connected);
        assert_eq!(rig.session.namespace(), namespace);
        assert_eq!(rig.text("42/admin,[\"a\"]"), event("a", "[]"));
        assert_eq!(rig.text("42/admin?token=a,[\"b\"]"), event("b", "[]"));
        assert_eq!(rig.text("42/admin?other,[\"c\"]"), event("c", "[]"));
        assert_eq!(rig.text("42/adm,[\"d\"]"), Got::Nothing);
    }
    let mut rig = Rig::asking(Settings { namespace: "/?a=b".into(), ..settings() });
    rig.text("40{\"sid\":\"x\"}");
    assert_eq!(rig.text("42[\"a\"]"), event("a", "[]"));
    assert_eq!(rig.text("42/,[\"b\"]"), event("b", "[]"));
    assert_eq!(rig.text("42/?a=b,[\"c\"]"), event("c", "[]"));
}
