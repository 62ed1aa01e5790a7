//! Packets from words: `PUBLISH 1 id=7 dup topic=a/b`, `SUBACK 3 codes=0,1`.

/// What follows `name=` among the words.
fn given<'w>(words: &[&'w str], name: &str) -> Option<&'w str> {
    words.iter().find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
}

fn number(words: &[&str], name: &str) -> Option<u32> {
    given(words, name).map(|text| text.parse().unwrap())
}

fn list<'w>(words: &[&'w str], name: &str) -> Vec<&'w str> {
    given(words, name).map_or(Vec::new(), |text| text.split(',').collect())
}

fn text(text: &str) -> Vec<u8> {
    [&(text.len() as u16).to_be_bytes(), text.as_bytes()].concat()
}

/// A length in groups of seven bits.
fn variable(mut value: usize) -> Vec<u8> {
    let mut octets = Vec::new();
    loop {
        let more = value > 0x7f;
        octets.push(value as u8 & 0x7f | if more { 0x80 } else { 0 });
        value >>= 7;
        if !more {
            return octets;
        }
    }
}

/// All properties that are given, with their length in front; none before level 5.
fn properties(level: u8, words: &[&str]) -> Vec<u8> {
    if level < 5 {
        return Vec::new();
    }
    let mut block = Vec::new();
    for (name, id) in [("server_keep", 19), ("receive", 33), ("aliases", 34), ("alias", 35)] {
        if let Some(value) = number(words, name) {
            block.push(id);
            block.extend_from_slice(&(value as u16).to_be_bytes());
        }
    }
    if let Some(value) = number(words, "size") {
        block.push(39);
        block.extend_from_slice(&value.to_be_bytes());
    }
    if let Some(value) = given(words, "assigned") {
        block.push(18);
        block.extend_from_slice(&text(value));
    }
    [variable(block.len()), block].concat()
}

fn connect(level: u8, words: &[&str]) -> Vec<u8> {
    let name = if level == 3 { "MQIsdp" } else { "MQTT" };
    let flag = |name: &str, bit| if given(words, name).is_some() { bit } else { 0 };
    let clean = if words.contains(&"resume") { 0 } else { 0x02 };
    let flags = clean | flag("will", 0x04) | flag("user", 0x80);
    let keep = number(words, "keep").unwrap_or(0) as u16;
    let mut body = [text(name), vec![level, flags], keep.to_be_bytes().to_vec()].concat();
    body.extend(properties(level, words));
    body.extend(text(given(words, "client").unwrap_or("c")));
    if let Some(topic) = given(words, "will") {
        body.extend(properties(level, &[]));
        body.extend(text(topic));
        body.extend(text("gone"));
    }
    if let Some(user) = given(words, "user") {
        body.extend(text(user));
    }
    body
}

fn publish(level: u8, words: &[&str]) -> (u8, Vec<u8>) {
    let qos: u8 = words[0].parse().unwrap();
    let flags = qos << 1 | if words.contains(&"dup") { 8 } else { 0 };
    let mut body = text(given(words, "topic").unwrap_or(if given(words, "alias").is_some() {
        ""
    } else {
        "a"
    }));
    if qos > 0 {
        body.extend_from_slice(&(number(words, "id").unwrap() as u16).to_be_bytes());
    }
    body.extend(properties(level, words));
    body.resize(body.len() + number(words, "payload").unwrap_or(0) as usize, b'x');
    (flags, body)
}

/// With identifier, code if it is not 0, and no properties.
fn acknowledgment(level: u8, words: &[&str]) -> Vec<u8> {
    let id: u16 = words[0].parse().unwrap();
    let mut body = id.to_be_bytes().to_vec();
    if let Some(code) = number(words, "code")
        && level == 5
    {
        body.push(code as u8);
    }
    body
}

fn filters(level: u8, words: &[&str], with_options: bool) -> Vec<u8> {
    let id: u16 = words[0].parse().unwrap();
    let mut body = id.to_be_bytes().to_vec();
    body.extend(properties(level, &[]));
    for filter in list(words, "topics") {
        body.extend(text(filter));
        if with_options {
            body.push(0);
        }
    }
    body
}

fn codes(level: u8, words: &[&str]) -> Vec<u8> {
    let id: u16 = words[0].parse().unwrap();
    let mut body = id.to_be_bytes().to_vec();
    body.extend(properties(level, &[]));
    body.extend(list(words, "codes").iter().map(|code| code.parse::<u8>().unwrap()));
    body
}

/// The packet that a line describes.
pub(super) fn packet(level: u8, line: &str) -> Vec<u8> {
    let mut words = line.split(' ');
    let kind = words.next().unwrap();
    let words: Vec<_> = words.collect();
    let words = &words[..];
    let dup = if words.contains(&"dup") { 8 } else { 0 };
    let (first, body) = match kind {
        "CONNECT" => (0x10, connect(level, words)),
        "CONNACK" => {
            let present = u8::from(words.contains(&"present"));
            let code = number(words, "code").unwrap_or(0) as u8;
            (0x20, [vec![present, code], properties(level, words)].concat())
        }
        "PUBLISH" => {
            let (flags, body) = publish(level, words);
            (0x30 | flags, body)
        }
        "PUBACK" => (0x40, acknowledgment(level, words)),
        "PUBREC" => (0x50, acknowledgment(level, words)),
        "PUBREL" => (0x62 | dup, acknowledgment(level, words)),
        "PUBCOMP" => (0x70, acknowledgment(level, words)),
        "SUBSCRIBE" => (0x82 | dup, filters(level, words, true)),
        "SUBACK" => (0x90, codes(level, words)),
        "UNSUBSCRIBE" => (0xa2 | dup, filters(level, words, false)),
        "UNSUBACK" if level == 5 => (0xb0, codes(level, words)),
        "UNSUBACK" => (0xb0, acknowledgment(level, words)),
        "PINGREQ" => (0xc0, Vec::new()),
        "PINGRESP" => (0xd0, Vec::new()),
        "DISCONNECT" => (0xe0, Vec::new()),
        "AUTH" => (0xf0, Vec::new()),
        _ => panic!("{line}"),
    };
    [vec![first], variable(body.len()), body].concat()
}
