//! WebSocket by hand: the heads that begin it, and frames.

/// A request for MQTT.
pub const ASKS: &[u8] = b"GET /mqtt HTTP/1.1\r\nHost: broker:9001\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: https://panel\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n";
/// Its answer.
pub const ANSWERS: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\
    Sec-WebSocket-Protocol: mqtt\r\n\r\n";

pub const CONTINUATION: u8 = 0x0;
pub const BINARY: u8 = 0x2;
pub const PING: u8 = 0x9;
pub const PONG: u8 = 0xa;
pub const FINAL: u8 = 0x80;

/// A frame with this first octet, masked if there is a key.
pub fn frame(first: u8, key: Option<[u8; 4]>, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        short @ ..126 => frame.push(short as u8),
        long @ ..0x1_0000 => {
            frame.push(126);
            frame.extend((long as u16).to_be_bytes());
        }
        longest => {
            frame.push(127);
            frame.extend((longest as u64).to_be_bytes());
        }
    }
    let Some(key) = key else {
        frame.extend_from_slice(payload);
        return frame;
    };
    frame[1] |= 0x80;
    frame.extend(key);
    frame.extend(payload.iter().zip(key.into_iter().cycle()).map(|(octet, key)| octet ^ key));
    frame
}

/// Octets of a stream in frames as the numbers say: their lengths, fragments of messages, control
/// frames between them, empty ones.
pub fn wrap(octets: &[u8], masked: bool, next: &mut dyn FnMut(usize) -> usize) -> Vec<u8> {
    let mut frames = Vec::new();
    let (mut rest, mut is_inside) = (octets, false);
    while !rest.is_empty() {
        let key = masked.then(|| (next(0x1_0000) as u32).wrapping_mul(0x9e37_79b1).to_be_bytes());
        match next(8) {
            0 => frames.extend(frame(FINAL | PING, key, b"ping")),
            1 => frames.extend(frame(FINAL | PONG, key, b"\xc0\0")),
            2 if is_inside => frames.extend(frame(CONTINUATION, key, b"")),
            _ => {}
        }
        let length = 1 + [next(4), next(40), next(4000)][next(3)];
        let (payload, behind) = rest.split_at(length.min(rest.len()));
        let is_final = behind.is_empty() || next(4) != 0;
        let opcode = if is_inside { CONTINUATION } else { BINARY };
        let last = if is_final { FINAL } else { 0 };
        frames.extend(frame(opcode | last, key, payload));
        (rest, is_inside) = (behind, !is_final);
    }
    frames
}
