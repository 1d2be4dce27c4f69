"""One probe per kind of fault that acts on orders over an open websocket, on any face."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable

from tests.verify.fault_faces import Trader, trader
from tests.verify.fault_probes import Bench

_NOTHING_S = 0.12

Probe = Callable[[Bench], Awaitable[str]]


async def delay(bench: Bench) -> str:
    one, late, name = await trader(bench.face), bench.name(), bench.name()
    async with bench.fault("delay", {"path": one.path}, before_ms=30_000):
        await one.place(late)
        assert await one.silent(_NOTHING_S)
        assert not await bench.there(late)
    one = await trader(bench.face)
    async with bench.fault("delay", {"path": one.path}, after_ms=30_000):
        await one.place(name)
        await bench.eventually(name)
        assert await one.silent(_NOTHING_S)
    return "before: no order and no answer yet; after: the order stands, its answer is late"


async def drop_request(bench: Bench) -> str:
    name = bench.name()
    for then in ("hang", "close"):
        one = await trader(bench.face)
        async with bench.fault("drop_request", {"path": one.path}, then=then):
            await one.place(name)
            assert await one.silent(_NOTHING_S) if then == "hang" else await one.text() is None
    assert not await bench.there(name)
    return "no order; no answer, or the socket closed"


async def answer_lost(bench: Bench) -> str:
    for then in ("hang", "close"):
        one, name = await trader(bench.face), bench.name()
        async with bench.fault("answer_lost", {"path": one.path}, then=then):
            await one.place(name)
            await bench.eventually(name)
            assert await one.silent(_NOTHING_S) if then == "hang" else await one.text() is None
    return "the order stands; its answer never came, or the socket closed"


async def duplicate_answer(bench: Bench) -> str:
    one = await trader(bench.face)
    async with bench.fault("duplicate_answer", {"path": one.path}):
        await one.place(bench.name())
        first, second = await one.text(), await one.text()
    assert first == second
    assert first
    assert one.code(json.loads(first)) == ""
    return "the same answer twice"


async def status(bench: Bench) -> str:
    one, name, face = await trader(bench.face), bench.name(), bench.face
    async with bench.fault("status", {"path": one.path}, status=503, code=face.maintenance):
        await one.place(name)
        assert await _code(one) == face.maintenance
        assert not await bench.there(name)
    async with bench.fault("status", {"path": one.path}, status=503, code=face.maintenance, executed=True):
        await one.place(name)
        assert await _code(one) == face.maintenance
        assert await bench.there(name)
    return f"{face.maintenance}, and the same though it was executed"


async def malformed_json(bench: Bench) -> str:
    return await _broken(bench, "malformed_json")


async def truncated_json(bench: Bench) -> str:
    return await _broken(bench, "truncated_json")


async def _broken(bench: Bench, do: str) -> str:
    one, name = await trader(bench.face), bench.name()
    async with bench.fault(do, {"path": one.path}):
        await one.place(name)
        text = await one.text()
    assert text
    try:
        json.loads(text)
    except ValueError:
        assert await bench.there(name)
        return f"{len(text)} characters that are no JSON; the order stands"
    raise AssertionError(text)


async def reset(bench: Bench) -> str:
    for executed in (False, True):
        one, name = await trader(bench.face), bench.name()
        async with bench.fault("reset", {"path": one.path}, executed=executed):
            await one.place(name)
            assert await one.text() is None
            assert await bench.there(name) is executed
    return "the socket ended, before and after the order was executed"


async def black_hole(bench: Bench) -> str:
    one, name = await trader(bench.face), bench.name()
    async with bench.fault("black_hole", {"path": one.path}):
        await one.place(name)
        await one.place(bench.name())
        assert await one.silent(_NOTHING_S)
        assert not await bench.there(name)
        assert await bench.face.server_ms() > 0
    return "frames are taken and nothing comes; others live"


async def maintenance(bench: Bench) -> str:
    one, name = await trader(bench.face), bench.name()
    async with bench.fault("maintenance", {"path": one.path}, mode="cancel_only"):
        await one.place(name)
        assert await _code(one) == bench.face.maintenance
        assert not await bench.there(name)
    await one.place(name)
    assert await _code(one) == ""
    return f"{bench.face.maintenance}, and the order is taken afterwards"


async def _code(one: Trader) -> str:
    text = await one.text()
    assert text is not None
    return one.code(json.loads(text))


ORDER_PROBES: dict[str, Probe] = {
    probe.__name__: probe
    for probe in (
        delay, drop_request, answer_lost, duplicate_answer, status, malformed_json, truncated_json, reset, black_hole,
        maintenance,
    )
}  # fmt: skip
