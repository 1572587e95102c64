//! References and templates: what links and forms hold, made into URLs.

use hyper::Uri;
use thing_descriptions::Thing;

/// `reference` seen from `base`, as far as links and forms need it (RFC 3986 section 5.2 without dot segments).
pub(super) fn resolve(base: &Uri, reference: &str) -> Option<Uri> {
    let (scheme, authority) = (base.scheme_str()?, base.authority()?);
    let text = if reference.contains("://") {
        reference.to_owned()
    } else if let Some(rest) = reference.strip_prefix("//") {
        format!("{scheme}://{rest}")
    } else if reference.starts_with('/') {
        format!("{scheme}://{authority}{reference}")
    } else if reference.is_empty() {
        return Some(base.clone());
    } else {
        let folder = base.path().rsplit_once('/').map_or("", |(folder, _)| folder);
        format!("{scheme}://{authority}{folder}/{reference}")
    };
    text.split('#').next()?.parse().ok()
}

/// A TD's `base`, when it has one, is what its references are relative to (TD 1.1 section 5.3.1.1).
pub(super) fn resolve_in(thing: &Thing, url: &Uri, reference: &str) -> Option<Uri> {
    let base = thing.base.as_deref().and_then(|base| resolve(url, base));
    resolve(&base.unwrap_or_else(|| url.clone()), reference)
}

/// A template (RFC 6570) with `{name}` and `{?name,other}` filled in; names without a value are left out.
pub(super) fn expand(template: &str, variables: &[(&str, &str)]) -> String {
    let mut expanded = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        expanded.push_str(before);
        let Some((expression, after)) = after.split_once('}') else { return expanded };
        let (first, names) = match expression.chars().next() {
            Some(sign @ ('?' | '&')) => (Some(sign), &expression[1..]),
            _ => (None, expression),
        };
        let given = names.split(',').filter_map(|name| variables.iter().find(|(given, _)| *given == name));
        for (position, (name, value)) in given.enumerate() {
            match first {
                Some(sign) => {
                    expanded.push(if position == 0 { sign } else { '&' });
                    expanded.push_str(&format!("{}={}", encode(name), encode(value)));
                }
                None => {
                    expanded.push_str(if position == 0 { "" } else { "," });
                    expanded.push_str(&encode(value));
                }
            }
        }
        rest = after;
    }
    expanded.push_str(rest);
    expanded
}

/// Everything but unreserved characters, percent-encoded (RFC 3986 section 2.3).
fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(char::from(byte)),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_resolved_against_the_document() {
        let base: Uri = "http://pi:8080/things/relay".parse().unwrap();
        let rows = [
            ("http://other/x", "http://other/x"),
            ("mqtt://other:1883/x", "mqtt://other:1883/x"),
            ("//other/x", "http://other/x"),
            ("/things/relay/handler", "http://pi:8080/things/relay/handler"),
            ("handler", "http://pi:8080/things/handler"),
            ("/ui#/things/relay", "http://pi:8080/ui"),
            ("", "http://pi:8080/things/relay"),
        ];
        for (reference, expected) in rows {
            assert_eq!(resolve(&base, reference).unwrap().to_string(), expected, "{reference}");
        }
        assert!(resolve(&base, "/a b").is_none());
    }

    #[test]
    fn templates_take_what_is_given_and_drop_the_rest() {
        let variables = [("limit", "2"), ("id", "a b/ü")];
        assert_eq!(expand("/things{?offset,limit,format}", &variables), "/things?limit=2");
        assert_eq!(expand("/things/{id}{?limit}", &variables), "/things/a%20b%2F%C3%BC?limit=2");
        assert_eq!(expand("/x?a=1{&limit,id}", &variables), "/x?a=1&limit=2&id=a%20b%2F%C3%BC");
        assert_eq!(expand("/x{?none}", &[]), "/x");
        assert_eq!(expand("/x{broken", &variables), "/x");
    }
}
