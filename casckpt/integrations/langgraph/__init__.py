"""LangGraph on casckpt: `CasckptSaver`, a checkpointer (docs/langgraph.md).

The only room that imports langgraph, langchain_core and ormsgpack: the extra
`casckpt[langgraph]`.

Imports: integrations.langgraph.saver.
"""

from __future__ import annotations

from casckpt.integrations.langgraph.saver import CasckptSaver, thread_name

__all__ = ["CasckptSaver", "thread_name"]
