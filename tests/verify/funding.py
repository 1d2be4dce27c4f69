"""Shows funding at an interval that changes from 8 h to 4 h to 1 h while positions are open.

    python -m tests.verify.funding

Ends non-zero when a figure differs from the one worked out by hand.
"""

from __future__ import annotations

from tests.verify.shown import Show, run

HOUR_MS = 3_600_000


async def act(show: Show) -> None:
    """0.1 long at a mark of 50000: 5000 x rate a settlement."""
    await show.price("50000")
    await show.order("buy", "0.1", marginMode="crossed")
    steps = (("0.0001", 8, "-0.5"), ("0.0002", 4, "-1"), ("-0.0004", 1, "2"))
    paid: list[str] = []
    times: list[int] = []
    for rate, hours, amount in steps:
        change = {"symbol": "BTCUSDT", "rate": rate, "interval_h": hours}
        await show.client.control("/funding", change)
        shown = (await show.get("market/current-fund-rate"))[0]
        show.same(f"rate {rate}", shown["fundingRate"], rate)
        show.same("interval", shown["fundingRateInterval"], hours)
        contract = (await show.get("market/contracts"))[0]
        show.same("contract", contract["fundInterval"], hours)
        for _ in range(2):
            coming = (await show.get("market/funding-time"))[0]
            due = int(coming["nextFundingTime"])
            show.same("on a whole multiple of the interval", due % (hours * HOUR_MS), 0)
            if times and paid[-1] == amount:
                show.same("hours since the last one", (due - times[-1]) // HOUR_MS, hours)
            clock = (await show.client.control("/state"))["clock"]["now_ns"] // 1_000_000
            await show.advance(due - clock + 1000)
            paid.append(amount)
            times.append(due)
    bills = [row for row in await show.bills() if row["businessType"] == "contract_settle_fee"]
    show.same("bills", [row["amount"] for row in bills], paid)
    show.same("their times", [int(row["cTime"]) for row in bills], times)
    history = await show.get("market/history-fund-rate")
    show.same("history", [int(row["fundingTime"]) for row in history], times[::-1])
    show.same("funding of the position", (await show.position())["totalFee"], "1")


if __name__ == "__main__":
    raise SystemExit(run(act))
