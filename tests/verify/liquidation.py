"""Shows isolated liquidation on the mark price: whole at the literal price, and partial down the tiers.

    python -m tests.verify.liquidation

Ends non-zero when a figure differs from the one worked out by hand.
"""

from __future__ import annotations

from decimal import Decimal

from tests.verify.shown import Show, run

D = Decimal


async def act(show: Show) -> None:
    await literal(show)
    await partial(show)


async def literal(show: Show) -> None:
    """The venue's sample: E 25000, q 0.01, margin 9.66950500933733, r 0.004, f 0.0006 -> 24144.1124161806977798.

    A resting order opens it at exactly 25000 as maker; margin is then added to what the sample has.
    """
    tier = [{"end": "150000", "leverage": 125, "keep_margin_rate": "0.004"}]
    await show.client.control("/symbols/BTCUSDT", {"tiers": tier})
    await show.price("25100")
    await show.post("account/set-margin-mode", marginMode="isolated")
    await show.post("account/set-leverage", leverage="125")
    await opened(show, "0.01")
    row = await show.position()
    entry, margin = D(row["openPriceAvg"]), D(row["marginSize"])
    show.same("entry", entry, "25000")
    show.same("initial margin 250 / 125", margin, "2")
    await show.post("account/set-margin", holdSide="long", amount="7.6695050093373343")
    row = await show.position()
    show.same("margin after adding", row["marginSize"], "9.6695050093373343")
    show.same("liquidation price", row["liquidationPrice"][:14], "24144.11241618")
    await show.price("25100", "25100")
    show.same("margin ratio", (await show.position())["marginRatio"][:14], "0.108214954582")
    await show.price("24144.2", "24144.2")
    show.same("a mark above it", (await show.position())["total"], "0.01")
    await show.price("25000", "24144.1")  # last stays where it was: the mark alone decides
    show.same("a mark at it", await show.position(), {})
    # 1000 - 0.05 of opening fee (0.0002 x 250) - 9.6695050093373343 of margin
    show.same("wallet", await show.wallet(), "990.2804949906626657")
    fill = (await show.get("order/fills"))["fillList"][0]
    show.same("fill", (fill["tradeSide"], fill["price"]), ("burst_sell_single", "24144.1"))
    bill = (await show.bills())[-1]
    show.same("bill", bill["businessType"], "burst_sell")
    show.same("its amount and fee together", D(bill["amount"]) + D(bill["fee"]), "-9.6695050093373343")


async def opened(show: Show, size: str) -> None:
    """A long of 25000: the order rests until the market falls through it."""
    await show.order("buy", size, price="25000", orderType="limit", force="gtc")
    await show.price("24990")


async def partial(show: Show) -> None:
    """Tiers to 500 (r 0.01) and 2000 (r 0.04), no fees; 0.04 at 25000 = 1000, 10x: margin 100.

    Tier 2: (1000 - 100) / (0.04 x 0.96) = 23437.5. There 0.02 go (500 are left): -31.25, margin 68.75.
    Tier 1: (500 - 68.75) / (0.02 x 0.99) = 21780.30...
    """
    ladder = [
        {"end": "500", "leverage": 50, "keep_margin_rate": "0.01"},
        {"end": "2000", "leverage": 20, "keep_margin_rate": "0.04"},
    ]
    rules: dict[str, object] = {"tiers": ladder, "taker_fee": "0", "maker_fee": "0"}
    await show.client.control("/symbols/BTCUSDT", rules)
    await show.price("25100")
    await show.post("account/set-leverage", leverage="10")
    before = await show.wallet()
    await opened(show, "0.04")
    row = await show.position()
    show.same("entry", row["openPriceAvg"], "25000")
    show.same("liquidation price in tier 2", row["liquidationPrice"], "23437.5")
    await show.price("25000", "23437.5")
    row = await show.position()
    show.same("size after the reduction", row["total"], "0.02")
    show.same("margin after it", row["marginSize"], "68.75")
    show.same("liquidation price in tier 1", row["liquidationPrice"][:9], "21780.303")
    fill = (await show.get("order/fills"))["fillList"][0]
    show.same("fill", (fill["tradeSide"], fill["price"]), ("reduce_sell_single", "23437.5"))
    show.same("bill", (await show.bills())[-1]["businessType"], "force_sell")
    await show.price("25000", "21780.3")
    show.same("after the mark fell to it", await show.position(), {})
    show.same("loss, the margin and no more", before - await show.wallet(), "100")
    closed = (await show.get("position/history-position"))["list"][0]
    show.same("closed in the history", closed["closeTotalPos"], "0.04")


if __name__ == "__main__":
    raise SystemExit(run(act))
