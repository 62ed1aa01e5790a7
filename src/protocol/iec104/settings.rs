//! What is configured for a station: what a passive observer cannot know.

use std::sync::Arc;
use std::time::Duration;

use super::asdu::Widths;
use crate::protocol::settings::PerServer;
use crate::protocol::{Parameter, ParameterKind, Parameters, Standard};

/// What the configuration may say of stations.
pub(super) const PARAMETERS: Parameters = Parameters {
    about: "What controlled stations have agreed upon with those that control them. What is not \
            given here is not judged, unless it has a default.",
    table: &TABLE,
};

/// The ranges of k, w, t1 and t3 are those of IEC 60870-5-104, 9.6; widths are those of
/// IEC 60870-5-101, 7.2.3 to 7.2.5. The order is that of [`Settings::new`].
const TABLE: [Parameter; 13] = [
    Parameter {
        name: "k",
        meaning: "The most I-frames that may wait for an acknowledgment; one more is \
                  `k_exceeded`.",
        kind: ParameterKind::Number,
        range: Some(("1", "32767")),
        default: Standard::Unknown("12"),
        at_most: None,
    },
    Parameter {
        name: "w",
        meaning: "After so many I-frames their receiver acknowledges them; if not, that is \
                  `w_exceeded`. Two thirds of `k` are usual.",
        kind: ParameterKind::Number,
        range: Some(("1", "32767")),
        default: Standard::Unknown("8"),
        at_most: Some("k"),
    },
    Parameter {
        name: "t1",
        meaning: "How long an APDU may wait for its acknowledgment or its answer. Two seconds \
                  more are let pass, as timers tick slowly; then it is `t1_timeout`.",
        kind: ParameterKind::Time,
        range: Some(("1s", "255s")),
        default: Standard::Unknown("15s"),
        at_most: None,
    },
    Parameter {
        name: "t3",
        meaning: "After so long without any APDU somebody tests the link; two seconds more are \
                  let pass, then it is `t3_test_missing`.",
        kind: ParameterKind::Time,
        range: Some(("1s", "48h")),
        default: Standard::Unknown("20s"),
        at_most: None,
    },
    Parameter {
        name: "reverse",
        meaning: "Whether the stations also control: commands may go both ways.",
        kind: ParameterKind::Flag,
        range: None,
        default: Standard::Is(0, "false"),
        at_most: None,
    },
    Parameter {
        name: "time_zone",
        meaning: "How far the stations' standard time is ahead of UTC; of summer time their time \
                  tags tell with SU. Where it is not given, time tags may be off by any number of \
                  quarters of an hour before that is `time_skew`.",
        kind: ParameterKind::UtcOffset,
        range: Some(("-12:00", "+14:00")),
        default: Standard::Unknown("'+01:00'"),
        at_most: None,
    },
    Parameter {
        name: "time_tolerance",
        meaning: "How far a time tag may be off, network included. None is judged while nobody \
                  keeps the sensor's own clock in step.",
        kind: ParameterKind::Time,
        range: Some(("1ms", "1h")),
        default: Standard::Is(30 * SECOND, "30s"),
        at_most: None,
    },
    Parameter {
        name: "confirm_time",
        meaning: "How long a command may wait for its confirmation, else `unconfirmed`.",
        kind: ParameterKind::Time,
        range: Some(("1s", "1h")),
        default: Standard::Is(30 * SECOND, "30s"),
        at_most: None,
    },
    Parameter {
        name: "terminate_time",
        meaning: "How long it may take from the confirmation of a command to its termination, \
                  else `not_terminated`.",
        kind: ParameterKind::Time,
        range: Some(("1s", "24h")),
        default: Standard::Is(120 * SECOND, "2m"),
        at_most: None,
    },
    Parameter {
        name: "select_time",
        meaning: "How long a point stays selected.",
        kind: ParameterKind::Time,
        range: Some(("1s", "1h")),
        default: Standard::Is(60 * SECOND, "1m"),
        at_most: None,
    },
    Parameter {
        name: "cause_octets",
        meaning: "Octets of the cause of transmission: 2, or in an old profile 1, without the \
                  originator. Where none of these three is given, they are those of the standard \
                  until the traffic leaves no doubt that it has others.",
        kind: ParameterKind::Number,
        range: Some(("1", "2")),
        default: Standard::Unknown("2"),
        at_most: None,
    },
    Parameter {
        name: "common_address_octets",
        meaning: "Octets of the common address of an ASDU.",
        kind: ParameterKind::Number,
        range: Some(("1", "2")),
        default: Standard::Unknown("2"),
        at_most: None,
    },
    Parameter {
        name: "object_address_octets",
        meaning: "Octets of the address of an information object.",
        kind: ParameterKind::Number,
        range: Some(("1", "3")),
        default: Standard::Unknown("3"),
        at_most: None,
    },
];

/// In the unit of [`ParameterKind::Time`].
const SECOND: i64 = 1_000_000;

/// What holds for the links of one station. What is not known is not judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Settings {
    /// The most I-frames that may wait for an acknowledgment.
    pub(super) k: Option<u16>,
    /// After so many I-frames they are to be acknowledged.
    pub(super) w: Option<u16>,
    /// Time for an answer to any APDU.
    pub(super) t1: Option<Duration>,
    /// Time without any APDU after which the link is to be tested.
    pub(super) t3: Option<Duration>,
    /// The station controls as well as it is controlled.
    pub(super) reverse: bool,
    /// How far the station's clock is ahead of UTC, but for summer time, in minutes.
    pub(super) time_zone: Option<i16>,
    /// How the octets of its ASDUs are divided; else the traffic tells.
    pub(super) widths: Option<Widths>,
    /// How long a command may wait for its confirmation.
    pub(super) confirm_time: Duration,
    /// How long it may take from the confirmation to the termination.
    pub(super) terminate_time: Duration,
    /// How long a point stays selected.
    pub(super) select_time: Duration,
    /// How far a time tag may be off.
    pub(super) time_tolerance: Duration,
}

impl Settings {
    /// [`new`](Self::new), to point to.
    pub(super) fn shared(values: &[Option<i64>]) -> Arc<Self> {
        Arc::new(Self::new(values))
    }

    /// Of the values of [`PARAMETERS`], in their order.
    fn new(values: &[Option<i64>]) -> Self {
        let mut values = PARAMETERS.values(values);
        let mut next = || values.next().flatten();
        Self {
            k: next().and_then(|value| value.try_into().ok()),
            w: next().and_then(|value| value.try_into().ok()),
            t1: next().map(duration),
            t3: next().map(duration),
            reverse: next() == Some(1),
            time_zone: next().and_then(|value| value.try_into().ok()),
            time_tolerance: duration(next().unwrap_or_default()),
            confirm_time: duration(next().unwrap_or_default()),
            terminate_time: duration(next().unwrap_or_default()),
            select_time: duration(next().unwrap_or_default()),
            widths: widths([next(), next(), next()]),
        }
    }
}

fn duration(microseconds: i64) -> Duration {
    Duration::from_micros(microseconds.unsigned_abs())
}

/// Of cause, common address and object address; `None` where nothing is given.
fn widths(octets: [Option<i64>; 3]) -> Option<Widths> {
    let [cause, common_address, object_address] = octets;
    octets.iter().any(Option::is_some).then(|| Widths {
        cause: width(cause, Widths::STANDARD.cause),
        common_address: width(common_address, Widths::STANDARD.common_address),
        object_address: width(object_address, Widths::STANDARD.object_address),
    })
}

/// As wide as `widest` at most.
fn width(octets: Option<i64>, widest: u8) -> u8 {
    let octets = octets.and_then(|octets| u8::try_from(octets).ok());
    octets.filter(|octets| (1..=widest).contains(octets)).unwrap_or(widest)
}

impl Default for Settings {
    fn default() -> Self {
        Self::new(&[])
    }
}

/// What is configured for all stations. Links point to it: few differ.
pub(super) type Configured = PerServer<Arc<Settings>>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_gives_is_not_known_or_has_its_default() {
        let settings = Settings::default();
        assert_eq!((settings.k, settings.w, settings.t1, settings.t3), (None, None, None, None));
        assert_eq!((settings.reverse, settings.time_zone), (false, None));
        assert_eq!(settings.widths, None);
        let seconds = [
            settings.time_tolerance,
            settings.confirm_time,
            settings.terminate_time,
            settings.select_time,
        ];
        assert_eq!(seconds.map(|time| time.as_secs()), [30, 30, 120, 60]);
    }

    #[test]
    fn each_value_finds_its_place() {
        let seconds = Duration::from_secs;
        let settings = Settings::new(&PARAMETERS.named(&[
            ("k", 1),
            ("w", 2),
            ("t1", 3 * SECOND),
            ("t3", 4 * SECOND),
            ("reverse", 1),
            ("time_zone", -210),
            ("time_tolerance", 5 * SECOND),
            ("confirm_time", 6 * SECOND),
            ("terminate_time", 7 * SECOND),
            ("select_time", 8 * SECOND),
            ("cause_octets", 1),
            ("common_address_octets", 1),
            ("object_address_octets", 2),
        ]));
        let expected = Settings {
            k: Some(1),
            w: Some(2),
            t1: Some(seconds(3)),
            t3: Some(seconds(4)),
            reverse: true,
            time_zone: Some(-210),
            widths: Some(Widths { cause: 1, common_address: 1, object_address: 2 }),
            confirm_time: seconds(6),
            terminate_time: seconds(7),
            select_time: seconds(8),
            time_tolerance: seconds(5),
        };
        assert_eq!(settings, expected);
    }
}
