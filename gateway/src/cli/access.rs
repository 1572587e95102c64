//! Which gateway a command speaks to, and with which token: `--gateway`, `--token-file`, `--ca-file`, and their environment.
//!
//! A token is never printed, and goes to the gateway that was named alone: a form that leads elsewhere gets none.

use std::{
    io::Read as _,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use clap::{
    Args,
    builder::{OsStringValueParser, TypedValueParser},
};
use hyper::{Uri, header::HeaderValue};

use super::{
    Exit, Failure, console,
    consumer::{Consumer, Found, same_origin},
};

/// Where a gateway listens that was not told otherwise.
const GATEWAY: &str = "http://127.0.0.1:8080";
/// Another one, for a whole session.
const GATEWAY_VARIABLE: &str = "TIDEGATE_GATEWAY";
/// The file of a token.
const TOKEN_FILE_VARIABLE: &str = "TIDEGATE_TOKEN_FILE";
/// The token itself, for those who keep secrets in the environment.
const TOKEN_VARIABLE: &str = "TIDEGATE_TOKEN";
/// Longest token file that is read, in bytes.
const TOKEN_BYTES_MAX: u64 = 4_096;

/// The options of every command that speaks to a gateway.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Gateway")]
pub(super) struct GatewayArgs {
    /// Address of the gateway, such as `https://pi.local`, which the environment's `TIDEGATE_GATEWAY` may name too; else
    /// `http://127.0.0.1:8080`
    // The environment is read later: a command may have to know who named the gateway.
    #[arg(long, value_name = "URL")]
    pub(super) gateway: Option<String>,
    /// File whose first line is the access token, which the environment's `TIDEGATE_TOKEN_FILE` may name too; its
    /// `TIDEGATE_TOKEN` may hold the token itself
    // The environment is read later: its token may not be meant for the gateway that is asked.
    #[arg(long, value_name = "FILE", value_parser = perhaps_empty())]
    pub(super) token_file: Option<PathBuf>,
    /// File of certificates (PEM) that https trusts, beside those of this machine
    #[arg(long, value_name = "FILE", env = "TIDEGATE_CA_FILE", value_parser = perhaps_empty())]
    pub(super) ca_file: Option<PathBuf>,
    /// Seconds to wait for an answer
    #[arg(long, value_name = "SECONDS", default_value_t = 40, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    pub(super) timeout: u64,
}

/// What a command takes that shows something of a gateway.
#[derive(Debug, Args)]
pub(super) struct Listing {
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) gateway: GatewayArgs,
}

/// What a command takes that is about one Thing and no more.
#[derive(Debug, Args)]
pub(super) struct OfThing {
    /// Name, id or title of the Thing
    pub(super) thing: String,
    #[command(flatten)]
    pub(super) listing: Listing,
}

impl OfThing {
    /// A Consumer of the gateway, and the Thing as it describes itself.
    pub(super) async fn find(&self) -> Result<(Consumer, Found), Failure> {
        let consumer = self.listing.gateway.consumer()?;
        let found = consumer.thing(&self.thing).await?;
        Ok((consumer, found))
    }
}

/// Whose token a gateway is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenOf {
    /// The command line's, else the environment's.
    Anyone,
    /// The command line's alone.
    CommandLine,
}

impl GatewayArgs {
    /// The gateway that was named, on the command line or else in the environment; an empty name names none.
    pub(super) fn named(&self) -> Option<String> {
        let named = self.gateway.clone().or_else(|| std::env::var(GATEWAY_VARIABLE).ok());
        named.filter(|gateway| !gateway.is_empty())
    }

    /// A Consumer of the named gateway, or of the one that is usually on this machine.
    pub(super) fn consumer(&self) -> Result<Consumer, Failure> {
        self.consumer_with(TokenOf::Anyone)
    }

    /// The same, with a token that comes from there.
    pub(super) fn consumer_with(&self, whose: TokenOf) -> Result<Consumer, Failure> {
        let gateway = parse(self.named().as_deref().unwrap_or(GATEWAY))?;
        let ca_file = self.ca_file.clone().filter(|file| !file.as_os_str().is_empty());
        Consumer::new(gateway, self.token(whose)?, Duration::from_secs(self.timeout.max(1)), ca_file)
    }

    /// The gateway that the environment names, where it has a token that would be sent, and this is meant for that gateway
    /// and not for the one at `url`.
    pub(super) fn withheld_at(&self, url: &str) -> Option<String> {
        let has_token =
            self.token_file.is_none() && [TOKEN_FILE_VARIABLE, TOKEN_VARIABLE].iter().any(|name| is_set(name));
        let named = std::env::var_os(GATEWAY_VARIABLE).filter(|named| has_token && !named.is_empty())?;
        let named = named.to_string_lossy().into_owned();
        let same = parse(&named).is_ok_and(|named| parse(url).is_ok_and(|url| same_origin(&named, &url)));
        (!same).then_some(named)
    }

    fn token(&self, whose: TokenOf) -> Result<Option<HeaderValue>, Failure> {
        let environment = |name: &str| std::env::var_os(name).filter(|_| whose == TokenOf::Anyone);
        let file = self.token_file.clone().or_else(|| environment(TOKEN_FILE_VARIABLE).map(PathBuf::from));
        let file = file.filter(|file| !file.as_os_str().is_empty());
        let (token, origin) = match (file, environment(TOKEN_VARIABLE).and_then(|token| token.into_string().ok())) {
            (Some(file), _) => (read_token(&file)?, file.display().to_string()),
            (None, Some(token)) if !token.trim().is_empty() => (token, TOKEN_VARIABLE.to_owned()),
            (None, _) => return Ok(None),
        };
        bearer(token.trim()).map(Some).ok_or_else(|| {
            Failure::new(Exit::Usage, format!("{origin} holds no token"))
                .with_hint("a token is one line of letters, digits and signs, as `tidegate token new` prints it")
        })
    }
}

/// Whether a variable of the environment holds something.
fn is_set(name: &str) -> bool {
    std::env::var_os(name).is_some_and(|value| !value.is_empty())
}

/// A file's name, or nothing: a variable of the environment that is empty names no file.
fn perhaps_empty() -> impl TypedValueParser<Value = PathBuf> {
    OsStringValueParser::new().map(PathBuf::from)
}

fn parse(gateway: &str) -> Result<Uri, Failure> {
    gateway.parse().map_err(|error| {
        Failure::caused(Exit::Usage, format!("`{gateway}` is no URL"), &error)
            .with_hint("write the gateway as http://host:port, or https://host behind a proxy with TLS")
    })
}

/// `Authorization: Bearer ..` (RFC 6750 section 2.1); nothing when it is empty or holds what no header may.
fn bearer(token: &str) -> Option<HeaderValue> {
    let visible = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
    let mut value = HeaderValue::try_from(format!("Bearer {token}")).ok().filter(|_| visible)?;
    value.set_sensitive(true);
    Some(value)
}

/// The first line of the file.
fn read_token(file: &Path) -> Result<String, Failure> {
    let failed = |error: &std::io::Error| {
        Failure::caused(Exit::Usage, format!("cannot read the token from {}", file.display()), error)
            .with_hint("`--token-file` (or TIDEGATE_TOKEN_FILE) names a file whose first line is the token")
    };
    let opened = std::fs::File::open(file).map_err(|error| failed(&error))?;
    if opened.metadata().is_ok_and(|about| about.is_file() && about.permissions().mode() & 0o077 != 0) {
        console::note(format!("warning: others can read {}: `chmod 600` it", file.display()));
    }
    let mut text = String::new();
    opened.take(TOKEN_BYTES_MAX).read_to_string(&mut text).map_err(|error| failed(&error))?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_one_visible_line_and_never_shown() {
        for wrong in ["", "two words", "tab\there", "z\u{e4}hler"] {
            assert!(bearer(wrong).is_none(), "{wrong}");
        }
        let value = bearer("a.B-3_~+/=").unwrap();
        assert_eq!(value.to_str().unwrap(), "Bearer a.B-3_~+/=");
        assert!(!format!("{value:?}").contains("a.B-3"));
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "secret\nnot this\n").unwrap();
        assert_eq!(read_token(file.path()).unwrap(), "secret");
        assert_eq!(read_token(Path::new("/nowhere/token")).unwrap_err().exit, Exit::Usage);
    }
}
