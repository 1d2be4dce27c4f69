"""The control API: accounts, prices, symbols, notices, the clock. Loopback only; never logs a secret.

Bodies are JSON objects, numbers may be strings. What is wrong is answered with HTTP 400 and
``{"error": "one clear line"}``.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal
from typing import Literal, TypeVar

import msgspec
from aiohttp import web

from shared.errors import KestrelError, UsageError
from trader.paper.contract import FUTURES, SPOT, default_spec
from trader.paper.control.accounts import credentials, make_account
from trader.paper.control.symbols import SymbolControl
from trader.paper.engine.accounts import Account
from trader.paper.engine.engine import Engine
from trader.paper.engine.model import AccountKind, ClientIds
from trader.paper.engine.money import text
from trader.paper.faces.bitget import planrows, shapes, spot_shapes
from trader.paper.lockstep import LockStep
from trader.paper.market import MarketHub
from trader.paper.notices import NoticeBoard
from trader.paper.state import SqliteStore
from trader.paper.tapeclock import TapeClock
from trader.paper.tapes import Tape

_encode = msgspec.json.Encoder().encode

T = TypeVar("T")
Number = Decimal
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Part = Callable[[web.Request], Awaitable[object]]


class NewAccount(msgspec.Struct, forbid_unknown_fields=True):
    """``public_key``: of a binance account, PEM of an Ed25519 key for which it gets a second API key."""

    kind: AccountKind = AccountKind.CLASSIC
    balance: Number = Decimal(0)
    label: str = ""
    spot: dict[str, Number] = {}
    client_ids: ClientIds = ClientIds.PENDING
    public_key: str = ""


class AccountChange(msgspec.Struct, forbid_unknown_fields=True):
    """``client_ids``: among what a client id must be unique, ``pending`` orders or ``always``."""

    client_ids: ClientIds


class NewDeposit(msgspec.Struct, forbid_unknown_fields=True):
    coin: str
    amount: Number
    wallet: Literal["futures", "spot"] = "spot"


class NewPrice(msgspec.Struct, forbid_unknown_fields=True):
    symbol: str
    price: Number | None = None
    mark: Number | None = None


class NewSymbol(msgspec.Struct, forbid_unknown_fields=True):
    symbol: str
    price: Number
    market: Literal["futures", "spot"] = "futures"
    open_time_ms: int = 0


class NewNotice(msgspec.Struct, forbid_unknown_fields=True):
    title: str
    category: str = "trade"
    first_listed_at: str | None = None
    listed_at: str | None = None


class EditedNotice(msgspec.Struct, forbid_unknown_fields=True):
    title: str | None = None
    listed_at: str | None = None


class ClockChange(msgspec.Struct, forbid_unknown_fields=True):
    speed: float | None = None
    advance_ms: int | None = None


class Control:
    """Handlers of ``/control/...``."""

    def __init__(
        self,
        *,
        engine: Engine,
        hub: MarketHub,
        clock: TapeClock,
        tape: Tape,
        store: SqliteStore,
        board: NoticeBoard,
        status: Callable[[], dict[str, object]],
        lockstep: LockStep,
    ) -> None:
        self._engine = engine
        self._hub = hub
        self._clock = clock
        self._tape = tape
        self._store = store
        self._board = board
        self._status = status
        self._lockstep = lockstep

    def routes(self, more: Mapping[tuple[str, str], Part] | None = None) -> list[web.RouteDef]:
        """``more``: (method, path below /control) of other parts, guarded and answered alike."""
        symbols = SymbolControl(self._engine, self._hub, self._store)
        return [
            *(
                web.route(method, f"/control{path}", self._guarded(part))
                for (method, path), part in (more or {}).items()
            ),
            web.post("/control/accounts", self._guarded(self._new_account)),
            web.get("/control/accounts/{id}", self._guarded(self._account)),
            web.post("/control/accounts/{id}", self._guarded(self._change_account)),
            web.get("/control/accounts/{id}/ledger", self._guarded(self._ledger)),
            web.post("/control/accounts/{id}/deposit", self._guarded(self._deposit)),
            web.post("/control/price", self._guarded(self._price)),
            web.post("/control/symbols", self._guarded(self._symbol)),
            web.get("/control/symbols/{symbol}", self._guarded(symbols.show)),
            web.post("/control/symbols/{symbol}", self._guarded(symbols.change)),
            web.post("/control/funding", self._guarded(symbols.fund)),
            web.post("/control/notices", self._guarded(self._notice)),
            web.post("/control/notices/{id}", self._guarded(self._edit_notice)),
            web.post("/control/clock", self._guarded(self._change_clock)),
            web.get("/control/state", self._guarded(self._state)),
            web.route("*", "/control/{tail:.*}", self._guarded(self._unknown)),
        ]

    def _guarded(self, handler: Part) -> Handler:
        """Only from this machine, not from a page in a browser; errors as one line."""

        async def guarded(request: web.Request) -> web.StreamResponse:
            if not _local(request.remote) or "Origin" in request.headers:
                return _answer(403, {"error": "the control API answers this machine only, not browsers"})
            try:
                found = await handler(request)
                await self._store.durable()
                return _answer(200, found)
            except (KestrelError, msgspec.MsgspecError) as error:
                return _answer(400, {"error": _line(error)})

        return guarded

    async def _new_account(self, request: web.Request) -> object:
        new = await _body(request, NewAccount)
        account = make_account(
            self._engine,
            kind=new.kind,
            balance=_number(new.balance, "balance"),
            label=new.label,
            spot={coin.upper(): _number(amount, f"spot: {coin}") for coin, amount in new.spot.items()},
            public_key=new.public_key,
        )
        if new.client_ids is not ClientIds.PENDING:
            self._engine.set_client_ids(account, new.client_ids)
        return credentials(account)

    async def _change_account(self, request: web.Request) -> object:
        account, change = self._found(request), await _body(request, AccountChange)
        self._engine.set_client_ids(account, change.client_ids)
        return {"id": account.id, "client_ids": change.client_ids.value}

    async def _deposit(self, request: web.Request) -> object:
        """More money into one wallet; answers with what the account holds then."""
        account, new = self._found(request), await _body(request, NewDeposit)
        amount = _number(new.amount, "amount")
        if account.record.kind is AccountKind.BINANCE and new.wallet != "futures":
            raise UsageError("wallet: a binance account has the futures wallet only")
        self._engine.spot.deposit(account, new.wallet, new.coin.upper(), amount)
        return {"balance": text(account.record.wallet), "spot": spot_shapes.coins(account)}

    def _found(self, request: web.Request) -> Account:
        name = request.match_info["id"]
        account = self._engine.account(int(name)) if name.isascii() and name.isdigit() else None
        if account is None:
            raise UsageError(f"there is no account {name}: GET /control/state lists them")
        return account

    async def _account(self, request: web.Request) -> object:
        engine, account = self._engine, self._found(request)
        funds, record = engine.funds(account), account.record
        return {
            "id": record.id,
            "kind": record.kind,
            "label": record.label,
            "position_mode": record.position_mode.value,
            "client_ids": record.client_ids.value,
            "balance": text(record.wallet),
            "equity": text(funds.equity),
            "available": text(funds.available),
            "positions": [
                shapes.position_row(engine, account, position, funds)
                for position in account.positions.values()
            ],
            "orders": [shapes.order_row(order, "status") for order in account.orders.values()],
            "plans": [planrows.pending_row(plan) for plan in account.plans.values()],
            "spot": spot_shapes.coins(account),
            "spot_orders": [spot_shapes.order(order) for order in account.spot.orders.values()],
            "spot_plans": [spot_shapes.plan_row(plan) for plan in account.spot.plans.values()],
        }

    async def _ledger(self, request: web.Request) -> object:
        account = self._found(request)
        after, limit = whole(request, "after", 0), whole(request, "limit", 100_000)
        return [
            {
                "seq": entry.seq,
                "ns": entry.ns,
                "kind": entry.kind.value,
                "ref": entry.ref,
                "symbol": entry.symbol,
                "amount": text(entry.amount),
                "balance": text(entry.balance),
                "coin": entry.coin,
                "wallet": entry.wallet,
            }
            for entry in self._engine.entries(account, after, limit)
        ]

    async def _price(self, request: web.Request) -> object:
        wanted = await _body(request, NewPrice)
        symbol = wanted.symbol.upper()
        held = wanted.price is not None or wanted.mark is not None
        if held:
            mark = None if wanted.mark is None else _number(wanted.mark, "mark")
            price = self._hub.find(symbol)[0].last if wanted.price is None else wanted.price
            price = _number(price, "price")
            self._hub.override_price(symbol, price, mark)
            self._store.keep_price(symbol, price, mark)
        else:
            self._hub.release_price(symbol)
            self._store.keep_price(symbol, None)
        state = self._hub.find(symbol)[0]
        shown: dict[str, object] = {"symbol": symbol, "price": text(state.last), "overridden": held}
        return shown if wanted.mark is None else shown | {"mark": text(state.mark)}

    async def _symbol(self, request: web.Request) -> object:
        new = await _body(request, NewSymbol)
        if not 0 <= new.open_time_ms < 10**14:
            raise UsageError("open_time_ms: Unix milliseconds, or 0 for an open symbol")
        price = _number(new.price, "price")
        spec = default_spec(
            new.symbol.upper(),
            price,
            market=FUTURES if new.market == "futures" else SPOT,
            open_time_ms=new.open_time_ms,
        )
        state = self._hub.add(spec, price)
        self._store.keep_symbol(spec, price)
        return {
            "symbol": spec.symbol,
            "market": spec.market,
            "price": text(state.last),
            "status": state.status,
            "tick": text(spec.tick),
            "step": text(spec.step),
            "open_time_ms": spec.open_time_ms,
        }

    async def _notice(self, request: web.Request) -> object:
        new = await _body(request, NewNotice)
        row = self._board.add(new.title, new.category, new.first_listed_at, new.listed_at)
        return self._board.public(row)

    async def _edit_notice(self, request: web.Request) -> object:
        edited = await _body(request, EditedNotice)
        name = request.match_info["id"]
        if not name.isascii() or not name.isdigit():
            raise UsageError(f"there is no notice {name}")
        return self._board.public(self._board.edit(int(name), edited.title, edited.listed_at))

    async def _change_clock(self, request: web.Request) -> object:
        """Returns when the market has been played up to the new time."""
        change = await _body(request, ClockChange)
        if change.speed is not None:
            if change.speed and self._lockstep.on:
                raise UsageError("in lock-step the clock is only advanced: DELETE /control/lockstep first")
            self._clock.set_speed(change.speed)
        if change.advance_ms is not None:
            if self._lockstep.on:
                await self._lockstep.step(change.advance_ms)
            else:
                self._clock.advance(change.advance_ms)
                await self._tape.settled()
        return {"now_ns": self._clock.now_ns(), "speed": self._clock.speed}

    async def _state(self, request: web.Request) -> object:
        del request
        return {
            **self._status(),
            "clock": {"now_ns": self._clock.now_ns(), "speed": self._clock.speed},
            "playback": self._tape.progress(),
            "accounts": [
                {
                    "id": account.id,
                    "kind": account.record.kind,
                    "label": account.record.label,
                    "balance": text(account.record.wallet),
                    "positions": len(account.positions),
                    "orders": len(account.orders),
                    "plans": len(account.plans),
                }
                for account in self._engine.accounts
            ],
            "symbols": [
                {
                    "symbol": state.symbol,
                    "market": state.market,
                    "status": state.status,
                    "last": text(state.last),
                    "mark": text(state.mark),
                    "overridden": state.overridden,
                }
                for state in self._hub.states.values()
            ],
        }

    async def _unknown(self, request: web.Request) -> object:
        raise UsageError(f"there is no {request.method} {request.path}: see docs/paper-exchange.md")


def _local(remote: str | None) -> bool:
    try:
        return ipaddress.ip_address(remote or "").is_loopback
    except ValueError:
        return False


def _line(error: Exception) -> str:
    return " ".join(str(error).split())


async def _body(request: web.Request, kind: type[T]) -> T:
    body = await request.read()
    return msgspec.json.decode(body or b"{}", type=kind)


def _number(value: Number, name: str) -> Decimal:
    try:
        number = Decimal(value)
    except ArithmeticError:
        raise UsageError(f'{name}: give a number, for example 100 or "0.5", not {value!r}') from None
    if not number.is_finite() or number < 0 or number > Decimal("1e15") or abs(number.adjusted()) > 20:
        raise UsageError(f"{name}: give a positive number, not {value}")
    return number


def whole(request: web.Request, name: str, default: int) -> int:
    value = request.query.get(name, "")
    if not value:
        return default
    if not value.isascii() or not value.isdigit() or len(value) > 15:
        raise UsageError(f"{name}: give a whole number, not {value!r}")
    return int(value)


def _answer(status: int, data: object) -> web.Response:
    return web.Response(body=_encode(data), status=status, content_type="application/json")
