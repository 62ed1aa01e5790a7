//! Topic names and filters (clause 4.7): which are well formed. What they match will stand here
//! too.

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
    match filter.strip_prefix(b"$share/") {
        Some(shared) if may_be_shared => is_shared_filter(shared),
        _ => is_plain_filter(filter),
    }
}

/// Whether one message goes to one of several subscribers (clause 4.8.2).
pub(super) fn is_shared(filter: &[u8]) -> bool {
    filter.starts_with(b"$share/")
}

fn is_shared_filter(shared: &[u8]) -> bool {
    let Some(slash) = memchr::memchr(b'/', shared) else { return false };
    let (name, filter) = shared.split_at(slash);
    !name.is_empty() && memchr::memchr2(b'+', b'#', name).is_none() && is_plain_filter(&filter[1..])
}

fn is_plain_filter(filter: &[u8]) -> bool {
    if filter.is_empty() {
        return false;
    }
    if memchr::memchr2(b'+', b'#', filter).is_none() {
        return true;
    }
    let above = match filter {
        b"#" => return true,
        [above @ .., b'/', b'#'] => above,
        all => all,
    };
    above
        .split(|&octet| octet == b'/')
        .all(|level| level == b"+" || memchr::memchr2(b'+', b'#', level).is_none())
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

    /// The examples of clauses 4.7.1.2, 4.7.1.3 and 4.8.2, and their neighbours.
    #[test]
    fn wildcards_stand_alone_in_their_level() {
        for filter in [
            "sport/tennis/player1/#",
            "sport/#",
            "#",
            "+",
            "+/tennis/#",
            "sport/+/player1",
            "/+",
            "+/+",
            "/",
            "//",
            "$SYS/#",
            "$share",
            "a b",
        ] {
            assert!(is_filter(filter.as_bytes(), true), "{filter}");
        }
        for filter in
            ["", "sport/tennis#", "sport/tennis/#/ranking", "sport+", "+a", "##", "#/", "a/++/b"]
        {
            assert!(!is_filter(filter.as_bytes(), true), "{filter}");
        }
    }

    #[test]
    fn a_share_has_a_name_and_a_filter() {
        for filter in ["$share/consumer1/sport/tennis/+", "$share/g/#", "$share/g//finance"] {
            assert!(is_filter(filter.as_bytes(), true), "{filter}");
        }
        for filter in ["$share/g", "$share/g/", "$share//a", "$share/a+b/c", "$share/#/c"] {
            assert!(!is_filter(filter.as_bytes(), true), "{filter}");
        }
        assert!(is_filter(b"$share/g", false));
    }
}
