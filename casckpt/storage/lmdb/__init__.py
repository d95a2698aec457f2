"""The engine on LMDB: a store is a directory with one file of rows, index, refs and log.

`open_lmdb` is what others use. The pieces, from the file upwards:

- `files` makes and recognises the directory; `space` is the open file, shared in the
  process, with its transactions (`gate`: when the map may move; `faults`: LMDB's errors;
  `environment`: how LMDB is told to open it; `registry`: what is open; `arrears`: what writes
  that failed have left to do);
- `tables` and `row` are the layout; `index`, `refs`, `posts`, `feed` and `leases` each know
  the bytes of one table or corner; `caches` says what may be remembered, and why;
- `objects` and `browse` read; `plan` works a commit out, `commit` carries it out;
- `pack` moves old rows into `blocks`, as `choose` says, and holds the argument why nothing is
  lost; `survey` says how much of which block is in use; `compact` writes the file anew;
- `sweep` is gc, and holds the argument why it is exact; `roots` and `mark` say what is
  live, `litter` clears up after it;
- `rawpage` and `wreck` read what is left of a file that must not be opened, and `rebuild` makes
  one of it that can be;
- `check` looks for damage, `stats` counts; `engine` puts everything together.

Imports: lmdb (its only importers are in this folder), errors, ids, the engine interface.
"""

from casckpt.storage.lmdb.engine import LmdbEngine, open_lmdb
from casckpt.storage.lmdb.rebuild import rebuild

__all__ = ["LmdbEngine", "open_lmdb", "rebuild"]
