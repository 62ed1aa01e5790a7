//! A cursor over wire bytes that cannot panic.
//!
//! Every parser reads through [`Cursor`]: a read past the end is a [`Short`] that says how much was
//! wanted and how much was there, never a slice index.

/// A read wanted more bytes than were left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{wanted} bytes wanted at offset {offset}, {left} left")]
pub struct Short {
    /// Where the read began, counted from the start of the cursor's bytes.
    pub offset: usize,
    /// How many bytes the read needed.
    pub wanted: usize,
    /// How many were left.
    pub left: usize,
}

/// Reads fields one after another from a slice.
#[derive(Debug, Clone, Copy)]
pub struct Cursor<'a> {
    bytes: &'a [u8],
    offset: usize,
}

impl<'a> Cursor<'a> {
    /// Starts at the first of `bytes`.
    #[inline]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, offset: 0 }
    }

    /// How many bytes were read.
    #[inline]
    pub const fn offset(&self) -> usize {
        self.offset
    }

    /// What is left to read, without reading it.
    #[inline]
    pub fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.offset..).unwrap_or_default()
    }

    /// How many bytes are left.
    #[inline]
    pub const fn left(&self) -> usize {
        self.bytes.len() - self.offset
    }

    /// Whether everything was read.
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.left() == 0
    }

    /// The next `count` bytes.
    #[inline]
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], Short> {
        match self.rest().get(..count) {
            Some(taken) => {
                self.offset += count;
                Ok(taken)
            }
            None => Err(Short { offset: self.offset, wanted: count, left: self.left() }),
        }
    }

    /// A cursor over the next `count` bytes alone, which are read with it; offsets count on from
    /// the same start.
    #[inline]
    pub fn nested(&mut self, count: usize) -> Result<Self, Short> {
        let offset = self.offset;
        self.take(count)?;
        Ok(Self { bytes: self.bytes.get(..self.offset).unwrap_or_default(), offset })
    }

    /// The next `N` bytes.
    #[inline]
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Short> {
        match self.rest().first_chunk::<N>() {
            Some(taken) => {
                self.offset += N;
                Ok(*taken)
            }
            None => Err(Short { offset: self.offset, wanted: N, left: self.left() }),
        }
    }

    /// One byte.
    #[inline]
    pub fn u8(&mut self) -> Result<u8, Short> {
        self.array::<1>().map(|[byte]| byte)
    }

    /// Two bytes, most significant first.
    #[inline]
    pub fn u16_be(&mut self) -> Result<u16, Short> {
        self.array().map(u16::from_be_bytes)
    }

    /// Two bytes, least significant first.
    #[inline]
    pub fn u16_le(&mut self) -> Result<u16, Short> {
        self.array().map(u16::from_le_bytes)
    }

    /// Three bytes, most significant first.
    #[inline]
    pub fn u24_be(&mut self) -> Result<u32, Short> {
        self.array().map(|[high, middle, low]| u32::from_be_bytes([0, high, middle, low]))
    }

    /// Three bytes, least significant first.
    #[inline]
    pub fn u24_le(&mut self) -> Result<u32, Short> {
        self.array().map(|[low, middle, high]| u32::from_le_bytes([low, middle, high, 0]))
    }

    /// Four bytes, most significant first.
    #[inline]
    pub fn u32_be(&mut self) -> Result<u32, Short> {
        self.array().map(u32::from_be_bytes)
    }

    /// Four bytes, least significant first.
    #[inline]
    pub fn u32_le(&mut self) -> Result<u32, Short> {
        self.array().map(u32::from_le_bytes)
    }

    /// An IEEE 754 short real, least significant byte first.
    #[inline]
    pub fn f32_le(&mut self) -> Result<f32, Short> {
        self.array().map(f32::from_le_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_in_both_orders() {
        let mut cursor = Cursor::new(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 0, 0, 128, 63]);
        assert_eq!(cursor.u8(), Ok(1));
        assert_eq!(cursor.u16_be(), Ok(0x0203));
        assert_eq!(cursor.u16_le(), Ok(0x0504));
        assert_eq!(cursor.u24_le(), Ok(0x08_0706));
        assert_eq!(cursor.take(2), Ok(&[9, 10][..]));
        assert_eq!(cursor.f32_le(), Ok(1.0));
        assert!(cursor.is_empty());
    }

    #[test]
    fn a_nested_cursor_ends_early_and_counts_on() {
        let mut cursor = Cursor::new(&[1, 2, 3, 4, 5, 6]);
        assert_eq!(cursor.u8(), Ok(1));
        let mut nested = cursor.nested(3).unwrap();
        assert_eq!((cursor.rest(), nested.rest()), (&[5, 6][..], &[2, 3, 4][..]));
        assert_eq!(nested.u24_be(), Ok(0x02_0304));
        assert_eq!(nested.u8(), Err(Short { offset: 4, wanted: 1, left: 0 }));
        assert_eq!(cursor.nested(3).unwrap_err(), Short { offset: 4, wanted: 3, left: 2 });
    }

    #[test]
    fn a_short_read_takes_nothing_and_says_what_was_missing() {
        let mut cursor = Cursor::new(&[1, 2, 3]);
        assert_eq!(cursor.u8(), Ok(1));
        assert_eq!(cursor.u32_be(), Err(Short { offset: 1, wanted: 4, left: 2 }));
        assert_eq!(cursor.take(usize::MAX), Err(Short { offset: 1, wanted: usize::MAX, left: 2 }));
        assert_eq!(cursor.rest(), &[2, 3]);
    }
}
