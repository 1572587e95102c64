//! Those who write under load: each has one Thing of its own, one write at a time, and a ledger of what was acknowledged.

use std::{
    sync::{Arc, Mutex, PoisonError},
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use tests::{Client, Response, eventually, sse::EventStream};

use super::ledger::{Finding, Ledger, Rising};

/// A Thing has its first answer within this time after a start.
const SOON: Duration = Duration::from_secs(30);

/// One who writes.
pub(crate) trait Writer: Send {
    /// After a restart: what is there is what was acknowledged, or was in doubt.
    fn check(&mut self, client: Client) -> Result<()>;
    /// One change. An error is no finding: the gateway may have been killed in the middle of it.
    fn change(&mut self, client: Client) -> Result<()>;
    /// How many changes were acknowledged.
    fn acknowledged(&self) -> u64;
}

/// The value of a property, as soon as there is one.
pub(crate) fn value(client: Client, target: &str) -> Result<Value> {
    eventually(target, SOON, || {
        let answer = client.get(target)?;
        if answer.status == 503 { Ok(None) } else { answer.expect(200)?.value().map(Some) }
    })
}

/// Whether it was done. Anything else than a yes leaves it in doubt.
fn is_done(answer: &Response) -> bool {
    (200..300).contains(&answer.status)
}

/// A durable property, counted up.
pub(crate) struct Counter {
    property: String,
    last: u64,
    ledger: Ledger<u64>,
}

impl Counter {
    pub(crate) fn new(what: &'static str, thing: &str) -> Self {
        Self { property: format!("/things/{thing}/properties/counter"), last: 0, ledger: Ledger::new(what) }
    }
}

impl Writer for Counter {
    fn check(&mut self, client: Client) -> Result<()> {
        let found = value(client, &self.property)?;
        self.ledger.finds(found.as_u64().context("no number")?)
    }

    fn change(&mut self, client: Client) -> Result<()> {
        self.last += 1;
        self.ledger.begins(self.last);
        if is_done(&client.json("PUT", &self.property, &json!(self.last))?) {
            self.ledger.acknowledged(self.last);
        }
        Ok(())
    }

    fn acknowledged(&self) -> u64 {
        self.ledger.count()
    }
}

/// Two settings that are written as one: torn when they do not fit each other.
pub(crate) struct Pair {
    last: u64,
    ledger: Ledger<u64>,
}

const MACHINE: &str = "/things/machine/properties";

impl Pair {
    pub(crate) fn new() -> Self {
        Self { last: 0, ledger: Ledger::new("two settings") }
    }

    fn values(n: u64) -> Value {
        json!({ "samplingInterval": 2_000 + n, "temperatureThreshold": n % 150 })
    }
}

impl Writer for Pair {
    fn check(&mut self, client: Client) -> Result<()> {
        let interval = value(client, &format!("{MACHINE}/samplingInterval"))?;
        let threshold = value(client, &format!("{MACHINE}/temperatureThreshold"))?;
        // Before the first write both are what the Thing Model says.
        let Some(n) = interval.as_u64().and_then(|ms| ms.checked_sub(2_000)) else {
            ensure!(self.ledger.settled().is_none(), Finding(format!("two settings: both are lost, found {interval}")));
            return Ok(());
        };
        let fits = Self::values(n)["temperatureThreshold"].as_f64() == threshold.as_f64();
        ensure!(fits, Finding(format!("two settings are torn: {interval} and {threshold}")));
        self.ledger.finds(n)
    }

    fn change(&mut self, client: Client) -> Result<()> {
        self.last += 1;
        self.ledger.begins(self.last);
        if is_done(&client.json("PUT", MACHINE, &Self::values(self.last))?) {
            self.ledger.acknowledged(self.last);
        }
        Ok(())
    }

    fn acknowledged(&self) -> u64 {
        self.ledger.count()
    }
}

/// A button that is pressed while somebody listens: what was told is counted, and the ids of events rise.
pub(crate) struct Bell {
    told: Arc<Mutex<Told>>,
    listener: Option<JoinHandle<()>>,
    pressed: u64,
}

struct Told {
    presses: Rising,
    ids: Rising,
    finding: Option<anyhow::Error>,
}

impl Told {
    fn hears(&mut self, presses: u64, id: u64) -> Result<()> {
        self.ids.above(id)?;
        self.presses.above(presses)
    }
}

impl Bell {
    pub(crate) fn new() -> Self {
        let (presses, ids) = (Rising::new("presses"), Rising::new("the ids of events"));
        let told = Told { presses, ids, finding: None };
        Self { told: Arc::new(Mutex::new(told)), listener: None, pressed: 0 }
    }
}

/// Until the stream ends, with its gateway.
fn listen(mut stream: EventStream, told: &Mutex<Told>) {
    while let Ok(Some(message)) = stream.next_message() {
        let (presses, id) = (message.value().ok().and_then(|value| value.as_u64()), message.id.parse().ok());
        let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
        let heard = match presses.zip(id) {
            Some((presses, id)) => told.hears(presses, id),
            None => Err(Finding(format!("an event without count or id: {message:?}")).into()),
        };
        told.finding = told.finding.take().or(heard.err());
    }
}

impl Writer for Bell {
    fn check(&mut self, client: Client) -> Result<()> {
        if let Some(listener) = self.listener.take() {
            ensure!(listener.join().is_ok(), "who listens to the bell has panicked");
        }
        let found = value(client, "/things/bell/properties/presses")?.as_u64().context("no number")?;
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(finding) = told.finding.take() {
            return Err(finding);
        }
        let pressed = self.pressed;
        ensure!(found <= pressed, Finding(format!("{found} presses are counted, {pressed} were made")));
        told.presses.at_least(found)
    }

    fn change(&mut self, client: Client) -> Result<()> {
        if self.listener.is_none() {
            let stream = EventStream::open(&client, "/things/bell/events/pressed", None)?;
            let told = Arc::clone(&self.told);
            self.listener = Some(thread::spawn(move || listen(stream, &told)));
        }
        self.pressed += 1;
        client.json("POST", "/things/board/actions/press", &json!({ "part": "button" }))?;
        Ok(())
    }

    fn acknowledged(&self) -> u64 {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).presses.last()
    }
}

/// A setting that is written as a property and by `configure` in turn: the last hand wins, over a restart too.
pub(crate) struct Configurer {
    last: u64,
    ledger: Ledger<u64>,
}

const INTERVAL: &str = "/things/climate/properties/samplingInterval";

impl Configurer {
    pub(crate) fn new() -> Self {
        Self { last: 1_000, ledger: Ledger::new("a setting that is configured") }
    }
}

impl Writer for Configurer {
    fn check(&mut self, client: Client) -> Result<()> {
        self.ledger.finds(value(client, INTERVAL)?.as_u64().context("no number")?)
    }

    fn change(&mut self, client: Client) -> Result<()> {
        self.last += 1;
        self.ledger.begins(self.last);
        let answer = if self.last.is_multiple_of(2) {
            client.json("PUT", INTERVAL, &json!(self.last))?
        } else {
            let input = json!({ "thing": "climate", "settings": { "samplingInterval": self.last } });
            client.json("POST", "/things/gateway/actions/configure", &input)?
        };
        if is_done(&answer) {
            self.ledger.acknowledged(self.last);
        }
        Ok(())
    }

    fn acknowledged(&self) -> u64 {
        self.ledger.count()
    }
}

/// The ids of all Things, which nobody writes.
pub(crate) struct Ids {
    ledger: Ledger<Vec<String>>,
}

impl Ids {
    pub(crate) fn new() -> Self {
        Self { ledger: Ledger::new("the ids of Things") }
    }
}

impl Writer for Ids {
    fn check(&mut self, client: Client) -> Result<()> {
        let things = client.value("/things")?;
        let things = things.as_array().context("no list of Things")?;
        let mut ids: Vec<String> = things.iter().filter_map(|thing| thing["id"].as_str().map(str::to_owned)).collect();
        ids.sort();
        self.ledger.finds(ids)
    }

    fn change(&mut self, client: Client) -> Result<()> {
        let listed = client.get("/things")?;
        if is_done(&listed) {
            self.ledger.acknowledged(self.ledger.settled().cloned().unwrap_or_default());
        }
        thread::park_timeout(Duration::from_millis(20));
        Ok(())
    }

    fn acknowledged(&self) -> u64 {
        self.ledger.count()
    }
}
