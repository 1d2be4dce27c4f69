"""What v3 handlers share: their routes, categories, pages, batches.

A page is ``{"list", "cursor"}``, newest first; ``cursor`` is the id to go on below. An empty one has null
for both, as the venue sends it.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from functools import wraps

from shared.clock import MILLISECOND
from shared.errors import VenueRefusedError
from trader.paper.contract import FUTURES, SPOT, Market
from trader.paper.engine.batch import Query
from trader.paper.engine.model import AccountKind
from trader.paper.engine.refusals import Refused
from trader.paper.faces.bitget.calls import Call, Handler, enter
from trader.paper.faces.bitget.params import Params
from trader.paper.faces.bitget.v3.errors import refusal, spoken
from trader.paper.market import MarketState

Row = dict[str, object]
Wrapped = Callable[[Handler], Handler]

MOST_IN_BATCH = 20
_MOST_IN_PAGE = 100
_DAY_MS = 86_400_000
_SPAN_DAYS = 30
_KEPT_DAYS = 90


class Category(StrEnum):
    """What v3 calls a product type. The first two have symbols here."""

    FUTURES = "USDT-FUTURES"
    SPOT = "SPOT"
    MARGIN = "MARGIN"
    COIN = "COIN-FUTURES"
    USDC = "USDC-FUTURES"
    OTHER = "OTHER"

    @property
    def market(self) -> Market | None:
        """Its market here; ``None`` for those that have no symbols."""
        return _MARKETS.get(self)


_MARKETS: dict[Category, Market] = {Category.FUTURES: FUTURES, Category.SPOT: SPOT}
_NAMES = {category.value: category for category in Category}
CATEGORIES: dict[str, Category] = {market: category for category, market in _MARKETS.items()}


def category(params: Params) -> Category:
    found = optional_category(params)
    if found is None:
        raise refusal("400172", "category")
    return found


def optional_category(params: Params) -> Category | None:
    """``None`` when it is not given."""
    named = params.text("category").upper()
    if not named:
        return None
    if named not in _NAMES:
        raise refusal("400172", "category")
    return _NAMES[named]


def traded(call: Call, params: Params | None = None) -> tuple[Category, MarketState]:
    """The category and symbol of a call; symbols of other categories do not exist here."""
    params = params or call.params
    found, symbol = category(params), params.symbol()
    if found.market is None:
        raise refusal("25100", symbol)
    return found, state_of(call, found.market, symbol)


def contract(call: Call) -> MarketState:
    """The contract of a call that knows nothing else."""
    found, state = traded(call)
    if found is not Category.FUTURES:
        raise refusal("25240", found.value)
    return state


def state_of(call: Call, market: Market, symbol: str) -> MarketState:
    state = call.hub.get(market, symbol)
    if state is None:
        raise refusal("25100", symbol)
    return state


def which(params: Params) -> tuple[int, str]:
    """orderId prevails over clientOid; one of them is needed."""
    number, client_id = params.number("orderId"), params.text("clientOid")
    if not number and not client_id:
        raise refusal("400172", "orderId, clientOid")
    return number, "" if number else client_id


# pages


def page(call: Call) -> Query:
    """limit, cursor, startTime, endTime, symbol. At most 30 days in one, 90 days back."""
    params = call.params
    limit = params.integer("limit", _MOST_IN_PAGE)
    since, until = params.integer("startTime"), params.integer("endTime")
    if limit < 1 or min(since, until) < 0 or max(since, until) > 10**13:
        raise refusal("400172", "limit" if limit < 1 else "startTime, endTime")
    if since and until and since > until:
        raise refusal("40707")
    if since and until and until - since > _SPAN_DAYS * _DAY_MS:
        raise refusal("40705", str(_SPAN_DAYS))
    oldest = call.engine.core.now_ns - _KEPT_DAYS * _DAY_MS * MILLISECOND
    return Query(
        symbol=params.text("symbol").upper(),
        before=params.number("cursor"),
        since_ns=max(since * MILLISECOND, oldest, 0),
        until_ns=until and until * MILLISECOND + MILLISECOND - 1,  # all of its last millisecond
        limit=min(limit, _MOST_IN_PAGE),
    )


def paged(rows: list[Row], name: str) -> Row:
    """``name`` is the key that holds a row's id."""
    return {"list": rows or None, "cursor": rows[-1][name] if rows else None}


# routes


def _speaking(handler: Handler) -> Handler:
    @wraps(handler)
    def speaking(call: Call) -> object:
        try:
            return handler(call)
        except (Refused, VenueRefusedError) as error:
            raise spoken(error) from None

    return speaking


def _entered(method: str, path: str, per_second: int, *, signed: bool, listed: bool = False) -> Wrapped:
    enters = enter(
        method, f"/api/v3/{path}", per_second, signed=signed, kind=AccountKind.UNIFIED, listed=listed
    )

    def entered(handler: Handler) -> Handler:
        return enters(_speaking(handler))

    return entered


def public(path: str, per_second: int = 20) -> Wrapped:
    """An unsigned GET; ``path`` is below ``/api/v3/``."""
    return _entered("GET", path, per_second, signed=False)


def signed_get(path: str, per_second: int = 20) -> Wrapped:
    return _entered("GET", path, per_second, signed=True)


def signed_post(path: str, per_second: int = 10, *, listed: bool = False) -> Wrapped:
    """``listed``: the body is a list of objects."""
    return _entered("POST", path, per_second, signed=True, listed=listed)


def each(call: Call, do: Callable[[Params], Row]) -> list[Row]:
    """Every item of a batch on its own, all of one category: a row, or what it was refused with."""
    items = call.params.items
    if not 1 <= len(items) <= MOST_IN_BATCH:
        raise refusal("400172", f"1 to {MOST_IN_BATCH} orders")
    if len({item.text("category").upper() for item in items}) > 1:
        raise refusal("400172", "category")
    rows: list[Row] = []
    for item in items:
        try:
            rows.append(do(item))
        except (Refused, VenueRefusedError) as error:
            refused = spoken(error)
            rows.append(
                {
                    "orderId": item.brief("orderId"),
                    "clientOid": item.brief("clientOid"),
                    "code": refused.code,
                    "msg": refused.text,
                }
            )
    return rows
