//! What one Thing may use: memory, time, host calls, and what it may hand to the host.
//!
//! All limits are plain numbers with a default that suits a sensor or a relay on a Raspberry Pi; a Thing that needs more
//! (an inference model) is given more by its declaration. Nothing here is unlimited.

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// Limits of one Thing. Times in milliseconds of wall time, sizes in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Sum of the linear memories.
    pub memory_bytes_max: usize,
    /// Sum of the elements of all tables.
    pub table_elements_max: usize,
    /// What one host call, or the answer of one call, may copy out of the sandbox.
    pub crossing_bytes_max: usize,
    /// Budget of `wake`.
    pub wake_ms: u32,
    /// Budget of `on-signal`.
    pub signal_ms: u32,
    /// Budget of `cancel-action`.
    pub cancel_ms: u32,
    /// Budget of `stop`.
    pub stop_ms: u32,
    /// Processor time within one minute; a call beyond it is not begun.
    pub cpu_ms_per_minute: u32,
    /// Host calls within one call; devices and state answer `busy` beyond it, effects are dropped.
    pub host_calls_per_call: u32,
    /// Device calls within one second, writes to outputs excepted; `busy` beyond it.
    pub device_calls_per_second: u32,
    /// Bytes of one device transaction, read and written.
    pub device_bytes_max: usize,
    /// Operations of one device transaction.
    pub device_operations_max: usize,
    /// Events, readings, progress and results within one call.
    pub effects_per_call: u32,
    /// Log lines within one call.
    pub logs_per_call: u32,
    /// Bytes of all effects of one call.
    pub effect_bytes_per_call: usize,
    /// Keys of the host-held state.
    pub state_keys_max: usize,
    /// Bytes of one key.
    pub state_key_bytes_max: usize,
    /// Bytes of all keys and values.
    pub state_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory_bytes_max: 16 * MIB,
            table_elements_max: 20_000,
            crossing_bytes_max: 4 * MIB,
            wake_ms: 100,
            signal_ms: 100,
            cancel_ms: 100,
            stop_ms: 1_000,
            cpu_ms_per_minute: 30_000,
            host_calls_per_call: 10_000,
            device_calls_per_second: 2_000,
            device_bytes_max: 64 * KIB,
            device_operations_max: 256,
            effects_per_call: 256,
            logs_per_call: 64,
            effect_bytes_per_call: 4 * MIB,
            state_keys_max: 256,
            state_key_bytes_max: 256,
            state_bytes_max: MIB,
        }
    }
}

/// Longest name of an affordance that a handler may hand to the host.
pub(crate) const NAME_BYTES_MAX: usize = 256;

/// Longest log line; a longer one is cut.
pub(crate) const LOG_BYTES_MAX: usize = 4 * KIB;
