"""The engine on LMDB: a store is a directory with one file of rows, index, refs and log.

`open_lmdb` is what others use. The pieces: `files` (how a store comes into being), `space`
(the open file, shared in the process; transactions), `tables` and `row` (the layout),
`objects`, `index`, `refs`, `posts` (reading), `commit` (writing), `mark` and `sweep` (gc),
`check` and `stats`.

Imports: lmdb (its only importers are in this folder), errors, ids, the engine interface.
"""

from casckpt.storage.lmdb.engine import LmdbEngine, open_lmdb

__all__ = ["LmdbEngine", "open_lmdb"]
