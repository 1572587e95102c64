//! Methods over routes: what each resource offers, and that it says so the same way everywhere.

use axum::body::Body;
use axum::http::Request;

use super::bed::Bed;

/// Path, `Allow`, and the status of a plain GET.
pub(super) const TABLE: &[(&str, &str, u16)] = &[
    ("/", "GET, HEAD, OPTIONS", 200),
    ("/ui", "GET, HEAD, OPTIONS", 200),
    ("/ui/app.js", "GET, HEAD, OPTIONS", 200),
    ("/session", "GET, HEAD, POST, DELETE, OPTIONS", 200),
    ("/.well-known/wot", "GET, HEAD, OPTIONS", 200),
    ("/things", "GET, HEAD, OPTIONS", 200),
    ("/things/lamp", "GET, HEAD, OPTIONS", 200),
    ("/things/lamp/model", "GET, HEAD, OPTIONS", 200),
    ("/things/lamp/properties", "GET, HEAD, PUT, OPTIONS", 503),
    ("/things/board/properties", "GET, HEAD, OPTIONS", 200),
    ("/things/lamp/properties/on", "GET, HEAD, PUT, OPTIONS", 200),
    ("/things/lamp/properties/hours", "GET, HEAD, OPTIONS", 503),
    ("/things/lamp/properties/secret", "PUT, OPTIONS", 405),
    ("/things/lamp/actions", "GET, HEAD, OPTIONS", 200),
    ("/things/lamp/actions/blink", "POST, OPTIONS", 405),
    ("/things/lamp/events", "GET, HEAD, OPTIONS", 406),
    ("/things/lamp/events/hot", "GET, HEAD, OPTIONS", 406),
    ("/things/lamp/handler", "GET, HEAD, OPTIONS", 200),
    ("/things/lamp/handler/model", "GET, HEAD, OPTIONS", 200),
    ("/things/lamp/handler/actions/replace", "POST, OPTIONS", 405),
    ("/things/lamp/handler/events/fault", "GET, HEAD, OPTIONS", 406),
];

pub(super) const METHODS: [&str; 9] = ["GET", "HEAD", "PUT", "POST", "DELETE", "PATCH", "TRACE", "CONNECT", "BREW"];

#[tokio::test]
async fn every_resource_offers_what_it_says() {
    let bed = Bed::new();
    for (path, allow, of_get) in TABLE {
        let options = bed.send(Request::options(*path).body(Body::empty()).unwrap()).await;
        assert_eq!((options.status, options.header("allow")), (204, *allow), "OPTIONS {path}");
        for method in METHODS {
            let request = Request::builder().method(method).uri(*path).body(Body::empty()).unwrap();
            let answer = bed.send(request).await;
            let offered = allow.split(", ").any(|offered| offered == method);
            if !offered {
                assert_eq!((answer.status, answer.header("allow")), (405, *allow), "{method} {path}");
                assert_eq!(answer.header("content-type"), "application/problem+json", "{method} {path}");
            } else if method == "GET" || method == "HEAD" {
                assert_eq!(answer.status, *of_get, "{method} {path}");
                assert!(method == "GET" || answer.body.is_empty(), "HEAD {path} has no body");
            } else {
                assert_ne!(answer.status, 405, "{method} {path}");
            }
        }
    }
}

#[tokio::test]
async fn head_has_the_headers_of_get() {
    let bed = Bed::new();
    for (path, _, of_get) in TABLE.iter().filter(|(_, _, status)| *status == 200) {
        let get = bed.get(path).await;
        let head = bed.send(Request::head(*path).body(Body::empty()).unwrap()).await;
        assert_eq!(get.status, *of_get);
        for name in ["content-type", "content-length", "etag", "cache-control"] {
            assert_eq!(head.header(name), get.header(name), "{name} of {path}");
        }
        assert_eq!(get.header("content-length"), get.body.len().to_string(), "{path}");
    }
}

#[tokio::test]
async fn long_polls_answer_head_at_once() {
    let bed = Bed::new();
    for path in ["/things/lamp/properties/on/longpoll", "/things/lamp/events/hot/longpoll"] {
        let head = bed.send(Request::head(path).body(Body::empty()).unwrap()).await;
        assert_eq!((head.status, head.header("content-type")), (200, "application/json"));
        let options = bed.send(Request::options(path).body(Body::empty()).unwrap()).await;
        assert_eq!(options.header("allow"), "GET, HEAD, OPTIONS");
    }
    assert_eq!(bed.get("/things/lamp/properties/level/longpoll").await.status, 404);
}

#[tokio::test]
async fn strange_paths_are_problems() {
    let bed = Bed::new();
    let long = format!("/things/{}", "a".repeat(4000));
    let strange = [
        ("/nothing", 404),
        ("//", 404),
        ("/things/", 404),
        ("/things/none", 404),
        ("/things/lamp/", 404),
        ("/things/lamp/properties/", 404),
        ("/things/lamp/properties/none", 404),
        ("/things/LAMP", 404),
        ("/things/lamp/properties/on/", 404),
        ("/things/lamp/properties/on/x", 404),
        ("/things/board/handler", 404),
        ("/things/lamp/handler/handler", 404),
        ("/things/%FF", 400),
        ("/things/lamp/properties/%C3%28", 400),
        ("/things/%00", 404),
        ("/things/..%2f..%2fetc", 404),
        ("/things/%", 404),
        ("/things/lamp/actions/fade/1", 404),
        ("/things/lamp/actions/fade/00000000-0000-0000-0000-000000000000", 404),
        ("/ui/..%2fCargo.toml", 404),
        ("/ui/%FF", 404),
        ("/things/lamp%20", 404),
        ("/things/%6Camp", 200),
        (long.as_str(), 404),
        ("/things?limit=x", 400),
        ("/things/lamp/properties/on?a=%FF&&=&b", 200),
    ];
    for (path, status) in strange {
        let answer = bed.get(path).await;
        assert_eq!(answer.status, status, "{path}");
        if status >= 400 {
            assert_eq!(answer.header("content-type"), "application/problem+json", "{path}");
            let body = answer.json();
            assert_eq!(
                (body["status"].as_u64(), body["instance"].as_str().is_some()),
                (Some(status.into()), true),
                "{path}"
            );
        }
    }
}
