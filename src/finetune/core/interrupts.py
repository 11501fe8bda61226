"""Ctrl-C and SIGTERM that wait for a point at which work can be saved."""

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from types import FrameType

SIGNALS: tuple[signal.Signals, ...] = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# Not in one process of several: there the one that started them tells.
is_announced = True


class Interrupted(KeyboardInterrupt):
    """A Ctrl-C after which work was saved; its message says what, and how to resume."""


class Interruption:
    """The first signal that came, if any."""

    number: int | None = None

    def end(self, saved: str) -> None:
        """End as the signal asks; `saved` says what is kept and how to resume.

        Raises:
            Interrupted: it was Ctrl-C.
            SystemExit: it was another one.
        """
        if self.number == signal.SIGINT:
            raise Interrupted(saved)
        if self.number is not None:
            os.write(2, f"finetune: {saved}\n".encode())
            raise SystemExit(128 + self.number)


@contextlib.contextmanager
def deferred(what: str) -> Iterator[Interruption]:
    """In this block the first signal is only noted, for the block to save and end.

    A second Ctrl-C ends at once; another second signal, such as DVC's end after that of its
    process group, does not cut the save short. `what` tells the user what is waited for. A signal
    that is noted when the block ends is raised then.
    """
    interruption = Interruption()
    if threading.current_thread() is not threading.main_thread():
        yield interruption
        return

    def note(number: int, _: FrameType | None) -> None:
        if interruption.number is not None:
            if number == signal.SIGINT:
                raise KeyboardInterrupt
            return
        interruption.number = number
        if not is_announced:
            return
        name = "Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name
        hint = "; Ctrl-C again ends at once"
        # Not print(): the signal may have come in the midst of one.
        os.write(2, f"finetune: {name}: {what}{hint}\n".encode())

    before = {}
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:  # `nohup` ignores SIGHUP, and may
            before[number] = signal.signal(number, note)
    try:
        yield interruption
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    interruption.end("stopped when the work was done; the same command runs it again")
