//! What a request shows in its `Authorization` header: a token as a bearer (RFC 6750 section 2.1), or as the password of
//! basic authentication with any user name (RFC 7617). Nowhere else: a token in a URL would end up in logs.

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;

/// See the module. Without `Debug`: it holds a secret.
#[derive(PartialEq, Eq)]
pub(crate) enum Shown {
    Nothing,
    Token(Vec<u8>),
    /// Neither of the two, twice, or not well formed.
    Unreadable,
}

impl Shown {
    pub(crate) fn by(headers: &HeaderMap) -> Self {
        let mut lines = headers.get_all(AUTHORIZATION).into_iter();
        match (lines.next(), lines.next()) {
            (None, _) => Self::Nothing,
            (Some(line), None) => token(line.as_bytes()).map_or(Self::Unreadable, Self::Token),
            (Some(_), Some(_)) => Self::Unreadable,
        }
    }
}

fn token(line: &[u8]) -> Option<Vec<u8>> {
    let end = line.iter().position(|byte| *byte == b' ')?;
    let (scheme, rest) = line.split_at(end);
    let rest = rest.trim_ascii();
    if scheme.eq_ignore_ascii_case(b"bearer") {
        return Some(rest.to_vec());
    }
    if !scheme.eq_ignore_ascii_case(b"basic") {
        return None;
    }
    let mut pair = base64(rest)?;
    let colon = pair.iter().position(|byte| *byte == b':')?;
    Some(pair.split_off(colon + 1))
}

/// RFC 4648 section 4, with or without padding.
fn base64(text: &[u8]) -> Option<Vec<u8>> {
    let digits = text.strip_suffix(b"==").or_else(|| text.strip_suffix(b"=")).unwrap_or(text);
    let padded = digits.len() != text.len();
    if (padded && !text.len().is_multiple_of(4)) || digits.len() % 4 == 1 {
        return None;
    }
    let mut bytes = Vec::with_capacity(digits.len() / 4 * 3 + 2);
    for group in digits.chunks(4) {
        let sixes = group.iter().try_fold(0_u32, |sum, digit| Some(sum << 6 | u32::from(value(*digit)?)))?;
        let [_, first, second, third] = (sixes << (6 * (4 - group.len()))).to_be_bytes();
        bytes.extend_from_slice(&[first, second, third][..group.len() - 1]);
    }
    Some(bytes)
}

fn value(digit: u8) -> Option<u8> {
    match digit {
        b'A'..=b'Z' => Some(digit - b'A'),
        b'a'..=b'z' => Some(digit - b'a' + 26),
        b'0'..=b'9' => Some(digit - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn shown(lines: &[&[u8]]) -> Shown {
        let lines = lines.iter().map(|line| (AUTHORIZATION, HeaderValue::from_bytes(line).unwrap()));
        Shown::by(&HeaderMap::from_iter(lines))
    }

    fn is(lines: &[&[u8]], token: &[u8]) -> bool {
        shown(lines) == Shown::Token(token.to_vec())
    }

    #[test]
    fn a_token_is_a_bearer_or_a_password() {
        assert!(shown(&[]) == Shown::Nothing);
        for line in
            ["Bearer tg_x", "bearer tg_x", "BEARER   tg_x ", "Basic dTp0Z194", "basic OnRnX3g=", "BASIC OnRnX3g"]
        {
            assert!(is(&[line.as_bytes()], b"tg_x"), "{line}");
        }
        assert!(is(&[b"Basic dTphOmI="], b"a:b"), "a password may have colons, a user name may not");
        assert!(is(&[b"Basic Og=="], b"") && is(&[b"Basic Ov8="], b"\xff"));
    }

    #[test]
    fn what_is_neither_is_not_guessed_at() {
        let wrong: [&[&[u8]]; 15] = [
            &[b""],
            &[b"Bearer"],
            &[b"tg_x"],
            &[b"Digest tg_x"],
            &[b"Basic tg_x"],
            &[b"Basic dXNlcg=="],
            &[b"Basic "],
            &[b"Basic O==="],
            &[b"Basic O"],
            &[b"Basic OnRn X3g="],
            &[b"Basic OnRnX3g=="],
            &[b"Basic =OnRnX3g"],
            &[b"Basic \xff"],
            &[b"Bearer tg_x", b"Bearer tg_x"],
            &[b"Basic OnRnX3g=", b"Bearer tg_x"],
        ];
        for lines in wrong {
            assert!(shown(lines) == Shown::Unreadable, "{:?}", lines[0].escape_ascii().to_string());
        }
    }
}
