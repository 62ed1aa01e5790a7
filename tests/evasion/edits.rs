//! What a case does to a connection: an edit is a name and what it takes. `cases/README.md` tells
//! them to people.

use std::time::Duration;

use serde_json::Value;

use super::packets::{ACK, Connection, End, FIN, PSH, Packet, RST, SYN, Sum, URG};

/// An edit.
type Edit = fn(&mut Connection, &Value);

/// Every edit, by its name.
const EDITS: &[(&str, Edit)] = &[
    ("again", again),
    ("change", change),
    ("cut", cut),
    ("delay", delay),
    ("early", early),
    ("every", every),
    ("insert", insert),
    ("leave_out", leave_out),
    ("number", number),
    ("simultaneous", simultaneous),
    ("without_clock", without_clock),
];

/// Applies an edit: a map of its name to what it takes.
pub(crate) fn apply(connection: &mut Connection, edit: &Value) {
    let (name, parameters) = edit.as_object().and_then(|edit| edit.iter().next()).unwrap();
    let known = EDITS.iter().find(|(edit, _)| edit == name);
    let (_, edit) = known.unwrap_or_else(|| panic!("there is no edit `{name}`"));
    edit(connection, parameters);
}

fn integer(parameters: &Value, name: &str, default: i64) -> i64 {
    match &parameters[name] {
        Value::Null => default,
        value => value.as_i64().unwrap_or_else(|| panic!("`{name}` is no number: {value}")),
    }
}

fn word<'v>(parameters: &'v Value, name: &str, default: &'v str) -> &'v str {
    match &parameters[name] {
        Value::Null => default,
        value => value.as_str().unwrap_or_else(|| panic!("`{name}` is no word: {value}")),
    }
}

fn end(parameters: &Value) -> End {
    match word(parameters, "from", "client") {
        "client" => End::Client,
        "server" => End::Server,
        other => panic!("nobody is called `{other}`"),
    }
}

/// Octets that stand in place of those of the attack.
fn content(word: &str, attack: &[u8]) -> Vec<u8> {
    match word {
        "same" => attack.to_vec(),
        "other" => attack.iter().map(|octet| octet ^ 0x20).collect(),
        "zeros" => vec![0; attack.len()],
        other => panic!("there is no content `{other}`"),
    }
}

/// Sets what `parameters` have of a packet's header.
fn set(packet: &mut Packet, parameters: &Value) {
    let flag = |name: &Value| match name.as_str() {
        Some("fin") => FIN,
        Some("syn") => SYN,
        Some("rst") => RST,
        Some("psh") => PSH,
        Some("ack") => ACK,
        Some("urg") => URG,
        _ => panic!("there is no flag {name}"),
    };
    if let Some(flags) = parameters["flags"].as_array() {
        packet.flags = flags.iter().map(flag).fold(0, |all, one| all | one);
    }
    packet.ttl = integer(parameters, "ttl", packet.ttl.into()) as u8;
    packet.window = integer(parameters, "window", packet.window.into()) as u16;
    packet.urgent = integer(parameters, "urgent", packet.urgent.into()) as u16;
    let clock = integer(parameters, "clock", 0) as u32;
    packet.clock = packet.clock.map(|now| now.wrapping_add(clock));
    let acknowledges = integer(parameters, "acknowledges", 0) as u32;
    packet.acknowledgment = packet.acknowledgment.wrapping_add(acknowledges);
    packet.sum = match word(parameters, "checksum", "right") {
        "right" => Sum::Right,
        "wrong" => Sum::Wrong,
        "zero" => Sum::Zero,
        "pseudo" => Sum::Pseudo,
        other => panic!("there is no checksum `{other}`"),
    };
}

/// A packet beside the attack: as the attack, but for what is given.
fn insert(connection: &mut Connection, parameters: &Value) {
    let attack = connection.attack().clone();
    let mut packet = attack.clone();
    if end(parameters) == End::Server {
        // The last that the server sent before tells what it sends now.
        let before = &connection.packets[..connection.attack];
        let last = before.iter().rfind(|packet| packet.from == End::Server).unwrap();
        packet = Packet { acknowledgment: attack.sequence, ..last.clone() };
        packet.sequence = attack.acknowledgment;
        packet.time = attack.time;
    }
    let offset = integer(parameters, "offset", 0);
    let octets = content(word(parameters, "content", "other"), &attack.payload);
    let rest = attack.payload.len() as i64 - offset.max(0);
    let length = integer(parameters, "length", rest) as usize;
    let from = offset.max(0) as usize;
    packet.payload = octets.iter().copied().cycle().skip(from).take(length).collect();
    packet.sequence = packet.sequence.wrapping_add(offset as u32);
    set(&mut packet, parameters);
    let times = integer(parameters, "times", 1) as usize;
    match word(parameters, "place", "before") {
        "before" => connection.before(vec![packet; times]),
        "behind" => connection.behind(vec![packet; times]),
        "opening" => {
            connection.packets.splice(0..0, vec![packet; times]);
            connection.attack += times;
        }
        other => panic!("there is no place `{other}`"),
    }
}

/// All packets of the client are so.
fn every(connection: &mut Connection, parameters: &Value) {
    let of_client = connection.packets.iter_mut().filter(|packet| packet.from == End::Client);
    of_client.for_each(|packet| set(packet, parameters));
}

/// The attack itself is other than it was.
fn change(connection: &mut Connection, parameters: &Value) {
    let attack = connection.attack;
    let packet = &mut connection.packets[attack];
    let octets = content(word(parameters, "content", "same"), &packet.payload);
    packet.payload = octets;
    set(packet, parameters);
    if let Some(at) = parameters["extra_octet"].as_u64() {
        // One octet more, and all that comes behind it is one later.
        packet.payload.insert(at as usize, b'!');
        move_behind(connection, 1);
    }
}

/// What stands behind the attack is so much later in the client's stream.
fn move_behind(connection: &mut Connection, octets: u32) {
    let attack = connection.attack;
    for packet in &mut connection.packets[attack + 1..] {
        match packet.from {
            End::Client => packet.sequence = packet.sequence.wrapping_add(octets),
            End::Server => packet.acknowledgment = packet.acknowledgment.wrapping_add(octets),
        }
    }
}

/// The attack comes in pieces: where each begins, and how long it is, or in pieces of one length. What is
/// put beside the attack from here on stands beside the last of them.
fn cut(connection: &mut Connection, parameters: &Value) {
    let attack = connection.attack().clone();
    let length = attack.payload.len();
    let number = |value: &Value| value.as_u64().unwrap() as usize;
    let mut pieces: Vec<(usize, usize)> = if let Some(pieces) = parameters["pieces"].as_array() {
        pieces.iter().map(|piece| (number(&piece[0]), number(&piece[1]))).collect()
    } else {
        let size = integer(parameters, "size", 1) as usize;
        (0..length).step_by(size).map(|at| (at, size)).collect()
    };
    match word(parameters, "order", "forwards") {
        "forwards" => {}
        "backwards" => pieces.reverse(),
        other => panic!("there is no order `{other}`"),
    }
    let piece = |(at, size): (usize, usize)| Packet {
        sequence: attack.sequence.wrapping_add(at as u32),
        payload: attack.payload[at..length.min(at + size)].to_vec(),
        ..attack.clone()
    };
    let packets: Vec<Packet> = pieces.into_iter().map(piece).collect();
    connection.whole = Some(attack.clone());
    let at = connection.attack;
    let last = packets.len() - 1;
    connection.packets.splice(at..=at, packets);
    connection.attack += last;
}

/// The attack comes so many packets later.
fn delay(connection: &mut Connection, parameters: &Value) {
    let by = integer(parameters, "packets", 1) as usize;
    let packet = connection.packets.remove(connection.attack);
    connection.attack += by;
    connection.packets.insert(connection.attack, packet);
}

/// SYN brings the attack, or other octets in its place. `taken`: it was acknowledged with SYN.
fn early(connection: &mut Connection, parameters: &Value) {
    let attack = connection.attack().clone();
    let first = connection.packets[0].sequence.wrapping_add(1);
    assert_eq!(attack.sequence, first, "the attack is the first that the client says");
    connection.packets[0].payload = content(word(parameters, "content", "same"), &attack.payload);
    if parameters["taken"].as_bool() == Some(true) {
        let taken = attack.payload.len() as u32;
        let answer = &mut connection.packets[1];
        answer.acknowledgment = answer.acknowledgment.wrapping_add(taken);
        connection.packets[2].sequence = first.wrapping_add(taken);
        connection.packets.remove(connection.attack);
    }
}

/// Some packets were not captured: `handshake`, one `from`, or so many from the `first` on.
fn leave_out(connection: &mut Connection, parameters: &Value) {
    let mut place = 0;
    let attack = connection.attack;
    let what = word(parameters, "what", "some");
    let first = integer(parameters, "first", 0) as usize;
    let count = integer(parameters, "count", 0) as usize;
    let (mut before, from) = (0, end(parameters));
    connection.packets.retain(|packet| {
        let goes = match what {
            "handshake" => place < 3,
            "end" => packet.from == from,
            "some" => (first..first + count).contains(&place),
            other => panic!("nothing is called `{other}`"),
        };
        before += usize::from(goes && place < attack);
        place += 1;
        !goes
    });
    connection.attack -= before;
}

/// The attack's first octet has this number; all others of the client move with it.
fn number(connection: &mut Connection, parameters: &Value) {
    let wanted = integer(parameters, "attack", 0) as u32;
    let shift = wanted.wrapping_sub(connection.attack().sequence);
    shift_all(connection, shift);
}

fn shift_all(connection: &mut Connection, shift: u32) {
    for packet in &mut connection.packets {
        match packet.from {
            End::Client => packet.sequence = packet.sequence.wrapping_add(shift),
            End::Server => packet.acknowledgment = packet.acknowledgment.wrapping_add(shift),
        }
    }
}

/// Both ends open it at once (RFC 9293, 3.5).
fn simultaneous(connection: &mut Connection, _: &Value) {
    let [first, answer, _] = connection.packets[..3].to_vec().try_into().unwrap();
    let syn = Packet { flags: SYN, acknowledgment: 0, ..answer.clone() };
    let ours = Packet {
        flags: SYN | ACK,
        acknowledgment: answer.sequence.wrapping_add(1),
        ..first.clone()
    };
    connection.packets.splice(..3, [first, syn, ours, answer]);
    connection.attack += 1;
}

/// The same ports are used once more, after some seconds, with other numbers.
fn again(connection: &mut Connection, parameters: &Value) {
    let mut second = connection.clone();
    shift_all(&mut second, integer(parameters, "shift", 1_000_000) as u32);
    let later = Duration::from_secs(integer(parameters, "seconds", 5) as u64);
    let clock = integer(parameters, "clock", 0) as u32;
    for packet in &mut second.packets {
        packet.time = packet.time + later;
        packet.clock = packet.clock.map(|now| now.wrapping_add(clock));
    }
    if let Some(kept) = parameters["first_ends_after"].as_u64() {
        connection.packets.truncate(kept as usize);
    }
    connection.attack = connection.packets.len() + second.attack;
    connection.packets.append(&mut second.packets);
}

/// Neither end has timestamps.
fn without_clock(connection: &mut Connection, _: &Value) {
    connection.packets.iter_mut().for_each(|packet| packet.clock = None);
}
