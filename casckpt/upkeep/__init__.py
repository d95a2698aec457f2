"""Upkeep: work on the whole store, started by people, never by a save."""
