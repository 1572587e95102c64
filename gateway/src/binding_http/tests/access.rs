//! With a token: nothing is reached without it, by whatever way, and refusals tell nothing.

use std::collections::BTreeSet;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::HOST;
use axum::http::{Method, Request};
use tower::ServiceExt;

use super::bed::{Answered, Bed};
use super::routes::{METHODS, TABLE};
use crate::access::Token;

const ON: &str = "/things/lamp/properties/on";
/// What is there without a token.
const OPEN: [&str; 7] = ["/", "/ui", "/ui/app.js", "/ui/consumer.js", "/ui/style.css", "/ui/icon.svg", "/session"];

fn request(method: &str, path: &str, headers: &[(&str, &str)]) -> Request<Body> {
    let request = Request::builder().method(method).uri(path);
    headers.iter().fold(request, |request, (name, value)| request.header(*name, *value)).body(Body::empty()).unwrap()
}

fn bearer(token: &Token) -> String {
    format!("Bearer {}", token.reveal())
}

fn is_unauthorized(answer: &Answered) -> bool {
    let ways: Vec<_> = answer.headers.get_all("www-authenticate").iter().collect();
    let ways_are_right = ways == ["Bearer realm=\"tidegate\"", "Basic realm=\"tidegate\", charset=\"UTF-8\""];
    answer.status == 401 && ways_are_right && answer.header("content-type") == "application/problem+json"
}

/// Every template of the router, as its own description has them.
fn templates(bed: &Bed) -> BTreeSet<String> {
    let described = format!("{:?}", bed.router);
    let strings = described.split('"').skip(1).step_by(2);
    strings.filter(|text| text.starts_with('/')).map(str::to_owned).collect()
}

#[tokio::test]
async fn every_route_there_is_needs_the_token() {
    let (bed, token) = Bed::protected();
    let templates = templates(&bed);
    assert!(
        templates.len() >= 26 && templates.contains("/things/{controlled}/handler/actions/{name}/{id}"),
        "{templates:?}"
    );
    for template in &templates {
        let path = template
            .replace("{thing}", "lamp")
            .replace("{controlled}", "lamp")
            .replace("{name}", "on")
            .replace("{file}", "app.js")
            .replace("{id}", "00000000-0000-0000-0000-000000000000");
        for method in METHODS.iter().chain(&["OPTIONS"]) {
            let answer = bed.send(request(method, &path, &[])).await;
            assert_eq!(is_unauthorized(&answer), !OPEN.contains(&path.as_str()), "{method} {path}: {}", answer.status);
            assert!(answer.status != 401 || *method != "HEAD" || answer.body.is_empty(), "HEAD {path} has no body");
        }
        if !path.ends_with("longpoll") {
            let answer = bed.send(request("GET", &path, &[("authorization", &bearer(&token))])).await;
            assert_ne!(answer.status, 401, "{path}");
        }
    }
}

#[tokio::test]
async fn every_form_and_link_of_every_description_needs_the_token() {
    let (bed, token) = Bed::protected();
    let authorization = bearer(&token);
    let mut paths: BTreeSet<String> = TABLE.iter().map(|(path, _, _)| (*path).to_owned()).collect();
    for description in ["/.well-known/wot", "/things/lamp", "/things/lamp/handler", "/things/board"] {
        let described = bed.send(request("GET", description, &[("authorization", &authorization)])).await;
        let text = String::from_utf8(described.body.clone()).unwrap();
        let hrefs = text.split("\"href\":\"").skip(1).filter_map(|rest| rest.split('"').next());
        let urls =
            hrefs.map(|href| href.replace("{id}", "lamp")).filter_map(|href| href.parse::<axum::http::Uri>().ok());
        paths.extend(urls.map(|url| url.path().split("%7B").next().unwrap_or_default().to_owned()));
        let document = described.json();
        assert_eq!(document["security"], "basic_sc", "{description}");
        let expected = serde_json::json!({"basic_sc": {"scheme": "basic", "in": "header", "name": "Authorization"}});
        assert_eq!(document["securityDefinitions"], expected, "{description}");
        assert!(!text.contains("nosec"), "{description}");
    }
    assert!(paths.len() > 40, "{paths:?}");
    for path in paths.iter().filter(|path| !OPEN.contains(&path.as_str())) {
        for method in ["GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS"] {
            assert!(is_unauthorized(&bed.send(request(method, path, &[])).await), "{method} {path}");
        }
    }
}

#[tokio::test]
async fn what_is_not_there_is_not_told_from_what_is() {
    let (bed, token) = Bed::protected();
    let mut bodies = BTreeSet::new();
    for path in
        ["/nothing", "/things/none", "/things/", "//", "/things/%FF", "/ui/x/y", "/SESSION", ON, "/things/lamp/"]
    {
        let answer = bed.get(path).await;
        assert!(is_unauthorized(&answer), "{path}: {}", answer.status);
        let mut body = answer.json();
        assert!(body.as_object_mut().unwrap().remove("instance").is_some());
        bodies.insert(body.to_string());
    }
    assert_eq!(bodies.len(), 1, "{bodies:?}");
    assert_eq!(bed.send(request("GET", "/nothing", &[("authorization", &bearer(&token))])).await.status, 404);
}

#[tokio::test]
async fn no_wrong_and_unreadable_credentials_get_one_answer() {
    let (bed, token) = Bed::protected();
    let (token, right) = (token.reveal(), bearer(&token));
    let long = format!("Bearer {}", "x".repeat(15_000));
    let wrong: [&[(&str, &str)]; 10] = [
        &[],
        &[("authorization", "Bearer tg_wrong")],
        &[("authorization", "Basic !!!!")],
        &[("authorization", token)],
        &[("authorization", &long)],
        &[("authorization", "")],
        &[("authorization", &right), ("authorization", &right)],
        &[("authorization", &right), ("authorization", "Basic eDp5")],
        &[("cookie", "unknown=1")],
        &[("x-forwarded-for", "127.0.0.1"), ("authorization", "Digest x")],
    ];
    let mut answers = BTreeSet::new();
    for headers in wrong {
        let answer = bed.send(request("GET", ON, headers)).await;
        assert!(is_unauthorized(&answer), "{headers:?}");
        answers.insert(format!("{:?} {:?}", answer.headers, answer.body));
    }
    assert_eq!(answers.len(), 1, "{answers:?}");
    for path in
        [format!("{ON}?access_token={token}"), format!("{ON}?token={token}"), format!("{ON}?authorization={right}")]
    {
        let path = path.replace(' ', "%20");
        assert!(is_unauthorized(&bed.get(&path).await), "a token in a URL is not taken");
    }
    for right in [right.clone(), right.replace("Bearer", "bEARER")] {
        assert_eq!(bed.send(request("GET", ON, &[("authorization", &right)])).await.status, 200);
    }
    let body = bed.send(request("GET", ON, &[("authorization", &long)])).await.json().to_string();
    assert!(!body.contains("xxx") && !body.contains(token));
}

#[tokio::test]
async fn guesses_get_429_and_the_right_token_does_not() {
    let (bed, token) = Bed::protected();
    let guess = || bed.send(request("GET", ON, &[("authorization", "Bearer tg_guess")]));
    let mut last = guess().await;
    while last.status == 401 {
        last = guess().await;
    }
    assert_eq!((last.status, last.json()["type"].as_str()), (429, Some("urn:tidegate:problem:too-many-guesses")));
    assert!(last.header("retry-after").parse::<u64>().is_ok_and(|seconds| (1..=5).contains(&seconds)));
    assert_eq!(bed.send(request("GET", ON, &[("authorization", &bearer(&token))])).await.status, 200);
    assert_eq!(bed.get(ON).await.status, 401, "who shows nothing guesses nothing");
}

#[tokio::test]
async fn a_stream_and_a_long_poll_end_with_the_token() {
    let (bed, token) = Bed::protected();
    let authorization = bearer(&token);
    let stream = bed.open(ON, &[("accept", "text/event-stream"), ("authorization", &authorization)]).await;
    let poll =
        request("GET", &format!("{ON}/longpoll"), &[("authorization", &authorization), (HOST.as_str(), "localhost")]);
    let router = bed.router.clone();
    let poll = tokio::spawn(async move { router.oneshot(poll).await.unwrap().status() });
    while bed.servient.access().stay_count() < 2 {
        tokio::task::yield_now().await;
    }
    bed.servient.access().change(crate::access::TokenSet::default());
    let body = axum::body::to_bytes(stream.into_body(), 1 << 20);
    tokio::time::timeout(Duration::from_secs(20), body).await.unwrap().unwrap();
    assert_eq!(tokio::time::timeout(Duration::from_secs(20), poll).await.unwrap().unwrap(), 401);
    for method in [Method::GET, Method::PUT] {
        let answer = bed.send(request(method.as_str(), ON, &[("authorization", &authorization)])).await;
        assert!(is_unauthorized(&answer), "without any token nothing is open");
    }
}
