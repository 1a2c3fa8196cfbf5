//! Root certificates trusted for one provider, beside the platform's.

use std::hash::{Hash, Hasher};
use std::sync::{Arc, OnceLock};

use rustls::ClientConfig;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use thiserror::Error;

/// Root certificates. Cheap to clone; equal when the certificates are.
#[derive(Clone, Debug)]
pub struct Roots(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    certificates: Vec<CertificateDer<'static>>,
    /// What connections are made with; built at the first of them.
    config: OnceLock<Arc<ClientConfig>>,
}

/// Why a text holds no root certificates.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum RootsError {
    /// It is not PEM.
    #[error("the certificates cannot be read as PEM: {0}")]
    Pem(String),
    /// There is no certificate in it.
    #[error("there is no certificate in it")]
    None,
    /// One of them is no certificate of an authority.
    #[error("a certificate cannot be a root: {0}")]
    Certificate(String),
}

impl Roots {
    /// Reads the certificates of a PEM text.
    ///
    /// # Errors
    /// When there is none, or one that cannot be a root.
    pub fn parse(pem: &str) -> Result<Self, RootsError> {
        let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
        let certificates = read.map_err(|e| RootsError::Pem(e.to_string()))?;
        if certificates.is_empty() {
            return Err(RootsError::None);
        }
        let mut probe = rustls::RootCertStore::empty();
        for certificate in &certificates {
            probe.add(certificate.clone()).map_err(|e| RootsError::Certificate(e.to_string()))?;
        }
        Ok(Self(Arc::new(Inner { certificates, config: OnceLock::new() })))
    }

    /// The certificates, in DER.
    pub fn certificates(&self) -> impl Iterator<Item = &[u8]> {
        self.0.certificates.iter().map(AsRef::as_ref)
    }

    pub(crate) fn owned(&self) -> Vec<CertificateDer<'static>> {
        self.0.certificates.clone()
    }

    pub(crate) fn config(&self) -> &OnceLock<Arc<ClientConfig>> {
        &self.0.config
    }
}

impl PartialEq for Roots {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.certificates == other.0.certificates
    }
}

impl Eq for Roots {}

impl Hash for Roots {
    /// Pools are looked up for each request: host and port tell origins apart well enough.
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.certificates.len().hash(state);
    }
}

#[cfg(test)]
mod tests {
    use super::{Roots, RootsError};

    fn pem(name: &str) -> String {
        rcgen::generate_simple_self_signed([name.to_owned()]).unwrap().cert.pem()
    }

    #[test]
    fn roots_are_read_and_compared_by_their_certificates() {
        let (one, two) = (pem("one.test"), pem("two.test"));
        let both = Roots::parse(&format!("{one}{two}")).unwrap();
        assert_eq!(both.certificates().count(), 2);
        assert_eq!(both, Roots::parse(&format!("a remark\n{one}\n{two}")).unwrap());
        assert_ne!(both, Roots::parse(&one).unwrap());
    }

    #[test]
    fn what_holds_no_root_is_refused() {
        assert_eq!(Roots::parse("certainly not PEM").unwrap_err(), RootsError::None);
        let cut = pem("one.test").replace("-----END CERTIFICATE-----", "");
        assert!(matches!(Roots::parse(&cut), Err(RootsError::Pem(_) | RootsError::None)));
        let junk = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert!(matches!(Roots::parse(junk), Err(RootsError::Certificate(_))));
    }
}
