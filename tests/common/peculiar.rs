//! Rules that say what they say in ways that other tools do not read.

/// Most of them are met by pcaps/demo.pcap.
pub(crate) const RULES: &str = r#"title: Numbers in another form
name: numbers
id: 3b6f0c5e-0a31-4f0e-9d6b-0f0f8f2f8f01
status: test
level: low
logsource: {product: gridtap, service: iec104}
detection:
  s:
    iec104.ca: [0o1, 0x2, 3e0, 047]
    iec104.type|endswith: 1
    iec104.cot|gte: '6'
  condition: s
---
title: 055
name: operators
id: 3b6f0c5e-0a31-4f0e-9d6b-0f0f8f2f8f02
status: test
level: low
description: 2026-11-23
logsource: {product: gridtap, service: iec104}
detection:
  s_1: {direction: to_server}
  s.2: {iec104.cause|contains|all: [activation]}
  Größe: {iec104.ca|lt: 1}
  _later: {src_ip: 10.0.0.1}
  condition: 2 of s* AND NOT Größe OR Größe
---
title: Two of three
name: two_of_three
id: 3b6f0c5e-0a31-4f0e-9d6b-0f0f8f2f8f03
status: test
level: low
logsource: {product: gridtap, service: iec104}
detection:
  a: {direction: to_server}
  b: {iec104.cause: activation}
  c: {iec104.type: [100, C_RP_NA_1]}
  condition: 2 of them
---
title: Any name
name: any_name
id: 3b6f0c5e-0a31-4f0e-9d6b-0f0f8f2f8f04
status: test
level: low
logsource: {product: gridtap, service: mqtt}
detection:
  s: {mqtt.publish.topic|topic: ['#', +]}
  condition: s
---
title: Blanks of all kinds
name: blanks
id: 3b6f0c5e-0a31-4f0e-9d6b-0f0f8f2f8f05
status: test
level: low
logsource: {product: gridtap, service: mqtt}
detection:
  s: {mqtt.publish.topic|contains: ["a\u0085b", "c\u00A0\u2028d", meter]}
  condition: s
---
title: A moment
name: a_moment
id: 3b6f0c5e-0a31-4f0e-9d6b-0f0f8f2f8f06
status: test
level: low
logsource: {product: gridtap, service: iec104}
detection:
  s: {timestamp: 2026-11-23T22:00:00.5+01:00}
  condition: s
---
title: Words and digits
name: words
id: 3b6f0c5e-0a31-4f0e-9d6b-0f0f8f2f8f07
status: test
level: low
logsource: {product: gridtap, service: iec104}
detection:
  s: [activation_term, 2404e1, 10]
  t: {'|all': to_server}
  condition: s and t
---
title: Not for a known master
id: 3b6f0c5e-0a31-4f0e-9d6b-0f0f8f2f8f08
status: test
logsource: {product: gridtap, service: iec104}
filter:
  rules: [two_of_three]
  known: {src_ip: [10.20.0.66]}
  condition: NOT known
---
title: Not on a weekend
id: 3b6f0c5e-0a31-4f0e-9d6b-0f0f8f2f8f09
status: test
logsource: {product: gridtap, service: mqtt}
filter:
  rules: any
  weekend: {timestamp|year: 1999}
  condition: not weekend
---
title: Numbers in a minute
id: 3b6f0c5e-0a31-4f0e-9d6b-0f0f8f2f8f0a
status: test
level: low
correlation:
  type: event_count
  rules: [numbers]
  timespan: 1m
  condition: {gte: 0x2}
"#;
