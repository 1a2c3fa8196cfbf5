//! Where an upstream listens.

use std::fmt;
use std::sync::Arc;

use http::{HeaderValue, Uri};
use thiserror::Error;

use crate::Roots;

/// Scheme, host and port of an upstream, and whom its certificate may come from; the key of a connection pool.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    tls: bool,
    host: Arc<str>,
    port: u16,
    roots: Option<Roots>,
}

/// Why a URL is no upstream's base URL. It may hold a password, so it is not told.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum OriginError {
    /// It is no URL.
    #[error("the address is not a URL")]
    Invalid,
    /// Its scheme is neither `http` nor `https`.
    #[error("the address must start with http:// or https://")]
    Scheme,
    /// It names no host, or holds user information.
    #[error("the address must name a host, without credentials")]
    Host,
    /// Its port is none.
    #[error("the address has a port that is none")]
    Port,
}

impl Origin {
    /// Splits a base URL into its origin and its path without a trailing slash.
    ///
    /// # Errors
    /// When it is no http or https URL with a host and a port that is one, or carries credentials.
    pub fn parse(url: &str) -> Result<(Self, String), OriginError> {
        let uri: Uri = url.parse().map_err(|_| OriginError::Invalid)?;
        let tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(OriginError::Scheme),
        };
        let authority = uri.authority().ok_or(OriginError::Host)?;
        if authority.as_str().contains('@') || authority.host().is_empty() {
            return Err(OriginError::Host);
        }
        let said = authority.as_str().strip_prefix(authority.host()).unwrap_or_default();
        let port = match said.strip_prefix(':').unwrap_or_default() {
            "" if tls => 443,
            "" => 80,
            said => said.parse().map_err(|_| OriginError::Port)?,
        };
        let origin = Self { tls, host: authority.host().into(), port, roots: None };
        Ok((origin, uri.path().trim_end_matches('/').to_owned()))
    }

    /// The same origin, its certificate trusted also where it comes from one of `roots`.
    #[must_use]
    pub fn trusting(self, roots: Option<Roots>) -> Self {
        Self { roots, ..self }
    }

    /// Roots trusted beside the platform's.
    #[must_use]
    pub fn roots(&self) -> Option<&Roots> {
        self.roots.as_ref()
    }

    /// Whether to speak TLS.
    #[must_use]
    pub fn tls(&self) -> bool {
        self.tls
    }

    /// The host, with brackets where it is an IPv6 address.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The host as a socket address or TLS name wants it: without brackets.
    #[must_use]
    pub fn bare_host(&self) -> &str {
        self.host.trim_start_matches('[').trim_end_matches(']')
    }

    /// The port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The value of the `host` header.
    ///
    /// # Errors
    /// Never for an origin that was parsed; the type does not know.
    pub fn host_header(&self) -> Result<HeaderValue, http::header::InvalidHeaderValue> {
        let default = if self.tls { 443 } else { 80 };
        if self.port == default {
            HeaderValue::from_str(&self.host)
        } else {
            HeaderValue::from_str(&format!("{}:{}", self.host, self.port))
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "https" } else { "http" };
        write!(f, "{scheme}://{}:{}", self.host, self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::{Origin, OriginError};

    #[test]
    fn splits_base_urls() {
        let (origin, path) = Origin::parse("https://api.example.com/v1/").unwrap();
        assert_eq!((origin.to_string().as_str(), path.as_str()), ("https://api.example.com:443", "/v1"));
        assert_eq!(origin.host_header().unwrap(), "api.example.com");
        let (origin, path) = Origin::parse("http://[::1]:8080").unwrap();
        assert_eq!((origin.bare_host(), origin.port(), path.as_str()), ("::1", 8080, ""));
        assert_eq!(origin.host_header().unwrap(), "[::1]:8080");
        assert_eq!(Origin::parse("ftp://x/"), Err(OriginError::Scheme));
        assert_eq!(Origin::parse("/v1"), Err(OriginError::Scheme));
        assert_eq!(Origin::parse("http://me:pw@host/"), Err(OriginError::Host));
        assert_eq!(Origin::parse("http://host:99999/"), Err(OriginError::Port));
    }
}
