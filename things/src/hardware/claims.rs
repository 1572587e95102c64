//! Who holds which device: the register of claims.
//!
//! Invariant: claims that meet on one place are all shared, or of one label of one Thing; an entry lives exactly as long
//! as its [`Claim`].

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use super::report::ClaimReport;
use crate::error::DeviceError;
use crate::grant::{Grant, GrantKind};
use crate::limit::Meter;
use crate::locks::lock;

/// The most claims of one gateway: well above 64 Things with eight devices each.
const CLAIMS_MAX: usize = 1024;

/// All claims, by number.
#[derive(Debug, Default)]
pub(crate) struct Claims(Mutex<Held>);

#[derive(Debug, Default)]
struct Held {
    next: u64,
    claims: BTreeMap<u64, Entry>,
}

#[derive(Debug)]
struct Entry {
    thing: String,
    label: String,
    kind: GrantKind,
    place: String,
    shared: bool,
    meter: Arc<Meter>,
}

/// One claim; dropping it gives the device back.
#[derive(Debug)]
pub(crate) struct Claim {
    claims: Arc<Claims>,
    number: u64,
    meter: Arc<Meter>,
}

impl Claim {
    /// The limit and the account of this claim.
    pub(crate) fn meter(&self) -> &Arc<Meter> {
        &self.meter
    }

    /// Whether this grant was to take the place of one that still stands: then the device is not this one's to release.
    pub(crate) fn is_in_waiting(&self) -> bool {
        let held = lock(&self.claims.0);
        let Some(own) = held.claims.get(&self.number) else { return false };
        let same = |entry: &Entry| entry.thing == own.thing && entry.label == own.label && entry.place == own.place;
        held.claims.range(..self.number).any(|(_, entry)| same(entry))
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        lock(&self.claims.0).claims.remove(&self.number);
    }
}

impl Claims {
    pub(crate) fn take(
        self: &Arc<Self>,
        thing: &str,
        label: &str,
        grant: &Grant,
        now: Instant,
    ) -> Result<Claim, DeviceError> {
        let (place, shared) = (grant.place(), grant.is_shared());
        let mut held = lock(&self.0);
        // A grant that is given anew meets its own claim, which ends when its last slot is dropped.
        let own = |entry: &&Entry| entry.thing == thing && entry.label == label;
        let meets = |entry: &&Entry| entry.place == place && !(entry.shared && shared);
        let clash = held.claims.values().find(|entry| meets(entry) && !own(entry));
        if let Some(entry) = clash {
            return Err(DeviceError::Held { place, thing: entry.thing.clone(), label: entry.label.clone() });
        }
        if held.claims.len() >= CLAIMS_MAX {
            return Err(DeviceError::OutOfRange { what: format!("more than {CLAIMS_MAX} claims") });
        }
        let meter = Arc::new(Meter::new(grant.hz_max(), now));
        let number = held.next;
        held.next += 1;
        let (thing, label) = (thing.to_owned(), label.to_owned());
        let entry = Entry { thing, label, kind: grant.kind(), place, shared, meter: Arc::clone(&meter) };
        held.claims.insert(number, entry);
        Ok(Claim { claims: Arc::clone(self), number, meter })
    }

    /// All claims, in the order in which they were made.
    pub(crate) fn list(&self) -> Vec<ClaimReport> {
        let held = lock(&self.0);
        let report = |entry: &Entry| {
            let (transactions, failures, bus_time_us) = entry.meter.read();
            ClaimReport {
                thing: entry.thing.clone(),
                label: entry.label.clone(),
                kind: entry.kind,
                place: entry.place.clone(),
                shared: entry.shared,
                transactions,
                failures,
                bus_time_us,
            }
        };
        held.claims.values().map(report).collect()
    }
}
