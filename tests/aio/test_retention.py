"""Pruning, awaited."""

import pytest

import casckpt
import casckpt.aio
from casckpt import Retention


def test_prune_and_unprune(go, tmp_path):
    async def main():
        async with casckpt.aio.open(tmp_path / "s", durability="none") as store:
            run = store.thread("a")
            for number in range(6):
                await run.save(number)
            dry = await run.prune(Retention(keep_last=2), dry_run=True)
            report = await run.prune(Retention(keep_last=2))
            assert len(dry.pruned) == len(report.pruned) == 4
            old = await run.checkpoint("@1")
            assert (await old.pruned).why == "keep_last=2"
            with pytest.raises(casckpt.PrunedError):
                await old.load()
            assert len(await store.find()) == 2
            assert len(await store.find(pruned=True)) == 6
            back = await run.unprune()
            assert sorted([c.step for c in back]) == [0, 1, 2, 3]
            assert await old.load() == 1
            (again,) = await store.prune({"a": Retention(max_count=1)})
            assert len(again.pruned) == 5

    go(main())


def test_on_save(go, tmp_path):
    async def main():
        policy = Retention(keep_last=3)
        async with casckpt.aio.open(tmp_path / "s", durability="none", retention=policy) as store:
            for number in range(64):
                await store.thread("a").save(number)
            assert len(await store.find()) == 3

    go(main())
