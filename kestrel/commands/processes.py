"""``up`` and the processes alone: ``exchange``, ``trade``, ``web``, ``flows``."""

from __future__ import annotations

from typing import Annotated

import typer

TAPE_HELP = (
    "Where prices come from: live, manual, synthetic:SEED, candle files (comma separated) or recorded"
    " frames (.gz)."
)


def up(
    demo: Annotated[bool, typer.Option("--demo", help="Play a listing within two minutes.")] = False,
    tape: Annotated[
        str | None,
        typer.Option("--tape", help=TAPE_HELP + " Default: live if it answers within 3 s, else synthetic:1."),
    ] = None,
    speed: Annotated[float, typer.Option("--speed", help="How fast the tape plays; 1 = real time.")] = 1.0,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open the page in a browser when all is up.")
    ] = False,
) -> None:
    """Start everything in paper mode; Ctrl-C stops it."""
    from kestrel import up as implementation
    from shared.settings import load

    options = implementation.Options(demo=demo, tape=tape, speed=speed, browser=browser)
    raise typer.Exit(implementation.run(load(), options))


def exchange(
    *,
    port: Annotated[
        int | None, typer.Option("--port", help="Port on 127.0.0.1; 0 = any free one. Default: the setting.")
    ] = None,
    tape: Annotated[str, typer.Option("--tape", help=TAPE_HELP)] = "synthetic:1",
    speed: Annotated[float, typer.Option("--speed", help="How fast the tape plays; 1 = real time.")] = 1.0,
    accounts: Annotated[
        int, typer.Option("--accounts", min=0, help="Accounts made at start, printed with their keys.")
    ] = 0,
    kind: Annotated[
        str, typer.Option("--kind", help="What they are: classic or unified (Bitget), or binance.")
    ] = "classic",
    tls: Annotated[bool, typer.Option("--tls", help="Serve TLS with a throwaway CA.")] = False,
    latency: Annotated[
        str,
        typer.Option(
            "--latency", help="Milliseconds there/back, each median~p99: 5~20/3~15 (back left out: as there)."
        ),
    ] = "0",
    start: Annotated[
        str | None,
        typer.Option("--start", help="Where tape time starts: 2026-01-01T00:00:00Z. Default: now."),
    ] = None,
    limit: Annotated[
        list[str] | None,
        typer.Option(
            "--limit", help="NAME=VALUE sets a limit of the exchange, 0 = none; a wrong name lists them."
        ),
    ] = None,
    keep: Annotated[
        bool,
        typer.Option(
            "--keep/--forget",
            help="Keep accounts, orders and ledger in KESTREL_HOME, or forget them at the end.",
        ),
    ] = True,
) -> None:
    """Run the paper exchange alone.

    When it is ready it prints one JSON line: rest, ws_public, ws_private, ws_v3_public, ws_v3_private, binance,
    control, notices, ca_file, accounts.
    """
    from kestrel import exchange as implementation
    from shared.settings import load

    implementation.run(
        load(),
        port=port,
        tape=tape,
        speed=speed,
        accounts=accounts,
        kind=kind,
        tls=tls,
        keep=keep,
        limits=limit or [],
        latency=latency,
        start=start,
    )


def trade() -> None:
    """Run the trader alone, for paper and live accounts."""
    from shared.settings import load
    from trader.app import run

    run(load())


def web() -> None:
    """Run the web page alone."""
    import os

    from kestrel import preflight, services
    from shared.settings import load

    settings = load()
    preflight.prepare_home(settings.home)
    preflight.check_port(settings.web.port, "the web page", "KESTREL_WEB__PORT")
    command = services.web_command(settings)
    os.execve(command.argv[0], list(command.argv), command.environment)  # noqa: S606 - it becomes the page


def flows() -> None:
    """Run scheduled work alone: the Prefect server and a worker, with the database; Ctrl-C stops them."""
    from kestrel import flows_alone
    from shared.settings import load

    raise typer.Exit(flows_alone.run(load()))


def register(app: typer.Typer) -> None:
    app.command("up")(up)
    app.command("exchange")(exchange)
    app.command("trade")(trade)
    app.command("web")(web)
    app.command("flows")(flows)
