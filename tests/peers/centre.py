"""A controlling station: `centre.py ADDRESS PARAMETERS`; these are a JSON object with t1 to t3, k and w as c104
names them, and the `originator`."""

import json
import sys
import threading
from collections.abc import Callable

import c104

import actor
import points

LOG = actor.Log()
CA = actor.CA


def on_received(connection: c104.Connection, data: bytes) -> None:
    LOG.take("received", data)


def on_sent(connection: c104.Connection, data: bytes) -> None:
    LOG.take("sent", data)


def on_state(connection: c104.Connection, state: c104.ConnectionState) -> None:
    LOG.add({state.name})


class Centre:
    """One link. An order is over when its answer was received; what the library says of its success is not
    asked."""

    def __init__(self, address: str, parameters: dict[str, int]) -> None:
        self.client = c104.Client(tick_rate_ms=50, command_timeout_ms=1000)
        self.client.originator_address = parameters.pop("originator", 0)
        self.link = self.client.add_connection(address, actor.PORT, init=c104.Init.MUTED)
        for name, value in parameters.items():
            setattr(self.link.protocol_parameters, name, value)
        self.link.on_receive_raw(callable=on_received)
        self.link.on_send_raw(callable=on_sent)
        self.link.on_state_change(callable=on_state)
        self.station = self.link.add_station(CA)
        for ioa, (kind, mode) in {**points.COMMANDS, **points.MISSING}.items():
            self.station.add_point(ioa, kind, command_mode=mode)

    def connect(self, _: str) -> None:
        start = LOG.here()
        if not self.client.is_running:
            self.client.start()
        else:
            self.link.connect()
        LOG.wait("OPEN_MUTED", start)

    def disconnect(self, _: str) -> None:
        start = LOG.here()
        self.link.disconnect()
        LOG.wait("CLOSED", start)

    def start(self, _: str) -> None:
        start = LOG.here()
        self.link.unmute()
        LOG.wait("OPEN", start)

    def stop(self, _: str) -> None:
        start = LOG.here()
        self.link.mute()
        LOG.wait("OPEN_MUTED", start)

    def interrogate(self, order: str) -> None:
        """Everything, or `GROUP_1`."""
        group, end = until(order, "C_IC_NA_1 activation_term")
        qualifier = c104.Qoi.__members__[group or "STATION"]
        self.ask(end, lambda: self.link.interrogation(CA, qualifier=qualifier, wait_for_response=False))

    def interrogate_station(self, order: str) -> None:
        """Of that common address."""
        address, end = until(order, "C_IC_NA_1 activation_term")
        self.ask(end, lambda: self.link.interrogation(int(address), wait_for_response=False))

    def counters(self, order: str) -> None:
        _, end = until(order, "C_CI_NA_1 activation_term")
        self.ask(end, lambda: self.link.counter_interrogation(CA, wait_for_response=False))

    def clock(self, order: str) -> None:
        _, end = until(order, "C_CS_NA_1 activation_con")
        self.ask(end, lambda: self.link.clock_sync(CA, wait_for_response=False))

    def test(self, order: str) -> None:
        _, end = until(order, "C_TS_TA_1 activation_con")
        self.ask(end, lambda: self.link.test(CA, with_time=True, wait_for_response=False))

    def read(self, ioa: str) -> None:
        kind, _ = points.MONITORED[int(ioa)]
        point = self.station.get_point(int(ioa)) or self.station.add_point(int(ioa), kind)
        self.ask(f"{ioa} request", point.read)

    def command(self, order: str) -> None:
        """`5001=on 5101=7`, all at once; `5009=on until refused` where the end is another than usual:
        `nothing` is when the library gives up."""
        changes, end = until(order, "")
        start = LOG.here()
        commanded = []
        for change in changes.split():
            ioa, value = change.split("=")
            point = self.station.get_point(int(ioa))
            points.set_value(point, value)
            commanded.append(point)
        threads = [threading.Thread(target=point.transmit, args=[c104.Cot.ACTIVATION]) for point in commanded]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if end == "nothing":
            return
        for point in commanded:
            usual = "activation_con" if point.command_mode == points.DIRECT else "activation_term"
            LOG.wait(f"received {point.io_address} {end or usual}", start)

    @staticmethod
    def ask(end: str, question: Callable[[], bool]) -> None:
        start = LOG.here()
        question()
        if end != "nothing":
            LOG.wait(f"received {end}", start)


def until(order: str, usual: str) -> tuple[str, str]:
    """What to do, and which answer ends it."""
    what, _, end = f" {order} ".partition(" until ")
    return what.strip(), end.strip() or usual


def main() -> None:
    actor.go_first()
    centre = Centre(sys.argv[1], json.loads(sys.argv[2]))
    verbs = (
        "connect", "disconnect", "start", "stop", "interrogate", "interrogate_station", "counters", "clock",
        "test", "read", "command",
    )  # fmt: skip
    actor.act({verb: getattr(centre, verb) for verb in verbs} | {"await": LOG.wait_next})


if __name__ == "__main__":
    main()
