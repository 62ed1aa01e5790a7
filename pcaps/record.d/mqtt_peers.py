"""paho-mqtt plays what a client can do, one scene after the other, at each level: `mqtt_peers.py`.

Nobody waits for a clock: a scene goes on when the broker has answered, or when a message has come.
"""

import queue
import random
import threading

import paho.mqtt.client as paho
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from mqtt import WAIT, Peer, properties

LEVELS = {3: paho.MQTTv31, 4: paho.MQTTv311, 5: paho.MQTTv5}
LARGE = 70_000  # more than is kept of a payload


class Guest(Peer):
    """A peer that keeps what it was sent."""

    def __init__(self, name: str, level: int, *, clean: bool = True, expiry: int = 0, **options) -> None:
        self.level = level
        self.clean = clean
        self.expiry = expiry
        if level < 5:
            options["clean_session"] = clean
        super().__init__(name, LEVELS[level], **options)
        self.got: queue.Queue[paho.MQTTMessage] = queue.Queue()
        self.client.on_message = lambda client, data, message: self.got.put(message)

    def join(self, **fields: object) -> "Guest":
        if self.level < 5:
            self.must_connect()
            return self
        if self.expiry:
            fields["SessionExpiryInterval"] = self.expiry
        props = properties(PacketTypes.CONNECT, **fields) if fields else None
        self.must_connect(clean_start=self.clean, properties=props)
        return self

    def expect(self, count: int = 1) -> paho.MQTTMessage:
        return [self.got.get(timeout=WAIT) for _ in range(count)][-1]

    def await_ping(self) -> None:
        """Until nothing else was to say, and the broker has answered that."""
        pinged = threading.Event()
        self.client.on_log = lambda client, data, level, line: "PINGRESP" in line and pinged.set()
        assert pinged.wait(WAIT)

    def vanish(self) -> None:
        """The connection breaks: no DISCONNECT."""
        self.client.loop_stop()
        self.client.socket().close()


def everyday(level: int) -> None:
    """QoS 0 to 2, a retained message, pings, UNSUBSCRIBE."""
    reader = Guest("historian", level, client_id=f"reader-{level}", keepalive=1).join()
    reader.subscribe([(f"site/{level}/+/power", 0), (f"site/{level}/#", 2)] if level < 5 else f"site/{level}/#", qos=2)
    writer = Guest("collector", level, client_id=f"writer-{level}").join()
    for qos in range(3):
        writer.publish(f"site/{level}/a/power", f"{{\"mw\": 17.{qos}}}", qos=qos)
    reader.expect(3)
    writer.publish(f"site/{level}/a/état", "en service", qos=1, retain=True)
    reader.expect()
    late = Guest("gateway", level, client_id=f"late-{level}").join()
    late.subscribe(f"site/{level}/a/état", qos=1)
    assert late.expect().retain
    writer.publish(f"site/{level}/a/état", b"", qos=1, retain=True)
    late.expect()
    writer.publish(f"site/{level}/a/image", bytes(range(256)), qos=1)
    reader.expect(2)
    late.unsubscribe(f"site/{level}/a/état")
    reader.await_ping()
    for peer in (late, writer, reader):
        peer.disconnect()


def last_will(level: int) -> None:
    """A client dies; another hears of it."""
    heir = Guest("historian", level, client_id=f"heir-{level}").join()
    heir.subscribe(f"wills/{level}", qos=1)
    mortal = Guest("collector", level, client_id=f"mortal-{level}", expiry=30)
    fields = {"WillDelayInterval": 1, "ContentType": "text/plain", "PayloadFormatIndicator": 1,
              "MessageExpiryInterval": 60, "ResponseTopic": "wills/answer", "CorrelationData": b"\x00\xff",
              "UserProperty": ("cause", "silence")}
    props = properties(PacketTypes.WILLMESSAGE, **fields) if level == 5 else None
    mortal.client.will_set(f"wills/{level}", "gone", qos=1, retain=level == 4, properties=props)
    mortal.join()
    mortal.vanish()
    heir.expect()
    heir.disconnect()


def refused(level: int) -> None:
    """A wrong password; then a guest who may not do what it asks for."""
    assert not Guest("collector", level, client_id=f"liar-{level}", password="wrong").connect()
    guest = Guest("guest", level, client_id=f"guest-{level}").join()
    guest.subscribe([("private/#", 1), ("public/#", 1)] if level < 5 else [
        ("private/#", SubscribeOptions(qos=1)), ("public/#", SubscribeOptions(qos=1))])
    guest.publish("private/door", "open", qos=1)
    guest.disconnect()


def large(level: int) -> None:
    """More than 64 KiB in one message."""
    payload = random.Random(1).randbytes(LARGE)
    writer = Guest("collector", level, client_id=f"camera-{level}").join()
    writer.publish("site/camera", payload, qos=1)
    writer.disconnect()


def taken_over(level: int) -> None:
    """Two clients of one name."""
    ended = queue.Queue()
    first = Guest("collector", level, client_id=f"twin-{level}")
    first.client.on_disconnect = lambda *arguments: ended.put(arguments)
    first.join()
    second = Guest("collector", level, client_id=f"twin-{level}").join()
    ended.get(timeout=WAIT)
    second.disconnect()


def resumed(level: int) -> None:
    """A session outlives its connection, with messages under way in both directions."""
    settings = {"client_id": f"sleeper-{level}", "clean": False, "expiry": 300}
    sleeper = Guest("gateway", level, manual_ack=True, **settings).join()
    sleeper.subscribe([("night/1", 1), ("night/2", 2)] if level < 5 else [
        ("night/1", SubscribeOptions(qos=1)), ("night/2", SubscribeOptions(qos=2))])
    writer = Guest("collector", level, client_id=f"night-{level}").join()
    writer.publish("night/1", "never acknowledged", qos=1)
    sleeper.expect()
    # Nobody reads the answer to this one.
    sleeper.client.loop_stop()
    sleeper.client.publish("night/3", "sent twice", qos=2)
    sleeper.client.socket().close()
    writer.publish("night/1", "while asleep", qos=1)
    writer.publish("night/2", "while asleep", qos=2)
    # The same client goes on: it knows what it has sent.
    sleeper.client.manual_ack_set(False)
    sleeper.answered.clear()
    sleeper.client.reconnect()
    sleeper.client.loop_start()
    assert sleeper.answered.wait(WAIT)
    sleeper.expect(3)
    sleeper.publish("night/1", "own", qos=1)
    sleeper.expect()
    for peer in (sleeper, writer):
        peer.disconnect()


def only_of_5() -> None:
    shared()
    aliases()
    request()
    options()
    nameless()
    sent_away()


def shared() -> None:
    """Three messages go to two members of a group."""
    members = [Guest("historian", 5, client_id=f"member-{number}").join() for number in range(2)]
    for member in members:
        member.subscribe("$share/group/queue/#", qos=1)
    writer = Guest("collector", 5, client_id="dealer").join()
    for count in range(4):
        writer.publish("queue/tasks", f"task {count}", qos=1)
    for member in members:
        member.expect(2)
    for peer in (*members, writer):
        peer.disconnect()


def aliases() -> None:
    """Set, used, set anew, used again; the broker has none for us."""
    reader = Guest("historian", 5, client_id="alias-reader").join(TopicAliasMaximum=3)
    reader.subscribe("alias/#", qos=0)
    writer = Guest("collector", 5, client_id="alias-writer").join()
    for topic, alias in (("alias/one", 1), ("", 1), ("alias/ten", 10), ("", 10), ("alias/two", 1), ("", 1)):
        writer.publish(topic, "x", qos=alias % 2, TopicAlias=alias)
    reader.expect(6)
    for peer in (writer, reader):
        peer.disconnect()


def request() -> None:
    """A question and its answer, with every property that a message can have."""
    server = Guest("gateway", 5, client_id="server").join(ReceiveMaximum=5, MaximumPacketSize=2000)
    server.subscribe("requests/#", options=SubscribeOptions(qos=2), properties=properties(
        PacketTypes.SUBSCRIBE, SubscriptionIdentifier=300, UserProperty=[("who", "server")]))
    client = Guest("collector", 5, client_id="client").join(
        RequestResponseInformation=1, RequestProblemInformation=0, UserProperty=[("firmware", "3.8.1"), ("firmware", "β")])
    client.subscribe("answers/client", qos=1)
    client.publish("requests/state", "{}", qos=2, ContentType="application/json", PayloadFormatIndicator=1,
                   MessageExpiryInterval=10, ResponseTopic="answers/client", CorrelationData=b"\x01\x80\xfe",
                   UserProperty=[("trace", "1"), ("trace", "2")])
    asked = server.expect().properties
    server.publish(asked.ResponseTopic, "{\"state\": \"on\"}", qos=1, CorrelationData=asked.CorrelationData)
    client.expect()
    client.disconnect(reasoncode=ReasonCode(PacketTypes.DISCONNECT, "Disconnect with will message"),
                      properties=properties(PacketTypes.DISCONNECT, SessionExpiryInterval=0, UserProperty=("why", "done")))
    server.disconnect()


def options() -> None:
    """What a subscription can say, and codes that are no success and no failure."""
    peer = Guest("collector", 5, client_id="picky").join()
    peer.publish("kept/one", "1", qos=1, retain=True)
    for handling, no_local, published in ((0, False, True), (1, True, False), (2, True, True)):
        wanted = SubscribeOptions(qos=1, noLocal=no_local, retainAsPublished=published, retainHandling=handling)
        peer.subscribe([("kept/#", wanted), ("other/+", wanted)])
    peer.expect()
    peer.unsubscribe(["kept/#", "never/subscribed"])
    peer.publish("nobody/listens", "?", qos=2)
    peer.publish("nobody/listens", "?", qos=1)
    peer.publish("kept/one", b"", qos=0, retain=True)
    peer.disconnect()


def nameless() -> None:
    """The broker gives a name and a shorter keep-alive; then it is asked for a login that it does not know."""
    Guest("collector", 5, client_id="", keepalive=600).join().disconnect()
    stranger = Guest("collector", 5, client_id="stranger")
    fields = properties(PacketTypes.CONNECT, AuthenticationMethod="SCRAM-SHA-256", AuthenticationData=b"n,,n=u,r=x")
    assert not stranger.connect(clean_start=True, properties=fields)


def sent_away() -> None:
    """The only one that breaks the standard: an alias above the broker's maximum, which ends the connection."""
    rude = Guest("collector", 5, client_id="rude")
    ended = queue.Queue()
    rude.client.on_disconnect = lambda *arguments: ended.put(arguments)
    rude.join()
    # It knows what the broker said when it goes on.
    rude.publish("alias/ten", "x", qos=1, TopicAlias=10)
    rude.client.publish("alias/eleven", "x", qos=1, properties=properties(PacketTypes.PUBLISH, TopicAlias=11))
    ended.get(timeout=WAIT)


def main() -> None:
    for level in LEVELS:
        for scene in (everyday, last_will, refused, taken_over, resumed):
            scene(level)
    large(4)
    only_of_5()


if __name__ == "__main__":
    main()
