"""Waiting for what ccxt's streams bring, with a bound."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

ANSWER_S = 10.0


async def within(awaitable: Any) -> Any:
    return await asyncio.wait_for(awaitable, ANSWER_S)


async def until(watch: Callable[[], Any], fits: Callable[[Any], bool]) -> Any:
    """The first update that fits."""

    async def found() -> Any:
        while not fits(update := await watch()):
            pass
        return update

    return await within(found())


async def subscribed(*watched: Any) -> list[asyncio.Task[Any]]:
    """Streams that wait for their first update: the subscriptions are sent in the order of the calls."""
    tasks = [asyncio.ensure_future(stream) for stream in watched]
    await asyncio.sleep(0)
    return tasks
