"""Sorting a list in the making."""

from __future__ import annotations

import numpy as np
import pytest

from tests.tree.test_edit_drafts import draft_of


def test_a_sort_that_fails_loses_nothing():
    model = {"rows": [{"n": n} for n in range(2000)], "numbers": [3, 1, 2]}
    _, draft = draft_of(model)
    rows = draft["rows"]
    held = rows[7]
    with pytest.raises(TypeError):
        rows.sort()
    held["n"] = "changed"
    del held
    assert rows[7] == {"n": "changed"}
    numbers = draft["numbers"]
    with pytest.raises(ValueError, match="modified"):
        numbers.sort(key=lambda n: (n, numbers.append(0)))
    assert numbers == [3, 1, 2, 0, 0, 0]


def test_a_sort_compares_what_was_put_in_itself():
    _, draft = draft_of([[2, 0], [1, 0]])
    array = np.arange(3)
    draft.extend(
        [[3, array, 1], [3, array, 0], [0, draft[0]]]
    )  # in a list, the array equals itself
    draft.sort()
    assert [item[0] for item in draft] == [0, 1, 2, 3, 3]
    assert [draft[3][2], draft[4][2]] == [0, 1]
    assert draft[3][1] is array
