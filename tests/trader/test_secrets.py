"""After a full run no secret is in any log, journal, health answer, table or command line."""

from __future__ import annotations

from urllib.parse import urlsplit

import httpx
import psutil

from tests.trader.world import World, eventually

TITLE = "뉴코인(NEW) 신규 거래지원 안내 (KRW, BTC, USDT 마켓)"


def test_no_secret_is_written_anywhere(world: World) -> None:
    world.symbol("NEWUSDT", "2.5")
    anna = world.person("anna", leverage="50")
    ben = world.person("ben", balance="1")
    process = world.start_trader(KESTREL_LOG__LEVEL="debug")
    world.armed("NEWUSDT")
    world.notice(TITLE)
    world.filled(anna)
    eventually(lambda: any("rejected" in map(str, row) for row in world.orders()), 10, "ben is refused")
    world.settled()
    command = " ".join(psutil.Process(process.pid).cmdline())
    assert world.trader is not None
    world.trader.end()

    password = urlsplit(world.database_url).password
    assert password
    keys = [world.keys(person) for person in (anna, ben)]
    secrets = [password, *(key[name] for key in keys for name in ("key", "secret", "passphrase"))]
    places = {
        **{str(path): path.read_bytes() for path in (world.home / "logs").rglob("*") if path.is_file()},
        **{str(path): path.read_bytes() for path in (world.home / "journal").glob("*.kj")},
        "what the trader printed": "\n".join(world.trader.lines).encode(),
        "what the exchange printed": "\n".join(world.exchange_lines()).encode(),
        "the command line": command.encode(),
        **{
            name: world.dump(name).encode() for name in ("heartbeats", "audit", "outbox", "orders", "intents")
        },
        "the control API": httpx.get(f"{world.url}/control/state", trust_env=False).content,
    }
    assert len(places) > 8
    found = [
        (place, secret[:4])
        for place, content in places.items()
        for secret in secrets
        if secret.encode() in content
    ]
    assert found == []
