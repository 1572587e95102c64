//! What of a Thing's declaration does not fit the component of its handler: grants against its wants, settings against the
//! properties of its Thing Model.
//!
//! One rule for every way in: a start, `check`, `build`, a push, `configure`. What contradicts is refused. What the
//! component does not name is only told: a handler may know settings that are no properties.

use std::collections::BTreeMap;

use handler_host::{HandlerComponent, Want, WantKind};
use serde_json::{Map, Value};
use thing_descriptions::{DataSchema, FieldError, Validator};
use things::Grant;

use crate::{config::nearest, store::Configured};

/// The tables of a declaration.
const GRANTS: &str = "grants";
pub(crate) const SETTINGS: &str = "settings";
/// Names that a hint lists at most.
const NAMES_MAX: usize = 12;
/// What a hint shows of a schema.
const KEYWORDS: [&str; 9] =
    ["type", "enum", "const", "minimum", "maximum", "multipleOf", "minLength", "maxLength", "pattern"];
/// Longest schema that a hint shows, in bytes.
const SCHEMA_BYTES_MAX: usize = 300;

/// One key of a declaration that does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Misfit {
    /// The table: `grants` or `settings`.
    pub(crate) table: &'static str,
    /// The key in that table.
    pub(crate) key: String,
    /// What is wrong, without the key.
    pub(crate) what: String,
    /// What to do.
    pub(crate) hint: String,
    /// The Thing cannot be served so; else it may not be as meant.
    pub(crate) is_refused: bool,
}

impl Misfit {
    /// In one sentence, which begins with the key.
    pub(crate) fn sentence(&self) -> String {
        // Keys and labels may be an author's: they must not look like lines of ours.
        format!("`{}.{}`: {}", self.table, self.key.escape_debug(), self.what)
    }

    /// Whether it was configured, over what the Thing's file says.
    pub(crate) fn is_in(&self, configured: &Configured) -> bool {
        let given = if self.table == GRANTS { &configured.grants } else { &configured.settings };
        given.contains_key(&self.key)
    }

    /// For a problem document, with a JSON Pointer into `configure`'s input.
    pub(crate) fn field_error(&self) -> FieldError {
        let key = self.key.replace('~', "~0").replace('/', "~1");
        FieldError { field: format!("/{}/{key}", self.table), description: self.what.clone() }
    }
}

/// Everything that does not fit.
pub(crate) fn misfits(
    component: &HandlerComponent,
    granted: &BTreeMap<String, Grant>,
    set: &Map<String, Value>,
) -> Vec<Misfit> {
    let mut misfits = grants(component.wants(), granted);
    misfits.extend(settings(component.model_json(), set));
    misfits
}

/// Grants against what the component wants.
pub(crate) fn grants(wants: &[Want], granted: &BTreeMap<String, Grant>) -> Vec<Misfit> {
    let misfit = |key: &str, what: String, hint: String, is_refused| Misfit {
        table: GRANTS,
        key: key.to_owned(),
        what,
        hint,
        is_refused,
    };
    let mut misfits = Vec::new();
    for want in wants {
        let (label, kind) = (want.label.as_str(), kind(want));
        match granted.get(label) {
            Some(grant) if grant.kind().as_str() != kind => {
                let what = format!("it is of the kind {}, and the handler wants {kind}", grant.kind().as_str());
                misfits.push(misfit(label, what, format!("grant it a device with `kind = \"{kind}\"`"), true));
            }
            None if !want.optional && want.kind != WantKind::Things => {
                let what = format!("the handler wants it ({kind}), and it is not granted");
                let hint = format!("add a table `[grants.{}]` with `kind = \"{kind}\"`", label.escape_debug());
                misfits.push(misfit(label, what, hint, true));
            }
            Some(_) | None => {}
        }
    }
    let labels: Vec<&str> = wants.iter().map(|want| want.label.as_str()).collect();
    let unwanted = granted.keys().filter(|label| !labels.contains(&label.as_str()));
    misfits.extend(unwanted.map(|label| {
        let hint = meant(label, &labels, "the handler wants nothing (`tidegate:wants`): take the grant away");
        misfit(label, "the handler does not want it".to_owned(), hint, false)
    }));
    misfits
}

/// Settings against the properties of a Thing Model.
pub(crate) fn settings(model: &Value, set: &Map<String, Value>) -> Vec<Misfit> {
    let properties = model.get("properties").and_then(Value::as_object);
    let misfit = |(name, value): (&String, &Value)| match properties.and_then(|properties| properties.get(name)) {
        Some(property) => contradiction(name, property, value),
        None => Some(unknown(name, properties)),
    };
    set.iter().filter_map(misfit).collect()
}

fn contradiction(name: &str, property: &Value, value: &Value) -> Option<Misfit> {
    // A schema that is none makes no Thing Description: that is refused by itself.
    let schema = DataSchema::from_value(property.clone()).ok()?;
    let errors = Validator::compile(&schema).ok()?.check(value).err()?;
    let errors = errors.iter().map(|error| match error.field.as_str() {
        "" => error.description.clone(),
        field => format!("{field}: {}", error.description),
    });
    Some(Misfit {
        table: SETTINGS,
        key: name.to_owned(),
        what: errors.collect::<Vec<_>>().join("; "),
        hint: format!("the property of the same name is {}", shown(property)),
        is_refused: true,
    })
}

fn unknown(name: &str, properties: Option<&Map<String, Value>>) -> Misfit {
    let names: Vec<&str> = properties.into_iter().flat_map(Map::keys).map(String::as_str).collect();
    Misfit {
        table: SETTINGS,
        key: name.to_owned(),
        what: "the Thing Model of its handler has no such property; a handler that does not know it leaves it aside"
            .to_owned(),
        hint: meant(name, &names, "the Thing Model has no properties"),
        is_refused: false,
    }
}

/// The name that was meant, or those that there are.
fn meant(name: &str, known: &[&str], none: &str) -> String {
    match (nearest(name, known.iter().copied()), known) {
        (Some(near), _) => format!("did you mean `{}`?", near.escape_debug()),
        (None, []) => none.to_owned(),
        (None, known) => {
            let names: Vec<String> =
                known.iter().take(NAMES_MAX).map(|name| format!("`{}`", name.escape_debug())).collect();
            format!("it has {}", names.join(", "))
        }
    }
}

/// The word for the kind of a want.
fn kind(want: &Want) -> String {
    serde_json::to_value(want).unwrap_or_default()["kind"].as_str().unwrap_or_default().to_owned()
}

/// What a schema allows, as JSON on one line.
fn shown(property: &Value) -> String {
    let kept = KEYWORDS.iter().filter_map(|keyword| Some(((*keyword).to_owned(), property.get(keyword)?.clone())));
    let text = Value::Object(kept.collect()).to_string();
    if text.len() > SCHEMA_BYTES_MAX { "in the Thing Model".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_setting_that_contradicts_its_property_is_refused_and_an_unknown_one_told() {
        let model = json!({ "properties": {
            "samplingInterval": { "type": "integer", "minimum": 100, "title": "x" }, "value": { "type": "number" } } });
        let of = |set: &Value| settings(&model, set.as_object().unwrap());
        assert_eq!(of(&json!({ "samplingInterval": 100 })), []);
        let found = of(&json!({ "address": 119, "samplingInterval": 1, "samplingIntervall": 500 }));
        let shown: Vec<_> = found.iter().map(|misfit| (misfit.key.as_str(), misfit.is_refused)).collect();
        assert_eq!(shown, [("address", false), ("samplingInterval", true), ("samplingIntervall", false)]);
        assert_eq!(found[0].hint, "it has `samplingInterval`, `value`");
        assert!(found[1].sentence().starts_with("`settings.samplingInterval`: "), "{:?}", found[1]);
        assert!(found[1].hint.ends_with(r#"is {"type":"integer","minimum":100}"#), "{:?}", found[1]);
        assert_eq!(found[2].hint, "did you mean `samplingInterval`?");
        assert_eq!(of(&json!({ "samplingInterval": "often" }))[0].field_error().field, "/settings/samplingInterval");
    }

    #[test]
    fn a_grant_that_is_wanted_is_there_and_of_its_kind() {
        let want = |label: &str, optional| {
            serde_json::from_value(json!({ "label": label, "kind": "gpio", "optional": optional }))
        };
        let wants: Vec<Want> =
            vec![want("coil", false).unwrap(), want("lamp", true).unwrap(), want("door", false).unwrap()];
        let file = || serde_json::from_value(json!({ "kind": "sysfs", "path": "/proc/stat" })).unwrap();
        let granted = BTreeMap::from([("coil".to_owned(), file()), ("doors".to_owned(), file())]);
        let found: Vec<_> = grants(&wants, &granted).into_iter().map(|m| (m.key, m.is_refused, m.hint)).collect();
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(found[0].0 == "coil" && found[0].1 && found[0].2.contains("gpio"), "{found:?}");
        assert!(found[1].0 == "door" && found[1].1 && found[1].2.contains("[grants.door]"), "{found:?}");
        assert_eq!(found[2], ("doors".to_owned(), false, "did you mean `door`?".to_owned()));
    }
}
