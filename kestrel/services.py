"""The processes that ``kestrel up`` starts: their command lines, environments and health."""

from __future__ import annotations

import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import msgspec

from kestrel import environment
from kestrel.child import ChildSpec
from shared.settings import ROOT, Settings

HEALTH_TIMEOUT_S = 2.0
LOCAL_POLL_S = 0.25
"""Our own notice board may be asked more often than a real one."""
LOCAL_INSTRUMENTS_S = 2.0
"""So may our own exchange: a symbol added by hand is tradable at once."""
_WEB_APP = ROOT / "dashboards" / "web" / "app.py"


class Ports(msgspec.Struct, frozen=True):
    exchange: int
    trader: int
    web: int
    prefect: int = 0
    worker: int = 0


class Command(msgspec.Struct, frozen=True):
    argv: tuple[str, ...]
    environment: dict[str, str]

    def __repr__(self) -> str:
        return f"Command({' '.join(self.argv)})"


def url(port: int) -> str:
    return f"http://127.0.0.1:{port}"


def python(*arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "kestrel", *arguments)


def exchange_command(home: Path, port: int, tape: str, speed: float) -> Command:
    return Command(
        python(
            "exchange",
            *("--port", str(port)),
            *("--tape", tape),
            *("--speed", repr(speed)),
        ),
        environment.for_child(home),
    )


def trader_environment(settings: Settings, ports: Ports, tape: str) -> dict[str, str]:
    """What binds the trader to this machine's exchange and board. Real notices come with real prices only.

    ``up`` is paper mode: a notice on the local board must never move real money, so live accounts
    do not trade here whatever the settings say.
    """
    chosen = settings.upbit.model_fields_set
    hosts = [url(ports.exchange)]
    if tape == "live" or "hosts" in chosen:
        hosts += [host for host in settings.upbit.hosts if host not in hosts]
    values = {
        "KESTREL_PAPER__URL": url(ports.exchange),
        "KESTREL_UPBIT__HOSTS": json.dumps(hosts),
        "KESTREL_TRADER__OPS_PORT": str(ports.trader),
        "KESTREL_LIVE": "false",
    }
    if len(hosts) == 1 and "poll_s" not in chosen:
        values["KESTREL_UPBIT__POLL_S"] = str(LOCAL_POLL_S)
    if "instruments_s" not in settings.trader.model_fields_set:
        values["KESTREL_TRADER__INSTRUMENTS_S"] = str(LOCAL_INSTRUMENTS_S)
    return values


def web_command(settings: Settings, port: int | None = None, paper_url: str | None = None) -> Command:
    """Streamlit without its welcome, its usage statistics and its watching of source files."""
    home = settings.home.expanduser().resolve()
    argv = (
        *(sys.executable, "-m", "streamlit", "run", str(_WEB_APP)),
        *("--server.address", "127.0.0.1"),
        *("--server.port", str(port or settings.web.port)),
        *("--server.headless", "true"),
        *("--server.fileWatcherType", "none"),
        *("--server.runOnSave", "false"),
        *("--browser.serverAddress", "127.0.0.1"),
        *("--browser.gatherUsageStats", "false"),
        *("--global.developmentMode", "false"),
        *("--client.toolbarMode", "minimal"),
    )
    extra = {
        "HOME": str(home / "streamlit"),  # Streamlit keeps its own files under the user's home
        "PYTHONPATH": str(ROOT),
    }
    if paper_url:
        extra["KESTREL_PAPER__URL"] = paper_url
    values = environment.for_child(home, extra)
    for name in [name for name in values if name.startswith("STREAMLIT_")]:
        del values[name]
    return Command(argv, values)


def http_health(client: httpx.AsyncClient, address: str) -> Callable[[], Awaitable[str | None]]:
    """Healthy = the address answers 200; else a few words, from the answer when it has some."""

    async def ask() -> str | None:
        try:
            answer = await client.get(address, timeout=HEALTH_TIMEOUT_S)
        except httpx.TimeoutException:
            return "does not answer in time"
        except httpx.TransportError:
            return "is not listening yet"
        return None if answer.status_code == 200 else _words(answer)

    return ask


def _words(answer: httpx.Response) -> str:
    try:
        content = msgspec.json.decode(answer.content, type=dict[str, object])
    except msgspec.DecodeError:
        return f"answers {answer.status_code}"
    return str(content.get("state") or f"answers {answer.status_code}")


class Services(msgspec.Struct, frozen=True):
    """The children of one ``kestrel up``."""

    settings: Settings
    home: Path
    ports: Ports
    client: httpx.AsyncClient

    def exchange(self, tape: str, speed: float) -> ChildSpec:
        command = exchange_command(self.home, self.ports.exchange, tape, speed)
        return ChildSpec(
            name="exchange",
            argv=command.argv,
            environment=command.environment,
            health=http_health(self.client, url(self.ports.exchange) + "/api/v2/public/time"),
        )

    def trader(self, tape: str) -> ChildSpec:
        return ChildSpec(
            name="trader",
            argv=python("trade"),
            environment=environment.for_child(self.home, trader_environment(self.settings, self.ports, tape)),
            health=http_health(self.client, url(self.ports.trader) + "/health"),
        )

    def web(self) -> ChildSpec:
        command = web_command(self.settings, self.ports.web, url(self.ports.exchange))
        return ChildSpec(
            name="web",
            argv=command.argv,
            environment=command.environment,
            health=http_health(self.client, url(self.ports.web) + "/_stcore/health"),
            stop_grace_s=5.0,
        )
