//! Text of a handler or of its author on its way to logs, terminals and problem documents: one line, without control
//! characters and without those that reverse or hide what stands beside them, and no longer than it may be.

use std::borrow::Cow;

use crate::value::Fault;

/// The longest sentence of a handler, in bytes: for a problem document.
const SENTENCE_BYTES_MAX: usize = 1_024;
/// The longest name that is shown, in bytes.
const NAME_BYTES_MAX: usize = 200;
/// Stands for what is left out.
const REPLACED: char = '\u{fffd}';

/// A sentence.
pub(crate) fn sentence(text: impl Into<String>) -> String {
    line(text.into(), SENTENCE_BYTES_MAX)
}

/// One line of at most `bytes_max` bytes; what is longer is cut.
pub(crate) fn line(mut text: String, bytes_max: usize) -> String {
    if text.len() > bytes_max {
        text.truncate(text.floor_char_boundary(bytes_max));
        text.shrink_to_fit();
    }
    if text.chars().all(|character| shown(character) == character) {
        return text;
    }
    let mut line: String = text.chars().map(shown).collect();
    line.truncate(line.floor_char_boundary(bytes_max));
    line
}

/// What is shown for a character.
fn shown(character: char) -> char {
    match character {
        '\n' | '\r' | '\t' | '\u{2028}' | '\u{2029}' => ' ',
        // Marks, embeddings, overrides and isolates of direction (Unicode UAX #9), and what has no width.
        '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' => {
            REPLACED
        }
        _ if character.is_control() => REPLACED,
        _ => character,
    }
}

/// A fault whose text is a sentence.
pub(crate) fn fault(fault: Fault) -> Fault {
    match fault {
        Fault::Invalid(text) => Fault::Invalid(sentence(text)),
        Fault::Denied(text) => Fault::Denied(sentence(text)),
        Fault::Unavailable(text) => Fault::Unavailable(sentence(text)),
        Fault::Failed(text) => Fault::Failed(sentence(text)),
        Fault::NotFound | Fault::ReadOnly | Fault::WriteOnly | Fault::Busy => fault,
    }
}

/// A name that the engine gives: of a function, of a part of a component.
pub(crate) fn name(name: &str) -> Cow<'_, str> {
    if name.len() <= NAME_BYTES_MAX && name.chars().all(|character| shown(character) == character) {
        return Cow::Borrowed(name);
    }
    Cow::Owned(line(name.to_owned(), NAME_BYTES_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_act_on_is_left_out() {
        let told = "\u{1b}[2Jred\r\nforged \u{202e}gnp.exe\u{0}";
        assert_eq!(sentence(told), "\u{fffd}[2Jred  forged \u{fffd}gnp.exe\u{fffd}");
        assert_eq!(sentence("21.5 °C at 日本"), "21.5 °C at 日本");
    }

    #[test]
    fn it_is_cut_between_characters_whatever_is_replaced() {
        assert_eq!(sentence("é".repeat(10_000)).len(), SENTENCE_BYTES_MAX);
        // A replacement is longer than what it stands for.
        assert!(sentence("\u{1b}".repeat(10_000)).len() <= SENTENCE_BYTES_MAX);
        assert_eq!(name("\u{7}x"), "\u{fffd}x");
    }
}
