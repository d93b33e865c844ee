//! Placeholders that go out and that come, good and bad.

use super::*;

fn outgoing(args: &str, buffers: usize) -> Result<(), String> {
    check_outgoing(args, buffers).map_err(|error| error.to_string())
}

fn incoming(data: &str, attachments: usize) -> Result<(), String> {
    check_incoming(data, attachments).map_err(|error| error.to_string())
}

/// An array of placeholders with these numbers.
fn array(numbers: impl IntoIterator<Item = usize>) -> String {
    let numbers = numbers.into_iter();
    let objects = numbers.map(|number| format!(r#"{{"_placeholder":true,"num":{number}}}"#));
    format!("[{}]", objects.collect::<Vec<_>>().join(","))
}

#[test]
fn each_buffer_is_named_once_wherever_the_placeholder_stands() {
    for (args, buffers) in [
        (r#"[{"_placeholder":true,"num":0}]"#, 1),
        (r#" [ { "num" : 0 , "more" : [ { } ] , "_placeholder" : true } ] "#, 1),
        (r#"[{"\u005fplaceholder":true,"n\u0075m":0}]"#, 1),
        (r#"[{"_placeholder":true,"num":1},[{"a":{"_placeholder":true,"num":0}}]]"#, 2),
        (r#"[{"_placeholder":true,"num":1,"in":{"_placeholder":true,"num":0}}]"#, 2),
        (r#"[{"in":[{"num":0,"_placeholder":true}],"num":1,"_placeholder":true}]"#, 2),
        (r#"[{"num":{"_placeholder":true,"num":0},"x":1}]"#, 1),
        (r#"[{"_placeholder":{"_placeholder":true,"num":0}}]"#, 1),
        (r#"[{"_placeholder":false,"num":"x"},{"num":7},{"_placeholder":true,"num":0}]"#, 1),
        (r#"[{"_placeholder":"true"},{"_placeholder":1},{"_placeholder":true,"num":0}]"#, 1),
        (r#"[{"_placeholder":true,"num":5,"num":0}]"#, 1),
        (r#"[{"_placeholder":true,"_placeholder":false},{"_placeholder":true,"num":0}]"#, 1),
        (r#"["_placeholder",true,{"num":0,"_placeholder":true}]"#, 1),
        ("[]", 0),
    ] {
        assert_eq!(outgoing(args, buffers), Ok(()), "{args}");
    }
    for count in [1, 63, 64, 65, 127, 128, 129, 1000] {
        assert_eq!(outgoing(&array(0..count), count), Ok(()));
        assert_eq!(outgoing(&array((0..count).rev()), count), Ok(()));
        assert!(outgoing(&array(0..count), count + 1).is_err());
        assert!(outgoing(&array(0..=count), count).is_err());
        assert!(outgoing(&array((0..count).chain([count - 1])), count).is_err());
    }
}

#[test]
fn an_outgoing_placeholder_that_is_none_is_an_error_that_says_where() {
    const NO_NUM: &str = "a placeholder without num ends at byte";
    const NOT_PLAIN: &str = "a placeholder whose num is no plain integer ends at byte";
    const TOO_LARGE: &str =
        "a placeholder whose num is not below the number of buffers ends at byte";
    for (args, buffers, expected) in [
        (r#"[{"_placeholder":true}]"#, 1, format!("{NO_NUM} 21")),
        (r#"[{"_placeholder":true,"num":1.0}]"#, 1, format!("{NOT_PLAIN} 31")),
        (r#"[{"_placeholder":true,"num":-0}]"#, 1, format!("{NOT_PLAIN} 30")),
        (r#"[{"_placeholder":true,"num":0e0}]"#, 1, format!("{NOT_PLAIN} 31")),
        (r#"[{"_placeholder":true,"num":"0"}]"#, 1, format!("{NOT_PLAIN} 31")),
        (r#"[{"_placeholder":true,"num":null}]"#, 1, format!("{NOT_PLAIN} 32")),
        (r#"[{"_placeholder":true,"num":[0]}]"#, 1, format!("{NOT_PLAIN} 31")),
        (r#"[{"_placeholder":true,"num":0,"num":{}}]"#, 1, format!("{NOT_PLAIN} 38")),
        (r#"[{"_placeholder":true,"num":1}]"#, 1, format!("{TOO_LARGE} 29")),
        (r#"[{"_placeholder":true,"num":99999999999999999999}]"#, 1, format!("{TOO_LARGE} 48")),
        (&array([0, 0]), 2, "a second placeholder for the same buffer ends at byte 59".into()),
        (
            "[1]",
            1,
            "no placeholder has named one of the buffers when the arguments end at byte 2".into(),
        ),
        ("[1,]", 1, "expected a value at byte 3".into()),
        ("[1]x", 1, "unexpected text after the JSON value at byte 3".into()),
    ] {
        assert_eq!(outgoing(args, buffers), Err(expected), "{args}");
    }
}

#[test]
fn a_buffer_that_came_may_be_named_often_or_never() {
    assert_eq!(incoming("[]", 3), Ok(()));
    assert_eq!(incoming(&array([0, 0, 2, 0]), 3), Ok(()));
    assert_eq!(incoming(&array([0]), 1), Ok(()));
    assert!(incoming(&array([1]), 1).is_err());
    assert!(incoming(&array([0]), 0).is_err());
    assert!(incoming(r#"[{"_placeholder":true}]"#, 1).is_err());
    assert!(incoming(r#"[{"_placeholder":true,"num":0.5}]"#, 1).is_err());
    assert!(incoming(r#"[{"_placeholder":true,"num":-1}]"#, 1).is_err());
    assert!(incoming(r#"[{"num":7}]"#, 1).is_ok());
}

#[test]
fn placeholders_inside_one_another_cost_linear_time() {
    let depth = 200_000;
    let numbers: String = (0..depth).map(|number| format!(r#"{{"num":{number},"x":"#)).collect();
    let marks = r#","_placeholder":true}"#.repeat(depth);
    let args = format!("[{numbers}1{marks}]");
    assert_eq!(outgoing(&args, depth), Ok(()));
    assert_eq!(incoming(&args, depth), Ok(()));
    assert!(incoming(&args, depth - 1).is_err());
}

#[test]
fn the_reserved_names_are_those_of_the_javascript_client() {
    for name in
        ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"]
    {
        assert!(name_is_reserved(name));
    }
    for name in ["", "message", "Connect", "connecting", "error", "*", "__disconnect_final"] {
        assert!(!name_is_reserved(name));
    }
}
