//! Descriptions: of one Thing, of its model, of the directory, and the listing of all (WoT Discovery section 6).

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, LINK, LOCATION, VARY};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use thing_descriptions::vocabulary::{MEDIA_TD, MEDIA_TM};

use super::host::origin;
use super::methods::{Answer, Methods};
use super::problem::{Kind, Problem};
use super::stamp::NO_CACHE;
use super::target::{Target, query};
use super::{Http, Shared, negotiate};
use crate::directory::{self, MEDIA_LISTING, Page};
use crate::exposed_thing::ExposedThing;
use crate::td::cache::{Document, State as DocumentState, etag_of};
use crate::td::{self, DIRECTORY, Reader};

const MEDIA_JSON: &str = "application/json";
const MEDIA_LD: &str = "application/ld+json";
const MEDIA_HTML: &str = "text/html";

/// `/things/{thing}` and `/things/{thing}/handler`
pub(crate) async fn description(State(http): State<Shared>, target: Target, request: Request) -> Answer {
    Methods::READ.admit(request.method())?;
    let (parts, _) = request.into_parts();
    match accepted(&parts.headers, &[MEDIA_TD, MEDIA_JSON, MEDIA_LD, MEDIA_HTML])? {
        // For people the page shows the Thing.
        MEDIA_HTML => {
            let page = HeaderValue::try_from(format!("/ui#{}", target.thing.path()))
                .unwrap_or(HeaderValue::from_static("/ui"));
            Ok((StatusCode::SEE_OTHER, [(LOCATION, page), (VARY, HeaderValue::from_static(VARIES))]).into_response())
        }
        media => {
            let document = document(&http, &target.thing, &parts);
            Ok(fresh(&parts.headers, media, &document.body, &document.etag))
        }
    }
}

/// The representations differ by these.
const VARIES: &str = "accept, accept-language";

fn accepted<'a>(headers: &HeaderMap, offers: &[&'a str]) -> Result<&'a str, Problem> {
    let refused = || Problem::new(Kind::NOT_ACCEPTABLE, format!("what can be given: {}", offers.join(", ")));
    negotiate::media(headers, offers).ok_or_else(refused)
}

/// The description of `thing` for who sent `parts`.
fn document(http: &Http, thing: &ExposedThing, parts: &Parts) -> Arc<Document> {
    let description = thing.description();
    let languages = td::languages(&description.kind.thing);
    let language = negotiate::language(&parts.headers, &languages);
    let origin = origin(http.servient.config(), parts);
    let reader = Reader { origin: &origin, language, protected: http.servient.access().is_protected() };
    let state = DocumentState { description: Arc::clone(&description), surroundings: 0 };
    http.descriptions.get(thing.path(), &state, reader, || {
        td::describe(thing, &description, reader, http.servient.config()).to_value()
    })
}

/// The document, or 304 to who has it.
fn fresh(headers: &HeaderMap, media: &str, body: &bytes::Bytes, etag: &HeaderValue) -> Response {
    let known = etag.to_str().is_ok_and(|etag| negotiate::is_current(headers, etag));
    let mut response =
        if known { StatusCode::NOT_MODIFIED.into_response() } else { Body::from(body.clone()).into_response() };
    let out = response.headers_mut();
    out.insert(ETAG, etag.clone());
    out.insert(VARY, HeaderValue::from_static(VARIES));
    out.insert(CACHE_CONTROL, NO_CACHE);
    if !known && let Ok(media) = HeaderValue::from_str(media) {
        out.insert(CONTENT_TYPE, media);
    }
    response
}

/// `/things/{thing}/model`
pub(crate) async fn model(target: Target, request: Request) -> Answer {
    Methods::READ.admit(request.method())?;
    let media = accepted(request.headers(), &[MEDIA_TM, MEDIA_JSON, MEDIA_LD])?;
    let document = Document::new(target.thing.description().model().to_string().into());
    Ok(fresh(request.headers(), media, &document.body, &document.etag))
}

/// `/.well-known/wot`
pub(crate) async fn directory(State(http): State<Shared>, request: Request) -> Answer {
    Methods::READ.admit(request.method())?;
    let (parts, _) = request.into_parts();
    let media = accepted(&parts.headers, &[MEDIA_TD, MEDIA_JSON, MEDIA_LD])?;
    let origin = origin(http.servient.config(), &parts);
    let reader = Reader { origin: &origin, language: None, protected: http.servient.access().is_protected() };
    let surroundings = *http.servient.things_changed().borrow();
    let description = http.servient.directory();
    let state = DocumentState { description: Arc::clone(&description), surroundings };
    let document = http.descriptions.get(DIRECTORY, &state, reader, || {
        let things = http.servient.things();
        directory::describe(&description, reader, things.iter().map(|thing| thing.path())).to_value()
    });
    Ok(fresh(&parts.headers, media, &document.body, &document.etag))
}

/// `/things`
pub(crate) async fn listing(State(http): State<Shared>, request: Request) -> Answer {
    Methods::READ.admit(request.method())?;
    let (parts, _) = request.into_parts();
    let media = accepted(&parts.headers, &[MEDIA_LISTING, MEDIA_JSON])?;
    let page = Page::of(&query(&parts.uri)?).map_err(|detail| Problem::new(Kind::INVALID_INPUT, detail))?;
    let all: Vec<Arc<Document>> = http.servient.things().iter().map(|thing| document(&http, thing, &parts)).collect();
    let members: Vec<&[u8]> = all[page.range(all.len())].iter().map(|document| &document.body[..]).collect();
    let body = bytes::Bytes::from(page.document(&members, all.len()));
    let mut response = fresh(&parts.headers, media, &body, &etag_of(&[&body]));
    // The whole listing has one ETag, by which a client sees that it changed between two pages.
    let tags: Vec<&[u8]> = all.iter().map(|document| document.etag.as_bytes()).collect();
    let whole = etag_of(&tags);
    let canonical = format!("</things>; rel=\"canonical\"; etag={}", whole.to_str().unwrap_or("\"\""));
    let next = page.next(all.len()).map(|next| format!("<{}>; rel=\"next\"", next.path()));
    for link in next.into_iter().chain([canonical]) {
        if let Ok(link) = HeaderValue::try_from(link) {
            response.headers_mut().append(LINK, link);
        }
    }
    Ok(response)
}
