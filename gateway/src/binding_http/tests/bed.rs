//! A servient with two Things: the simulated board, and a lamp whose task is a few lines of Rust instead of a handler.

use std::sync::{Arc, Weak};
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::body::Body;
use axum::http::header::HOST;
use axum::http::{HeaderMap, Request, StatusCode};
use handler_host::{Outcome, Value as HandlerValue};
use serde_json::{Value, json};
use tempfile::TempDir;
use things::Board;
use tokio::sync::mpsc;
use tower::ServiceExt;

use crate::access::{Access, Token};
use crate::behavior::Behavior;
use crate::behavior::board::BoardBehavior;
use crate::behavior::handler::HandlerBehavior;
use crate::behavior::handler::request::Request as Message;
use crate::config::Config;
use crate::exposed_thing::description::Naming;
use crate::exposed_thing::outlet::{Answer, Outlet};
use crate::exposed_thing::{Description, ExposedThing};
use crate::interaction::InteractionError;
use crate::names::ThingId;
use crate::servient::Servient;
use crate::store::Store;

pub(super) struct Bed {
    pub(super) servient: Arc<Servient>,
    pub(super) router: Router,
    pub(super) lamp: Arc<Outlet>,
    _folder: TempDir,
}

/// What came back.
pub(super) struct Answered {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Answered {
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {:?}", String::from_utf8_lossy(&self.body)))
    }

    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

impl Bed {
    pub(super) fn new() -> Self {
        Self::of(Config::default())
    }

    pub(super) fn of(config: Config) -> Self {
        Self::with(config, Access::open())
    }

    /// One with a token.
    pub(super) fn protected() -> (Self, Token) {
        let (access, token) = Access::with_a_token();
        (Self::with(Config::default(), access), token)
    }

    fn with(config: Config, access: Access) -> Self {
        let folder = TempDir::new().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let servient =
            Arc::new(Servient::new(config, described(&own_model("directory"), &ThingId::mint()), Arc::new(access)));
        let (board, _) = thing(
            &store,
            "board",
            "/things/board",
            &own_model("board"),
            Behavior::Board(BoardBehavior::new(Board::new())),
        );
        servient.expose(&Arc::new(board));
        let (inbox, messages) = mpsc::channel(8);
        let behavior = HandlerBehavior::new(inbox, Weak::new());
        let control = Behavior::Handler(behavior.clone());
        let (control, _) = thing(&store, "lamp", "/things/lamp/handler", &own_model("handler"), control);
        let (lamp, outlet) = thing(&store, "lamp", "/things/lamp", &lamp_model(), Behavior::Handler(behavior));
        tokio::spawn(lamp_task(messages, Arc::clone(&outlet)));
        servient.expose(&Arc::new(lamp.controlled_by(Arc::new(control))));
        let router = super::super::router(Arc::clone(&servient));
        Self { servient, router, lamp: outlet, _folder: folder }
    }

    pub(super) async fn send(&self, request: Request<Body>) -> Answered {
        let (mut parts, body) = request.into_parts();
        parts.headers.entry(HOST).or_insert("localhost:8080".parse().unwrap());
        let response = self.router.clone().oneshot(Request::from_parts(parts, body)).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, 1 << 20).await.unwrap().to_vec();
        Answered { status: parts.status.as_u16(), headers: parts.headers, body }
    }

    pub(super) async fn get(&self, path: &str) -> Answered {
        self.send(Request::get(path).body(Body::empty()).unwrap()).await
    }

    pub(super) async fn json(&self, method: &str, path: &str, body: &Value) -> Answered {
        let request = Request::builder().method(method).uri(path).header("content-type", "application/json");
        self.send(request.body(Body::from(body.to_string())).unwrap()).await
    }

    /// The response itself, for bodies that do not end.
    pub(super) async fn open(&self, path: &str, headers: &[(&str, &str)]) -> axum::response::Response {
        let mut request = Request::get(path).header(HOST, "localhost");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        response
    }
}

pub(super) fn own_model(name: &str) -> Value {
    let path = format!("{}/../thing-descriptions/models/{name}.tm.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn described(model: &Value, id: &ThingId) -> Description {
    let naming = Naming { id, title: None, description: None };
    Description::of(model, &naming, &[], 1, SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000)).unwrap()
}

fn thing(store: &Store, name: &str, path: &str, model: &Value, behavior: Behavior) -> (ExposedThing, Arc<Outlet>) {
    let id = ThingId::mint();
    let outlet = Outlet::new(name.parse().unwrap(), path.to_owned(), described(model, &id), store.clone());
    (ExposedThing::new(id, path.to_owned(), Arc::clone(&outlet), behavior), outlet)
}

fn lamp_model() -> Value {
    json!({
        "@context": "https://www.w3.org/2022/wot/td/v1.1", "@type": "tm:ThingModel", "title": "Lamp",
        "titles": {"en": "Lamp", "de": "Lampe"}, "version": {"model": "1.0.0"},
        "properties": {
            "on": {"type": "boolean", "observable": true, "description": "<script>alert(1)</script>"},
            "level": {"type": "integer", "minimum": 0, "maximum": 100, "unit": "%"},
            "hours": {"type": "number", "readOnly": true},
            "secret": {"type": "string", "writeOnly": true},
        },
        "actions": {
            "blink": {"synchronous": true, "output": {"type": "integer"}, "input": {"type": "object", "required": ["times"],
                "properties": {"times": {"type": "integer", "minimum": 1, "maximum": 9}}}},
            "rest": {"synchronous": true},
            "fade": {"synchronous": false},
        },
        "events": {"hot": {"data": {"type": "number"}}},
    })
}

/// `on` and `level` are kept; `hours` is never there; `blink` gives back its number, `rest` nothing, `fade` goes on.
async fn lamp_task(mut messages: mpsc::Receiver<Message>, outlet: Arc<Outlet>) {
    let (mut on, mut level) = (HandlerValue::Boolean(false), HandlerValue::Integer(50));
    while let Some(message) = messages.recv().await {
        // A reply that nobody waits for any more is no failure.
        let _gone = match message {
            Message::Read { name, reply, .. } => reply
                .send(match &*name {
                    "on" => Ok(Answer::now(on.clone())),
                    "level" => Ok(Answer::now(level.clone())),
                    _ => Err(InteractionError::Unavailable {
                        detail: "no meter".into(),
                        retry_after: Duration::from_secs(7),
                    }),
                })
                .is_err(),
            Message::Write { values, reply, .. } => {
                for (name, value) in values {
                    match &*name {
                        "on" => {
                            on = value.clone();
                            outlet.publish("on", Answer::now(value), Duration::from_secs(60)).unwrap();
                        }
                        "level" => level = value,
                        _ => {}
                    }
                }
                reply.send(Ok(())).is_err()
            }
            Message::Invoke { name, input, reply, .. } => reply
                .send(Ok(match &*name {
                    "fade" => Outcome::Running,
                    "blink" => Outcome::Done(Some(HandlerValue::Integer(times(input)))),
                    _ => Outcome::Done(None),
                }))
                .is_err(),
            Message::Cancel { reply, .. } => reply.send(Ok(())).is_err(),
            _ => false,
        };
    }
}

fn times(input: Option<HandlerValue>) -> i64 {
    let Some(HandlerValue::Json(text)) = input else { return 0 };
    serde_json::from_str::<Value>(&text).unwrap()["times"].as_i64().unwrap()
}
