"""``kestrel exchange``: the paper exchange in this process."""

from __future__ import annotations

from collections.abc import Sequence

import uvloop

from kestrel import preflight
from shared import logs
from shared.errors import UsageError
from shared.settings import Settings


def run(
    settings: Settings,
    *,
    port: int | None,
    tape: str,
    speed: float,
    accounts: int,
    kind: str = "classic",
    tls: bool,
    keep: bool,
    limits: Sequence[str] = (),
    latency: str = "0",
    start: str | None = None,
) -> None:
    """Serve until SIGINT or SIGTERM. Raises :class:`StartError` for a bad tape or a busy port."""
    from trader.paper import latency as delays
    from trader.paper import tapeclock
    from trader.paper.engine.model import AccountKind
    from trader.paper.faces.bitget.limits import read_limits
    from trader.paper.server import Options, serve

    venue = read_limits(limits)
    if kind not in list(AccountKind):
        raise UsageError(f"--kind {kind[:40]} is wrong: it is one of {', '.join(AccountKind)}")
    ways = delays.parse(latency)
    start_ns = None if start is None else tapeclock.moment(start)
    chosen = settings.exchange.port if port is None else port
    if not 0 <= chosen <= 65535:
        raise UsageError(f"--port {chosen} is wrong: it is 0 to 65535, 0 = any free one")
    preflight.check_tape(tape)
    if chosen:
        preflight.check_port(chosen, "the paper exchange", "--port or KESTREL_EXCHANGE__PORT")
    home = preflight.prepare_home(settings.home)
    logs.setup("exchange", settings.model_copy(update={"home": home}))
    options = Options(
        port=chosen,
        tape=tape,
        speed=speed,
        accounts=accounts,
        kind=AccountKind(kind),
        tls=tls,
        home=home if keep else None,
        venue=venue,
        latency=ways,
        start_ns=start_ns,
    )
    uvloop.run(serve(options))
