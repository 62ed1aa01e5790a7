"""The head-end of the meters in the control centre, MQTT 5: `collector.py SECONDS`."""

import sys
import time

import paho.mqtt.client as paho
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.subscribeoptions import SubscribeOptions

from mqtt import Peer, properties

METER = "grid/north/feeder12/meter"


def main(seconds: float) -> None:
    start = time.monotonic()
    peer = Peer("collector", paho.MQTTv5)
    peer.must_connect(clean_start=True, properties=properties(
        PacketTypes.CONNECT, ReceiveMaximum=50, RequestProblemInformation=1, MaximumPacketSize=65536,
    ))
    subscribe(peer, 1, "grid/north/+/meter/+/telemetry", "grid/north/+/meter/+/status")
    subscribe(peer, 2, "grid/north/feeder12/sensor/#")
    subscribe(peer, 3, "head-end/answers/collector")
    for number in range(3):
        time.sleep(3)
        peer.publish(
            f"{METER}/4712/request", '{"read":"load-profile"}', qos=1,
            ResponseTopic="head-end/answers/collector", CorrelationData=number.to_bytes(4, "big"),
        )
    peer.publish(f"{METER}/4711/interval", "900", qos=1, retain=True)
    peer.unsubscribe("head-end/answers/collector")
    time.sleep(max(0.0, start + seconds - time.monotonic()))
    peer.disconnect()


def subscribe(peer: Peer, identifier: int, *filters: str) -> None:
    options = SubscribeOptions(qos=2, noLocal=True, retainHandling=SubscribeOptions.RETAIN_SEND_ON_SUBSCRIBE)
    props = properties(PacketTypes.SUBSCRIBE, SubscriptionIdentifier=identifier)
    peer.subscribe([(each, options) for each in filters], properties=props)


if __name__ == "__main__":
    main(float(sys.argv[1]))
