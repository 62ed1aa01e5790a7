//! A tree as YAML, in block style: what was a comment, an anchor or a line break is gone.

use std::fmt::Write as _;

use super::yaml::{Content, Entry, Meaning, Node, Scalar};

impl Node {
    /// The text of a document.
    pub(crate) fn to_yaml(&self) -> String {
        let mut text = String::new();
        match &self.content {
            Content::Scalar(scalar) => text = write_scalar(scalar, 0) + "\n",
            Content::List(items) => write_list(items, 0, &mut text),
            Content::Map(entries) => write_map(entries, 0, &mut text),
        }
        text
    }
}

fn write_map(entries: &[Entry], indent: usize, text: &mut String) {
    for Entry { key, value, .. } in entries {
        text.extend([&" ".repeat(indent), &write_key(key), ":"]);
        match &value.content {
            Content::Scalar(scalar) => {
                text.extend([" ", &write_scalar(scalar, indent + 2), "\n"]);
            }
            Content::List(items) if items.is_empty() => *text += " []\n",
            Content::Map(entries) if entries.is_empty() => *text += " {}\n",
            Content::List(items) => {
                text.push('\n');
                write_list(items, indent + 2, text);
            }
            Content::Map(entries) => {
                text.push('\n');
                write_map(entries, indent + 2, text);
            }
        }
    }
}

fn write_list(items: &[Node], indent: usize, text: &mut String) {
    for item in items {
        text.extend([&" ".repeat(indent), "-"]);
        let mut inner = String::new();
        match &item.content {
            Content::Scalar(scalar) => inner = write_scalar(scalar, indent + 2) + "\n",
            Content::List(items) if items.is_empty() => inner += "[]\n",
            Content::Map(entries) if entries.is_empty() => inner += "{}\n",
            Content::List(items) => write_list(items, indent + 2, &mut inner),
            Content::Map(entries) => write_map(entries, indent + 2, &mut inner),
        }
        // The first of the lines stands behind the dash.
        text.extend([" ", inner.trim_start_matches(' ')]);
    }
}

fn write_key(key: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-.|$/".contains(c);
    let begins_plainly = key.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if begins_plainly && key.chars().all(is_plain) && Scalar::plain(key.to_owned()).is_text() {
        return key.to_owned();
    }
    in_quotes(key)
}

fn write_scalar(scalar: &Scalar, indent: usize) -> String {
    let text = scalar.text.as_str();
    match scalar.meaning {
        Meaning::Null if text.is_empty() => "null".to_owned(),
        // What cannot stand without quotes was in no place to.
        _ if scalar.meaning != Meaning::Quoted && !text.contains(needs_escape) => text.to_owned(),
        _ if can_be_block(text) => block(text, indent),
        _ => in_quotes(text),
    }
}

impl Scalar {
    fn is_text(&self) -> bool {
        self.meaning == Meaning::Plain
    }
}

/// Whether YAML of some version takes the character for the end of a line, for nothing, or refuses it.
fn needs_escape(c: char) -> bool {
    c.is_control()
        || c.is_whitespace() && c != ' '
        || matches!(c, '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}')
        || matches!(c, '\u{FEFF}' | '\u{FFFE}' | '\u{FFFF}')
}

fn in_quotes(text: &str) -> String {
    if !text.chars().any(needs_escape) {
        return format!("'{}'", text.replace('\'', "''"));
    }
    let mut quoted = String::from('"');
    for c in text.chars() {
        match c {
            '\n' => quoted += "\\n",
            '"' | '\\' => quoted.extend(['\\', c]),
            c if needs_escape(c) => {
                let _ = write!(quoted, "\\u{:04X}", u32::from(c)); // into memory: it cannot fail
            }
            c => quoted.push(c),
        }
    }
    quoted + "\""
}

/// Whether the text may stand in lines of its own.
fn can_be_block(text: &str) -> bool {
    let body = text.strip_suffix('\n').unwrap_or(text);
    body.contains('\n')
        && !body.starts_with([' ', '\n'])
        && !body.ends_with('\n')
        && !body.contains(|c| needs_escape(c) && c != '\n')
}

fn block(text: &str, indent: usize) -> String {
    let mut block = String::from(if text.ends_with('\n') { "|" } else { "|-" });
    for line in text.lines() {
        block.push('\n');
        if !line.is_empty() {
            block.extend([&" ".repeat(indent), line]);
        }
    }
    block
}

#[cfg(test)]
mod tests {
    use super::super::Source;
    use super::super::diagnostic::Reporter;
    use super::super::yaml;
    use super::*;

    fn read(text: &str) -> Node {
        let source = Source { name: String::new(), text: text.to_owned() };
        let mut reporter = Reporter::new(&source);
        let node = yaml::documents(&source, &mut reporter).remove(0);
        assert!(reporter.into_found().is_empty(), "{text}");
        node
    }

    /// What a tree says, without where.
    fn said(node: &Node) -> String {
        match &node.content {
            Content::Scalar(scalar) => format!("{:?} {:?}", scalar.text, scalar.meaning),
            Content::List(items) => format!("{:?}", items.iter().map(said).collect::<Vec<_>>()),
            Content::Map(entries) => {
                let entries = entries.iter().map(|entry| (&entry.key, said(&entry.value)));
                format!("{:?}", entries.collect::<Vec<_>>())
            }
        }
    }

    #[test]
    fn what_is_written_says_what_was_read() {
        for text in [
            "a: 1\nb: '1'\nc: [x, 'it''s', {d: e, f: [true, ~]}, []]\n'|g': {}\n",
            "'a b': \"\\u0007\"\n'#': '# no comment'\n'null': x\n",
            "text: |\n  one\n\n   two\nmore: >-\n  folded\n  lines\nlast: |-\n  a\n  b\n",
            "- a:\n    - b: |\n        x\n        y\n      c: d\n",
            "a: \"\\x85 \\u00A0\\u2028\\u200b\"\nb: 'one\u{A0}two'\nc: |\n  x\u{85}y\n  z\n",
            "'2': ' leading'\nyes: 'a: b'\n'key|re': '^\\$SYS/[^/]*$'\n",
        ] {
            let node = read(text);
            assert_eq!(said(&read(&node.to_yaml())), said(&node), "{}", node.to_yaml());
        }
    }
}
