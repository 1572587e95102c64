//! Titles and descriptions in the reader's language (TD 1.1 section 5.3.1.1, `titles` and `descriptions`).
//!
//! Only what a description itself offers counts; nothing is translated here.

use std::collections::BTreeSet;

use thing_descriptions::{DataSchema, Named, Thing};

/// The languages in which a Thing names itself.
pub(crate) fn languages(thing: &Thing) -> BTreeSet<&str> {
    let texts = thing.titles.iter().chain(&thing.descriptions);
    texts.flat_map(Named::keys).map(String::as_str).collect()
}

/// Puts the texts of `language` in the place of the default ones, where they are given.
pub(super) fn translate(thing: &mut Thing, language: &str) {
    if let Some(title) = thing.titles.as_ref().and_then(|titles| titles.get(language)) {
        thing.title.clone_from(title);
    }
    replace(&mut thing.description, thing.descriptions.as_ref(), language);
    for property in thing.properties.values_mut() {
        of_schema(&mut property.schema, language);
    }
    for action in thing.actions.values_mut() {
        replace(&mut action.title, action.titles.as_ref(), language);
        replace(&mut action.description, action.descriptions.as_ref(), language);
        action.input.iter_mut().chain(&mut action.output).for_each(|schema| of_schema(schema, language));
    }
    for event in thing.events.values_mut() {
        replace(&mut event.title, event.titles.as_ref(), language);
        replace(&mut event.description, event.descriptions.as_ref(), language);
        event.data.iter_mut().for_each(|schema| of_schema(schema, language));
    }
}

fn of_schema(schema: &mut DataSchema, language: &str) {
    replace(&mut schema.title, schema.titles.as_ref(), language);
    replace(&mut schema.description, schema.descriptions.as_ref(), language);
    for member in schema.properties.values_mut() {
        of_schema(member, language);
    }
}

fn replace(text: &mut Option<String>, texts: Option<&Named<String>>, language: &str) {
    if let Some(translated) = texts.and_then(|texts| texts.get(language)) {
        *text = Some(translated.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_the_language_take_the_place_of_the_default() {
        let mut thing = Thing::new("urn:uuid:1", "Lamp");
        thing.titles = Some(Named::from([("en".into(), "Lamp".into()), ("de".into(), "Lampe".into())]));
        assert_eq!(languages(&thing), BTreeSet::from(["de", "en"]));
        translate(&mut thing, "de");
        assert_eq!(thing.title, "Lampe");
        translate(&mut thing, "fr");
        assert_eq!(thing.title, "Lampe");
    }
}
