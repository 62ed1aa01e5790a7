//! What a rule's words mean for a field of some kind.

use std::net::IpAddr;

use ipnet::IpNet;

use super::{Atom, Compiler, REGEX_SIZE};
use crate::event::Kind;
use crate::rule::diagnostic::did_you_mean;
use crate::rule::modifier::{Comparison, Modifiers, Order, RegexFlags};
use crate::rule::pattern::{Pattern, Shape};
use crate::rule::predicate::{Ranges, Test, TextTest, flag_point, number_point, time_point};
use crate::rule::sigma::{Item, Spanned};
use crate::rule::yaml::{Meaning, Scalar, Span};
use crate::time::Timestamp;
use crate::topic;

/// Whole numbers up to here are exact as floating point numbers.
const EXACT: i64 = 1 << 53;
/// The octets that a topic has at most [MQTT-1.5.4-1].
const LONGEST_TOPIC: usize = 65_535;
/// The levels that a rule's topic filter may have: as many as the most patient broker takes. The
/// index has a table for each.
const DEEPEST_TOPIC: usize = 200;
/// Floating point numbers from here on are no whole number of 64 bits.
const LARGEST: f64 = 9_223_372_036_854_775_808.0;

impl Compiler<'_, '_> {
    pub(super) fn atoms(
        &mut self,
        kind: Kind,
        modifiers: Modifiers,
        item: &Item,
        name: &Spanned<String>,
    ) -> Option<Vec<Atom>> {
        let mut atoms = Vec::with_capacity(item.values.len());
        let mut right = true;
        for value in &item.values {
            for value in self.expanded(value, modifiers)? {
                match self.value(kind, modifiers, &value, name) {
                    Some(atom) => atoms.push(atom),
                    None => right = false,
                }
            }
        }
        right.then_some(atoms)
    }

    pub(super) fn value(
        &mut self,
        kind: Kind,
        modifiers: Modifiers,
        value: &Spanned<Scalar>,
        name: &Spanned<String>,
    ) -> Option<Atom> {
        let Spanned { value: scalar, span } = value;
        match (modifiers.comparison, scalar.meaning) {
            (Comparison::Exists, Meaning::Boolean(true)) => return Some(Atom::Present),
            (Comparison::Exists, Meaning::Boolean(false)) | (Comparison::Equals, Meaning::Null) => {
                return Some(Atom::Absent);
            }
            (Comparison::Exists, _) => return self.wrong(*span, "`exists` is `true` or `false`"),
            (Comparison::Topic, Meaning::Null) => {
                let help = "for YAML, `#` begins a comment: write '#'".to_owned();
                return self.wrong_with(*span, "there is no topic filter here", Some(help));
            }
            (_, Meaning::Null) => {
                return self
                    .wrong(*span, "nothing to compare with: a plain `null` asks for absence");
            }
            _ => {}
        }
        let is_text = matches!(scalar.meaning, Meaning::Plain | Meaning::Quoted);
        let has_wildcards = modifiers.base64.is_none()
            && !matches!(modifiers.comparison, Comparison::Regex(_) | Comparison::Topic);
        if is_text && has_wildcards && Pattern::parse(&scalar.text).shape() == Shape::Anything {
            return Some(Atom::Present);
        }
        let test = match kind {
            Kind::TopicName | Kind::TopicFilter if modifiers.comparison == Comparison::Topic => {
                Test::Topics(vec![self.topic(value)?])
            }
            Kind::Text | Kind::TopicName | Kind::TopicFilter => {
                let scalar = self.word(value)?;
                Test::Texts(self.text_tests(scalar, modifiers, *span)?)
            }
            Kind::Name(table) => Test::Points(self.codes(table, modifiers, value, name)?),
            Kind::Boolean => match scalar.meaning {
                Meaning::Boolean(flag) => Test::Points(Ranges::point(flag.into())),
                _ => return self.mistaken(value, name, "a flag", "`true` or `false`"),
            },
            Kind::Integer => Test::Points(self.integers(
                (i64::MIN, i64::MAX),
                modifiers.comparison,
                value,
                name,
            )?),
            Kind::Range(least, most) => {
                Test::Points(self.integers((least, most), modifiers.comparison, value, name)?)
            }
            Kind::Number => Test::Points(self.numbers(modifiers.comparison, value, name)?),
            Kind::Any => self.anything(modifiers, value, name)?,
            Kind::Address => self.addresses(modifiers, value, name)?,
            Kind::Time if let Comparison::Part(part) = modifiers.comparison => {
                self.part(part, value, name)?
            }
            Kind::Time => Test::Points(self.moments(modifiers.comparison, value, name)?),
        };
        Some(Atom::Test(test))
    }

    pub(super) fn mistaken<T>(
        &mut self,
        value: &Spanned<Scalar>,
        name: &Spanned<String>,
        is: &str,
        expected: &str,
    ) -> Option<T> {
        let message = format!("`{}` is {is}, and this is {}", name.value, value.value.what());
        self.wrong_with(value.span, message, Some(format!("{expected} stands here")))
    }

    /// The whole numbers from `least` to `most` that the comparison lets through. One that lets
    /// none through, or all though it names a limit, is a mistake.
    fn integers(
        &mut self,
        (least, most): (i64, i64),
        comparison: Comparison,
        value: &Spanned<Scalar>,
        name: &Spanned<String>,
    ) -> Option<Ranges<i64>> {
        let scalar = &value.value;
        let Some(asked) = integers(comparison, scalar) else {
            return self.mistaken(value, name, "a whole number", "a whole number");
        };
        let all = Ranges::new(least, most);
        let possible = asked.and(&all);
        let is_within = whole(scalar).map_or_else(
            || number(scalar).is_some_and(|limit| (least as f64..most as f64).contains(&limit)),
            |limit| (least..=most).contains(&limit),
        );
        let how_often = if possible.iter().next().is_none() {
            "never"
        } else if possible == all && !is_within {
            "always"
        } else {
            return Some(possible);
        };
        let side = match comparison {
            Comparison::Order(Order::Less) => "below ",
            Comparison::Order(Order::LessOrEqual) => "at most ",
            Comparison::Order(Order::Greater) => "above ",
            Comparison::Order(Order::GreaterOrEqual) => "at least ",
            _ => "",
        };
        let message = format!("`{}` is {how_often} {side}{}", name.value, scalar.text);
        self.wrong_with(value.span, message, Some(format!("it is {least} to {most}")))
    }

    fn moments(
        &mut self,
        comparison: Comparison,
        value: &Spanned<Scalar>,
        name: &Spanned<String>,
    ) -> Option<Ranges<i64>> {
        const AS_IN: &str = "as in 2026-11-30T06:30:00Z, 2026-11-30T07:30:00.5+01:00 or 2026-11-30";
        let text = value.value.text.as_str();
        let Some(moment) = moment(text) else {
            return self.wrong_with(
                value.span,
                format!("`{text}` is no moment"),
                Some(AS_IN.into()),
            );
        };
        let (first, last) = (0, time_point(Timestamp::NEVER));
        let at = moment.as_microsecond();
        if !(first..=last).contains(&at) {
            let help = "moments are from 1970 to 2554".to_owned();
            let message = format!("`{}` is never near {text}", name.value);
            return self.wrong_with(value.span, message, Some(help));
        }
        if moment.subsec_nanosecond() % 1000 != 0 {
            let help = "records have microseconds".to_owned();
            return self.wrong_with(value.span, format!("`{text}` is too fine"), Some(help));
        }
        Some(match comparison {
            Comparison::Order(Order::Less) => Ranges::new(first, at - 1),
            Comparison::Order(Order::LessOrEqual) => Ranges::new(first, at),
            Comparison::Order(Order::Greater) => Ranges::new(at + 1, last),
            Comparison::Order(Order::GreaterOrEqual) => Ranges::new(at, last),
            _ => Ranges::point(at),
        })
    }

    fn numbers(
        &mut self,
        comparison: Comparison,
        value: &Spanned<Scalar>,
        name: &Spanned<String>,
    ) -> Option<Ranges<i64>> {
        let scalar = &value.value;
        if is_inexact(scalar) {
            let message =
                format!("`{}` cannot tell {} from its neighbours", name.value, scalar.text);
            let help = format!("whole numbers are exact from -{EXACT} to {EXACT}");
            return self.wrong_with(value.span, message, Some(help));
        }
        let is_written = scalar.text.bytes().any(|octet| octet.is_ascii_digit());
        if is_written && number(scalar).is_some_and(f64::is_infinite) {
            let message = format!("no number is as far from zero as {}", scalar.text);
            let help = format!("the farthest is {:e}", f64::MAX);
            return self.wrong_with(value.span, message, Some(help));
        }
        match numbers(comparison, scalar) {
            Some(ranges) => Some(ranges),
            None => self.mistaken(value, name, "a number", "a number"),
        }
    }

    /// What is compared with whatever is there: a number or a flag if it is one without quotes, and
    /// text otherwise.
    fn anything(
        &mut self,
        modifiers: Modifiers,
        value: &Spanned<Scalar>,
        name: &Spanned<String>,
    ) -> Option<Test> {
        let is_number = match (modifiers.comparison, value.value.meaning) {
            (Comparison::Order(_), _) => true,
            (Comparison::Equals, Meaning::Integer(_) | Meaning::Float(_) | Meaning::Boolean(_)) => {
                !modifiers.cased && modifiers.base64.is_none()
            }
            _ => false,
        };
        if is_number {
            return Some(Test::Points(self.numbers(modifiers.comparison, value, name)?));
        }
        let scalar = self.word(value)?;
        Some(Test::Texts(self.text_tests(scalar, modifiers, value.span)?))
    }

    /// Text as other tools read it too.
    pub(super) fn word<'v>(&mut self, value: &'v Spanned<Scalar>) -> Option<&'v Scalar> {
        let scalar = &value.value;
        let lower = scalar.text.to_ascii_lowercase();
        let ambiguous = scalar.meaning == Meaning::Plain
            && matches!(lower.as_str(), "yes" | "no" | "on" | "off");
        if ambiguous || matches!(scalar.meaning, Meaning::Boolean(_)) {
            let message = format!("`{}` without quotes is a boolean to many tools", scalar.text);
            return self.wrong_with(value.span, message, Some(format!("write '{}'", scalar.text)));
        }
        Some(scalar)
    }

    /// A topic filter as it stands: `*`, `?` and `\` are characters like others in it.
    fn topic(&mut self, value: &Spanned<Scalar>) -> Option<Box<[u8]>> {
        let text = self.word(value)?.text.as_str();
        let wrong = |reason: String| (format!("`{text}` is no topic filter"), Some(reason));
        let (message, help) = match topic::Filter::parse(text.as_bytes()) {
            // Clauses 1.5.4 and 4.7.3.
            Ok(_) if text.contains('\0') => wrong("topics have no U+0000".to_owned()),
            Ok(_) if text.len() > LONGEST_TOPIC => {
                wrong(format!("topics have at most {LONGEST_TOPIC} octets"))
            }
            Ok(filter) if filter.depth() > DEEPEST_TOPIC => {
                wrong(format!("it has more than {DEEPEST_TOPIC} levels"))
            }
            Ok(filter) => return Some(filter.as_bytes().into()),
            Err(mistake) => wrong(mistake.to_string()),
        };
        self.wrong_with(value.span, message, help)
    }

    pub(super) fn text_test(
        &mut self,
        scalar: &Scalar,
        modifiers: Modifiers,
        span: Span,
    ) -> Option<TextTest> {
        if let Comparison::Regex(flags) = modifiers.comparison {
            return self.regex(&scalar.text, flags, span).map(TextTest::Regex);
        }
        let pattern = pattern(&scalar.text, modifiers.comparison);
        let mut regex = regex::RegexBuilder::new(&pattern.regex(modifiers.cased));
        if pattern.needs_regex(modifiers.cased) && regex.size_limit(REGEX_SIZE).build().is_err() {
            return self.wrong(span, "the pattern is too large");
        }
        Some(TextTest::Pattern { pattern, cased: modifiers.cased })
    }

    pub(super) fn regex(&mut self, text: &str, flags: RegexFlags, span: Span) -> Option<String> {
        let letters: String =
            [(flags.ignore_case, 'i'), (flags.multi_line, 'm'), (flags.dot_all, 's')]
                .into_iter()
                .filter_map(|(set, letter)| set.then_some(letter))
                .collect();
        let regex =
            if letters.is_empty() { text.to_owned() } else { format!("(?{letters}){text}") };
        match regex::RegexBuilder::new(&regex).size_limit(REGEX_SIZE).build() {
            Ok(_) => Some(regex),
            Err(regex::Error::CompiledTooBig(_)) => {
                self.wrong(span, "the regular expression takes too much memory")
            }
            Err(error) => {
                let reason = error.to_string();
                let reason =
                    reason.lines().last().unwrap_or_default().trim_start_matches("error: ");
                self.wrong(span, format!("the regular expression cannot be used: {reason}"))
            }
        }
    }

    /// The codes whose names the value means.
    pub(super) fn codes(
        &mut self,
        table: &'static [&'static str],
        modifiers: Modifiers,
        value: &Spanned<Scalar>,
        name: &Spanned<String>,
    ) -> Option<Ranges<i64>> {
        let scalar = &value.value;
        let is_named = |code: i64| {
            usize::try_from(code)
                .ok()
                .and_then(|code| table.get(code))
                .is_some_and(|name| !name.is_empty())
        };
        if modifiers.comparison == Comparison::Equals
            && let Some(code) = whole(scalar)
        {
            if is_named(code) {
                return Some(Ranges::point(code));
            }
            let message = format!("`{}` has no name for {code}", name.value);
            return self.wrong(value.span, message);
        }
        let scalar = self.word(value)?;
        let codes = match self.text_test(scalar, modifiers, value.span)? {
            TextTest::Pattern { pattern, cased: false } if pattern.literal().is_some() => {
                let literal = pattern.literal().unwrap_or_default().to_owned();
                matching(table, |name| name.eq_ignore_ascii_case(&literal))
            }
            TextTest::Pattern { pattern, cased } => {
                let regex = regex::Regex::new(&pattern.regex(cased)).ok()?;
                matching(table, |name| regex.is_match(name))
            }
            TextTest::Regex(regex) => {
                let regex = regex::Regex::new(&regex).ok()?;
                matching(table, |name| regex.is_match(name))
            }
        };
        if codes.iter().next().is_some() {
            return Some(codes);
        }
        let message = format!("`{}` is never `{}`", name.value, scalar.text);
        self.wrong_with(value.span, message, did_you_mean(&scalar.text, table.iter().copied()))
    }

    pub(super) fn addresses(
        &mut self,
        modifiers: Modifiers,
        value: &Spanned<Scalar>,
        name: &Spanned<String>,
    ) -> Option<Test> {
        // Who fills a placeholder may write networks where the rule's author thought of addresses.
        let takes_networks = modifiers.comparison == Comparison::Cidr || modifiers.expand;
        let text = value.value.text.as_str();
        if let Ok(address) = text.parse::<IpAddr>() {
            return Some(network(IpNet::from(address)));
        }
        let Ok(net) = text.parse::<IpNet>() else {
            let help = if takes_networks {
                "as in 10.20.0.0/16 or 2001:db8::/32"
            } else if text.contains(['*', '?']) {
                "addresses have no wildcards: write a network, and `cidr` behind the field"
            } else {
                "as in 10.20.0.10 or 2001:db8::1"
            };
            let expected = if takes_networks { "network" } else { "address" };
            let message = format!("`{text}` is no {expected}");
            return self.wrong_with(value.span, message, Some(help.to_owned()));
        };
        if !takes_networks {
            let help = Some(format!("write `{}|cidr`", name.value));
            return self.wrong_with(value.span, format!("`{text}` is a network"), help);
        }
        if net.trunc() != net {
            let help = Some(format!("the network is {}", net.trunc()));
            return self.wrong_with(
                value.span,
                format!("`{text}` has bits beyond its prefix"),
                help,
            );
        }
        Some(network(net))
    }
}

/// A moment in ISO 8601. Without an offset it is UTC, as in the tools that search records, and
/// without a time it is the beginning of the day.
pub(in crate::rule) fn moment(text: &str) -> Option<jiff::Timestamp> {
    if let Ok(moment) = text.parse() {
        return Some(moment);
    }
    // A time zone in brackets would be read over.
    let civil: jiff::civil::DateTime = (!text.contains('[')).then(|| text.parse().ok())??;
    jiff::tz::Offset::UTC.to_timestamp(civil).ok()
}

fn pattern(text: &str, comparison: Comparison) -> Pattern {
    let pattern = Pattern::parse(text);
    match comparison {
        Comparison::Contains => pattern.open(true, true),
        Comparison::StartsWith => pattern.open(false, true),
        Comparison::EndsWith => pattern.open(true, false),
        _ => pattern,
    }
}

fn matching(table: &[&str], matches: impl Fn(&str) -> bool) -> Ranges<i64> {
    let codes = table.iter().enumerate().filter(|(_, name)| !name.is_empty() && matches(name));
    Ranges::any(codes.map(|(code, _)| Ranges::point(code as i64)).collect())
}

/// The whole number that a scalar is, in quotes or not.
pub(in crate::rule) fn whole(scalar: &Scalar) -> Option<i64> {
    match scalar.meaning {
        Meaning::Integer(number) => Some(number),
        Meaning::Quoted => scalar.text.parse().ok(),
        Meaning::Float(number) if number.fract() == 0.0 && number.abs() < LARGEST => {
            Some(number as i64)
        }
        _ => None,
    }
}

/// The number that a scalar is, in quotes or not.
pub(in crate::rule) fn number(scalar: &Scalar) -> Option<f64> {
    let number = match scalar.meaning {
        Meaning::Integer(number) => number as f64,
        Meaning::Float(number) => number,
        Meaning::Quoted => scalar.text.parse().ok()?,
        _ => return None,
    };
    (!number.is_nan()).then_some(number)
}

/// Whether the scalar is written as a whole number.
fn is_written_whole(scalar: &Scalar) -> bool {
    let digits = scalar.text.strip_prefix(['+', '-']).unwrap_or(&scalar.text);
    !digits.is_empty() && digits.bytes().all(|octet| octet.is_ascii_digit())
}

/// Whether the scalar is a whole number that 64 bits do not hold.
fn is_beyond(scalar: &Scalar) -> bool {
    match scalar.meaning {
        Meaning::Float(number) => number.fract() == 0.0 && number.abs() >= LARGEST,
        Meaning::Quoted => is_written_whole(scalar) && scalar.text.parse::<i64>().is_err(),
        _ => false,
    }
}

/// Whether the scalar is a whole number that has no floating point number of its own.
fn is_inexact(scalar: &Scalar) -> bool {
    if let Meaning::Integer(number) = scalar.meaning {
        return number.unsigned_abs() > EXACT.unsigned_abs();
    }
    is_written_whole(scalar) && number(scalar).is_some_and(|number| number.abs() > EXACT as f64)
}

fn integers(comparison: Comparison, scalar: &Scalar) -> Option<Ranges<i64>> {
    let Comparison::Order(order) = comparison else {
        let beyond = || is_beyond(scalar).then(Ranges::default);
        return whole(scalar).map(Ranges::point).or_else(beyond);
    };
    if let Some(limit) = whole(scalar) {
        return Some(match order {
            Order::Less => limit
                .checked_sub(1)
                .map_or_else(Ranges::default, |last| Ranges::new(i64::MIN, last)),
            Order::LessOrEqual => Ranges::new(i64::MIN, limit),
            Order::Greater => limit
                .checked_add(1)
                .map_or_else(Ranges::default, |first| Ranges::new(first, i64::MAX)),
            Order::GreaterOrEqual => Ranges::new(limit, i64::MAX),
        });
    }
    let limit = number(scalar)?;
    Some(match order {
        Order::Less | Order::LessOrEqual if limit < -LARGEST => Ranges::default(),
        Order::Greater | Order::GreaterOrEqual if limit >= LARGEST => Ranges::default(),
        Order::Less | Order::LessOrEqual => Ranges::new(i64::MIN, limit.floor() as i64),
        Order::Greater | Order::GreaterOrEqual => Ranges::new(limit.ceil() as i64, i64::MAX),
    })
}

fn numbers(comparison: Comparison, scalar: &Scalar) -> Option<Ranges<i64>> {
    let lowest = number_point(f64::NEG_INFINITY)?;
    let highest = number_point(f64::INFINITY)?;
    if let (Comparison::Equals, Meaning::Boolean(flag)) = (comparison, scalar.meaning) {
        return Some(Ranges::point(flag_point(flag)));
    }
    let limit = number_point(number(scalar)?)?;
    Some(match comparison {
        Comparison::Order(Order::Less) => Ranges::new(lowest, limit - 1),
        Comparison::Order(Order::LessOrEqual) => Ranges::new(lowest, limit),
        Comparison::Order(Order::Greater) => Ranges::new(limit + 1, highest),
        Comparison::Order(Order::GreaterOrEqual) => Ranges::new(limit, highest),
        _ => Ranges::point(limit),
    })
}

fn network(net: IpNet) -> Test {
    match net {
        IpNet::V4(net) => Test::Addresses {
            v4: Ranges::new(net.network().to_bits(), net.broadcast().to_bits()),
            v6: Ranges::default(),
        },
        IpNet::V6(net) => Test::Addresses {
            v4: Ranges::default(),
            v6: Ranges::new(net.network().to_bits(), net.broadcast().to_bits()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fractions_bound_whole_numbers() {
        let ranges = |order, text: &str| {
            let meaning = text.parse().map_or(Meaning::Quoted, Meaning::Float);
            let scalar = Scalar { text: text.to_owned(), meaning };
            integers(Comparison::Order(order), &scalar)
                .map(|ranges| ranges.iter().collect::<Vec<_>>())
        };
        assert_eq!(ranges(Order::Less, "0.5"), Some(vec![(i64::MIN, 0)]));
        assert_eq!(ranges(Order::Greater, "-0.5"), Some(vec![(0, i64::MAX)]));
        assert_eq!(ranges(Order::Less, "2.0"), Some(vec![(i64::MIN, 1)]));
        assert_eq!(ranges(Order::Less, "two"), None);
    }
}
