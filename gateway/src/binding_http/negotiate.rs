//! Content negotiation: `Accept`, `Accept-Language`, `If-None-Match` (RFC 9110 sections 12.5 and 13.1.2).
//!
//! Pure functions over header values, without allocation: property reads pass here.

use std::collections::BTreeSet;

use axum::http::HeaderMap;
use axum::http::header::{ACCEPT, ACCEPT_LANGUAGE, IF_NONE_MATCH};

/// Highest quality value, in thousandths.
const QUALITY_MAX: u16 = 1000;

/// The best of `offers` for this request; the earlier one wins a tie. `None`: none is acceptable (406).
pub(crate) fn media<'a>(headers: &HeaderMap, offers: &[&'a str]) -> Option<&'a str> {
    if !headers.contains_key(ACCEPT) {
        return offers.first().copied();
    }
    let mut best = None;
    for offer in offers {
        let quality = media_quality(headers, offer);
        if quality > best.map_or(0, |(quality, _)| quality) {
            best = Some((quality, *offer));
        }
    }
    best.map(|(_, offer)| offer)
}

/// Whether `media_type` is named itself, not only by a wildcard.
pub(crate) fn names(headers: &HeaderMap, media_type: &str) -> bool {
    ranges(headers).any(|(range, quality)| quality > 0 && range.eq_ignore_ascii_case(media_type))
}

/// The most specific range decides (RFC 9110 section 12.5.1).
fn media_quality(headers: &HeaderMap, offer: &str) -> u16 {
    let kind = offer.split_once('/').map_or(offer, |(kind, _)| kind);
    let mut best = (0, 0);
    for (range, quality) in ranges(headers) {
        let specificity = match range.split_once('/') {
            _ if range.eq_ignore_ascii_case(offer) => 3,
            Some((of, "*")) if of.eq_ignore_ascii_case(kind) => 2,
            _ if range == "*/*" || range == "*" => 1,
            _ => continue,
        };
        if specificity > best.0 {
            best = (specificity, quality);
        }
    }
    best.1
}

/// Media ranges without their parameters, each with its quality.
fn ranges(headers: &HeaderMap) -> impl Iterator<Item = (&str, u16)> {
    let lines = headers.get_all(ACCEPT).into_iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).filter_map(weighted)
}

/// One element of a list with `;q=`.
fn weighted(element: &str) -> Option<(&str, u16)> {
    let mut parts = element.split(';').map(str::trim);
    let name = parts.next().filter(|name| !name.is_empty())?;
    let quality = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
    Some((name, quality.map_or(QUALITY_MAX, thousandths)))
}

/// `0.75` as 750; what is no quality value counts as 0 (never wanted).
fn thousandths(text: &str) -> u16 {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let fraction: u16 = match fraction.len() {
        0 => 0,
        1..=3 => fraction.parse::<u16>().map_or(0, |n| n * [100, 10, 1][fraction.len() - 1]),
        _ => return 0,
    };
    match whole {
        "1" => QUALITY_MAX,
        "0" => fraction.min(QUALITY_MAX),
        _ => 0,
    }
}

/// The best of the languages on offer: an exact tag, or one that the wanted range begins (RFC 4647 section 3.3.1).
pub(crate) fn language<'a>(headers: &HeaderMap, offers: &BTreeSet<&'a str>) -> Option<&'a str> {
    let lines = headers.get_all(ACCEPT_LANGUAGE).into_iter().filter_map(|line| line.to_str().ok());
    let mut best = None;
    for (range, quality) in lines.flat_map(|line| line.split(',')).filter_map(weighted) {
        let matching = offers.iter().find(|offer| speaks(offer, range));
        if let Some(offer) = matching
            && quality > best.map_or(0, |(quality, _)| quality)
        {
            best = Some((quality, *offer));
        }
    }
    best.map(|(_, offer)| offer)
}

fn speaks(tag: &str, range: &str) -> bool {
    let primary = |tag: &str| tag.split('-').next().unwrap_or("").to_ascii_lowercase();
    tag.eq_ignore_ascii_case(range) || (range != "*" && primary(tag) == primary(range))
}

/// Whether the client has this representation already.
pub(crate) fn is_current(headers: &HeaderMap, etag: &str) -> bool {
    let lines = headers.get_all(IF_NONE_MATCH).into_iter().filter_map(|line| line.to_str().ok());
    let mut tags = lines.flat_map(|line| line.split(',')).map(str::trim);
    tags.any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderName;

    fn with(name: HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, value.parse().unwrap())])
    }

    #[test]
    fn the_most_specific_range_decides() {
        let offers = ["application/td+json", "application/json", "text/html"];
        let best = |accept: &str| media(&with(ACCEPT, accept), &offers);
        assert_eq!(media(&HeaderMap::new(), &offers), Some("application/td+json"));
        assert_eq!(best("*/*"), Some("application/td+json"));
        assert_eq!(best("application/json"), Some("application/json"));
        assert_eq!(best("text/html,application/xhtml+xml,*/*;q=0.8"), Some("text/html"));
        assert_eq!(best("application/*;q=0.5, application/td+json;q=0"), Some("application/json"));
        assert_eq!(best("image/png"), None);
        assert_eq!(best("application/json;q=2"), None);
        assert_eq!(best(";;;,,q=,"), None);
    }

    #[test]
    fn a_stream_is_given_only_to_who_names_it() {
        let offers = ["application/json", "text/event-stream"];
        let best = |accept: &str| media(&with(ACCEPT, accept), &offers);
        assert_eq!(best("text/event-stream"), Some("text/event-stream"));
        assert_eq!(best("text/event-stream, application/json;q=0.9"), Some("text/event-stream"));
        assert_eq!(best("application/json, text/event-stream;q=0.1"), Some("application/json"));
        assert_eq!(best("*/*"), Some("application/json"));
        assert!(!names(&with(ACCEPT, "*/*"), "text/event-stream"));
        assert!(names(&with(ACCEPT, "text/event-stream;q=0.1"), "text/event-stream"));
    }

    #[test]
    fn languages_match_by_range() {
        let best = |accept: &str| language(&with(ACCEPT_LANGUAGE, accept), &BTreeSet::from(["en", "de-CH"]));
        assert_eq!(best("de, en;q=0.5"), Some("de-CH"));
        assert_eq!(best("fr"), None);
        assert_eq!(best("fr, en-GB;q=0.1"), Some("en"));
    }

    #[test]
    fn etags_compare_weakly() {
        let has = |tags: &str| is_current(&with(IF_NONE_MATCH, tags), "\"abc\"");
        assert!(has("\"x\", W/\"abc\"") && has("*") && !has("\"abcd\""));
    }
}
