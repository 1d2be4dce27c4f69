"""Keys and JSON types of every push, against those of recorded ones."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from shared.domain.order import Side
from tests.trader.paper.binance.sockets import Sockets
from trader.paper.engine.accounts import Account
from trader.paper.engine.algos import NewAlgo
from trader.paper.engine.model import MarginMode, PlanKind
from trader.paper.server import PaperServer

D = Decimal
BTC = "BTCUSDT"


def shape(**keys: object) -> dict[str, object]:
    return keys


def texts(names: str) -> dict[str, object]:
    return dict.fromkeys(names.split(), "str")


def whole(names: str) -> dict[str, object]:
    return dict.fromkeys(names.split(), "int")


def flags(names: str) -> dict[str, object]:
    return dict.fromkeys(names.split(), "bool")


_K = texts("i o c h l v q V Q B") | whole("t T f L n") | flags("x")
_LEVELS = [["str"]]

MARKET: dict[str, dict[str, object]] = {
    "aggTrade": texts("e s p q") | whole("E a f l T") | flags("m"),
    "depthUpdate": texts("e s") | whole("E T U u pu") | shape(b=_LEVELS, a=_LEVELS),
    "bookTicker": texts("e s b B a A") | whole("u E T"),
    "kline": texts("e s") | whole("E") | shape(k=_K | texts("s")),
    "continuous_kline": texts("e ps ct") | whole("E") | shape(k=_K),
    "markPriceUpdate": texts("e s p i P r") | whole("E T"),
    "24hrMiniTicker": texts("e s c o h l v q") | whole("E"),
    "24hrTicker": texts("e s p P w c Q o h l v q") | whole("E O C F L n"),
    "forceOrder": texts("e") | whole("E") | shape(o=texts("s S o f q p ap X l z") | whole("T")),
}
USER: dict[str, dict[str, object]] = {
    "ORDER_TRADE_UPDATE": texts("e")
    | whole("E T")
    | shape(
        o=texts("s c S o f q p ap sp x X l z L N n b a wt ot ps rp V pm")
        | whole("i T t si ss gtd")
        | flags("m R cp pP")
    ),
    "TRADE_LITE": texts("e s q p c S L l") | whole("E T t i") | flags("m"),
    "ACCOUNT_UPDATE": texts("e")
    | whole("E T")
    | shape(a=texts("m") | shape(B=[texts("a wb cw bc")], P=[texts("s pa ep bep cr up mt iw ps")])),
    "ACCOUNT_CONFIG_UPDATE": texts("e") | whole("E T") | shape(ac=texts("s") | whole("l")),
    "ALGO_UPDATE": texts("e")
    | whole("T E")
    | shape(
        o=texts("caid at o s S ps f q X ai ap aq act tp p V wt pm") | whole("aid tt gtd") | flags("cp pP R")
    ),
    "CONDITIONAL_ORDER_TRIGGER_REJECT": texts("e")
    | whole("E T")
    | shape(**{"or": texts("s r") | whole("i")}),
    "MARGIN_CALL": texts("e cw") | whole("E") | shape(p=[texts("s ps pa mt iw mp up mm")]),
}
#: Keys that are there only sometimes, as documented.
_SOMETIMES = {"er", "rm"}


def of(value: Any) -> object:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, dict):
        return {name: of(item) for name, item in value.items() if name not in _SOMETIMES}
    if isinstance(value, list):
        return [of(value[0])] if value else []
    return {str: "str", int: "int"}[type(value)]


async def test_market_streams(sockets: Sockets, binance: PaperServer, account: Account) -> None:
    streams = [
        "aggTrade",
        "depth@100ms",
        "depth5@100ms",
        "bookTicker",
        "kline_1m",
        "markPrice@1s",
        "miniTicker",
        "ticker",
        "forceOrder",
    ]
    names = [f"btcusdt@{name}" for name in streams] + ["btcusdt_perpetual@continuousKline_1h"]
    socket = await sockets.stream("/stream?streams=" + "/".join(names))
    await socket.ask("LIST_SUBSCRIPTIONS")
    binance.hub.override_price(BTC, D(60_000))
    state = binance.hub.states["futures", BTC]
    binance.hub.release_price(BTC)
    binance.hub.feed_trade(state, D(60_000), D("0.5"), "buy", binance.clock.now_ns())
    binance.hub.override_price(BTC, D(60_000))
    api = await sockets.api()
    binance.engine.set_margin_mode(account, BTC, MarginMode.ISOLATED)
    await api.result("order.place", symbol=BTC, side="BUY", type="MARKET", quantity="0.01")
    binance.hub.override_price(BTC, D(50_000))
    missing = set(names) - {message.get("stream") for message in socket.seen}
    while missing:
        missing.discard((await socket.next(lambda message: "stream" in message))["stream"])
    for message in socket.seen:
        if "stream" in message:
            data = message["data"]
            assert of(data) == MARKET[data["e"]], message


async def test_user_data(sockets: Sockets, binance: PaperServer, account: Account) -> None:
    binance.hub.override_price(BTC, D(60_000))
    api = await sockets.api()
    user = await sockets.user(api)
    await user.ask("LIST_SUBSCRIPTIONS")
    engine = binance.engine
    engine.set_leverage(account, BTC, 50)
    await api.result("order.place", symbol=BTC, side="BUY", type="MARKET", quantity="1")
    stop = NewAlgo(
        symbol=BTC,
        kind=PlanKind.ALGO_STOP,
        side=Side.BUY,
        size=D("0.01"),
        trigger=D(61_000),
        reduce_only=True,
    )
    engine.place_algo(account, stop)
    binance.hub.override_price(BTC, D(61_000))
    (held,) = account.positions.values()
    liquidation = engine.liquidation_price(account, held, engine.funds(account))
    binance.hub.override_price(BTC, liquidation + 20)
    missing = set(USER) - {message.get("e") for message in user.seen}
    while missing:
        missing.discard((await user.next(lambda message: "e" in message))["e"])
    for message in user.seen:
        if "e" in message and not (message["e"] == "ACCOUNT_UPDATE" and not message["a"]["P"]):
            assert of(message) == USER[message["e"]], message
