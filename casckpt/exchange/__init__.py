"""Other people's formats: states as JSON and as CBOR, checkpoints as JSON Lines, recorded runs.

Nothing here decides what a store holds; it turns values and histories into text and back.

Imports: its own modules, which import the public package, values, tree and format.
"""

from casckpt.exchange.cborform import from_cbor, to_cbor
from casckpt.exchange.foreign import Foreign, Skipped, import_named, import_session_files
from casckpt.exchange.jsonform import to_form, to_json
from casckpt.exchange.lines import Exported, export_jsonl, export_thread
from casckpt.exchange.read_jsonform import from_json
from casckpt.exchange.read_lines import Imported, import_jsonl

__all__ = [
    "Exported",
    "Foreign",
    "Imported",
    "Skipped",
    "export_jsonl",
    "export_thread",
    "from_cbor",
    "from_json",
    "import_jsonl",
    "import_named",
    "import_session_files",
    "to_cbor",
    "to_form",
    "to_json",
]
