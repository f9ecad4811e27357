//! A report that comes in pages.

use super::layout::{Style, Widths};
use super::vcrt::{self, Vcrt};
use super::{Frame, count_line, shell_head};

/// VCRT as text in pages: there may be millions of connections, and the first are wanted at once.
#[derive(Debug)]
pub struct Pages {
    style: Style,
    widths: Widths,
    shown: u64,
    total: u64,
}

impl Pages {
    /// Nothing yet; `style` is none of the console's.
    #[must_use]
    pub fn new(style: Style) -> Self {
        Self {
            style,
            widths: Widths::default(),
            shown: 0,
            total: 0,
        }
    }

    /// Renders the next page.
    #[must_use]
    pub fn render(&mut self, frame: &Frame, vcrt: &Vcrt) -> String {
        let mut text = String::new();
        if self.widths.is_first() {
            text.push_str(&shell_head("NETSTAT", &frame.stack, &frame.time));
            self.total = frame.total;
        }
        // Writing to a String cannot fail.
        let _ = vcrt::page(&mut text, vcrt, self.style, &mut self.widths);
        self.shown += frame.shown;
        text
    }

    /// What stands below the last page.
    #[must_use]
    pub fn end(&self) -> String {
        let Self { shown, total, .. } = self;
        if shown >= total {
            return String::new();
        }
        count_line(*shown, *total)
    }
}
