//! Detection rules: Sigma in YAML, compiled into predicates over fields.

use std::sync::Arc;

use uuid::Uuid;

use crate::event::{Event, Schema};

/// How bad it is when a rule fires.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Worth keeping, nobody needs to look.
    Informational,
    /// Worth a look some time.
    Low,
    /// Worth a look today.
    Medium,
    /// Worth a look now.
    High,
    /// Somebody should be called.
    Critical,
}

/// One detection rule, as far as an alert tells of it.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Its place in the set.
    pub index: usize,
    /// Its identity in every Sigma tool.
    pub id: Uuid,
    /// One line for people.
    pub title: String,
    /// How bad it is.
    pub level: Level,
    /// 31 bits of a hash of `id`: what tools for Suricata call the signature.
    pub signature_id: u32,
    /// MITRE ATT&CK techniques, upper case (`T0855`), from the tags.
    pub techniques: Vec<String>,
    /// The service whose records it looks at.
    pub service: &'static Schema,
}

/// The rules that are in force.
#[derive(Debug, Clone, Default)]
pub struct RuleSet {
    /// In the order of the files.
    pub rules: Vec<Rule>,
}

/// Matches events against a set of rules.
#[derive(Debug)]
pub struct Matcher {
    set: Arc<RuleSet>,
}

impl Matcher {
    /// Compiles nothing yet.
    pub fn new(set: Arc<RuleSet>) -> Self {
        Self { set }
    }

    /// The rules it matches.
    pub fn rules(&self) -> &RuleSet {
        &self.set
    }

    /// Whether any rule looks at records of this type.
    pub fn reads(&self, _schema: &'static Schema) -> bool {
        false
    }

    /// Calls `hit` for each rule that holds for `event`, in the order of the set.
    pub fn matches(&mut self, _event: &Event<'_>, _hit: &mut dyn FnMut(&Rule)) {}
}
