//! The manual page of `gridtap.yaml`, in the macros of man(7).

use std::fmt::Write as _;

use super::super::setting::Key;
use super::{SHORT_FORMS, SOURCES, STRICTNESS, VALUES, WHOLE, below, default, joined, value};

/// `gridtap.yaml.5`.
pub fn manual() -> String {
    let mut page =
        format!(".TH gridtap.yaml 5 \"\" \"gridtap {}\" \"gridtap\"\n", env!("CARGO_PKG_VERSION"));
    heading(&mut page, "NAME");
    page.push_str("gridtap.yaml \\- the configuration of gridtap\n");
    heading(&mut page, "SYNOPSIS");
    page.push_str(".I /etc/gridtap/gridtap.yaml\n");
    heading(&mut page, "DESCRIPTION");
    paragraph(&mut page, STRICTNESS);
    paragraph(&mut page, VALUES);
    heading(&mut page, "KEYS");
    keys(&mut page, "", &WHOLE);
    heading(&mut page, "ENVIRONMENT AND COMMAND LINE");
    paragraph(&mut page, "What comes later wins, key by key:");
    for (number, source) in (1..).zip(SOURCES) {
        let _ = write!(page, ".IP {number}. 4\n{}\n", text(source));
    }
    paragraph(&mut page, SHORT_FORMS);
    heading(&mut page, "SEE ALSO");
    page.push_str(".BR gridtap (1),\n.BR gridtap\\-check (1)\n");
    page
}

fn heading(page: &mut String, title: &str) {
    let _ = writeln!(page, ".SH \"{title}\"");
}

fn paragraph(page: &mut String, markdown: &str) {
    let _ = write!(page, ".PP\n{}\n", text(markdown));
}

/// The keys of a section, and below them the sections in it.
fn keys(page: &mut String, path: &str, section: &Key) {
    if !path.is_empty() {
        let _ = writeln!(page, ".SS \"{}\"", text(path));
    }
    paragraph(page, section.kind.about);
    for key in section.kind.keys {
        let default = default(key);
        let default = match default.as_str() {
            "" | "required" => default,
            value => format!("default {value}"),
        };
        let kind: Vec<_> =
            [value(key), default].into_iter().filter(|part| !part.is_empty()).collect();
        let (name, kind, meaning) = (text(key.name()), text(&kind.join("; ")), text(key.meaning));
        let _ = write!(page, ".TP\n\\fB{name}\\fR ({kind})\n{meaning}\n");
    }
    for key in section.kind.keys.iter().filter(|key| !key.kind.keys.is_empty()) {
        keys(page, &below(path, key), key);
    }
}

/// Markdown with code alone, in one line: code is bold, and nothing else means anything to roff.
fn text(markdown: &str) -> String {
    let mut roff = String::new();
    let mut is_code = false;
    for character in joined(markdown).chars() {
        match character {
            '`' => {
                is_code = !is_code;
                roff.push_str(if is_code { "\\fB" } else { "\\fR" });
            }
            '\\' => roff.push_str("\\(rs"),
            '-' => roff.push_str("\\-"),
            '\'' => roff.push_str("\\(aq"),
            '"' => roff.push_str("\\(dq"),
            '^' => roff.push_str("\\(ha"),
            '~' => roff.push_str("\\(ti"),
            other => roff.push(other),
        }
    }
    // A full stop at the beginning of a line would be a request.
    if roff.starts_with('.') { format!("\\&{roff}") } else { roff }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_text_is_a_request() {
        assert_eq!(text(".so /etc/passwd"), "\\&.so /etc/passwd");
        assert_eq!(text("'x' \\fB\n  - \"~^\""), "\\(aqx\\(aq \\(rsfB \\- \\(dq\\(ti\\(ha\\(dq");
        assert_eq!(text("set `a-b`, or not"), "set \\fBa\\-b\\fR, or not");
    }

    #[test]
    fn every_key_has_its_place() {
        let page = manual();
        for part in [".SS \"outputs[].rotation\"", "\\fBblock_timeout\\fR", "default \\fB2ms\\fR"] {
            assert!(page.contains(part), "{part} is not in\n{page}");
        }
    }
}
