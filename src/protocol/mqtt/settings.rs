//! What is configured for a broker: what a passive observer cannot know.

use std::net::IpAddr;
use std::time::Duration;

use crate::protocol::{Parameter, ParameterKind, Parameters, ServerSettings, Standard};

/// What the configuration may say of brokers.
pub(super) const PARAMETERS: Parameters = Parameters {
    about: "What brokers let pass. What client and broker announce to each other is judged in any \
            case.",
    table: &TABLE,
};

/// The order is that of [`Settings::new`].
const TABLE: [Parameter; 3] = [
    Parameter {
        name: "maximum_packet_size",
        meaning: "The most octets of a packet, its fixed header included, either way; more is \
                  `packet_too_large`. What the receiver announces counts besides.",
        kind: ParameterKind::Number,
        range: Some(("2", "268435460")),
        default: Standard::Unknown("65536"),
        at_most: None,
    },
    Parameter {
        name: "topic_levels",
        meaning: "The most levels of a topic name or filter; more is `topic_too_deep`.",
        kind: ParameterKind::Number,
        range: Some(("1", "65536")),
        default: Standard::Is(32, "32"),
        at_most: None,
    },
    Parameter {
        name: "release_time",
        meaning: "How long a message with QoS 2 that was received (PUBREC) may wait for its \
                  release (PUBREL) while its sender goes on, else `qos2_unreleased`.",
        kind: ParameterKind::Time,
        range: Some(("1s", "24h")),
        default: Standard::Is(60 * SECOND, "1m"),
        at_most: None,
    },
];

/// In the unit of [`ParameterKind::Time`].
const SECOND: i64 = 1_000_000;

/// What holds for one broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Settings {
    /// The most octets of a packet; [`u32::MAX`] if that is not known.
    pub(super) maximum_packet_size: u32,
    /// The most levels of a topic.
    pub(super) topic_levels: u32,
    /// How long a message may wait for its release.
    pub(super) release_time: Duration,
}

impl Settings {
    /// Of the values of [`PARAMETERS`], in their order.
    fn new(values: &[Option<i64>]) -> Self {
        let mut values = values.iter().copied().chain(std::iter::repeat(None));
        let standards = TABLE.iter().map(|parameter| parameter.default.value());
        let mut values = standards.map(|standard| values.next().flatten().or(standard));
        let mut next = || values.next().flatten();
        let number = |value: Option<i64>| value.and_then(|value| value.try_into().ok());
        Self {
            maximum_packet_size: number(next()).unwrap_or(u32::MAX),
            topic_levels: number(next()).unwrap_or(u32::MAX),
            release_time: Duration::from_micros(next().unwrap_or_default().unsigned_abs()),
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self::new(&[])
    }
}

/// What is configured for all brokers.
#[derive(Debug, Default)]
pub(super) struct Configured(Vec<(ServerSettings, Settings)>);

impl Configured {
    pub(super) fn new(settings: &[ServerSettings]) -> Self {
        Self(settings.iter().map(|some| (some.clone(), Settings::new(&some.values))).collect())
    }

    /// What holds for the broker with this address.
    pub(super) fn of(&self, broker: IpAddr) -> Settings {
        let found = self.0.iter().find(|(some, _)| some.hold(broker));
        found.map_or_else(Settings::default, |(_, settings)| *settings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values by name; the others are not given.
    fn values(given: &[(&str, i64)]) -> Vec<Option<i64>> {
        let known: Vec<_> = TABLE.iter().map(|parameter| parameter.name).collect();
        assert!(given.iter().all(|(name, _)| known.contains(name)), "{given:?}");
        let find = |name: &str| given.iter().find(|(known, _)| *known == name);
        known.iter().map(|name| find(name).map(|(_, value)| *value)).collect()
    }

    #[test]
    fn what_nobody_gives_is_not_known_or_has_its_default() {
        let minute = Duration::from_secs(60);
        let expected =
            Settings { maximum_packet_size: u32::MAX, topic_levels: 32, release_time: minute };
        assert_eq!(Settings::default(), expected);
    }

    #[test]
    fn each_value_finds_its_place() {
        let settings = Settings::new(&values(&[
            ("maximum_packet_size", 1000),
            ("topic_levels", 2),
            ("release_time", 3 * SECOND),
        ]));
        let seconds = Duration::from_secs(3);
        let expected =
            Settings { maximum_packet_size: 1000, topic_levels: 2, release_time: seconds };
        assert_eq!(settings, expected);
    }

    #[test]
    fn the_first_that_holds_an_address_counts() {
        let some = |networks: &[&str], levels| ServerSettings {
            networks: networks.iter().map(|text| text.parse().unwrap()).collect(),
            values: values(&[("topic_levels", levels)]),
        };
        let configured = Configured::new(&[some(&["10.20.7.0/24"], 1), some(&["10.20.0.0/16"], 2)]);
        let levels = |broker: &str| configured.of(broker.parse().unwrap()).topic_levels;
        assert_eq!(["10.20.7.1", "10.20.8.1", "10.21.0.1"].map(levels), [1, 2, 32]);
    }
}
