//! The Thing Model of a component, which is its author's text: too much, too deep, no JSON, or meant for other eyes.

use super::{
    case::{Case, OK, Strike},
    words::guest,
    written::append_model,
};

pub(super) fn cases() -> Vec<Case> {
    [forms(), names(), texts(), schemas()].concat()
}

fn with(name: &str, model: &str) -> Case {
    let mut bytes = guest().component_without_model();
    append_model(&mut bytes, model.as_bytes());
    Case::bytes(name, bytes)
}

/// A Thing Model of this property.
fn property(name: &str, schema: &str) -> String {
    format!(
        r#"{{"@context": "https://www.w3.org/2022/wot/td/v1.1", "@type": "tm:ThingModel", "title": "Hostile", "properties": {{"{name}": {schema}}}}}"#
    )
}

fn forms() -> Vec<Case> {
    let arrays = |depth: usize| format!(r#"{{"title": "x", "x": {}{}}}"#, "[".repeat(depth), "]".repeat(depth));
    let spaces = format!(r#"{{"title": "x"{}}}"#, " ".repeat(2 << 20));
    let mut twice = guest().component();
    append_model(&mut twice, b"{}");
    vec![
        Case::bytes("no Thing Model", guest().component_without_model()).refused("0 Thing Models"),
        Case::bytes("two Thing Models", twice).refused("2 Thing Models"),
        with("a model that is no JSON", "<html>").refused("no JSON"),
        with("a model that is no UTF-8", "\u{0}").refused("no JSON"),
        with("a model that is a list", "[]").refused("no object"),
        with("a model 70 deep", &arrays(70)).refused("deeper than 64"),
        with("a model 100,000 deep", &arrays(100_000)).refused("no JSON"),
        with("a model of 2 MiB", &spaces).refused("more than"),
        with(
            "a model without a title",
            r#"{"@context": "https://www.w3.org/2022/wot/td/v1.1", "@type": "tm:ThingModel"}"#,
        )
        .refused("Thing Model"),
    ]
}

fn names() -> Vec<Case> {
    let named = |name: &str, property_name: &str| with(name, &property(property_name, "{}")).refused("Thing Model");
    let many: String = (0..5_000).map(|at| format!(r#""p{at}": {{}},"#)).collect();
    let many = format!(
        r#"{{"@context": "https://www.w3.org/2022/wot/td/v1.1", "@type": "tm:ThingModel", "title": "x", "properties": {{{many} "last": {{}}}}}}"#
    );
    vec![
        named("a name of markup", "<script>alert(1)</script>"),
        named("a name that goes up", "../../gateway"),
        named("a name with a slash", "value/set"),
        named("a name that is a wildcard of MQTT", "#"),
        named("a name that is one level of MQTT", "+"),
        named("an empty name", ""),
        named("a name with a null", "a\\u0000b"),
        named("a name with an escape sequence", "\\u001b[2J"),
        named("a name that is written backwards", "\\u202efdp.exe"),
        named("a name of 10,000 letters", &"x".repeat(10_000)),
        with("5,000 properties", &many).refused("more than 256"),
    ]
}

/// Titles, units and descriptions are shown to people: as JSON, escaped; what a page makes of them is text.
fn texts() -> Vec<Case> {
    let told = r#"{"type": "number", "unit": "<script>alert(1)</script>", "title": "\u001b[31mred\u0007",
        "description": "\u202egnp.exe\u0000\r\n"}"#;
    let links = r#"{"@context": "https://www.w3.org/2022/wot/td/v1.1", "@type": "tm:ThingModel", "title": "x", "properties": {"value": {}},
        "links": [{"href": "javascript:alert(1)"}, {"href": "https://evil.example/"}],
        "base": "https://evil.example/", "forms": [{"href": "https://evil.example/", "op": "readallproperties"}],
        "support": "https://evil.example/", "securityDefinitions": {"x": {"scheme": "nosec"}}, "security": "x"}"#;
    let forms = property("value", r#"{"forms": [{"href": "https://evil.example/"}], "uriVariables": {"x": {}}}"#);
    let long = property("value", &format!(r#"{{"unit": "{}"}}"#, "x".repeat(900_000)));
    vec![
        with("units and titles of markup", &property("value", told))
            .strike(Strike::Describe, &[OK])
            .says("<script>")
            .never("\u{1b}")
            .never("\u{7}")
            .never("\u{0}")
            .strike(Strike::Read("value"), &[(500, "invalid-output")]),
        // Where a Thing is, and how one gets in, is the gateway's to say.
        with("forms of its own", &forms).strike(Strike::Describe, &[OK]).never("evil.example"),
        with("a base and security of its own", links).strike(Strike::Describe, &[OK]).never("\"base\":\"https://evil"),
        with("a unit of 900 KB", &long).strike(Strike::Describe, &[OK]),
    ]
}

fn schemas() -> Vec<Case> {
    let schema = |name: &str, schema: &str| with(name, &property("value", schema)).refused("Thing Model");
    let nested = format!("{}{}", r#"{"oneOf": ["#.repeat(1_000), "{}]}".repeat(1_000));
    let wide = |count| format!(r#"{{"enum": [{}0]}}"#, "1,".repeat(count));
    let patterns: String =
        (0..2_000).map(|at| format!(r#""p{at}": {{"type": "string", "pattern": "(\\w{{100}}){{2}}{at}"}},"#)).collect();
    let patterns = format!(r#"{{"type": "object", "properties": {{{patterns} "last": {{}}}}}}"#);
    let one_of = format!(r#"{{"oneOf": [{}{{}}]}}"#, "{},".repeat(60_000));
    vec![
        schema("a pattern that multiplies", r#"{"type": "string", "pattern": "((((a{100}){100}){100}){100}){100}"}"#),
        schema("a pattern that is none", r#"{"type": "string", "pattern": "(("}"#),
        schema("schemas 1,000 deep", &nested),
        schema("60,000 schemas", &one_of),
        schema("2,000 patterns", &patterns),
        schema("an enumeration of 200,000", &wide(200_000)),
        with("an enumeration of 10,000", &property("value", &wide(10_000)))
            .strike(Strike::Read("value"), &[OK, (500, "invalid-output")]),
        with(
            "a model that is another's",
            r#"{"@context": "https://www.w3.org/2022/wot/td/v1.1", "@type": "tm:ThingModel", "title": "x",
            "links": [{"rel": "tm:extends", "href": "file:///etc/passwd"}]}"#,
        )
        .refused("Thing Model"),
        with("a reference to itself", &property("value", r##"{"tm:ref": "#/properties/value"}"##))
            .refused("Thing Model"),
    ]
}
