"""Bundles: some threads with all they need, in one file (docs/format.md, chapter "Bundles").

Imports: its own modules.
"""
