//! The Thing Models of the gateway's own Things and handlers, as they lie in `models/`.
//!
//! Their texts are part of the program. The tests below hold each of them to the published schemas, as a model and as
//! the Thing that comes from it.

use crate::{ModelSet, ThingModel};

/// Name and text of each model: the name is that of the handler or of the Thing that the gateway answers itself.
const MODELS: [(&str, &str); 9] = [
    ("bme280", include_str!("../models/bme280.tm.json")),
    ("board", include_str!("../models/board.tm.json")),
    ("button", include_str!("../models/button.tm.json")),
    ("directory", include_str!("../models/directory.tm.json")),
    ("gateway", include_str!("../models/gateway.tm.json")),
    ("handler", include_str!("../models/handler.tm.json")),
    ("host-monitor", include_str!("../models/host-monitor.tm.json")),
    ("led", include_str!("../models/led.tm.json")),
    ("relay", include_str!("../models/relay.tm.json")),
];

/// Name and JSON text of each model, sorted by name.
#[must_use]
pub const fn models() -> &'static [(&'static str, &'static str)] {
    &MODELS
}

/// The model of one name. It is parsed at each call; the tests of this crate rule out that a model does not parse.
#[must_use]
pub fn model(name: &str) -> Option<ThingModel> {
    let (_, text) = MODELS.iter().find(|(known, _)| *known == name)?;
    ThingModel::parse(text.as_bytes()).ok()
}

impl ModelSet {
    /// All models of [`models`], each at `NAME.tm.json`.
    #[must_use]
    pub fn own() -> Self {
        let mut set = Self::new();
        for (name, _) in models() {
            if let Some(model) = model(name) {
                set.insert(format!("{name}.tm.json"), model);
            }
        }
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Instance, SecurityScheme, TdError, Thing, Validator, check_td, check_tm};

    const ID: &str = "urn:uuid:6f1c3d0e-5d0a-4c3e-9b0c-0d6a3a1c7e55";

    /// The Thing of a model, with the forms and the security that the schema of a TD asks for.
    fn served(name: &str) -> Thing {
        let mut thing = model(name).unwrap().instantiate(&Instance::new(ID)).unwrap();
        thing.secure("nosec", SecurityScheme::nosec());
        let form = || vec![crate::Form::new("https://gateway.example/x")];
        thing.properties.values_mut().for_each(|property| property.forms = form());
        thing.actions.values_mut().for_each(|action| action.forms = form());
        thing.events.values_mut().for_each(|event| event.forms = form());
        thing
    }

    #[test]
    fn every_model_is_a_thing_model_and_its_thing_a_thing_description() {
        for (name, _) in models() {
            assert_eq!(check_tm(model(name).unwrap().to_json()), Ok(()), "{name}");
            let thing = served(name).to_value();
            assert_eq!(check_td(&thing), Ok(()), "{name}");
            let text = thing.to_string();
            assert!(!text.contains("\"tm:") && !text.contains("tidegate"), "{name}: {text}");
            assert_eq!(thing["id"], ID, "{name}");
        }
    }

    #[test]
    fn every_schema_of_every_model_compiles() -> Result<(), TdError> {
        for (name, _) in models() {
            let thing = served(name);
            for property in thing.properties.values() {
                Validator::compile(&property.schema)?;
            }
            for action in thing.actions.values() {
                action
                    .input
                    .iter()
                    .chain(&action.output)
                    .try_for_each(|schema| Validator::compile(schema).map(drop))?;
                assert!(action.synchronous.is_some(), "{name}: an action says whether it is synchronous");
            }
            for event in thing.events.values() {
                event.data.iter().try_for_each(|schema| Validator::compile(schema).map(drop))?;
            }
        }
        Ok(())
    }
}
