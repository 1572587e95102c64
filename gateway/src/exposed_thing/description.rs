//! What a Thing offers: its kind, its own name and title, and since when.
//!
//! Invariant: a `Description` is immutable; a Thing whose handler brings another model gets a new one with a higher
//! revision.

use std::sync::Arc;
use std::time::SystemTime;

use serde_json::Value;
use thing_descriptions::{TdError, Thing};

use super::kind::Kind;
use crate::names::ThingId;

/// What a Thing offers.
#[derive(Debug)]
pub struct Description {
    pub(crate) kind: Arc<Kind>,
    /// The Thing's id.
    pub id: ThingId,
    /// Its own title, where it has one.
    title: Option<String>,
    /// Its own sentence for people, where it has one.
    description: Option<String>,
    /// Rises when the description of this Thing changes.
    pub revision: u64,
    /// When the Thing was first described, UTC.
    pub created: SystemTime,
    /// When this description was made, UTC.
    pub modified: SystemTime,
}

/// What an instance of a model is called.
#[derive(Debug, Clone)]
pub struct Naming<'a> {
    /// The Thing's id.
    pub id: &'a ThingId,
    /// Its title; the model's where there is none.
    pub title: Option<&'a str>,
    /// A sentence for people; the model's where there is none.
    pub description: Option<&'a str>,
}

impl Description {
    /// Makes the description of one Thing of `model`, without the affordances that `without` points to.
    ///
    /// # Errors
    /// [`TdError`] where the model can't be made a Thing Description, an affordance's name is none of ours, or a
    /// `DataSchema` does not compile.
    pub fn of(
        model: &Value,
        naming: &Naming<'_>,
        without: &[String],
        revision: u64,
        now: SystemTime,
    ) -> Result<Self, TdError> {
        let kind = Kind::of(model, without)?;
        if naming.title.is_none() && kind.thing.title.is_empty() {
            return Err(TdError::Schema { pointer: "/title".to_owned(), reason: "is missing".to_owned() });
        }
        Ok(Self {
            kind,
            id: naming.id.clone(),
            title: naming.title.map(str::to_owned),
            description: naming.description.map(str::to_owned),
            revision,
            created: now,
            modified: now,
        })
    }

    /// Its title: its own, or the model's.
    #[must_use]
    pub fn title(&self) -> &str {
        self.title.as_deref().unwrap_or(&self.kind.thing.title)
    }

    /// The Thing Description without forms, links and security.
    #[must_use]
    pub fn thing(&self) -> Thing {
        let mut thing = self.kind.thing.clone();
        thing.id = Some(self.id.to_string());
        if let Some(title) = &self.title {
            thing.title.clone_from(title);
            thing.titles = None;
        }
        if let Some(description) = &self.description {
            thing.description = Some(description.clone());
        }
        thing
    }

    /// The Thing Model from which it was made.
    #[must_use]
    pub fn model(&self) -> &Value {
        &self.kind.model
    }

    /// The affordances of `self` that `next` lacks, as `property on`: what consumers of the Thing would lose.
    pub(crate) fn lost_in(&self, next: &Self) -> Vec<String> {
        let (now, next) = (&self.kind, &next.kind);
        let mut lost: Vec<String> = Vec::new();
        let properties = now.properties.keys().filter(|name| !next.properties.contains_key(*name));
        lost.extend(properties.map(|name| format!("property {name}")));
        let actions = now.actions.keys().filter(|name| !next.actions.contains_key(*name));
        lost.extend(actions.map(|name| format!("action {name}")));
        let events = now.events.keys().filter(|name| !next.events.contains_key(*name));
        lost.extend(events.map(|name| format!("event {name}")));
        lost.sort();
        lost
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn described(model: &Value, title: Option<&str>) -> Result<Description, TdError> {
        let naming = Naming { id: &ThingId::mint(), title, description: title };
        Description::of(model, &naming, &[], 1, SystemTime::UNIX_EPOCH)
    }

    #[test]
    fn things_of_one_kind_have_names_of_their_own() {
        let model = json!({
            "@context": "https://www.w3.org/2022/wot/td/v1.1",
            "@type": "tm:ThingModel",
            "title": "Lamp",
            "titles": { "en": "Lamp", "de": "Lampe" },
        });
        let (one, other) = (described(&model, None).unwrap(), described(&model, Some("Desk lamp")).unwrap());
        assert!(Arc::ptr_eq(&one.kind, &other.kind));
        assert_eq!((one.title(), other.title()), ("Lamp", "Desk lamp"));
        let (one, other) = (one.thing(), other.thing());
        assert!(one.id != other.id && one.id.is_some_and(|id| id.starts_with("urn:uuid:")));
        assert!(one.titles.is_some() && one.description.is_none());
        assert!(other.title == "Desk lamp" && other.titles.is_none());
        assert_eq!(other.description.as_deref(), Some("Desk lamp"));
    }

    #[test]
    fn a_model_may_leave_the_title_to_its_things() {
        let model = json!({ "@context": "https://www.w3.org/2022/wot/td/v1.1", "@type": "tm:ThingModel" });
        assert_eq!(described(&model, Some("Lamp")).unwrap().title(), "Lamp");
        assert!(described(&model, None).unwrap_err().to_string().contains("title"));
    }
}
