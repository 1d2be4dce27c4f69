"""``python -m trader.paper``: the paper exchange alone."""

from __future__ import annotations

import argparse
import sys
from decimal import Decimal
from pathlib import Path

import uvloop

from shared.errors import KestrelError
from trader.paper import latency, tapeclock
from trader.paper.engine.model import AccountKind
from trader.paper.faces.bitget.limits import LIMIT_NAMES, read_limits
from trader.paper.server import Options, serve


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m trader.paper", description=__doc__)
    parser.add_argument("--port", type=int, default=9500, help="port on 127.0.0.1; 0 = any free one")
    parser.add_argument("--tape", default="synthetic:1", help="manual, synthetic:SEED, live, or files")
    parser.add_argument("--speed", type=float, default=1.0, help="tape seconds per second")
    parser.add_argument("--accounts", type=int, default=0, help="accounts to have at start")
    parser.add_argument(
        "--kind", default=AccountKind.CLASSIC, choices=list(AccountKind), help="of which kind"
    )
    parser.add_argument("--balance", type=Decimal, default=Decimal(10_000), help="USDT of each of them")
    parser.add_argument("--tls", action="store_true", help="serve TLS under a throwaway CA")
    parser.add_argument("--home", type=Path, default=None, help="state survives in HOME/paper")
    parser.add_argument("--latency", default="0", help="ms there/back, median~p99: 5~20/3~15")
    parser.add_argument("--start", default=None, help="where tape time starts: 2026-01-01T00:00:00Z")
    parser.add_argument("--no-limits", action="store_true", help="no limits of pace (benches)")
    parser.add_argument(
        "--limit",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help=f"set a limit, 0 = none: {LIMIT_NAMES}",
    )
    given = parser.parse_args()
    try:
        options = Options(
            port=given.port,
            tape=given.tape,
            speed=given.speed,
            accounts=given.accounts,
            kind=AccountKind(given.kind),
            balance=given.balance,
            tls=given.tls,
            home=given.home,
            limits=not given.no_limits,
            venue=read_limits(given.limit),
            latency=latency.parse(given.latency),
            start_ns=None if given.start is None else tapeclock.moment(given.start),
        )
        uvloop.run(serve(options))
    except KestrelError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
