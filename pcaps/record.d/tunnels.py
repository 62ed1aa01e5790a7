"""Puts flows of a capture into tunnels: what a carrier does to them on its line.

    tunnels.py demo.pcap tunnels.pcap

Frames keep their times. The ends of the tunnels are 192.0.2.1 on the side of the control centre and 192.0.2.2 on the other.
"""

import struct
import sys

CENTRE = (10, 20)
FRAMES = 60  # of each flow, from its SYN on


def main(source, target):
    wrapped, seen = [], {}
    for header, frame in frames(source):
        flow, outward = flow_of(frame)
        if flow is None or flow[0] not in TUNNELS:
            continue
        seen[flow] = seen.get(flow, 0) + 1
        if seen[flow] <= FRAMES:
            wrapped.append((header, TUNNELS[flow[0]](frame, outward)))
    header, frame = wrapped[-1]
    wrapped.append((header, buried(frame)))
    with open(target, "wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1))
        for (seconds, micros), frame in wrapped:
            file.write(struct.pack("<IIII", seconds, micros, len(frame), len(frame)) + frame)


def frames(path):
    with open(path, "rb") as file:
        file.read(24)
        while header := file.read(16):
            seconds, micros, length, _ = struct.unpack("<IIII", header)
            yield (seconds, micros), file.read(length)


def flow_of(frame):
    """The two hosts and ports of a TCP segment, that of the other side first; whether it goes there."""
    if frame[12:14] != b"\x08\x00" or frame[23] != 6:
        return None, False
    source, destination = tuple(frame[26:30]), tuple(frame[30:34])
    ports = struct.unpack("!HH", frame[34:38])
    outward = source[:2] == CENTRE
    ends = [(destination, ports[1]), (source, ports[0])] if outward else [(source, ports[0]), (destination, ports[1])]
    (other, port), (centre, centre_port) = ends
    return ((".".join(map(str, other)), ".".join(map(str, centre))), port, centre_port), outward


def ethernet(outward, kind, payload):
    ends = [bytes.fromhex("020000000001"), bytes.fromhex("020000000002")]
    source, destination = ends if outward else reversed(ends)
    return destination + source + kind.to_bytes(2, "big") + payload


def ipv4(outward, protocol, payload):
    ends = [bytes([192, 0, 2, 1]), bytes([192, 0, 2, 2])]
    source, destination = ends if outward else reversed(ends)
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 0, 0, 64, protocol, 0) + source + destination
    total = sum(struct.unpack("!10H", header))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return header[:10] + (~total & 0xFFFF).to_bytes(2, "big") + header[12:] + payload


def udp(outward, port, payload):
    return ipv4(outward, 17, struct.pack("!HHHH", 49152 + outward, port, 8 + len(payload), 0) + payload)


def labels(outward, *numbers):
    stack = [((number + outward) << 12) | (64 if place + 1 < len(numbers) else 64 | 0x100) for place, number in enumerate(numbers)]
    return b"".join(entry.to_bytes(4, "big") for entry in stack)


def vxlan(frame, outward):
    """VXLAN in a VLAN."""
    inner = ethernet(outward, 0x0800, udp(outward, 4789, bytes([8, 0, 0, 0, 0, 0x12, 0x67, 0]) + frame))
    return inner[:12] + struct.pack("!HH", 0x8100, 100) + inner[12:]


def pseudowire(frame, outward):
    """A line of Ethernet through MPLS, without control word."""
    return ethernet(outward, 0x8847, labels(outward, 16000, 24010) + frame)


def mobile(frame, outward):
    """A wireless private network: GTP-U, with a PDU session container, on its way through GRE."""
    packet = frame[14:]
    rest = bytes([0, 0, 0, 0x85, 1, 0x10 * (not outward), 9, 0])
    gtp = struct.pack("!BBHI", 0x34, 255, len(rest) + len(packet), 0x1000 + outward) + rest + packet
    inner = udp(outward, 2152, gtp)
    return ethernet(outward, 0x0800, ipv4(outward, 47, struct.pack("!HHI", 0x2000, 0x0800, 77) + inner))


def subscriber(frame, outward):
    """A subscriber's line: PPP in L2TP."""
    ppp = b"\xff\x03\x00\x21" + frame[14:]
    l2tp = struct.pack("!HHHH", 0x4002, 8 + len(ppp), 7 + outward, 70 + outward) + ppp
    return ethernet(outward, 0x0800, udp(outward, 1701, l2tp))


def address_in_address(frame, outward):
    """What somebody does who wants to get past a filter."""
    return ethernet(outward, 0x0800, ipv4(outward, 4, frame[14:]))


def buried(frame):
    """One frame in more tunnels than anybody has."""
    packet = frame[14:]
    for _ in range(9):
        packet = ipv4(True, 4, packet)
    return ethernet(True, 0x0800, packet)


# By the two hosts: a station or a meter, and who talks to it.
TUNNELS = {
    ("10.30.1.10", "10.20.0.10"): vxlan,
    ("10.30.2.10", "10.20.0.10"): pseudowire,
    ("10.30.3.10", "10.20.0.10"): mobile,
    ("10.40.12.11", "10.20.0.20"): subscriber,
    ("10.30.1.10", "10.20.0.66"): address_in_address,
}

if __name__ == "__main__":
    main(*sys.argv[1:])
