//! What is configured for a station: what a passive observer cannot know.

use std::time::Duration;

use super::asdu::Widths;

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
    /// How the octets of its ASDUs are divided.
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

impl Default for Settings {
    fn default() -> Self {
        Self {
            k: None,
            w: None,
            t1: None,
            t3: None,
            reverse: false,
            time_zone: None,
            widths: None,
            confirm_time: Duration::from_secs(30),
            terminate_time: Duration::from_secs(120),
            select_time: Duration::from_secs(60),
            time_tolerance: Duration::from_secs(30),
        }
    }
}
