//! Bodies that callers send by mistake, and what they are told.

use super::*;

fn refusal<T: std::fmt::Debug>(result: Result<T, Problem>) -> (Code, String) {
    let problem = result.unwrap_err();
    (problem.code, problem.field.unwrap_or_default())
}

#[test]
fn an_assign_needs_only_a_unit() {
    for body in [
        r#"{"unit":"u1"}"#,
        r#"{"user_id":"u1"}"#,
        r#"{"unit":"u1","attributes":null,"expose":null}"#,
    ] {
        let request = assign(body.as_bytes()).unwrap();
        assert_eq!(request.unit().as_str(), "u1", "{body}");
        assert!(request.expose());
        assert!(request.attributes().is_empty());
    }
    assert_eq!(assign(br#"{"unit":42}"#).unwrap().unit().as_str(), "42");
    assert!(!assign(br#"{"unit":42,"expose":false}"#).unwrap().expose());
}

#[test]
fn attributes_are_scalars_and_lists_of_them() {
    let request = assign(
        br#"{"unit":1,"attributes":{"country":"SN","txn":10,"r":0.5,"vip":true,"tags":["a",1]}}"#,
    )
    .unwrap();
    let json = serde_json::to_value(request.attributes()).unwrap();
    assert_eq!(
        json,
        serde_json::json!({"country":"SN","txn":10,"r":0.5,"vip":true,"tags":["a",1]})
    );
}

#[test]
fn bad_assigns_are_told_by_field() {
    let long = format!(r#"{{"unit":"{}"}}"#, "x".repeat(513));
    let many: Vec<String> = (0..65).map(|n| format!("\"a{n}\":1")).collect();
    let many = format!(r#"{{"unit":"u","attributes":{{{}}}}}"#, many.join(","));
    for (body, code, field) in [
        ("{}", Code::MissingUnit, "unit"),
        (r#"{"unit":""}"#, Code::MissingUnit, "unit"),
        (r#"{"unit":null}"#, Code::MissingUnit, "unit"),
        (r#"{"unit":1.5}"#, Code::Invalid, "unit"),
        (r#"{"unit":["u"]}"#, Code::Invalid, "unit"),
        (r#"{"unit":"a","user_id":"a"}"#, Code::Invalid, "user_id"),
        (r#"{"unit":"a","unit":"b"}"#, Code::Invalid, "unit"),
        (r#"{"unit":"a","expose":"yes"}"#, Code::Invalid, "expose"),
        (r#"{"unit":"a","colour":1}"#, Code::Invalid, "colour"),
        (
            r#"{"unit":"a","attributes":[1]}"#,
            Code::Invalid,
            "attributes",
        ),
        (
            r#"{"unit":"a","attributes":{"c":{"d":1}}}"#,
            Code::Invalid,
            "attributes.c",
        ),
        (
            r#"{"unit":"a","attributes":{"c":1,"c":2}}"#,
            Code::Invalid,
            "attributes.c",
        ),
        (&many, Code::Invalid, "attributes"),
        (&long, Code::Invalid, "unit"),
        ("[]", Code::Invalid, ""),
        ("", Code::Invalid, ""),
        ("\"u\"", Code::Invalid, ""),
    ] {
        assert_eq!(
            refusal(assign(body.as_bytes())),
            (code, field.into()),
            "{body:.80}"
        );
    }
}

#[test]
fn an_event_has_a_unit_a_name_and_perhaps_more() {
    let item = track(
        br#"{"user_id":7,"event_type":"conversion","value":3,"id":"o-1","at":"2026-01-31T12:00:00+01:00"}"#,
    )
    .unwrap();
    assert_eq!(
        (item.unit().as_str(), item.event().name.as_str()),
        ("7", "conversion")
    );
    assert_eq!(item.event().value, Some(3.0));
    assert_eq!(item.event().id.as_deref(), Some("o-1"));
    assert_eq!(
        item.event().at.unwrap().to_rfc3339(),
        "2026-01-31T11:00:00+00:00"
    );
}

#[test]
fn bad_events_are_told_by_field() {
    for (body, code, field) in [
        (r#"{"event":"c"}"#, Code::MissingUnit, "unit"),
        (r#"{"unit":"u"}"#, Code::Invalid, "event"),
        (r#"{"unit":"u","event":""}"#, Code::Invalid, "event"),
        (r#"{"unit":"u","event":"a\u0000b"}"#, Code::Invalid, "event"),
        (r#"{"unit":"u","event":"$reward"}"#, Code::Invalid, "event"),
        (
            r#"{"unit":"u","event":"c","value":"1"}"#,
            Code::Invalid,
            "value",
        ),
        (r#"{"unit":"u","event":"c","value":NaN}"#, Code::Invalid, ""),
        (
            r#"{"unit":"u","event":"c","value":1e400}"#,
            Code::Invalid,
            "",
        ),
        (r#"{"unit":"u","event":"c","id":7}"#, Code::Invalid, "id"),
        (
            r#"{"unit":"u","event":"c","at":"yesterday"}"#,
            Code::Invalid,
            "at",
        ),
        (
            r#"{"unit":"u","event":"c","at":"2026-01-31"}"#,
            Code::Invalid,
            "at",
        ),
        (
            r#"{"unit":"u","event":"c","experiment":"e"}"#,
            Code::Invalid,
            "experiment",
        ),
        (
            r#"{"unit":"u","event":"c","event_type":"c"}"#,
            Code::Invalid,
            "event_type",
        ),
    ] {
        assert_eq!(
            refusal(track(body.as_bytes())),
            (code, field.into()),
            "{body}"
        );
    }
}

#[test]
fn a_batch_comes_in_three_forms_and_loses_only_its_bad_items() {
    let good = r#"{"experiment":"e","unit":"u","event":"c"}"#;
    let array = format!(r#"[{good},{{"unit":"u"}},3]"#);
    let wrapped = format!(r#"{{"items":[{good},{{"unit":"u"}},3]}}"#);
    let lines = format!("{good}\r\n\n{{\"unit\":\"u\"}}\n3\n");
    for (body, by_line) in [(array, false), (wrapped, false), (lines, true)] {
        let items = track_batch(body.as_bytes(), by_line).unwrap();
        let accepted: Vec<bool> = items.iter().map(Result::is_ok).collect();
        assert_eq!(accepted, [true, false, false], "{body}");
    }
    let torn = track_batch(format!("{good}\n{{\"unit\"").as_bytes(), true).unwrap();
    assert!(torn[0].is_ok() && torn[1].is_err());
}

#[test]
fn a_batch_over_the_limit_is_refused_as_a_whole() {
    let item = r#"{"experiment":"e","unit":"u","event":"c"}"#;
    let body = format!("[{}]", vec![item; json::MAX_LIST + 1].join(","));
    assert_eq!(
        refusal(track_batch(body.as_bytes(), false)).0,
        Code::TooLarge
    );
    let lines = vec![item; json::MAX_LIST + 1].join("\n");
    assert_eq!(
        refusal(track_batch(lines.as_bytes(), true)).0,
        Code::TooLarge
    );
    assert_eq!(track_batch(b"[]", false).unwrap().len(), 0);
}
