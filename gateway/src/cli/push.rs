//! `tidegate handler push`: the action `replace` of the Thing that controls a Thing, found as any Consumer finds it.
//!
//! TD of the Thing, link `controlledBy` (TD 1.1 section 5.3.4.1), TD of the handler, form of `replace`, POST. A refusal
//! is shown as its problem document says it (RFC 9457).

use std::io::Read as _;

use bytes::Bytes;
use hyper::{Method, StatusCode, Uri};
use serde_json::Value;

use super::{
    Exit, Failure, Push, console,
    consumer::{self, Answer, Credentials},
    serve,
};

/// Largest component that is sent.
const COMPONENT_BYTES_MAX: u64 = 256 << 20;

pub(super) fn push(arguments: &Push) -> Result<(), Failure> {
    let component = read_component(&arguments.file)?;
    if let Some(file) = &arguments.token_file {
        Credentials::of(&thing_url(&arguments.gateway, arguments.thing.as_str())?, Some(file))?.show();
    }
    let result = serve::runtime()?.block_on(replace(arguments, component))?;
    console::print(console::table(&rows_of(&result)))
}

/// The file's bytes, bounded.
pub(super) fn read_component(file: &std::path::Path) -> Result<Bytes, Failure> {
    let failed = |error: &std::io::Error| {
        Failure::caused(Exit::Usage, format!("cannot read {}", file.display()), error)
            .with_hint("handlers are built by `cargo xtask demo` into target/handlers")
    };
    let size = std::fs::metadata(file).map_err(|error| failed(&error))?.len();
    if size > COMPONENT_BYTES_MAX {
        let what = format!("{} has {size} bytes: at most {COMPONENT_BYTES_MAX} can be sent", file.display());
        return Err(Failure::new(Exit::Usage, what));
    }
    // A device or a pipe has no size: what is read has the same limit.
    let mut bytes = Vec::new();
    let opened = std::fs::File::open(file).map_err(|error| failed(&error))?;
    opened.take(COMPONENT_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(|error| failed(&error))?;
    if u64::try_from(bytes.len()).is_ok_and(|read| read > COMPONENT_BYTES_MAX) {
        let what = format!("{} has more than {COMPONENT_BYTES_MAX} bytes", file.display());
        return Err(Failure::new(Exit::Usage, what));
    }
    Ok(bytes.into())
}

/// Where a Thing's description is at a gateway.
fn thing_url(gateway: &str, thing: &str) -> Result<Uri, Failure> {
    let url: Uri = gateway.parse().map_err(|error| {
        Failure::caused(Exit::Usage, format!("`{gateway}` is no URL"), &error)
            .with_hint("write the gateway as http://host:port")
    })?;
    let base = url.path().trim_end_matches('/').to_owned();
    consumer::resolve(&url, &format!("{base}/things/{thing}"))
        .ok_or_else(|| Failure::new(Exit::Usage, format!("`{gateway}` is no http URL")))
}

/// Where a property is read, as the form of its Thing says.
pub(super) async fn property_url(gateway: &str, thing: &str, property: &str) -> Result<Uri, Failure> {
    let thing_url = thing_url(gateway, thing)?;
    let td = read_td(&thing_url).await?;
    let href = td.pointer(&format!("/properties/{property}/forms/0/href")).and_then(Value::as_str);
    href.and_then(|href| resolve_in(&td, &thing_url, href))
        .ok_or_else(|| no_td(&thing_url, &format!("it has no form for the property `{property}`")))
}

/// Replaces a handler by `component`; what the gateway answers.
pub(super) async fn replace(arguments: &Push, component: Bytes) -> Result<Value, Failure> {
    let thing_url = thing_url(&arguments.gateway, arguments.thing.as_str())?;
    let thing = read_td(&thing_url).await?;
    let handler_url = controlled_by(&thing).and_then(|href| resolve_in(&thing, &thing_url, href)).ok_or_else(|| {
        Failure::new(Exit::Refused, format!("the Thing `{}` has no handler to replace", arguments.thing))
            .with_hint("its Thing Description has no link `controlledBy`: it is answered by the gateway itself")
    })?;
    let handler = read_td(&handler_url).await?;
    let href = replace_form(&handler).ok_or_else(|| no_td(&handler_url, "it has no form for the action `replace`"))?;
    let url = with_variables(href, arguments);
    let url = resolve_in(&handler, &handler_url, &url).ok_or_else(|| no_td(&handler_url, "its form is no URL"))?;
    let answer = consumer::request(Method::POST, &url, Some(("application/wasm", component))).await?;
    json_of(&url, &answer)
}

async fn read_td(url: &Uri) -> Result<Value, Failure> {
    let answer = consumer::request(Method::GET, url, None).await?;
    json_of(url, &answer)
}

/// The JSON of a success, or the refusal.
pub(super) fn json_of(url: &Uri, answer: &Answer) -> Result<Value, Failure> {
    if !answer.status.is_success() {
        return Err(refusal(answer));
    }
    serde_json::from_slice(&answer.body).map_err(|error| {
        Failure::caused(Exit::Failed, format!("{url} did not answer with JSON"), &error)
            .with_hint("is there another program at this address?")
    })
}

fn no_td(url: &Uri, why: &str) -> Failure {
    Failure::new(Exit::Failed, format!("the Thing Description at {url} cannot be used: {why}"))
}

/// A problem document as a failure: title, detail and each validation error.
fn refusal(answer: &Answer) -> Failure {
    let problem: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
    let title = text(&problem, "title").unwrap_or_else(|| answer.status.to_string());
    let errors = problem.get("validationErrors").and_then(Value::as_array).into_iter().flatten();
    let errors = errors.filter_map(|error| {
        let description = text(error, "description")?;
        Some(
            text(error, "field")
                .filter(|field| !field.is_empty())
                .map_or(description.clone(), |field| format!("{field}: {description}")),
        )
    });
    let refused = Failure::new(Exit::Refused, format!("the gateway refused ({}): {title}", answer.status.as_u16()));
    let refused = match answer.status {
        StatusCode::UNAUTHORIZED => {
            refused.with_hint("name a file with the token by --token-file, or set TIDEGATE_TOKEN")
        }
        _ => refused,
    };
    Failure { causes: text(&problem, "detail").into_iter().chain(errors).collect(), ..refused }
}

fn controlled_by(thing: &Value) -> Option<&str> {
    let links = thing.get("links")?.as_array()?;
    links.iter().find(|link| link.get("rel").is_some_and(|rel| rel == "controlledBy"))?.get("href")?.as_str()
}

/// The form of `replace` that takes a component.
fn replace_form(handler: &Value) -> Option<&str> {
    let forms = handler.pointer("/actions/replace/forms")?.as_array()?;
    let wasm = forms.iter().find(|form| form.get("contentType").is_some_and(|kind| kind == "application/wasm"));
    wasm.or_else(|| forms.first())?.get("href")?.as_str()
}

/// A TD's `base`, when it has one, is what its references are relative to (TD 1.1 section 5.3.1.1).
fn resolve_in(td: &Value, url: &Uri, reference: &str) -> Option<Uri> {
    let base = td.get("base").and_then(Value::as_str).and_then(|base| consumer::resolve(url, base));
    consumer::resolve(&base.unwrap_or_else(|| url.clone()), reference)
}

/// The form's address with the URI variables that were asked for; its template (RFC 6570) names them only.
fn with_variables(href: &str, arguments: &Push) -> String {
    let plain = href.split('{').next().unwrap_or(href);
    let approve = arguments.approve.then(|| "approve=true".to_owned());
    let expect = arguments.expect.as_ref().map(|digest| format!("expect={digest}"));
    let query: Vec<String> = approve.into_iter().chain(expect).collect();
    match query.is_empty() {
        true => plain.to_owned(),
        false => format!("{plain}{}{}", if plain.contains('?') { '&' } else { '?' }, query.join("&")),
    }
}

/// The result as rows, one level deep: `timings.compile  34`.
fn rows_of(result: &Value) -> Vec<(String, String)> {
    let plain = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let fields = result.as_object().into_iter().flatten();
    fields
        .flat_map(|(name, value)| match value {
            Value::Object(inner) => {
                inner.iter().map(|(key, value)| (format!("{name}.{key}"), plain(value))).collect::<Vec<_>>()
            }
            value => vec![(name.clone(), plain(value))],
        })
        .collect()
}

#[cfg(test)]
mod tests;
