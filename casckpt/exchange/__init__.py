"""Other people's formats: states as JSON and as CBOR, recorded agent runs.

Nothing here decides what a store holds; it turns values into text and back, and feeds
recorded runs to the public API.

Imports: its own modules, which import the public package, values, tree and format.
"""

from casckpt.exchange.cborform import from_cbor, to_cbor
from casckpt.exchange.jsonform import from_json, to_form, to_json

__all__ = ["from_cbor", "from_json", "to_cbor", "to_form", "to_json"]
