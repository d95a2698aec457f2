"""Trees of small values: chunks of a few entries, so that every way through a tree is taken.

Only for the slow builder, which looks the constants up each time; readers do not need them.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from unittest.mock import patch

from casckpt.format import constants as c

SIZES = {
    "INLINE_BYTES_MAX": 48,
    "TREE_INLINE_BYTES_MAX": 96,
    "CHUNK_BYTES_MIN": 4,
    "CHUNK_BYTES_MAX": 64,
    "CUT_FACTOR": 20**2 * 4 * 7 // 22,
    "BLOB_BYTES_MAX": 24,
}


@contextmanager
def tiny_chunks():
    with ExitStack() as stack:
        for name, size in SIZES.items():
            stack.enter_context(patch.object(c, name, size))
        yield
