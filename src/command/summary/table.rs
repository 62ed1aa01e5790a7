//! A table in lines of bounded width.

use std::io::{self, Write};

use super::{QUIET, WIDTH};
use crate::command::words;

/// Characters before and between columns.
const SPACE: usize = 2;

/// The least width that a list is cut to.
const NARROWEST: usize = 12;

/// Lines that a list may take.
const LINES: usize = 3;

/// What stands in a row and a column.
#[derive(Debug)]
pub(super) enum Cell {
    /// Aligned to the right.
    Number(u64),
    /// Never cut.
    Text(String),
    /// Goes on in lines below, and is cut, where it is wider than the table can be.
    List(Vec<String>),
}

/// Rows under a head.
#[derive(Debug)]
pub(super) struct Table {
    head: Vec<String>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// A table with these columns, some and then some more, and no row yet.
    pub(super) fn new(first: &[&str], more: &[&str]) -> Self {
        let head = first.iter().chain(more).map(|&name| name.to_owned()).collect();
        Self { head, rows: Vec::new() }
    }

    /// Adds a row.
    pub(super) fn add(&mut self, row: Vec<Cell>) {
        self.rows.push(row);
    }

    /// Writes all of it, no line wider than [`WIDTH`] if lists can be cut to that.
    pub(super) fn show(&self, out: &mut dyn Write) -> io::Result<()> {
        let widths = self.widths();
        let head = self.head.iter().zip(&widths).enumerate().map(|(column, (name, width))| {
            if self.is_number(column) {
                format!("{name:>width$}")
            } else {
                format!("{name:<width$}")
            }
        });
        writeln!(out, "{QUIET}{}{QUIET:#}", line(head))?;
        self.rows.iter().try_for_each(|row| show_row(row, &widths, out))
    }

    /// A column of numbers is aligned to the right, its head too.
    fn is_number(&self, column: usize) -> bool {
        self.rows.iter().any(|row| matches!(row.get(column), Some(Cell::Number(_))))
    }

    fn widest_cell(&self, column: usize) -> usize {
        let cells = self.rows.iter().filter_map(|row| row.get(column));
        cells.map(Cell::width).max().unwrap_or_default()
    }

    fn widths(&self) -> Vec<usize> {
        let least: Vec<_> = self.head.iter().map(|name| name.chars().count()).collect();
        let mut widths: Vec<_> = least
            .iter()
            .enumerate()
            .map(|(column, least)| self.widest_cell(column).max(*least))
            .collect();
        while widths.iter().map(|width| width + SPACE).sum::<usize>() > WIDTH {
            let can_shrink = |column: usize, width: usize| {
                let is_list = |row: &Vec<Cell>| matches!(row.get(column), Some(Cell::List(_)));
                width > NARROWEST && width > least[column] && self.rows.iter().any(is_list)
            };
            let columns = widths.iter_mut().enumerate();
            let widest = columns.filter(|(column, width)| can_shrink(*column, **width));
            let Some((_, width)) = widest.max_by_key(|(_, width)| **width) else { break };
            *width -= 1;
        }
        widths
    }
}

fn line(cells: impl Iterator<Item = String>) -> String {
    let cells = cells.map(|cell| format!("{:SPACE$}{cell}", ""));
    cells.collect::<String>().trim_end().to_owned()
}

fn show_row(row: &[Cell], widths: &[usize], out: &mut dyn Write) -> io::Result<()> {
    let columns: Vec<_> = row.iter().zip(widths).map(|(cell, width)| cell.lines(*width)).collect();
    let height = columns.iter().map(Vec::len).max().unwrap_or_default();
    for index in 0..height {
        let cells = columns.iter().zip(widths).map(|(lines, width)| {
            let text = lines.get(index).map(String::as_str).unwrap_or_default();
            format!("{text:<width$}")
        });
        writeln!(out, "{}", line(cells))?;
    }
    Ok(())
}

impl Cell {
    /// Characters of it in one line.
    fn width(&self) -> usize {
        let lines = match self {
            Self::Number(_) | Self::Text(_) => self.lines(0),
            Self::List(items) => words::list(items, usize::MAX, 1),
        };
        lines.iter().map(|line| line.chars().count()).max().unwrap_or_default()
    }

    fn lines(&self, width: usize) -> Vec<String> {
        match self {
            Self::Number(number) => vec![format!("{:>width$}", words::count(*number))],
            Self::Text(text) => vec![text.clone()],
            Self::List(items) => {
                // A comma may follow; one that is cut leaves the count of the others whole.
                let room = width.saturating_sub(usize::from(items.len() > 1));
                let items: Vec<_> = items.iter().map(|item| words::shortened(item, room)).collect();
                let lines = words::list(&items, width, LINES);
                lines.iter().map(|line| words::shortened(line, width)).collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn however_long_a_member_is_the_count_of_the_others_is_whole() {
        let items: Vec<_> = (0..300).map(|n| format!("{n:03}{}", "x".repeat(60))).collect();
        for width in [NARROWEST, 20, 62, 63, 64] {
            let lines = Cell::List(items.clone()).lines(width);
            assert!(lines.len() > 1 && lines.len() <= LINES, "{lines:?}");
            assert!(lines[0].starts_with("000xx"), "{lines:?}");
            let more = lines.last().unwrap().rsplit_once('+').expect("a count").1;
            assert!(more.parse::<usize>().unwrap() >= 297, "{lines:?}");
            assert!(lines.iter().all(|line| line.chars().count() <= width), "{lines:?}");
        }
        assert_eq!(Cell::List(items[..1].to_vec()).lines(63), items[..1]);
    }

    #[test]
    fn lists_give_way_until_the_table_fits() {
        let items = |count: usize| (0..count).map(|n| format!("member-{n}")).collect::<Vec<_>>();
        let mut table = Table::new(&["address"], &["many", "few", "count"]);
        table.add(vec![
            Cell::Text("2001:db8::1".to_owned()),
            Cell::List(items(50)),
            Cell::List(items(2)),
            Cell::Number(1_000_000),
        ]);
        let mut out = anstream::StripStream::new(Vec::new());
        table.show(&mut out).unwrap();
        let text = String::from_utf8(out.into_inner()).unwrap();
        let lines: Vec<_> = text.lines().collect();
        assert!(lines.iter().all(|line| line.chars().count() <= WIDTH), "{text}");
        assert_eq!(lines.len(), 1 + LINES, "{text}");
        assert!(lines[1].contains("member-0, member-1"), "{text}");
        assert!(lines[1].ends_with("1,000,000"), "{text}");
        assert!(lines[LINES].contains(" +"), "the cut is marked: {text}");
    }
}
