"""The conformance suite of engines: what `casckpt.storage.engine` promises, as tests.

Whoever writes an engine subclasses `EngineConformance` in a test module and says how to
make an empty store; pytest does the rest::

    from casckpt.testing import EngineConformance

    class TestMyEngine(EngineConformance):
        def new_engine(self):
            return MyEngine(make_a_new_place(), header=self.HEADER)

Invariants: every test begins with an empty store and closes it; nothing is left to chance;
no test looks behind the interface.

Imports: errors, ids, the engine interface.
"""

from casckpt.testing.collecting import CollectingTests
from casckpt.testing.objects import ObjectTests
from casckpt.testing.postings import PostingTests
from casckpt.testing.refs import RefTests
from casckpt.testing.replacing import ReplacingTests

__all__ = ["EngineConformance"]


class EngineConformance(ObjectTests, RefTests, PostingTests, CollectingTests, ReplacingTests):
    """Every test there is. Name the subclass Test... and define `new_engine`."""
