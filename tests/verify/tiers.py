"""Shows the leverage ladder on a real exchange: caps by value, maintenance rates, refusals.

    python -m tests.verify.tiers

Ends non-zero when a figure differs from the one worked out by hand.
"""

from __future__ import annotations

from tests.verify.shown import Show, run

LADDER = [
    {"end": "1000", "leverage": 50, "keep_margin_rate": "0.01"},
    {"end": "3000", "leverage": 20, "keep_margin_rate": "0.02"},
    {"end": "10000", "leverage": 5, "keep_margin_rate": "0.1"},
]


async def act(show: Show) -> None:
    await show.client.control("/symbols/BTCUSDT", {"tiers": LADDER})
    await show.price("50000")
    rows = await show.get("market/query-position-lever")
    show.same("tiers", [row["endUnit"] for row in rows], ["1000", "3000", "10000"])
    contract = (await show.get("market/contracts"))[0]
    show.same("maximum leverage", contract["maxLever"], 50)
    show.same("leverage 51", await show.refused("account/set-leverage", leverage="51"), "45045")
    await show.post("account/set-margin-mode", marginMode="isolated")
    await show.post("account/set-leverage", leverage="50")
    limit = {"marginMode": "isolated", "side": "buy", "orderType": "limit", "force": "gtc", "price": "50000"}
    code = await show.refused("order/place-order", **limit, size="0.021")
    show.same("1050 USDT at 50x, where 1000 is the most", code, "45120")
    await show.post("account/set-leverage", leverage="20")
    code = await show.refused("order/place-order", **limit, size="0.061")
    show.same("3050 USDT at 20x, where 3000 is the most", code, "45120")
    await show.post("account/set-leverage", leverage="5")
    await show.order("buy", "0.018")
    show.same("rate of about 900 USDT", (await show.position())["keepMarginRate"], "0.01")
    await show.order("buy", "0.02")
    show.same("rate of about 1900 USDT", (await show.position())["keepMarginRate"], "0.02")
    await show.order("buy", "0.03")
    show.same("rate of about 3400 USDT", (await show.position())["keepMarginRate"], "0.1")
    code = await show.refused("account/set-leverage", leverage="20")
    show.same("20x while 3400 USDT are held", code, "45120")


if __name__ == "__main__":
    raise SystemExit(run(act))
