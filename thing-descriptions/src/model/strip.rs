//! What a model holds and its Thing does not: optional affordances, submodel links, members of the Thing Model
//! vocabulary, members for the gateway, forms and security.

use serde_json::{Map, Value, json};

use crate::TdError;
use crate::pointer::At;
use crate::vocabulary::{
    MEDIA_TD, REL_ITEM, TIDEGATE_PREFIX, TM_EXTENDS, TM_OPTIONAL, TM_PREFIX, TM_SUBMODEL, TM_TYPE,
};

/// Removes optional affordances (assertions `tm-td-generation-processor-optional` and `-required`): only
/// what `tm:optional` lists may be left out.
pub(super) fn leave_out(model: &mut Value, without: &[&str]) -> Result<(), TdError> {
    for pointer in without {
        let optional = model.get(TM_OPTIONAL).and_then(Value::as_array);
        if !optional.is_some_and(|pointers| pointers.iter().any(|optional| optional == pointer)) {
            return Err(At::Root.member(TM_OPTIONAL).wrong(format!("{pointer} is not optional")));
        }
        let mut tokens = pointer.splitn(3, '/').skip(1);
        if let (Some(kind), Some(name)) = (tokens.next(), tokens.next())
            && let Some(Value::Object(affordances)) = model.get_mut(kind)
        {
            affordances.shift_remove(&name.replace("~1", "/").replace("~0", "~"));
        }
    }
    Ok(())
}

/// Turns each `tm:submodel` link into an `item` link to the TD of the part (assertion `tm-compose-submodel`).
pub(super) fn submodels_to_items(model: &mut Value, parts: &[(&str, &str)]) {
    let Some(Value::Array(links)) = model.get_mut("links") else { return };
    for link in links.iter_mut().filter(|link| is_rel(link, TM_SUBMODEL)) {
        let name = link.get("instanceName").and_then(Value::as_str);
        let part = parts.iter().find(|(part, _)| Some(*part) == name);
        if let Some((_, href)) = part {
            *link = json!({ "rel": REL_ITEM, "href": href, "type": MEDIA_TD });
        }
    }
    links.retain(|link| !is_rel(link, TM_SUBMODEL));
}

/// Removes every other member that makes a Thing Model, and forms and security, which are the gateway's to write.
pub(super) fn model_members(model: &mut Value) {
    let Value::Object(members) = model else { return };
    for name in ["id", "base", "forms", "security", "securityDefinitions"] {
        members.shift_remove(name);
    }
    if let Some(Value::Array(links)) = members.get_mut("links") {
        links.retain(|link| !is_rel(link, TM_EXTENDS));
        if links.is_empty() {
            members.shift_remove("links");
        }
    }
    drop_model_type(members);
    drop_prefixes(members);
    clean(members);
}

fn is_rel(link: &Value, rel: &str) -> bool {
    link.get("rel").is_some_and(|name| name == rel)
}

fn drop_model_type(members: &mut Map<String, Value>) {
    match members.get_mut("@type") {
        Some(Value::Array(types)) => {
            types.retain(|name| name != TM_TYPE);
            if types.is_empty() {
                members.shift_remove("@type");
            }
        }
        Some(name) if name == TM_TYPE => drop(members.shift_remove("@type")),
        _ => {}
    }
}

/// A prefix that no member uses any more leaves the context too.
fn drop_prefixes(members: &mut Map<String, Value>) {
    let Some(Value::Array(entries)) = members.get_mut("@context") else { return };
    for prefixes in entries.iter_mut().filter_map(Value::as_object_mut) {
        prefixes.retain(|prefix, _| !is_for_models(&format!("{prefix}:")));
    }
    entries.retain(|entry| entry.as_object().is_none_or(|prefixes| !prefixes.is_empty()));
}

fn is_for_models(name: &str) -> bool {
    name.starts_with(TM_PREFIX) || name.starts_with(TIDEGATE_PREFIX)
}

/// Removes members for models, and forms, at every level. A value (`const`, `default`, `enum`) is left as it is, and
/// under a map of names the names are anyone's.
fn clean(members: &mut Map<String, Value>) {
    members.retain(|name, _| !is_for_models(name));
    for (name, member) in members.iter_mut() {
        match (name.as_str(), member) {
            ("const" | "default" | "enum", _) => {}
            ("properties" | "actions" | "events" | "uriVariables" | "schemaDefinitions", Value::Object(named)) => {
                for definition in named.values_mut().filter_map(Value::as_object_mut) {
                    definition.shift_remove("forms");
                    clean(definition);
                }
            }
            (_, Value::Object(member)) => clean(member),
            (_, Value::Array(elements)) => elements.iter_mut().filter_map(Value::as_object_mut).for_each(clean),
            (_, Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => {}
        }
    }
}
