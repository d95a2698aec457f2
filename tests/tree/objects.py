"""Objects in a dict: source and sink for tree tests, counting what goes in and out."""

from __future__ import annotations

from casckpt.errors import UnsupportedValueError
from casckpt.ids import object_id


class Objects:
    """Verifies ids and kinds as the vault does; refuses an object before its children."""

    def __init__(self):
        self.stored = {}
        self.new = 0
        self.reads = 0

    def put(self, kind, payload, children=(), base=None):  # noqa: ARG002 - the interface
        oid = object_id(kind, payload)
        missing = [child for child in children if child not in self.stored]
        assert not missing, "a parent before its children"
        if oid not in self.stored:
            self.new += 1
            self.stored[oid] = (kind, payload, tuple(children))
        return oid

    def get(self, oid, kind):
        self.reads += 1
        stored_kind, payload, _ = self.stored[oid]
        assert stored_kind == kind
        return payload

    def get_many(self, oids, kind):
        return [self.get(oid, kind) for oid in oids]

    def find_many(self, oids, kind):
        found = {oid: self.stored[oid] for oid in oids if oid in self.stored}
        self.reads += len(found)
        return {oid: row[1] for oid, row in found.items() if row[0] == kind}


class NoCodec:
    """For native values only."""

    def reduce(self, value):
        raise UnsupportedValueError(f"{type(value).__name__} cannot be stored")

    def restore(self, tag, content):  # noqa: ARG002 - the interface
        raise AssertionError(tag)
