"""Somebody in the middle: `proxy.py SETTINGS`, a JSON object.

It ends the TCP connection of each centre and makes one of its own to the station, under that centre's
address, so what it withholds leaves no hole in either. Without `tricks` it is a line that takes some time.

    numbers   `as_is`: N(S) and N(R) pass as they come. `rewritten`: both fit what was passed on, so neither
              end can know. `n_s`: only N(S) fits.
    tricks    each is played once: `from` (`centre` or `station`), `at` (words of the APDU), `do`:
              `pass`              nothing
              `drop`
              `repeat`            passes it twice; the second time with `octets` in place of its element's
              `change`            passes it with `octets` in place of its element's
              `forge`             passes it, and then in the same direction an I-frame with `asdu`, or `apdu` as it is
              `gather`            withholds it and all behind it until `until`, then passes all as one segment
              `split`             passes it and all behind it octet by octet
              `cut`               closes both connections in place of it
"""

import asyncio
import json
import socket
import sys
from dataclasses import dataclass, field

import actor
import apdu

# Seconds that an APDU is on the line.
LATENCY = 0.02

SETTINGS = json.loads(sys.argv[1])
NUMBERS = SETTINGS.get("numbers", "as_is")
LOG = actor.Log()


@dataclass
class Way:
    """One direction of a link: the I-frames that came, and those that were passed on."""

    came: int = 0
    passed: int = 0
    # How many had come, before each was passed on.
    before: list[int] = field(default_factory=list)
    acknowledged: int = 0

    def next(self) -> int:
        """The N(S) of one that is passed on."""
        self.before.append(self.came)
        self.passed += 1
        return self.passed - 1

    def acknowledgement(self, received: int) -> int:
        """What a N(R) that counts those passed on means to the sender, who counts those that came."""
        return self.before[received] if received < self.passed else self.came


class Link:
    def __init__(self, writers: dict[str, asyncio.StreamWriter]) -> None:
        self.ways = {"centre": Way(), "station": Way()}
        self.writers = writers
        self.gathered: dict[str, tuple[set[str], list[bytes]]] = {}
        self.splits = {"centre": False, "station": False}

    def take(self, sender: str, octets: bytes) -> None:
        """An APDU came."""
        said = apdu.words(octets)
        trick = find_trick(sender, said)
        way = self.ways[sender]
        if apdu.acknowledges(octets):
            way.acknowledged = apdu.numbers(octets)[1]
        passed = self.tricked(sender, octets, trick)
        way.came += apdu.is_numbered(octets)
        self.send(sender, said, passed, trick)

    def tricked(self, sender: str, octets: bytes, trick: dict | None) -> list[bytes]:
        match trick and trick["do"]:
            case "drop":
                return []
            case "cut":
                self.end("centre")
                self.end("station")
                return []
            case "repeat":
                again = changed(octets, trick.get("octets", ""))
                first = self.frame(sender, octets)
                return [first, first[:6] + again[6:]]
            case "change":
                return [self.frame(sender, changed(octets, trick["octets"]))]
            case "forge" if "apdu" in trick:
                return [self.frame(sender, octets), bytes.fromhex(trick["apdu"])]
            case "forge":
                first = self.frame(sender, octets)
                return [first, self.forged(sender, bytes.fromhex(trick["asdu"]), octets)]
        return [self.frame(sender, octets)]

    def frame(self, sender: str, octets: bytes) -> bytes:
        """An APDU as it is passed on."""
        if not apdu.acknowledges(octets):
            return octets
        if not apdu.is_numbered(octets):
            return apdu.acknowledgement(self.received(sender))
        fitting = self.ways[sender].next()
        number = apdu.numbers(octets)[0] if NUMBERS == "as_is" else fitting
        return apdu.numbered(octets[6:], number, self.received(sender))

    def forged(self, sender: str, asdu: bytes, before: bytes) -> bytes:
        """One that did not come, behind one that did."""
        way = self.ways[sender]
        way.came += 1
        fitting = way.next()
        way.came -= 1
        number = apdu.numbers(before)[0] + 1 if NUMBERS == "as_is" else fitting
        return apdu.numbered(asdu, number, self.received(sender))

    def received(self, sender: str) -> int:
        """The N(R) to pass on."""
        acknowledged = self.ways[sender].acknowledged
        if NUMBERS != "rewritten":
            return acknowledged
        other = self.ways["centre" if sender == "station" else "station"]
        return other.acknowledgement(acknowledged)

    def send(self, sender: str, said: set[str], passed: list[bytes], trick: dict | None) -> None:
        if trick and trick["do"] == "gather":
            self.gathered[sender] = (set(trick["until"].split()), [])
        if trick and trick["do"] == "split":
            self.splits[sender] = True
        if sender in self.gathered:
            until, waiting = self.gathered[sender]
            waiting.extend(passed)
            if not until <= said:
                return
            del self.gathered[sender]
            passed = [b"".join(waiting)]
        if self.splits[sender]:
            passed = [bytes((octet,)) for octet in b"".join(passed)]
        for octets in passed:
            self.later(self.writers[sender].write, octets)

    def end(self, sender: str) -> None:
        self.later(self.writers[sender].close)

    @staticmethod
    def later(do, *arguments) -> None:
        asyncio.get_running_loop().call_later(LATENCY, do, *arguments)


def find_trick(sender: str, said: set[str]) -> dict | None:
    for trick in SETTINGS.get("tricks", []):
        if trick["from"] == sender and set(trick["at"].split()) <= said:
            SETTINGS["tricks"].remove(trick)
            LOG.add({"played", trick["do"]})
            return trick
    return None


def changed(octets: bytes, element: str) -> bytes:
    """With other octets at the beginning of its element."""
    new = bytes.fromhex(element)
    return octets[: apdu.ELEMENT] + new + octets[apdu.ELEMENT + len(new) :]


async def pump(link: Link, sender: str, reader: asyncio.StreamReader) -> None:
    rest = b""
    try:
        while octets := await reader.read(4096):
            whole, rest = apdu.split(rest + octets)
            for one in whole:
                link.take(sender, one)
    except ConnectionError:
        pass
    link.end(sender)


async def serve(address: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    station = await asyncio.open_connection(actor.STATION, actor.PORT, local_addr=(address, 0))
    link = Link({"centre": station[1], "station": writer})
    await asyncio.gather(pump(link, "centre", reader), pump(link, "station", station[0]))
    for end in (writer, station[1]):
        try:
            await end.wait_closed()
        except ConnectionError:
            pass
    LOG.add({"closed"})


async def main() -> None:
    for address, face in actor.CENTRES.values():
        await asyncio.start_server(
            lambda reader, writer, address=address: serve(address, reader, writer), face, actor.PORT
        )
    await asyncio.to_thread(actor.act, {"await": LOG.wait_next})


if __name__ == "__main__":
    asyncio.run(main())
