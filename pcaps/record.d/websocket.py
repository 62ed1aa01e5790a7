"""The same conversation twice: over TCP, and over WebSocket.

    websocket.py tcp|websockets

Every step waits for its answer, so that both say the same in the same order.
"""

import sys
import threading

import paho.mqtt.client as paho

import mqtt
import plan

WEBSOCKET_PORT = 9001
TOPIC = "grid/north/feeder12/meter/4711/telemetry"


class Panel(mqtt.Peer):
    """A panel of the control centre: what it publishes comes back to it."""

    def __init__(self, version: int, transport: str, **options) -> None:
        super().__init__("collector", version, keepalive=60, transport=transport, **options)
        self.port = WEBSOCKET_PORT if transport == "websockets" else plan.MQTT_PORT
        self.arrived = threading.Event()
        self.client.on_message = lambda *_: self.arrived.set()
        if transport == "websockets":
            self.client.ws_set_options(path="/mqtt", headers={"User-Agent": "panel/1.0", "Origin": "https://panel"})

    def connect(self, **options) -> bool:
        self.answered.clear()
        self.client.connect(plan.BROKER, self.port, keepalive=self.keepalive, **options)
        self.client.loop_start()
        return self.answered.wait(mqtt.WAIT) and not self.reason.is_failure

    def echo(self, payload: str, qos: int, topic: str = TOPIC, **options) -> None:
        self.arrived.clear()
        self.publish(topic, payload, qos=qos, **options)
        if not self.arrived.wait(mqtt.WAIT):
            raise SystemExit("websocket: nothing came back")


def talk(version: int, transport: str) -> None:
    panel = Panel(version, transport)
    panel.client.will_set("grid/panel/status", "gone", qos=1, retain=True)
    panel.must_connect()
    panel.subscribe(TOPIC, 2)
    for qos in (0, 1, 2):
        panel.echo(f'{{"seq":{qos},"kw":17.5}}', qos)
    # More than a segment.
    panel.echo("7" * 1800, 1)
    panel.echo("", 0, retain=True)
    if panel.v5:
        panel.echo("18.5", 0, TopicAlias=1, UserProperty=("unit", "kW"), ContentType="text/plain")
        panel.echo("19.5", 0, topic="", TopicAlias=1)
    panel.unsubscribe(TOPIC)
    panel.disconnect()


def refused(transport: str) -> None:
    """A password that is wrong."""
    panel = Panel(paho.MQTTv311, transport, password="guess")
    if panel.connect():
        raise SystemExit("websocket: let in with a wrong password")


if __name__ == "__main__":
    for version in (paho.MQTTv311, paho.MQTTv5):
        talk(version, sys.argv[1])
    refused(sys.argv[1])
