"""Peers take turns; one that has many waiting is told to come again."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from webhook.controller.broker.crowd import Crowd
from webhook.controller.broker.refusals import RefusedError


async def test_a_flood_of_one_leaves_room_for_another() -> None:
    crowd = Crowd(at_once=1, of_a_peer=3)
    order: list[str] = []
    gate = asyncio.Event()

    async def ask(peer: str) -> None:
        async with crowd.enter(peer):
            order.append(peer)
            await gate.wait()

    waiting = [asyncio.ensure_future(ask("loud")) for _ in range(3)]
    await asyncio.sleep(0)
    with pytest.raises(RefusedError) as refused:
        await ask("loud")
    assert refused.value.rule == "busy"
    waiting.append(asyncio.ensure_future(ask("quiet")))
    await asyncio.sleep(0)
    gate.set()
    await asyncio.gather(*waiting)
    assert order == ["loud", "loud", "quiet", "loud"]
    await ask("loud")  # there is room again


async def test_all_together_have_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("webhook.controller.broker.crowd._OF_ALL", 2)
    crowd = Crowd(at_once=8)
    async with AsyncExitStack() as stack:
        for peer in "ab":
            await stack.enter_async_context(crowd.enter(peer))
        with pytest.raises(RefusedError):
            await stack.enter_async_context(crowd.enter("c"))
    async with crowd.enter("c"):
        pass
