use super::{PAGES, page};
use crate::engine::golden;

#[test]
fn the_committed_pages_say_what_the_tables_say() {
    golden::compare_all(
        PAGES
            .iter()
            .map(|page| (format!("../docs/{}", page.path), (page.text)())),
    );
}

#[test]
fn a_page_is_found_by_its_path() {
    assert!(page("counters.md").is_some_and(|text| text.starts_with("# ")));
    assert_eq!(page("nothing.md"), None);
}
