"""How objects lie at rest: the engine interface and the engines behind it.

`engine` is the interface and all that the storeys above may import; `lmdb` keeps a store in
a directory, `memory` keeps one for as long as the process lives; `frame` turns a payload
into the bytes that are stored and back; `limits` says what every engine refuses.

Imports: errors and ids only. A sibling of `casckpt.format`: neither knows the other.
"""
