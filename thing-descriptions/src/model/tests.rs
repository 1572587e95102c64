//! The derivation of Things: documents of our own for each feature of the chapter on Thing Models.
//!
//! Each test is one feature, or one way to misuse it.

use serde_json::{Map, Value, json};

use crate::{Instance, ModelSet, TdError, Thing, ThingModel};

const ID: &str = "urn:uuid:0b5c8d0e-2f6a-4d3c-9a43-0a4f4d6f2f11";

fn model(mut members: Value) -> ThingModel {
    let object = members.as_object_mut().unwrap();
    object.entry("@context").or_insert(json!("https://www.w3.org/2022/wot/td/v1.1"));
    object.entry("@type").or_insert(json!("tm:ThingModel"));
    object.entry("title").or_insert(json!("Sample"));
    ThingModel::from_value(members).unwrap()
}

fn set(models: Vec<(&str, Value)>) -> ModelSet {
    let mut set = ModelSet::new();
    for (href, members) in models {
        set.insert(href, model(members));
    }
    set
}

fn derive(members: Value, models: &ModelSet) -> Result<Value, TdError> {
    model(members).instantiate(&Instance { models: Some(models), ..Instance::new(ID) }).map(|thing| thing.to_value())
}

fn fill(members: Value, placeholders: Value) -> Result<Value, TdError> {
    let Value::Object(placeholders) = placeholders else { panic!("placeholders are an object") };
    let instance = Instance { placeholders: Some(&placeholders), ..Instance::new(ID) };
    model(members).instantiate(&instance).map(|thing| thing.to_value())
}

#[test]
fn what_is_no_model_is_refused_at_its_place() {
    let refuse = |value| ThingModel::from_value(value).unwrap_err();
    assert_eq!(refuse(json!([])).pointer(), "");
    assert_eq!(refuse(json!({})), TdError::Missing { pointer: "/@type".into(), what: "the member".into() });
    assert_eq!(refuse(json!({ "@type": ["Lamp"] })).pointer(), "/@type");
    assert!(ThingModel::from_value(json!({ "@type": ["Lamp", "tm:ThingModel"] })).is_ok());
    assert!(matches!(ThingModel::parse(b"{"), Err(TdError::Syntax { .. })));
}

#[test]
fn members_for_models_forms_and_security_leave_the_rest_alone() {
    let thing = derive(
        json!({
            "@context": ["https://www.w3.org/2022/wot/td/v1.1", { "tidegate": "https://tidegate.example/ns#", "x": "urn:x#" }],
            "@type": ["tm:ThingModel", "x:Pump"],
            "tidegate:wants": [],
            "tm:optional": [],
            "base": "coap://nowhere",
            "security": "s",
            "securityDefinitions": { "s": { "scheme": "nosec" } },
            "forms": [{ "href": "/all", "op": "readallproperties" }],
            "properties": {
                "forms": { "type": "object", "const": { "tm:x": 1, "forms": 2 }, "forms": [{ "href": "/x" }], "x:note": 1 },
                "tm:odd": { "type": "null", "tidegate:hint": { "a": 1 } }
            },
            "x:extra": [{ "tm:gone": 1, "stays": 2 }]
        }),
        &ModelSet::new(),
    );
    let expected = json!({
        "@context": ["https://www.w3.org/2022/wot/td/v1.1", { "x": "urn:x#" }],
        "@type": ["x:Pump"],
        "title": "Sample",
        "properties": {
            "forms": { "type": "object", "const": { "tm:x": 1, "forms": 2 }, "x:note": 1 },
            "tm:odd": { "type": "null" }
        },
        "x:extra": [{ "stays": 2 }],
        "id": ID
    });
    assert_eq!(thing.unwrap(), expected);
}

#[test]
fn an_instance_has_its_own_title_version_and_link_to_its_model() {
    let sample = model(json!({
        "titles": { "de": "Muster" },
        "version": { "model": "2.1.0" },
        "links": [{ "rel": "type", "href": "old.tm.json" }]
    }));
    let instance = Instance { title: Some("Mine"), model_href: Some("/model"), ..Instance::new(ID) };
    let thing = sample.instantiate(&instance).unwrap();
    assert_eq!((thing.title.as_str(), &thing.titles), ("Mine", &None));
    assert_eq!(thing.to_value()["version"], json!({ "model": "2.1.0", "instance": "2.1.0" }));
    let link = json!([{ "rel": "type", "href": "/model", "type": "application/tm+json" }]);
    assert_eq!(thing.to_value()["links"], link);

    let thing = sample.instantiate(&Instance { version: Some("7"), ..instance }).unwrap();
    assert_eq!(thing.version.unwrap().instance.as_deref(), Some("7"));
    let untitled = ThingModel::from_value(json!({ "@context": "x", "@type": "tm:ThingModel" })).unwrap();
    assert_eq!(untitled.instantiate(&Instance::new(ID)).unwrap_err().pointer(), "/title");
}

#[test]
fn an_extended_model_is_inherited_and_overridden() {
    let models = set(vec![
        (
            "lamp.tm.json",
            json!({
                "@type": ["tm:ThingModel", "Lamp"],
                "description": "A lamp",
                "properties": { "on": { "type": "boolean", "readOnly": true, "title": "On" } },
                "tm:optional": ["/properties/on"]
            }),
        ),
        (
            "dimmable.tm.json",
            json!({
                "links": [{ "rel": "tm:extends", "href": "./lamp.tm.json" }],
                "properties": { "on": { "readOnly": null }, "level": { "type": "integer" } }
            }),
        ),
    ]);
    let coloured = json!({
        "title": "Coloured",
        "links": [{ "rel": "tm:extends", "href": "dimmable.tm.json" }, { "rel": "icon", "href": "/i.png" }],
        "properties": { "level": { "maximum": 100 } }
    });
    let thing = derive(coloured.clone(), &models).unwrap();
    assert_eq!(thing["@type"], json!(["Lamp"]));
    assert_eq!((&thing["title"], &thing["description"]), (&json!("Coloured"), &json!("A lamp")));
    assert_eq!(thing["properties"]["on"], json!({ "type": "boolean", "title": "On" }));
    assert_eq!(thing["properties"]["level"], json!({ "type": "integer", "maximum": 100 }));
    assert_eq!(thing["links"], json!([{ "rel": "icon", "href": "/i.png" }]));

    let instance = Instance { models: Some(&models), without: &["/properties/on"], ..Instance::new(ID) };
    let thing = model(coloured).instantiate(&instance).unwrap();
    assert_eq!(thing.properties.keys().collect::<Vec<_>>(), ["level"], "what is optional above stays optional");
}

#[test]
fn a_reference_imports_and_is_patched() {
    let models = set(vec![(
        "climate.tm.json",
        json!({
            "@context": ["https://www.w3.org/2022/wot/td/v1.1", { "q": "urn:q#" }],
            "properties": { "a/b": { "type": "number", "unit": "q:K", "minimum": 0, "maximum": { "tm:ref": "#/x" } } },
            "x": { "deep": true }
        }),
    )]);
    let sample = json!({
        "properties": {
            "inside": { "tm:ref": "climate.tm.json#/properties/a~1b", "maximum": 40, "minimum": null },
            "same": { "tm:ref": "#/properties/pl%C3%A4in%20one", "title": "Same" },
            "pläin one": { "type": "string" }
        }
    });
    let thing = derive(sample, &models).unwrap();
    assert_eq!(thing["properties"]["inside"], json!({ "type": "number", "unit": "q:K", "maximum": 40 }));
    assert_eq!(thing["properties"]["same"], json!({ "type": "string", "title": "Same" }));
    assert_eq!(thing["@context"], json!(["https://www.w3.org/2022/wot/td/v1.1", { "q": "urn:q#" }]));
}

#[test]
fn what_is_pointed_to_and_absent_is_named() {
    let refused = |members| derive(members, &set(vec![("a", json!({ "x": 1 }))])).unwrap_err();
    let property = |target: &str| json!({ "properties": { "p": { "tm:ref": target } } });
    let error = refused(property("b#/properties/p"));
    assert_eq!(error.pointer(), "/properties/p/tm:ref");
    assert!(error.to_string().contains("the Thing Model b is missing"), "{error}");
    assert!(matches!(refused(property("a#/y")), TdError::Missing { .. }));
    assert!(refused(property("a#/x")).to_string().contains("no definition"));
    for target in ["a", "#/%", "#/%zz", "#/%FF"] {
        assert!(matches!(refused(property(target)), TdError::Schema { .. }), "{target}");
    }
    let error = refused(json!({ "links": [{ "rel": "tm:extends", "href": "c" }] }));
    assert_eq!(error.pointer(), "/links");
    assert!(matches!(refused(json!({ "properties": { "p": { "tm:ref": 1 } } })), TdError::Schema { .. }));
}

#[test]
fn cycles_and_long_chains_are_refused() {
    let extends = |href: &str| json!({ "links": [{ "rel": "tm:extends", "href": href }] });
    let models = set(vec![("a", extends("b")), ("b", extends("a"))]);
    let error = derive(extends("a"), &models).unwrap_err();
    assert!(error.to_string().contains("defined by itself"), "{error}");

    let loops = json!({ "properties": { "p": { "tm:ref": "#/properties/q" }, "q": { "tm:ref": "#/properties/p" } } });
    assert!(derive(loops, &models).unwrap_err().to_string().contains("defined by itself"));
    let inside =
        json!({ "properties": { "p": { "type": "object", "properties": { "q": { "tm:ref": "#/properties/p" } } } } });
    assert!(derive(inside, &models).unwrap_err().to_string().contains("defined by itself"));

    let names: Vec<String> = (0..40).map(|n| n.to_string()).collect();
    let chain = names.windows(2).map(|pair| (pair[0].as_str(), extends(&pair[1]))).collect();
    assert!(derive(extends("0"), &set(chain)).unwrap_err().to_string().contains("behind each other"));
}

#[test]
fn a_small_model_cannot_become_a_large_thing() {
    // Each definition names the one before ten times: 10^9 copies of the first.
    let mut definitions = Map::from_iter([("d0".to_owned(), json!({ "title": "x".repeat(100) }))]);
    for level in 1..10 {
        let reference = json!({ "tm:ref": format!("#/d/d{}", level - 1) });
        definitions.insert(format!("d{level}"), json!({ "oneOf": vec![reference; 10] }));
    }
    let bomb = json!({ "d": definitions, "properties": { "p": { "tm:ref": "#/d/d9" } } });
    let error = derive(bomb, &ModelSet::new()).unwrap_err();
    assert!(error.to_string().contains("too large"), "{error}");

    let text = "{{A}}".repeat(1000);
    let error = fill(json!({ "description": text }), json!({ "A": "a".repeat(100_000) })).unwrap_err();
    assert!(error.to_string().contains("too long"), "{error}");
}

#[test]
fn placeholders_take_values_of_any_type() {
    let sample = json!({
        "title": "{{PLACE}} no. {{NO}} {{",
        "properties": {
            "level": { "type": "integer", "maximum": "{{MAX}}", "readOnly": "{{RO}}", "const": "{{OBJECT}}", "unit": "a{{EMPTY}}" }
        },
        "links": [{ "rel": "icon", "href": "{{PLACE}}" }]
    });
    let values =
        json!({ "PLACE": "Roof {{NO}}", "NO": 3, "MAX": 7.5, "RO": true, "OBJECT": { "a": [1] }, "EMPTY": "" });
    let thing = fill(sample, values).unwrap();
    assert_eq!(thing["title"], "Roof {{NO}} no. 3 {{", "what was filled in is not searched again");
    let level = json!({ "type": "integer", "maximum": 7.5, "readOnly": true, "const": { "a": [1] }, "unit": "a" });
    assert_eq!(thing["properties"]["level"], level);
    assert_eq!(thing["links"][0]["href"], "Roof {{NO}}");
}

#[test]
fn a_placeholder_without_value_or_with_the_wrong_type_is_named() {
    let title = |text: &str| json!({ "title": text });
    let error = fill(title("{{A}}"), json!({})).unwrap_err();
    assert_eq!(error.to_string(), "a value for the placeholder {{A}} is missing (at /title)");
    assert_eq!(fill(title("x {{A}}"), json!({ "A": [] })).unwrap_err().pointer(), "/title");
    assert_eq!(fill(title("{{A}}"), json!({ "A": 1 })).unwrap_err().pointer(), "/title", "a title is a string");
}

#[test]
fn an_address_may_hold_a_placeholder() {
    let models = set(vec![("v2.tm.json", json!({ "properties": { "p": { "type": "null" } } }))]);
    let placeholders = Map::from_iter([("V".to_owned(), json!("v2"))]);
    let instance = Instance { models: Some(&models), placeholders: Some(&placeholders), ..Instance::new(ID) };
    let sample = json!({ "links": [{ "rel": "tm:extends", "href": "{{V}}.tm.json" }] });
    assert!(model(sample).instantiate(&instance).unwrap().properties.contains_key("p"));
}

#[test]
fn only_what_is_optional_can_be_left_out() {
    let sample = model(json!({
        "tm:optional": ["/actions/pulse", "/events/a~1b"],
        "properties": { "on": { "type": "boolean" } },
        "actions": { "pulse": {}, "stop": {} },
        "events": { "a/b": {} }
    }));
    let without = |without| sample.instantiate(&Instance { without, ..Instance::new(ID) });
    let thing = without(&["/actions/pulse", "/events/a~1b"]).unwrap();
    assert_eq!(thing.actions.keys().collect::<Vec<_>>(), ["stop"]);
    assert!(thing.events.is_empty());
    let all: Thing = without(&[]).unwrap();
    assert_eq!((all.actions.len(), all.events.len()), (2, 1));
    assert_eq!(without(&["/properties/on"]).unwrap_err().pointer(), "/tm:optional");
}

#[test]
fn submodels_become_items_where_the_part_is_known() {
    let submodel = |name: &str| json!({ "rel": "tm:submodel", "href": "fan.tm.json", "instanceName": name });
    let sample = model(json!({ "links": [submodel("left"), submodel("right")] }));
    let parts = [("right", "https://gateway.example/things/fan-2")];
    let thing = sample.instantiate(&Instance { parts: &parts, ..Instance::new(ID) }).unwrap();
    let items = json!([{ "rel": "item", "href": parts[0].1, "type": "application/td+json" }]);
    assert_eq!(thing.to_value()["links"], items);
    assert!(sample.instantiate(&Instance::new(ID)).unwrap().links.is_empty());
}
