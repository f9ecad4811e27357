use super::{page, paths};
use crate::engine::golden;

#[test]
fn the_committed_pages_say_what_the_tables_say() {
    let pages = paths().map(|path| {
        let text = page(&path).expect("a page");
        (format!("../docs/{path}"), text)
    });
    golden::compare_all(pages);
}

#[test]
fn a_page_is_found_by_its_path() {
    assert!(page("counters.md").is_some_and(|text| text.starts_with("# ")));
    assert_eq!(page("nothing.md"), None);
}
