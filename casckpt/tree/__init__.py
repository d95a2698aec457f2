"""Python values <-> Merkle trees of objects.

Invariants: one value has one tree, whatever its history; what is equal is shared. Nothing
here knows an engine: objects come from an `ObjectSource` and go to an `ObjectSink`.

Imports: its own modules.
"""
