//! The headers that say how old and how good a reading is.
//!
//! Property reads are the gateway's hottest path: formatted dates and small numbers are kept per worker thread, so a read
//! clones a reference count instead of formatting text.

use std::cell::RefCell;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use axum::http::header::{
    AGE, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LAST_MODIFIED, VARY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue};

use crate::reading::{ContentType, Reading, quality_word};

/// How good the reading is; the word of the readings themselves (no registered header says it).
pub(crate) const READING_QUALITY: HeaderName = HeaderName::from_static("reading-quality");
pub(crate) const JSON: HeaderValue = HeaderValue::from_static("application/json");
/// May be kept, must be asked for again.
pub(crate) const NO_CACHE: HeaderValue = HeaderValue::from_static("no-cache");

/// Formatted dates of the last seconds; direct-mapped, so a Thing that is read rarely evicts one entry only.
const DATES: usize = 16;
/// Ages below this many seconds are kept.
const AGES: usize = 64;

struct Stamps {
    dates: [Option<(u64, HeaderValue)>; DATES],
    ages: [Option<HeaderValue>; AGES],
}

thread_local! {
    static STAMPS: RefCell<Stamps> = const {
        RefCell::new(Stamps { dates: [const { None }; DATES], ages: [const { None }; AGES] })
    };
}

impl Stamps {
    fn date(&mut self, at: SystemTime) -> HeaderValue {
        let second = at.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let slot = &mut self.dates[usize::try_from(second).unwrap_or(0) % DATES];
        match slot {
            Some((of, header)) if *of == second => header.clone(),
            _ => slot.insert((second, http_date(at))).1.clone(),
        }
    }

    fn age(&mut self, seconds: u64) -> HeaderValue {
        match usize::try_from(seconds).ok().and_then(|seconds| self.ages.get_mut(seconds)) {
            Some(slot) => slot.get_or_insert_with(|| HeaderValue::from(seconds)).clone(),
            None => HeaderValue::from(seconds),
        }
    }
}

/// A date as HTTP writes it (RFC 9110 section 5.6.7).
pub(crate) fn http_date(at: SystemTime) -> HeaderValue {
    // Dates beyond the year 9999 have no HTTP form; nothing was taken then.
    let representable = at.duration_since(UNIX_EPOCH).is_ok_and(|since| since.as_secs() < 253_402_300_800);
    let at = if representable { at } else { UNIX_EPOCH };
    HeaderValue::try_from(httpdate::fmt_http_date(at))
        .unwrap_or(HeaderValue::from_static("Thu, 01 Jan 1970 00:00:00 GMT"))
}

/// Stamps an answer that carries `reading`.
pub(crate) fn stamp(headers: &mut HeaderMap, reading: &Reading, now: Instant, now_utc: SystemTime) {
    let age = reading.age(now).as_secs();
    let (date, age) = STAMPS.with_borrow_mut(|stamps| (stamps.date(reading.taken_utc(now, now_utc)), stamps.age(age)));
    // Room for these and for what the server adds: no growing, no hashing twice.
    headers.reserve(12);
    headers.insert(LAST_MODIFIED, date);
    headers.insert(AGE, age);
    let quality = quality_word(reading.quality, reading.simulated);
    headers.insert(READING_QUALITY, HeaderValue::from_static(quality));
    headers.insert(CACHE_CONTROL, NO_CACHE);
    // The same URL gives a stream to who asks for one.
    headers.insert(VARY, HeaderValue::from_static("accept"));
    match &reading.content_type {
        ContentType::Json => {
            headers.insert(CONTENT_TYPE, JSON);
        }
        ContentType::Other(media) => {
            // The handler's author chose type and bytes: shown in a browser, they must not act as a page of ours.
            let octets = HeaderValue::from_static("application/octet-stream");
            headers.insert(CONTENT_TYPE, HeaderValue::from_str(media).unwrap_or(octets));
            headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
            headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static("sandbox; default-src 'none'"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reading::Quality;
    use bytes::Bytes;
    use std::time::Duration;

    fn stamped(age: Duration, content_type: ContentType) -> HeaderMap {
        let taken = Instant::now();
        let reading = Reading { body: Bytes::new(), content_type, taken, quality: Quality::Good, simulated: true };
        let mut headers = HeaderMap::new();
        let now_utc = UNIX_EPOCH + Duration::from_secs(784_111_777) + age;
        stamp(&mut headers, &reading, taken + age, now_utc);
        headers
    }

    #[test]
    fn a_reading_says_when_it_was_taken() {
        for age in [0, 7, 7, 100] {
            let headers = stamped(Duration::from_secs(age), ContentType::Json);
            assert_eq!(headers[LAST_MODIFIED], "Sun, 06 Nov 1994 08:49:37 GMT");
            assert_eq!(headers[AGE], age.to_string().as_str());
            assert_eq!(headers[READING_QUALITY], "good; simulated");
        }
    }

    #[test]
    fn a_medium_of_a_handler_cannot_act_as_a_page() {
        let headers = stamped(Duration::ZERO, ContentType::Other("text/html".into()));
        assert_eq!(headers[CONTENT_SECURITY_POLICY], "sandbox; default-src 'none'");
        assert_eq!(headers[X_CONTENT_TYPE_OPTIONS], "nosniff");
    }
}
