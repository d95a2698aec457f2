"""The Claude Agent SDK on casckpt: `CasckptSessionStore`, a `SessionStore` (docs/sessions.md).

The only room that imports `claude_agent_sdk`: the extra `casckpt[claude-agent]`.

Imports: integrations (extras, claude_agent.session_store).
"""

from __future__ import annotations

from casckpt.integrations.extras import missing

try:
    from casckpt.integrations.claude_agent.session_store import CasckptSessionStore
except ModuleNotFoundError as error:
    raise missing(error, "claude-agent") from None

__all__ = ["CasckptSessionStore"]
