//! What one Thing's handler may use: its slots, by the numbers of its own wants, and where its signals go.
//!
//! Grants are matched to wants by label, so neither their order nor the machine matters. What was not granted is not there:
//! a component that needs it is not started, an optional want that was not granted answers `denied`.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use things::{GrantKind, Slot};
use tokio::sync::mpsc;

use crate::bindings::tidegate::thing::types;
use crate::control::CpuAccount;
use crate::error::HandlerError;
use crate::plain;
use crate::value::{Signal, WantKind};

/// A device or Thing that a handler declares to want, under `tidegate:wants` of its Thing Model.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
pub struct Want {
    /// By which the deployment grants it.
    pub label: String,
    /// What it is.
    #[serde(with = "kind")]
    pub kind: WantKind,
    /// For people.
    #[serde(default)]
    pub description: String,
    /// The handler works without it.
    #[serde(default)]
    pub optional: bool,
}

/// What a Thing was granted. Clones share the slots.
#[derive(Clone, Debug)]
pub struct Capabilities {
    granted: Arc<Granted>,
    rehearsal: bool,
}

#[derive(Debug)]
struct Granted {
    wants: Vec<Want>,
    slots: Vec<Option<Slot>>,
    signals: mpsc::Sender<Signal>,
    signals_lost: AtomicU64,
    account: Arc<CpuAccount>,
}

impl Capabilities {
    /// Matches granted slots to the wants of a component by label. Signals of watched lines go to `signals`; those that find
    /// it full are counted. Slots that no want names are left alone.
    ///
    /// # Errors
    /// [`HandlerError::Denied`] for a want that is not optional and has no slot, or a slot of another kind.
    pub fn new(
        wants: &[Want],
        mut slots: HashMap<String, Slot>,
        signals: mpsc::Sender<Signal>,
    ) -> Result<Self, HandlerError> {
        let mut matched = Vec::with_capacity(wants.len());
        for want in wants {
            let slot = slots.remove(&want.label);
            let fits = match &slot {
                Some(slot) => kind_of(slot.kind()) == want.kind,
                None => want.optional || want.kind == WantKind::Things,
            };
            if !fits {
                return Err(HandlerError::Denied {
                    capability: format!("{} ({})", plain::name(&want.label), kind::word(want.kind)),
                });
            }
            matched.push(slot);
        }
        let granted = Granted {
            wants: wants.to_vec(),
            slots: matched,
            signals,
            signals_lost: AtomicU64::new(0),
            account: Arc::default(),
        };
        Ok(Self { granted: Arc::new(granted), rehearsal: false })
    }

    /// The same, but devices and other Things answer `busy`.
    #[must_use]
    pub fn rehearsal(&self) -> Self {
        Self { granted: Arc::clone(&self.granted), rehearsal: true }
    }

    /// Signals that were lost since the Thing's queue was full.
    #[must_use]
    pub fn signals_lost(&self) -> u64 {
        self.granted.signals_lost.load(Relaxed)
    }

    /// Charges work that the gateway did for this handler to its processor time of the minute.
    pub fn charge(&self, used: Duration) {
        self.granted.account.charge(used);
    }

    /// The processor time of all instances that have these capabilities.
    pub(crate) fn account(&self) -> &Arc<CpuAccount> {
        &self.granted.account
    }

    pub(crate) fn is_rehearsal(&self) -> bool {
        self.rehearsal
    }

    /// May a component import this interface of ours? Devices only when it declares a want of that kind: all of those that
    /// are not optional are granted by now.
    pub(crate) fn allow(&self, import: &str) -> bool {
        match crate::admission::interface(import).and_then(kind::parse) {
            Some(WantKind::Things) | None => true,
            Some(kind) => self.granted.wants.iter().any(|want| want.kind == kind),
        }
    }

    pub(crate) fn wants(&self) -> Vec<types::Want> {
        let granted = self.granted.wants.iter().zip(&self.granted.slots);
        granted
            .map(|(want, slot)| types::Want { label: want.label.clone(), kind: want.kind, granted: slot.is_some() })
            .collect()
    }

    /// The slot of a want by number.
    pub(crate) fn slot(&self, number: u32) -> Option<&Slot> {
        self.granted.slots.get(usize::try_from(number).ok()?)?.as_ref()
    }

    /// Passes signals on for as long as anybody has these capabilities. Whoever keeps it keeps no device: a line's watch holds
    /// what it tells, and would hold the line.
    pub(crate) fn teller(&self) -> impl Fn(Signal) + Send + Sync + use<> {
        let granted = Arc::downgrade(&self.granted);
        move |signal| {
            if let Some(granted) = granted.upgrade()
                && granted.signals.try_send(signal).is_err()
            {
                granted.signals_lost.fetch_add(1, Relaxed);
            }
        }
    }
}

fn kind_of(kind: GrantKind) -> WantKind {
    match kind {
        GrantKind::I2c => WantKind::I2c,
        GrantKind::Spi => WantKind::Spi,
        GrantKind::Gpio => WantKind::Gpio,
        GrantKind::Pwm => WantKind::Pwm,
        GrantKind::Sysfs => WantKind::Sysfs,
    }
}

/// The words of the contract for the kinds of wants.
mod kind {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    use super::WantKind;

    const WORDS: [(&str, WantKind); 6] = [
        ("i2c", WantKind::I2c),
        ("spi", WantKind::Spi),
        ("gpio", WantKind::Gpio),
        ("pwm", WantKind::Pwm),
        ("sysfs", WantKind::Sysfs),
        ("things", WantKind::Things),
    ];

    pub(super) fn parse(word: &str) -> Option<WantKind> {
        WORDS.iter().find(|(known, _)| *known == word).map(|(_, kind)| *kind)
    }

    pub(super) fn word(kind: WantKind) -> &'static str {
        WORDS.iter().find(|(_, known)| *known == kind).map_or("", |(word, _)| *word)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<WantKind, D::Error> {
        let word = String::deserialize(deserializer)?;
        parse(&word).ok_or_else(|| D::Error::custom(format!("{word} is no kind of want")))
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
    pub(super) fn serialize<S: Serializer>(kind: &WantKind, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(word(*kind))
    }
}
