//! Numbers, times and foreign text, as people like to read them.

use std::time::Duration;

use crate::time::Timestamp;

/// `1,234,567`
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3 + 1);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 packet`, `2 packets`
pub(super) fn counted(number: u64, one: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {one}{plural}", count(number))
}

/// `1.2 MB`: three digits or so, powers of a thousand.
pub(super) fn octets(number: u64) -> String {
    scaled(number as f64, &["B", "kB", "MB", "GB", "TB", "PB", "EB"])
}

/// `2.3 M`
pub(super) fn about(number: f64) -> String {
    scaled(number, &["", "k", "M", "G"])
}

fn scaled(number: f64, units: &[&str]) -> String {
    let mut scaled = number;
    let mut unit = 0;
    while scaled >= 999.5 && unit + 1 < units.len() {
        scaled /= 1000.0;
        unit += 1;
    }
    let decimals = usize::from(unit > 0 && scaled < 99.95);
    format!("{scaled:.decimals$} {}", units[unit]).trim_end().to_owned()
}

/// `4 ms`, `12.3 s`, `5 min 3 s`, `2 h 10 min`, `3 d 4 h`
pub(super) fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match (seconds, duration.as_micros()) {
        (0, micros @ 0..1000) => format!("{micros} µs"),
        (0, micros) => format!("{} ms", micros / 1000),
        (1..60, _) => format!("{:.1} s", duration.as_secs_f64()),
        (60..3600, _) => format!("{} min {} s", seconds / 60, seconds % 60),
        (3600..86_400, _) => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds / 3600 % 24),
    }
}

/// `2026-11-23 04:55:59`, UTC.
pub(super) fn date_and_time(time: Timestamp) -> String {
    civil(time).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// `2026-11-23 04:55:59 to 04:56:10`, UTC; with a second date where there is one.
pub(super) fn span(first: Timestamp, last: Timestamp) -> String {
    let same_day = civil(first).date() == civil(last).date();
    let format = if same_day { "%H:%M:%S" } else { "%Y-%m-%d %H:%M:%S" };
    format!("{} to {}", date_and_time(first), civil(last).strftime(format))
}

/// `04:55:59`, UTC.
pub(super) fn time_of_day(time: Timestamp) -> String {
    civil(time).strftime("%H:%M:%S").to_string()
}

fn civil(time: Timestamp) -> jiff::civil::DateTime {
    let stamp = jiff::Timestamp::from_nanosecond(time.as_nanos().into()).unwrap_or_default();
    jiff::tz::Offset::UTC.to_datetime(stamp)
}

/// Text from the wire for a terminal: no control characters reach it.
pub(super) fn printable(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    text.chars().map(|c| if is_harmless(c) { c } else { char::REPLACEMENT_CHARACTER }).collect()
}

/// Whether a terminal shows it and does nothing else: no control, no change of direction.
fn is_harmless(c: char) -> bool {
    !c.is_control()
        && !matches!(c, '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// At most `width` characters of `text`, the cut marked.
pub(super) fn shortened(text: &str, width: usize) -> String {
    if characters(text) <= width {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(width.saturating_sub(1)).collect();
    short.push('…');
    short
}

/// `text` in lines of at most `width` characters; longer words stand alone.
pub(super) fn wrapped(text: &str, width: usize) -> Vec<String> {
    filled(text.split_whitespace(), width)
}

/// Words in lines of at most `width` characters; longer words stand alone.
fn filled<W: AsRef<str>>(words: impl IntoIterator<Item = W>, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in words {
        let word = word.as_ref();
        match lines.last_mut() {
            Some(line) if characters(line) + 1 + characters(word) <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// `a, b,` and `c +4`: as many of `items` as fit into so many lines of `width` characters, one at
/// the least, and how many do not.
pub(super) fn list(items: &[String], width: usize, most_lines: usize) -> Vec<String> {
    let most = items.len().min(width.saturating_mul(most_lines));
    let fits = |lines: &Vec<String>| {
        lines.len() <= most_lines && lines.iter().all(|line| characters(line) <= width)
    };
    let shorter = (1..=most).rev().map(|shown| list_of(items, shown, width));
    shorter.into_iter().find(fits).unwrap_or_else(|| list_of(items, 1, usize::MAX))
}

/// The first `shown` of `items`, and how many more there are.
fn list_of(items: &[String], shown: usize, width: usize) -> Vec<String> {
    let left = items.len().saturating_sub(shown);
    let last = shown.min(items.len()).saturating_sub(1);
    let words =
        items.iter().take(shown).enumerate().map(|(position, item)| {
            if position < last { format!("{item},") } else { item.clone() }
        });
    let more = (left > 0).then(|| format!("+{left}"));
    filled(words.chain(more), width)
}

fn characters(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        assert_eq!([0, 999, 1000, 1_234_567].map(count), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!(
            [0, 999, 1000, 99_949, 99_950, 999_499, 999_500].map(octets),
            ["0 B", "999 B", "1.0 kB", "99.9 kB", "100 kB", "999 kB", "1.0 MB"]
        );
        assert_eq!(about(7_654_321.0), "7.7 M");
        assert_eq!(counted(1, "packet"), "1 packet");
        assert_eq!(counted(0, "packet"), "0 packets");
    }

    #[test]
    fn durations() {
        let texts = [0, 900_000, 4_000_000, 1_500_000_000, 303_000_000_000, 7_800_000_000_000]
            .map(|nanos| duration(Duration::from_nanos(nanos)));
        assert_eq!(texts, ["0 µs", "900 µs", "4 ms", "1.5 s", "5 min 3 s", "2 h 10 min"]);
        assert_eq!(duration(Duration::from_secs(3 * 86_400 + 4 * 3600)), "3 d 4 h");
    }

    #[test]
    fn moments() {
        let time = Timestamp::from_nanos(1_795_409_759_123_456_789);
        assert_eq!(date_and_time(time), "2026-11-23 04:55:59");
        assert_eq!(time_of_day(time), "04:55:59");
    }

    #[test]
    fn no_escape_sequence_reaches_a_terminal() {
        assert_eq!(
            printable(b"a\x1b[31mb\nc\xFF\xC2\x9Bd"),
            "a\u{FFFD}[31mb\u{FFFD}c\u{FFFD}\u{FFFD}d"
        );
        assert_eq!(printable("größe\u{202E}".as_bytes()), "größe\u{FFFD}");
    }

    #[test]
    fn lists_say_how_much_they_left_out() {
        let items = ["one", "two", "three", "four"].map(str::to_owned);
        assert_eq!(list(&items, 30, 1), ["one, two, three, four"]);
        assert_eq!(list(&items, 19, 1), ["one, two, three +1"]);
        assert_eq!(list(&items, 12, 1), ["one, two +2"]);
        assert_eq!(list(&items, 12, 2), ["one, two,", "three, four"]);
        assert_eq!(list(&items, 8, 2), ["one, two", "+2"]);
        assert_eq!(list(&items, 2, 3), ["one +3"]);
        assert!(list(&[], 2, 1).concat().is_empty());
    }

    #[test]
    fn lines_are_no_longer_than_asked() {
        assert_eq!(wrapped("one two  three", 7), ["one two", "three"]);
        assert_eq!(wrapped("incomprehensible word", 7), ["incomprehensible", "word"]);
        assert_eq!(shortened("abcdef", 4), "abc…");
        assert_eq!(shortened("abcd", 4), "abcd");
    }
}
