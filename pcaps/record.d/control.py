"""The control centre: `control.py main|standby|hand SECONDS`.

`main` is the controlling station; `standby` holds a link to one station that was never started and is
only tested (TESTFR), as a redundant centre does; `hand` is an operator who switches one point on and off.
"""

import sys
import time

import c104

import plan

T = plan.T


def check(done: bool, what: str) -> None:
    """A step that fails must not be recorded."""
    if not done:
        sys.exit(f"{what} failed")


class Centre:
    """One client, one link a station."""

    def __init__(self) -> None:
        self.client = c104.Client(tick_rate_ms=50, command_timeout_ms=5000)
        self.links: dict[int, c104.Connection] = {}
        for ip, common_addresses in plan.STATIONS.values():
            link = plan.connect_muted(self.client, ip)
            for ca in common_addresses:
                add_points(link.add_station(ca))
                self.links[ca] = link

    def connect(self) -> None:
        self.client.start()
        for ca, link in self.links.items():
            wait_until(lambda link=link: link.is_connected, f"link to {ca}")
        for link in self.client.connections:
            start(link)

    def initialise(self, ca: int) -> None:
        link = self.links[ca]
        check(link.clock_sync(ca), "clock synchronisation")
        check(link.interrogation(ca), "general interrogation")
        check(link.counter_interrogation(ca), "counter interrogation")

    def command(self, ca: int, ioa: int, value: object) -> None:
        point = self.links[ca].get_station(ca).get_point(ioa)
        point.value = value
        check(point.transmit(c104.Cot.ACTIVATION), f"command {point.type} to {ca}/{ioa}")
        time.sleep(0.35)  # the station acts, and terminates

    def relink(self, ca: int) -> None:
        """Closes a link and opens it again, as after maintenance."""
        link = self.links[ca]
        link.disconnect()
        wait_until(lambda: not link.is_connected, "disconnect")
        time.sleep(0.5)
        link.connect()
        wait_until(lambda: link.is_connected, "reconnect")
        start(link)
        check(link.interrogation(ca), "general interrogation")


# One command of each kind, spread over the stations; no point is moved twice.
COMMANDS = (
    (11, 5001, True),
    (11, 5101, c104.Double.OFF),
    (12, 5301, c104.NormalizedFloat(0.5)),
    (21, 5002, True),
    (21, 5102, c104.Double.ON),
    (21, 5201, c104.Step.HIGHER),
    (21, 5302, c104.Int16(-120)),
    (31, 5003, True),
    (31, 5303, 20.5),
    (31, 5304, 151.75),
    (31, 5401, c104.Byte32(0x00000001)),
)


def add_points(station: c104.Station) -> None:
    for ioa, kind, mode, _ in plan.COMMANDS:
        station.add_point(ioa, kind, command_mode=mode)


def start(link: c104.Connection) -> None:
    check(link.unmute(), "STARTDT")
    wait_until(lambda: not link.is_muted, "the confirmation of STARTDT")


def wait_until(holds, what: str) -> None:
    for _ in range(100):
        if holds():
            return
        time.sleep(0.05)
    sys.exit(f"waited in vain for {what}")


def run_main(seconds: float) -> None:
    began = time.monotonic()
    centre = Centre()
    centre.connect()
    for ca in centre.links:
        centre.initialise(ca)
    time.sleep(2)
    for ca, ioa, value in COMMANDS:
        centre.command(ca, ioa, value)
    centre.relink(31)
    for ca, link in centre.links.items():
        check(link.interrogation(ca), "general interrogation")
        check(link.counter_interrogation(ca), "counter interrogation")
    time.sleep(max(0.0, began + seconds - time.monotonic()))
    centre.client.stop()


def run_standby(seconds: float) -> None:
    client = c104.Client(tick_rate_ms=50)
    link = plan.connect_muted(client, plan.STATIONS["north"][0])
    link.protocol_parameters.keep_alive_interval = 4  # t3, seconds
    client.start()
    wait_until(lambda: link.is_connected, "standby link")
    time.sleep(seconds)
    client.stop()


def run_hand(seconds: float) -> None:
    client = c104.Client(tick_rate_ms=50, command_timeout_ms=5000)
    link = plan.connect_muted(client, plan.STATIONS["north"][0])
    point = link.add_station(11).add_point(5001, T.C_SC_NA_1)
    client.start()
    wait_until(lambda: link.is_connected, "the link")
    start(link)
    for state in (True, False, True):
        time.sleep(seconds / 4)
        point.value = state
        check(point.transmit(c104.Cot.ACTIVATION), "the operator's command")
    time.sleep(seconds / 4)
    client.stop()


if __name__ == "__main__":
    plan.go_first()
    {"main": run_main, "standby": run_standby, "hand": run_hand}[sys.argv[1]](float(sys.argv[2]))
