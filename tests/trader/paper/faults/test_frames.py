"""Faults of requests that come over an open websocket, and the two venues' languages."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import msgspec
import pytest

from trader.paper.faults.dialect import BINANCE, BITGET, dialect_of
from trader.paper.faults.frames import FrameFaults
from trader.paper.faults.rules import FaultBoard, NewFault

PLACE = "/ws-fapi/v1/order.place"


class Wire:
    """A connection that notes what is done to it, and counts the orders that were carried out."""

    def __init__(self) -> None:
        self.board = FaultBoard()
        self.done: list[str] = []
        self.executed = 0

    def cut(self) -> None:
        self.done.append("reset")

    def deafen(self) -> None:
        self.done.append("deaf")

    def hang_up_soon(self) -> None:
        self.done.append("close")

    async def place(self, path: str = PLACE, account: int = 1) -> list[Any]:
        async def work() -> str:
            self.executed += 1
            return json.dumps(
                {"id": 7, "status": 200, "result": {"orderId": 5, "status": "NEW", "price": "1"}}
            )

        def refuse(status: int, code: str, text: str) -> str:
            return json.dumps({"id": 7, "status": status, "error": {"code": int(code), "msg": text}})

        answers = await FrameFaults(self.board).serve(path, account, self, refuse=refuse, work=work)
        return [json.loads(text) for text in answers]

    def fault(self, do: str, path: str = "/ws-fapi/v1*", **args: object) -> None:
        self.board.add(msgspec.convert({"do": do, "match": {"path": path}, "args": args}, NewFault))


@pytest.fixture
def wire() -> Wire:
    return Wire()


async def test_without_a_fault_it_is_carried_out_once(wire: Wire) -> None:
    (answer,) = await wire.place()
    assert (answer["status"], wire.executed) == (200, 1)


@pytest.mark.parametrize(
    ("do", "args", "executed", "done"),
    [
        ("drop_request", {}, 0, ["close"]),
        ("drop_request", {"then": "hang"}, 0, []),
        ("drop_request", {"then": "reset"}, 0, ["reset"]),
        ("answer_lost", {}, 1, ["close"]),
        ("answer_lost", {"then": "hang"}, 1, []),
        ("reset", {}, 0, ["reset"]),
        ("reset", {"executed": True}, 1, ["reset"]),
        ("black_hole", {}, 0, ["deaf"]),
        ("black_hole", {"executed": True}, 1, ["deaf"]),
    ],
)
async def test_no_answer(wire: Wire, do: str, args: dict[str, Any], executed: int, done: list[str]) -> None:
    wire.fault(do, **args)
    assert await wire.place() == []
    assert (wire.executed, wire.done) == (executed, done)
    assert wire.board.rows()[0]["hits"] == 1


async def test_another_answer(wire: Wire) -> None:
    wire.fault("status", status=503, code="-1007", message="timeout", times=1)
    first = (await wire.place())[0]
    wire.fault("status", status=503, executed=True)
    second = (await wire.place())[0]
    assert (first["status"], first["error"]) == (503, {"code": -1007, "msg": "timeout"})
    assert (second["status"], second["error"]["code"]) == (503, -1000)
    assert wire.executed == 1  # the second request only


async def test_twice_and_changed(wire: Wire) -> None:
    wire.fault("duplicate_answer")
    wire.fault("unknown_enum", value="NOVEL")
    wire.fault("null_price")
    answers = await wire.place()
    assert [answer["result"]["status"] for answer in answers] == ["NOVEL", "NOVEL"]
    assert answers[0]["result"]["price"] is None
    assert (answers[0]["status"], wire.executed) == (200, 1)


async def test_maintenance_lets_cancels_through(wire: Wire) -> None:
    wire.fault("maintenance", mode="cancel_only")
    assert (await wire.place())[0]["error"]["code"] == -1016
    assert (await wire.place("/ws-fapi/v1/order.cancel"))[0]["status"] == 200
    assert wire.executed == 1
    assert wire.board.rows()[0]["hits"] == 1


async def test_kinds_that_act_on_http_alone_are_no_hits(wire: Wire) -> None:
    wire.fault("slow_slices")
    wire.fault("not_found")
    assert len(await wire.place()) == 1
    assert [row["hits"] for row in wire.board.rows()] == [0, 0]


async def test_a_delay_ends_with_its_fault(wire: Wire) -> None:
    wire.fault("delay", before_ms=600_000)
    waiting = asyncio.create_task(wire.place())
    while not wire.board.rows()[0]["seen"]:
        await asyncio.sleep(0)
    assert wire.executed == 0
    wire.board.clear()
    assert len(await waiting) == 1


def test_each_venue_has_its_language() -> None:
    assert dialect_of("/fapi/v1/order") is dialect_of("/private/ws") is BINANCE
    assert dialect_of("/api/v2/mix/order/detail") is dialect_of("/v3/ws/private") is BITGET
    assert dialect_of("/api/v3/trade/order-info").absent[1] == "25204"
    assert json.loads(BINANCE.refusal("-1021", "late", 5)) == {"code": -1021, "msg": "late"}
    assert json.loads(BITGET.refusal("40008", "late", 5))["requestTime"] == 5
    assert BINANCE.content({"code": -2011, "msg": "no"}) is None
    assert BINANCE.content({"code": 200, "msg": "done"}) == {"code": 200, "msg": "done"}
    assert BITGET.content({"code": "40109", "data": None}) is None
    assert BINANCE.same_call("/fapi/v1/order?symbol=A&timestamp=1&signature=x") == BINANCE.same_call(
        "/fapi/v1/order?symbol=A&timestamp=2&signature=y"
    )
    assert BINANCE.enters("PUT", "/fapi/v1/order")
    assert not BINANCE.enters("DELETE", "/fapi/v1/order")
    assert not BITGET.enters("POST", "/api/v3/trade/cancel-order")
