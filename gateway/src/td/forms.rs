//! Forms of the HTTP binding: one per real endpoint (TD 1.1 section 5.3.4.2).
//!
//! Order matters to node-wot, which takes the first form that has the operation: its Server-Sent Events client hears only
//! messages without an event name, which the HTTP SSE Profile demands, so the long poll comes first.

use thing_descriptions::vocabulary::{CONTENT_TYPE_DEFAULT, SUBPROTOCOL_LONGPOLL, SUBPROTOCOL_SSE};
use thing_descriptions::{DataSchema, Form, Named, Op, PropertyAffordance, Thing};

const OBSERVE: &[Op] = &[Op::ObserveProperty, Op::UnobserveProperty];
const OBSERVE_ALL: &[Op] = &[Op::ObserveAllProperties, Op::UnobserveAllProperties];
const SUBSCRIBE: &[Op] = &[Op::SubscribeEvent, Op::UnsubscribeEvent];
const SUBSCRIBE_ALL: &[Op] = &[Op::SubscribeAllEvents, Op::UnsubscribeAllEvents];

/// Adds all forms of `thing`, whose resources lie below `base`. `media` is the type of the bytes that an action without an
/// input schema takes.
pub(super) fn add(thing: &mut Thing, base: &str, media: impl Fn(&str) -> Option<&'static str>) {
    for (name, property) in &mut thing.properties {
        property.forms = of_property(property, &format!("{base}/properties/{name}"));
    }
    for (name, action) in &mut thing.actions {
        let form =
            Form::new(templated(&format!("{base}/actions/{name}"), &action.uri_variables)).op(&[Op::InvokeAction]);
        let input = action.input.as_ref().and_then(binary).or(media(name));
        // Without `response` a consumer would ask for the media type of the input.
        let form = match input {
            Some(media) => form.content_type(media).response(CONTENT_TYPE_DEFAULT),
            None => form.content_type(CONTENT_TYPE_DEFAULT),
        };
        action.forms = vec![form];
    }
    for (name, event) in &mut thing.events {
        event.forms = observing(&format!("{base}/events/{name}"), &event.uri_variables, SUBSCRIBE);
    }
    thing.forms = Some(of_the_whole(thing, base)).filter(|forms| !forms.is_empty());
}

fn of_property(property: &PropertyAffordance, href: &str) -> Vec<Form> {
    let mut ops = Vec::new();
    if property.is_readable() {
        ops.push(Op::ReadProperty);
    }
    if property.is_writable() {
        ops.push(Op::WriteProperty);
    }
    let content_type = binary(&property.schema).unwrap_or(CONTENT_TYPE_DEFAULT);
    let mut forms = vec![Form::new(templated(href, &property.uri_variables)).op(&ops).content_type(content_type)];
    if property.is_observable() && property.is_readable() {
        forms.extend(observing(href, &property.uri_variables, OBSERVE));
    }
    forms
}

fn observing(href: &str, variables: &Named<DataSchema>, ops: &[Op]) -> Vec<Form> {
    let form = |href: &str, subprotocol| {
        Form::new(templated(href, variables)).op(ops).content_type(CONTENT_TYPE_DEFAULT).subprotocol(subprotocol)
    };
    vec![form(&format!("{href}/longpoll"), SUBPROTOCOL_LONGPOLL), form(href, SUBPROTOCOL_SSE)]
}

/// Top-level forms: what concerns all properties, actions or events.
fn of_the_whole(thing: &Thing, base: &str) -> Vec<Form> {
    let form = |path: &str, ops: &[Op]| Form::new(format!("{base}/{path}")).op(ops).content_type(CONTENT_TYPE_DEFAULT);
    let json = |property: &&PropertyAffordance| binary(&property.schema).is_none();
    let properties = || thing.properties.values();
    let mut ops = Vec::new();
    if properties().filter(json).any(PropertyAffordance::is_readable) {
        ops.push(Op::ReadAllProperties);
    }
    if properties().filter(json).any(PropertyAffordance::is_writable) {
        ops.push(Op::WriteMultipleProperties);
    }
    let mut forms = Vec::new();
    if !ops.is_empty() {
        forms.push(form("properties", &ops));
    }
    if properties().any(|property| property.is_observable() && property.is_readable()) {
        forms.push(form("properties", OBSERVE_ALL).subprotocol(SUBPROTOCOL_SSE));
    }
    if !thing.actions.is_empty() {
        forms.push(form("actions", &[Op::QueryAllActions]));
    }
    if !thing.events.is_empty() {
        forms.push(form("events", SUBSCRIBE_ALL).subprotocol(SUBPROTOCOL_SSE));
    }
    forms
}

/// The media type of values that are no JSON.
fn binary(schema: &DataSchema) -> Option<&str> {
    schema.content_media_type.as_deref().filter(|_| schema.is_binary())
}

/// RFC 6570, form-style query expansion.
fn templated(href: &str, variables: &Named<DataSchema>) -> String {
    if variables.is_empty() {
        return href.to_owned();
    }
    let names: Vec<&str> = variables.keys().map(String::as_str).collect();
    format!("{href}{{?{}}}", names.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn formed(thing: Value) -> Value {
        let mut thing = Thing::from_value(thing).unwrap();
        add(&mut thing, "http://h/things/t", |name| (name == "replace").then_some("application/wasm"));
        thing.to_value()
    }

    #[test]
    fn an_observable_property_has_its_long_poll_before_its_stream() {
        let thing = formed(json!({
            "@context": "https://www.w3.org/2022/wot/td/v1.1", "title": "t", "security": "n",
            "securityDefinitions": {"n": {"scheme": "nosec"}},
            "properties": {"on": {"type": "boolean", "observable": true}},
        }));
        let ops = json!(["observeproperty", "unobserveproperty"]);
        let href = "http://h/things/t/properties/on";
        let expected = json!([
            {"href": href, "contentType": "application/json", "op": ["readproperty", "writeproperty"]},
            {"href": format!("{href}/longpoll"), "contentType": "application/json", "op": ops, "subprotocol": "longpoll"},
            {"href": href, "contentType": "application/json", "op": ops, "subprotocol": "sse"},
        ]);
        assert_eq!(thing["properties"]["on"]["forms"], expected);
        assert_eq!(thing["forms"][0]["op"], json!(["readallproperties", "writemultipleproperties"]));
        assert_eq!(thing["forms"].as_array().unwrap().len(), 2);
    }

    #[test]
    fn a_component_is_pushed_as_bytes_and_answered_as_json() {
        let thing = formed(json!({
            "@context": "https://www.w3.org/2022/wot/td/v1.1", "title": "t", "security": "n",
            "securityDefinitions": {"n": {"scheme": "nosec"}},
            "actions": {"replace": {"uriVariables": {"approve": {"type": "boolean"}, "expect": {"type": "string"}}}},
        }));
        let expected = json!([{
            "href": "http://h/things/t/actions/replace{?approve,expect}", "contentType": "application/wasm",
            "op": "invokeaction", "response": {"contentType": "application/json"},
        }]);
        assert_eq!(thing["actions"]["replace"]["forms"], expected);
    }
}
