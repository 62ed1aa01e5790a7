//! Topics, against what the standard says of two of them level by level.

use gridtap::topic::{Filter, FilterSet, Found, is_shared};

/// Filters that are looked at: more than a word has bits.
const FILTERS: usize = 150;

/// Topics that are looked at: each is held against each filter.
const TOPICS: usize = 16;

/// Filters, a line each; behind an empty line topics, a line each, which are asked for as names and as
/// filters.
pub(crate) fn drive(octets: &[u8]) {
    let (filters, topics) = super::parted(octets);
    let filters = filters.split(|octet| *octet == b'\n').take(FILTERS);
    let filters: Vec<Filter<'_>> = filters.filter_map(read).collect();
    let set = FilterSet::new(&filters);
    let mut found = Found::default();
    for topic in topics.split(|octet| *octet == b'\n').take(TOPICS) {
        set.matching(topic, &mut found);
        let expected = filters.iter().map(|filter| matches(filter.as_bytes(), topic));
        assert!(met(&found, filters.len()).eq(expected), "{}", topic.escape_ascii());
        let Some(other) = read(topic) else { continue };
        set.overlapping(other, &mut found);
        let expected = filters.iter().map(|filter| overlap(filter.as_bytes(), other.as_bytes()));
        assert!(met(&found, filters.len()).eq(expected), "{} as a filter", topic.escape_ascii());
    }
}

/// Which filters were found, in their order.
fn met(found: &Found, filters: usize) -> impl Iterator<Item = bool> {
    let mut met = vec![false; filters];
    for (place, bits) in found.words() {
        for bit in (0..64).filter(|bit| bits >> bit & 1 == 1) {
            met[place * 64 + bit] = true;
        }
    }
    met.into_iter()
}

/// Reads a filter, which is one if the standard says so (clauses 4.7.1 and 4.8.2).
fn read(text: &[u8]) -> Option<Filter<'_>> {
    let levels = levels(text);
    let has_wildcards = |level: &&[u8]| level.contains(&b'+') || level.contains(&b'#');
    let is_legal = |levels: &[&[u8]]| {
        let Some((last, above)) = levels.split_last() else { return false };
        let is_plain = |level: &&[u8]| *level == b"+" || !has_wildcards(level);
        levels.concat().len() + levels.len() > 1
            && above.iter().all(is_plain)
            && (*last == b"#" || is_plain(last))
    };
    let expected = match levels.as_slice() {
        [b"$share", name, filter @ ..] => {
            !name.is_empty() && !has_wildcards(name) && is_legal(filter)
        }
        all => is_legal(all),
    };
    let filter = Filter::parse(text);
    assert_eq!(filter.is_ok(), expected, "{}", text.escape_ascii());
    if let Ok(filter) = filter
        && !is_shared(text)
    {
        assert_eq!(filter, Filter::parse_unshared(text).expect("a filter"));
    }
    filter.ok()
}

/// Whether a filter matches a topic name (clauses 4.7.1 to 4.7.3).
fn matches(filter: &[u8], name: &[u8]) -> bool {
    let is_hidden = name.starts_with(b"$") && filter.starts_with(b"+")
        || name.starts_with(b"$") && filter.starts_with(b"#");
    !name.is_empty() && !is_hidden && levels_match(&levels(filter), &levels(name))
}

fn levels(topic: &[u8]) -> Vec<&[u8]> {
    topic.split(|octet| *octet == b'/').collect()
}

fn levels_match(filter: &[&[u8]], name: &[&[u8]]) -> bool {
    match (filter, name) {
        ([], []) | ([b"#"], _) => true,
        ([level, filter @ ..], [text, name @ ..]) => {
            (*level == b"+" || level == text) && levels_match(filter, name)
        }
        _ => false,
    }
}

/// Whether some name matches both: if one does, then the one that has of each level what either of
/// them says.
fn overlap(one: &[u8], other: &[u8]) -> bool {
    let mut name: Vec<&[u8]> = Vec::new();
    let both = [levels(one), levels(other)];
    for at in 0..both[0].len().max(both[1].len()) {
        let mut said =
            both.iter().filter_map(|levels| levels.get(at)).filter(|text| **text != b"#");
        let Some(first) = said.next() else { continue };
        let text = if *first == b"+" { said.next().unwrap_or(first) } else { first };
        name.push(if *text == b"+" { b"x" } else { text });
    }
    let name = name.join(&b'/');
    let name = if name.is_empty() { &b"x"[..] } else { &name };
    matches(one, name) && matches(other, name)
}
