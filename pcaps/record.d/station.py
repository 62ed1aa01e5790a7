"""A controlled station: `station.py NAME SECONDS`. Ends after SECONDS, or at SIGTERM."""

import datetime
import signal
import sys
import threading
import time

import c104

import plan

T = plan.T
# What the standard lets a command be answered with: return information (cause 11) exists for status, not
# for measured values, which are reported as changes.
RETURNS_STATUS = (T.M_SP_NA_1, T.M_DP_NA_1, T.M_ST_NA_1, T.M_BO_NA_1)
WITH_TIME = {
    T.M_SP_NA_1: T.M_SP_TB_1,
    T.M_DP_NA_1: T.M_DP_TB_1,
    T.M_ST_NA_1: T.M_ST_TB_1,
    T.M_BO_NA_1: T.M_BO_TB_1,
    T.M_ME_NA_1: T.M_ME_TD_1,
    T.M_ME_NB_1: T.M_ME_TE_1,
    T.M_ME_NC_1: T.M_ME_TF_1,
    T.M_IT_NA_1: T.M_IT_TB_1,
}

# Events of an ordinary quarter of a minute: seconds, address, value, with time tag? Tagged
# ones come when the centre has given its commands (see `report`).
EVENTS = (
    (3.0, 2102, 144.25, False),
    (3.5, 2001, c104.NormalizedFloat(0.28125), False),
    (8.6, 1003, True, True),
    (8.9, 2102, 147.0, True),
    (9.2, 2001, c104.NormalizedFloat(0.3125), True),
    (9.5, 2003, c104.Int16(-142), True),
    (9.8, 1201, c104.Int7(4), True),
    (10.1, 1301, c104.Byte32(0x00C0FFEF), True),
    (10.4, 3001, 481_517, True),
    (11.0, 1003, False, True),
    (12.0, 1002, True, False),
    (13.0, 2201, c104.NormalizedFloat(-0.46875), False),
)


class Station:
    """One server with its common addresses, their points and what happens to them."""

    def __init__(self, ip: str, common_addresses: tuple[int, ...]) -> None:
        self.server = c104.Server(ip=ip, port=plan.IEC104_PORT, tick_rate_ms=50, select_timeout_ms=5000)
        self.server.on_clock_sync(callable=accept_clock)
        # Long enough that the centre's standby link is the one that tests (t3).
        self.server.protocol_parameters.keep_alive_interval = 30
        self.stations = [self.server.add_station(ca) for ca in common_addresses]
        self.executed: list[tuple[float, c104.Point]] = []
        self.lock = threading.Lock()
        for station in self.stations:
            add_monitored(station)
            self.add_commands(station)

    def add_commands(self, station: c104.Station) -> None:
        types = {ioa: kind for ioa, kind, _ in plan.MONITORED}
        for ioa, kind, mode, moved in plan.COMMANDS:
            point = station.add_point(
                ioa, kind, related_io_address=moved,
                related_io_autoreturn=types[moved] in RETURNS_STATUS, command_mode=mode,
            )
            point.on_receive(callable=self.on_command)

    def on_command(
        self, point: c104.Point, previous_info: c104.Information, message: c104.IncomingMessage
    ) -> c104.ResponseState:
        """Carries the command out; called by the library for the execution, not for the selection."""
        moved = point.station.get_point(point.related_io_address)
        if moved is not None:
            moved.value = moved_to(moved.value, point.value)
        # The library terminates by itself what was selected before, but nothing else.
        if point.command_mode == plan.DIRECT:
            with self.lock:
                self.executed.append((time.monotonic() + 0.2, point))
        return c104.ResponseState.SUCCESS

    def terminate_executed(self) -> None:
        now = time.monotonic()
        with self.lock:
            due = [point for at, point in self.executed if at <= now]
            self.executed = [(at, point) for at, point in self.executed if at > now]
        for point in due:
            point.transmit(c104.Cot.ACTIVATION_TERMINATION)
            moved = point.station.get_point(point.related_io_address)
            if moved is not None and moved.type not in RETURNS_STATUS:
                moved.transmit(c104.Cot.SPONTANEOUS)

    def run(self, seconds: float, ended: threading.Event) -> None:
        self.server.start()
        start = time.monotonic()
        events = list(EVENTS)
        announced = False
        while time.monotonic() - start < seconds and not ended.wait(0.05):
            if not announced and self.server.has_active_connections:
                announced = True
                for station in self.stations:
                    station.signal_initialized(c104.Coi.LOCAL_POWER_ON)
            self.terminate_executed()
            while events and events[0][0] <= time.monotonic() - start:
                _, ioa, value, with_time = events.pop(0)
                for station in self.stations:
                    report(station, ioa, value, with_time)
        self.server.stop()


def accept_clock(server: c104.Server, ip: str, date_time: datetime.datetime) -> c104.ResponseState:
    return c104.ResponseState.SUCCESS


def add_monitored(station: c104.Station) -> None:
    for ioa, kind, value in plan.MONITORED:
        point = station.add_point(ioa, kind, report_ms=plan.CYCLIC.get(ioa, 0))
        set_value(point, value)


def set_value(point: c104.Point, value: object) -> None:
    if point.type in (T.M_IT_NA_1, T.M_IT_TB_1):
        # The library's default for the quality is of the wrong type.
        good = c104.BinaryCounterQuality()
        point.info = c104.BinaryCounterInfo(counter=value, sequence=c104.UInt5(1), quality=good)
    else:
        point.value = value


def moved_to(before: object, command: object) -> object:
    """The state after a command: what was commanded, or one step from where it was."""
    if isinstance(command, c104.Step):
        return c104.Int7(int(before) + (1 if command == c104.Step.HIGHER else -1))
    return command


def report(station: c104.Station, ioa: int, value: object, with_time: bool) -> None:
    """Reports a change. With a time tag the point lends its address to its tagged sibling for a moment:
    the library has one type an address, and would answer interrogations with the tagged one."""
    point = station.get_point(ioa)
    if not with_time:
        set_value(point, value)
        point.transmit(c104.Cot.SPONTANEOUS)
        return
    kind = point.type
    station.remove_point(ioa)
    tagged = station.add_point(ioa, WITH_TIME[kind])
    set_value(tagged, value)
    tagged.transmit(c104.Cot.SPONTANEOUS)
    station.remove_point(ioa)
    set_value(station.add_point(ioa, kind, report_ms=plan.CYCLIC.get(ioa, 0)), value)


def main() -> None:
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    ip, common_addresses = plan.STATIONS[sys.argv[1]]
    Station(ip, common_addresses).run(float(sys.argv[2]), ended)


if __name__ == "__main__":
    main()
