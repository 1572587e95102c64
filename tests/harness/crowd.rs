//! Thousands of connections that say the same and then do nothing, and what a process has while they are there.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::Client;

/// How long each may wait for its answer: the machine has other work, and thousands come at once.
const ANSWERED_WITHIN: Duration = Duration::from_secs(60);
/// How many are opened before the first of them is waited for: the kernel drops those beyond a listener's backlog, and
/// they come again after a second.
const AT_ONCE: usize = 256;
/// Descriptors of this process besides its crowds.
const DESCRIPTORS_OWN: usize = 256;

/// Open connections. They are closed when it is dropped.
#[derive(Debug, Default)]
pub struct Crowd {
    connections: Vec<TcpStream>,
}

impl Crowd {
    /// How many a crowd may have here, up to `wanted`: this process may open so many files, and so may the gateway.
    pub fn possible(wanted: usize) -> usize {
        let limit = getrlimit(Resource::Nofile);
        let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
        let most = if setrlimit(Resource::Nofile, raised).is_ok() { limit.maximum } else { limit.current };
        let most = most.map_or(usize::MAX, |most| usize::try_from(most).unwrap_or(usize::MAX));
        wanted.min(most.saturating_sub(DESCRIPTORS_OWN))
    }

    /// One more connection, which says this and no more. An error of its write counts as said: the peer may refuse it.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn add(&mut self, client: &Client, says: &[u8]) -> Result<()> {
        let mut connection = TcpStream::connect(client.address()).context("no connection")?;
        connection.set_read_timeout(Some(ANSWERED_WITHIN))?;
        let _refused = connection.write_all(says).is_err();
        self.connections.push(connection);
        Ok(())
    }

    /// So many observers of the property or event at `target`, each with its stream open.
    ///
    /// # Errors
    /// When one of them gets no stream.
    pub fn of_observers(client: &Client, target: &str, count: usize) -> Result<Self> {
        let request = format!("GET {target} HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n");
        let mut crowd = Self::default();
        while crowd.connections.len() < count {
            let from = crowd.connections.len();
            for _ in from..count.min(from + AT_ONCE) {
                crowd.add(client, request.as_bytes())?;
            }
            for connection in &mut crowd.connections[from..] {
                let mut status = [0; 12];
                connection.read_exact(&mut status)?;
                ensure!(status == *b"HTTP/1.1 200", "an observer got {:?}", String::from_utf8_lossy(&status));
            }
        }
        Ok(crowd)
    }

    /// Each of them has read `wanted`.
    ///
    /// # Errors
    /// When one does not get it.
    pub fn until_all_read(&mut self, wanted: &str) -> Result<()> {
        for connection in &mut self.connections {
            let (mut text, mut piece) = (Vec::new(), [0; 4_096]);
            while !String::from_utf8_lossy(&text).contains(wanted) {
                let read = connection.read(&mut piece)?;
                ensure!(read > 0, "an observer was closed");
                text.extend_from_slice(&piece[..read]);
            }
        }
        Ok(())
    }
}

/// How many descriptors a process has open.
///
/// # Errors
/// When there is no such process.
pub fn descriptors(process: u32) -> Result<usize> {
    Ok(fs::read_dir(format!("/proc/{process}/fd"))?.count())
}

/// The resident memory of a process, in bytes (proc(5), statm: the second number is in pages).
///
/// # Errors
/// When there is no such process.
pub fn resident_bytes(process: u32) -> Result<u64> {
    let statm = fs::read_to_string(format!("/proc/{process}/statm"))?;
    let pages: u64 = statm.split_ascii_whitespace().nth(1).context("statm has no second number")?.parse()?;
    Ok(pages * u64::try_from(rustix::param::page_size())?)
}
