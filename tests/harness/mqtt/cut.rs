//! A connection that can be cut: between the gateway and its broker, while the broker's other clients stay.

use std::{
    io::copy,
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use anyhow::Result;

/// Passes connections on to a broker until it is told not to.
#[derive(Debug)]
pub struct Cuttable {
    address: SocketAddr,
    open: Arc<Mutex<Open>>,
}

#[derive(Debug, Default)]
struct Open {
    cut: bool,
    streams: Vec<TcpStream>,
}

impl Cuttable {
    /// Listens on a free port of the loopback.
    ///
    /// # Errors
    /// When it cannot.
    pub fn before(broker: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let (address, open) = (listener.local_addr()?, Arc::<Mutex<Open>>::default());
        let shared = Arc::clone(&open);
        // It ends with the test's process.
        thread::spawn(move || {
            for from in listener.incoming().flatten() {
                let mut open = shared.lock().unwrap_or_else(PoisonError::into_inner);
                if open.cut {
                    continue;
                }
                let Ok(to) = TcpStream::connect(broker) else { continue };
                for (from, to) in [(&from, &to), (&to, &from)] {
                    let (Ok(mut from), Ok(mut to)) = (from.try_clone(), to.try_clone()) else { continue };
                    open.streams.extend(from.try_clone());
                    thread::spawn(move || {
                        // However it ends, both ends are to know.
                        let _ended = copy(&mut from, &mut to);
                        let _gone = to.shutdown(Shutdown::Both);
                        let _gone = from.shutdown(Shutdown::Both);
                    });
                }
            }
        });
        Ok(Self { address, open })
    }

    /// Where to connect instead of to the broker.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends all connections and lets no new one through.
    pub fn cut(&self) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.cut = true;
        for stream in open.streams.drain(..) {
            // An error: it has ended by itself.
            let _gone = stream.shutdown(Shutdown::Both);
        }
    }

    /// Lets connections through again.
    pub fn mend(&self) {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).cut = false;
    }
}
