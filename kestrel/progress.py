"""What ``kestrel up`` shows: a live display on a terminal, plain lines in a file or a pipe."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from kestrel import console
from kestrel.supervisor import State
from shared import clock

if TYPE_CHECKING:
    from rich.live import Live
    from rich.table import Table

_STYLE = {
    State.WAITING: "dim",
    State.STARTING: "yellow",
    State.HEALTHY: "green",
    State.UNHEALTHY: "red",
    State.RESTARTING: "yellow",
    State.GIVEN_UP: "bold red",
    State.STOPPING: "yellow",
    State.STOPPED: "dim",
}


class Progress:
    """Implements :class:`kestrel.supervisor.Reporter`."""

    def __init__(self, names: list[str], *, terminal: bool | None = None) -> None:
        self._terminal = sys.stdout.isatty() if terminal is None else terminal
        self._states: dict[str, tuple[State, str, float]] = dict.fromkeys(names, (State.WAITING, "", 0.0))
        self._began_ns = clock.monotonic_ns()
        self._live: Live | None = None

    def start(self) -> None:
        """Begin the display of the start phase."""
        if not self._terminal:
            return
        from rich.live import Live

        self._live = Live(get_renderable=self._table, refresh_per_second=8, transient=False)
        self._live.start()

    def finish(self) -> None:
        """End the live display; what comes after is plain lines."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def elapsed_s(self) -> float:
        return (clock.monotonic_ns() - self._began_ns) / clock.SECOND

    def state(self, name: str, state: State, detail: str = "") -> None:
        before = self._states.get(name, (State.WAITING, "", 0.0))
        self._states[name] = (state, detail, self.elapsed_s())
        # a live display shows every step; lines show what a reader of a log wants to know
        if self._live is None and before[0] is not state and state in {State.HEALTHY, State.STOPPED}:
            self._write(f"  {name:<10} {state.value:<10} {self.elapsed_s():6.1f} s")

    def say(self, text: str) -> None:
        self._write(text)

    def _write(self, text: str) -> None:
        if self._live is not None:
            self._live.console.print(text, markup=False, highlight=False, soft_wrap=True)
            return
        try:
            sys.stdout.write(text + "\n")
            sys.stdout.flush()
        except OSError:  # the reader went away (a closed pipe, a full disk): the processes matter more
            console.silence()

    def _table(self) -> Table:
        from rich.spinner import Spinner
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, show_header=False, pad_edge=False)
        for name, (state, detail, at_s) in self._states.items():
            busy = state in {State.STARTING, State.RESTARTING}
            mark = Spinner("dots", style="yellow") if busy else Text("✓" if state is State.HEALTHY else "·")
            time_s = self.elapsed_s() if busy else at_s
            told = f"{state.value}{f' ({detail})' if detail else ''}"
            table.add_row(
                mark,
                name,
                Text(told, style=_STYLE[state]),
                f"{time_s:.1f} s" if state is not State.WAITING else "",
            )
        return table
