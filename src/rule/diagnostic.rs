//! What is wrong with a rule, and where: file, line, column, the line itself, and the nearest
//! right name where there is one.

use std::fmt;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use super::Source;
use super::yaml::Span;

/// The most characters of a source line that are kept: enough for any line that a person wrote.
const LINE_KEPT: usize = 400;

/// The most mistakes of one file that are told; nobody reads more, and a hostile file has millions.
const TOLD: usize = 200;

/// One mistake in a rule file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// The file, as [`Source::name`] gave it.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// How many characters are meant, at least one.
    pub length: usize,
    /// The line itself; empty when it is too long to show.
    pub source_line: String,
    /// What is wrong.
    pub message: String,
    /// What would be right.
    pub help: Option<String>,
}

impl Diagnostic {
    /// Draws the line with the spot marked, for a terminal if `styled`.
    pub fn render(&self, styled: bool) -> String {
        let title = Level::ERROR.primary_title(self.message.as_str());
        // A stretch at the very end of a line has nothing to mark but the line's end.
        let marked = |index: usize| {
            let at = self.source_line.char_indices().nth(index);
            at.map_or(self.source_line.len(), |(offset, _)| offset)
        };
        let range = if self.source_line.is_empty() {
            0..0
        } else {
            marked(self.column - 1)..marked(self.column - 1 + self.length)
        };
        let snippet = Snippet::source(self.source_line.as_str())
            .line_start(self.line)
            .path(self.file.as_str())
            .annotation(AnnotationKind::Primary.span(range));
        let mut report: Group<'_> = title.element(snippet);
        if let Some(help) = &self.help {
            report = report.element(Level::HELP.message(help.as_str()));
        }
        let renderer = if styled { Renderer::styled() } else { Renderer::plain() };
        renderer.render(&[report])
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}", self.file, self.line, self.column, self.message)?;
        self.help.iter().try_for_each(|help| write!(f, " ({help})"))
    }
}

impl std::error::Error for Diagnostic {}

/// The nearest character boundary at or before `offset`.
fn floor(text: &str, offset: usize) -> usize {
    let offset = offset.min(text.len());
    (0..=offset).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0)
}

/// Collects the mistakes of one file.
#[derive(Debug)]
pub(super) struct Reporter<'s> {
    source: &'s Source,
    /// Where each line begins, in octets.
    lines: Vec<usize>,
    /// In the order in which they were found.
    found: Vec<Diagnostic>,
}

impl<'s> Reporter<'s> {
    pub(super) fn new(source: &'s Source) -> Self {
        let newlines = source.text.match_indices('\n').map(|(at, _)| at + 1);
        Self { source, lines: std::iter::once(0).chain(newlines).collect(), found: Vec::new() }
    }

    pub(super) fn error(&mut self, span: Span, message: impl Into<String>) {
        self.error_with(span, message, None);
    }

    pub(super) fn error_with(
        &mut self,
        span: Span,
        message: impl Into<String>,
        help: impl Into<Option<String>>,
    ) {
        if self.found.len() < TOLD {
            let diagnostic = self.diagnostic(span, message.into(), help.into());
            self.found.push(diagnostic);
        }
    }

    /// What was wrong, in the order of the file.
    pub(super) fn into_found(mut self) -> Vec<Diagnostic> {
        self.found.sort_by_key(|diagnostic| (diagnostic.line, diagnostic.column));
        self.found
    }

    fn diagnostic(&self, span: Span, message: String, help: Option<String>) -> Diagnostic {
        let text = self.source.text.as_str();
        let start = floor(text, span.start);
        let line = self.lines.partition_point(|&line| line <= start);
        let line_start = self.lines[line - 1];
        let line_end = self.lines.get(line).map_or(text.len(), |next| next - 1);
        let end = floor(text, span.end).clamp(start, line_end.max(start));
        let source_line = text[line_start..line_end].trim_end_matches('\r');
        let shown = if source_line.len() <= LINE_KEPT { source_line } else { "" };
        Diagnostic {
            file: self.source.name.clone(),
            line,
            column: text[line_start..start].chars().count() + 1,
            length: text[start..end].chars().count().max(1),
            source_line: shown.to_owned(),
            message,
            help,
        }
    }

    /// The rule's text.
    pub(super) fn text(&self) -> &'s str {
        &self.source.text
    }
}

/// The candidate that `word` was most likely meant to be, if any is near enough.
pub(super) fn nearest<'c>(
    word: &str,
    candidates: impl IntoIterator<Item = &'c str>,
) -> Option<&'c str> {
    // Nobody misspells a name of this length; the distance takes time with the product of both.
    if word.len() > 80 {
        return None;
    }
    let word = word.to_ascii_lowercase();
    candidates
        .into_iter()
        .filter(|candidate| !candidate.is_empty())
        .map(|candidate| {
            let distance = strsim::damerau_levenshtein(&word, &candidate.to_ascii_lowercase());
            (distance, candidate)
        })
        .filter(|&(distance, candidate)| distance <= (candidate.len() / 3).max(1))
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, candidate)| candidate)
}

/// ``did you mean `…`?``
pub(super) fn did_you_mean<'c>(
    word: &str,
    candidates: impl IntoIterator<Item = &'c str>,
) -> Option<String> {
    nearest(word, candidates).map(|name| format!("did you mean `{name}`?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Source {
        Source { name: "rule.yml".to_owned(), text: text.to_owned() }
    }

    #[test]
    fn tells_a_bounded_number() {
        let source = source("a");
        let mut reporter = Reporter::new(&source);
        (0..10 * TOLD).for_each(|_| reporter.error(Span { start: 0, end: 1 }, "bad"));
        assert_eq!(reporter.into_found().len(), TOLD);
    }

    #[test]
    fn points_at_line_and_column_in_characters() {
        let source = source("title: é\nid: ünd so weiter\n");
        let start = source.text.find("so").expect("there");
        let mut reporter = Reporter::new(&source);
        reporter.error(Span { start, end: start + 2 }, "bad");
        let found = &reporter.found[0];
        assert_eq!((found.line, found.column, found.length), (2, 9, 2));
        assert_eq!(found.source_line, "id: ünd so weiter");
        assert_eq!(found.to_string(), "rule.yml:2:9: bad");
        assert!(found.render(false).contains("id: ünd so weiter"), "{}", found.render(false));
    }

    #[test]
    fn renders_any_span_of_any_text() {
        for text in ["", "\n", "ä", "a\r\nb\r\n", &"x".repeat(5000)] {
            let source = source(text);
            for start in 0..text.len().min(8) + 2 {
                let mut reporter = Reporter::new(&source);
                reporter.error_with(Span { start, end: start + 3 }, "m", Some("h".to_owned()));
                assert!(reporter.found[0].render(false).contains("help: h"));
            }
        }
    }

    #[test]
    fn suggests_only_what_is_near() {
        let names = ["activation", "spontaneous", "periodic"];
        assert_eq!(nearest("Activaton", names), Some("activation"));
        assert_eq!(nearest("deactivated_by", names), None);
    }
}
