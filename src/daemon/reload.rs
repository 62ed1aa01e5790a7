//! What changes with a reload, and what only with a restart.

use crate::config::Config;
use crate::rule::{Rule, RuleSet};

/// Titles that a line names; of more it has the number.
const NAMED: usize = 5;

/// The keys that differ and are only read at the start.
pub(super) fn need_restart(now: &Config, then: &Config) -> Vec<&'static str> {
    // Taken apart, so that a new key is not forgotten here.
    let Config {
        host,
        interfaces,
        threads,
        duplicates,
        rules: _,
        placeholders: _,
        protocols: _,
        flows,
        limits,
        alerts,
        outputs,
        redact,
        streams,
        evidence,
        http,
        user,
        state_directory,
        log_level: _,
    } = now;
    let keys = [
        ("host", *host == then.host),
        ("interfaces", *interfaces == then.interfaces),
        ("threads", *threads == then.threads),
        ("duplicates", *duplicates == then.duplicates),
        ("flows", *flows == then.flows),
        ("limits", *limits == then.limits),
        ("alerts", *alerts == then.alerts),
        ("outputs", *outputs == then.outputs),
        ("redact", *redact == then.redact),
        ("streams", *streams == then.streams),
        ("evidence", *evidence == then.evidence),
        ("http", *http == then.http),
        ("user", *user == then.user),
        ("state_directory", *state_directory == then.state_directory),
    ];
    keys.into_iter().filter(|(_, is_same)| !is_same).map(|(key, _)| key).collect()
}

/// What an operator wants to know of a reload that took: which rules are in force, and what is
/// different.
pub(super) fn told_of_reload(old: &RuleSet, new: &RuleSet) -> String {
    let in_force = |set: &RuleSet, rule: &Rule| {
        set.rules.iter().any(|other| other.id == rule.id && other.inactive.is_none())
    };
    let among = |set: &RuleSet, other: &RuleSet| -> Vec<String> {
        let active = set.rules.iter().filter(|rule| rule.inactive.is_none());
        active.filter(|rule| !in_force(other, rule)).map(|rule| rule.title.clone()).collect()
    };
    let (come, gone) = (among(new, old), among(old, new));
    let mut told = vec![format!("reloaded: {} rules in force, hash {}", new.in_force(), new.hash)];
    for (what, titles) in [("new", &come), ("no longer", &gone)] {
        let more = if titles.len() > NAMED { ", …" } else { "" };
        let named = titles[..titles.len().min(NAMED)].join(", ");
        told.extend(
            (!titles.is_empty()).then(|| format!("{} {what}: {named}{more}", titles.len())),
        );
    }
    if come.is_empty() && gone.is_empty() {
        let is_same = old.hash == new.hash;
        let what = if is_same { "nothing changed" } else { "texts or placeholders changed" };
        told.push(what.to_owned());
    }
    told.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::{Placeholders, Source};

    fn set(titles: &[&str], extra: &str) -> RuleSet {
        let sources = titles.iter().map(|title| Source {
            name: (*title).to_owned(),
            text: format!(
                "title: {title}\nid: 5b0c1de2-0000-4000-8000-00000000000{}\n{extra}\n\
                 logsource: {{product: gridtap, service: iec104}}\n\
                 detection: {{a: {{iec104.test: true}}, condition: a}}\n",
                title.len()
            ),
        });
        let services: Vec<_> = crate::protocol::services().collect();
        RuleSet::load(&sources.collect::<Vec<_>>(), &services, &Placeholders::new()).unwrap()
    }

    #[test]
    fn a_reload_tells_what_is_different() {
        let (one, two) = (set(&["A", "Be"], ""), set(&["Be", "Cee"], ""));
        let told = |old: &RuleSet, new: &RuleSet| {
            let told = told_of_reload(old, new);
            let begin = format!("reloaded: 2 rules in force, hash {}; ", new.hash);
            told.strip_prefix(&begin).unwrap_or_else(|| panic!("{told}")).to_owned()
        };
        assert_eq!(told(&one, &two), "1 new: Cee; 1 no longer: A");
        assert_eq!(told(&one, &one), "nothing changed");
        let reworded = set(&["A", "Be"], "description: another");
        assert_eq!(told(&one, &reworded), "texts or placeholders changed");
    }

    #[test]
    fn what_is_reloaded_needs_no_restart() {
        let now = Config::default();
        let then = Config { rules: Vec::new(), ..now.clone() };
        assert!(need_restart(&now, &then).is_empty());
    }

    #[test]
    fn what_needs_a_restart_is_named() {
        let now = Config::default();
        let then = Config { threads: 8, user: Some("nobody".to_owned()), ..now.clone() };
        assert_eq!(need_restart(&now, &then), ["threads", "user"]);
    }
}
