use super::Word;

#[test]
fn changes_only_what_it_read() {
    let word = Word::new(5);
    assert!(!word.replace(4, 6));
    assert_eq!(word.load(), 5);
    assert!(word.replace(5, 6));
    assert_eq!(word.fetch_add(10), 6);
    word.keep(!0xf);
    assert_eq!(word.load(), 16);
    word.set(3);
    assert_eq!(word.load(), 19);
}
