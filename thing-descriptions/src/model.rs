//! Thing Models and how a Thing comes from one (TD 1.1, the chapter on Thing Models; its assertions are cited by id).
//!
//! A model stays JSON: any of its strings may be a placeholder, so it has types only once it is a Thing.
//! The derivation is a list of steps, each in a file under `model/`; what it may copy is limited as a whole.

mod expand;
mod placeholder;
mod strip;
#[cfg(test)]
mod tests;

use serde_json::{Map, Value, json};

use crate::json::{is_deeper, parse_json};
use crate::pointer::At;
use crate::thing::Thing;
use crate::vocabulary::{MEDIA_TM, REL_TYPE, TM_TYPE};
use crate::{JsonLimits, Named, TdError};

use expand::Expansion;
use placeholder::Placeholders;

/// The description of a kind of Thing.
///
/// A `tm:ref` is looked up in the text of the model that it names, not in what that model inherits.
#[derive(Clone, Debug, PartialEq)]
pub struct ThingModel(Value);

impl ThingModel {
    /// Parses a Thing Model within [`JsonLimits::DEFAULT`].
    ///
    /// # Errors
    /// [`TdError::Syntax`] when it is no JSON within the limits, else as [`Self::from_value`].
    pub fn parse(bytes: &[u8]) -> Result<Self, TdError> {
        Self::from_value(parse_json(bytes, JsonLimits::DEFAULT)?)
    }

    /// Takes JSON as a Thing Model.
    ///
    /// # Errors
    /// [`TdError::Schema`] when it is no object, has no `tm:ThingModel` among its types or is nested too deeply. It is
    /// not checked against the JSON Schema of the specification: that is [`check_tm`](crate::check_tm).
    pub fn from_value(value: Value) -> Result<Self, TdError> {
        let at = At::Root;
        if !value.is_object() {
            return Err(at.wrong("a Thing Model must be an object"));
        }
        if is_deeper(&value, JsonLimits::DEFAULT.depth_max) {
            return Err(at.wrong("nested too deeply"));
        }
        let types = value.get("@type").ok_or_else(|| at.member("@type").missing("the member"))?;
        let named = types.as_array().map_or(std::slice::from_ref(types), Vec::as_slice);
        if named.iter().any(|name| name == TM_TYPE) {
            return Ok(Self(value));
        }
        Err(at.member("@type").wrong(format!("must contain {TM_TYPE}")))
    }

    /// The model as JSON.
    #[must_use]
    pub const fn to_json(&self) -> &Value {
        &self.0
    }

    /// A member of the model, such as `tidegate:wants`.
    #[must_use]
    pub fn member(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// The Thing that this model describes: inherited and imported definitions in place, placeholders filled, without
    /// forms, without security, and without the members that make a Thing Model or speak to the gateway.
    ///
    /// # Errors
    /// [`TdError::Missing`] for a model, a definition or a placeholder's value that is not there, [`TdError::Schema`]
    /// for a cycle, for what grows beyond the limits, or for a result that is no Thing.
    pub fn instantiate(&self, instance: &Instance<'_>) -> Result<Thing, TdError> {
        let placeholders = Placeholders(instance.placeholders);
        let mut expansion = Expansion::new(instance.models, placeholders);
        let mut expanded = expansion.whole(&self.0)?;
        strip::leave_out(&mut expanded, instance.without)?;
        strip::submodels_to_items(&mut expanded, instance.parts);
        strip::model_members(&mut expanded);
        placeholders.fill(&mut expanded, &At::Root, &mut expansion.cost_left)?;
        if is_deeper(&expanded, JsonLimits::DEFAULT.depth_max) {
            return Err(At::Root.wrong("the derived Thing is nested too deeply"));
        }
        if let Value::Object(members) = &mut expanded {
            instance.mark(members);
        }
        Thing::from_value(expanded)
    }
}

/// What makes one Thing of a model.
#[derive(Clone, Copy, Debug)]
pub struct Instance<'a> {
    /// Identifier of the Thing, a URI.
    pub id: &'a str,
    /// Title instead of the model's.
    pub title: Option<&'a str>,
    /// Values of the model's placeholders.
    pub placeholders: Option<&'a Map<String, Value>>,
    /// The models that `tm:extends` and `tm:ref` may point to.
    pub models: Option<&'a ModelSet>,
    /// Pointers to affordances that the Thing does not have, such as `/actions/pulse`; `tm:optional` has to list them.
    pub without: &'a [&'a str],
    /// The parts of the Thing: `instanceName` of a `tm:submodel` link, and where the TD of the part lies. A submodel
    /// that is not named here leaves no link.
    pub parts: &'a [(&'a str, &'a str)],
    /// Version of the Thing Description; absent: that of the model, if it has one.
    pub version: Option<&'a str>,
    /// Where the model can be read: becomes a link of type `type`.
    pub model_href: Option<&'a str>,
}

impl<'a> Instance<'a> {
    /// An instance with nothing but its identifier.
    #[must_use]
    pub const fn new(id: &'a str) -> Self {
        Self {
            id,
            title: None,
            placeholders: None,
            models: None,
            without: &[],
            parts: &[],
            version: None,
            model_href: None,
        }
    }

    /// Writes what the instance knows of itself into the derived description.
    fn mark(&self, members: &mut Map<String, Value>) {
        members.insert("id".to_owned(), self.id.into());
        if let Some(title) = self.title {
            members.insert("title".to_owned(), title.into());
            members.shift_remove("titles");
        }
        if let Some(Value::Object(version)) = members.get_mut("version") {
            // TD 1.1 section 5.3.1.6: a TD with a version has the version of the instance.
            let instance = self.version.map(Value::from).or_else(|| version.get("model").cloned());
            version.extend(instance.map(|instance| ("instance".to_owned(), instance)));
        } else if let Some(version) = self.version {
            members.insert("version".to_owned(), json!({ "instance": version }));
        }
        if let Some(href) = self.model_href {
            let link = json!({ "rel": REL_TYPE, "href": href, "type": MEDIA_TM });
            match members.entry("links").or_insert_with(|| json!([])) {
                Value::Array(links) => {
                    // Assertion `tm-rel-type-maximum`: one such link.
                    links.retain(|link| link.get("rel").is_none_or(|rel| rel != REL_TYPE));
                    links.push(link);
                }
                other => *other = json!([link]),
            }
        }
    }
}

/// Models by the address under which others point to them, without fragment.
#[derive(Clone, Debug, Default)]
pub struct ModelSet(Named<ThingModel>);

impl ModelSet {
    /// A set without models.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a model, or replaces the one with the same address.
    pub fn insert(&mut self, href: impl Into<String>, model: ThingModel) {
        self.0.insert(href.into(), model);
    }

    /// The model at an address; a leading `./` does not matter.
    #[must_use]
    pub fn get(&self, href: &str) -> Option<&ThingModel> {
        self.0.get(href).or_else(|| self.0.get(href.strip_prefix("./")?))
    }
}
