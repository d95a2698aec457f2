"""Every number and tag of the format, each with its unit and its reason.

Changing any of them changes ids or makes stores unreadable: they are frozen by golden
vectors (tests/format) and recorded in each store's header.

Imports: nothing.
"""

from __future__ import annotations

FORMAT_VERSION = 1
"""Version of everything below; a store with another one is refused by name."""

# Kinds of object. The kind is hashed with the payload (ids.object_id).
KIND_VALUE = 1  # one encoded value
KIND_LIST_LEAF = 2  # array of encoded entries
KIND_MAP_LEAF = 3  # map of encoded keys to encoded values, in key order
KIND_NODE = 4  # inner fan-out of a list, a long string or a long bytes
KIND_MAP_NODE = 5  # inner fan-out of a map
KIND_CHUNK = 6  # raw bytes: a piece of a long bytes or str
KIND_CHECKPOINT = 7  # checkpoint record
KIND_TAGS = 8  # tags changed after a checkpoint was saved
KIND_PRUNED = 9  # what is left of a checkpoint without its state; has the checkpoint's id
KIND_NAMES = {
    KIND_VALUE: "value",
    KIND_LIST_LEAF: "list-leaf",
    KIND_MAP_LEAF: "map-leaf",
    KIND_NODE: "node",
    KIND_MAP_NODE: "map-node",
    KIND_CHUNK: "chunk",
    KIND_CHECKPOINT: "checkpoint",
    KIND_TAGS: "tags",
    KIND_PRUNED: "pruned",
}

# CBOR tags: one block. Tags 2 and 3 (big integers, RFC 8949) are the only others allowed.
TAG_LINK = 51792  # [id, size]: the value is the object KIND_VALUE with this id
TAG_LIST_TREE = 51793  # a list of more than one leaf: open chunks, top level first
TAG_MAP_TREE = 51794  # a dict of more than one leaf: [order, open chunks...]
TAG_STR_TREE = 51795  # a long str: chunks of UTF-8
TAG_BYTES_TREE = 51796  # a long bytes: chunks
TAG_TUPLE = 51797  # of an array or list tree
TAG_SET = 51798  # of an array or list tree, sorted by encoding
TAG_FROZENSET = 51799
TAG_BYTEARRAY = 51800  # of a byte string or bytes tree
TAG_SURROGATES = 51801  # of a byte string or bytes tree: UTF-8 with lone surrogates kept
# Built-in types above the native ones (values/builtins.py); contents in docs/format.md.
TAG_COMPLEX = 51802
TAG_DATETIME = 51803
TAG_DATE = 51804
TAG_TIME = 51805
TAG_TIMEDELTA = 51806
TAG_TIMEZONE = 51807
TAG_UUID = 51808
TAG_DECIMAL = 51809
TAG_FRACTION = 51810
TAG_PATH = 51811
TAG_RANGE = 51812
TAG_SLICE = 51813
TAG_IP = 51814
TAG_NDARRAY = 51815
TAG_NUMPY_SCALAR = 51816
TAG_OBJECT = 51817  # [flavour, type name, fields]: a class, stored structurally
TAG_ENUM = 51818  # [type name, member name, value]
TAG_CODEC = 51819  # [codec name, version, state]: a registered codec
TAG_COLLECTION = 51820  # [type, items, ...]: deque, OrderedDict, Counter, defaultdict
TAG_KEY = 51821  # of a byte string: the encoding of a key of a dict that begins with a tag
TAG_FIRST, TAG_LAST = 51792, 51823

# How values are split. Measured in docs/decisions/0002-tree-parameters.md.
INLINE_BYTES_MAX = 1024
"""An encoded value up to this size lies in its parent; a larger one is its own object."""
TREE_INLINE_BYTES_MAX = 8192
"""The same for a list and the top of any tree (they lie well against their previous version)."""
ROOT_INLINE_BYTES_MAX = 16384
"""A root up to this size lies in its checkpoint record: most saves then write one object."""

CHUNK_BYTES_TARGET = 4096
CHUNK_BYTES_MIN = 512
CHUNK_BYTES_MAX = 16384
"""Target, minimum and maximum size of the chunks of lists and maps, at every level."""
CUT_FACTOR = 21361414
"""floor(CHUNK_BYTES_TARGET**2 * 4 / pi): the Rayleigh cut rule with that mean, in integers."""
NODE_ENTRIES_MIN = 2
"""An inner chunk holds at least two entries, so each level is at most half as long."""

BLOB_BYTES_MAX = 16384
"""A str or bytes up to this many bytes is one item; a longer one is cut by content."""
CDC_BYTES_MIN = 2048
CDC_BYTES_NORMAL = 8192
CDC_BYTES_MAX = 32768
CDC_LONG_FROM = 262144
"""Pieces that begin from this byte on are long: they compress better, fill their pages and cost
fewer rows; before it, an edit of a text of usual length stays cheap."""
CDC_LONG_BYTES_MIN = 32768
CDC_LONG_BYTES_NORMAL = 65536
CDC_LONG_BYTES_MAX = 131008
"""64 less than 2 ** 17: with the heads of row and page it fills whole pages. Measured in
docs/decisions/0014-large-bytes.md, as all of these."""
ARRAY_BLOCK_BYTES_MAX = 65472
"""An array is cut on a grid of whole rows of at most this size (or inside one larger row)."""

# Limits that protect a reader.
DEPTH_MAX = 256
"""Containers inside one another, in values."""
TREE_LEVEL_MAX = 32
COLLISIONS_MAX = 1000
"""Keys and members of one load, or of one dict or set that is saved, with the hash of another."""
KEYS_UNSEEN_BYTES_MAX = 32 << 10
"""Keys in an encoding up to this size cannot do harm by their hashes; in others they are looked at."""
PAYLOAD_BYTES_MAX = 16 << 20
"""No object is larger; a frame that says so is refused before anything is allocated."""
NAME_BYTES_MAX = 255
"""UTF-8 bytes of a thread name, a label or a tag: with a prefix it fits an engine's key."""
TAGS_MAX = 64
"""Tags of one checkpoint."""
