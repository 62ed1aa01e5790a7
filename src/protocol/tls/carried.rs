//! What goes inside.

/// A protocol inside TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Carried {
    Mqtt,
    Iec104,
}

/// What servers with this port carry: 8883 is registered for MQTT, 19998 for IEC 104 (IEC 62351-3),
/// and 8084 is what brokers use for MQTT over WebSocket. In clear they have 1883 and 2404.
const BY_PORT: &[(u16, Carried)] = &[
    (8883, Carried::Mqtt),
    (8084, Carried::Mqtt),
    (1883, Carried::Mqtt),
    (19_998, Carried::Iec104),
    (2404, Carried::Iec104),
];

/// What these protocols of ALPN are: that of MQTT, and the name that AWS IoT has for it.
const BY_PROTOCOL: &[(&[u8], Carried)] =
    &[(b"mqtt", Carried::Mqtt), (b"x-amzn-mqtt-ca", Carried::Mqtt)];

impl Carried {
    /// Names, by code.
    pub(super) const NAMES: &'static [&'static str] = &["mqtt", "iec104"];

    /// What is carried to a server with this port, where these protocols were chosen or else
    /// offered (RFC 7301). Where any was, the port says nothing.
    pub(super) fn of(protocols: &[Box<[u8]>], port: u16) -> Option<Self> {
        if protocols.is_empty() {
            return BY_PORT.iter().find(|(known, _)| *known == port).map(|(_, carried)| *carried);
        }
        protocols.iter().find_map(|protocol| {
            BY_PROTOCOL.iter().find(|(known, _)| **known == **protocol).map(|(_, carried)| *carried)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_ends_say_counts_for_more_than_the_port() {
        let protocols = |names: &[&str]| -> Vec<Box<[u8]>> {
            names.iter().map(|name| name.as_bytes().into()).collect()
        };
        for (names, port, carried) in [
            (&[][..], 8883, Some(Carried::Mqtt)),
            (&[], 19_998, Some(Carried::Iec104)),
            (&[], 443, None),
            (&["x-amzn-mqtt-ca"], 443, Some(Carried::Mqtt)),
            (&["h2", "mqtt"], 19_998, Some(Carried::Mqtt)),
            (&["http/1.1"], 8883, None),
        ] {
            assert_eq!(Carried::of(&protocols(names), port), carried, "{names:?} {port}");
        }
    }
}
