"""Plays a scenario in the network namespace that it is started in: `stage.py SCENARIO CAPTURE`.

mosquitto is the broker, paho-mqtt each client. Between them stands somebody who ends the TCP connection of a client and
makes one of its own to the broker, so what it withholds leaves no hole in either. Each of the `tricks` is played once:

    from   `client` or `broker`
    at     words of the packet: type, topic, `qos1`
    do     `drop`
           `repeat`    passes it twice
           `change`    passes it with `put` in place of `find`, both hexadecimal
           `forge`     passes it, and then `octets`
           `split`     passes it and all behind it octet by octet
           `gather`    withholds it and all behind it until a packet with the words of `until`, then passes all as one segment
           `cut`       passes the first half of it, and closes both connections

Network and recording are those of the other peers.
"""

import asyncio
import queue
import subprocess
import sys
import threading
from pathlib import Path

import paho.mqtt.client as paho
import yaml
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

sys.path.append(str(Path(__file__).parent.parent / "peers"))

import actor
import play

BROKER = actor.STATION
CLIENT, FACE = actor.CENTRES["centre"]
PORT = 1883
LEVELS = {3: paho.MQTTv31, 4: paho.MQTTv311, 5: paho.MQTTv5}
TYPES = ("", "CONNECT", "CONNACK", "PUBLISH", "PUBACK", "PUBREC", "PUBREL", "PUBCOMP", "SUBSCRIBE", "SUBACK",
         "UNSUBSCRIBE", "UNSUBACK", "PINGREQ", "PINGRESP", "DISCONNECT", "AUTH")  # fmt: skip
CONFIGURATION = f"""
listener {PORT} {BROKER}
allow_anonymous true
user root
persistence false
log_dest stderr
max_topic_alias 10
"""


def split(octets: bytes) -> tuple[list[bytes], bytes]:
    """Whole packets, and the rest."""
    whole = []
    while True:
        length, shift, at = 0, 0, 1
        while at < len(octets):
            length |= (octets[at] & 0x7F) << shift
            shift += 7
            at += 1
            if octets[at - 1] < 0x80:
                break
        else:
            return whole, octets
        if at + length > len(octets):
            return whole, octets
        whole.append(octets[: at + length])
        octets = octets[at + length :]


def words(packet: bytes) -> set[str]:
    kind = TYPES[packet[0] >> 4]
    said = {kind}
    if kind == "PUBLISH":
        body = packet[next(at for at, octet in enumerate(packet[1:], 2) if octet < 0x80) :]
        length = int.from_bytes(body[:2], "big")
        said |= {f"qos{packet[0] >> 1 & 3}", body[2 : 2 + length].decode(errors="replace")}
    return said


class Link:
    """A client's connection, and the one that was made for it."""

    def __init__(self, proxy: "Proxy", writers: dict[str, asyncio.StreamWriter]) -> None:
        self.proxy = proxy
        self.writers = writers
        self.gathered: dict[str, tuple[set[str], list[bytes]]] = {}
        self.splits = {"client": False, "broker": False}

    def take(self, sender: str, packet: bytes) -> None:
        said = words(packet)
        trick = self.proxy.trick(sender, said)
        match trick and trick["do"]:
            case "cut":
                self.writers[sender].write(packet[: len(packet) // 2])
                for writer in self.writers.values():
                    writer.close()
                return
            case "drop":
                return
            case "repeat":
                packet = packet + packet
            case "change":
                find, put = (bytes.fromhex(trick[name]) for name in ("find", "put"))
                assert find in packet, packet
                packet = packet.replace(find, put, 1)
            case "forge":
                packet = packet + bytes.fromhex(trick["octets"])
            case "split":
                self.splits[sender] = True
            case "gather":
                self.gathered[sender] = (set(trick["until"].split()), [])
        if sender in self.gathered:
            until, waiting = self.gathered[sender]
            waiting.append(packet)
            if not until <= said:
                return
            del self.gathered[sender]
            packet = b"".join(waiting)
        step = 1 if self.splits[sender] else len(packet)
        for at in range(0, len(packet), step):
            self.writers[sender].write(packet[at : at + step])


class Proxy:
    def __init__(self, tricks: list[dict]) -> None:
        self.tricks = tricks
        self.links = 0
        self.log = actor.Log()
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()
        asyncio.run_coroutine_threadsafe(self.serve(), self.loop).result(actor.PATIENCE)

    async def serve(self) -> None:
        await asyncio.start_server(self.accept, FACE, PORT)

    def trick(self, sender: str, said: set[str]) -> dict | None:
        for trick in self.tricks:
            if trick["from"] == sender and set(trick["at"].split()) <= said:
                self.tricks.remove(trick)
                self.log.add({"played", trick["do"]})
                return trick
        return None

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.links += 1
        broker = await asyncio.open_connection(BROKER, PORT, local_addr=(CLIENT, 0))
        for end in (writer, broker[1]):
            # What is written apart is sent apart.
            end.get_extra_info("socket").setsockopt(6, 1, 1)
        link = Link(self, {"client": broker[1], "broker": writer})
        await asyncio.gather(self.pump(link, "client", reader), self.pump(link, "broker", broker[0]))
        self.log.add({"closed"})

    def await_the_end(self) -> None:
        """Until no connection is left, and every packet of theirs was passed on."""
        with self.log.changed:
            ended = lambda: self.log.seen.count({"closed"}) == self.links
            assert self.log.changed.wait_for(ended, actor.PATIENCE)

    @staticmethod
    async def pump(link: Link, sender: str, reader: asyncio.StreamReader) -> None:
        rest = b""
        try:
            while octets := await reader.read(4096):
                whole, rest = split(rest + octets)
                for packet in whole:
                    link.take(sender, packet)
        except ConnectionError:
            pass
        link.writers[sender].close()


class Client:
    """Orders are `connect`, `subscribe FILTER QOS`, `unsubscribe FILTER`,
    `publish TOPIC PAYLOAD QOS [ALIAS]`; `knock`, `ask`, `send`, which are the first, second and last without waiting for
    the answer; `expect TOPIC`, `ended` (by somebody else), `vanish`, `disconnect`."""

    def __init__(self, name: str, level: int = 4, clean: bool = True, expiry: int = 0, manual: bool = False) -> None:
        self.level, self.clean, self.expiry = level, clean, expiry
        options = {} if level == 5 else {"clean_session": clean}
        self.client = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id=name, protocol=LEVELS[level],
                                  reconnect_on_failure=False, manual_ack=True, **options)
        self.manual = manual
        self.answers, self.got, self.ends = queue.Queue(), queue.Queue(), queue.Queue()
        self.client.on_connect = self.client.on_subscribe = self.client.on_unsubscribe = self.answer
        self.client.on_disconnect = lambda *arguments: self.ends.put(arguments)
        self.client.on_message = self.receive

    def answer(self, *arguments) -> None:
        self.answers.put(arguments)

    def receive(self, client, data, message) -> None:
        # Before anybody hears of it: what is sent next stands behind the acknowledgment.
        if not self.manual:
            self.client.ack(message.mid, message.qos)
        self.got.put(message.topic)

    def order(self, what: str) -> None:
        verb, *words = what.split()
        getattr(self, verb)(*words)

    def connect(self) -> None:
        self.knock()
        self.answers.get(timeout=actor.PATIENCE)

    def knock(self) -> None:
        options = {}
        if self.level == 5:
            props = Properties(PacketTypes.CONNECT)
            props.SessionExpiryInterval = self.expiry
            options = {"clean_start": self.clean, "properties": props}
        # Pings would come when the machine is slow.
        self.client.connect(FACE, PORT, keepalive=600, **options)
        self.client.loop_start()

    def ask(self, topic: str, qos: str) -> None:
        self.client.subscribe(topic, int(qos))

    def subscribe(self, topic: str, qos: str) -> None:
        self.ask(topic, qos)
        self.answers.get(timeout=actor.PATIENCE)

    def unsubscribe(self, topic: str) -> None:
        self.client.unsubscribe(topic)
        self.answers.get(timeout=actor.PATIENCE)

    def send(self, topic: str, payload: str, qos: str, alias: str = "") -> paho.MQTTMessageInfo:
        props = None
        if alias:
            props = Properties(PacketTypes.PUBLISH)
            props.TopicAlias = int(alias)
        return self.client.publish("" if topic == "-" else topic, payload, int(qos), properties=props)

    def publish(self, *words: str) -> None:
        self.send(*words).wait_for_publish(actor.PATIENCE)

    def expect(self, topic: str) -> None:
        assert self.got.get(timeout=actor.PATIENCE) == topic

    def ended(self) -> None:
        self.ends.get(timeout=actor.PATIENCE)

    def vanish(self) -> None:
        self.client.loop_stop()
        self.client.socket().close()

    def disconnect(self) -> None:
        self.client.disconnect()
        self.ended()


def start_broker() -> subprocess.Popen:
    path = Path("/proc/self/fd/0")
    broker = subprocess.Popen(["mosquitto", "-c", str(path)], stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    broker.stdin.write(CONFIGURATION)
    broker.stdin.close()
    for line in broker.stderr:
        if "running" in line:
            threading.Thread(target=broker.stderr.read, daemon=True).start()
            return broker
    sys.exit("mosquitto did not start")


def main() -> None:
    scenario = yaml.safe_load(Path(sys.argv[1]).read_text())
    play.build_network({})
    wire = play.Wire(BROKER if scenario["watch"] == "broker" else FACE, sys.argv[2])
    broker = start_broker()
    proxy = Proxy(scenario.get("tricks", []))
    clients = {name: Client(name, **settings) for name, settings in scenario["clients"].items()}
    actors = {**{name: client.order for name, client in clients.items()}, "proxy": proxy.log.wait_next, "wire": wire.order}
    try:
        for step in scenario["steps"]:
            for name, what in step.items():
                actors[name](what)
        assert not proxy.tricks, proxy.tricks
        proxy.await_the_end()
        wire.end()
    finally:
        broker.kill()
        broker.wait()


if __name__ == "__main__":
    main()
