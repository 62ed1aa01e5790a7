"""What is common to the pieces of a scenario: each is a process of its own that does what lines on its
standard input say, and answers each with `done` or with what went wrong. Whoever waits, waits for something
that is seen or for a bound that only a failure reaches."""

import os
import sys
import threading
from collections.abc import Callable

import apdu

PORT = 2404
STATION = "10.0.0.21"
# Who controls, and where the proxy listens for each; there it takes their address on.
CENTRES = {"centre": ("10.0.0.1", "10.0.0.101"), "second": ("10.0.0.2", "10.0.0.102")}
# The common address of the station.
CA = 11

# Seconds.
PATIENCE = 60.0


class Log:
    """What was seen, in order."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.seen: list[set[str]] = []
        self.cursor = 0

    def add(self, words: set[str]) -> None:
        with self.changed:
            self.seen.append(words)
            self.changed.notify_all()

    def here(self) -> int:
        """Where whatever is seen from now on will stand."""
        with self.changed:
            return len(self.seen)

    def wait(self, wanted: str, start: int) -> None:
        """Waits for something that has all these words; a later `await` looks behind it."""
        words = set(wanted.split())

        def found() -> int | None:
            return next((n for n, seen in enumerate(self.seen[start:], start + 1) if words <= seen), None)

        with self.changed:
            if not self.changed.wait_for(found, PATIENCE):
                raise TimeoutError(f"waited in vain for {wanted!r}, saw {self.seen[start:]}")
            self.cursor = found()

    def wait_next(self, wanted: str) -> None:
        """The same, behind what was waited for last."""
        self.wait(wanted, self.cursor)

    def take(self, direction: str, octets: bytes) -> None:
        """An APDU that was `sent` or `received`."""
        self.add({direction} | apdu.words(octets))


def go_first() -> None:
    """c104 begins to wait for an answer after it has sent the question, and misses one that is there already.
    The line takes long enough to answer; nobody may interrupt for longer who asks."""
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    except PermissionError:
        pass


def act(verbs: dict[str, Callable[[str], None]]) -> None:
    """Says `done` once everything is there, then after each order; ends with its input."""
    print("done", flush=True)
    for line in sys.stdin:
        verb, _, rest = line.strip().partition(" ")
        try:
            verbs[verb](rest)
            print("done", flush=True)
        except Exception as error:  # whatever it is, the conductor tells it
            print(f"{type(error).__name__}: {error}", flush=True)
    # Threads of the library do not keep the process.
    os._exit(0)
