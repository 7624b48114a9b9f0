//! Tables in the documentation that tests write: each test checks its own row; with UPDATE=1 it writes it.

use std::{
    fs::File,
    io::{Read as _, Seek as _, Write as _},
    path::Path,
};

const END: &str = "<!-- end of what the tests write -->\n";

/// A table of a page.
#[derive(Debug, Clone, Copy)]
pub struct Table {
    /// The page, from the root of the repository: `docs/reliability.md`.
    pub page: &'static str,
    /// The line before the table, which no other table of the page has.
    pub begin: &'static str,
    /// The first two lines of the table.
    pub head: &'static str,
}

/// What happens to storage, and what is lost by it.
pub const STORAGE: Table = Table {
    page: "docs/reliability.md",
    begin: "<!-- written by the tests of storage faults in crates/{server,orchestrator,morpheus}/tests/it -->\n",
    head: "| injected | answered | acknowledged and lost |\n|---|---|--:|\n",
};

impl Table {
    /// Checks, or writes, the row whose first cell is `key`; `rest` holds the others.
    ///
    /// # Panics
    ///
    /// If the page has no such row, or cannot be read or written.
    pub fn check(&self, key: &str, rest: &[&str]) {
        let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../..")).join(self.page);
        let row = format!("| {key} | {} |\n", rest.join(" | "));
        let opened = File::options().read(true).write(true).open(path);
        let mut page = opened.expect("the page is there");
        // Tests run beside each other.
        page.lock().expect("the page can be locked");
        let mut text = String::new();
        page.read_to_string(&mut text).expect("the page is text");
        let begin = text.split_once(self.begin);
        let (before, rest) = begin.expect("the page has a place for the table");
        let (table, after) = rest.split_once(END).expect("the table has an end");
        if std::env::var_os("UPDATE").is_none() {
            assert!(
                table.contains(&row),
                "{} is not what was seen; UPDATE=1 writes it:\n{row}",
                self.page
            );
            return;
        }
        let key = format!("| {key} |");
        let rows = table.strip_prefix(self.head).unwrap_or_default().lines();
        let mut rows: Vec<String> = rows
            .filter(|known| !known.starts_with(&key))
            .map(|known| format!("{known}\n"))
            .collect();
        rows.push(row);
        rows.sort();
        let text = [before, self.begin, self.head, &rows.concat(), END, after].concat();
        page.set_len(0).expect("the page can be written");
        page.rewind().expect("the page can be written");
        page.write_all(text.as_bytes()).expect("the page can be written");
    }
}
