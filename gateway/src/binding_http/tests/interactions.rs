//! Reads, writes and invocations as the table of HTTP Basic has them.

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};

use super::bed::Bed;

const LAMP: &str = "/things/lamp";

#[tokio::test]
async fn a_property_is_read_with_its_age_and_written() {
    let bed = Bed::new();
    let write = bed.json("PUT", &format!("{LAMP}/properties/on"), &json!(true)).await;
    assert_eq!((write.status, write.body.len()), (204, 0));
    let read = bed.get(&format!("{LAMP}/properties/on")).await;
    assert_eq!((read.status, read.body.as_slice()), (200, b"true".as_slice()));
    assert_eq!(read.header("content-type"), "application/json");
    assert_eq!(read.header("cache-control"), "no-cache");
    assert_eq!(read.header("reading-quality"), "good");
    assert_eq!(read.header("content-length"), "4");
    assert!(read.header("last-modified").ends_with("GMT"));
    assert!(read.header("age").parse::<u64>().unwrap() < 5);
    let id = bed.servient.thing("lamp").unwrap().id().to_string().replace(':', "%3A");
    assert_eq!(bed.get(&format!("/things/{id}/properties/on")).await.body, b"true");
}

#[tokio::test]
async fn several_properties_are_written_whole_or_not_at_all() {
    let bed = Bed::new();
    let path = format!("{LAMP}/properties");
    assert_eq!(bed.json("PUT", &path, &json!({"on": true, "level": 7})).await.status, 204);
    assert_eq!(bed.get(&format!("{path}/level")).await.body, b"7");
    let refused = bed.json("PUT", &path, &json!({"on": false, "level": 101})).await;
    assert_eq!((refused.status, &refused.json()["validationErrors"][0]["field"]), (400, &json!("/level")));
    assert_eq!(bed.get(&format!("{path}/on")).await.body, b"true");
    assert_eq!(bed.json("PUT", &path, &json!([1])).await.status, 400);
    let unavailable = bed.get(&path).await;
    assert_eq!((unavailable.status, unavailable.header("retry-after")), (503, "7"));
    assert!(unavailable.json()["detail"].as_str().unwrap().contains("hours"));
}

#[tokio::test]
async fn a_synchronous_action_answers_with_its_output_or_nothing() {
    let bed = Bed::new();
    let blink = bed.json("POST", &format!("{LAMP}/actions/blink"), &json!({"times": 3})).await;
    assert_eq!((blink.status, blink.json()), (200, json!(3)));
    let refused = bed.json("POST", &format!("{LAMP}/actions/blink"), &json!({"times": 10})).await;
    assert_eq!((refused.status, &refused.json()["validationErrors"][0]["field"]), (400, &json!("/times")));
    let rest = Request::post(format!("{LAMP}/actions/rest")).body(Body::empty()).unwrap();
    assert_eq!(bed.send(rest).await.status, 204);
    assert_eq!(bed.json("POST", &format!("{LAMP}/actions/rest"), &Value::Null).await.status, 204);
    assert_eq!(bed.json("POST", &format!("{LAMP}/actions/rest"), &json!(1)).await.status, 400);
}

#[tokio::test]
async fn an_asynchronous_action_is_queried_and_cancelled_at_its_own_url() {
    let bed = Bed::new();
    let fade = bed.send(Request::post(format!("{LAMP}/actions/fade")).body(Body::empty()).unwrap()).await;
    assert_eq!(fade.status, 201);
    let href = fade.json()["href"].as_str().unwrap().to_owned();
    assert_eq!(fade.header("location"), href);
    assert!(href.starts_with("http://localhost:8080/things/lamp/actions/fade/"), "{href}");
    let path = href.strip_prefix("http://localhost:8080").unwrap();
    let status = bed.get(path).await;
    assert_eq!(status.status, 200);
    assert!(["pending", "running"].contains(&status.json()["status"].as_str().unwrap()));
    let all = bed.get(&format!("{LAMP}/actions")).await.json();
    assert_eq!(all["fade"][0]["href"], href);
    let cancel = bed.send(Request::delete(path).body(Body::empty()).unwrap()).await;
    assert_eq!(cancel.status, 204);
    let gone = bed.get(path).await;
    assert_eq!((gone.status, gone.json()["type"].as_str()), (404, Some("urn:tidegate:problem:unknown-invocation")));
    assert_eq!(bed.get(&format!("{LAMP}/actions")).await.json(), json!({}));
}

#[tokio::test]
async fn the_board_is_worked_by_its_actions() {
    let bed = Bed::new();
    let press = bed.json("POST", "/things/board/actions/press", &json!({"part": "button"})).await;
    assert!([204, 400].contains(&press.status), "{}", press.status);
    let unknown = bed.json("POST", "/things/board/actions/press", &json!({"part": "none"})).await;
    assert_eq!(unknown.status, 400);
    assert_eq!(bed.get("/things/board/properties/state").await.status, 200);
}
