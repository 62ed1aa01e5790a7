//! Topic names and filters on the wire: which are well formed (clause 4.7).

use crate::topic::Filter;
pub(super) use crate::topic::is_shared;

/// Whether `text` is ASCII without U+0000, `+` and `#`, as nearly all is: nothing can be wrong with
/// it. Looks at eight octets at a time.
#[inline]
pub(super) fn is_plain(text: &[u8]) -> bool {
    let (words, rest) = text.as_chunks::<8>();
    let mut last = [b' '; 8];
    for (to, from) in last.iter_mut().zip(rest) {
        *to = *from;
    }
    let found = |word: &[u8; 8]| {
        let word = u64::from_ne_bytes(*word);
        (word & HIGH) | octet_in(word, 0) | octet_in(word, b'+') | octet_in(word, b'#')
    };
    words.iter().fold(found(&last), |all, word| all | found(word)) == 0
}

const LOW: u64 = u64::from_ne_bytes([1; 8]);
const HIGH: u64 = u64::from_ne_bytes([0x80; 8]);

/// Not zero if, and only if, one of the octets of `word` is `octet`.
#[inline]
fn octet_in(word: u64, octet: u8) -> u64 {
    let zero_there = word ^ (LOW * u64::from(octet));
    zero_there.wrapping_sub(LOW) & !zero_there & HIGH
}

/// Whether wildcards and share name stand where they may [MQTT-4.7.1-1, 4.7.1-2, 4.7.3-1]. Shared
/// subscriptions are of level 5 [MQTT-4.8.2-1, 4.8.2-2].
pub(super) fn is_filter(filter: &[u8], may_be_shared: bool) -> bool {
    let parsed = if may_be_shared { Filter::parse(filter) } else { Filter::parse_unshared(filter) };
    parsed.is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_is_told_from_other_text_at_any_place() {
        for length in 0..20 {
            let plain = vec![b'a'; length];
            assert!(is_plain(&plain), "{length}");
            for index in 0..length {
                for octet in 0..=u8::MAX {
                    let mut text = plain.clone();
                    text[index] = octet;
                    let expected = octet.is_ascii() && !b"\0+#".contains(&octet);
                    assert_eq!(is_plain(&text), expected, "{octet:#x} at {index} of {length}");
                }
            }
        }
    }

    #[test]
    fn shares_are_of_level_5() {
        assert!(is_filter(b"$share/g/a/+", true) && is_filter(b"$share/g/a/+", false));
        assert!(!is_filter(b"$share/g", true) && is_filter(b"$share/g", false));
    }
}
