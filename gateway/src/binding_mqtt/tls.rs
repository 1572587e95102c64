//! TLS to a broker: rumqttc speaks over a private Unix socket to this relay, which speaks TLS 1.2 or 1.3 to the broker.
//!
//! rumqttc's own TLS brings a version of rustls-webpki with a known flaw. The socket lies in a folder that only this user
//! can enter, takes one connection, and is gone with the relay.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempDir;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpStream, UnixListener};
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::config::Broker;
use crate::trust;

/// See the module. Dropped, the connection is closed.
#[derive(Debug)]
pub(super) struct TlsRelay {
    path: PathBuf,
    relaying: JoinHandle<()>,
    _folder: TempDir,
}

impl Drop for TlsRelay {
    fn drop(&mut self) {
        self.relaying.abort();
    }
}

impl TlsRelay {
    /// Connects to `broker` and shakes hands with it, so that what is wrong there is said in words.
    ///
    /// # Errors
    /// One sentence.
    pub(super) async fn start(broker: &Broker) -> Result<Self, String> {
        let config = config(broker)?;
        let name = ServerName::try_from(broker.host.clone()).map_err(|error| format!("{}: {error}", broker.host))?;
        let connecting = async {
            let tcp =
                TcpStream::connect((broker.host.as_str(), broker.port)).await.map_err(|error| error.to_string())?;
            let connected = TlsConnector::from(Arc::new(config)).connect(name, tcp).await;
            connected.map_err(|error| format!("the TLS handshake failed: {error}"))
        };
        let connected = tokio::time::timeout(super::broker::CONNECT_TIMEOUT, connecting).await;
        let mut broker = connected.map_err(|_| "no TLS connection in time".to_owned())??;
        let folder = tempfile::Builder::new().prefix("tidegate-").tempdir().map_err(|error| error.to_string())?;
        let path = folder.path().join("mqtt");
        let listener = UnixListener::bind(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let relaying = tokio::spawn(async move {
            if let Ok((mut client, _)) = listener.accept().await {
                drop(listener);
                if let Err(error) = copy_bidirectional(&mut client, &mut broker).await {
                    tracing::debug!(%error, "the TLS connection to the broker ended");
                }
            }
        });
        Ok(Self { path, relaying, _folder: folder })
    }

    /// Where rumqttc connects to.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

fn config(broker: &Broker) -> Result<ClientConfig, String> {
    let mut roots = RootCertStore::empty();
    match &broker.ca_file {
        Some(file) => {
            trust::add_file(&mut roots, file).map_err(|error| format!("{}: {error}", file.display()))?;
        }
        None => trust::add_machine(&mut roots),
    }
    if roots.is_empty() {
        return Err("no certificate is trusted: name the broker's authority under `ca-file`".to_owned());
    }
    trust::client(roots).map_err(|error| error.to_string())
}
