"""The OpenAI Agents SDK on casckpt: `CasckptSession`, a `Session` (docs/sessions.md).

The only room that imports `agents`: the extra `casckpt[openai-agents]`.

Imports: integrations (extras, openai_agents.session).
"""

from __future__ import annotations

from casckpt.integrations.extras import missing

try:
    from casckpt.integrations.openai_agents.session import CasckptSession
except ModuleNotFoundError as error:
    raise missing(error, "openai-agents") from None

__all__ = ["CasckptSession"]
