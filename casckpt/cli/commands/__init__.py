"""One file a command, or a few of a kind: parse, call the public package, print.

Imports: casckpt, casckpt.exchange, casckpt.cli, click.
"""
