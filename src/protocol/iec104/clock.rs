//! The time tags of a station against the time of the packets that bring them.
//!
//! A station keeps the time of where it stands. Where that is not configured, no time zone is off
//! by anything but quarters of an hour, which is enough to judge what is said of this moment:
//! commands and clock synchronisations. Reports may have waited for a connection, so an old one is
//! no sign of anything; one from the future is.

use std::time::Duration;

use super::apci::APCI;
use super::asdu::Asdu;
use super::cause;
use super::elements::Element;
use super::settings::Settings;
use super::time::{Cp56Time2a, TimeTag};
use super::types::{Purpose, Type};
use crate::protocol::Input;
use crate::time::Timestamp;

/// A time tag that cannot be right. The value is by how many seconds it is ahead of us.
pub(super) const TIME_SKEW: &str = "time_skew";

/// Every name above.
pub(super) const NAMES: [&str; 1] = [TIME_SKEW];

/// Octets of a `CP56Time2a`.
const TAG: usize = 7;
/// Time zones differ by multiples of it, in nanoseconds.
const QUARTER: i64 = 15 * 60 * SECOND;
/// No time zone is further ahead of UTC, summer time included, in nanoseconds.
const FURTHEST: i64 = 15 * 3_600 * SECOND;
const SECOND: i64 = 1_000_000_000;

/// A time tag that is off.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Skew {
    /// Seconds ahead of us.
    pub(super) seconds: f64,
    /// Where it stands: octets from the start of the APDU.
    pub(super) offset: u64,
}

/// Judges the time tags of an ASDU; tells of the first that is off.
#[inline]
pub(super) fn skew(
    asdu: &Asdu<'_>,
    known: &Type,
    input: &Input<'_>,
    settings: &Settings,
) -> Option<Skew> {
    if known.elements.last() != Some(&Element::Cp56) || !input.clock_trusted || input.late {
        return None;
    }
    // An answer repeats the time of what it answers, or tells that of a clock before it was set.
    let fresh = match (known.purpose, asdu.cause) {
        (Purpose::Command | Purpose::System, cause::ACTIVATION) => true,
        (Purpose::Process, _) => false,
        _ => return None,
    };
    let judge = |(at, tag): (usize, Cp56Time2a)| {
        let ahead = ahead(tag, input.time, settings)?;
        let off = if fresh { off_now(ahead, settings) } else { off_later(ahead, settings) }?;
        let seconds = off as f64 / SECOND as f64;
        let offset = (APCI + asdu.widths.header() + at) as u64;
        Some(Skew { seconds, offset })
    };
    tags(asdu).find_map(judge)
}

/// The time tags, each with where it stands in the body. Each object has one at its end.
fn tags<'a>(asdu: &Asdu<'a>) -> impl Iterator<Item = (usize, Cp56Time2a)> + use<'a> {
    let body = asdu.body;
    asdu.places().map_while(move |place| {
        let (at, octets) = (place.end - TAG, body.get(place)?.last_chunk::<TAG>()?);
        Some((at, Cp56Time2a(*octets)))
    })
}

/// How many nanoseconds a tag is ahead of us, if its station keeps UTC or the configured time.
fn ahead(tag: Cp56Time2a, now: Timestamp, settings: &Settings) -> Option<i64> {
    if TimeTag::Full(tag).invalid() || tag.out_of_range().is_some() {
        return None;
    }
    let told = i64::try_from(tag.timestamp()?.as_nanos()).ok()?;
    let now = i64::try_from(now.as_nanos()).ok()?;
    let zone = settings.time_zone.map_or(0, i64::from) * 60;
    let summer = if tag.summer_time() { 3_600 } else { 0 };
    Some(told - (zone + summer) * SECOND - now)
}

/// By how much a tag is off that was set just now.
fn off_now(ahead: i64, settings: &Settings) -> Option<i64> {
    let off = match settings.time_zone {
        Some(_) => ahead,
        None => (ahead + QUARTER / 2).rem_euclid(QUARTER) - QUARTER / 2,
    };
    (off.abs() > nanoseconds(settings.time_tolerance)).then_some(off)
}

/// By how much a tag is ahead that may have been set at any time before.
fn off_later(ahead: i64, settings: &Settings) -> Option<i64> {
    let furthest = if settings.time_zone.is_some() { 0 } else { FURTHEST };
    (ahead > furthest + nanoseconds(settings.time_tolerance)).then_some(ahead)
}

fn nanoseconds(time: Duration) -> i64 {
    i64::try_from(time.as_nanos()).unwrap_or(i64::MAX / 2)
}
