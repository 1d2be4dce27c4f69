"""The control API of the paper exchange, as ``docs/paper-exchange.md`` describes it."""

from __future__ import annotations

from decimal import Decimal
from types import TracebackType
from typing import Any, TypeVar

import httpx
import msgspec

from shared.errors import ProtocolError, StartError, VenueRefusedError

TIMEOUT_S = 5.0
#: How the exchange calls kinds of accounts that have another name here.
_KINDS = {"usdm": "binance"}
T = TypeVar("T")


class PaperAccount(msgspec.Struct, frozen=True):
    """Answer of ``POST /control/accounts``. Never print one: ``repr`` hides the keys."""

    id: str | int
    key: str
    secret: str
    passphrase: str = ""
    kind: str = "classic"

    def __repr__(self) -> str:
        return f"PaperAccount(id={self.id!r})"


class LedgerEntry(msgspec.Struct, frozen=True):
    """One line of an account's ledger; money is exact."""

    seq: int
    ns: int
    kind: str
    ref: str
    symbol: str
    amount: Decimal
    balance: Decimal


class _TapeTime(msgspec.Struct):
    now_ns: int


class _State(msgspec.Struct):
    clock: _TapeTime


class Control:
    """One client; use it with ``async with``. Loopback only, so no proxy of the user's is asked."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._client = httpx.AsyncClient(base_url=self.url, timeout=TIMEOUT_S, trust_env=False)

    async def __aenter__(self) -> Control:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.aclose()

    async def create_account(self, balance: Decimal, label: str, kind: str = "classic") -> PaperAccount:
        body = {"kind": _KINDS.get(kind, kind), "balance": str(balance), "label": label}
        return _typed(await self._call("POST", "/control/accounts", body), PaperAccount)

    async def ledger(self, account: str | int) -> list[LedgerEntry]:
        return _typed(await self._call("GET", f"/control/accounts/{account}/ledger"), list[LedgerEntry])

    async def create_symbol(self, symbol: str, price: Decimal, open_time_ms: int) -> None:
        body = {"symbol": symbol, "market": "futures", "price": str(price), "open_time_ms": open_time_ms}
        await self._call("POST", "/control/symbols", body)

    async def set_price(self, symbol: str, price: Decimal) -> None:
        await self._call("POST", "/control/price", {"symbol": symbol, "price": str(price)})

    async def post_notice(self, title: str, category: str) -> None:
        await self._call("POST", "/control/notices", {"title": title, "category": category})

    async def tape_ms(self) -> int:
        """What time it is on the market: the tape's, not ours. Unix milliseconds."""
        return _typed(await self._call("GET", "/control/state"), _State).clock.now_ns // 1_000_000

    async def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> bytes:
        try:
            answer = await self._client.request(method, path, json=body)
        except httpx.TransportError:
            raise StartError(
                f"the paper exchange does not answer at {self.url}: start it with `kestrel up`"
                " (or `kestrel exchange`), or set KESTREL_PAPER__URL to where it runs"
            ) from None
        if answer.status_code >= 400:
            raise VenueRefusedError(str(answer.status_code), _reason(answer), answer.status_code)
        return answer.content


def _reason(answer: httpx.Response) -> str:
    try:
        return msgspec.json.decode(answer.content, type=dict[str, str])["error"]
    except (msgspec.DecodeError, msgspec.ValidationError, KeyError):
        return " ".join(answer.text.split())[:200]


def _typed(content: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(content, type=kind, strict=False)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise ProtocolError(f"the paper exchange answered something else than documented: {error}") from None
