//! The connections that have not asked anything yet, the oldest first: they make room when there is none.
//!
//! Opening sockets costs an attacker nothing, so a socket without a request has the weakest claim to its place.
//! A connection that has once asked is never turned out from here.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Lobby {
    silent: Mutex<VecDeque<Arc<Newcomer>>>,
}

/// A connection, as the lobby knows it.
#[derive(Debug, Default)]
pub(crate) struct Newcomer {
    has_asked: AtomicBool,
    leave: Notify,
}

impl Newcomer {
    /// A whole request has arrived.
    pub(crate) fn asked(&self) {
        self.has_asked.store(true, Ordering::Relaxed);
    }

    /// Ready when the connection is to make room.
    pub(crate) async fn turned_out(&self) {
        self.leave.notified().await;
        if self.has_asked.load(Ordering::Relaxed) {
            // It asked in the same moment, and stays.
            std::future::pending::<()>().await;
        }
    }

    /// Besides the lobby only its connection holds it.
    fn is_silent(self: &Arc<Self>) -> bool {
        Arc::strong_count(self) > 1 && !self.has_asked.load(Ordering::Relaxed)
    }
}

impl Lobby {
    /// One more connection. It has its place already. What is remembered is bounded by the places.
    pub(crate) fn enter(&self) -> Arc<Newcomer> {
        let newcomer = Arc::new(Newcomer::default());
        let mut silent = self.silent.lock().unwrap_or_else(PoisonError::into_inner);
        if silent.len() == silent.capacity() {
            silent.retain(Newcomer::is_silent);
        }
        silent.push_back(Arc::clone(&newcomer));
        newcomer
    }

    /// Turns out the connection that has been silent for longest; `false`: all have asked.
    pub(crate) fn make_room(&self) -> bool {
        let mut silent = self.silent.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(oldest) = silent.pop_front() {
            if oldest.is_silent() {
                oldest.leave.notify_one();
                return true;
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_silent_connection_makes_room() {
        let lobby = Lobby::default();
        let (asked, gone, silent) = (lobby.enter(), lobby.enter(), lobby.enter());
        asked.asked();
        drop(gone);
        assert!(lobby.make_room());
        assert!(!lobby.make_room(), "each is turned out once");
        drop((asked, silent));
        for _ in 0..10_000 {
            drop(lobby.enter());
        }
        assert!(lobby.silent.lock().unwrap().len() <= 64, "what is gone is forgotten");
    }
}
