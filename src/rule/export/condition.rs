//! Conditions as every tool reads them: operators in lower case, plain names, and of numbers in front
//! of `of` only `1` and `all`.

use crate::rule::condition::{is_meant, words};
use crate::rule::yaml::Span;

/// The most selections that are named in place of a pattern: a condition of more is none to read, nor
/// to search by.
const MOST_NAMED: usize = 1_000;

/// Words that stand between selections, or in front of them.
const OPERATORS: [&str; 6] = ["and", "or", "not", "of", "all", "any"];

/// What selections are called elsewhere, in their order. A name of other characters than letters,
/// digits, `_` and `-` is taken for something else, and a filter has a selection that is called so.
pub(super) fn plain_names(names: &[String], is_filter: bool) -> Vec<String> {
    let mut plain: Vec<String> = Vec::with_capacity(names.len());
    for (place, name) in names.iter().enumerate() {
        let is_first_of_filter = is_filter
            && place == names.iter().position(|name| !name.starts_with('_')).unwrap_or(0)
            && !names.iter().any(|name| name == "selection");
        let mut new = if is_first_of_filter { "selection".to_owned() } else { plain_name(name) };
        let is_taken = |new: &String| {
            plain.contains(new) || names.iter().any(|other| other == new && other != name)
        };
        while is_taken(&new) {
            new.push('_');
        }
        plain.push(new);
    }
    plain
}

fn plain_name(name: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let is_number = name.bytes().all(|octet| octet.is_ascii_digit());
    let is_operator = OPERATORS.iter().chain(&["them"]).any(|word| name.eq_ignore_ascii_case(word));
    match name.chars().next() {
        Some(first) if is_plain(first) && !is_number && !is_operator => {
            name.chars().map(|c| if is_plain(c) { c } else { '_' }).collect()
        }
        _ => format!("selection_{}", name.replace(|c| !is_plain(c), "_")),
    }
}

/// The condition with selections called by other names; `None` if it would be too long.
pub(super) fn plain(text: &str, names: &[String], new: &[String]) -> Option<String> {
    let words = words(text, Span { start: 0, end: 0 }, "");
    let words: Vec<&str> = words.iter().map(|word| word.text).collect();
    let (mut written, mut at): (Vec<String>, usize) = (Vec::new(), 0);
    while let Some(word) = words.get(at) {
        if let [number, of, pattern, ..] = words[at..]
            && of == "of"
        {
            written.push(counted(number, pattern, names, new)?);
            at += 3;
            continue;
        }
        let lower = word.to_ascii_lowercase();
        let name = names.iter().position(|name| name == word);
        written.push(match name {
            _ if matches!(lower.as_str(), "and" | "or" | "not") => lower,
            Some(place) => new[place].clone(),
            None => (*word).to_owned(),
        });
        at += 1;
    }
    Some(written.join(" ").replace("( ", "(").replace(" )", ")"))
}

/// So many of the selections that a pattern means.
fn counted(number: &str, pattern: &str, names: &[String], new: &[String]) -> Option<String> {
    let meant: Vec<usize> =
        (0..names.len()).filter(|place| is_meant(pattern, &names[*place])).collect();
    let needed = match number.to_ascii_lowercase().as_str() {
        "all" => meant.len(),
        "any" => 1,
        number => number.parse().ok()?,
    };
    let is_plain = pattern.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '*'));
    let is_kept = is_plain && meant.iter().all(|place| names[*place] == new[*place]);
    match needed {
        1 if is_kept => return Some(format!("1 of {pattern}")),
        _ if is_kept && needed == meant.len() => return Some(format!("all of {pattern}")),
        _ => {}
    }
    let mut chosen = Vec::new();
    choose(&meant, needed, &mut Vec::new(), &mut chosen)?;
    let is_one_choice = chosen.len() == 1;
    let each = chosen.iter().map(|places: &Vec<usize>| {
        let names: Vec<&str> = places.iter().map(|place| new[*place].as_str()).collect();
        let names = names.join(" and ");
        if needed > 1 && !is_one_choice { format!("({names})") } else { names }
    });
    Some(format!("({})", each.collect::<Vec<_>>().join(" or ")))
}

/// Every way to take so many; `None` if there are too many ways.
fn choose(
    from: &[usize],
    needed: usize,
    taken: &mut Vec<usize>,
    chosen: &mut Vec<Vec<usize>>,
) -> Option<()> {
    if needed == 0 {
        chosen.push(taken.clone());
        return (chosen.len() * taken.len() <= MOST_NAMED).then_some(());
    }
    for (place, one) in from.iter().enumerate() {
        if from.len() - place < needed {
            break;
        }
        taken.push(*one);
        choose(&from[place + 1..], needed - 1, taken, chosen)?;
        taken.pop();
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str, names: &[&str], is_filter: bool) -> Option<String> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        plain(text, &names, &plain_names(&names, is_filter))
    }

    #[test]
    fn operators_are_in_lower_case() {
        let names = ["a", "b", "c"];
        assert_eq!(written("a AND NOT (b Or c)", &names, false).unwrap(), "a and not (b or c)");
        assert_eq!(written("ALL of them", &names, false).unwrap(), "all of them");
        assert_eq!(written("Any of them", &names, false).unwrap(), "1 of them");
        assert_eq!(written("3 of them", &names, false).unwrap(), "all of them");
    }

    #[test]
    fn numbers_in_front_of_a_pattern_are_every_choice() {
        let names = ["s_a", "s_b", "s_c", "_later", "other"];
        assert_eq!(
            written("other and 2 of s_*", &names, false).unwrap(),
            "other and ((s_a and s_b) or (s_a and s_c) or (s_b and s_c))"
        );
        let many: Vec<String> = (0..30).map(|number| format!("s{number}")).collect();
        assert_eq!(plain("9 of them", &many, &plain_names(&many, false)), None);
    }

    #[test]
    fn names_that_others_do_not_read_are_others() {
        let names = ["a.b", "a_b", "größe", "1", "NOT-x"];
        assert_eq!(
            written("a.b or a_b or größe or 1 or NOT-x", &names, false).unwrap(),
            "a_b_ or a_b or gr__e or selection_1 or NOT-x"
        );
        assert_eq!(written("1 of a*", &names, false).unwrap(), "(a_b_ or a_b)");
        assert_eq!(written("1 of a-*", &["a-1", "a-2"], false).unwrap(), "(a-1 or a-2)");
    }

    #[test]
    fn a_filter_has_a_selection_that_is_called_so() {
        assert_eq!(written("not known", &["known"], true).unwrap(), "not selection");
        assert_eq!(
            written("not 1 of known_*", &["known_a", "known_b"], true).unwrap(),
            "not (selection or known_b)"
        );
        assert_eq!(written("not selection", &["x", "selection"], true).unwrap(), "not selection");
    }
}
