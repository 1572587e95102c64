//! A proxy with TLS, as people put one in front of a gateway: it decrypts and passes on. Whoever speaks plain HTTP to it is
//! told so, as nginx does, and what was said is kept.

use std::{
    fs,
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::Result;
use rcgen::{CertificateParams, KeyPair};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional},
    net::TcpStream,
    runtime::Runtime,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, crypto, pki_types::PrivateKeyDer},
};

/// First byte of a TLS record that holds a handshake (RFC 8446 section 5.1).
const HANDSHAKE: u8 = 22;
/// Longest plain request that is kept, in bytes.
const REQUEST_BYTES_MAX: usize = 4_096;
const PLAIN_ANSWER: &str = "HTTP/1.1 400 Bad Request\r\nContent-Type: text/html\r\nContent-Length: 60\r\n\r\n\
                            <html>The plain HTTP request was sent to HTTPS port.</html>\n";

/// See the module. Dropped, it is gone with its connections.
pub(super) struct TlsFront {
    listener: TcpListener,
    address: SocketAddr,
    acceptor: TlsAcceptor,
    plain: Arc<Mutex<Vec<String>>>,
    runtime: Runtime,
    folder: TempDir,
}

impl TlsFront {
    /// Listens on a free port of the loopback, with a certificate of its own for 127.0.0.1.
    pub(super) fn listen() -> Result<Self> {
        Self::listen_with(&CertificateParams::new(["127.0.0.1".to_owned()])?)
    }

    /// The same with another certificate.
    pub(super) fn listen_with(params: &CertificateParams) -> Result<Self> {
        let key = KeyPair::generate()?;
        let certificate = params.self_signed(&key)?;
        let folder = TempDir::with_prefix("tidegate-")?;
        fs::write(folder.path().join("ca.pem"), certificate.pem())?;
        let key = PrivateKeyDer::try_from(key.serialize_der()).map_err(anyhow::Error::msg)?;
        let provider = Arc::new(crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let config = config.with_no_client_auth().with_single_cert(vec![certificate.der().clone()], key)?;
        let listener = TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let acceptor = TlsAcceptor::from(Arc::new(config));
        Ok(Self { listener, address, acceptor, plain: Arc::default(), runtime, folder })
    }

    /// Passes connections on to `behind`, from now on.
    pub(super) fn pass_on_to(&self, behind: SocketAddr) -> Result<()> {
        let (acceptor, plain) = (self.acceptor.clone(), Arc::clone(&self.plain));
        let listener = self.listener.try_clone()?;
        self.runtime.spawn(async move {
            let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
            while let Ok((stream, _)) = listener.accept().await {
                // However a connection ends, its client sees it.
                tokio::spawn(pass_on(stream, acceptor.clone(), Arc::clone(&plain), behind));
            }
        });
        Ok(())
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// `https://` and the address.
    pub(super) fn url(&self) -> String {
        format!("https://{}", self.address())
    }

    /// The file of its certificate.
    pub(super) fn ca_file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// What was said to it without TLS.
    pub(super) fn plain(&self) -> Vec<String> {
        self.plain.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn pass_on(
    mut stream: TcpStream,
    acceptor: TlsAcceptor,
    plain: Arc<Mutex<Vec<String>>>,
    behind: SocketAddr,
) -> std::io::Result<()> {
    let mut first = [0];
    stream.peek(&mut first).await?;
    if first != [HANDSHAKE] {
        let mut request = vec![0; REQUEST_BYTES_MAX];
        let count = stream.read(&mut request).await?;
        let request = String::from_utf8_lossy(&request[..count]).into_owned();
        plain.lock().unwrap_or_else(PoisonError::into_inner).push(request);
        return stream.write_all(PLAIN_ANSWER.as_bytes()).await;
    }
    let mut inner = acceptor.accept(stream).await?;
    let mut outer = TcpStream::connect(behind).await?;
    copy_bidirectional(&mut inner, &mut outer).await.map(drop)
}
