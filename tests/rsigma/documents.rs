//! Rules as rsigma is given them.

use std::collections::BTreeSet;

use gridtap::rule::{Placeholders, Source};
use regex::{Captures, Regex};
use serde_json::Value as Json;

/// A document of a rule file.
pub(crate) struct Document {
    pub(crate) id: String,
    pub(crate) text: String,
    /// If it is a correlation.
    pub(crate) correlation: Option<Correlation>,
}

/// What has to be known of a correlation to compare its alerts.
pub(crate) struct Correlation {
    pub(crate) kind: Kind,
    pub(crate) bounds: Vec<Bound>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `temporal`, `temporal_ordered`.
    Order,
    Percentile,
    Other,
}

impl Kind {
    /// Whether its alerts say how many, or how much.
    pub(crate) fn has_number(self) -> bool {
        self != Self::Order
    }
}

/// What a number has to be.
pub(crate) struct Bound {
    word: String,
    limit: f64,
}

impl Bound {
    #[allow(clippy::float_cmp, reason = "`eq` means that number and no other")]
    pub(crate) fn holds(&self, number: f64) -> bool {
        match self.word.as_str() {
            "lt" => number < self.limit,
            "lte" => number <= self.limit,
            "gt" => number > self.limit,
            "gte" => number >= self.limit,
            "eq" => number == self.limit,
            "neq" => number != self.limit,
            word => panic!("{word} is no bound"),
        }
    }
}

/// All documents of these files but what rsigma cannot have: `topic`, absence, and what is of these.
pub(crate) fn exported(sources: &[Source], placeholders: &Placeholders) -> Vec<Document> {
    let texts = sources.iter().flat_map(|source| source.text.split("\n---\n"));
    let mut documents = Vec::new();
    let mut left_out = BTreeSet::new();
    let mut all: Vec<(Json, String)> = texts
        .map(|text| {
            let document = serde_yaml::from_str(text).unwrap();
            let text = for_rsigma(text, &document, placeholders);
            (document, text)
        })
        .collect();
    // Correlations of what is left out are left out too, and those of them.
    loop {
        let before = all.len();
        all.retain(|(document, text)| {
            let rules = document["correlation"]["rules"].as_array();
            let mut rules = rules.into_iter().flatten().filter_map(Json::as_str);
            let of_left_out = rules.any(|rule| left_out.contains(rule));
            let is_ours_alone = text.contains("|topic") || is_absence(document);
            if is_ours_alone || of_left_out {
                let names = [&document["id"], &document["name"]];
                left_out.extend(names.into_iter().filter_map(Json::as_str).map(str::to_owned));
            }
            !is_ours_alone && !of_left_out
        });
        if all.len() == before {
            break;
        }
    }
    for (document, text) in all {
        let id = document["id"].as_str().unwrap().to_owned();
        documents.push(Document { id, text, correlation: correlation(&document) });
    }
    documents
}

fn is_absence(document: &Json) -> bool {
    document["correlation"]["condition"].is_string()
}

fn correlation(document: &Json) -> Option<Correlation> {
    let correlation = document["correlation"].as_object()?;
    let kind = match correlation["type"].as_str().unwrap() {
        "temporal" | "temporal_ordered" => Kind::Order,
        "value_percentile" => Kind::Percentile,
        _ => Kind::Other,
    };
    let condition = correlation.get("condition").and_then(Json::as_object).into_iter().flatten();
    let bounds = condition.filter(|(key, _)| !["field", "percentile"].contains(&key.as_str()));
    let bounds = bounds
        .map(|(word, limit)| Bound { word: word.clone(), limit: limit.as_f64().unwrap() })
        .collect();
    Some(Correlation { kind, bounds })
}

/// The text with placeholders filled, with timespans in microseconds where rsigma reads seconds, as it
/// counts time in whole ones, and with all rules asked for in `temporal`: one is enough for it otherwise.
fn for_rsigma(text: &str, document: &Json, placeholders: &Placeholders) -> String {
    let timespan = Regex::new(r"timespan: *'?(\d+)([smhd])'?").unwrap();
    let mut text = timespan
        .replace(text, |found: &Captures<'_>| {
            let unit = match &found[2] {
                "s" => 1,
                "m" => 60,
                "h" => 3600,
                _ => 86_400,
            };
            format!("timespan: {}s", found[1].parse::<u64>().unwrap() * unit * 1_000_000)
        })
        .replace("|expand", "");
    for (name, values) in placeholders {
        text = text.replace(&format!("'%{name}%'"), &format!("[{}]", values.join(", ")));
    }
    let rules = document["correlation"]["rules"].as_array();
    if document["correlation"]["type"] == "temporal" {
        let temporal = Regex::new(r"(?m)(\n *)type: temporal$").unwrap();
        let all =
            format!("${{1}}type: temporal${{1}}condition: {{gte: {}}}", rules.map_or(0, Vec::len));
        assert!(temporal.is_match(&text), "in another form: {text}");
        text = temporal.replace(&text, all).into_owned();
    }
    text
}
