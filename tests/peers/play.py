"""Plays a scenario in the network namespace that it is started in: `play.py SCENARIO CAPTURE`.

Loopback is the whole network. tcpdump hands over each packet; a datagram to the port DISCARD is a mark: when it
comes, everything before it has come, too.
"""

import json
import queue
import socket
import struct
import subprocess
import sys
import threading
from pathlib import Path

import yaml

import actor

HERE = Path(__file__).parent
DISCARD = 9
MARK = b"mark"
FORGET = b"forget"


class Piece:
    """A process that takes orders."""

    def __init__(self, name: str, *arguments: str) -> None:
        self.name = name
        command = [sys.executable, "-B", str(HERE / arguments[0]), *arguments[1:]]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.answers: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self.listen, daemon=True).start()
        self.answered("start")

    def listen(self) -> None:
        for line in self.process.stdout:
            self.answers.put(line.strip())
        self.answers.put("it has ended")

    def order(self, what: str) -> None:
        print(what, file=self.process.stdin, flush=True)
        self.answered(what)

    def answered(self, what: str) -> None:
        try:
            # It has the same bound, and says more when it reaches it.
            answer = self.answers.get(timeout=2 * actor.PATIENCE)
        except queue.Empty:
            answer = "no answer"
        if answer != "done":
            sys.exit(f"{self.name}, {what}: {answer}")


class Wire:
    """What passes at one end, written to a capture."""

    def __init__(self, address: str, path: str) -> None:
        wanted = f"(tcp and host {address}) or (udp and port {DISCARD})"
        command = ["tcpdump", "-i", "lo", "--immediate-mode", "-U", "-s0", "-Z", "root", "-w", "-", wanted]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.capture = open(path, "wb")
        # The file header comes once everything is seen.
        self.capture.write(self.process.stdout.read(24))
        self.ahead = 0
        self.marks: queue.Queue[int] = queue.Queue()
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self) -> None:
        while header := self.process.stdout.read(16):
            seconds, fraction, length, whole = struct.unpack("<4I", header)
            packet = self.process.stdout.read(length)
            if MARK in packet:
                self.obey(packet.split(MARK)[1])
            else:
                self.capture.write(struct.pack("<4I", seconds + self.ahead, fraction, length, whole) + packet)

    def obey(self, order: bytes) -> None:
        if order == FORGET:
            self.capture.seek(24)
            self.capture.truncate()
        else:
            self.ahead += int(order)
        self.marks.put(self.ahead)

    def order(self, what: str) -> None:
        """`pass 120`: whatever is seen from now on is recorded as so many seconds later. `forget`: the
        recording begins only now."""
        self.mark(what.removeprefix("pass "))

    def mark(self, order: str) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(MARK + order.encode(), (actor.STATION, DISCARD))
        self.marks.get(timeout=actor.PATIENCE)

    def end(self) -> None:
        self.mark("0")
        self.capture.close()


def build_network(settings: dict) -> None:
    # Segments as long as on a wire, and no longer ones that are cut later.
    run("ethtool -K lo tso off gso off gro off")
    run(f"ip link set lo mtu {settings.get('mtu', 1500)} up")
    for address, face in actor.CENTRES.values():
        run(f"ip address add {address}/32 dev lo")
        run(f"ip address add {face}/32 dev lo")
        # Who talks to that face of the proxy does it under this address.
        run(f"ip route replace local {face} dev lo src {address} table local")
    run(f"ip address add {actor.STATION}/32 dev lo")


def run(command: str) -> None:
    subprocess.run(command.split(), check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def play(scenario: dict, capture: str, pieces: dict) -> None:
    watched = actor.STATION if scenario["watch"] == "station" else actor.CENTRES["centre"][1]
    pieces["wire"] = Wire(watched, capture)
    pieces["station"] = Piece("station", "station.py", json.dumps(scenario.get("station", {})))
    pieces["proxy"] = Piece("proxy", "proxy.py", json.dumps(scenario.get("proxy", {})))
    for step in scenario["steps"]:
        for name, what in step.items():
            if name in actor.CENTRES and name not in pieces:
                face = actor.CENTRES[name][1]
                pieces[name] = Piece(name, "centre.py", face, json.dumps(scenario.get(name, {})))
            pieces[name].order(what)
    pieces["wire"].end()


def main() -> None:
    scenario = yaml.safe_load(Path(sys.argv[1]).read_text())
    build_network(scenario.get("network", {}))
    pieces = {}
    try:
        play(scenario, sys.argv[2], pieces)
    finally:
        for piece in pieces.values():
            piece.process.kill()
            piece.process.wait()


if __name__ == "__main__":
    main()
