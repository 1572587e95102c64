//! A small Consumer over plain HTTP/1.1: one request per connection, bounded answers, a deadline for each.
//!
//! Knows URLs and bytes, no Thing Description. TLS is left to a proxy: an https URL is refused with that reason.

use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{Method, Request, StatusCode, Uri, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::{Exit, Failure};

/// Largest answer that is read.
const ANSWER_BYTES_MAX: usize = 4 << 20;
/// A gateway that does not accept a connection within this time is not there.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Admission compiles the component: on a small machine that takes its time.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(120);

/// What this command shows: set once, by the command or by its first request.
static CREDENTIALS: OnceLock<Credentials> = OnceLock::new();
/// The environment's variable with the token.
const TOKEN_VARIABLE: &str = "TIDEGATE_TOKEN";

/// A request's answer, whole.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: Bytes,
}

/// A body and its content type.
pub(super) type Body = (&'static str, Bytes);

/// The token that a command shows, and to which gateway: a description that leads elsewhere does not get it.
#[derive(Debug)]
pub(super) struct Credentials {
    authority: String,
    /// The header's value, marked as sensitive.
    bearer: Option<header::HeaderValue>,
}

impl Credentials {
    /// From the first line of `file`, else from the environment; none is no failure.
    pub(super) fn of(gateway: &Uri, file: Option<&Path>) -> Result<Self, Failure> {
        let text = match file {
            Some(file) => Some(std::fs::read_to_string(file).map_err(|error| {
                Failure::caused(Exit::Usage, format!("cannot read the token in {}", file.display()), &error)
                    .with_hint("a file with the token, that is, what `tidegate token new` printed")
            })?),
            None => std::env::var(TOKEN_VARIABLE).ok(),
        };
        let token =
            text.as_deref().and_then(|text| text.lines().next()).map(str::trim).filter(|token| !token.is_empty());
        let bearer = token.map(|token| header::HeaderValue::try_from(format!("Bearer {token}"))).transpose();
        let mut bearer = bearer.map_err(|_| Failure::new(Exit::Usage, "the token has characters that none has"))?;
        if let Some(bearer) = &mut bearer {
            bearer.set_sensitive(true);
        }
        Ok(Self { authority: check(gateway)?, bearer })
    }

    /// This command shows them, unless it shows others already.
    pub(super) fn show(self) {
        CREDENTIALS.get_or_init(|| self);
    }

    fn of_request(&self, authority: &str) -> Option<header::HeaderValue> {
        self.bearer.clone().filter(|_| self.authority == authority)
    }
}

/// Sends one request and reads the whole answer, whatever its status.
pub(super) async fn request(method: Method, url: &Uri, body: Option<Body>) -> Result<Answer, Failure> {
    let authority = check(url)?;
    let credentials = match CREDENTIALS.get() {
        Some(credentials) => credentials,
        None => {
            // A command begins with the gateway that it was told.
            let of_environment = Credentials::of(url, None)?;
            CREDENTIALS.get_or_init(|| of_environment)
        }
    };
    let unreachable = |error: &(dyn std::error::Error + 'static)| {
        Failure::caused(Exit::Unreachable, format!("cannot reach the gateway at {authority}"), error)
            .with_hint("is it running? `--gateway` says where to look, such as http://127.0.0.1:8080")
    };
    let address = (url.host().unwrap_or_default().trim_matches(['[', ']']), url.port_u16().unwrap_or(80));
    let stream = tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect(address))
        .await
        .map_err(|elapsed| unreachable(&elapsed))?
        .map_err(|error| unreachable(&error))?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|error| unreachable(&error))?;
    let connection = tokio::spawn(connection);
    let exchange = async {
        let mut request = build(method, url, &authority, body).map_err(|error| unreachable(&error))?;
        request.headers_mut().extend(credentials.of_request(&authority).map(|bearer| (header::AUTHORIZATION, bearer)));
        let response = sender.send_request(request).await.map_err(|error| unreachable(&error))?;
        let status = response.status();
        let collected = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
        let body = collected.map_err(|error| unreachable(error.as_ref()))?.to_bytes();
        Ok(Answer { status, body })
    };
    let answer = tokio::time::timeout(ANSWER_TIMEOUT, exchange).await.map_err(|elapsed| unreachable(&elapsed));
    connection.abort();
    answer?
}

fn build(
    method: Method,
    url: &Uri,
    host: &str,
    body: Option<Body>,
) -> Result<Request<Full<Bytes>>, hyper::http::Error> {
    let path = url.path_and_query().map_or("/", |path| path.as_str());
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::HOST, host)
        .header(header::ACCEPT, "application/td+json, application/json, application/problem+json")
        .header(header::USER_AGENT, concat!("tidegate/", env!("CARGO_PKG_VERSION")));
    let bytes = body.map(|(content_type, bytes)| {
        if let Some(headers) = request.headers_mut() {
            headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static(content_type));
        }
        bytes
    });
    request.body(Full::new(bytes.unwrap_or_default()))
}

/// The authority of an http URL.
fn check(url: &Uri) -> Result<String, Failure> {
    match (url.scheme_str(), url.authority()) {
        (Some("http"), Some(authority)) if authority.as_str().contains('@') => {
            Err(Failure::new(Exit::Usage, "a URL with a user name is not supported"))
        }
        (Some("http"), Some(authority)) => Ok(authority.to_string()),
        (Some("https"), _) => Err(Failure::new(Exit::Usage, format!("{url}: https is not supported yet"))
            .with_hint("run the command on the gateway's machine, with its http address")),
        _ => Err(Failure::new(Exit::Usage, format!("{url} is no http URL"))
            .with_hint("write the gateway as http://host:port")),
    }
}

/// `reference` seen from `base`, as far as links and forms need it (RFC 3986 section 5.2 without dot segments).
pub(super) fn resolve(base: &Uri, reference: &str) -> Option<Uri> {
    let (scheme, authority) = (base.scheme_str()?, base.authority()?);
    let text = if reference.starts_with("http://") || reference.starts_with("https://") {
        reference.to_owned()
    } else if let Some(rest) = reference.strip_prefix("//") {
        format!("{scheme}://{rest}")
    } else if reference.starts_with('/') {
        format!("{scheme}://{authority}{reference}")
    } else if reference.is_empty() {
        return Some(base.clone());
    } else {
        let folder = base.path().rsplit_once('/').map_or("", |(folder, _)| folder);
        format!("{scheme}://{authority}{folder}/{reference}")
    };
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_resolved_against_the_document() {
        let base: Uri = "http://pi:8080/things/relay".parse().unwrap();
        let rows = [
            ("http://other/x", "http://other/x"),
            ("//other/x", "http://other/x"),
            ("/things/relay/handler", "http://pi:8080/things/relay/handler"),
            ("handler", "http://pi:8080/things/handler"),
            ("", "http://pi:8080/things/relay"),
        ];
        for (reference, expected) in rows {
            assert_eq!(resolve(&base, reference).unwrap().to_string(), expected, "{reference}");
        }
        assert!(resolve(&base, "/a b").is_none());
    }

    #[test]
    fn a_token_goes_to_the_gateway_that_was_named_and_nowhere_else() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "  tg_x \nsecond line\n").unwrap();
        let credentials = Credentials::of(&"http://pi:8080".parse().unwrap(), Some(file.path())).unwrap();
        assert_eq!(credentials.of_request("pi:8080").unwrap(), "Bearer tg_x");
        assert_eq!(credentials.of_request("evil:8080"), None);
        assert!(!format!("{credentials:?}").contains("tg_x"));
        assert!(Credentials::of(&"http://pi".parse().unwrap(), Some(Path::new("/none"))).is_err());
    }

    #[test]
    fn only_plain_http_is_spoken_and_the_reason_is_said() {
        for (url, expected) in
            [("https://pi/", "https is not supported"), ("/x", "no http URL"), ("http://u@h/", "user")]
        {
            let failure = check(&url.parse().unwrap()).unwrap_err();
            assert!(failure.exit == Exit::Usage && failure.what.contains(expected), "{url}: {}", failure.what);
        }
    }
}
