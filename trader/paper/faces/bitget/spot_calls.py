"""What spot handlers share: their routes with the spot market's own codes, freshness, pages, batches."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TypeVar

from shared import clock
from shared.errors import VenueRefusedError
from trader.paper.contract import SPOT
from trader.paper.engine.refusals import Refused
from trader.paper.engine.spot_batch import SpotQuery
from trader.paper.faces.bitget.calls import Call, Handler, signed_get, signed_post
from trader.paper.faces.bitget.errors import from_spot, refusal
from trader.paper.faces.bitget.params import Params
from trader.paper.market import MarketState

_MOST_IN_BATCH = 50
T = TypeVar("T")


def _spoken(handler: Handler) -> Handler:
    """The handler with the engine's refusals in the words of the spot market."""

    @wraps(handler)
    def speaking(call: Call) -> object:
        try:
            return handler(call)
        except Refused as refused:
            raise from_spot(refused) from None

    return speaking


def spot_get(path: str, per_second: int = 10) -> Callable[[Handler], Handler]:
    return lambda handler: signed_get(path, per_second)(_spoken(handler))


def spot_post(path: str, per_second: int = 10) -> Callable[[Handler], Handler]:
    return lambda handler: signed_post(path, per_second)(_spoken(handler))


def fresh(params: Params) -> None:
    """``requestTime`` may be at most ``receiveWindow`` ms old, when a client gives both."""
    sent, window = params.integer("requestTime"), params.integer("receiveWindow")
    if sent and window and clock.now_ms() - sent > window:
        raise refusal("40008")


def traded(call: Call, params: Params | None = None, outer: str = "") -> MarketState:
    """The symbol of a signed spot call; ``outer`` stands in for an item of a batch without one."""
    named = (params or call.params).text("symbol").upper() or outer
    return call.state(named or call.params.symbol(), SPOT, "40102")


def which(params: Params) -> tuple[int, str]:
    number, client_id = params.number("orderId"), params.text("clientOid")
    if not number and not client_id:
        raise refusal("40913", "orderId, clientOid")
    return number, client_id


def page(params: Params, default: int = 100, most: int = 100) -> SpotQuery:
    """limit, idLessThan, startTime, endTime, symbol, orderId."""
    asked = params.page(default, most)
    return SpotQuery(
        symbol=asked.symbol,
        order_id=asked.order_id,
        before=asked.before,
        since_ns=asked.since_ns,
        until_ns=asked.until_ns,
        limit=asked.limit,
    )


def items(params: Params, name: str) -> list[Params]:
    """The objects of a batch: at least one, at most fifty."""
    wanted = params.raw(name)
    if not wanted:
        raise refusal("40019", name)
    if not isinstance(wanted, list) or not all(isinstance(item, dict) for item in wanted):
        raise refusal("40020", name)
    if len(wanted) > _MOST_IN_BATCH:
        raise refusal("40912")
    return [Params(item) for item in wanted]


def each(wanted: list[Params], do: Callable[[Params], dict[str, str]]) -> dict[str, list[dict[str, str]]]:
    """Every item on its own: what succeeded, and what was refused and why."""
    success: list[dict[str, str]] = []
    failure: list[dict[str, str]] = []
    for item in wanted:
        try:
            success.append(do(item))
        except (Refused, VenueRefusedError) as error:
            refused = from_spot(error) if isinstance(error, Refused) else error
            failure.append(
                {
                    "orderId": _named(item, "orderId"),
                    "clientOid": _named(item, "clientOid"),
                    "errorMsg": refused.text,
                    "errorCode": refused.code,
                }
            )
    return {"successList": success, "failureList": failure}


def _named(item: Params, name: str) -> str:
    value = item.raw(name)
    return str(value)[:64] if isinstance(value, str | int) else ""
