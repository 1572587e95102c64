//! The directory of Things as a document (WoT Discovery section 6.2): its own description and the listing.
//!
//! Pure: what is listed, in what order and by which page. Changing the directory over the network is not offered.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use thing_descriptions::vocabulary::{CONTENT_TYPE_DEFAULT, CONTEXT_DISCOVERY, MEDIA_TD, REL_ITEM};
use thing_descriptions::{Form, Link, Op, Thing};

use crate::exposed_thing::Description;
use crate::td::{Reader, dressed};

/// Media type of the listing (WoT Discovery section 6.2.2.1.6).
pub(crate) const MEDIA_LISTING: &str = "application/ld+json";

/// The directory's own Thing Description, with an `item` link to each of `things` (their paths).
pub(crate) fn describe<'a>(
    description: &Description,
    reader: Reader<'_>,
    things: impl Iterator<Item = &'a str>,
) -> Thing {
    let origin = reader.origin;
    let mut thing = dressed(description, reader);
    thing.context.add(CONTEXT_DISCOVERY);
    if let Some(listing) = thing.properties.get_mut("things") {
        // node-wot's `exploreDirectory` looks at the form's own content type, not at its response.
        let href = format!("{origin}/things{{?offset,limit,format}}");
        listing.forms = vec![Form::new(href).op(&[Op::ReadProperty]).content_type(MEDIA_LISTING)];
    }
    if let Some(retrieve) = thing.actions.get_mut("retrieveThing") {
        let form =
            Form::new(format!("{origin}/things/{{id}}")).op(&[Op::InvokeAction]).content_type(CONTENT_TYPE_DEFAULT);
        retrieve.forms = vec![form.method("GET").response(MEDIA_TD)];
    }
    thing.links.extend(things.map(|path| Link::new(REL_ITEM, format!("{origin}{path}")).media_type(MEDIA_TD)));
    thing
}

/// Which part of the listing, and in which form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Page {
    pub(crate) offset: usize,
    pub(crate) limit: Option<usize>,
    /// With its numbers, instead of a plain array.
    pub(crate) as_collection: bool,
}

impl Page {
    /// From the query.
    ///
    /// # Errors
    /// A sentence on the argument that is wrong.
    pub(crate) fn of(query: &BTreeMap<String, String>) -> Result<Self, String> {
        let number = |name: &str| {
            let text = query.get(name)?;
            Some(text.parse::<usize>().map_err(|_| format!("`{name}` is a whole number from 0, not `{text}`")))
        };
        let offset = number("offset").transpose()?.unwrap_or(0);
        let limit = number("limit").transpose()?;
        if limit == Some(0) {
            return Err("`limit` is at least 1".to_owned());
        }
        let as_collection = match query.get("format").map(String::as_str) {
            None | Some("array") => false,
            Some("collection") => true,
            Some(other) => return Err(format!("`format` is array or collection, not `{other}`")),
        };
        Ok(Self { offset, limit, as_collection })
    }

    /// Of `total` members, those on this page.
    pub(crate) fn range(self, total: usize) -> std::ops::Range<usize> {
        let start = self.offset.min(total);
        let end = self.limit.map_or(total, |limit| start.saturating_add(limit).min(total));
        start..end
    }

    /// The URL of this page, relative to the origin.
    pub(crate) fn path(self) -> String {
        let mut arguments = Vec::new();
        if self.offset > 0 {
            arguments.push(format!("offset={}", self.offset));
        }
        arguments.extend(self.limit.map(|limit| format!("limit={limit}")));
        if self.as_collection {
            arguments.push("format=collection".to_owned());
        }
        if arguments.is_empty() { "/things".to_owned() } else { format!("/things?{}", arguments.join("&")) }
    }

    /// The page after this one, if there is one.
    pub(crate) fn next(self, total: usize) -> Option<Self> {
        let end = self.range(total).end;
        (end < total).then_some(Self { offset: end, ..self })
    }

    /// The document: `members` are serialized descriptions, which are not parsed again.
    pub(crate) fn document(self, members: &[&[u8]], total: usize) -> Vec<u8> {
        let array = joined(members);
        if !self.as_collection {
            return array;
        }
        let mut head = json!({
            "@context": CONTEXT_DISCOVERY,
            "@type": "ThingCollection",
            "@id": self.path(),
            "total": total,
        });
        if let (Some(next), Value::Object(head)) = (self.next(total), &mut head) {
            head.insert("next".to_owned(), next.path().into());
        }
        let mut document = head.to_string().into_bytes();
        document.pop();
        document.extend_from_slice(b",\"members\":");
        document.extend_from_slice(&array);
        document.push(b'}');
        document
    }
}

fn joined(members: &[&[u8]]) -> Vec<u8> {
    let mut array = vec![b'['];
    array.extend_from_slice(&members.join(&b','));
    array.push(b']');
    array
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(query: &[(&str, &str)]) -> Result<Page, String> {
        Page::of(&query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn pages_lead_from_the_first_to_the_last() {
        let mut page = page(&[("limit", "2")]).unwrap();
        assert_eq!((page.range(5), page.path().as_str()), (0..2, "/things?limit=2"));
        page = page.next(5).unwrap();
        assert_eq!((page.range(5), page.path().as_str()), (2..4, "/things?offset=2&limit=2"));
        page = page.next(5).unwrap();
        assert_eq!(page.range(5), 4..5);
        assert_eq!(page.next(5), None);
        assert_eq!(Page { offset: 9, ..page }.range(5), 5..5);
    }

    #[test]
    fn wrong_arguments_are_named() {
        assert!(page(&[("offset", "-1")]).unwrap_err().contains("offset"));
        assert!(page(&[("limit", "0")]).unwrap_err().contains("limit"));
        assert!(page(&[("format", "xml")]).unwrap_err().contains("xml"));
    }

    #[test]
    fn a_collection_tells_its_numbers() {
        let page = page(&[("limit", "1"), ("format", "collection")]).unwrap();
        let document: Value = serde_json::from_slice(&page.document(&[b"{\"id\":1}"], 2)).unwrap();
        let expected = json!({
            "@context": CONTEXT_DISCOVERY, "@type": "ThingCollection", "@id": "/things?limit=1&format=collection",
            "total": 2, "next": "/things?offset=1&limit=1&format=collection", "members": [{"id": 1}],
        });
        assert_eq!(document, expected);
    }
}
