//! Under which names the gateway answers, and under which it writes its own URLs.
//!
//! A page on the internet can make a browser believe that its own name is the gateway's address (DNS rebinding); then
//! only the `Host` tells. So a name must be known here: an IP literal, `localhost`, the machine's own, or configured.

use std::borrow::Cow;
use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use axum::http::header::HOST;
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap, Uri, Version};

use super::caller::Caller;
use super::problem::{Kind, Problem};
use crate::config::Config;

/// Sum of names and values of a request's headers, in bytes. hyper itself gives up at 64 KiB, without a document.
const HEADERS_BYTES_MAX: usize = 16 << 10;

/// The names that are answered.
#[derive(Debug, Default)]
pub(crate) struct Hosts {
    names: HashSet<String>,
}

impl Hosts {
    /// Of the configuration and of the machine, whose name is `machine`.
    pub(crate) fn new(config: &Config, machine: Option<&str>) -> Self {
        let mut names = HashSet::from(["localhost".to_owned()]);
        if let Some(machine) = machine.map(str::to_ascii_lowercase).filter(|name| !name.is_empty()) {
            names.insert(format!("{machine}.local"));
            names.insert(machine);
        }
        let base = config.base_url.as_deref().and_then(|base| base.split_once("://")).map(|(_, host)| host);
        let configured = config.allowed_hosts.iter().map(String::as_str).chain(base);
        names.extend(configured.map(|host| without_port(host).to_ascii_lowercase()));
        Self { names }
    }

    fn answers(&self, host: &str) -> bool {
        let name = without_port(host);
        let literal = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
        match literal {
            Some(literal) => literal.parse::<Ipv6Addr>().is_ok(),
            None if name.parse::<Ipv4Addr>().is_ok() => true,
            None if name.bytes().any(|byte| byte.is_ascii_uppercase()) => {
                self.names.contains(&name.to_ascii_lowercase())
            }
            None => self.names.contains(name),
        }
    }

    /// Refuses a request for another host, without host, or with a head beyond its limit.
    pub(crate) fn check(&self, version: Version, uri: &Uri, headers: &HeaderMap) -> Result<(), Problem> {
        let bytes: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
        if bytes > HEADERS_BYTES_MAX {
            let detail = format!("the headers have {bytes} bytes; {HEADERS_BYTES_MAX} are taken");
            return Err(Problem::new(Kind::HEADERS_TOO_LARGE, detail));
        }
        let mut lines = headers.get_all(HOST).into_iter();
        let host = match (lines.next(), lines.next()) {
            (Some(_), Some(_)) => return Err(Problem::new(Kind::BAD_REQUEST, "there is more than one Host header")),
            // RFC 9112 section 3.2.2: the authority of an absolute-form target replaces the header.
            (line, None) => {
                uri.authority().map(|authority| authority.as_str()).or(line.and_then(|line| line.to_str().ok()))
            }
            (None, Some(_)) => None,
        };
        match host {
            Some(host) if self.answers(host) => Ok(()),
            Some(host) => {
                let detail = format!(
                    "this gateway does not answer for the host `{}`; name it in `allowed-hosts` if it should",
                    host.chars().take(100).collect::<String>()
                );
                Err(Problem::new(Kind::MISDIRECTED, detail))
            }
            None if version < Version::HTTP_11 => Ok(()),
            None => Err(Problem::new(Kind::BAD_REQUEST, "there is no Host header")),
        }
    }
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        // The last colon of an IPv6 literal without a port is inside the brackets.
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

/// The machine's own name, as the kernel has it.
pub(crate) fn machine_name() -> Option<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    Some(name.trim().to_owned())
}

/// Scheme and authority with which hrefs begin: the configured one, else the one that the client used. A proxy's
/// `X-Forwarded-Proto` and `X-Forwarded-Host` count when the proxy is trusted.
pub(crate) fn origin<'a>(config: &'a Config, parts: &Parts) -> Cow<'a, str> {
    if let Some(base) = &config.base_url {
        return Cow::Borrowed(base);
    }
    Cow::Owned(origin_seen(config, &parts.extensions, &parts.headers, &parts.uri))
}

/// The origin that the client used, whatever is configured.
pub(crate) fn origin_seen(config: &Config, extensions: &Extensions, headers: &HeaderMap, uri: &Uri) -> String {
    let peer = extensions.get::<Arc<Caller>>().map(|caller| caller.address.ip());
    let trusted = peer.is_some_and(|peer| config.trusted_proxies.contains(&canonical(peer)));
    let forwarded = |name| trusted.then(|| headers.get(name)).flatten().and_then(|value| value.to_str().ok());
    let scheme = forwarded("x-forwarded-proto").filter(|scheme| matches!(*scheme, "http" | "https")).unwrap_or("http");
    let asked = uri.authority().map(|authority| authority.as_str());
    let asked = asked.or_else(|| headers.get(HOST)?.to_str().ok());
    let host =
        forwarded("x-forwarded-host").filter(|host| is_authority(host)).or(asked.filter(|host| is_authority(host)));
    format!("{scheme}://{}", host.unwrap_or("localhost"))
}

/// Whether a browser that used `origin` knows that nobody can read along: it is on this machine, or encrypted.
pub(crate) fn is_private(config: &Config, origin: &str) -> bool {
    let Some((scheme, authority)) = origin.split_once("://") else { return false };
    // A proxy that speaks https for us, and is not known as one.
    let based = config.base_url.as_deref().and_then(|base| base.strip_prefix("https://"));
    let name = without_port(authority).to_ascii_lowercase();
    let literal = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(&name);
    let loopback = name == "localhost" || literal.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    scheme == "https" || loopback || based == Some(authority)
}

/// An IPv4 peer of a dual-stack listener comes as a mapped IPv6 address.
fn canonical(peer: IpAddr) -> IpAddr {
    peer.to_canonical()
}

fn is_authority(host: &str) -> bool {
    !host.is_empty()
        && host.len() <= 260
        && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::Request;

    fn hosts() -> Hosts {
        let config = Config { allowed_hosts: vec!["Lab.example:8080".into()], ..Config::default() };
        Hosts::new(&config, Some("Greenhouse"))
    }

    #[test]
    fn only_known_hosts_are_answered() {
        let hosts = hosts();
        for known in [
            "127.0.0.1:80",
            "192.168.1.9",
            "[::1]:8080",
            "[fe80::1]",
            "localhost",
            "LOCALHOST:1",
            "greenhouse",
            "greenhouse.local:80",
            "lab.example",
        ] {
            assert!(hosts.answers(known), "{known}");
        }
        for strange in
            ["evil.example", "127.0.0.1.evil.example", "[evil]", "", ":80", "localhost.evil.example", "1.2.3"]
        {
            assert!(!hosts.answers(strange), "{strange}");
        }
    }

    #[test]
    fn the_host_must_be_there_once() {
        let check = |request: axum::http::request::Builder| {
            let (parts, ()) = request.body(()).unwrap().into_parts();
            hosts().check(parts.version, &parts.uri, &parts.headers).map_err(|problem| problem.status().as_u16())
        };
        assert_eq!(check(Request::get("/")), Err(400));
        assert_eq!(check(Request::get("/").header(HOST, "localhost").header(HOST, "localhost")), Err(400));
        assert_eq!(check(Request::get("http://evil.example/").header(HOST, "localhost")), Err(421));
        assert_eq!(check(Request::get("/").header(HOST, "localhost").header("x", "y".repeat(17_000))), Err(431));
        assert_eq!(check(Request::get("/").header(HOST, "localhost")), Ok(()));
    }

    #[test]
    fn what_is_private_is_on_this_machine_or_encrypted() {
        let config = Config { base_url: Some("https://kitchen.example".into()), ..Config::default() };
        for private in [
            "http://localhost:8080",
            "http://LOCALHOST",
            "http://127.3.3.3:1",
            "http://[::1]:80",
            "https://x",
            "http://kitchen.example",
        ] {
            assert!(is_private(&config, private), "{private}");
        }
        for readable in
            ["http://pi.local:8080", "http://192.168.1.9", "http://[fe80::1]:80", "http://localhost.evil", "", "x"]
        {
            assert!(!is_private(&config, readable), "{readable}");
        }
    }

    #[test]
    fn a_proxy_is_believed_only_when_it_is_trusted() {
        let proxy: std::net::SocketAddr = "10.0.0.1:5".parse().unwrap();
        let request = Request::get("/").header(HOST, "pi:8080").header("x-forwarded-host", "home.example");
        let (mut parts, ()) = request.header("x-forwarded-proto", "https").body(()).unwrap().into_parts();
        parts.extensions.insert(Caller::new(proxy, crate::room::Room::new(1, 0).enter(proxy).unwrap()));
        let plain = Config::default();
        assert_eq!(origin(&plain, &parts), "http://pi:8080");
        let trusting = Config { trusted_proxies: vec![proxy.ip()], ..Config::default() };
        assert_eq!(origin(&trusting, &parts), "https://home.example");
        let based = Config { base_url: Some("https://things.example".into()), ..trusting };
        assert_eq!(origin(&based, &parts), "https://things.example");
    }
}
