"""What needs which framework, so that tests skip where it is not installed."""

from __future__ import annotations

import pytest

_OPENAI = ("agents", "openai-agents")
_CLAUDE = ("claude_agent_sdk", "claude-agent")
_NEEDED = {
    # What a page, an example or a module has in its name -> what it imports, and the extras.
    "langgraph": [("langgraph.graph", "langgraph")],
    "openai_agents": [_OPENAI],
    "claude_agent": [_CLAUDE],
    "sessions": [_OPENAI, _CLAUDE],
    "otel": [("opentelemetry", "otel")],
}


def skip_without(name: str) -> None:
    """Skip the test if what this needs is not installed."""
    for part, needed in _NEEDED.items():
        if part in name:
            for module, extra in needed:
                pytest.importorskip(module, reason=f'needs pip install "casckpt[{extra}]"')
