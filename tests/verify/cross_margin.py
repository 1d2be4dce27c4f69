"""Shows two crossed positions that share the equity of one account, down to its liquidation.

    python -m tests.verify.cross_margin

No fees, one tier with a maintenance rate of 0.01. Ends non-zero when a figure differs from the one
worked out by hand.
"""

from __future__ import annotations

from tests.verify.shown import Show, run

RULES: dict[str, object] = {
    "tiers": [{"end": "1000000", "leverage": 50, "keep_margin_rate": "0.01"}],
    "taker_fee": "0",
    "maker_fee": "0",
}
PAIRS = (("BTCUSDT", "50000"), ("ETHUSDT", "2000"))


async def act(show: Show) -> None:
    held = {}
    for symbol, price in PAIRS:
        await show.client.control(f"/symbols/{symbol}", RULES)
        await show.price(price, symbol=symbol)
        await show.order("buy", "0.1" if symbol == "BTCUSDT" else "1", symbol=symbol, marginMode="crossed")
        held[symbol] = await show.position(symbol)
    value = {symbol: show_value(row) for symbol, row in held.items()}
    print(f"    entry values {value}")
    # BTC falls by 9000: the mark value of 0.1 is 4100, of 1 ETH 2000; maintenance 41 + 20 = 61
    await show.price("41000", symbol="BTCUSDT")
    account = await show.get("account/account")
    equity = float(account["accountEquity"])
    loss = value["BTCUSDT"] - 4100 + value["ETHUSDT"] - 2000
    show.same("equity after the fall of BTC", round(equity, 6), round(1000 - loss, 6))
    show.same("maintenance / equity", round(float(account["crossedRiskRate"]), 6), round(61 / equity, 6))
    for symbol, _ in PAIRS:
        ratio = float((await show.position(symbol))["marginRatio"])
        show.same(f"margin ratio of {symbol}", round(ratio, 6), round(61 / equity, 6))
    show.same("ETH is not touched", (await show.position("ETHUSDT"))["total"], "1")
    # ETH falls by 40: equity about 59.8 against 41 + 19.6 = 60.6; without BTC 19.6 are needed
    await show.price("1960", symbol="ETHUSDT")
    show.same("BTC, the greatest loss, is gone", await show.position("BTCUSDT"), {})
    left = 1000 - (value["BTCUSDT"] - 4100) - (value["ETHUSDT"] - 1960)
    show.same("ETH is kept", (await show.position("ETHUSDT"))["total"], "1")
    account = await show.get("account/account")
    show.same("equity", round(float(account["accountEquity"]), 6), round(left, 6))
    show.same("maintenance / equity", round(float(account["crossedRiskRate"]), 6), round(19.6 / left, 6))
    await show.price("1000", symbol="ETHUSDT")
    show.same("positions after ETH halved", await show.get("position/all-position"), [])
    show.same("wallet, never below zero", await show.wallet(), 0)


def show_value(row: dict[str, str]) -> float:
    return float(row["openPriceAvg"]) * float(row["total"])


if __name__ == "__main__":
    raise SystemExit(run(act))
