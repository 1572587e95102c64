//! One member out of a JSON object, without a parser's weight: an input with two numbers costs a handler 2 KB of code
//! instead of 80. The gateway has checked the text; what is no JSON all the same gives `None`, never a panic.

use crate::Value;

/// The value of the top-level member `name`.
pub(crate) fn member(object: &str, name: &str) -> Option<Value> {
    let mut rest = object.trim_ascii_start().strip_prefix('{')?;
    loop {
        let (key, after) = token(rest)?;
        let after = after.trim_ascii_start().strip_prefix(':')?;
        let (value, after) = token(after)?;
        if unquoted(key)? == name {
            return typed(value);
        }
        rest = after.trim_ascii_start().strip_prefix(',')?;
    }
}

/// The first value of the text, and what follows it.
fn token(text: &str) -> Option<(&str, &str)> {
    let text = text.trim_ascii_start();
    let mut depth = 0_usize;
    let mut in_string = false;
    let mut escaped = false;
    for (index, byte) in text.bytes().enumerate() {
        if in_string {
            (in_string, escaped) = (escaped || byte != b'"', !escaped && byte == b'\\');
            if !in_string && depth == 0 {
                return text.split_at_checked(index + 1);
            }
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'{' | b'[' => depth += 1,
            b',' | b':' | b'}' | b']' | b' ' | b'\n' | b'\r' | b'\t' if depth == 0 => {
                return text.split_at_checked(index).filter(|(token, _)| !token.is_empty());
            }
            b'}' | b']' if depth == 1 => return text.split_at_checked(index + 1),
            b'}' | b']' => depth -= 1,
            _ => {}
        }
    }
    None
}

fn typed(token: &str) -> Option<Value> {
    Some(match token.as_bytes().first()? {
        b'n' => Value::Null,
        b't' => Value::Boolean(true),
        b'f' => Value::Boolean(false),
        b'"' => Value::Text(unquoted(token)?),
        b'{' | b'[' => Value::Json(token.into()),
        _ => match token.parse() {
            Ok(integer) => Value::Integer(integer),
            Err(_) => Value::Number(token.parse().ok()?),
        },
    })
}

/// A JSON string as text.
fn unquoted(token: &str) -> Option<String> {
    let inner = token.strip_prefix('"')?.strip_suffix('"')?;
    let mut text = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(char) = chars.next() {
        text.push(match char {
            '\\' => match chars.next()? {
                'b' => '\u{8}',
                'f' => '\u{c}',
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                'u' => escape(&mut chars)?,
                other => other,
            },
            char => char,
        });
    }
    Some(text)
}

/// Four hexadecimal digits, or two groups of them that form a surrogate pair (RFC 8259 section 7).
fn escape(chars: &mut core::str::Chars<'_>) -> Option<char> {
    let high = digits(chars)?;
    if !(0xd800..0xdc00).contains(&high) {
        return char::from_u32(high);
    }
    let low = (chars.next()? == '\\' && chars.next()? == 'u').then(|| digits(chars))??;
    char::from_u32(0x1_0000 + ((high - 0xd800) << 10) + low.checked_sub(0xdc00)?)
}

fn digits(chars: &mut core::str::Chars<'_>) -> Option<u32> {
    let (group, rest) = chars.as_str().split_at_checked(4)?;
    *chars = rest.chars();
    u32::from_str_radix(group, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OBJECT: &str = r#" { "a" : 1, "n": null, "list": [1, {"b": "]}"}, "x"], "f": -2.5e1 , "t":true,
        "text": "tab\t \"quoted\" \\ \u00e9 \ud83d\ude00", "b": false, "o": {"a": 2} } "#;

    #[test]
    fn every_kind_of_member_is_found() {
        assert_eq!(member(OBJECT, "a"), Some(Value::Integer(1)));
        assert_eq!(member(OBJECT, "n"), Some(Value::Null));
        assert_eq!(member(OBJECT, "list"), Some(Value::Json(r#"[1, {"b": "]}"}, "x"]"#.into())));
        assert_eq!(member(OBJECT, "f"), Some(Value::Number(-25.0)));
        assert_eq!(member(OBJECT, "t"), Some(Value::Boolean(true)));
        assert_eq!(member(OBJECT, "text"), Some(Value::Text("tab\t \"quoted\" \\ é 😀".into())));
        assert_eq!(member(OBJECT, "b"), Some(Value::Boolean(false)));
        assert_eq!(member(OBJECT, "o"), Some(Value::Json(r#"{"a": 2}"#.into())));
        assert_eq!(member(OBJECT, "missing"), None);
    }

    #[test]
    fn text_that_is_no_object_has_no_member() {
        for text in
            ["", "{", "{}", "[1]", "{\"a\"", "{\"a\":", "{\"a\":}", "{\"a\":\"", "{a:1}", "{\"\\ud800\":1}", "}"]
        {
            assert_eq!(member(text, "a"), None, "{text}");
        }
    }
}
