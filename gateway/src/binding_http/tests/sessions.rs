//! Signing in with a browser: cookies, what they count for, and that no page of others gets anything by them.

use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use serde_json::json;

use super::bed::{Answered, Bed};
use crate::access::Token;

const ON: &str = "/things/lamp/properties/on";
const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

async fn post(bed: &Bed, headers: &[(&str, &str)], media: &str, body: &str) -> Answered {
    let request = Request::post("/session").header("content-type", media);
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    bed.send(request.body(Body::from(body.to_owned())).unwrap()).await
}

async fn sign_in(bed: &Bed, token: &Token, headers: &[(&str, &str)]) -> Answered {
    post(bed, headers, JSON, &json!({ "token": token.reveal() }).to_string()).await
}

/// What the browser sends back.
fn cookie(answer: &Answered) -> String {
    answer.header("set-cookie").split(';').next().unwrap_or_default().to_owned()
}

async fn get(bed: &Bed, path: &str, headers: &[(&str, &str)]) -> Answered {
    let request = headers.iter().fold(Request::get(path), |request, (name, value)| request.header(*name, *value));
    bed.send(request.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn a_browser_signs_in_and_out() {
    let (bed, token) = Bed::protected();
    assert_eq!(bed.get("/session").await.json(), json!({"tokenNeeded": true, "signedIn": false, "readable": false}));
    let answer = sign_in(&bed, &token, &[]).await;
    assert_eq!((answer.status, answer.header("cache-control")), (204, "no-store"));
    let set = answer.header("set-cookie");
    assert!(set.starts_with("__Host-tidegate-8080=tg_"), "{set}");
    assert!(set.ends_with("; Path=/; Max-Age=604800; HttpOnly; SameSite=Strict; Secure"), "{set}");
    assert!(!set.contains(token.reveal()), "the cookie is not the token");
    let cookie = cookie(&answer);
    assert_eq!(get(&bed, ON, &[("cookie", &cookie)]).await.status, 200);
    assert_eq!(get(&bed, "/session", &[("cookie", &cookie)]).await.json()["signedIn"], true);
    let out = Request::delete("/session").header("cookie", &cookie).body(Body::empty()).unwrap();
    let out = bed.send(out).await;
    assert_eq!((out.status, out.header("set-cookie").contains("=; Path=/; Max-Age=0;")), (204, true));
    let after = get(&bed, ON, &[("cookie", &cookie)]).await;
    assert_eq!((after.status, after.header("www-authenticate")), (401, "Bearer realm=\"tidegate\""));
    assert_eq!(after.headers.get_all("www-authenticate").iter().count(), 1, "a browser would open its own window");
}

#[tokio::test]
async fn a_form_signs_in_too_and_elsewhere_the_cookie_is_a_plain_one() {
    let (bed, token) = Bed::protected();
    let form = format!("other=1&token={}", token.reveal());
    let answer = post(&bed, &[("host", "192.168.1.9:8080")], FORM, &form).await;
    assert_eq!((answer.status, answer.header("location")), (303, "/"));
    let set = answer.header("set-cookie");
    assert!(set.starts_with("tidegate-8080=tg_") && !set.contains("Secure") && set.contains("HttpOnly"), "{set}");
    let there = [("host", "192.168.1.9:8080"), ("cookie", &*cookie(&answer))];
    assert_eq!(get(&bed, ON, &there).await.status, 200);
    assert_eq!(get(&bed, "/session", &there).await.json()["readable"], true);
    assert_eq!(get(&bed, ON, &there[1..]).await.status, 401, "on loopback another name is expected");
}

#[tokio::test]
async fn what_does_not_sign_in() {
    let (bed, token) = Bed::protected();
    let (token, good) = (token.reveal(), json!({ "token": token.reveal() }).to_string());
    for (media, body, status) in [
        (JSON, "{}", 400),
        (JSON, "", 400),
        (JSON, "{", 400),
        (JSON, "{\"token\":1}", 400),
        (FORM, "tokens=1", 400),
        (FORM, "\u{0}\u{ff}", 400),
        ("text/plain", token, 415),
        (JSON, "{\"token\":\"tg_wrong\"}", 401),
        (FORM, "token=", 401),
        (JSON, &format!("{{\"token\":\"{}\"}}", "x".repeat(5_000)), 413),
    ] {
        let answer = post(&bed, &[], media, body).await;
        assert_eq!((answer.status, answer.header("set-cookie")), (status, ""), "{media} {body}");
    }
    assert_eq!(
        post(&bed, &[], JSON, "{\"token\":\"tg_wrong\"}").await.header("www-authenticate"),
        "Bearer realm=\"tidegate\""
    );
    for foreign in
        [("origin", "http://evil.example"), ("sec-fetch-site", "cross-site"), ("origin", "http://localhost:3000")]
    {
        assert_eq!(
            post(&bed, &[foreign], JSON, &good).await.status,
            403,
            "{foreign:?}: nobody signs a user in from elsewhere"
        );
    }
    assert_eq!(post(&bed, &[("host", "evil.example")], JSON, &good).await.status, 421);
    assert_eq!(get(&bed, &format!("/session?token={token}"), &[]).await.json()["signedIn"], false);
    let open = Bed::new();
    assert_eq!(post(&open, &[], JSON, &good).await.status, 409, "there is nothing to sign in to");
    assert_eq!(open.get("/session").await.json()["tokenNeeded"], false);
}

#[tokio::test]
async fn a_session_is_new_each_time_and_a_tossed_cookie_is_none() {
    let (bed, token) = Bed::protected();
    let fixed = format!("__Host-tidegate-8080=tg_{}", "0".repeat(64));
    let first = cookie(&sign_in(&bed, &token, &[("cookie", &fixed)]).await);
    assert_eq!(get(&bed, ON, &[("cookie", &fixed)]).await.status, 401, "who fixed it has nothing");
    let second = cookie(&sign_in(&bed, &token, &[("cookie", &first)]).await);
    assert_ne!(first, second);
    assert_eq!(get(&bed, ON, &[("cookie", &first)]).await.status, 401, "the one before has ended");
    let both = format!("{fixed}; {second}");
    assert_eq!(get(&bed, ON, &[("cookie", &both)]).await.status, 200, "a tossed one does not hide the good one");
    let wrong = [("cookie", &*second), ("authorization", "Bearer tg_wrong")];
    assert_eq!(get(&bed, ON, &wrong).await.status, 401, "what is shown counts, not what else there would be");
    let as_token = format!("Bearer {}", second.split_once('=').unwrap().1);
    assert_eq!(get(&bed, ON, &[("authorization", &as_token)]).await.status, 401, "a session is no token");
}

#[tokio::test]
async fn pages_of_others_get_nothing_by_the_cookie() {
    let (bed, token) = Bed::protected();
    let cookie = cookie(&sign_in(&bed, &token, &[]).await);
    for foreign in
        [("origin", "http://localhost:3000"), ("sec-fetch-site", "same-site"), ("sec-fetch-site", "cross-site")]
    {
        let headers = [("cookie", &*cookie), foreign, ("accept", "text/event-stream")];
        let answer = tokio::time::timeout(Duration::from_secs(20), get(&bed, ON, &headers)).await;
        assert_eq!(answer.map_or(0, |answer| answer.status), 401, "{foreign:?}: no stream");
        let write =
            Request::put(ON).header("cookie", &cookie).header(foreign.0, foreign.1).header("content-type", JSON);
        assert_eq!(bed.send(write.body(Body::from("true")).unwrap()).await.status, 403, "{foreign:?}: no write");
        let out = Request::delete("/session").header("cookie", &cookie).header(foreign.0, foreign.1);
        assert_eq!(bed.send(out.body(Body::empty()).unwrap()).await.status, 403, "{foreign:?}: no signing out");
    }
    let own = [("cookie", &*cookie), ("origin", "http://localhost:8080"), ("sec-fetch-site", "same-origin")];
    assert_eq!(get(&bed, ON, &own).await.status, 200);
}

#[tokio::test]
async fn the_page_may_load_nothing_foreign_and_nobody_may_frame_it() {
    let (bed, _) = Bed::protected();
    let page = bed.get("/").await;
    let policy = page.header("content-security-policy");
    for wanted in ["default-src 'self'", "frame-ancestors 'none'", "form-action 'self'", "base-uri 'none'"] {
        assert!(policy.contains(wanted), "{policy}");
    }
    assert!(!policy.contains("unsafe") && page.header("x-content-type-options") == "nosniff");
    let text = String::from_utf8(page.body.clone()).unwrap();
    let attributes = text.split([' ', '<', '>']).filter_map(|word| word.split_once('=').map(|(name, _)| name));
    assert!(attributes.clone().any(|name| name == "href"), "there are attributes");
    assert!(
        !text.contains("<script>") && !attributes.clone().any(|name| name.starts_with("on")),
        "no script in the page itself"
    );
    let session = bed.get("/session").await;
    assert_eq!((session.header("x-content-type-options"), session.header("cache-control")), ("nosniff", "no-store"));
}
