//! What the benches share: tables with the machine they were made on, latencies, the load generator, the peer.
//!
//! One program per table that we claim. Numbers are comparable within one run only: peers run in the same one.

pub mod latency;
pub mod machine;
pub mod peer;
pub mod table;
pub mod wrk;

pub use latency::Latencies;
pub use table::Table;

/// The middle one of some numbers; 0 of none.
pub fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied().unwrap_or_default()
}

/// Lets time pass while something else is measured.
pub fn measure_for(length: std::time::Duration) {
    let (_open, nothing) = std::sync::mpsc::channel::<()>();
    // Nobody sends: this is the length of the measurement.
    let _elapsed = nothing.recv_timeout(length);
}
