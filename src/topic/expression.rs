//! Topic filters as regular expressions, for tools that know no topics.
//!
//! Plain enough for every dialect: groups, classes, alternatives, `?` and `*`, and the ends of the
//! text.

use super::Filter;

/// A level of a filter on the wire: a wildcard, or a text without one.
const LEVEL: &str = r"(\+|[^/+#]*)";
/// A first level that a wildcard there has names in common with (clause 4.7.2), and is not empty.
const FIRST: &str = r"(\+|[^$/+#][^/+#]*)";

impl Filter<'_> {
    /// Matches the topic names that this filter matches.
    pub fn of_names(self) -> String {
        let (levels, is_open) = self.levels();
        // No name is empty [MQTT-4.7.3-1].
        match &levels[..] {
            [only] if only == "+" && is_open => {
                return r"^([^$/][^/]*(/[^/]*)*|(/[^/]*)+)$".to_owned();
            }
            [only] if only == "+" => return "^[^$/][^/]*$".to_owned(),
            _ => {}
        }
        let mut expression = String::from("^");
        for (place, level) in levels.iter().enumerate() {
            match (place, level.as_str()) {
                // Clause 4.7.2: no wildcard there for `$`.
                (0, "+") => expression += "([^$/][^/]*)?",
                (0, level) => expression += &escaped(level),
                (_, "+") => expression += "/[^/]*",
                (_, level) => {
                    expression.push('/');
                    expression.push_str(&escaped(level));
                }
            }
        }
        expression + if is_open { "(/[^/]*)*$" } else { "$" }
    }

    /// Matches the topic filters that have a name in common with this one.
    pub fn of_filters(self) -> String {
        let (levels, is_open) = self.levels();
        let mut rest = if is_open { format!("(/{LEVEL})*(/#)?") } else { "(/#)?".to_owned() };
        for (place, level) in levels.iter().enumerate().rev() {
            let expression = match (place, level.as_str()) {
                // The name is not empty, so that `/#` is more than one level.
                (0, "+") if levels.len() == 1 && !is_open => FIRST.to_owned(),
                (0, "+") => format!("{FIRST}?"),
                (0, level) if level.starts_with('$') => escaped(level),
                (_, "+") => LEVEL.to_owned(),
                (_, "") => r"(\+)?".to_owned(),
                (_, level) => format!(r"(\+|{})", escaped(level)),
            };
            rest = match place {
                // Everything but what begins with `$`, and but the empty text.
                0 if level == "+" && levels.len() == 1 && is_open => {
                    format!("(#|{FIRST}{rest}|(/{LEVEL})+(/#)?|/#)")
                }
                0 if level.starts_with('$') => format!("{expression}{rest}"),
                0 => format!("(#|{expression}{rest})"),
                _ => format!("(/#|/{expression}{rest})"),
            };
        }
        // Clause 4.8.2.
        format!(r"^(\$share/[^/+#]+/)?{rest}$")
    }

    /// The levels, and whether others may follow; there is always one.
    fn levels(self) -> (Vec<String>, bool) {
        let text = String::from_utf8_lossy(self.as_bytes());
        let (above, is_open) = match text.strip_suffix('#') {
            Some(above) => (above.strip_suffix('/').unwrap_or("+"), true),
            None => (&*text, false),
        };
        (above.split('/').map(str::to_owned).collect(), is_open)
    }
}

fn escaped(level: &str) -> String {
    let mut escaped = String::with_capacity(level.len());
    for character in level.chars() {
        if r"\.+*?()|[]{}^$".contains(character) {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{FilterSet, Found};
    use super::*;

    #[test]
    fn expressions() {
        let of = |text: &'static str| Filter::parse(text.as_bytes()).expect("well formed");
        assert_eq!(of("grid/+/a.b/#").of_names(), r"^grid/[^/]*/a\.b(/[^/]*)*$");
        assert_eq!(of("#").of_names(), "^([^$/][^/]*(/[^/]*)*|(/[^/]*)+)$");
        for filter in ["#", "+", "+/#", "/#", "+/+"] {
            let expression = regex::Regex::new(&of(filter).of_names()).expect("valid");
            assert!(!expression.is_match(""), "{filter} matches no name");
        }
        assert_eq!(of("$SYS/up").of_filters(), r"^(\$share/[^/+#]+/)?\$SYS(/#|/(\+|up)(/#)?)$");
    }

    fn topics(levels: &'static [&'static str]) -> impl Strategy<Value = String> {
        prop::collection::vec(prop::sample::select(levels), 1..5)
            .prop_map(|levels| levels.join("/"))
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

        #[test]
        fn they_match_what_the_filter_matches(
            filter in topics(&["a", "b.", "", "+", "#", "$S", "$share", "é"]),
            name in topics(&["a", "b.", "bx", "", "$S", "+", "é"]),
            other in topics(&["a", "b.", "bx", "", "+", "#", "$S", "$share", "a+"]),
        ) {
            let Ok(filter) = Filter::parse(filter.as_bytes()) else { return Ok(()) };
            let set = FilterSet::new(&[filter]);
            let is_met = |look: &dyn Fn(&mut Found)| {
                let mut found = Found::default();
                look(&mut found);
                found.words().next().is_some()
            };
            let regex = |text: String| regex::Regex::new(&text).expect("valid");
            if !name.is_empty() {
                let expected = is_met(&|found| set.matching(name.as_bytes(), found));
                prop_assert_eq!(regex(filter.of_names()).is_match(&name), expected);
            }
            let parsed = Filter::parse(other.as_bytes());
            // A share of nothing is no filter, and its name might be the first level of one.
            if parsed.is_err() && other.starts_with("$share/") {
                return Ok(());
            }
            let expected = parsed.is_ok_and(|other| is_met(&|found| set.overlapping(other, found)));
            prop_assert_eq!(regex(filter.of_filters()).is_match(&other), expected);
        }
    }
}
