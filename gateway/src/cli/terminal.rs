//! The terminal: how wide it is, whether it wants colours, and what may never reach it.
//!
//! Values, names and reasons come from handlers and other machines: they may hold escapes that clear a screen, set a title
//! or forge a line. [`plain`] makes every such character visible before it is printed, terminal or not.

use std::{
    fmt,
    io::{IsTerminal as _, stderr, stdout},
};

/// Columns of a table that goes into a file or a pipe: nothing is cut there.
const UNLIMITED: usize = usize::MAX;
/// Narrower terminals are taken for one of this width.
const COLUMNS_MIN: usize = 20;

/// What a colour says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    /// The head of a table.
    Head,
    Good,
    Doubtful,
    Bad,
    /// What is said on the side: a hint, a time.
    Aside,
}

impl Tone {
    /// Select Graphic Rendition (ECMA-48 section 8.3.117).
    fn code(self) -> &'static str {
        match self {
            Self::Head => "1",
            Self::Good => "32",
            Self::Doubtful => "33",
            Self::Bad => "31",
            Self::Aside => "2",
        }
    }
}

/// One of the two output streams.
#[derive(Debug, Clone, Copy)]
pub(super) struct Screen {
    coloured: bool,
    columns: usize,
}

impl Screen {
    /// Standard output.
    pub(super) fn output() -> Self {
        Self { coloured: stdout().is_terminal() && colours_wanted(), columns: width(stdout()) }
    }

    /// Standard error.
    pub(super) fn error() -> Self {
        Self { coloured: stderr().is_terminal() && colours_wanted(), columns: width(stderr()) }
    }

    #[cfg(test)]
    pub(super) fn of(coloured: bool, columns: usize) -> Self {
        Self { coloured, columns }
    }

    /// The same without an end of lines: what was asked for by name is shown whole.
    pub(super) fn uncut(self) -> Self {
        Self { columns: UNLIMITED, ..self }
    }

    /// Columns of the terminal; without one there is no limit.
    pub(super) fn columns(self) -> usize {
        self.columns
    }

    /// `text` in its colour, where there are colours.
    pub(super) fn paint(self, tone: Tone, text: impl fmt::Display) -> String {
        match self.coloured {
            true => format!("\x1b[{}m{text}\x1b[0m", tone.code()),
            false => text.to_string(),
        }
    }
}

/// <https://no-color.org>: any value but an empty one; a dumb terminal has none.
fn colours_wanted() -> bool {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    !set("NO_COLOR") && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

fn width(stream: impl std::os::fd::AsFd) -> usize {
    match rustix::termios::tcgetwinsize(stream) {
        Ok(size) if size.ws_col > 0 => usize::from(size.ws_col).max(COLUMNS_MIN),
        _ => UNLIMITED,
    }
}

/// The text on one line, with everything that a terminal would act on, or that turns letters around, made visible as
/// `\u{1b}`.
pub(super) fn plain(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\n' => shown.push_str("\\n"),
            '\t' => shown.push_str("\\t"),
            letter if is_active(letter) => shown.extend(letter.escape_unicode()),
            letter => shown.push(letter),
        }
    }
    shown
}

/// The same for text of several lines.
pub(super) fn plain_lines(text: &str) -> String {
    text.split('\n').map(plain).collect::<Vec<_>>().join("\n")
}

/// JSON text whose strings hold no character that a terminal acts on: JSON's own escapes say the same.
pub(super) fn plain_json(json: &str) -> String {
    let mut shown = String::with_capacity(json.len());
    for letter in json.chars() {
        match letter {
            '\n' => shown.push('\n'),
            // All of them are in the basic plane; serde_json has escaped those below U+0020.
            letter if is_active(letter) => shown.push_str(&format!("\\u{:04x}", u32::from(letter))),
            letter => shown.push(letter),
        }
    }
    shown
}

/// C0, DEL and C1 controls; line and paragraph separators; marks, embeddings, overrides and isolates of direction
/// (Unicode Standard Annex 9, section 2).
fn is_active(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// At most `columns` characters, the last of them `…` when some are left out.
pub(super) fn cut(text: &str, columns: usize) -> String {
    if text.chars().count() <= columns {
        return text.to_owned();
    }
    let kept: String = text.chars().take(columns.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_acts_on_is_left() {
        let hostile = "a\x1b[2Jb\r\nc\u{9b}31m\u{7f}\u{202e}d\0";
        assert_eq!(plain(hostile), "a\\u{1b}[2Jb\\u{d}\\nc\\u{9b}31m\\u{7f}\\u{202e}d\\u{0}");
        assert_eq!(plain("21.5 °C – grün"), "21.5 °C – grün");
        assert_eq!(plain_lines("a\x07\nb"), "a\\u{7}\nb");
    }

    #[test]
    fn json_stays_the_same_json() {
        let value = serde_json::json!({"k\u{9b}": "\x1b]0;title\x07 \u{7f}\u{202e}"});
        let text = plain_json(&serde_json::to_string_pretty(&value).unwrap());
        assert!(!text.contains(['\x1b', '\u{9b}', '\u{7f}', '\u{202e}', '\x07']), "{text}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
    }

    #[test]
    fn colours_are_for_terminals() {
        assert_eq!(Screen::of(true, 80).paint(Tone::Bad, "x"), "\x1b[31mx\x1b[0m");
        assert_eq!(Screen::of(false, 80).paint(Tone::Bad, "x"), "x");
    }

    #[test]
    fn what_is_cut_says_so() {
        assert_eq!((cut("abcdef", 6), cut("abcdef", 4), cut("", 0)), ("abcdef".into(), "abc…".into(), String::new()));
    }
}
