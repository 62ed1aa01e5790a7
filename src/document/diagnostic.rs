//! What is wrong with a document, and where: file, line, column, the line itself, and the nearest
//! right name where there is one.

use std::fmt;
use std::str::Utf8Error;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use super::Source;
use super::yaml::Span;

/// The longest source line that is kept whole, in octets: any line that a person wrote.
const LINE_KEPT: usize = 400;

/// Of a longer line, the characters that are kept before the place of a mistake, and from it on.
const BEFORE: usize = 40;
const FROM: usize = 80;

/// Stands for what was cut off a line.
const CUT: char = '…';

/// The most mistakes of one file that are told; nobody reads more, and a hostile file has millions.
const TOLD: usize = 200;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The document cannot be used.
    Error,
    /// It can, but hardly as it was meant.
    Warning,
}

/// One mistake in a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// The file, as [`Source::name`] gave it.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// How many characters are meant, at least one.
    pub length: usize,
    /// The line itself; of a very long one what stands around the place, with `…` for the rest.
    pub source_line: String,
    /// Where in `source_line` the place is, from 1, in characters: the column, unless it is cut.
    pub shown_column: usize,
    /// What is wrong.
    pub message: String,
    /// What would be right.
    pub help: Option<String>,
}

impl Diagnostic {
    /// Draws the line with the spot marked, for a terminal if `styled`.
    pub fn render(&self, styled: bool) -> String {
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let title = level.primary_title(self.message.as_str());
        // A stretch at the very end of a line has nothing to mark but the line's end.
        let marked = |index: usize| {
            let at = self.source_line.char_indices().nth(index);
            at.map_or(self.source_line.len(), |(offset, _)| offset)
        };
        let at = self.shown_column - 1;
        let snippet = Snippet::source(self.source_line.as_str())
            .line_start(self.line)
            .annotation(AnnotationKind::Primary.span(marked(at)..marked(at + self.length)));
        let path = self.file.as_str();
        let mut report: Group<'_> = if self.shown_column == self.column {
            title.element(snippet.path(path))
        } else {
            // The snippet would count the column in what is left of the line.
            let place = Origin::path(path).line(self.line).char_column(self.column);
            title.element(place).element(snippet)
        };
        if let Some(help) = &self.help {
            report = report.element(Level::HELP.message(help.as_str()));
        }
        let renderer = if styled { Renderer::styled() } else { Renderer::plain() };
        renderer.render(&[report])
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let warning = if self.severity == Severity::Warning { "warning: " } else { "" };
        write!(f, "{}:{}:{}: {warning}{}", self.file, self.line, self.column, self.message)?;
        self.help.iter().try_for_each(|help| write!(f, " ({help})"))
    }
}

impl std::error::Error for Diagnostic {}

/// A line as it is shown for a mistake at `place`, which is a boundary of characters; and how many
/// characters less there are before the place.
fn around(line: &str, place: usize) -> (String, usize) {
    if line.len() <= LINE_KEPT {
        return (line.to_owned(), 0);
    }
    let (before, after) = line.split_at(place.min(line.len()));
    let start = before.char_indices().rev().nth(BEFORE - 1).map_or(0, |(at, _)| at);
    let end = after.char_indices().nth(FROM).map_or(after.len(), |(at, _)| at);
    let mut shown = String::new();
    if start > 0 {
        shown.push(CUT);
    }
    shown.push_str(&before[start..]);
    shown.push_str(&after[..end]);
    if end < after.len() {
        shown.push(CUT);
    }
    let mark = usize::from(start > 0);
    (shown, before[..start].chars().count() - mark)
}

/// The nearest character boundary at or before `offset`.
fn floor(text: &str, offset: usize) -> usize {
    let offset = offset.min(text.len());
    (0..=offset).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0)
}

/// Collects the mistakes of one file.
#[derive(Debug)]
pub(crate) struct Reporter<'s> {
    source: &'s Source,
    /// Where each line begins, in octets.
    lines: Vec<usize>,
    /// In the order in which they were found.
    found: Vec<Diagnostic>,
}

impl<'s> Reporter<'s> {
    pub(crate) fn new(source: &'s Source) -> Self {
        let newlines = source.text.match_indices('\n').map(|(at, _)| at + 1);
        Self { source, lines: std::iter::once(0).chain(newlines).collect(), found: Vec::new() }
    }

    pub(crate) fn error(&mut self, span: Span, message: impl Into<String>) {
        self.error_with(span, message, None);
    }

    pub(crate) fn error_with(
        &mut self,
        span: Span,
        message: impl Into<String>,
        help: impl Into<Option<String>>,
    ) {
        self.tell(Severity::Error, span, message.into(), help.into());
    }

    pub(crate) fn tell(
        &mut self,
        severity: Severity,
        span: Span,
        message: String,
        help: Option<String>,
    ) {
        if self.found.len() < TOLD {
            let diagnostic = self.diagnostic(severity, span, message, help);
            self.found.push(diagnostic);
        }
    }

    /// Whether anything was wrong so far.
    pub(crate) fn has_found(&self) -> bool {
        !self.found.is_empty()
    }

    /// What was wrong, in the order of the file.
    pub(crate) fn into_found(mut self) -> Vec<Diagnostic> {
        self.found.sort_by_key(|diagnostic| (diagnostic.line, diagnostic.column));
        self.found
    }

    /// Keeps one that was made elsewhere.
    pub(crate) fn add(&mut self, diagnostic: Diagnostic) {
        self.found.push(diagnostic);
    }

    /// What to say of `span`, without keeping it.
    pub(crate) fn diagnostic(
        &self,
        severity: Severity,
        span: Span,
        message: String,
        help: Option<String>,
    ) -> Diagnostic {
        let text = self.source.text.as_str();
        let start = floor(text, span.start);
        let line = self.line(span);
        let line_start = self.lines[line - 1];
        let line_end = self.lines.get(line).map_or(text.len(), |next| next - 1);
        let end = floor(text, span.end).clamp(start, line_end.max(start));
        let source_line = text[line_start..line_end].trim_end_matches('\r');
        let (source_line, cut) = around(source_line, start - line_start);
        let column = text[line_start..start].chars().count() + 1;
        Diagnostic {
            severity,
            file: self.source.name.clone(),
            line,
            column,
            length: text[start..end].chars().count().max(1),
            source_line,
            shown_column: column - cut,
            message,
            help,
        }
    }

    /// The line in which a stretch begins, from 1.
    pub(crate) fn line(&self, span: Span) -> usize {
        let start = floor(&self.source.text, span.start);
        self.lines.partition_point(|&line| line <= start)
    }

    /// The whole text.
    pub(crate) fn text(&self) -> &'s str {
        &self.source.text
    }
}

/// What is wrong with the file `name` that has these octets.
pub(crate) fn not_utf8(name: String, error: Utf8Error, octets: &[u8]) -> Diagnostic {
    let bad = error.valid_up_to();
    let octet = octets.get(bad).copied().unwrap_or_default();
    // Up to there the text is the same, and its octets are counted as those of the file.
    let source = Source { name, text: String::from_utf8_lossy(octets).into_owned() };
    let help = "the file must be UTF-8: from another encoding `iconv` converts them";
    Reporter::new(&source).diagnostic(
        Severity::Error,
        Span { start: bad, end: bad + 1 },
        format!("the octet {octet:#04x} is no UTF-8 here"),
        Some(help.to_owned()),
    )
}

/// The candidate that `word` was most likely meant to be, if any is near enough.
pub(crate) fn nearest<'c>(
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
        .filter_map(|candidate| Some((distance(&word, candidate)?, candidate)))
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, candidate)| candidate)
}

/// How many slips lie between the names, if that is at most one in three characters of what they
/// do not share: `iec104.` in front makes no two fields alike.
fn distance(word: &str, candidate: &str) -> Option<usize> {
    let candidate = candidate.to_ascii_lowercase();
    let same = word.bytes().zip(candidate.bytes()).take_while(|(one, other)| one == other).count();
    let shared = word[..floor(word, same)].rfind('.').map_or(0, |point| point + 1);
    let (word, candidate) = (&word[shared..], &candidate[shared..]);
    let longer = word.chars().count().max(candidate.chars().count());
    let distance = strsim::damerau_levenshtein(word, candidate);
    (distance <= longer / 3).then_some(distance)
}

/// ``did you mean `…`?``
pub(crate) fn did_you_mean<'c>(
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
    fn points_at_the_first_octet_that_is_no_text() {
        for (octets, place, message) in [
            (&b"title: caf\xe9\nid: \xff\n"[..], (1, 11), "the octet 0xe9 is no UTF-8 here"),
            (b"\xff\xfet\0i\0", (1, 1), "the octet 0xff is no UTF-8 here"),
            (
                "title: ü\nid: ü".as_bytes().split_last().unwrap().1,
                (2, 5),
                "the octet 0xc3 is no UTF-8 here",
            ),
        ] {
            let found = Source::from_octets("rule.yml".to_owned(), octets.to_vec()).unwrap_err();
            assert_eq!((found.line, found.column), place, "{found}");
            assert_eq!(found.message, message);
            assert!(found.render(false).contains("help: the file must be UTF-8"));
        }
    }

    #[test]
    fn shows_what_stands_around_a_place_in_a_long_line() {
        let values = (0..5000).map(|number| number.to_string()).collect::<Vec<_>>().join(", ");
        for name in ["first", "é"] {
            let source = source(&format!("{name}: [{values}]\n"));
            for wanted in ["0, ", "2500", "4999"] {
                let start = source.text.find(wanted).expect("there");
                let mut reporter = Reporter::new(&source);
                reporter.error(Span { start, end: start + wanted.len() }, "bad");
                let found = &reporter.found[0];
                let column = source.text[..start].chars().count() + 1;
                assert_eq!(found.column, column);
                let drawn = found.render(false);
                assert!(drawn.contains(&format!("--> rule.yml:1:{column}\n")), "{drawn}");
                let lines: Vec<Vec<char>> =
                    drawn.lines().map(|line| line.chars().collect()).collect();
                let marks = lines.iter().find(|line| line.contains(&'^')).expect("marked");
                let first = marks.iter().position(|mark| *mark == '^').expect("marked");
                let shown =
                    lines.iter().find(|line| line.starts_with(&['1', ' ', '|'])).expect("shown");
                let marked: String = shown[first..].iter().take(wanted.len()).collect();
                assert_eq!(marked, wanted, "{drawn}");
                assert!(shown.len() < 140, "{drawn}");
            }
        }
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
        assert_eq!(nearest("u", ["s", ""]), None);
        assert_eq!(nearest("S", ["s"]), Some("s"));
        assert_eq!(nearest("sle", ["sel"]), Some("sel"));
        let fields = ["iec104.ns", "iec104.type", "iec104.objects.ioa"];
        assert_eq!(nearest("iec104.foo", fields), None);
        assert_eq!(nearest("iec104.typ", fields), Some("iec104.type"));
        assert_eq!(nearest("iec104.object.ioa", fields), Some("iec104.objects.ioa"));
        assert_eq!(nearest("ïec104.typ", fields), Some("iec104.type"));
    }
}
