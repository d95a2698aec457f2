"""What is hashed: every logical byte layout, pure (docs/format.md is the normative text).

Imports: its own modules. Blind to `casckpt.storage`, as that is to this.
"""
