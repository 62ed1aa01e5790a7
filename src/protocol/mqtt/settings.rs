//! What is configured for a broker: what a passive observer cannot know.

use std::time::Duration;

use crate::protocol::settings::PerServer;
use crate::protocol::{Parameter, ParameterKind, Parameters, Standard};

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
    pub(super) fn new(values: &[Option<i64>]) -> Self {
        let mut values = PARAMETERS.values(values);
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
pub(super) type Configured = PerServer<Settings>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_gives_is_not_known_or_has_its_default() {
        let minute = Duration::from_secs(60);
        let expected =
            Settings { maximum_packet_size: u32::MAX, topic_levels: 32, release_time: minute };
        assert_eq!(Settings::default(), expected);
    }

    #[test]
    fn each_value_finds_its_place() {
        let settings = Settings::new(&PARAMETERS.named(&[
            ("maximum_packet_size", 1000),
            ("topic_levels", 2),
            ("release_time", 3 * SECOND),
        ]));
        let seconds = Duration::from_secs(3);
        let expected =
            Settings { maximum_packet_size: 1000, topic_levels: 2, release_time: seconds };
        assert_eq!(settings, expected);
    }
}
