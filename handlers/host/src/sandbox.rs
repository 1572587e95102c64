//! What the host keeps beside one instance: the data of its store, which every import reaches.
//!
//! It is the only way from the guest to the rest of the process, and it holds nothing but this Thing's own.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::capabilities::Capabilities;
use crate::clock::ThingClock;
use crate::control::CallControl;
use crate::effect::EffectList;
use crate::limits::Limits;
use crate::memory::MemoryLimiter;
use crate::state::HeldState;

const SECOND: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(crate) struct Sandbox {
    pub(crate) capabilities: Capabilities,
    pub(crate) clock: ThingClock,
    pub(crate) state: HeldState,
    pub(crate) effects: EffectList,
    pub(crate) memory: MemoryLimiter,
    pub(crate) limits: Limits,
    pub(crate) control: Arc<CallControl>,
    /// In `start`, for every origin, devices and other Things answer `busy`.
    pub(crate) starting: bool,
    host_calls: u32,
    second_began: Instant,
    device_calls: u32,
}

impl Sandbox {
    pub(crate) fn new(capabilities: Capabilities, clock: ThingClock, state: HeldState, limits: Limits) -> Self {
        let control = Arc::new(CallControl::new(Arc::clone(capabilities.account())));
        Self {
            capabilities,
            clock,
            state,
            effects: EffectList::default(),
            memory: MemoryLimiter::new(limits.memory_bytes_max, limits.table_elements_max),
            limits,
            control,
            starting: true,
            host_calls: 0,
            second_began: Instant::now(),
            device_calls: 0,
        }
    }

    /// As it was made, where an instance was begun and came to nothing; the time that it took stays counted.
    pub(crate) fn unused(self) -> Self {
        let Self { capabilities, clock, state, limits, control, .. } = self;
        Self { control, ..Self::new(capabilities, clock, HeldState::new(state.roll_back()), limits) }
    }

    /// The call ended: its effects, and the host calls that it made.
    pub(crate) fn end_call(&mut self) -> u32 {
        std::mem::take(&mut self.host_calls)
    }

    /// Counts a host call; is it within the limit of one call?
    pub(crate) fn count_host_call(&mut self) -> bool {
        self.host_calls = self.host_calls.saturating_add(1);
        self.host_calls <= self.limits.host_calls_per_call
    }

    /// Counts a device call; may it reach the device now?
    pub(crate) fn count_device_call(&mut self) -> bool {
        if !self.count_host_call() || self.is_closed() {
            return false;
        }
        let now = Instant::now();
        if now.duration_since(self.second_began) >= SECOND {
            self.second_began = now;
            self.device_calls = 0;
        }
        self.device_calls = self.device_calls.saturating_add(1);
        self.device_calls <= self.limits.device_calls_per_second
    }

    /// Do devices and other Things answer `busy`?
    pub(crate) fn is_closed(&self) -> bool {
        self.starting || self.capabilities.is_rehearsal()
    }
}
