//! Operations: read, write, invoke, query and cancel, each at the form that the Thing Description gives for it.

use bytes::Bytes;
use hyper::{Method, StatusCode, Uri, header};
use serde_json::Value;
use thing_descriptions::{
    ActionAffordance, Form, Op, PropertyAffordance,
    vocabulary::{CONTENT_TYPE_DEFAULT, MEDIA_PROBLEM},
};

use super::{
    Answer, Consumer, Exit, Failure, Found,
    directory::{unknown, unusable},
    reference::{expand, resolve},
};
use crate::utc::Rfc3339;

/// A property's value, and what was said of it.
#[derive(Debug)]
pub(in crate::cli) struct Reading {
    /// JSON; of other media their type and size alone.
    pub(in crate::cli) value: Value,
    /// When it was taken, RFC 3339 (`Last-Modified`).
    pub(in crate::cli) taken: Option<String>,
    /// Seconds since (`Age`).
    pub(in crate::cli) age: Option<u64>,
    /// `Reading-Quality`.
    pub(in crate::cli) quality: Option<String>,
}

/// What became of an action.
#[derive(Debug)]
pub(in crate::cli) enum Invoked {
    /// It is over, with this output.
    Done(Option<Value>),
    /// It goes on; its status (`ActionStatus`) is found there.
    Accepted { status: Value, url: Uri },
}

/// The first form over HTTP for `op`, with this subprotocol or with none.
pub(in crate::cli) fn form_for<'a>(
    forms: &'a [Form],
    op: Op,
    defaults: &[Op],
    subprotocol: Option<&str>,
) -> Option<&'a Form> {
    // A relative reference leads to where the description came from: HTTP too.
    let is_http = |href: &str| href.starts_with("http:") || href.starts_with("https:") || !href.contains("://");
    forms.iter().find(|form| {
        let ops = if form.ops().is_empty() { defaults } else { form.ops() };
        is_http(&form.href) && ops.contains(&op) && form.subprotocol.as_deref() == subprotocol
    })
}

impl Found {
    /// One of its properties.
    pub(in crate::cli) fn property(&self, name: &str) -> Result<&PropertyAffordance, Failure> {
        self.thing.properties.get(name).ok_or_else(|| self.no_affordance("property", name))
    }

    /// One of its actions.
    pub(in crate::cli) fn action(&self, name: &str) -> Result<&ActionAffordance, Failure> {
        self.thing.actions.get(name).ok_or_else(|| self.no_affordance("action", name))
    }

    /// There is none of this name: the nearest of any kind is the hint.
    pub(in crate::cli) fn no_affordance(&self, kind: &str, name: &str) -> Failure {
        let (properties, actions, events) = (&self.thing.properties, &self.thing.actions, &self.thing.events);
        let known = properties.keys().chain(actions.keys()).chain(events.keys()).map(String::as_str);
        let listed_by = format!("`tidegate thing show {}`", self.name);
        let failure = unknown(kind, name, known, &listed_by);
        let other = [("property", properties.contains_key(name)), ("action", actions.contains_key(name))];
        let other = other.into_iter().chain([("event", events.contains_key(name))]).find(|(_, is)| *is);
        let failure = Failure { what: format!("{} of the Thing `{}`", failure.what, self.name), ..failure };
        match other {
            Some(("property", _)) => {
                failure.with_hint("it is a property: `thing read`, `thing write`, `thing observe`")
            }
            Some(("action", _)) => failure.with_hint("it is an action: `thing invoke`"),
            Some(_) => failure.with_hint("it is an event: `thing observe`"),
            None => failure,
        }
    }

    fn form<'a>(&self, forms: &'a [Form], op: Op, defaults: &[Op], name: &str) -> Result<&'a Form, Failure> {
        form_for(forms, op, defaults, None).ok_or_else(|| {
            let (what, hint) = match op {
                Op::WriteProperty => {
                    ("cannot be written", "it can only be read, or only be written over another protocol")
                }
                Op::ReadProperty => ("cannot be read", "it can only be written, or only be read over another protocol"),
                _ => ("is not offered over HTTP", "it is offered over another protocol only"),
            };
            let what = format!("`{name}` of the Thing `{}` {what}", self.name);
            Failure::new(Exit::Refused, what).with_hint(hint)
        })
    }
}

impl Consumer {
    /// `readproperty`
    pub(in crate::cli) async fn read(&self, found: &Found, name: &str) -> Result<Reading, Failure> {
        let property = found.property(name)?;
        let form = found.form(&property.forms, Op::ReadProperty, property.default_ops(), name)?;
        let url = found.resolve(&expand(&form.href, &[]))?;
        let media = form.response_type().unwrap_or(CONTENT_TYPE_DEFAULT);
        let answer = self.request(Method::GET, &url, &accept(media), None).await?;
        self.accepted(&url, &answer)?;
        self.reading(&url, media, &answer)
    }

    fn reading(&self, url: &Uri, media: &str, answer: &Answer) -> Result<Reading, Failure> {
        let text = |name: header::HeaderName| answer.headers.get(name).and_then(|value| value.to_str().ok());
        let value = match is_json(media) {
            true => self.json_of(url, answer)?,
            false => serde_json::json!({"contentType": media, "bytes": answer.body.len()}),
        };
        Ok(Reading {
            value,
            taken: text(header::LAST_MODIFIED)
                .and_then(|date| Some(Rfc3339(httpdate::parse_http_date(date).ok()?).to_string())),
            age: text(header::AGE).and_then(|age| age.parse().ok()),
            quality: text(header::HeaderName::from_static("reading-quality")).map(str::to_owned),
        })
    }

    /// `readallproperties`, as one object.
    pub(in crate::cli) async fn read_all(&self, found: &Found) -> Result<Value, Failure> {
        self.whole(found, Op::ReadAllProperties).await
    }

    /// `queryallactions`: statuses by action, the newest first; nothing when the Thing has no form for it.
    pub(in crate::cli) async fn query_all(&self, found: &Found) -> Result<Value, Failure> {
        match form_for(found.thing.forms.as_deref().unwrap_or_default(), Op::QueryAllActions, &[], None) {
            Some(_) => self.whole(found, Op::QueryAllActions).await,
            None => Ok(Value::Object(serde_json::Map::new())),
        }
    }

    async fn whole(&self, found: &Found, op: Op) -> Result<Value, Failure> {
        let forms = found.thing.forms.as_deref().unwrap_or_default();
        let form = found.form(forms, op, &[], "it")?;
        let url = found.resolve(&expand(&form.href, &[]))?;
        self.json(Method::GET, &url, &accept(CONTENT_TYPE_DEFAULT), None).await
    }

    /// `writeproperty`
    pub(in crate::cli) async fn write(&self, found: &Found, name: &str, value: &Value) -> Result<(), Failure> {
        let property = found.property(name)?;
        let form = found.form(&property.forms, Op::WriteProperty, property.default_ops(), name)?;
        let url = found.resolve(&expand(&form.href, &[]))?;
        let body = Some((form.request_type(), Bytes::from(value.to_string())));
        let answer = self.request(Method::PUT, &url, &accept(CONTENT_TYPE_DEFAULT), body).await?;
        self.accepted(&url, &answer)
    }

    /// `invokeaction`; `body` as bytes of the form's content type.
    pub(in crate::cli) async fn invoke(
        &self,
        found: &Found,
        name: &str,
        variables: &[(&str, &str)],
        body: Option<Bytes>,
    ) -> Result<Invoked, Failure> {
        let action = found.action(name)?;
        let form = found.form(&action.forms, Op::InvokeAction, ActionAffordance::DEFAULT_OPS, name)?;
        let url = found.resolve(&expand(&form.href, variables))?;
        let body = body.map(|bytes| (form.request_type(), bytes));
        let media = form.response_type().unwrap_or(CONTENT_TYPE_DEFAULT);
        let answer = self.request(Method::POST, &url, &accept(media), body).await?;
        self.accepted(&url, &answer)?;
        if answer.status == StatusCode::CREATED {
            let status = self.json_of(&url, &answer)?;
            let location = answer.headers.get(header::LOCATION).and_then(|location| location.to_str().ok());
            let href = location.or_else(|| status.get("href")?.as_str());
            let href = href.ok_or_else(|| unusable(&url, "the action goes on, and its status has no address"))?;
            let at = resolve(&url, href).ok_or_else(|| unusable(&url, &format!("`{href}` is no URL")))?;
            return Ok(Invoked::Accepted { status, url: at });
        }
        if answer.status == StatusCode::NO_CONTENT || answer.body.is_empty() {
            return Ok(Invoked::Done(None));
        }
        self.json_of(&url, &answer).map(|output| Invoked::Done(Some(output)))
    }

    /// `queryaction`, at the address that the invocation got.
    pub(in crate::cli) async fn query(&self, status: &Uri) -> Result<Value, Failure> {
        self.json(Method::GET, status, &accept(CONTENT_TYPE_DEFAULT), None).await
    }

    /// `cancelaction`
    pub(in crate::cli) async fn cancel(&self, status: &Uri) -> Result<(), Failure> {
        let answer = self.request(Method::DELETE, status, &accept(CONTENT_TYPE_DEFAULT), None).await?;
        self.accepted(status, &answer)
    }
}

fn accept(media: &str) -> String {
    format!("{media}, {MEDIA_PROBLEM};q=0.9")
}

/// `application/json` and `+json` (RFC 6839 section 3.1), whatever parameters follow.
fn is_json(media: &str) -> bool {
    let kind = media.split(';').next().unwrap_or_default().trim();
    kind == CONTENT_TYPE_DEFAULT || kind.ends_with("+json")
}
