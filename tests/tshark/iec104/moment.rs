//! Times of stations, which both decoders take apart and put together.

use jiff::civil::DateTime;
use jiff::fmt::strtime;
use jiff::tz::{Offset, TimeZone};
use jiff::{Timestamp, Zoned};
use serde_json::{Value as Json, json};

use super::differences::Difference;
use super::fields::{Fields, Read};

/// The parts of `time`, most significant first.
pub(crate) const PARTS: [&str; 6] =
    ["time/year", "time/month", "time/day", "time/hour", "time/minute", "time/millisecond"];
/// The years of the standard are 0 to 99.
pub(crate) const LAST_YEAR: i64 = 99;
const HOUR: &str = "time_tag.hour_ms";

/// The field that has a part of a time which is none.
pub(crate) fn wrong(part: &str) -> String {
    part.replace("time_tag.hour_ms/", "time_tag.").replace("time/", "time_tag.")
}

/// A moment as Wireshark shows it, in nanoseconds since 1970; `None` if that is before, or none.
pub(crate) fn shown(text: &str) -> Option<u64> {
    let text = text.strip_suffix(" UTC")?;
    let parsed = strtime::parse("%b %e, %Y %H:%M:%S%.f", text).ok()?.to_datetime().ok()?;
    nanoseconds(parsed)
}

fn nanoseconds(civil: DateTime) -> Option<u64> {
    let moment = Offset::UTC.to_timestamp(civil).ok()?;
    u64::try_from(moment.as_nanosecond()).ok()
}

/// Nanoseconds since 1970 of year, month, day, hour, minute and milliseconds, if there is such a
/// moment.
pub(crate) fn of_parts(parts: [i64; 6]) -> Option<u64> {
    let [year, month, day, hour, minute, millisecond] = parts;
    let small = |number: i64| i8::try_from(number).ok();
    let second = small(millisecond / 1000).filter(|second| *second < 60)?;
    let fraction = (millisecond % 1000) as i32 * 1_000_000;
    let year = i16::try_from(year).ok()?;
    let (month, day) = (small(month)?, small(day)?);
    DateTime::new(year, month, day, small(hour)?, small(minute)?, second, fraction)
        .ok()
        .and_then(nanoseconds)
}

/// The year that two digits, and what stations make of them, mean: this century, and where they
/// count from 1900, this century too (IEC 60870-5-101, 7.2.6.18).
pub(crate) fn year(digits: i64) -> i64 {
    if digits < 100 { 2000 + digits } else { 1900 + digits }
}

/// Adds the parts of our times, to be compared one by one.
pub(crate) fn take_apart(fields: &mut Fields) {
    if let Some(nanoseconds) = fields.get("time").and_then(Json::as_u64) {
        let moment = Timestamp::from_nanosecond(nanoseconds.into()).unwrap();
        let civil = Zoned::new(moment, TimeZone::UTC).datetime();
        let millisecond = i64::from(civil.second()) * 1000 + i64::from(civil.millisecond());
        let small = [civil.month(), civil.day(), civil.hour(), civil.minute()].map(i64::from);
        let numbers = [&[i64::from(civil.year())], &small[..], &[millisecond]].concat();
        fields.extend(PARTS.iter().zip(numbers).map(|(part, n)| ((*part).into(), json!(n))));
    }
    if let Some(milliseconds) = fields.get(HOUR).and_then(Json::as_u64) {
        fields.insert(format!("{HOUR}/minute"), json!(milliseconds / 60_000));
        fields.insert(format!("{HOUR}/millisecond"), json!(milliseconds % 60_000));
    }
}

/// Puts right what Wireshark makes of an object's time.
pub(crate) fn settle(read: &mut Read) {
    let fields = &mut read.fields;
    let mut wrong_part = false;
    if let Some(digits) = fields.get(PARTS[0]).and_then(Json::as_i64) {
        let told = PARTS.map(|part| fields[part].as_i64().unwrap());
        let [_, rest @ ..] = told;
        let [month, day, hour, minute, millisecond] = rest;
        let of_year = |year| of_parts([year, month, day, hour, minute, millisecond]);
        let moment = of_year(year(digits));
        if moment.is_none() || digits > LAST_YEAR {
            wrong_part = true;
            fields.extend(PARTS.iter().zip(told).map(|(part, n)| (wrong(part), json!(n))));
        }
        if let Some(moment) = moment {
            fields.insert(PARTS[0].into(), json!(year(digits)));
            if (70..=LAST_YEAR).contains(&digits) {
                let theirs = fields.insert("time".into(), json!(moment));
                assert_eq!(theirs, of_year(1900 + digits).map(|moment| json!(moment)));
                read.differences.insert(Difference::Century);
            }
        } else {
            for name in PARTS.into_iter().chain(["time"]) {
                fields.remove(name);
            }
            read.differences.insert(Difference::NoMoment);
        }
    }
    let part = |name| fields.get(&format!("{HOUR}/{name}")).and_then(Json::as_u64);
    if let (Some(minute), Some(millisecond)) = (part("minute"), part("millisecond"))
        && (minute >= 60 || millisecond >= 60_000)
    {
        fields.remove(HOUR);
        for name in [format!("{HOUR}/minute"), format!("{HOUR}/millisecond")] {
            let part = fields.remove(&name).unwrap();
            fields.insert(wrong(&name), part);
        }
        read.differences.insert(Difference::NoHour);
        wrong_part = true;
    }
    // Who says that the time is invalid may say any.
    let invalid = fields.get("time_tag.invalid") == Some(&json!(true));
    read.demand("time_range", wrong_part && !invalid);
}
