"""The controlled station: `station.py PARAMETERS`, a JSON object with t1 to t3, k and w as c104 names them."""

import datetime
import json
import sys

import c104

import actor
import points

LOG = actor.Log()


def on_received(server: c104.Server, data: bytes) -> None:
    LOG.take("received", data)


def on_sent(server: c104.Server, data: bytes) -> None:
    LOG.take("sent", data)


def on_clock(server: c104.Server, ip: str, date_time: datetime.datetime) -> c104.ResponseState:
    return c104.ResponseState.SUCCESS


def on_command(
    point: c104.Point, previous_info: c104.Information, message: c104.IncomingMessage
) -> c104.ResponseState:
    """Called for the execution, not for the selection."""
    refused = point.io_address in points.REFUSED
    return c104.ResponseState.FAILURE if refused else c104.ResponseState.SUCCESS


def main() -> None:
    actor.go_first()
    server = c104.Server(ip=actor.STATION, port=actor.PORT, tick_rate_ms=50, select_timeout_ms=5000)
    for name, value in json.loads(sys.argv[1]).items():
        setattr(server.protocol_parameters, name, value)
    station = server.add_station(actor.CA)
    for address, (kind, value) in points.MONITORED.items():
        points.set_value(station.add_point(address, kind), value)
    for address, (kind, mode) in points.COMMANDS.items():
        station.add_point(address, kind, command_mode=mode).on_receive(callable=on_command)
    server.on_clock_sync(callable=on_clock)
    server.on_receive_raw(callable=on_received)
    server.on_send_raw(callable=on_sent)
    server.start()

    def report(changes: str) -> None:
        """`2101=21.5 2102=140`: each a report of its own."""
        for change in changes.split():
            address, value = change.split("=")
            point = station.get_point(int(address))
            points.set_value(point, value)
            point.transmit(c104.Cot.SPONTANEOUS)

    def initialised(_: str) -> None:
        station.signal_initialized(c104.Coi.LOCAL_POWER_ON)

    def terminate(address: str) -> None:
        """The library terminates by itself what was selected before, but nothing else."""
        station.get_point(int(address)).transmit(c104.Cot.ACTIVATION_TERMINATION)

    actor.act({"report": report, "initialised": initialised, "terminate": terminate, "await": LOG.wait_next})


if __name__ == "__main__":
    main()
