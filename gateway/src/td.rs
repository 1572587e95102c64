//! From what a Thing offers to its Thing Description: ids, contexts, forms, links and security for one reader.
//!
//! Hrefs are absolute, built from the origin that the reader used (one consumer ignores `base`). Consumers find every URL
//! here and nowhere else; the routes of `binding_http` are the other half of [`forms`].

pub(crate) mod cache;
mod forms;
mod language;
mod mqtt_forms;

use serde_json::Value;
use thing_descriptions::vocabulary::{MEDIA_TD, MEDIA_TM, REL_COLLECTION, REL_CONTROLLED_BY, REL_TYPE, TM_PREFIX};
use thing_descriptions::{FieldError, Link, SecurityScheme, Thing, check_td};

use crate::config::Config;
use crate::exposed_thing::{Description, ExposedThing};
use crate::utc::Rfc3339;

pub(crate) use language::languages;

/// Names of the security definitions.
const NOSEC: &str = "nosec_sc";
const BASIC: &str = "basic_sc";

/// For whom a description is written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reader<'a> {
    /// Scheme and authority under which the reader reaches the gateway, such as `http://pi.local:8080`.
    pub(crate) origin: &'a str,
    /// One of [`languages`], where the reader prefers one.
    pub(crate) language: Option<&'a str>,
    /// Whether every request needs a token.
    pub(crate) protected: bool,
}

/// The Thing Description of `thing` for `reader`.
pub(crate) fn describe(thing: &ExposedThing, description: &Description, reader: Reader<'_>, config: &Config) -> Thing {
    let base = format!("{}{}", reader.origin, thing.path());
    let mut described = dressed(description, reader);
    let media = |action: &str| thing.behavior().takes_media(action, MEDIA_WASM).then_some(MEDIA_WASM);
    forms::add(&mut described, &base, media);
    mqtt_forms::add(&mut described, thing, reader.origin, config);
    // The Thing of a handler is no member of the directory: its way is the link of the Thing that it controls.
    if !thing.path().ends_with(HANDLER) {
        let directory = format!("{}{DIRECTORY}", reader.origin);
        described.links.push(Link::new(REL_COLLECTION, directory).media_type(MEDIA_TD));
        let page = format!("{}/ui#{}", reader.origin, thing.path());
        described.links.push(Link::new("alternate", page).media_type("text/html"));
    }
    if thing.handler().is_some() {
        described.links.push(Link::new(REL_CONTROLLED_BY, format!("{base}{HANDLER}")).media_type(MEDIA_TD));
    }
    described.links.push(Link::new(REL_TYPE, format!("{base}/model")).media_type(MEDIA_TM));
    described
}

/// Media type of a handler component.
pub(crate) const MEDIA_WASM: &str = "application/wasm";
/// Path of the Thing of a handler, below the Thing that it controls.
const HANDLER: &str = "/handler";
/// Path of the directory's own Thing Description (WoT Discovery section 6.3.2).
pub(crate) const DIRECTORY: &str = "/.well-known/wot";

/// What every description has, forms and links excepted.
pub(crate) fn dressed(description: &Description, reader: Reader<'_>) -> Thing {
    let mut thing = description.thing();
    thing.context = thing.context.with_v1();
    thing.base = None;
    // Links of the model to its own parts mean nothing to a consumer.
    thing.links.retain(|link| !link.rel.as_deref().is_some_and(|rel| rel.starts_with(TM_PREFIX)));
    thing.created = Some(Rfc3339(description.created).to_string());
    thing.modified = Some(Rfc3339(description.modified).to_string());
    // One scheme, although a token is taken as a bearer too: of a `combo` the most used client sends nothing.
    match reader.protected {
        true => thing.secure(BASIC, SecurityScheme::basic()),
        false => thing.secure(NOSEC, SecurityScheme::nosec()),
    }
    if let Some(language) = reader.language {
        language::translate(&mut thing, language);
    }
    thing
}

/// Checks a finished description against the Recommendation's schema, and that the names of its security are defined.
pub(crate) fn faults(document: &Value) -> Vec<FieldError> {
    check_td(document).err().unwrap_or_default()
}

/// Every href of a description's forms, for tests that follow them.
#[cfg(test)]
pub(crate) fn hrefs(thing: &Thing) -> std::collections::BTreeSet<String> {
    let forms = thing.forms.iter().flatten();
    let forms = forms.chain(thing.properties.values().flat_map(|property| &property.forms));
    let forms = forms.chain(thing.actions.values().flat_map(|action| &action.forms));
    forms.chain(thing.events.values().flat_map(|event| &event.forms)).map(|form| form.href.clone()).collect()
}
