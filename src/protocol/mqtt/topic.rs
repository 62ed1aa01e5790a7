//! Topic filters (clause 4.7): which are well formed. What they match will stand here too.

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
