"""History: checkpoints and their order, threads and their moves, how they are named and found.

Imports: nothing; its modules import what lies below, and `ledger` is what they share.
"""
