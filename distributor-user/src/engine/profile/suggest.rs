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
    if row.name.is_empty() {
        return None;
    }
    // `VIPADE`: the beginning of the word, but too short; better than any misspelling.
    if word.len() >= 3 && row.begins_with(word) {
        return Some(0);
    }
    let most = tolerance(word.len().min(row.name.len()));
    let is_as_long = row.name.len().abs_diff(word.len()) <= most;
    // `DISMT` for `DISTM`: an abbreviation of the same length, misspelt.
    let is_longer = (row.minimum()..row.name.len()).contains(&word.len());
    if !is_as_long && !is_longer {
        return None;
    }
    let name = row.keyword();
    let full = is_as_long.then(|| strsim::osa_distance(&name, word));
    let head = name.get(..word.len()).filter(|_| is_longer);
    let abbreviated = head.map(|head| strsim::osa_distance(head, word));
    let near = full.into_iter().chain(abbreviated).min()?;
    (near <= most).then_some(near)
}

fn tolerance(length: usize) -> usize {
    match length {
        0..=2 => 0,
        3..=5 => 1,
        6..=9 => 2,
        _ => 3,
    }
}
