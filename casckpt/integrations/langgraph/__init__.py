"""LangGraph on casckpt: `CasckptSaver`, a checkpointer (docs/langgraph.md).

The only room that imports langgraph, langchain_core and ormsgpack: the extra
`casckpt[langgraph]`.

Imports: integrations (extras, langgraph: importing, saver).
"""

from __future__ import annotations

from casckpt.integrations.extras import missing

try:
    from casckpt.integrations.langgraph.importing import ImportReport, import_sqlite
    from casckpt.integrations.langgraph.saver import CasckptSaver, thread_name
except ModuleNotFoundError as error:
    raise missing(error, "langgraph") from None

__all__ = ["CasckptSaver", "ImportReport", "import_sqlite", "thread_name"]
