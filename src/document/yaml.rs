//! YAML as a tree in which every node knows where it stands.
//!
//! Built on the event parser below serde-saphyr: a deserializer stops at the first mistake and
//! forgets how a scalar was written, and an author wants all mistakes and the spelling.
//! Aliases are expanded by copy, and all nodes, copies included, count against [`MAX_NODES`]:
//! an alias bomb is refused before it takes memory.

use std::collections::HashMap;

use serde_yaml::granit_parser::{self, Event, Parser, ScalarStyle};

use super::Source;
use super::diagnostic::Reporter;

/// The largest file, in octets: ten thousand rules take about six million.
const MAX_LENGTH: usize = 16 << 20;
/// The most nodes of a file.
const MAX_NODES: usize = 1_000_000;
/// The deepest nesting: a rule needs six.
const MAX_DEPTH: usize = 24;

/// A stretch of the source, in octets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// A node of the tree.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) span: Span,
    pub(crate) content: Content,
}

/// What a node is.
#[derive(Debug, Clone)]
pub(crate) enum Content {
    Scalar(Scalar),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// A key of a map and its value.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) key_span: Span,
    pub(crate) value: Node,
}

/// A scalar: what it means by the core schema of YAML 1.2, and how it is spelled.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Scalar {
    pub(crate) text: String,
    pub(crate) meaning: Meaning,
}

/// What a scalar means.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Meaning {
    Null,
    Boolean(bool),
    Integer(i64),
    Float(f64),
    /// Text without quotes.
    Plain,
    /// Text in quotes, or a block.
    Quoted,
}

impl Node {
    /// What to call it in a message.
    pub(crate) fn what(&self) -> &'static str {
        match &self.content {
            Content::List(_) => "a list",
            Content::Map(_) => "a map",
            Content::Scalar(scalar) => scalar.what(),
        }
    }

    /// Whether nothing stands here.
    pub(crate) fn is_null(&self) -> bool {
        matches!(&self.content, Content::Scalar(Scalar { meaning: Meaning::Null, .. }))
    }

    /// Nodes of the tree from here.
    fn size(&self) -> usize {
        match &self.content {
            Content::Scalar(_) => 1,
            Content::List(items) => 1 + items.iter().map(Node::size).sum::<usize>(),
            Content::Map(entries) => {
                1 + entries.iter().map(|entry| 1 + entry.value.size()).sum::<usize>()
            }
        }
    }
}

impl Scalar {
    fn new(text: String, style: ScalarStyle, is_string: bool) -> Self {
        let meaning = match style {
            ScalarStyle::Plain if !is_string => plain_meaning(&text),
            _ => Meaning::Quoted,
        };
        Self { text, meaning }
    }

    /// A scalar without quotes.
    pub(crate) fn plain(text: String) -> Self {
        Self { meaning: plain_meaning(&text), text }
    }

    /// What to call it in a message.
    pub(crate) fn what(&self) -> &'static str {
        match self.meaning {
            Meaning::Null => "nothing",
            Meaning::Boolean(_) => "a boolean",
            Meaning::Float(number) if number.is_nan() => "no number",
            Meaning::Float(number) if number.fract() != 0.0 => "a fraction",
            Meaning::Integer(_) | Meaning::Float(_) => "a number",
            Meaning::Plain | Meaning::Quoted => "text",
        }
    }
}

/// The core schema of YAML 1.2, chapter 10.3.2.
fn plain_meaning(text: &str) -> Meaning {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Meaning::Null,
        "true" | "True" | "TRUE" => return Meaning::Boolean(true),
        "false" | "False" | "FALSE" => return Meaning::Boolean(false),
        ".nan" | ".NaN" | ".NAN" => return Meaning::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" => return Meaning::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => return Meaning::Float(f64::NEG_INFINITY),
        _ => {}
    }
    let digits = |prefix: &str, radix| u128::from_str_radix(text.strip_prefix(prefix)?, radix).ok();
    if let Ok(integer) = text.parse() {
        return Meaning::Integer(integer);
    }
    if let Some(integer) = digits("0x", 16).or(digits("0o", 8)) {
        // As with decimal digits, what 64 bits do not hold is the nearest floating point number.
        return i64::try_from(integer).map_or(Meaning::Float(integer as f64), Meaning::Integer);
    }
    // Rust reads `inf`, `nan` and `infinity` too, which YAML takes for text.
    let numeric =
        text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E'));
    match text.parse() {
        Ok(float) if numeric => Meaning::Float(float),
        _ => Meaning::Plain,
    }
}

/// Reads all documents of a file. After a mistake that leaves no sense in what follows, those
/// before it are returned.
pub(crate) fn documents(source: &Source, reporter: &mut Reporter<'_>) -> Vec<Node> {
    if source.text.len() > MAX_LENGTH {
        let message = format!("the file is larger than {} MiB", MAX_LENGTH >> 20);
        reporter.error(Span { start: 0, end: 0 }, message);
        return Vec::new();
    }
    let options = granit_parser::options! { emit_comments: false, disallow_directives: true };
    let mut composer = Composer {
        parser: Parser::new_from_str_with_options(&source.text, options),
        reporter,
        anchors: HashMap::new(),
        nodes: 0,
        last: Span { start: 0, end: 0 },
    };
    let mut documents = Vec::new();
    while let Some(event) = composer.next() {
        match event {
            Event::StreamEnd => break,
            Event::StreamStart | Event::DocumentStart(..) => composer.anchors.clear(),
            Event::DocumentEnd => {}
            event => match composer.node(event, 0) {
                Some(node) => documents.push(node),
                None => break,
            },
        }
    }
    documents
}

/// Makes nodes of events. `None` means that the rest of the file is given up, and told why.
struct Composer<'s, 'r, 'd> {
    parser: Parser<'s, granit_parser::StrInput<'s>>,
    reporter: &'r mut Reporter<'d>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
    last: Span,
}

impl<'s> Composer<'s, '_, '_> {
    fn next(&mut self) -> Option<Event<'s>> {
        match self.parser.next_event()? {
            Ok((event, span)) => {
                let range = span.byte_range().unwrap_or(0..0);
                self.last = Span { start: range.start, end: range.end };
                Some(event)
            }
            Err(error) => {
                let start = error.marker().byte_offset().unwrap_or(0);
                self.reporter.error(Span { start, end: start + 1 }, error.info());
                None
            }
        }
    }

    fn give_up<T>(&mut self, message: impl Into<String>) -> Option<T> {
        self.reporter.error(self.last, message);
        None
    }

    fn count(&mut self, nodes: usize) -> Option<()> {
        self.nodes += nodes;
        if self.nodes > MAX_NODES {
            return self.give_up(format!("the file has more than {MAX_NODES} nodes"));
        }
        Some(())
    }

    fn node(&mut self, event: Event<'s>, depth: usize) -> Option<Node> {
        if depth > MAX_DEPTH {
            return self.give_up(format!("nested deeper than {MAX_DEPTH} levels"));
        }
        self.count(1)?;
        let anchor = event.anchor_id();
        let string_tag = event.tag().is_some_and(|tag| tag.is_yaml_core_schema_tag("str"));
        if event.tag().is_some() && !string_tag {
            return self.give_up("a YAML tag has no meaning here");
        }
        let span = self.last;
        let content = match event {
            Event::Alias(id) => return self.alias(id),
            Event::Scalar(text, style, ..) => {
                Content::Scalar(Scalar::new(text.into_owned(), style, string_tag))
            }
            Event::SequenceStart(..) => self.list(depth)?,
            Event::MappingStart(..) => self.map(depth)?,
            _ => return self.give_up("a value is missing here"),
        };
        // A collection in block style begins nowhere in particular: point at its first member.
        let span = match &content {
            Content::Scalar(_) => span,
            Content::List(items) => items.first().map_or(span, |item| item.span),
            Content::Map(entries) => entries.first().map_or(span, |entry| entry.key_span),
        };
        let node = Node { span, content };
        if let Some(id) = anchor {
            self.anchors.insert(id, node.clone());
        }
        Some(node)
    }

    fn alias(&mut self, id: usize) -> Option<Node> {
        let span = self.last;
        let Some(size) = self.anchors.get(&id).map(Node::size) else {
            return self.give_up("an alias inside of what it stands for");
        };
        self.count(size)?;
        let target = self.anchors.get(&id)?;
        Some(Node { span, content: target.content.clone() })
    }

    fn list(&mut self, depth: usize) -> Option<Content> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                Event::SequenceEnd => return Some(Content::List(items)),
                event => items.push(self.node(event, depth + 1)?),
            }
        }
    }

    fn map(&mut self, depth: usize) -> Option<Content> {
        let mut entries = Vec::new();
        let mut seen: HashMap<String, Span> = HashMap::new();
        loop {
            let key = match self.next()? {
                Event::MappingEnd => return Some(Content::Map(entries)),
                event => self.node(event, depth + 1)?,
            };
            let event = self.next()?;
            let value = self.node(event, depth + 1)?;
            let Content::Scalar(Scalar { text, .. }) = key.content else {
                self.reporter.error(key.span, "a key is a word, not a list or a map");
                continue;
            };
            if text == "<<" {
                self.reporter
                    .error(key.span, "merge keys are no part of YAML 1.2: write the members out");
                continue;
            }
            if seen.insert(text.clone(), key.span).is_some() {
                self.reporter.error(key.span, format!("the key `{text}` stands here twice"));
                continue;
            }
            entries.push(Entry { key: text, key_span: key.span, value });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Diagnostic;

    fn read(text: &str) -> (Vec<Node>, Vec<Diagnostic>) {
        let source = Source { name: "x.yml".to_owned(), text: text.to_owned() };
        let mut reporter = Reporter::new(&source);
        let documents = documents(&source, &mut reporter);
        (documents, reporter.into_found())
    }

    fn errors(text: &str) -> Vec<String> {
        read(text).1.iter().map(ToString::to_string).collect()
    }

    fn meaning(text: &str) -> Meaning {
        let (documents, found) = read(text);
        assert_eq!(found, []);
        match &documents[0].content {
            Content::Scalar(scalar) => scalar.meaning,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn scalars_mean_what_the_core_schema_says() {
        assert_eq!(meaning("0x2d"), Meaning::Integer(45));
        assert_eq!(meaning("-7"), Meaning::Integer(-7));
        assert_eq!(meaning("0x10000000000000000"), Meaning::Float(18_446_744_073_709_551_616.0));
        assert_eq!(meaning("1.5"), Meaning::Float(1.5));
        assert_eq!(meaning("inf"), Meaning::Plain);
        assert_eq!(meaning("on"), Meaning::Plain);
        assert_eq!(meaning("'45'"), Meaning::Quoted);
        assert_eq!(meaning("!!str 45"), Meaning::Quoted);
        assert_eq!(meaning("~"), Meaning::Null);
    }

    #[test]
    fn nodes_know_where_they_stand() {
        let text = "a: 1\nb:\n  - x\n  - 'yy'\n";
        let (documents, _) = read(text);
        let Content::Map(entries) = &documents[0].content else { panic!() };
        let Content::List(items) = &entries[1].value.content else { panic!() };
        assert_eq!(&text[entries[1].key_span.start..entries[1].key_span.end], "b");
        assert_eq!(&text[items[1].span.start..items[1].span.end], "'yy'");
    }

    #[test]
    fn every_duplicate_key_is_told() {
        assert_eq!(
            errors("a: 1\na: 2\nb: {c: 1, c: 2}\n"),
            [
                "x.yml:2:1: the key `a` stands here twice",
                "x.yml:3:11: the key `c` stands here twice"
            ]
        );
    }

    #[test]
    fn aliases_are_copies() {
        let (documents, found) = read("a: &x [1, 2]\nb: *x\n");
        assert_eq!(found, []);
        let Content::Map(entries) = &documents[0].content else { panic!() };
        assert_eq!(entries[1].value.size(), 3);
    }

    #[test]
    fn hostile_files_are_refused() {
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..20 {
            let inner = vec![format!("*a{}", level - 1); 10].join(", ");
            bomb = format!("{bomb}a{level}: &a{level} [{inner}]\n");
        }
        assert!(errors(&bomb)[0].contains("nodes"));
        assert!(!errors(&"[".repeat(100_000)).is_empty());
        assert!(errors(&format!("a: {}{}", "[".repeat(30), "]".repeat(30)))[0].contains("deeper"));
        assert!(errors("a: &a [*a]")[0].contains("alias"));
        assert!(errors(&"x".repeat(MAX_LENGTH + 1))[0].contains("larger"));
        assert!(errors("!!binary aGk=")[0].contains("tag"));
        assert!(!errors("a: [1, 2").is_empty());
        assert!(!errors("\u{1}").is_empty());
    }
}
