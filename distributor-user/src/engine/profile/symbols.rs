//! System symbols, `&SYSNAME.`: replaced in words, never in comments.
//!
//! Nothing here knows a value: the caller's [`Reader`](super::Reader) does. A
//! symbol without a value stays as it is written, as on z/OS; where such a word
//! means nothing, its error says which symbol has no value.

/// A symbol's name has at most so many characters.
const LONGEST_NAME: usize = 16;

/// The value of a system symbol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Symbol {
    /// What stands in its place; without blanks.
    pub value: String,
    /// Where the value comes from, if nobody gave it: a note says so.
    pub assumed: Option<String>,
}

/// `&NAME(start:length).` at the beginning of a text.
struct Reference<'a> {
    name: &'a str,
    /// From 1, or from the end if it is negative, and how many characters.
    part: Option<(i32, usize)>,
    /// How many bytes it takes.
    length: usize,
}

/// `word` with its symbols replaced; absent if none of them has a value.
pub(super) fn substitute(
    word: &str,
    value_of: &mut dyn FnMut(&str) -> Option<String>,
) -> Option<String> {
    let mut replaced = None;
    let mut rest = word;
    while let Some(at) = rest.find('&') {
        let (before, reference) = rest.split_at(at);
        let found = reference_of(reference);
        let length = found.as_ref().map_or(1, |found| found.length);
        let value = found.and_then(|found| {
            let value = value_of(&found.name.to_ascii_uppercase())?;
            Some(cut(&value, found.part))
        });
        let done = word.len() - rest.len();
        match (value, &mut replaced) {
            (Some(value), None) => replaced = Some(word[..done].to_owned() + before + &value),
            (Some(value), Some(replaced)) => replaced.extend([before, &value]),
            (None, Some(replaced)) => replaced.extend([before, &reference[..length]]),
            (None, None) => {}
        }
        rest = &reference[length..];
    }
    if let Some(replaced) = &mut replaced {
        replaced.push_str(rest);
    }
    replaced
}

/// What to write instead of a word with a symbol that has no value.
pub(super) fn explain(word: &str) -> String {
    let at = word.find('&').unwrap_or(0);
    match reference_of(&word[at..]) {
        Some(reference) => {
            let name = reference.name.to_ascii_uppercase();
            format!("`&{name}.` has no value here: give it one with `--symbol {name}=VALUE`")
        }
        None => "a system symbol is written as `&SYSNAME.`".to_owned(),
    }
}

fn reference_of(text: &str) -> Option<Reference<'_>> {
    let after = text.strip_prefix('&')?;
    let is_part = |c: char| c.is_ascii_alphanumeric() || "@#$_".contains(c);
    let end = after.find(|c| !is_part(c)).unwrap_or(after.len());
    let name = after.get(..end).filter(|name| !name.is_empty())?;
    if name.len() > LONGEST_NAME {
        return None;
    }
    let mut length = 1 + end;
    let part = part_of(&after[end..]).map(|(part, bytes)| {
        length += bytes;
        part
    });
    if text[length..].starts_with('.') {
        length += 1;
    }
    Some(Reference { name, part, length })
}

/// `(start:length)`, with how many bytes it takes.
fn part_of(text: &str) -> Option<((i32, usize), usize)> {
    let (inner, _) = text.strip_prefix('(')?.split_once(')')?;
    let (start, count) = inner.split_once(':')?;
    let start = start.parse().ok().filter(|start| *start != 0)?;
    Some(((start, count.parse().ok()?), inner.len() + 2))
}

fn cut(value: &str, part: Option<(i32, usize)>) -> String {
    let Some((start, count)) = part else {
        return value.to_owned();
    };
    let skipped = if let Ok(start) = usize::try_from(start) {
        start.saturating_sub(1)
    } else {
        let back = usize::try_from(start.unsigned_abs()).unwrap_or(usize::MAX);
        value.chars().count().saturating_sub(back)
    };
    value.chars().skip(skipped).take(count).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_are_replaced_where_they_have_values() {
        let mut value_of = |name: &str| match name {
            "SYSNAME" => Some("SYSA".to_owned()),
            "SYSCLONE" => Some("1A".to_owned()),
            _ => None,
        };
        for (word, expected) in [
            ("&SYSNAME.", Some("SYSA")),
            ("&sysname", Some("SYSA")),
            ("172.1.1.&SYSCLONE.", Some("172.1.1.1A")),
            (
                "TCPIP.&SYSNAME..PROFILE(X&SYSCLONE)",
                Some("TCPIP.SYSA.PROFILE(X1A)"),
            ),
            ("A&SYSNAME.&NONE.&SYSCLONE.B", Some("ASYSA&NONE.1AB")),
            ("&SYSNAME(2:2).X", Some("YSX")),
            ("&SYSNAME(-2:9).", Some("SA")),
            ("&SYSNAME(9:1).", Some("")),
            ("&SYSNAME(0:1)", Some("SYSA(0:1)")),
            ("&NONE.", None),
            ("&", None),
            ("a&&b", None),
            ("plain", None),
        ] {
            assert_eq!(
                substitute(word, &mut value_of).as_deref(),
                expected,
                "{word}"
            );
        }
    }

    #[test]
    fn a_symbol_without_a_value_is_named() {
        assert_eq!(
            explain("X&myname.1"),
            "`&MYNAME.` has no value here: give it one with `--symbol MYNAME=VALUE`"
        );
    }
}
