//! Refusals: a problem document (RFC 9457) as a failure with its reasons, and what to do about the usual ones.

use hyper::{StatusCode, Uri};
use serde_json::Value;

use super::{Answer, Consumer, Exit, Failure, Origin};

/// Longest text that is shown of one reason, in characters.
const TEXT_CHARS_MAX: usize = 1_000;

impl Consumer {
    /// An answer that is a success.
    pub(super) fn accepted(&self, url: &Uri, answer: &Answer) -> Result<(), Failure> {
        match answer.status.is_success() {
            true => Ok(()),
            false => Err(self.refusal(url, answer)),
        }
    }

    /// Title, detail and each validation error of a problem document; the bare status of any other answer.
    pub(super) fn refusal(&self, url: &Uri, answer: &Answer) -> Failure {
        let problem: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let reasons = reasons(&problem);
        let title = text(&problem, "title").unwrap_or_else(|| answer.status.to_string());
        let code = answer.status.as_u16();
        let (exit, what) = match answer.status {
            StatusCode::UNAUTHORIZED => (Exit::Unauthorized, format!("the gateway wants to know who asks ({code})")),
            StatusCode::FORBIDDEN => (Exit::Refused, format!("the gateway does not allow it ({code}): {title}")),
            StatusCode::NOT_FOUND => (Exit::Unknown, format!("the gateway knows no such thing ({code}): {title}")),
            // No gateway says so, only a proxy in front of one: it may be back soon.
            StatusCode::BAD_GATEWAY => {
                (Exit::Unreachable, format!("a proxy answers, and the gateway behind it does not ({code})"))
            }
            _ => (Exit::Refused, format!("the gateway refused ({code}): {title}")),
        };
        let failure = Failure { causes: reasons, ..Failure::new(exit, what) };
        match self.advice(url, answer) {
            Some(hint) => failure.with_hint(hint),
            None => failure,
        }
    }

    fn advice(&self, url: &Uri, answer: &Answer) -> Option<String> {
        let origin = Origin::of(url).ok()?;
        let elsewhere = origin != self.origin;
        let retry = answer.headers.get("retry-after").and_then(|after| after.to_str().ok()?.parse::<u32>().ok());
        let out_of_tls = self.without_tls(&origin);
        Some(match answer.status {
            StatusCode::UNAUTHORIZED | StatusCode::BAD_REQUEST if out_of_tls.is_some() => out_of_tls?,
            StatusCode::BAD_REQUEST if !origin.is_tls() && asks_for_tls(answer) => {
                format!("a proxy with TLS listens there: it is {}", origin.other_scheme())
            }
            StatusCode::UNAUTHORIZED if elsewhere && self.token.is_some() => format!(
                "the form leads to {url}, and the token goes to {} alone; name that address with `--gateway`",
                self.origin
            ),
            StatusCode::UNAUTHORIZED if self.token.is_some() => {
                "the token is not (or no longer) valid; `tidegate token new` on the gateway's machine makes one"
                    .to_owned()
            }
            StatusCode::UNAUTHORIZED => "give the token with `--token-file FILE`, or in TIDEGATE_TOKEN_FILE or \
                 TIDEGATE_TOKEN; `tidegate token new` on the gateway's machine makes one"
                .to_owned(),
            StatusCode::FORBIDDEN => {
                "give what is missing: a grant in the Thing's declaration, or a right by whoever runs the gateway"
                    .to_owned()
            }
            StatusCode::CONFLICT => {
                "`tidegate handler list` shows how handlers stand; try again when nothing else is under way".to_owned()
            }
            StatusCode::MISDIRECTED_REQUEST => {
                "name the gateway by its address or `localhost`, or add the name to its `allowed-hosts`".to_owned()
            }
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                format!("try again in {} s", retry.unwrap_or(1))
            }
            StatusCode::BAD_REQUEST => "`--help` and `tidegate thing show THING` say what is expected".to_owned(),
            StatusCode::INSUFFICIENT_STORAGE => "make room on the gateway's disk".to_owned(),
            StatusCode::BAD_GATEWAY => "is the gateway running, and does the proxy know its port?".to_owned(),
            status if status.is_redirection() => "redirects are not followed: name the address it leads to".to_owned(),
            _ => return None,
        })
    }
}

/// Whether it is the page by which nginx, Apache and programs in Go answer plain HTTP where they expect TLS.
fn asks_for_tls(answer: &Answer) -> bool {
    let is_page = serde_json::from_slice::<Value>(&answer.body).is_err();
    is_page && answer.body.windows(5).any(|word| word == b"HTTPS")
}

/// What a problem document says: its detail, then each field that is wrong.
pub(in crate::cli) fn reasons(problem: &Value) -> Vec<String> {
    let errors = problem.get("validationErrors").and_then(Value::as_array).into_iter().flatten();
    let errors = errors.filter_map(|error| {
        let description = text(error, "description")?;
        Some(match text(error, "field").filter(|field| !field.is_empty()) {
            Some(field) => format!("{field}: {description}"),
            None => description,
        })
    });
    text(problem, "detail").into_iter().chain(errors).collect()
}

/// One line: a reason from outside must not look like a line of ours.
fn text(value: &Value, key: &str) -> Option<String> {
    let text = value.get(key)?.as_str()?;
    Some(crate::cli::terminal::plain(&text.chars().take(TEXT_CHARS_MAX).collect::<String>()))
}
