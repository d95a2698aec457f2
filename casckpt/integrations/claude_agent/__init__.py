"""The Claude Agent SDK on casckpt: `CasckptSessionStore`, a `SessionStore` (docs/sessions.md).

The only room that imports `claude_agent_sdk`: the extra `casckpt[claude-agent]`.

Imports: integrations.claude_agent.session_store.
"""

from __future__ import annotations

from casckpt.integrations.claude_agent.session_store import CasckptSessionStore

__all__ = ["CasckptSessionStore"]
