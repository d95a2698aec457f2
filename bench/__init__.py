"""Benchmarks of casckpt: named questions, each answered by one command. See README.md.

Nothing in casckpt imports this package. It imports casckpt only through its front door
(`bench.peers.casckpt_store` and the questions), as a user would.
"""
