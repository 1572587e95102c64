//! Those who push handlers under load: a lamp that gets ever new versions and goes back, a laboratory that gets good and bad
//! ones in turn.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use serde_json::Value;
use tests::{Client, Response, handlers, http::Request};
use tidegate::names::ComponentDigest;

use super::{
    ledger::{Finding, Ledger},
    writers::{Writer, value},
};

/// Every so many pushes the lamp goes back by hand.
const BACK_EVERY: u64 = 4;
/// More reads than a canary takes calls, or faults.
const READS: u32 = 8;

/// The handler of one Thing.
struct Versions {
    handler: String,
    ledger: Ledger<String>,
    /// What was listed under each number.
    digests: BTreeMap<u64, String>,
}

impl Versions {
    fn of(what: &'static str, thing: &str) -> Self {
        Self { handler: format!("/things/{thing}/handler"), ledger: Ledger::new(what), digests: BTreeMap::new() }
    }

    /// What serves, as it says itself.
    fn serving(&self, client: Client) -> Result<String> {
        let digest = value(client, &format!("{}/properties/digest", self.handler))?;
        Ok(digest.as_str().context("no digest")?.to_owned())
    }

    /// (number, digest), the one that serves first.
    fn listed(&self, client: Client) -> Result<Vec<(u64, String)>> {
        let versions = value(client, &format!("{}/properties/versions", self.handler))?;
        let version = |listed: &Value| Some((listed["version"].as_u64()?, listed["digest"].as_str()?.to_owned()));
        let versions: Option<Vec<_>> =
            versions.as_array().map(Vec::as_slice).unwrap_or_default().iter().map(version).collect();
        versions.context("no versions")
    }

    fn check(&mut self, client: Client) -> Result<()> {
        self.ledger.finds(self.serving(client)?)?;
        for (number, digest) in self.listed(client)? {
            let before = self.digests.entry(number).or_insert_with(|| digest.clone());
            if *before != digest {
                return Err(Finding(format!("version {number} was {before}, now it is {digest}")).into());
            }
        }
        Ok(())
    }

    fn push(&mut self, client: Client, component: Vec<u8>) -> Result<bool> {
        let digest = ComponentDigest::of(&component).to_string();
        self.ledger.begins(digest);
        let target = format!("{}/actions/replace", self.handler);
        self.answered(&client.send(&Request::new("POST", &target).body("application/wasm", component))?)
    }

    /// Back by hand: to the newest version below the present one.
    fn go_back(&mut self, client: Client) -> Result<bool> {
        let listed = self.listed(client)?;
        let (current, others) = listed.split_first().context("no version serves")?;
        let below = others.iter().filter(|(number, _)| *number < current.0);
        let Some((_, digest)) = below.max_by_key(|(number, _)| *number) else { return Ok(false) };
        self.ledger.begins(digest.clone());
        self.answered(&client.send(&Request::new("POST", &format!("{}/actions/rollback", self.handler)))?)
    }

    fn answered(&mut self, answer: &Response) -> Result<bool> {
        if answer.status != 200 {
            return Ok(false);
        }
        let report = answer.value()?;
        let digest = report["digest"].as_str().context("no digest")?;
        self.ledger.acknowledged(digest.to_owned());
        if let Some(number) = report["version"].as_u64() {
            self.digests.insert(number, digest.to_owned());
        }
        Ok(true)
    }
}

/// Ever new versions of a lamp.
pub(crate) struct Lamp {
    versions: Versions,
    last: u64,
}

impl Lamp {
    pub(crate) fn new() -> Self {
        Self { versions: Versions::of("the lamp's handler", "lamp"), last: 0 }
    }
}

impl Writer for Lamp {
    fn check(&mut self, client: Client) -> Result<()> {
        self.versions.check(client)
    }

    fn change(&mut self, client: Client) -> Result<()> {
        self.last += 1;
        if self.last.is_multiple_of(BACK_EVERY) {
            return self.versions.go_back(client).map(drop);
        }
        let component = handlers::variant("relay", &self.last.to_string())?;
        self.versions.push(client, component).map(drop)
    }

    fn acknowledged(&self) -> u64 {
        self.versions.ledger.count()
    }
}

/// Good versions that prove themselves and bad ones that are rolled back, in turn.
pub(crate) struct Trial {
    versions: Versions,
    last: u64,
    good: Option<String>,
}

impl Trial {
    pub(crate) fn new() -> Self {
        Self { versions: Versions::of("the handler on trial", "trial"), last: 0, good: None }
    }

    fn use_it(client: Client) -> Result<()> {
        // A version on trial may trap at any read: what comes back is not looked at here.
        (0..READS).try_for_each(|_| client.get("/things/trial/properties/number").map(drop))
    }
}

impl Writer for Trial {
    fn check(&mut self, client: Client) -> Result<()> {
        self.versions.check(client)?;
        let serving = self.versions.ledger.settled().cloned();
        let bad = ComponentDigest::of(&handlers::misbehaving("number:trap")?).to_string();
        if serving.as_ref() != Some(&bad) {
            self.good = serving;
        } else if let Some(good) = self.good.clone() {
            // Its canary goes on after a restart.
            self.versions.ledger.begins(good);
        }
        Ok(())
    }

    fn change(&mut self, client: Client) -> Result<()> {
        self.last += 1;
        let component = handlers::variant("laboratory", &self.last.to_string())?;
        let digest = ComponentDigest::of(&component).to_string();
        if self.versions.push(client, component)? {
            self.good = Some(digest);
        }
        Self::use_it(client)?;
        let Some(good) = self.good.clone() else { return Ok(()) };
        if self.versions.push(client, handlers::misbehaving("number:trap")?)? {
            self.versions.ledger.begins(good.clone());
        }
        Self::use_it(client)?;
        // What it says now is not forgotten again either.
        if self.versions.serving(client)? == good {
            self.versions.ledger.acknowledged(good);
        }
        Ok(())
    }

    fn acknowledged(&self) -> u64 {
        self.versions.ledger.count()
    }
}
