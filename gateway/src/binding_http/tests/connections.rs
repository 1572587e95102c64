//! The connection loop over real sockets: slow clients, too many of them, and the end.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::bed::Bed;
use crate::binding_http::serve;
use crate::config::Limits;

pub(super) const DEADLINE: Duration = Duration::from_secs(10);

pub(super) struct Served {
    pub(super) address: SocketAddr,
    stop: oneshot::Sender<()>,
    done: JoinHandle<std::io::Result<()>>,
}

pub(super) async fn served(bed: &Bed, limits: Limits) -> Served {
    served_by(bed.router.clone(), limits).await
}

async fn served_by(router: Router, limits: Limits) -> Served {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let until = async move { drop(stopped.await) };
    let done = tokio::spawn(serve(listener, router, until, limits));
    Served { address, stop, done }
}

fn quick() -> Limits {
    Limits { header_timeout: Duration::from_millis(200), drain: Duration::from_millis(300), ..Limits::default() }
}

pub(super) async fn all_of(mut stream: TcpStream) -> String {
    let mut text = Vec::new();
    // A reset instead of an end is an end too.
    let read = tokio::time::timeout(DEADLINE, stream.read_to_end(&mut text)).await.expect("the connection is closed");
    drop(read);
    String::from_utf8_lossy(&text).into_owned()
}

pub(super) async fn ask(address: SocketAddr, request: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

pub(super) const GET: &str = "GET /things/lamp/properties/on HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

#[tokio::test]
async fn a_head_that_does_not_arrive_is_not_waited_for() {
    let bed = Bed::new();
    let served = served(&bed, quick()).await;
    let slow = ask(served.address, "GET / HTTP/1.1\r\nHost: loc").await;
    let silent = TcpStream::connect(served.address).await.unwrap();
    assert!(all_of(ask(served.address, GET).await).await.starts_with("HTTP/1.1 200"));
    assert!(!all_of(slow).await.contains("200"));
    assert_eq!(all_of(silent).await, "");
}

#[tokio::test]
async fn sockets_that_say_nothing_make_room() {
    let bed = Bed::new();
    let served =
        served(&bed, Limits { connections_max: 3, header_timeout: Duration::from_secs(60), ..Limits::default() }).await;
    let mut silent = Vec::new();
    for _ in 0..20 {
        silent.push(ask(served.address, "GET / HTTP/1.1\r\nX: ").await);
    }
    for _ in 0..5 {
        assert!(all_of(ask(served.address, GET).await).await.starts_with("HTTP/1.1 200"));
    }
}

#[tokio::test]
async fn beyond_the_limit_connections_are_told_so() {
    let (asked, mut heard) = mpsc::channel(2);
    let waiting = Router::new().fallback(move || {
        let asked = asked.clone();
        async move {
            asked.send(()).await.unwrap();
            std::future::pending::<()>().await;
        }
    });
    let served = served_by(waiting, Limits { connections_max: 2, ..Limits::default() }).await;
    let mut kept = Vec::new();
    for _ in 0..2 {
        kept.push(ask(served.address, GET).await);
        heard.recv().await.unwrap();
    }
    let refused = all_of(TcpStream::connect(served.address).await.unwrap()).await;
    assert!(refused.starts_with("HTTP/1.1 503"), "{refused}");
    let (head, body) = refused.split_once("\r\n\r\n").unwrap();
    assert!(head.contains(&format!("content-length: {}", body.len())), "{refused}");
    assert_eq!(serde_json::from_str::<serde_json::Value>(body).unwrap()["status"], 503);
}

#[tokio::test]
async fn the_shutdown_drains_and_then_cuts() {
    let bed = Bed::new();
    let served = served(&bed, quick()).await;
    let mut open =
        ask(served.address, "GET /things/lamp/events HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n")
            .await;
    let mut begun = [0; 15];
    open.read_exact(&mut begun).await.unwrap();
    served.stop.send(()).unwrap();
    // The servient was not told, so the stream does not end by itself: the drain's end cuts it.
    tokio::time::timeout(DEADLINE, served.done).await.unwrap().unwrap().unwrap();
    assert!(TcpStream::connect(served.address).await.is_err());
    all_of(open).await;
}

#[tokio::test]
async fn a_stream_that_ends_by_itself_does_not_hold_the_shutdown() {
    let bed = Bed::new();
    let limits = Limits { drain: Duration::from_secs(60), ..Limits::default() };
    let served = served(&bed, limits).await;
    let open =
        ask(served.address, "GET /things/lamp/events HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n")
            .await;
    open.readable().await.unwrap();
    bed.servient.stop();
    served.stop.send(()).unwrap();
    tokio::time::timeout(DEADLINE, served.done).await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn nonsense_on_the_wire_closes_one_connection_only() {
    let bed = Bed::new();
    let served = served(&bed, quick()).await;
    for nonsense in [
        "\0\0\0\0",
        "GET\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
    ] {
        assert!(!all_of(ask(served.address, nonsense).await).await.contains("200 OK"), "{nonsense:?}");
    }
    assert!(all_of(ask(served.address, GET).await).await.starts_with("HTTP/1.1 200"));
}
