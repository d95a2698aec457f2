"""Upkeep: work on the whole store, started by people, never by a save.

Imports: nothing; its modules import history and what lies below.
"""
