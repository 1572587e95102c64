//! TLS to a gateway behind a proxy: the machine's certificates and those of `--ca-file` are trusted, the name is verified.
//!
//! There is no switch that turns that off. What is wrong is said with what to do about it.

use std::{io, path::PathBuf, sync::Arc};

use tokio::{net::TcpStream, sync::OnceCell};
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{self, CertificateError, ClientConfig, RootCertStore, pki_types::ServerName},
};

use super::{Exit, Failure, origin::Origin, unreachable};
use crate::{cli::terminal::plain, trust};

/// Longest text that is shown of what a certificate says, in characters.
const TEXT_CHARS_MAX: usize = 500;
/// Advice on a certificate whose signer is not known.
const CA_FILE: &str =
    "`--ca-file FILE` (or TIDEGATE_CA_FILE) trusts who signed it, or a self-signed certificate itself: a file in PEM";

/// Whose certificates are trusted; they are read when the first connection needs them.
#[derive(Debug, Clone)]
pub(super) struct Trust {
    ca_file: Option<PathBuf>,
    config: Arc<OnceCell<Arc<ClientConfig>>>,
}

impl Trust {
    /// The machine's certificates, and those of a file.
    pub(super) fn new(ca_file: Option<PathBuf>) -> Self {
        Self { ca_file, config: Arc::default() }
    }

    /// Shakes hands over `stream` with whoever can show that it is `origin`.
    pub(super) async fn connect(&self, origin: &Origin, stream: TcpStream) -> Result<TlsStream<TcpStream>, Failure> {
        let config = self.config.get_or_try_init(|| async { self.read().map(Arc::new) }).await?;
        let name = ServerName::try_from(origin.host().to_owned()).map_err(|error| {
            Failure::caused(Exit::Usage, format!("{origin} has no name that a certificate can have"), &error)
                .with_hint("name the gateway as its certificate does")
        })?;
        let connected = TlsConnector::from(Arc::clone(config)).connect(name, stream).await;
        connected.map_err(|error| refused(origin, &error))
    }

    fn read(&self) -> Result<ClientConfig, Failure> {
        let mut roots = RootCertStore::empty();
        trust::add_machine(&mut roots);
        if let Some(file) = &self.ca_file {
            let hint = "`--ca-file` (or TIDEGATE_CA_FILE) names a file in PEM: it has a line BEGIN CERTIFICATE";
            let what = format!("cannot read certificates from {}", file.display());
            let count = trust::add_file(&mut roots, file)
                .map_err(|error| Failure::caused(Exit::Usage, what, error.as_ref()).with_hint(hint))?;
            if count == 0 {
                return Err(
                    Failure::new(Exit::Usage, format!("{} holds no certificate", file.display())).with_hint(hint)
                );
            }
        }
        let mut config = trust::client(roots)
            .map_err(|error| Failure::caused(Exit::Failed, "this program cannot speak TLS", &error))?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }
}

/// Why there is no TLS connection, and what to do. Only what may be over soon is [`Exit::Unreachable`].
fn refused(origin: &Origin, error: &io::Error) -> Failure {
    use CertificateError as Wrong;
    let Some(reason) = error.get_ref().and_then(|error| error.downcast_ref::<rustls::Error>()) else {
        return unreachable(origin, error);
    };
    let (what, hint) = match reason {
        // A bad signature: a certificate that was made anew, under the name of the one that is trusted.
        rustls::Error::InvalidCertificate(Wrong::UnknownIssuer | Wrong::BadSignature) => {
            (format!("the certificate of {origin} is not trusted"), CA_FILE.to_owned())
        }
        rustls::Error::InvalidCertificate(Wrong::NotValidForName | Wrong::NotValidForNameContext { .. }) => (
            format!("the certificate of {origin} is for another name"),
            "name the gateway as its certificate does, or give its proxy one with this name (subjectAltName)".to_owned(),
        ),
        rustls::Error::InvalidCertificate(
            Wrong::Expired | Wrong::ExpiredContext { .. } | Wrong::NotValidYet | Wrong::NotValidYetContext { .. },
        ) => (
            format!("the certificate of {origin} is not valid now"),
            "renew it, or set this machine's clock: `date` shows it".to_owned(),
        ),
        // webpki's own reason, which rustls has no word for.
        rustls::Error::InvalidCertificate(Wrong::Other(other)) if other.to_string() == "CaUsedAsEndEntity" => (
            format!("the certificate of {origin} is an authority's, and none of a server"),
            "make it with `openssl req -x509 -addext basicConstraints=critical,CA:FALSE ..`, or sign another one with it"
                .to_owned(),
        ),
        rustls::Error::InvalidCertificate(_) => {
            (format!("the certificate of {origin} cannot be used"), "give its proxy another one".to_owned())
        }
        rustls::Error::InvalidMessage(_) => (
            format!("what listens at {origin} does not speak TLS"),
            format!("if it is the gateway itself, without a proxy in front, it is {}", origin.other_scheme()),
        ),
        _ => (
            format!("{origin} and this program do not agree on TLS"),
            "TLS 1.2 and 1.3 are spoken, with no certificate of one's own: look at the proxy's settings and log".to_owned(),
        ),
    };
    let cause = plain(&reason.to_string().chars().take(TEXT_CHARS_MAX).collect::<String>());
    Failure { causes: vec![cause], ..Failure::new(Exit::Failed, what) }.with_hint(hint)
}
