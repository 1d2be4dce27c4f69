"""From the text after ``--tape`` to a tape."""

from __future__ import annotations

from pathlib import Path

from shared.errors import TapeError
from trader.paper.market import MarketHub
from trader.paper.tapeclock import TapeClock
from trader.paper.tapes.base import Tape
from trader.paper.tapes.candles import CandleTape
from trader.paper.tapes.live import LiveTape
from trader.paper.tapes.manual import ManualTape
from trader.paper.tapes.recorded import RecordedTape
from trader.paper.tapes.synthetic import SyntheticTape

FORMS = "manual, synthetic:SEED, live, candle files (.feather, .csv; several with commas) or recorded frames (.gz)"
_CANDLES = {".feather", ".csv"}


def open_tape(spec: str, hub: MarketHub, clock: TapeClock) -> Tape:
    """The tape that ``spec`` names; ``TapeError`` (one line) when it is unknown or a file is missing.

    Nothing is read before :meth:`Tape.prepare`.
    """
    spec = spec.strip()
    if spec == "manual":
        return ManualTape(hub, clock)
    if spec == "live":
        return LiveTape(hub, clock)
    if spec == "synthetic" or spec.startswith("synthetic:"):
        seed = spec.partition(":")[2] or "1"
        if not seed.isascii() or not seed.isdigit() or len(seed) > 18:
            raise TapeError(f"synthetic:{seed}: the seed must be a whole number, for example synthetic:1")
        return SyntheticTape(hub, clock, int(seed))
    return _from_files(spec, hub, clock)


def _from_files(spec: str, hub: MarketHub, clock: TapeClock) -> Tape:
    whole = Path(spec).expanduser()  # a name may hold a comma
    names = [spec] if whole.is_file() else [part.strip() for part in spec.split(",") if part.strip()]
    paths = [Path(name).expanduser() for name in names]
    for path in paths:
        if path.is_dir():
            raise TapeError(f"tape {path} is a directory: name the file")
        if not path.is_file():
            known = "" if path.suffix or "/" in str(path) else f"; a tape is one of: {FORMS}"
            raise TapeError(f"tape {path} does not exist{known}")
    if not paths:
        raise TapeError(f"no tape given: it is one of {FORMS}")
    if all(path.suffix.lower() in _CANDLES for path in paths):
        return CandleTape(hub, clock, paths)
    if all(path.suffix.lower() == ".gz" for path in paths):
        if len(paths) > 1:
            raise TapeError("recorded frames play alone: name one .gz file")
        return RecordedTape(hub, clock, paths[0])
    raise TapeError(f"tape {spec}: not a kind of tape that is known here; it is one of {FORMS}")
