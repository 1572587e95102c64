//! Whose certificates are trusted over TLS, by whoever connects from here: to a broker, or to a gateway behind a proxy.
//!
//! TLS 1.2 and 1.3 by rustls with ring. The chain and the name are always verified: nothing here can turn that off.

use std::{
    error::Error,
    fs::File,
    io::{self, Read as _},
    path::Path,
    sync::Arc,
};

use tokio_rustls::rustls::{
    self, ClientConfig, RootCertStore, crypto,
    pki_types::{CertificateDer, pem::PemObject as _},
};

/// Largest file of certificates that is read: those of a whole system have a quarter of a MiB.
const FILE_BYTES_MAX: u64 = 16 << 20;

/// Trusts the certificates of a file (PEM); how many there are.
///
/// # Errors
/// When it cannot be read, or holds a certificate that is none.
pub(crate) fn add_file(roots: &mut RootCertStore, file: &Path) -> Result<usize, Box<dyn Error + Send + Sync>> {
    let mut pem = Vec::new();
    File::open(file).and_then(|opened| opened.take(FILE_BYTES_MAX + 1).read_to_end(&mut pem))?;
    if u64::try_from(pem.len()).is_ok_and(|bytes| bytes > FILE_BYTES_MAX) {
        return Err(io::Error::from(io::ErrorKind::FileTooLarge).into());
    }
    let mut count = 0;
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        roots.add(certificate?)?;
        count += 1;
    }
    Ok(count)
}

/// Trusts what this machine trusts. One of its certificates that cannot be read is left out, and logged.
pub(crate) fn add_machine(roots: &mut RootCertStore) {
    let machine = rustls_native_certs::load_native_certs();
    for error in &machine.errors {
        tracing::warn!(%error, "a certificate of this system cannot be read");
    }
    roots.add_parsable_certificates(machine.certs);
}

/// TLS for a client that shows no certificate of its own.
///
/// # Errors
/// When ring cannot speak these versions.
pub(crate) fn client(roots: RootCertStore) -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(crypto::ring::default_provider());
    let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(versions.with_root_certificates(roots).with_no_client_auth())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_certificates_or_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let taken = |text: &str| {
            std::fs::write(file.path(), text).unwrap();
            add_file(&mut RootCertStore::empty(), file.path())
        };
        assert_eq!(taken("").unwrap(), 0);
        assert_eq!(taken("no certificate\n").unwrap(), 0);
        assert!(taken("-----BEGIN CERTIFICATE-----\nAAAA\n").is_err());
        assert!(taken("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").is_err());
        assert!(add_file(&mut RootCertStore::empty(), Path::new("/nowhere")).is_err());
        let endless = add_file(&mut RootCertStore::empty(), Path::new("/dev/zero")).unwrap_err();
        assert!(endless.to_string().contains("too large"), "{endless}");
    }
}
