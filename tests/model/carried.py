"""Rules of the state machine for bundles."""

from __future__ import annotations

import io
from copy import deepcopy
from typing import Any

import hypothesis.strategies as st
from hypothesis.stateful import precondition, rule

import casckpt
from tests.model.checks import check_everything
from tests.model.given import PICK
from tests.model.plain import Model, take_in

__all__ = ["Carried"]


class Carried:
    """What `Machine` takes over."""

    model: Model
    clock: Any
    bundles: list[tuple[bytes, dict[str, Any]]]

    @precondition(lambda self: self.model.alive())
    @rule(pick=PICK, prefix=st.sampled_from([None, "", "in/"]))
    def bundle(self, pick: int, prefix: str | None) -> None:
        file, alive = io.BytesIO(), self.model.alive()
        chosen = sorted(alive, key=str.encode)[pick % len(alive) :]
        self.store(pick).bundles.create(file, chosen)
        held = {
            name: (
                alive[name],
                self.model.lines[name].origin,
                deepcopy(list(self.model.history(alive[name]))),
            )
            for name in chosen
        }
        self.bundles.append((file.getvalue(), held))
        if prefix is not None:
            self._unbundle_elsewhere(*self.bundles[-1], prefix)

    def _unbundle_elsewhere(self, data: bytes, held: dict[str, Any], prefix: str) -> None:
        """Into an empty store, which holds then what came, and nothing else."""
        model = Model()
        take_in(model, held, prefix, self.clock(), overwrite=False)
        with casckpt.open("memory:", clock=self.clock) as store:
            store.bundles.unbundle(io.BytesIO(data), prefix=prefix)
            check_everything(model, store)
            assert [str(one) for one in store.fsck()] == []

    @precondition(lambda self: self.bundles)
    @rule(pick=PICK, overwrite=st.booleans(), prefix=st.sampled_from(["", "in/"]))
    def unbundle(self, pick: int, overwrite: bool, prefix: str) -> None:
        data, held = self.bundles[pick % len(self.bundles)]
        self.both(
            lambda: self.store(pick).bundles.unbundle(
                io.BytesIO(data), overwrite=overwrite, prefix=prefix
            ),
            lambda: take_in(self.model, held, prefix, self.clock(), overwrite=overwrite),
        )
