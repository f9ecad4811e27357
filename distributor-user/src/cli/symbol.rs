//! `--symbol NAME=VALUE`: the value of a system symbol.

use std::collections::BTreeMap;

use clap::Args;

/// The values of system symbols.
#[derive(Clone, Debug, Args)]
pub(super) struct Symbols {
    /// The value of the system symbol `&NAME.`; may be repeated. Without it, `&SYSNAME.` is the name of
    /// this host, and `&SYSCLONE.` the last two characters of that.
    #[arg(long = "symbol", value_name = "NAME=VALUE", value_parser = symbol)]
    symbols: Vec<(String, String)>,
}

impl Symbols {
    /// The values by the names in capitals; of several for one name the last.
    pub(super) fn by_name(&self) -> BTreeMap<String, String> {
        self.symbols.iter().cloned().collect()
    }
}

fn symbol(text: &str) -> Result<(String, String), String> {
    const LONGEST_NAME: usize = 16;
    const LONGEST_VALUE: usize = 64;
    let refuse = || {
        format!(
            "expected `NAME=VALUE`, a name of 1 to {LONGEST_NAME} letters and digits and a value \
             without blanks of at most {LONGEST_VALUE}, found `{text}`"
        )
    };
    let (name, value) = text.split_once('=').ok_or_else(refuse)?;
    let name = name.trim_start_matches('&').trim_end_matches('.');
    let is_part = |c: char| c.is_ascii_alphanumeric() || "@#$_".contains(c);
    let is_name = (1..=LONGEST_NAME).contains(&name.len()) && name.chars().all(is_part);
    let is_plain = |c: char| c.is_ascii_graphic() && c != ';' && c != '&';
    if is_name && value.len() <= LONGEST_VALUE && value.chars().all(is_plain) {
        Ok((name.to_ascii_uppercase(), value.to_owned()))
    } else {
        Err(refuse())
    }
}

#[cfg(test)]
mod tests {
    use super::symbol;

    #[test]
    fn a_symbol_has_a_name_and_a_value_without_blanks() {
        for (text, expected) in [
            ("SYSNAME=SYSA", Some(("SYSNAME", "SYSA"))),
            ("&sysclone.=1A", Some(("SYSCLONE", "1A"))),
            ("X=", Some(("X", ""))),
            ("X=a=b", Some(("X", "a=b"))),
            ("X", None),
            ("=X", None),
            ("X=a b", None),
            ("X=a;b", None),
            ("X=&Y", None),
            ("ABCDEFGHIJKLMNOPQ=1", None),
        ] {
            let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
            assert_eq!(symbol(text).ok(), expected, "{text}");
        }
    }
}
