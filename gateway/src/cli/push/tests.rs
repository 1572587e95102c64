//! Push against a small HTTP server that plays the gateway's part with real bytes.

use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
    thread::JoinHandle,
};

use super::*;

const THING: &str = r#"{"title": "Relay", "links": [
    {"rel": "type", "href": "/x"}, {"rel": "controlledBy", "href": "/things/relay/handler"}]}"#;
const HANDLER: &str = r#"{"title": "Handler", "actions": {"replace": {"forms": [
    {"href": "handler/actions/replace{?approve,expect}", "contentType": "application/wasm"}]}}}"#;

/// Answers each connection with the next (status, body), and returns the requests it got.
fn gateway(answers: &[(u16, &str)]) -> (String, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answers: Vec<(u16, String)> = answers.iter().map(|(status, body)| (*status, (*body).to_owned())).collect();
    let serving = std::thread::spawn(move || {
        let mut requests = Vec::new();
        for (status, body) in answers {
            let (mut stream, _) = listener.accept().unwrap();
            requests.push(read_request(&mut stream));
            let head = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n\r\n", body.len());
            stream.write_all((head + &body).as_bytes()).unwrap();
        }
        requests
    });
    (url, serving)
}

fn read_request(stream: &mut std::net::TcpStream) -> String {
    let (mut text, mut bytes) = (String::new(), [0; 1024]);
    loop {
        let count = stream.read(&mut bytes).unwrap();
        text.push_str(&String::from_utf8_lossy(&bytes[..count]));
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
        if body.len() >= length.unwrap_or(0) || count == 0 {
            return text;
        }
    }
}

fn arguments(gateway: String) -> Push {
    Push { thing: "relay".parse().unwrap(), file: "x".into(), gateway, token_file: None, approve: false, expect: None }
}

fn run(arguments: &Push) -> Result<Value, Failure> {
    serve::runtime().unwrap().block_on(replace(arguments, Bytes::from_static(b"component")))
}

#[test]
fn push_follows_the_link_and_the_form_and_shows_the_result() {
    let done = r#"{"version": "2", "digest": "ab", "timings": {"pause": 0.1}}"#;
    let (url, serving) = gateway(&[(200, THING), (200, HANDLER), (200, done)]);
    let expect = crate::names::ComponentDigest::of(b"old");
    let result = run(&Push { approve: true, expect: Some(expect), ..arguments(url) }).unwrap();
    let shown = console::table(&rows_of(&result));
    assert_eq!(shown, "version        2\ndigest         ab\ntimings.pause  0.1");
    let requests = serving.join().unwrap();
    assert!(requests[0].starts_with("GET /things/relay HTTP/1.1\r\n"), "{}", requests[0]);
    assert!(requests[1].starts_with("GET /things/relay/handler HTTP/1.1\r\n"), "{}", requests[1]);
    let line = format!("POST /things/relay/handler/actions/replace?approve=true&expect={expect} HTTP/1.1\r\n");
    assert!(requests[2].starts_with(&line), "{}", requests[2]);
    assert!(requests[2].contains("content-type: application/wasm\r\n") && requests[2].ends_with("\r\n\r\ncomponent"));
}

#[test]
fn a_refusal_is_shown_as_its_problem_document_says_it() {
    let problem = r#"{"title": "Bad component", "detail": "it asks for i2c", "validationErrors": [
        {"field": "/grants/x", "description": "not granted"}, {"field": "", "description": "too large"}]}"#;
    let (url, serving) = gateway(&[(200, THING), (200, HANDLER), (400, problem)]);
    let failure = run(&arguments(url)).unwrap_err();
    assert_eq!(failure.exit, Exit::Refused);
    assert_eq!(failure.what, "the gateway refused (400): Bad component");
    assert_eq!(failure.causes, ["it asks for i2c", "/grants/x: not granted", "too large"]);
    serving.join().unwrap();
}

#[test]
fn every_other_way_to_fail_has_its_exit_code() {
    type Answers = &'static [(u16, &'static str)];
    let rows: [(Answers, Exit, &str); 5] = [
        (&[(404, r#"{"title": "Unknown Thing"}"#)], Exit::Refused, "Unknown Thing"),
        (&[(502, "<html>")], Exit::Refused, "502"),
        (&[(200, "<html>")], Exit::Failed, "did not answer with JSON"),
        (&[(200, r#"{"links": []}"#)], Exit::Refused, "has no handler to replace"),
        (&[(200, THING), (200, "{}")], Exit::Failed, "no form for the action `replace`"),
    ];
    for (answers, exit, what) in rows {
        let (url, serving) = gateway(answers);
        let failure = run(&arguments(url)).unwrap_err();
        assert!(failure.exit == exit && failure.what.contains(what), "{failure:?}");
        serving.join().unwrap();
    }
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert_eq!(run(&arguments(format!("http://{free}"))).unwrap_err().exit, Exit::Unreachable);
    assert_eq!(run(&arguments("https://pi".into())).unwrap_err().exit, Exit::Usage);
    assert_eq!(run(&arguments("pi local".into())).unwrap_err().exit, Exit::Usage);
}
