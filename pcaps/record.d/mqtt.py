"""What the MQTT peers share: a paho client that connects, waits for each answer, and says goodbye."""

import threading
import time

import paho.mqtt.client as paho
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

import plan

WAIT = 5  # seconds for any answer of the broker

# The same table feeds the broker's password file. One of them is weak.
PASSWORDS = {
    "collector": "9sLr-Qc71",
    "historian": "Vt5-mmKe2",
    "gateway": "pX8-zz31w",
    "meter-4711": "a7-HhTq02",
    "meter-4712": "b3-NwRy48",
    "meter-4713": "c9-KdVu16",
    "sensor-t21": "d1-PfXe77",
    "guest": "guest",
}


def properties(packet: int, **fields: object) -> Properties:
    made = Properties(packet)
    for name, value in fields.items():
        setattr(made, name, value)
    return made


class Peer:
    """A client whose calls return when the broker has answered."""

    def __init__(self, name: str, version: int, *, keepalive: int = 5, password: str | None = None, **options) -> None:
        self.v5 = version == paho.MQTTv5
        self.keepalive = keepalive
        self.answered = threading.Event()
        self.reason: object = None
        self.client = paho.Client(
            paho.CallbackAPIVersion.VERSION2, client_id=options.pop("client_id", name), protocol=version,
            reconnect_on_failure=False, **options,
        )
        self.client.username_pw_set(name, PASSWORDS.get(name) if password is None else password)
        self.client.on_connect = self.on_connect
        self.client.on_subscribe = lambda *_: self.answered.set()
        self.client.on_unsubscribe = lambda *_: self.answered.set()

    def on_connect(self, client, userdata, flags, reason, props) -> None:
        self.reason = reason
        self.answered.set()

    def connect(self, **options) -> bool:
        """True if the broker let us in."""
        self.answered.clear()
        self.client.connect(plan.BROKER, plan.MQTT_PORT, keepalive=self.keepalive, **options)
        self.client.loop_start()
        accepted = self.answered.wait(WAIT) and not self.reason.is_failure
        if not accepted:
            self.client.loop_stop()
        return accepted

    def must_connect(self, **options) -> None:
        if not self.connect(**options):
            raise SystemExit(f"mqtt: refused: {self.reason}")

    def subscribe(self, *arguments, **options) -> None:
        self.answered.clear()
        self.client.subscribe(*arguments, **options)
        self.answered.wait(WAIT)

    def unsubscribe(self, topic: str) -> None:
        self.answered.clear()
        self.client.unsubscribe(topic)
        self.answered.wait(WAIT)

    def publish(self, topic: str, payload: object, qos: int = 0, retain: bool = False, **fields: object) -> None:
        props = properties(PacketTypes.PUBLISH, **fields) if fields else None
        self.client.publish(topic, payload, qos=qos, retain=retain, properties=props).wait_for_publish(WAIT)

    def disconnect(self, **options) -> None:
        time.sleep(0.3)  # let the last answers come, or the socket closes with a reset
        self.client.disconnect(**options)
        self.client.loop_stop()


def write_passwords() -> None:
    """The lines that `mosquitto_passwd -U` then turns into hashes."""
    for user, password in PASSWORDS.items():
        print(f"{user}:{password}")


if __name__ == "__main__":
    write_passwords()
