//! Which word was probably meant.
//!
//! Nothing here reports anything; a suggestion is only made where a word is
//! already known to be wrong.

use super::grammar::Row;

/// Words beyond this length are no misspelt keywords.
const LONGEST: usize = 32;

/// The row of `rows` that `word` most resembles, if any does.
pub(super) fn similar(
    rows: impl Iterator<Item = &'static Row>,
    word: &str,
) -> Option<&'static Row> {
    let starts_like_a_word = word.starts_with(|c: char| c.is_ascii_alphabetic());
    if word.len() > LONGEST || word.len() < 2 || !starts_like_a_word {
        return None;
    }
    let word = word.to_ascii_uppercase();
    rows.filter_map(|row| Some((distance(row, &word)?, row)))
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, row)| row)
}

/// How far `word` is from the name or an abbreviation of `row`; absent if it is too far.
fn distance(row: &Row, word: &str) -> Option<usize> {
    let name = row.keyword();
    if name.is_empty() {
        return None;
    }
    // `VIPADE`: the beginning of the word, but too short; better than any misspelling.
    if word.len() >= 3 && row.begins_with(word) {
        return Some(0);
    }
    let full = strsim::osa_distance(&name, word);
    // `DISMT` for `DISTM`: an abbreviation of the same length, misspelt.
    let abbreviated = name
        .get(..word.len())
        .filter(|_| word.len() >= row.minimum())
        .map_or(usize::MAX, |head| strsim::osa_distance(head, word));
    let near = full.min(abbreviated);
    (near <= tolerance(word.len().min(name.len()))).then_some(near)
}

fn tolerance(length: usize) -> usize {
    match length {
        0..=2 => 0,
        3..=5 => 1,
        6..=9 => 2,
        _ => 3,
    }
}
