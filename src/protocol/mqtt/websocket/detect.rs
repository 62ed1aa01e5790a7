//! Recognises the start of a WebSocket that carries MQTT, and its frames where the start is not
//! seen.

use super::frame::{Header, Opcode};
use super::upgrade::{self, Answer, End, Start};
use crate::protocol::{Likeness, Role};

/// Evidence of a head that names MQTT as what follows.
const NAMED: u32 = 64;
/// Of one that does not: what follows must tell.
const UNNAMED: u32 = 8;
/// Of a frame's header: final, binary, and a length in its only form.
const FRAME: u32 = 8;
/// Of packets that end where their frame does.
const FITTING: u32 = 8;
/// A frame takes so much to be one at all: a PINGREQ in a frame of its own has just that.
const SURE: u32 = 28;

/// To find the end of a head costs less than to read it.
const SEARCHED_AT_ONCE: usize = 8;

/// So many octets of a payload are looked at.
const TRIED: usize = 512;
/// So many packets of a frame are.
const PACKETS: u32 = 4;

/// What the frames begin with that are recognised: binary messages in one frame, as all clients and
/// brokers send their packets.
pub(in super::super) const FRAME_OCTET: u8 = 0x82;
/// What heads begin with: `GET` and `HTTP`.
pub(in super::super) const HEAD_OCTETS: [u8; 2] = *b"GH";

/// Whether the first octets may be those of a head.
pub(in super::super) fn may_be_head(bytes: &[u8]) -> bool {
    upgrade::start(bytes) != Start::No
}

/// Looks for the head of a request that becomes a WebSocket, or of the answer to one.
pub(in super::super) fn recognise_head(bytes: &[u8]) -> Likeness {
    let role = match upgrade::start(bytes) {
        Start::No => return Likeness::No,
        Start::More(wanted) => return Likeness::More(wanted),
        Start::Request => Role::Client,
        Start::Answer => Role::Server,
    };
    if !first_line_fits(bytes, role) {
        return Likeness::No;
    }
    let (length, answer): (_, fn(&[u8]) -> Answer) = match upgrade::end(bytes, 0) {
        End::More(wanted) => return Likeness::More(wanted),
        End::Behind(length) => (length, upgrade::answer),
        End::Beyond => (upgrade::MOST, upgrade::long_answer),
    };
    let head = bytes.get(..length).unwrap_or_default();
    let (is_upgrade, is_named) = match role {
        Role::Client => (upgrade::request(head).is_some(), upgrade::offers_mqtt(head)),
        Role::Server => {
            let answer = answer(head);
            (answer.accepted, answer.names_mqtt)
        }
    };
    if !is_upgrade {
        return Likeness::Refuted(length / SEARCHED_AT_ONCE);
    }
    let evidence = if is_named { NAMED } else { UNNAMED };
    Likeness::Message { length, evidence, sender: Some(role) }
}

/// Whether the first line, as far as it is there, is a request of HTTP/1.1 or accepts one.
fn first_line_fits(bytes: &[u8], role: Role) -> bool {
    let begins_as = |rest: &[u8], word: &[u8]| rest.starts_with(word) || word.starts_with(rest);
    match role {
        Role::Server => begins_as(bytes.get(8..).unwrap_or_default(), b" 101"),
        Role::Client => {
            let target = bytes.get(4..).unwrap_or_default();
            match target.iter().position(|octet| *octet <= b' ') {
                Some(end) => begins_as(&target[end..], b" HTTP/1."),
                None => true,
            }
        }
    }
}

/// Whether the first octets may be those of a frame with MQTT in it, whose packets begin as
/// `may_begin` says.
pub(in super::super) fn may_be_frame(bytes: &[u8], may_begin: fn(u8) -> bool) -> bool {
    let Ok(header) = Header::read(bytes) else { return true };
    let fits = header.is_final()
        && header.opcode() == Opcode::Binary
        && header.reserved() == 0
        && header.payload >= 2
        && header.is_minimal()
        && header.is_possible();
    let first = bytes.get(header.length).map(|octet| header.key.unmask(*octet));
    fits && first.is_none_or(may_begin)
}

/// Looks for a frame whose payload begins with whole packets, as `packet` recognises them.
pub(in super::super) fn recognise_frame(bytes: &[u8], packet: fn(&[u8]) -> Likeness) -> Likeness {
    let header = match Header::read(bytes) {
        Ok(header) => header,
        Err(wanted) => return Likeness::More(wanted),
    };
    let mut buffer = [0; TRIED];
    let most = header.payload.min(TRIED as u64) as usize;
    let payload = bytes.get(header.length..).unwrap_or_default();
    let payload = payload.get(..most).unwrap_or(payload);
    let shown = &mut buffer[..payload.len()];
    shown.copy_from_slice(payload);
    header.key.unmask_in_place(shown);

    let (mut at, mut evidence, mut role) = (0_usize, FRAME, None);
    for _ in 0..PACKETS {
        let rest = shown.get(at..).unwrap_or_default();
        match packet(rest) {
            Likeness::Message { length, evidence: more, sender }
                if (at + length) as u64 <= header.payload =>
            {
                evidence += more;
                role = role.or(sender);
                at += length;
            }
            // What goes on behind all that is looked at must not contradict there either.
            Likeness::More(wanted) if shown.len() < most => {
                return Likeness::More(header.length + most.min(at + wanted));
            }
            Likeness::Refuted(octets) => return Likeness::Refuted(octets),
            // It goes on behind the frame, or behind what is looked at.
            Likeness::Message { .. } | Likeness::More(_) => break,
            Likeness::No | Likeness::Flawed { .. } => return Likeness::Refuted(at + 1),
        }
        if at as u64 == header.payload {
            evidence += FITTING;
            break;
        }
        if at >= most {
            break;
        }
    }
    if evidence < SURE {
        return Likeness::Refuted(at.max(1));
    }
    let by_mask = if header.masked { Role::Client } else { Role::Server };
    let length = header.length + header.payload as usize;
    Likeness::Message { length, evidence, sender: Some(role.unwrap_or(by_mask)) }
}
