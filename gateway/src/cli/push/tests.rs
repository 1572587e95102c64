//! Push against a small HTTP server that plays the gateway's part with real bytes.

use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
    thread::JoinHandle,
};

use super::*;

const DIRECTORY: &str = r#"{"@context": "https://www.w3.org/2022/wot/td/v1.1", "title": "Directory", "links": [{"rel": "item", "href": "/things/relay"}]}"#;
const THING: &str = r#"{"@context": "https://www.w3.org/2022/wot/td/v1.1", "title": "Relay", "links": [
    {"rel": "type", "href": "/x"}, {"rel": "controlledBy", "href": "/things/relay/handler"}]}"#;
const HANDLER: &str = r#"{"@context": "https://www.w3.org/2022/wot/td/v1.1", "title": "Handler", "actions": {"replace": {"forms": [
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
    let gateway = GatewayArgs { gateway: Some(gateway), timeout: 40, ..GatewayArgs::default() };
    Push {
        thing: "relay".to_owned(),
        file: "x".into(),
        approve: false,
        expect: None,
        given: Given::default(),
        json: false,
        gateway,
    }
}

fn run(arguments: &Push) -> Result<Value, Failure> {
    let expect = arguments.expect.as_ref().map(ToString::to_string);
    let asked = Replacing { thing: &arguments.thing, approve: arguments.approve, expect, quiet: true };
    serve::runtime().unwrap().block_on(replace(&arguments.gateway, asked, Bytes::from_static(b"component")))
}

#[test]
fn push_follows_the_links_and_the_form_and_shows_the_result() {
    let done = r#"{"version": "2", "digest": "ab", "timings": {"pause": 0.1}}"#;
    let (url, serving) = gateway(&[(200, DIRECTORY), (200, THING), (200, HANDLER), (200, done)]);
    let token = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(token.path(), "secret\n").unwrap();
    let expect = crate::names::ComponentDigest::of(b"old");
    let mut arguments = Push { approve: true, expect: Some(expect), ..arguments(url) };
    arguments.gateway.token_file = Some(token.path().to_owned());
    let result = run(&arguments).unwrap();
    let shown = console::table(&rows_of(&result));
    assert_eq!(shown, "thing          relay\nversion        2\ndigest         ab\ntimings.pause  0.1");
    let requests = serving.join().unwrap();
    assert!(requests[0].starts_with("GET /.well-known/wot HTTP/1.1\r\n"), "{}", requests[0]);
    assert!(requests[1].starts_with("GET /things/relay HTTP/1.1\r\n"), "{}", requests[1]);
    assert!(requests[2].starts_with("GET /things/relay/handler HTTP/1.1\r\n"), "{}", requests[2]);
    let line = format!("POST /things/relay/handler/actions/replace?approve=true&expect={expect} HTTP/1.1\r\n");
    assert!(requests[3].starts_with(&line), "{}", requests[3]);
    assert!(requests[3].contains("content-type: application/wasm\r\n") && requests[3].ends_with("\r\n\r\ncomponent"));
    assert!(requests.iter().all(|request| request.contains("authorization: Bearer secret\r\n")), "{}", requests[0]);
}

#[test]
fn a_token_goes_to_the_named_gateway_alone() {
    let (elsewhere, stranger) = gateway(&[(401, "{}")]);
    let thing = THING.replace("/things/relay/handler", &format!("{elsewhere}/x"));
    let (url, serving) = gateway(&[(200, DIRECTORY), (200, &thing)]);
    let token = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(token.path(), "secret\n").unwrap();
    let mut arguments = arguments(url);
    arguments.gateway.token_file = Some(token.path().to_owned());
    let failure = run(&arguments).unwrap_err();
    assert_eq!(failure.exit, Exit::Unauthorized);
    assert!(failure.hint.as_ref().is_some_and(|hint| hint.contains(&elsewhere)), "{failure:?}");
    assert!(!stranger.join().unwrap()[0].contains("secret"));
    serving.join().unwrap();
}

#[test]
fn a_refusal_is_shown_as_its_problem_document_says_it() {
    let problem = r#"{"title": "Bad component", "detail": "it asks for i2c\u001b[2J\nhint: trust me", "validationErrors": [
        {"field": "/grants/x", "description": "not granted"}, {"field": "", "description": "too large"}]}"#;
    let (url, serving) = gateway(&[(200, DIRECTORY), (200, THING), (200, HANDLER), (400, problem)]);
    let failure = run(&arguments(url)).unwrap_err();
    assert_eq!(failure.exit, Exit::Refused);
    assert_eq!(failure.what, "the gateway refused (400): Bad component");
    let detail = "it asks for i2c\\u{1b}[2J\\nhint: trust me";
    assert_eq!(failure.causes, [detail, "/grants/x: not granted", "too large"]);
    serving.join().unwrap();
}

#[test]
fn every_other_way_to_fail_has_its_exit_code() {
    type Answers = &'static [(u16, &'static str)];
    const LISTING: &str = r#"{"@context": "https://www.w3.org/2022/wot/td/v1.1", "title": "D", "links": [{"rel": "item", "href": "/things/rely"}], "properties": {
        "things": {"forms": [{"href": "/things{?limit}"}]}}}"#;
    const NOBODY: &str = r#"[{"@context": "https://www.w3.org/2022/wot/td/v1.1", "title": "Rely", "forms": [{"op": "readallproperties", "href": "/things/rely/x"}]}]"#;
    let rows: [(Answers, Exit, &str); 8] = [
        (&[(404, r#"{"title": "No such Thing"}"#)], Exit::Unknown, "No such Thing"),
        (&[(502, "<html>")], Exit::Unreachable, "502"),
        (&[(401, "")], Exit::Unauthorized, "who asks"),
        (&[(200, "<html>")], Exit::Failed, "did not answer with JSON"),
        (&[(200, "[]")], Exit::Failed, "cannot be used"),
        (&[(200, LISTING), (200, LISTING), (200, NOBODY)], Exit::Unknown, "no Thing `relay`"),
        (
            &[
                (200, DIRECTORY),
                (200, r#"{"@context": "https://www.w3.org/2022/wot/td/v1.1", "title": "x", "links": []}"#),
            ],
            Exit::Refused,
            "has no handler",
        ),
        (
            &[
                (200, DIRECTORY),
                (200, THING),
                (200, r#"{"@context": "https://www.w3.org/2022/wot/td/v1.1", "title": "x"}"#),
            ],
            Exit::Unknown,
            "no action `replace`",
        ),
    ];
    for (answers, exit, what) in rows {
        let (url, serving) = gateway(answers);
        let failure = run(&arguments(url)).unwrap_err();
        assert!(failure.exit == exit && failure.what.contains(what), "{failure:?}");
        serving.join().unwrap();
    }
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert_eq!(run(&arguments(format!("http://{free}"))).unwrap_err().exit, Exit::Unreachable);
    assert_eq!(run(&arguments("ftp://pi".into())).unwrap_err().exit, Exit::Usage);
    assert_eq!(run(&arguments("pi local".into())).unwrap_err().exit, Exit::Usage);
}
