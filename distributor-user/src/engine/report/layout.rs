//! What the layouts of all reports have in common.
//!
//! Nothing here knows a report. A column's head, width and label are named once,
//! in the table of its report; displays and the reference are made from that.

use std::fmt::{self, Write as _};
use std::net::{IpAddr, Ipv4Addr};

/// How a report is laid out as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// z/OS's SHORT: a line for each record, columns where they are on z/OS.
    Short,
    /// z/OS's LONG: a block of labels and values for each record.
    Long,
    /// A line for each record, each column as wide as what is in it, and more columns.
    Table,
}

/// How a report is shown as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// The layout.
    pub layout: Layout,
    /// `DETAIL`: more lines in LONG.
    pub has_detail: bool,
    /// In the frame of the operator's console instead of that of a shell.
    pub is_console: bool,
}

/// One field of a record: what it is called in each layout.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column {
    /// In JSON.
    pub(super) field: &'static str,
    /// Above the column; empty if no layout has one.
    pub(super) head: &'static str,
    /// Width of the column in SHORT.
    width: usize,
    /// Whether SHORT has the column.
    pub(super) is_in_short: bool,
    /// In LONG; empty if it is not there.
    pub(super) label: &'static str,
}

impl Column {
    /// A column of SHORT and table.
    pub(super) const fn short(field: &'static str, head: &'static str, width: usize) -> Self {
        Self {
            field,
            head,
            width,
            is_in_short: true,
            label: "",
        }
    }

    /// A column of table only.
    pub(super) const fn table(field: &'static str, head: &'static str) -> Self {
        Self {
            is_in_short: false,
            ..Self::short(field, head, 0)
        }
    }

    /// A value of LONG only.
    pub(super) const fn only_long(field: &'static str, label: &'static str) -> Self {
        Self::table(field, "").long(label)
    }

    /// The same, with its label in LONG.
    pub(super) const fn long(self, label: &'static str) -> Self {
        Self { label, ..self }
    }
}

/// One record of a grid.
#[derive(Clone, Debug, Default)]
pub(super) struct Line {
    /// One for each column that has a head.
    pub(super) cells: Vec<String>,
    /// What stands below the record in SHORT.
    pub(super) below: Vec<String>,
}

impl From<Vec<String>> for Line {
    fn from(cells: Vec<String>) -> Self {
        Self {
            cells,
            below: Vec::new(),
        }
    }
}

/// How wide the columns are of a grid that comes in pages; the first of them decides.
#[derive(Clone, Debug, Default)]
pub(super) struct Widths(Option<Vec<usize>>);

impl Widths {
    pub(super) fn is_first(&self) -> bool {
        self.0.is_none()
    }

    /// Ends the first page of what has no columns.
    pub(super) fn begin(&mut self) {
        self.0.get_or_insert_default();
    }
}

/// Writes heads and records.
pub(super) fn grid(
    out: &mut String,
    indent: &str,
    columns: &[Column],
    lines: &[Line],
    layout: Layout,
) -> fmt::Result {
    grid_page(out, indent, columns, lines, layout, &mut Widths::default())
}

/// Writes a page of records, and if it is the first, the heads.
pub(super) fn grid_page(
    out: &mut String,
    indent: &str,
    columns: &[Column],
    lines: &[Line],
    layout: Layout,
    Widths(known): &mut Widths,
) -> fmt::Result {
    let columns: Vec<(usize, &Column)> = columns
        .iter()
        .filter(|column| !column.head.is_empty())
        .enumerate()
        .filter(|(_, column)| column.is_in_short || layout == Layout::Table)
        .collect();
    let width = |(at, column): &(usize, &Column)| match layout {
        Layout::Short | Layout::Long => column.width,
        Layout::Table => lines
            .iter()
            .map(|line| line.cells[*at].len())
            .chain([column.head.len()])
            .max()
            .unwrap_or_default(),
    };
    let is_first = known.is_none();
    let widths = known.get_or_insert_with(|| columns.iter().map(width).collect());
    let mut write_line = |cell: &dyn Fn(usize, &Column) -> String| {
        let mut line = indent.to_owned();
        for ((at, column), width) in columns.iter().zip(widths.iter()) {
            let _ = write!(line, "{:<width$} ", cell(*at, column));
        }
        writeln!(out, "{}", line.trim_end())
    };
    if is_first {
        write_line(&|_, column| column.head.to_owned())?;
        write_line(&|_, column| "-".repeat(column.head.len()))?;
    }
    for line in lines {
        write_line(&|at, _| line.cells[at].clone())?;
        if layout == Layout::Short {
            for below in &line.below {
                write_line(&|at, _| {
                    if at == 0 {
                        below.clone()
                    } else {
                        String::new()
                    }
                })?;
            }
        }
    }
    Ok(())
}

/// A number with leading zeros; dashes where there is none.
pub(super) fn number<T: Into<u64>>(value: Option<T>, width: usize) -> String {
    value.map_or_else(
        || "-".repeat(width),
        |value| {
            // Counters wrap, as they do on z/OS.
            let wrap = 10_u64.checked_pow(u32::try_from(width).unwrap_or(u32::MAX));
            let value = value.into();
            format!("{:0width$}", wrap.map_or(value, |wrap| value % wrap))
        },
    )
}

/// `Yes` or `No`.
pub(super) const fn yes(is: bool) -> &'static str {
    if is { "Yes" } else { "No" }
}

/// An IPv4 mask as z/OS prints it, or the length of an IPv6 prefix.
pub(super) fn mask(address: IpAddr, prefix_len: Option<u8>) -> String {
    match (address, prefix_len) {
        (_, None) => String::new(),
        (IpAddr::V4(_), Some(bits)) => {
            let bits = 32 - u32::from(bits.min(32));
            Ipv4Addr::from_bits(u32::MAX.checked_shl(bits).unwrap_or(0)).to_string()
        }
        (IpAddr::V6(_), Some(bits)) => format!("/{bits}"),
    }
}

/// An address with the length of its prefix, where it is known.
pub(super) fn with_prefix(address: IpAddr, prefix_len: Option<u8>) -> String {
    prefix_len.map_or_else(|| address.to_string(), |bits| format!("{address}/{bits}"))
}

/// The name of a stack beside its address, in LONG.
pub(super) fn beside(address: &str, stack: Option<&str>) -> String {
    stack.map_or_else(
        || address.to_owned(),
        |stack| format!("{address:<15}  Stack: {stack}"),
    )
}
