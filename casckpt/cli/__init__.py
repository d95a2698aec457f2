"""The command line: parses, calls the public package, prints. No logic of the store's own.

Imports: the public package `casckpt`, casckpt.exchange, click (this room is its only
importer). `casckpt` itself is imported when a command runs, so that help and completion
answer at once.
"""
