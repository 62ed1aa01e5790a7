//! A page of the documentation, and the tables in it.

use std::fmt::Write as _;

use super::file;

/// A page.
#[derive(Debug)]
pub struct Page {
    path: &'static str,
    text: String,
}

impl Page {
    /// The page with this path in the repository.
    pub fn read(path: &'static str) -> Self {
        Self { path, text: std::fs::read_to_string(file(path)).unwrap() }
    }

    /// The cells of the tables below `heading`, up to the next heading of its rank: row by row,
    /// without the tables' heads.
    pub fn rows(&self, heading: &str) -> Vec<Vec<String>> {
        let rank = heading.split(' ').next().unwrap();
        let section = self.text.split_once(&format!("{heading}\n")).expect("the heading").1;
        let section = section.split(&format!("\n{rank} ")).next().unwrap();
        let is_rule = |line: &str| line.starts_with("|---");
        let below = section.lines().skip(1).chain([""]);
        section
            .lines()
            .zip(below)
            .filter(|(_, below)| !is_rule(below))
            .filter_map(|(line, _)| line.strip_prefix("| ")?.strip_suffix('|'))
            .map(|line| line.split('|').map(|cell| cell.trim().to_owned()).collect())
            .collect()
    }

    /// The names in the first cells of the [rows](Self::rows) below `heading`.
    pub fn names(&self, heading: &str) -> Vec<String> {
        let rows = self.rows(heading);
        rows.iter().flat_map(|row| names(&row[0])).map(str::to_owned).collect()
    }

    /// Fails unless the names below `heading` are these, each once.
    pub fn explains(&self, heading: &str, names: &[&str]) {
        let explained = self.names(heading);
        for name in &explained {
            assert!(names.contains(&&name[..]), "there is no {name}");
            assert_eq!(explained.iter().filter(|other| *other == name).count(), 1, "{name}");
        }
        for name in names {
            assert!(explained.iter().any(|other| other == name), "{} lacks {name}", self.path);
        }
    }

    /// Fails unless there is this very table.
    pub fn has_table(&self, head: &[&str], rows: impl IntoIterator<Item = Vec<String>>) {
        let mut table = format!("| {} |\n|{}\n", head.join(" | "), "---|".repeat(head.len()));
        for row in rows {
            writeln!(table, "| {} |", row.join(" | ")).unwrap();
        }
        assert!(self.text.contains(&table), "{} has another table than this:\n{table}", self.path);
    }
}

/// What a cell has between backticks.
pub fn names(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}
