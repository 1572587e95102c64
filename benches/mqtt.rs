//! From a change to its subscribers over MQTT: a property, the edge of a simulated line, and a thousand subscribers of one
//! topic; mosquitto with the same load beside, which has no Thing to ask.
//!
//! All in one process: what is sent carries its time. A change begins before the request that makes it, so that the
//! request, the handler and the reading back are in the time.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use benches::{Latencies, Table};
use rumqttc::mqttbytes::{
    QoS,
    v4::{Connect, Packet, Publish, Subscribe},
};
use serde_json::{Value, json};
use tests::{
    Gateway, Mosquitto, Site,
    gateway::profile_folder,
    http::Request,
    site::{BUTTON, LABORATORY},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// Changes per second, and how many.
const PER_SECOND: u32 = 200;
const CHANGES: usize = 2_000;
const PRESSES: usize = 300;
const SUBSCRIBERS: usize = 1_000;
/// To each of the thousand.
const CHANGES_TO_ALL: usize = 20;
const ECHO: &str = "tidegate/tidegate/things/laboratory/properties/echo";
const PRESSED: &str = "tidegate/tidegate/things/bell/events/pressed";

/// A client of MQTT 3.1.1 that costs the machine little.
struct Client {
    stream: TcpStream,
    buffer: bytes::BytesMut,
}

impl Client {
    async fn connect(address: SocketAddr, id: &str) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let mut client = Self { stream, buffer: bytes::BytesMut::new() };
        client.send(&Packet::Connect(Connect::new(id))).await?;
        ensure!(matches!(client.next().await?, Packet::ConnAck(_)), "no CONNACK");
        Ok(client)
    }

    async fn subscribed(address: SocketAddr, id: &str, topic: &str) -> Result<Self> {
        let mut client = Self::connect(address, id).await?;
        let mut subscribe = Subscribe::new(topic, QoS::AtMostOnce);
        subscribe.pkid = 1;
        client.send(&Packet::Subscribe(subscribe)).await?;
        ensure!(matches!(client.next().await?, Packet::SubAck(_)), "no SUBACK");
        Ok(client)
    }

    async fn send(&mut self, packet: &Packet) -> Result<()> {
        let mut out = bytes::BytesMut::new();
        packet.write(&mut out, usize::MAX)?;
        Ok(self.stream.write_all(&out).await?)
    }

    async fn next(&mut self) -> Result<Packet> {
        loop {
            match Packet::read(&mut self.buffer, usize::MAX) {
                Ok(packet) => return Ok(packet),
                Err(rumqttc::mqttbytes::Error::InsufficientBytes(_)) => {}
                Err(error) => return Err(error.into()),
            }
            ensure!(self.stream.read_buf(&mut self.buffer).await? > 0, "the connection ended");
        }
    }

    /// The next message that is news.
    async fn message(&mut self) -> Result<Publish> {
        loop {
            if let Packet::Publish(publish) = self.next().await?
                && !publish.retain
            {
                return Ok(publish);
            }
        }
    }
}

/// Times since the start of the bench, as payloads.
#[derive(Clone, Copy)]
struct Watch(Instant);

impl Watch {
    fn payload(self) -> String {
        self.0.elapsed().as_nanos().to_string()
    }

    fn since(self, payload: &[u8]) -> Result<Duration> {
        let sent: u64 = std::str::from_utf8(payload)?.parse().context("no time")?;
        Ok(self.0.elapsed().saturating_sub(Duration::from_nanos(sent)))
    }
}

fn main() -> Result<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    let gateway = gateway()?;
    let broker = Mosquitto::start()?;
    let (ours, theirs) = (gateway.mqtt()?, broker.address());
    let set = format!("{ECHO}/set");
    let mut table = Table::new("mqtt", "From a change to its subscribers over MQTT", &["change", "p50 us", "p99 us"]);
    let mut row = |name: &str, latencies: &Latencies| {
        let [p50, p99] = latencies.cells();
        table.row([name.to_owned(), p50, p99]);
    };
    let property = runtime.block_on(changes(ours, &set, ECHO))?;
    row("a property, written over MQTT, 200 changes/s", &property);
    let plain = runtime.block_on(changes(theirs, "bench", "bench"))?;
    row("mosquitto: a publish to its subscriber, 200/s", &plain);
    let edge = runtime.block_on(edges(&gateway, ours))?;
    row("the edge of a simulated line, asked for over HTTP, to the button's event", &edge);
    let all = runtime.block_on(to_all(ours, &set, ECHO))?;
    row("a property to each of 1,000 subscribers, 10 changes/s", &all);
    let all_plain = runtime.block_on(to_all(theirs, "bench", "bench"))?;
    row("mosquitto: a publish to each of 1,000 subscribers, 10/s", &all_plain);
    let millis = |latencies: &Latencies, per_mille| latencies.within(per_mille).as_secs_f64() * 1e3;
    for (name, value, wanted) in [
        ("a property: p50 ms <= 1", millis(&property, 500), 1.0),
        ("a property: p99 ms <= 5", millis(&property, 990), 5.0),
        ("an edge: p99 ms <= 5", millis(&edge, 990), 5.0),
    ] {
        table.promise(name, value, value <= wanted);
    }
    table.note(format!(
        "{CHANGES} changes, {PRESSES} presses, {CHANGES_TO_ALL} changes to all; subscribers in this process"
    ));
    table.publish()
}

fn gateway() -> Result<Gateway> {
    let site = Site::new()?;
    site.configure("[board]\nsimulated = true\n[mqtt]\nlisten = \"127.0.0.1:0\"\n")?;
    // Without a debounce time: it would be in every edge.
    let button = BUTTON.replace("debounce-ms = 10\n", "");
    site.thing("laboratory", LABORATORY)?.thing("bell", &button)?;
    Gateway::start_as(&profile_folder()?.join("tidegate"), &["serve"], site)
}

/// Publishes times to `set`, one by one at the pace, and takes them from `topic`.
async fn changes(address: SocketAddr, set: &str, topic: &str) -> Result<Latencies> {
    let watch = Watch(Instant::now());
    let mut subscriber = Client::subscribed(address, "subscriber", topic).await?;
    let taking = tokio::spawn(async move {
        let mut taken = Vec::with_capacity(CHANGES);
        while taken.len() < CHANGES {
            taken.push(watch.since(&subscriber.message().await?.payload)?);
        }
        Ok::<_, anyhow::Error>(taken)
    });
    let mut publisher = Client::connect(address, "publisher").await?;
    let mut pace = tokio::time::interval(Duration::from_secs(1) / PER_SECOND);
    for _ in 0..CHANGES {
        pace.tick().await;
        publisher.send(&Packet::Publish(Publish::new(set, QoS::AtMostOnce, watch.payload()))).await?;
    }
    Ok(Latencies::from(tokio::time::timeout(Duration::from_secs(20), taking).await???))
}

/// Presses the simulated button and waits for its event.
async fn edges(gateway: &Gateway, address: SocketAddr) -> Result<Latencies> {
    let mut subscriber = Client::subscribed(address, "edges", PRESSED).await?;
    let mut finger = gateway.client().connect()?;
    let press = |pressed: u8| {
        let input = json!({ "part": "button", "quantity": "pressed", "value": pressed });
        Request::new("POST", "/things/board/actions/set").json(&input)
    };
    let mut taken = Vec::with_capacity(PRESSES);
    for _ in 0..PRESSES {
        let began = Instant::now();
        ensure!(finger.send(&press(1))?.status == 204, "the button was not pressed");
        let count: Value = serde_json::from_slice(&subscriber.message().await?.payload)?;
        taken.push(began.elapsed());
        if !count.is_u64() {
            bail!("{count} is no count of presses");
        }
        ensure!(finger.send(&press(0))?.status == 204, "the button was not let go");
    }
    Ok(Latencies::from(taken))
}

/// Publishes times to `set`, and takes each at every one of the subscribers of `topic`.
async fn to_all(address: SocketAddr, set: &str, topic: &str) -> Result<Latencies> {
    let watch = Watch(Instant::now());
    let mut subscribers = Vec::with_capacity(SUBSCRIBERS);
    for number in 0..SUBSCRIBERS {
        let mut subscriber = Client::subscribed(address, &format!("one of many {number}"), topic).await?;
        subscribers.push(tokio::spawn(async move {
            let mut taken = Vec::with_capacity(CHANGES_TO_ALL);
            while taken.len() < CHANGES_TO_ALL {
                taken.push(watch.since(&subscriber.message().await?.payload)?);
            }
            Ok::<_, anyhow::Error>(taken)
        }));
    }
    let mut publisher = Client::connect(address, "publisher to all").await?;
    let mut pace = tokio::time::interval(Duration::from_millis(100));
    for _ in 0..CHANGES_TO_ALL {
        pace.tick().await;
        publisher.send(&Packet::Publish(Publish::new(set, QoS::AtMostOnce, watch.payload()))).await?;
    }
    let mut latencies = Vec::with_capacity(SUBSCRIBERS * CHANGES_TO_ALL);
    for subscriber in subscribers {
        latencies.extend(tokio::time::timeout(Duration::from_secs(20), subscriber).await???);
    }
    ensure!(latencies.len() == SUBSCRIBERS * CHANGES_TO_ALL, "{} messages", latencies.len());
    Ok(Latencies::from(latencies))
}
