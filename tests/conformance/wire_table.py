"""Makes ``wire_shapes.json`` from the samples of the reference: ``python -m tests.conformance.wire_table``.

The table holds the shape of ``data`` per REST call and of a pushed row per channel, so that the tests need no
reference folder. Sources: ``wire_samples/bitget.json`` (payloads of a third client's tests) and the payload comments
of ccxt, where they name a classic call; calls that bitget.md describes and no sample shows are written below.
"""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

from tests.conformance import shapes

HERE = Path(__file__).parent
TABLE = HERE / "wire_shapes.json"
SAMPLES = HERE.parents[1].parent / "shared" / "reference" / "wire_samples"

MIX, SPOT, V3 = "/api/v2/mix", "/api/v2/spot", "/api/v3"

#: Calls of the samples that bitget.md §4-12 does not describe: this exchange has no money that comes or goes.
OUTSIDE = frozenset(
    {
        f"POST {SPOT}/wallet/cancel-withdrawal",
        f"GET {SPOT}/wallet/deposit-address",
        f"GET {SPOT}/wallet/deposit-records",
        f"GET {SPOT}/wallet/withdrawal-records",
        f"POST {SPOT}/account/switch-deduct",
        f"POST {SPOT}/wallet/modify-deposit-account",
        f"POST {SPOT}/wallet/withdrawal",
        "GET /api/v2/public/annoucements",
    }
)

#: The same of unified accounts: also what would lend, convert, transfer or change the account's mode.
OUTSIDE_V3 = frozenset(
    {
        *(f"GET {V3}/account/{name}" for name in (
            "convert-records", "delta-info", "deposit-address", "deposit-records", "payment-coins",
            "repayable-coins", "switch-status", "transferable-coins", "withdraw-address", "withdrawal-records",
        )),
        *(f"POST {V3}/account/{name}" for name in (
            "adjust-account-mode", "cancel-withdrawal", "deposit-account", "repay", "switch", "switch-deduct",
            "transfer", "withdrawal",
        )),
        *(f"GET {V3}/market/{name}" for name in ("index-components", "margin-loans", "proof-of-reserves")),
    }
)  # fmt: skip

#: ccxt's payload comments: function, number of the sample, call. Whole envelopes, so that ``data`` is meant.
CCXT_REST: tuple[tuple[str, int, str], ...] = (
    ("fetch_time", 0, "GET /api/v2/public/time"),
    ("fetch_market_leverage_tiers", 0, f"GET {MIX}/market/query-position-lever"),
    ("fetch_ticker", 0, f"GET {SPOT}/market/tickers"),
    ("fetch_ticker", 1, f"GET {MIX}/market/ticker"),
    ("fetch_tickers", 0, f"GET {SPOT}/market/tickers"),
    ("fetch_tickers", 1, f"GET {MIX}/market/tickers"),
    ("fetch_trades", 0, f"GET {SPOT}/market/fills-history"),
    ("fetch_trades", 1, f"GET {MIX}/market/fills-history"),
    ("fetch_trading_fee", 1, "GET /api/v2/common/trade-rate"),
    ("fetch_trading_fees", 1, f"GET {SPOT}/public/symbols"),
    ("fetch_trading_fees", 2, f"GET {MIX}/market/contracts"),
    ("fetch_balance", 2, f"GET {SPOT}/account/assets"),
    ("fetch_balance", 3, f"GET {MIX}/account/accounts"),
    ("create_order", 0, f"POST {MIX}/order/place-order"),
    ("create_orders", 0, f"POST {MIX}/order/batch-place-order"),
    ("edit_order", 0, f"POST {MIX}/order/modify-order"),
    ("cancel_order", 0, f"POST {MIX}/order/cancel-order"),
    ("cancel_order", 1, f"POST {MIX}/order/cancel-plan-order"),
    ("cancel_order", 2, f"POST {SPOT}/trade/cancel-plan-order"),
    ("cancel_orders", 0, f"POST {MIX}/order/batch-cancel-orders"),
    ("cancel_all_orders", 1, f"POST {SPOT}/trade/cancel-symbol-order"),
    ("cancel_all_orders", 2, f"POST {MIX}/order/batch-cancel-orders"),
    ("fetch_order", 0, f"GET {SPOT}/trade/orderInfo"),
    ("fetch_order", 1, f"GET {MIX}/order/detail"),
    ("fetch_open_orders", 0, f"GET {SPOT}/trade/unfilled-orders"),
    ("fetch_open_orders", 1, f"GET {SPOT}/trade/current-plan-order"),
    ("fetch_open_orders", 3, f"GET {MIX}/order/orders-pending"),
    ("fetch_canceled_and_closed_orders", 0, f"GET {SPOT}/trade/history-orders"),
    ("fetch_canceled_and_closed_orders", 1, f"GET {SPOT}/trade/history-plan-order"),
    ("fetch_canceled_and_closed_orders", 3, f"GET {MIX}/order/orders-history"),
    ("fetch_canceled_and_closed_orders", 4, f"GET {MIX}/order/orders-plan-history"),
    ("fetch_ledger", 2, f"GET {SPOT}/account/bills"),
    ("fetch_ledger", 3, f"GET {MIX}/account/bill"),
    ("fetch_my_trades", 0, f"GET {SPOT}/trade/fills"),
    ("fetch_my_trades", 2, f"GET {MIX}/order/fills"),
    ("fetch_position", 1, f"GET {MIX}/position/single-position"),
    ("fetch_positions", 0, f"GET {MIX}/position/all-position"),
    ("fetch_positions", 1, f"GET {MIX}/position/history-position"),
    ("fetch_positions_history", 1, f"GET {MIX}/position/history-position"),
    ("fetch_funding_rate_history", 1, f"GET {MIX}/market/history-fund-rate"),
    ("fetch_funding_rate", 1, f"GET {MIX}/market/current-fund-rate"),
    ("fetch_funding_rate", 2, f"GET {MIX}/market/funding-time"),
    ("fetch_funding_history", 1, f"GET {MIX}/account/bill"),
    ("modify_margin_helper", 0, f"POST {MIX}/account/set-margin"),
    ("fetch_leverage", 0, f"GET {MIX}/account/account"),
    ("fetch_margin_mode", 0, f"GET {MIX}/account/account"),
    ("set_leverage", 1, f"POST {MIX}/account/set-leverage"),
    ("set_margin_mode", 0, f"POST {MIX}/account/set-margin-mode"),
    ("set_position_mode", 1, f"POST {MIX}/account/set-position-mode"),
    ("fetch_open_interest", 1, f"GET {MIX}/market/open-interest"),
    ("fetch_transfers", 0, f"GET {SPOT}/account/transferRecords"),
    ("transfer", 0, f"POST {SPOT}/wallet/transfer"),
    ("close_position", 1, f"POST {MIX}/order/close-positions"),
    ("close_all_positions", 1, f"POST {MIX}/order/close-positions"),
)
#: The same for whole pushes.
CCXT_WS = (
    ("parse_ws_ticker", 0),
    ("parse_ws_ticker", 1),
    ("handle_ohlcv", 0),
    ("handle_order_book", 0),
    ("handle_trades", 0),
    ("handle_order", 0),
    ("handle_order", 1),
    ("handle_my_trades", 0),
    ("handle_my_trades", 1),
    ("handle_balance", 0),
    ("handle_balance", 1),
)
#: The same of unified accounts.
CCXT_V3: tuple[tuple[str, int, str], ...] = (
    ("fetch_market_leverage_tiers", 3, f"GET {V3}/market/position-tier"),
    ("fetch_order_book", 1, f"GET {V3}/market/orderbook"),
    ("fetch_ticker", 2, f"GET {V3}/market/tickers"),
    ("fetch_ticker", 3, f"GET {V3}/market/tickers"),
    ("fetch_trades", 2, f"GET {V3}/market/fills"),
    ("fetch_balance", 4, f"GET {V3}/account/assets"),
    ("cancel_order", 3, f"POST {V3}/trade/cancel-strategy-order"),
    ("fetch_order", 2, f"GET {V3}/trade/order-info"),
    ("fetch_open_orders", 4, f"GET {V3}/trade/unfilled-orders"),
    ("fetch_open_orders", 5, f"GET {V3}/trade/unfilled-strategy-orders"),
    ("fetch_uta_canceled_and_closed_orders", 0, f"GET {V3}/trade/history-orders"),
    ("fetch_uta_canceled_and_closed_orders", 1, f"GET {V3}/trade/history-strategy-orders"),
    ("fetch_ledger", 1, f"GET {V3}/account/financial-records"),
    ("fetch_my_trades", 3, f"GET {V3}/trade/fills"),
    ("fetch_position", 0, f"GET {V3}/position/current-position"),
    ("fetch_positions_history", 0, f"GET {V3}/position/history-position"),
)
#: ccxt shows these rows without an envelope: pairs and contracts are in one call.
CCXT_V3_ROWS = tuple(("fetch_uta_markets", number, f"GET {V3}/market/instruments") for number in (0, 2))
#: ccxt shows these rows without their push.
CCXT_WS_ROWS = (("parse_ws_position", 0, "USDT-FUTURES positions"),)

#: bitget.md §7-9 gives the keys, no sample shows them.
DESCRIBED: dict[str, Any] = {
    f"GET {MIX}/account/max-open": {"maxOpen": "string"},
    f"GET {MIX}/account/liq-price": {"liqPrice": "string"},
    f"GET {MIX}/account/open-count": {"size": "string"},
    f"POST {MIX}/order/click-backhand": {"orderId": "string", "clientOid": "string"},
}


def table(samples: Path = SAMPLES) -> dict[str, Any]:
    """The content of ``wire_shapes.json``."""
    read = {
        name: json.loads((samples / f"{name}.json").read_text())
        for name in ("bitget", "ccxt_comments_bitget", "ccxt_comments_bitget_ws")
    }
    refused: set[str] = set()
    data: dict[str, list[Any]] = defaultdict(list)
    unified: dict[str, list[Any]] = defaultdict(list)
    for sample in read["bitget"]["rest"]:
        call = f"{sample['method']} {sample['path']}"
        if call in OUTSIDE | OUTSIDE_V3:
            refused.add(call)
        elif V3 in call:
            unified[call].append(sample["response"]["data"])
        else:
            data[call].append(sample["response"]["data"])
    comments = read["ccxt_comments_bitget"]["byFunction"]
    for function, number, call in CCXT_REST:
        data[call].append(comments[function][number]["sample"]["data"])
    for function, number, call in CCXT_V3:
        unified[call].append(comments[function][number]["sample"]["data"])
    for function, number, call in CCXT_V3_ROWS:
        unified[call].append([comments[function][number]["sample"]])
    rest = {call: shapes.encode(shapes.of(values)) for call, values in sorted(data.items())}
    return {
        "v3": {call: shapes.encode(shapes.of(values)) for call, values in sorted(unified.items())},
        "rest": dict(sorted((rest | DESCRIBED).items())),
        "refused": sorted(refused),
        "ws": {name: shapes.encode(shapes.of(rows)) for name, rows in sorted(_rows(read).items())},
    }


def _rows(read: dict[str, Any]) -> dict[str, list[Any]]:
    """Pushed rows per "instType channel"."""
    rows: dict[str, list[Any]] = defaultdict(list)
    for sample in read["bitget"]["ws"]:
        if sample["name"].startswith("Unified") or sample["name"].endswith("Concurrent"):
            continue  # another protocol; and rows that were cut short to be told apart
        for frame in sample["frames"]:
            if frame["dir"] == "server-push":
                _push(rows, frame["frame"])
    comments = read["ccxt_comments_bitget_ws"]["byFunction"]
    for function, number in CCXT_WS:
        _push(rows, comments[function][number]["sample"])
    for function, number, name in CCXT_WS_ROWS:
        rows[name].append(comments[function][number]["sample"])
    return rows


def _push(rows: dict[str, list[Any]], message: dict[str, Any]) -> None:
    arg, channel = message["arg"], message["arg"]["channel"]
    for prefix, name in (("candle", "candle"), ("books", "books")):
        channel = name if channel.startswith(prefix) else channel
    found = rows[f"{arg['instType']} {channel}"]
    # a candle is a row of its own, other pushes are lists of objects
    found.extend([row] if isinstance(row, list) else row for row in message["data"])


def text() -> str:
    """One line per call, channel and refused call."""
    made = table()
    lines = ["{"]
    for part in ("rest", "v3", "ws"):
        rows = [f"  {json.dumps(name)}: {json.dumps(shape)}" for name, shape in made[part].items()]
        lines.append(f' "{part}": {{\n' + ",\n".join(rows) + "\n },")
    lines.append(' "refused": [\n' + ",\n".join(f"  {json.dumps(call)}" for call in made["refused"]) + "\n ]")
    return "\n".join([*lines, "}"]) + "\n"


if __name__ == "__main__":
    TABLE.write_text(text())
