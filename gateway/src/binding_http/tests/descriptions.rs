//! Thing Descriptions as they are served: valid, cached, in the reader's words.

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};
use thing_descriptions::{Thing, check_td};

use super::bed::Bed;
use crate::config::Config;
use crate::td::hrefs;

async fn with(bed: &Bed, path: &str, headers: &[(&str, &str)]) -> super::bed::Answered {
    let mut request = Request::get(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    bed.send(request.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn every_description_is_valid_and_its_forms_lead_somewhere() {
    let bed = Bed::new();
    for path in ["/things/lamp", "/things/lamp/handler", "/things/board", "/.well-known/wot"] {
        let answer = bed.get(path).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, "application/td+json"), "{path}");
        let document = answer.json();
        assert_eq!(check_td(&document), Ok(()), "{path}: {document:#}");
        assert_eq!(document["@context"][0], "https://www.w3.org/2019/wot/td/v1");
        assert_eq!(document["@context"][1], "https://www.w3.org/2022/wot/td/v1.1");
        for href in hrefs(&Thing::from_value(document).unwrap()) {
            let path = href.strip_prefix("http://localhost:8080").unwrap_or_else(|| panic!("{href} is not ours"));
            let path = path.split('{').next().unwrap().trim_end_matches('/');
            let options = bed.send(Request::options(path).body(Body::empty()).unwrap()).await;
            assert_eq!(options.status, 204, "{href}");
        }
    }
}

#[tokio::test]
async fn links_lead_to_the_directory_the_handler_and_the_model() {
    let bed = Bed::new();
    let document = bed.get("/things/lamp").await.json();
    let link = |rel: &str, path: &str, media: &str| json!({"href": format!("http://localhost:8080{path}"), "type": media, "rel": rel});
    let expected = json!([
        link("collection", "/.well-known/wot", "application/td+json"),
        link("alternate", "/ui#/things/lamp", "text/html"),
        link("controlledBy", "/things/lamp/handler", "application/td+json"),
        link("type", "/things/lamp/model", "application/tm+json"),
    ]);
    let sorted = |links: &Value| {
        let mut links: Vec<String> = links
            .as_array()
            .unwrap()
            .iter()
            .map(|link| format!("{} {} {}", link["rel"], link["href"], link["type"]))
            .collect();
        links.sort();
        links
    };
    assert_eq!(sorted(&document["links"]), sorted(&expected));
    let directory = bed.get("/.well-known/wot").await.json();
    let items: Vec<&Value> =
        directory["links"].as_array().unwrap().iter().filter(|link| link["rel"] == "item").collect();
    assert_eq!(items.len(), 2);
    assert_eq!(directory["properties"]["things"]["forms"][0]["contentType"], "application/ld+json");
}

#[tokio::test]
async fn a_description_is_sent_once() {
    let bed = Bed::new();
    for path in ["/things/lamp", "/things/lamp/model", "/.well-known/wot", "/things", "/things/lamp/handler"] {
        let first = bed.get(path).await;
        let etag = first.header("etag");
        assert!(etag.starts_with('"') && etag.len() == 66, "{path}: {etag}");
        let again = with(&bed, path, &[("if-none-match", etag)]).await;
        assert_eq!((again.status, again.body.len(), again.header("etag")), (304, 0, etag), "{path}");
        assert_eq!(with(&bed, path, &[("if-none-match", "\"other\"")]).await.status, 200);
        assert_eq!(bed.get(path).await.body, first.body);
    }
}

#[tokio::test]
async fn the_reader_decides_language_host_and_form() {
    let bed = Bed::new();
    let german = with(&bed, "/things/lamp", &[("accept-language", "de-AT, en;q=0.5")]).await;
    assert_eq!(german.json()["title"], "Lampe");
    assert_eq!(german.header("vary"), "accept, accept-language");
    assert_ne!(german.header("etag"), bed.get("/things/lamp").await.header("etag"));
    let elsewhere = with(&bed, "/things/lamp", &[("host", "192.168.1.5")]).await.json();
    assert_eq!(elsewhere["properties"]["on"]["forms"][0]["href"], "http://192.168.1.5/things/lamp/properties/on");
    let page = with(&bed, "/things/lamp", &[("accept", "text/html,application/xhtml+xml,*/*;q=0.8")]).await;
    assert_eq!((page.status, page.header("location")), (303, "/ui#/things/lamp"));
    let based = Bed::of(Config { base_url: Some("https://things.example".into()), ..Config::default() });
    let document = based.get("/things/lamp").await.json();
    assert_eq!(document["forms"][0]["href"], "https://things.example/things/lamp/properties");
}

#[tokio::test]
async fn the_listing_is_sorted_and_paged() {
    let bed = Bed::new();
    let all = bed.get("/things").await;
    assert_eq!(all.header("content-type"), "application/ld+json");
    let all = all.json();
    let ids: Vec<&str> = all.as_array().unwrap().iter().map(|thing| thing["id"].as_str().unwrap()).collect();
    assert!(ids.len() == 2 && ids.is_sorted());
    let first = bed.get("/things?limit=1").await;
    let links: Vec<&str> = first.headers.get_all("link").iter().map(|link| link.to_str().unwrap()).collect();
    assert_eq!(links[0], "</things?offset=1&limit=1>; rel=\"next\"");
    assert!(links[1].starts_with("</things>; rel=\"canonical\"; etag=\""));
    let last = bed.get("/things?offset=1&limit=1").await;
    assert_eq!((first.json()[0]["id"].as_str(), last.json()[0]["id"].as_str()), (Some(ids[0]), Some(ids[1])));
    assert_eq!(last.headers.get_all("link").iter().count(), 1);
    let collection = bed.get("/things?format=collection").await.json();
    assert_eq!((collection["total"].as_u64(), collection["members"][0]["id"].as_str()), (Some(2), Some(ids[0])));
}

#[tokio::test]
async fn the_page_lets_nothing_foreign_in() {
    let bed = Bed::new();
    for path in ["/", "/ui", "/ui/app.js", "/ui/consumer.js", "/ui/style.css"] {
        let answer = bed.get(path).await;
        assert!(answer.header("content-security-policy").starts_with("default-src 'self'"), "{path}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        let text = String::from_utf8(answer.body).unwrap();
        for foreign in
            ["innerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "style=\"", "onclick"]
        {
            assert!(!text.contains(foreign), "{foreign} in {path}");
        }
    }
}
