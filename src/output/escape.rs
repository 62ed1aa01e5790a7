//! What JSON does not take as it is.

/// Taken as it is.
pub(super) const PLAIN: u8 = 0;
/// Written as `\\u001f`.
pub(super) const CONTROL: u8 = 1;
/// Taken as it is where it is part of UTF-8.
pub(super) const NOT_ASCII: u8 = 2;

/// Whether JSON takes a text as it is. Looks at eight octets at once.
#[inline]
pub(super) fn is_plain(text: &[u8]) -> bool {
    let Some(last) = text.last_chunk::<8>() else {
        return match (text.first_chunk::<4>(), text.last_chunk::<4>()) {
            (Some(first), Some(last)) => {
                let halves = [u32::from_ne_bytes(*first), u32::from_ne_bytes(*last)];
                is_plain_word(u64::from(halves[0]) << 32 | u64::from(halves[1]))
            }
            _ => text.iter().all(|octet| escape_of(*octet) == PLAIN),
        };
    };
    let (words, _) = text.as_chunks::<8>();
    words.iter().chain([last]).all(|word| is_plain_word(u64::from_ne_bytes(*word)))
}

/// Whether none of eight octets is a control, a quote, a backslash or not ASCII.
#[inline]
const fn is_plain_word(word: u64) -> bool {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGHS: u64 = ONES << 7;
    // The lowest octet that is below `limit` borrows into its own high bit.
    const fn below(word: u64, limit: u64) -> u64 {
        word.wrapping_sub(ONES * limit) & !word
    }
    let controls = below(word, 0x20);
    let quotes = below(word ^ (ONES * b'"' as u64), 1);
    let backslashes = below(word ^ (ONES * b'\\' as u64), 1);
    (word | controls | quotes | backslashes) & HIGHS == 0
}

/// How RFC 8259 section 7 wants an octet written: one of the three above, or the letter after a
/// backslash.
#[inline]
pub(super) fn escape_of(octet: u8) -> u8 {
    static ESCAPES: [u8; 256] = {
        let mut table = [PLAIN; 256];
        let mut octet = 0;
        while octet < 256 {
            table[octet] = match octet as u8 {
                b'\n' => b'n',
                b'\r' => b'r',
                b'\t' => b't',
                0x08 => b'b',
                0x0C => b'f',
                b'"' => b'"',
                b'\\' => b'\\',
                0..0x20 => CONTROL,
                0x80.. => NOT_ASCII,
                _ => PLAIN,
            };
            octet += 1;
        }
        table
    };
    ESCAPES[usize::from(octet)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_octet_hides_from_the_look_at_eight_at_once() {
        for length in 1..=24 {
            for at in 0..length {
                for octet in 0..=255 {
                    let mut text = vec![b'x'; length];
                    text[at] = octet;
                    let plain = !matches!(octet, 0..0x20 | b'"' | b'\\' | 0x80..);
                    assert_eq!(is_plain(&text), plain, "{octet:#x} at {at} of {length}");
                }
            }
        }
    }
}
