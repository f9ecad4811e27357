//! Makes text of the bytes of a file.
//!
//! Nothing here fails: what is no text is refused with a reason, and a text
//! with some bytes in another encoding is read as far as it can be.

use super::diagnostic::{Diagnostic, Severity};
use super::include::MAX_BYTES;
use super::message::{Message, NO_TEXT, OTHER_ENCODING};
use super::source::Span;

/// So much of a file that is refused is kept: messages show the line they are about.
const KEPT_OF_REFUSED: usize = 200;
const BYTE_ORDER_MARK: char = '\u{feff}';

/// A text, or what is left of it.
pub(super) struct Decoded {
    pub(super) text: String,
    /// Whether it is worth reading.
    pub(super) is_text: bool,
    pub(super) problem: Option<Problem>,
}

/// What is wrong with the bytes.
pub(super) struct Problem {
    severity: Severity,
    about: &'static Message,
    offset: usize,
    message: String,
    help: &'static str,
}

impl Problem {
    fn refusal(message: String, help: &'static str) -> Self {
        Self {
            severity: Severity::Error,
            about: &NO_TEXT,
            offset: 0,
            message,
            help,
        }
    }

    /// The report, for `text` as source number `source`.
    pub(super) fn at(self, source: usize, text: &str) -> Diagnostic {
        let start = self.offset.min(text.len());
        let length = text[start..].chars().next().map_or(0, char::len_utf8);
        let span = Span {
            source,
            start,
            end: start + length,
        };
        let report = match self.severity {
            Severity::Error => Diagnostic::error(self.about, span, self.message),
            Severity::Warning | Severity::Note => {
                Diagnostic::warning(self.about, span, self.message)
            }
        };
        report.help(self.help)
    }
}

/// Reads `bytes` as UTF-8.
pub(super) fn decode(bytes: Vec<u8>) -> Decoded {
    if let Some(problem) = refuse(&bytes) {
        let mut text = String::from_utf8_lossy(&bytes).into_owned();
        text.truncate(text.floor_char_boundary(KEPT_OF_REFUSED));
        return Decoded {
            text,
            is_text: false,
            problem: Some(problem),
        };
    }
    let (mut text, mut first_bad) = match String::from_utf8(bytes) {
        Ok(text) => (text, None),
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
            (text, Some(at))
        }
    };
    if text.starts_with(BYTE_ORDER_MARK) {
        text.remove(0);
        first_bad = first_bad.map(|at| at - BYTE_ORDER_MARK.len_utf8());
    }
    Decoded {
        text,
        is_text: true,
        problem: first_bad.map(|offset| Problem {
            severity: Severity::Warning,
            about: &OTHER_ENCODING,
            offset,
            message: "expected UTF-8, found another encoding".to_owned(),
            help: "convert the file: `iconv -f ISO-8859-1 -t UTF-8`",
        }),
    }
}

/// Why `bytes` are not worth reading.
fn refuse(bytes: &[u8]) -> Option<Problem> {
    if bytes.len() > MAX_BYTES {
        return Some(Problem::refusal(
            format!("expected at most {MAX_BYTES} bytes, found a larger file"),
            "this is hardly a profile; check the name",
        ));
    }
    if is_ebcdic(bytes) {
        return Some(Problem::refusal(
            "expected UTF-8 text, found EBCDIC".to_owned(),
            "transfer the file in text mode, or convert it: `iconv -f IBM1047 -t UTF-8`",
        ));
    }
    let is_control = |byte: u8| byte.is_ascii_control() && !byte.is_ascii_whitespace();
    let controls = bytes.iter().filter(|&&byte| is_control(byte)).count();
    if bytes.contains(&0) || controls * 10 > bytes.len() {
        return Some(Problem::refusal(
            "expected UTF-8 text, found binary data".to_owned(),
            "check the name; text in UTF-16 is converted by `iconv -f UTF-16 -t UTF-8`",
        ));
    }
    None
}

/// Capital letters and digits of EBCDIC are no ASCII, and its blank is `@`.
fn is_ebcdic(bytes: &[u8]) -> bool {
    const BLANK: u8 = 0x40;
    let is_usual = |byte: u8| {
        byte == BLANK || matches!(byte, 0xc1..=0xc9 | 0xd1..=0xd9 | 0xe2..=0xe9 | 0xf0..=0xf9)
    };
    let usual = bytes.iter().filter(|&&byte| is_usual(byte)).count();
    std::str::from_utf8(bytes).is_err() && usual * 2 > bytes.len()
}
