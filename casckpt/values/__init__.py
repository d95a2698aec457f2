"""Python values above the native ones: what each is written as, and how it comes back.

The tree stores None, bool, int, float, str, bytes, bytearray, list, dict, tuple, set and
frozenset by itself. For a value of any other type it asks a `Registry`, which gives a tag and
a content made of native values (docs/values.md lists them all).

Imports: values (arrays, hooks, record, registry, tagged).
"""

from __future__ import annotations

from casckpt.values.arrays import array_row_bytes
from casckpt.values.hooks import Snapshotable, rebuild
from casckpt.values.record import Record
from casckpt.values.registry import Registry
from casckpt.values.tagged import Tagged

__all__ = ["Record", "Registry", "Snapshotable", "Tagged", "array_row_bytes", "rebuild"]
