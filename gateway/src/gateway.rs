//! The running gateway: one entry, [`run`], for the program and for tests.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use crate::{config::Tree, store::StoreError};

/// What a run needs: the configuration with the command line already on top of it.
#[derive(Debug)]
pub struct Options {
    /// The configuration; `tree.config.listen` is where to listen.
    pub tree: Tree,
    /// The store's directory.
    pub data_dir: PathBuf,
    /// Where handlers are looked for by name; `None`: the repository's own places.
    pub handlers_dir: Option<PathBuf>,
    /// Called once, when requests are answered, with the bound address and the handlers folder: prints what to try.
    pub ready: Option<fn(SocketAddr, &Path)>,
}

/// Why the gateway did not start, or ended by itself.
#[derive(Debug, thiserror::Error)]
pub enum StartupError {
    /// The store could not be opened.
    #[error("the store in {} cannot be opened", data_dir.display())]
    Store {
        /// The data directory.
        data_dir: PathBuf,
        /// Why.
        #[source]
        source: StoreError,
    },
    /// The listen address could not be bound.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

/// Runs the gateway until a signal ends it.
#[expect(clippy::unused_async, reason = "placeholder with the signature that the servient will have")]
pub async fn run(options: Options) -> Result<(), StartupError> {
    let Options { tree: _, data_dir, handlers_dir: _, ready: _ } = options;
    crate::store::Store::open(&data_dir).map_err(|source| StartupError::Store { data_dir, source })?;
    Ok(())
}
