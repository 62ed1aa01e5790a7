"""A meter on feeder 12: `meter.py 4711|4712 SECONDS`.

4711 speaks MQTT 3.1.1 with a will and a session that outlives its connection; 4712 speaks MQTT 5 with topic
aliases and user properties, answers requests, and leaves with its will.
"""

import json
import sys
import time

import paho.mqtt.client as paho
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

from mqtt import Peer, properties

PERIOD = 1.5  # seconds between readings


def topic(number: str, leaf: str) -> str:
    return f"grid/north/feeder12/meter/{number}/{leaf}"


def reading(count: int) -> str:
    return json.dumps({
        "seq": count,
        "u": [230.1 + count % 3 / 10, 229.8, 230.4],
        "p_kw": round(3.2 + count % 7 * 0.15, 2),
        "e_kwh": 48151.6 + count,
    })


def run_v311(seconds: float) -> None:
    start = time.monotonic()
    count = 0
    # A restart in the middle of the run finds the session again.
    for until in (seconds * 0.5, seconds):
        peer = Peer("meter-4711", paho.MQTTv311, clean_session=False)
        peer.client.will_set(topic("4711", "status"), "offline", qos=1, retain=True)
        peer.must_connect()
        peer.publish(topic("4711", "status"), "online", qos=1, retain=True)
        peer.subscribe(topic("4711", "interval"), qos=1)
        while time.monotonic() - start < until:
            peer.publish(topic("4711", "telemetry"), reading(count), qos=count % 2)
            count += 1
            time.sleep(PERIOD)
        peer.publish(topic("4711", "status"), "offline", qos=1, retain=True)
        peer.disconnect()
        time.sleep(1)


def run_v5(seconds: float) -> None:
    start = time.monotonic()
    peer = Peer("meter-4712", paho.MQTTv5)
    will = properties(PacketTypes.WILLMESSAGE, WillDelayInterval=0, ContentType="text/plain")
    peer.client.will_set(topic("4712", "status"), "offline", qos=1, retain=True, properties=will)
    peer.client.on_message = lambda client, data, request: answer(peer, request)
    connect = properties(
        PacketTypes.CONNECT, SessionExpiryInterval=60, ReceiveMaximum=20, TopicAliasMaximum=5,
        UserProperty=("firmware", "3.8.1"),
    )
    peer.must_connect(clean_start=True, properties=connect)
    peer.subscribe(topic("4712", "request"), qos=1)
    peer.publish(topic("4712", "status"), "online", qos=1, retain=True, ContentType="text/plain")
    count = 0
    while time.monotonic() - start < seconds:
        # The first message binds the alias, the others save the topic.
        name = topic("4712", "telemetry") if count == 0 else ""
        peer.publish(
            name, reading(count), TopicAlias=1, ContentType="application/json", MessageExpiryInterval=300,
            PayloadFormatIndicator=1, UserProperty=[("phase", "L123"), ("unit", "kWh")],
        )
        count += 1
        time.sleep(PERIOD)
    peer.disconnect(reasoncode=ReasonCode(PacketTypes.DISCONNECT, "Disconnect with will message"))


def answer(peer: Peer, request: paho.MQTTMessage) -> None:
    props = properties(PacketTypes.PUBLISH, CorrelationData=request.properties.CorrelationData)
    peer.client.publish(request.properties.ResponseTopic, reading(99), qos=1, properties=props)


if __name__ == "__main__":
    {"4711": run_v311, "4712": run_v5}[sys.argv[1]](float(sys.argv[2]))
