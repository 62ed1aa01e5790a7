//! Moments as Suricata writes them.

use super::pen::two_digits;

/// The civil times of the seconds that were asked for last: packets come many to a second, and
/// the ends of a flow are a few seconds apart.
#[derive(Debug)]
pub(super) struct Clock([Second; 16]);

impl Default for Clock {
    fn default() -> Self {
        Self([Second { number: 0, text: *b"1970-01-01T00:00:00" }; 16])
    }
}

impl Clock {
    #[inline]
    pub(super) fn second(&mut self, number: u64) -> &[u8; 19] {
        let second = &mut self.0[(number % 16) as usize];
        if second.number != number {
            second.turn_to(number);
        }
        &second.text
    }
}

/// A second and how it is written.
#[derive(Debug, Clone, Copy)]
struct Second {
    number: u64,
    text: [u8; 19],
}

impl Second {
    #[cold]
    fn turn_to(&mut self, number: u64) {
        // Every Timestamp lies before the year 2555, well inside of what jiff can say.
        let civil = jiff::tz::Offset::UTC
            .to_datetime(jiff::Timestamp::from_second(number as i64).unwrap_or_default());
        let year: u32 = civil.year().unsigned_abs().into();
        let fields = [
            year / 100,
            year % 100,
            civil.month().unsigned_abs().into(),
            civil.day().unsigned_abs().into(),
            civil.hour().unsigned_abs().into(),
            civil.minute().unsigned_abs().into(),
            civil.second().unsigned_abs().into(),
        ];
        for (at, field) in [0, 2, 5, 8, 11, 14, 17].into_iter().zip(fields) {
            self.text[at..at + 2].copy_from_slice(&two_digits(field));
        }
        self.number = number;
    }
}
