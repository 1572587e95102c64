//! Where a URL leads: scheme, host and port (RFC 6454 section 4). All three are the same, or it is another origin.
//!
//! A connection is made to the very origin that was compared with the gateway's: a token can go nowhere else.

use std::fmt;

use hyper::Uri;

use super::{Exit, Failure};

/// See the module; its text is a URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Origin {
    is_tls: bool,
    /// In lower case; an IPv6 address in brackets.
    host: String,
    port: u16,
}

impl Origin {
    /// Of an http or https URL.
    pub(super) fn of(url: &Uri) -> Result<Self, Failure> {
        let no_url = || {
            Failure::new(Exit::Usage, format!("{url} is no http or https URL"))
                .with_hint("write the gateway as http://host:port, or https://host behind a proxy with TLS")
        };
        let is_tls = match url.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(no_url()),
        };
        let authority = url.authority().ok_or_else(no_url)?;
        if authority.as_str().contains('@') {
            return Err(Failure::new(Exit::Usage, "a URL with a user name is not supported")
                .with_hint("`--token-file` says who you are"));
        }
        let host = authority.host();
        let port = match (authority.port_u16(), authority.as_str().strip_prefix(host)) {
            (Some(port), _) => port,
            (None, Some("" | ":")) => default_port(is_tls),
            // A number that is no port must not become the usual one.
            (None, _) => return Err(no_url()),
        };
        match host.is_empty() {
            true => Err(no_url()),
            false => Ok(Self { is_tls, host: host.to_ascii_lowercase(), port }),
        }
    }

    /// Whether it is spoken to over TLS.
    pub(super) fn is_tls(&self) -> bool {
        self.is_tls
    }

    /// Its name or address, as the resolver and a certificate have it.
    pub(super) fn host(&self) -> &str {
        self.host.trim_matches(['[', ']'])
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// For the header `Host`: the port is left out when it is the scheme's own (RFC 9110 section 7.2).
    pub(super) fn authority(&self) -> String {
        match self.port == default_port(self.is_tls) {
            true => self.host.clone(),
            false => format!("{}:{}", self.host, self.port),
        }
    }

    /// The same place, spoken to the other way.
    pub(super) fn other_scheme(&self) -> String {
        format!("{}://{}:{}", scheme(!self.is_tls), self.host, self.port)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", scheme(self.is_tls), self.authority())
    }
}

fn scheme(is_tls: bool) -> &'static str {
    if is_tls { "https" } else { "http" }
}

/// RFC 9110 sections 4.2.1 and 4.2.2.
fn default_port(is_tls: bool) -> u16 {
    if is_tls { 443 } else { 80 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(url: &str) -> Origin {
        Origin::of(&url.parse().unwrap()).unwrap()
    }

    #[test]
    fn scheme_host_and_port_make_an_origin() {
        for same in ["https://pi", "https://PI/", "https://pi:443/x?y", "HTTPS://pi:", "https://pi:0443"] {
            assert_eq!(origin(same), origin("https://pi"), "{same}");
        }
        let others =
            ["http://pi", "http://pi:443", "https://pi:80", "https://pi:8443", "https://pi.", "https://pi.local"];
        for other in others {
            assert_ne!(origin(other), origin("https://pi"), "{other}");
        }
        assert_eq!(origin("http://pi"), origin("http://pi:80"));
        assert_ne!(origin("http://127.0.0.1:8080"), origin("http://localhost:8080"));
    }

    #[test]
    fn it_is_written_as_it_is_asked_for() {
        for (url, shown, host, authority) in [
            ("https://pi:443/x", "https://pi", "pi", "pi"),
            ("https://pi:80", "https://pi:80", "pi", "pi:80"),
            ("http://[::1]:80/", "http://[::1]", "::1", "[::1]"),
            ("https://[FE80::1]:8443", "https://[fe80::1]:8443", "fe80::1", "[fe80::1]:8443"),
        ] {
            let origin = origin(url);
            assert_eq!((origin.to_string().as_str(), origin.host()), (shown, host), "{url}");
            assert_eq!(origin.authority(), authority, "{url}");
        }
        assert_eq!(origin("https://pi").other_scheme(), "http://pi:443");
    }

    #[test]
    fn what_is_no_origin_is_refused_with_a_hint() {
        for (url, expected) in [
            ("/x", "no http or https URL"),
            ("ftp://pi", "no http or https URL"),
            ("https://pi:99999/", "no http or https URL"),
            ("http://u@h/", "user"),
            ("https://u:p@h:1/", "user"),
        ] {
            let failure = Origin::of(&url.parse().unwrap()).unwrap_err();
            assert!(failure.exit == Exit::Usage && failure.what.contains(expected), "{url}: {}", failure.what);
            assert!(failure.hint.is_some());
        }
    }
}
