//! The crate as its users see it: a Thing from a model, forms, security, checks, and back from its bytes.
//!
//! Whatever a gateway needs has to be reachable from here.

use serde_json::json;
use thing_descriptions::vocabulary::{HTV, MEDIA_TD, REL_CONTROLLED_BY, SUBPROTOCOL_LONGPOLL};
use thing_descriptions::{
    ActionAffordance, DataSchema, EventAffordance, Form, Instance, Link, ModelSet, Op, PropertyAffordance, SchemaType,
    SecurityScheme, Thing, ThingModel, Validator, check_td, model,
};

const ID: &str = "urn:uuid:8d7c2f2e-8b0a-4a7c-9a8f-8f1b2f6d0a11";
const AT: &str = "http://192.0.2.7:8080/things/relay";

/// The relay as a gateway would serve it.
fn served() -> Thing {
    let instance = Instance { title: Some("Garden light"), model_href: Some("/model"), ..Instance::new(ID) };
    let relay = model("relay").expect("the relay has a model");
    let mut thing = relay.instantiate(&instance).expect("the model needs nothing more");
    thing.context = thing.context.with_v1();
    thing.context.add_prefix(HTV);
    for (name, property) in &mut thing.properties {
        let href = format!("{AT}/properties/{name}");
        property.forms.push(Form::new(&href).op(property.default_ops()));
        let observe = [Op::ObserveProperty, Op::UnobserveProperty];
        property.forms.push(Form::new(href + "/longpoll").op(&observe).subprotocol(SUBPROTOCOL_LONGPOLL));
    }
    for (name, action) in &mut thing.actions {
        let form = Form::new(format!("{AT}/actions/{name}")).op(ActionAffordance::DEFAULT_OPS).method("POST");
        action.forms.push(form);
    }
    thing.links.push(Link::new(REL_CONTROLLED_BY, format!("{AT}/handler")).media_type(MEDIA_TD));
    thing.secure("basic", SecurityScheme::basic());
    thing
}

#[test]
fn a_served_thing_is_valid_and_reads_back_the_same() {
    let thing = served();
    assert_eq!(check_td(&thing.to_value()), Ok(()));
    let bytes = serde_json::to_vec(&thing).unwrap();
    assert_eq!(Thing::parse(&bytes).unwrap(), thing);
    assert_eq!(thing.title, "Garden light");
    assert_eq!(thing.properties["on"].forms[0].ops(), [Op::ReadProperty, Op::WriteProperty]);
    assert_eq!(thing.links[0].rel.as_deref(), Some("type"));
}

#[test]
fn the_input_of_an_action_is_checked() {
    let thing = served();
    let input = Validator::compile(thing.actions["pulse"].input.as_ref().unwrap()).unwrap();
    assert!(input.accepts(&json!({ "duration": 10 })));
    let errors = input.check(&json!({ "duration": 5 })).unwrap_err();
    assert_eq!(serde_json::to_value(&errors).unwrap()[0]["field"], "/duration");
}

#[test]
fn a_description_can_be_written_by_hand() {
    let mut thing = Thing::new(ID, "Door");
    let schema = DataSchema { read_only: Some(true), ..DataSchema::of(SchemaType::Boolean) };
    let forms = vec![Form::new(format!("{AT}/properties/open"))];
    thing.properties.insert("open".to_owned(), PropertyAffordance { schema, forms, ..Default::default() });
    let forms = vec![Form::new(format!("{AT}/events/knock")).op(EventAffordance::DEFAULT_OPS)];
    thing.events.insert("knock".to_owned(), EventAffordance { forms, ..Default::default() });
    thing.secure("nosec", SecurityScheme::nosec());
    assert_eq!(check_td(&thing.to_value()), Ok(()));
}

#[test]
fn a_model_may_extend_one_of_ours() {
    let extension = json!({
        "@context": "https://www.w3.org/2022/wot/td/v1.1",
        "@type": "tm:ThingModel",
        "title": "Two-speed fan",
        "links": [{ "rel": "tm:extends", "href": "relay.tm.json", "type": "application/tm+json" }],
        "properties": { "fast": { "tm:ref": "relay.tm.json#/properties/on", "title": "Fast" } }
    });
    let models = ModelSet::own();
    let instance = Instance { models: Some(&models), ..Instance::new(ID) };
    let thing = ThingModel::from_value(extension).unwrap().instantiate(&instance).unwrap();
    assert_eq!(thing.properties.keys().collect::<Vec<_>>(), ["on", "fast"]);
    assert_eq!(thing.properties["fast"].schema.kind, Some(SchemaType::Boolean));
    assert!(thing.actions.contains_key("pulse"));
}
