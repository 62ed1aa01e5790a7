"""Both ends of a link on which every type goes that c104 speaks: `every_type.py station|centre`.

Values, qualities and qualifiers go through their whole range. The centre asks for the reports by commands
of its own (`GO`), so that nobody waits for a clock.
"""

import datetime
import queue
import signal
import sys
import threading

import c104

import plan
from control import check, start, wait_until

T = plan.T
IP, (CA, _) = plan.STATIONS["north"]
UNKNOWN_CA = 99
ORIGINATOR = 17

GO = 5900  # the next batch of reports, please
UNKNOWN = 5990  # a point that the station does not have
REFUSED = 5991  # one that it does not move

Q = c104.Quality
QUALITIES = (
    Q(), Q.Blocked, Q.Substituted, Q.NonTopical, Q.Invalid, Q.Overflow,
    Q.Blocked | Q.Substituted | Q.NonTopical | Q.Invalid | Q.Overflow,
)  # fmt: skip
C = c104.BinaryCounterQuality
COUNTER_QUALITIES = (C(), C.Carry, C.Adjusted, C.Invalid, C.Carry | C.Adjusted | C.Invalid)
E = c104.EventState
S = c104.StartEvents
O = c104.OutputCircuits
NORMALIZED = (-1.0, -0.5, -1 / 32768, 0.0, 1 / 32768, 0.25, 32767 / 32768)
SCALED = (-32768, -137, -1, 0, 1, 256, 32767)
FINITE = (0.0, -0.0, 20.7, -273.15, 1e-40, 3.4028234663852886e38)
# The infinite ones meet a quality that is invalid.
FLOATS = (*FINITE[:4], float("-inf"), FINITE[5], float("inf"), FINITE[4])
# As octets: the library sends a number below 2^31 as 0.
BITS = tuple(map(bytes.fromhex, ("00000000", "01000000", "80000000", "00000001", "01020304", "ffffffff")))
STEPS = (-64, -1, 0, 1, 63)
COUNTERS = (0, 1, -1, 481_516, 2_147_483_647, -2_147_483_648)
DOUBLES = (c104.Double.INTERMEDIATE, c104.Double.OFF, c104.Double.ON, c104.Double.INDETERMINATE)
MILLISECONDS = (0, 1, 256, 59_999)

UTC = datetime.timezone.utc
# Reports may be old, but not of the future; a command bears the time of its sender.
MOMENTS = (
    datetime.datetime.now(UTC),
    datetime.datetime(2000, 2, 29, 0, 0, 0, 0, UTC),
    datetime.datetime(2025, 12, 31, 23, 59, 59, 999_000, UTC),
)


def cycle(values: tuple, index: int) -> object:
    return values[index % len(values)]


def qualified(info, values: tuple, wrap) -> list:
    """Every value and every quality, each as `info(value, quality)`."""
    count = max(len(values), len(QUALITIES))
    return [info(wrap(cycle(values, at)), cycle(QUALITIES, at)) for at in range(count)]


def singles(**time) -> list:
    qualities = [quality for quality in QUALITIES if quality != Q.Overflow][:-1]
    return [c104.SingleInfo(bool(at % 2), quality, **time) for at, quality in enumerate(qualities)]


def doubles(**time) -> list:
    qualities = [quality for quality in QUALITIES if quality != Q.Overflow][:-1]
    return [c104.DoubleInfo(cycle(DOUBLES, at), quality, **time) for at, quality in enumerate(qualities)]


def of_values(**time) -> dict:
    """Information of every type that has a value with a quality descriptor."""
    return {
        "ST": [
            c104.StepInfo(c104.Int7(value), bool(at % 2), cycle(QUALITIES, at), **time)
            for at, value in enumerate(STEPS + STEPS)
        ],
        "BO": qualified(lambda v, q: c104.BinaryInfo(v, q, **time), BITS, c104.Byte32),
        "NA": qualified(lambda v, q: c104.NormalizedInfo(v, q, **time), NORMALIZED, c104.NormalizedFloat),
        "NB": qualified(lambda v, q: c104.ScaledInfo(v, q, **time), SCALED, c104.Int16),
        "NC": qualified(lambda v, q: c104.ShortInfo(v, q, **time), FLOATS, float),
        "IT": [
            c104.BinaryCounterInfo(value, c104.UInt5(at * 6 % 32), cycle(COUNTER_QUALITIES, at), **time)
            for at, value in enumerate(COUNTERS)
        ],
    }


def untagged() -> dict:
    values = of_values()
    return {
        T.M_SP_NA_1: singles(),
        T.M_DP_NA_1: doubles(),
        T.M_ST_NA_1: values["ST"],
        T.M_BO_NA_1: values["BO"],
        T.M_ME_NA_1: values["NA"],
        T.M_ME_NB_1: values["NB"],
        T.M_ME_NC_1: values["NC"],
        T.M_ME_ND_1: [c104.NormalizedInfo(c104.NormalizedFloat(value)) for value in NORMALIZED],
        T.M_IT_NA_1: values["IT"],
        T.M_PS_NA_1: [
            c104.StatusAndChanged(c104.PackedSingle(status), c104.PackedSingle(changed), cycle(QUALITIES, at))
            for at, (status, changed) in enumerate(((0, 0), (1, 0x8000), (0xA5A5, 0x00FF), (0xFFFF, 0xFFFF)))
        ],
    }


def tagged(moment: datetime.datetime) -> dict:
    time = {"recorded_at": moment}
    values = of_values(**time)
    elapsed = [c104.UInt16(value) for value in MILLISECONDS]
    return {
        T.M_SP_TB_1: singles(**time),
        T.M_DP_TB_1: doubles(**time),
        T.M_ST_TB_1: values["ST"],
        T.M_BO_TB_1: values["BO"],
        T.M_ME_TD_1: values["NA"],
        T.M_ME_TE_1: values["NB"],
        T.M_ME_TF_1: values["NC"],
        T.M_IT_TB_1: values["IT"],
        T.M_EP_TD_1: [
            c104.ProtectionEventInfo(state, elapsed[at], cycle((Q(), Q.ElapsedTimeInvalid, Q.Invalid), at), **time)
            for at, state in enumerate((E.INTERMEDIATE, E.OFF, E.ON, E.INDETERMINATE))
        ],
        T.M_EP_TE_1: [
            c104.ProtectionStartInfo(events, elapsed[at], cycle((Q(), Q.ElapsedTimeInvalid, Q.Invalid), at), **time)
            for at, events in enumerate((
                S.General | S.PhaseL1,
                S.PhaseL2 | S.PhaseL3,
                S.InEarthCurrent | S.ReverseDirection,
            ))
        ],
        T.M_EP_TF_1: [
            c104.ProtectionCircuitInfo(circuits, elapsed[at], cycle((Q(), Q.ElapsedTimeInvalid, Q.Invalid), at), **time)
            for at, circuits in enumerate((O.General | O.PhaseL1, O.PhaseL2, O.PhaseL3))
        ],
    }


# One object an ASDU (IEC 60870-5-101, 7.3.1.18 and 7.3.1.19).
ALONE = (T.M_EP_TE_1, T.M_EP_TF_1)


# Commands by type: what is sent, one after another. A time tag where the type has one.
def commands(**time) -> list[list]:
    qualifiers = (c104.Qoc.NONE, c104.Qoc.SHORT_PULSE, c104.Qoc.LONG_PULSE, c104.Qoc.PERSISTENT)
    levels = (c104.UInt7(0), c104.UInt7(64), c104.UInt7(127))  # 1 to 63 are reserved
    return [
        [c104.SingleCmd(bool(at % 2), qualifier, **time) for at, qualifier in enumerate(qualifiers)],
        [
            c104.DoubleCmd(c104.Double.ON if at % 2 else c104.Double.OFF, qualifier, **time)
            for at, qualifier in enumerate(qualifiers)
        ],
        [
            c104.StepCmd(c104.Step.HIGHER if at % 2 else c104.Step.LOWER, qualifier, **time)
            for at, qualifier in enumerate(qualifiers)
        ],
        [c104.NormalizedCmd(c104.NormalizedFloat(v), cycle(levels, at), **time) for at, v in enumerate(NORMALIZED)],
        [c104.ScaledCmd(c104.Int16(v), cycle(levels, at), **time) for at, v in enumerate(SCALED)],
        [c104.ShortCmd(v, cycle(levels, at), **time) for at, v in enumerate(FINITE)],
        [c104.BinaryCmd(c104.Byte32(v), **time) for v in BITS],
    ]


COMMAND_TYPES = (
    (T.C_SC_NA_1, T.C_SC_TA_1),
    (T.C_DC_NA_1, T.C_DC_TA_1),
    (T.C_RC_NA_1, T.C_RC_TA_1),
    (T.C_SE_NA_1, T.C_SE_TA_1),
    (T.C_SE_NB_1, T.C_SE_TB_1),
    (T.C_SE_NC_1, T.C_SE_TC_1),
    (T.C_BO_NA_1, T.C_BO_TA_1),
)
COMMAND_CODES = {int(kind) for pair in COMMAND_TYPES for kind in pair}


def command_addresses() -> list[tuple[int, c104.Type, c104.CommandMode]]:
    """Each type once direct and once with selection."""
    kinds = [kind for pair in COMMAND_TYPES for kind in pair]
    # A bitstring command has no bit for it.
    selectable = [kind for kind in kinds if kind not in (T.C_BO_NA_1, T.C_BO_TA_1)]
    return [(5000 + int(kind), kind, plan.DIRECT) for kind in kinds] + [
        (5100 + int(kind), kind, plan.SBO) for kind in selectable
    ]


class Station:
    """Answers, and sends the next of its `reports` whenever the centre says GO."""

    def __init__(self) -> None:
        self.server = c104.Server(ip=IP, port=plan.IEC104_PORT, tick_rate_ms=50, select_timeout_ms=5000)
        self.server.on_clock_sync(callable=accept_clock)
        self.station = self.server.add_station(CA)
        self.work: queue.Queue = queue.Queue()
        self.reports = iter([untagged(), *map(tagged, MOMENTS)])
        # What interrogations, requests and counter interrogations find.
        for kind, infos in untagged().items():
            for at, info in enumerate(infos[:3]):
                self.station.add_point(1000 + 20 * int(kind) + at, kind).info = info
        for ioa, kind, mode in command_addresses():
            self.station.add_point(ioa, kind, command_mode=mode).on_receive(callable=self.on_command)
        self.station.add_point(GO, T.C_SC_NA_1).on_receive(callable=self.on_command)
        self.station.add_point(REFUSED, T.C_SC_NA_1).on_receive(callable=refuse)

    def on_command(
        self, point: c104.Point, previous_info: c104.Information, message: c104.IncomingMessage
    ) -> c104.ResponseState:
        self.work.put(point)
        return c104.ResponseState.SUCCESS

    def run(self, ended: threading.Event) -> None:
        self.server.start()
        while not ended.is_set():
            try:
                point = self.work.get(timeout=0.05)
            except queue.Empty:
                continue
            # The library terminates by itself what was selected before, but nothing else.
            if point.command_mode == plan.DIRECT:
                point.transmit(c104.Cot.ACTIVATION_TERMINATION)
            if point.io_address == GO:
                self.report(next(self.reports))
        self.server.stop()

    def report(self, information: dict) -> None:
        """The points go away again, or interrogations would be answered with tagged types."""
        for kind, infos in information.items():
            # Consecutive addresses would be sent as a sequence, which types with a time tag may not be.
            points = [self.station.add_point(100_000 + 1000 * int(kind) + 3 * at, kind) for at in range(len(infos))]
            for point, info in zip(points, infos, strict=True):
                point.info = info
            if kind in ALONE:
                sent = all([point.transmit(c104.Cot.SPONTANEOUS) for point in points])
            else:
                sent = self.server.transmit_batch(c104.Batch(c104.Cot.SPONTANEOUS, points))
            if not sent:
                sys.exit(f"{kind}: not sent")
            for point in points:
                self.station.remove_point(point.io_address)
        self.station.signal_initialized(c104.Coi.REMOTE_RESET)


def accept_clock(server: c104.Server, ip: str, date_time: datetime.datetime) -> c104.ResponseState:
    return c104.ResponseState.SUCCESS


def refuse(point: c104.Point, previous_info: c104.Information, message: c104.IncomingMessage) -> c104.ResponseState:
    return c104.ResponseState.FAILURE


class Centre:
    def __init__(self) -> None:
        self.client = c104.Client(tick_rate_ms=50, command_timeout_ms=2000)
        self.client.originator_address = ORIGINATOR
        self.link = plan.connect_muted(self.client, IP)
        self.station = self.link.add_station(CA)
        self.initialized = threading.Semaphore(0)
        self.terminated = threading.Semaphore(0)
        self.client.on_station_initialized(callable=self.on_initialized)
        self.link.on_receive_raw(callable=self.on_apdu)

    def on_initialized(self, client: c104.Client, station: c104.Station, cause: c104.Coi) -> None:
        self.initialized.release()

    def on_apdu(self, connection: c104.Connection, data: bytes) -> None:
        """Only who waits for the termination knows that a command is over: the library's answer is the first
        APDU that fits, be it the termination of the command before."""
        if len(data) > 8 and data[6] in COMMAND_CODES and data[8] & 0x3F == 10:
            self.terminated.release()

    def run(self) -> None:
        self.client.start()
        wait_until(lambda: self.link.is_connected, "the link")
        start(self.link)
        self.ask()
        for _ in range(1 + len(MOMENTS)):
            self.command(self.add(GO, T.C_SC_NA_1, plan.DIRECT), c104.SingleCmd(True))
            check(self.initialized.acquire(timeout=10), "a batch of reports")
        self.give_commands()
        self.be_refused()
        check(self.link.mute(), "STOPDT")
        wait_until(lambda: self.link.is_muted, "the confirmation of STOPDT")
        self.client.stop()

    def ask(self) -> None:
        link = self.link
        check(link.clock_sync(CA), "clock synchronisation")
        check(link.test(CA, with_time=True), "test with time")
        link.test(CA, with_time=False, wait_for_response=False)  # the library does not know its answer
        check(link.interrogation(CA), "general interrogation")
        link.interrogation(CA, qualifier=c104.Qoi.GROUP_1)
        link.interrogation(CA, qualifier=c104.Qoi.GROUP_16)
        for request in (c104.Rqt.GENERAL, c104.Rqt.GROUP_1, c104.Rqt.GROUP_4):
            for freeze in (c104.Frz.READ, c104.Frz.FREEZE_WITHOUT_RESET, c104.Frz.FREEZE_WITH_RESET,
                           c104.Frz.COUNTER_RESET):  # fmt: skip
                link.counter_interrogation(CA, qualifier=request, freeze=freeze)
        for kind in untagged():
            self.add(1000 + 20 * int(kind), kind, plan.DIRECT).read()

    def add(self, ioa: int, kind: c104.Type, mode: c104.CommandMode) -> c104.Point:
        return self.station.get_point(ioa) or self.station.add_point(ioa, kind, command_mode=mode)

    def command(self, point: c104.Point, info: c104.Information) -> None:
        point.info = info
        point.transmit(c104.Cot.ACTIVATION)
        check(self.terminated.acquire(timeout=5), f"command {point.type} to {point.io_address}")

    def give_commands(self) -> None:
        plain, tagged = commands(), commands(recorded_at=MOMENTS[0])
        infos = {}
        for pair, without, with_time in zip(COMMAND_TYPES, plain, tagged, strict=True):
            infos |= zip(pair, (without, with_time), strict=True)
        for ioa, kind, mode in command_addresses():
            point = self.add(ioa, kind, mode)
            for info in infos[kind]:
                self.command(point, info)

    def be_refused(self) -> None:
        """Negative confirmation; unknown point; unknown station."""
        self.add(REFUSED, T.C_SC_NA_1, plan.DIRECT).transmit(c104.Cot.ACTIVATION)
        self.add(UNKNOWN, T.C_DC_NA_1, plan.DIRECT).transmit(c104.Cot.ACTIVATION)
        self.link.interrogation(UNKNOWN_CA)


def main() -> None:
    if sys.argv[1] == "station":
        ended = threading.Event()
        signal.signal(signal.SIGTERM, lambda *_: ended.set())
        Station().run(ended)
    else:
        plan.go_first()
        Centre().run()


if __name__ == "__main__":
    main()
