//! Topic names and topic filters (MQTT 5.0 section 4.7).
//!
//! Own code and not the codec's: that one cuts a topic after its first byte, which panics inside a character.

/// Longest topic or filter, in bytes; ours are far shorter.
const BYTES_MAX: usize = 1_024;
/// Most levels of a filter.
const LEVELS_MAX: usize = 64;

/// Whether `topic` can be published to.
pub(crate) fn is_topic(topic: &str) -> bool {
    is_text(topic) && !topic.contains(['+', '#'])
}

/// Whether `filter` can be subscribed to: wildcards fill whole levels, `#` is the last one.
pub(crate) fn is_filter(filter: &str) -> bool {
    let whole = |level: &str| level.len() == 1 || !level.contains(['+', '#']);
    let last = filter.split('/').count().saturating_sub(1);
    is_text(filter)
        && last < LEVELS_MAX
        && filter.split('/').enumerate().all(|(place, level)| whole(level) && (level != "#" || place == last))
}

fn is_text(text: &str) -> bool {
    !text.is_empty() && text.len() <= BYTES_MAX && !text.contains('\0')
}

/// Whether `filter` takes in `topic`; both are valid. Wildcards do not reach topics that begin with `$`.
pub(crate) fn matches(filter: &str, topic: &str) -> bool {
    if topic.starts_with('$') && filter.starts_with(['+', '#']) {
        return false;
    }
    let (mut filter, mut topic) = (filter.split('/'), topic.split('/'));
    loop {
        match (filter.next(), topic.next()) {
            (Some("#"), _) | (None, None) => return true,
            (Some("+"), Some(_)) => {}
            (Some(wanted), Some(level)) if wanted == level => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_what_the_specification_says() {
        for good in ["#", "+", "/", "a/#", "+/a/#", "a/+/b", "ä/ö", "//"] {
            assert!(is_filter(good), "{good}");
        }
        for bad in ["", "a#", "#/a", "a/#/b", "a+", "+a", "a\0", "##", &"a".repeat(2_000), &"/".repeat(100)] {
            assert!(!is_filter(bad), "{bad}");
        }
        assert!(is_topic("a/b") && !is_topic("a/+") && !is_topic("#") && !is_topic("a\0b") && !is_topic(""));
    }

    #[test]
    fn wildcards_match_levels() {
        for (filter, topic) in [
            ("#", "a/b"),
            ("a/#", "a"),
            ("a/#", "a/b/c"),
            ("a/+", "a/b"),
            ("+/+", "/b"),
            ("/+", "/b"),
            ("a", "a"),
            ("+", "ä"),
        ] {
            assert!(matches(filter, topic), "{filter} {topic}");
        }
        for (filter, topic) in
            [("a/+", "a"), ("a/+", "a/b/c"), ("+", "/b"), ("a", "A"), ("#", "$SYS/x"), ("+/x", "$SYS/x")]
        {
            assert!(!matches(filter, topic), "{filter} {topic}");
        }
        assert!(matches("$SYS/#", "$SYS/x"));
    }
}
