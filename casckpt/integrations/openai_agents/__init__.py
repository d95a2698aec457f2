"""The OpenAI Agents SDK on casckpt: `CasckptSession`, a `Session` (docs/sessions.md).

The only room that imports `agents`: the extra `casckpt[openai-agents]`.

Imports: integrations.openai_agents.session.
"""

from __future__ import annotations

from casckpt.integrations.openai_agents.session import CasckptSession

__all__ = ["CasckptSession"]
