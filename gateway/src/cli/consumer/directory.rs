//! Finding Things: `/.well-known/wot`, the directory's links `item`, and its listing (WoT Discovery sections 5.3 and 6.2).
//!
//! A Thing's name is the last segment of the address that the directory links to; its id and its title find it too.

use hyper::{Method, Uri};
use serde_json::Value;
use thing_descriptions::{
    Op, Thing,
    vocabulary::{MEDIA_TD, REL_CONTROLLED_BY, REL_ITEM},
};

use super::{
    Consumer, Exit, Failure, form_for,
    reference::{expand, resolve, resolve_in},
};
use crate::{cli::terminal::plain, config::nearest};

/// Where a Thing says what it is (RFC 8615; WoT Discovery section 5.3).
const WELL_KNOWN: &str = "/.well-known/wot";
/// Things on one page of the listing.
const PAGE: &str = "50";
/// So many pages are read.
const PAGES_MAX: usize = 200;
/// How a Thing's handler is named: `lamp/handler`.
const HANDLER: &str = "/handler";

/// A Thing and where its description was found.
#[derive(Debug, Clone)]
pub(in crate::cli) struct Found {
    pub(in crate::cli) name: String,
    pub(in crate::cli) url: Uri,
    pub(in crate::cli) thing: Thing,
}

impl Found {
    /// A link's or a form's address.
    pub(in crate::cli) fn resolve(&self, reference: &str) -> Result<Uri, Failure> {
        resolve_in(&self.thing, &self.url, reference)
            .ok_or_else(|| unusable(&self.url, &format!("`{reference}` is no URL")))
    }

    /// The target of its first link of this relation type.
    pub(in crate::cli) fn link(&self, rel: &str) -> Option<&str> {
        let links = self.thing.links.iter();
        links.filter(|link| link.rel.as_deref() == Some(rel)).map(|link| link.href.as_str()).next()
    }

    /// Whether another Thing controls it: one that a handler answers.
    pub(in crate::cli) fn has_handler(&self) -> bool {
        self.link(REL_CONTROLLED_BY).is_some()
    }
}

impl Consumer {
    /// The directory: its own description.
    pub(in crate::cli) async fn directory(&self) -> Result<Found, Failure> {
        let url = resolve(&self.gateway, WELL_KNOWN)
            .ok_or_else(|| Failure::new(Exit::Usage, format!("{} is no http or https URL", self.gateway)))?;
        let thing = self.description(&url).await?;
        Ok(Found { name: String::new(), url, thing })
    }

    /// All Things that the directory lists, by name.
    pub(in crate::cli) async fn things(&self) -> Result<Vec<Found>, Failure> {
        let directory = self.directory().await?;
        let items = items(&directory);
        let mut things = Vec::new();
        for (url, listed) in self.listing(&directory).await? {
            let thing = Thing::from_value(listed).map_err(|error| unusable(&url, &error.to_string()))?;
            let found = Found { name: String::new(), url, thing };
            let item = items.iter().find(|(_, url)| is_below(&found, url));
            let id = found.thing.id.clone().unwrap_or_default();
            let (name, url) = item.cloned().unwrap_or_else(|| (id, found.url.clone()));
            things.push(Found { name, url, ..found });
        }
        things.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(things)
    }

    /// The listing's members, with the page that each was on.
    async fn listing(&self, directory: &Found) -> Result<Vec<(Uri, Value)>, Failure> {
        let things = directory.thing.properties.get("things");
        let things = things.ok_or_else(|| unusable(&directory.url, "it is no directory of Things"))?;
        let form = form_for(&things.forms, Op::ReadProperty, things.default_ops(), None)
            .ok_or_else(|| unusable(&directory.url, "its property `things` has no form over HTTP"))?;
        let mut next = Some(directory.resolve(&expand(&form.href, &[("limit", PAGE), ("format", "collection")]))?);
        let mut members = Vec::new();
        for _ in 0..PAGES_MAX {
            let Some(url) = next.take() else { break };
            let page = self.json(Method::GET, &url, form.response_type().unwrap_or(MEDIA_TD), None).await?;
            // A directory without pages answers with the plain list.
            let (listed, following) = match page {
                Value::Object(mut page) => (page.remove("members").unwrap_or_default(), page.remove("next")),
                listed => (listed, None),
            };
            let Value::Array(listed) = listed else { return Err(unusable(&url, "it is no list of Things")) };
            next = following.as_ref().and_then(Value::as_str).and_then(|next| resolve(&url, next));
            members.extend(listed.into_iter().map(|member| (url.clone(), member)));
        }
        Ok(members)
    }

    /// The Thing of this name, id or title; `NAME/handler` is the Thing that controls it.
    pub(in crate::cli) async fn thing(&self, name: &str) -> Result<Found, Failure> {
        if let Some(controlled) = name.strip_suffix(HANDLER) {
            let thing = Box::pin(self.thing(controlled)).await?;
            return self.handler_of(&thing).await;
        }
        let directory = self.directory().await?;
        let items = items(&directory);
        if let Some((name, url)) = items.iter().find(|(item, _)| item == name) {
            let thing = self.description(url).await?;
            return Ok(Found { name: name.clone(), url: url.clone(), thing });
        }
        let things = self.things().await?;
        let is_meant = |found: &&Found| found.thing.id.as_deref() == Some(name) || found.thing.title == name;
        match things.iter().filter(is_meant).collect::<Vec<_>>()[..] {
            [found] => Ok(found.clone()),
            _ => Err(unknown("Thing", name, things.iter().map(|found| found.name.as_str()), "`tidegate thing list`")),
        }
    }

    /// The Thing that controls this one.
    pub(in crate::cli) async fn handler_of(&self, found: &Found) -> Result<Found, Failure> {
        let Some(href) = found.link(REL_CONTROLLED_BY) else {
            return Err(Failure::new(Exit::Refused, format!("the Thing `{}` has no handler", found.name))
                .with_hint("its description has no link `controlledBy`: the gateway itself answers for it"));
        };
        let url = found.resolve(href)?;
        let thing = self.description(&url).await?;
        Ok(Found { name: format!("{}{HANDLER}", found.name), url, thing })
    }

    async fn description(&self, url: &Uri) -> Result<Thing, Failure> {
        let document = self.json(Method::GET, url, MEDIA_TD, None).await?;
        Thing::from_value(document).map_err(|error| unusable(url, &error.to_string()))
    }
}

/// Names and addresses of the Things that the directory links to.
fn items(directory: &Found) -> Vec<(String, Uri)> {
    let links = directory.thing.links.iter().filter(|link| link.rel.as_deref() == Some(REL_ITEM));
    let named = links.filter_map(|link| {
        let url = directory.resolve(&link.href).ok()?;
        let name = url.path().trim_end_matches('/').rsplit('/').next().filter(|name| !name.is_empty())?;
        Some((name.to_owned(), url))
    });
    named.collect()
}

/// Whether one of the forms of `found` lies below `url`: a listed description does not say where it was taken from.
fn is_below(found: &Found, url: &Uri) -> bool {
    let thing = &found.thing;
    let forms = thing.forms.iter().flatten();
    let forms = forms.chain(thing.properties.values().flat_map(|property| &property.forms));
    let forms = forms.chain(thing.actions.values().flat_map(|action| &action.forms));
    let mut forms = forms.chain(thing.events.values().flat_map(|event| &event.forms));
    let folder = format!("{url}/");
    forms.any(|form| form.href.starts_with(&folder))
}

/// There is none of this name; the nearest one is the hint.
pub(in crate::cli) fn unknown<'a>(
    what: &str,
    name: &str,
    known: impl Iterator<Item = &'a str> + Clone,
    listed_by: &str,
) -> Failure {
    let failure = Failure::new(Exit::Unknown, format!("there is no {what} `{}`", plain(name)));
    failure.with_hint(match nearest(name, known) {
        Some(near) => format!("did you mean `{near}`? {listed_by} shows all"),
        None => format!("{listed_by} shows all"),
    })
}

pub(super) fn unusable(url: &Uri, why: &str) -> Failure {
    Failure::new(Exit::Failed, format!("the Thing Description at {url} cannot be used: {why}"))
        .with_hint("is there another program at this address?")
}
