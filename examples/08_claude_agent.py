"""Transcripts of the Claude Agent SDK in casckpt: mirrored, forked, rewound.

Needs `pip install "casckpt[claude-agent]"`. A few entries stand for what the SDK mirrors while an
agent runs, so that the example needs no model.
"""

import asyncio
import tempfile
import uuid
from pathlib import Path

from claude_agent_sdk import (
    SessionKey,
    SessionStoreEntry,
    fork_session_via_store,
    get_session_messages_from_store,
    list_sessions_from_store,
    project_key_for_directory,
)

from casckpt.integrations.claude_agent import CasckptSessionStore

TURNS = [
    ("user", "The tests fail. Please mend them."),
    ("assistant", "Two fail, in test_parser.py. I look at the parser."),
    ("user", "And leave the lexer alone."),
    ("assistant", "Mended: an off-by-one in the parser. All tests pass."),
]


def transcript(session_id: str) -> list[SessionStoreEntry]:
    """Entries as the SDK has them; in earnest it makes them, and calls `append`."""
    entries: list[dict[str, object]] = []
    for role, text in TURNS:
        entries.append(
            {
                "type": role,
                "uuid": str(uuid.uuid4()),
                "parentUuid": entries[-1]["uuid"] if entries else None,
                "sessionId": session_id,
                "timestamp": "2026-11-20T10:00:00.000Z",
                "message": {"role": role, "content": [{"type": "text", "text": text}]},
            }
        )
    return entries  # type: ignore[return-value]  # the SDK types only what all of them have


async def work(path: Path) -> None:
    """Mirror, fork, list, rewind."""
    with CasckptSessionStore(path) as sessions:
        # For an agent: ClaudeAgentOptions(session_store=sessions, resume=session_id).
        folder, session_id = str(path), str(uuid.uuid4())
        key: SessionKey = {
            "project_key": project_key_for_directory(folder),
            "session_id": session_id,
        }
        for entry in transcript(session_id):
            await sessions.append(key, [entry])

        fork = await fork_session_via_store(sessions, session_id, folder, title="Another way")
        for info in await list_sessions_from_store(sessions, folder):
            print(f"{info.session_id[:8]}  {info.summary}")
        messages = await get_session_messages_from_store(sessions, fork.session_id, folder)
        assert len(messages) == len(TURNS)

        thread = sessions.thread(key)
        print(f"{thread.name}:")
        for checkpoint in thread.log():
            print(f"{checkpoint.id[:8]}  step {checkpoint.step}  {checkpoint.label}")

        thread.rewind("@1")  # a resume would now go on from before the lexer was mentioned
        left = await sessions.load(key)
        assert left is not None
        print("left after the rewind:", len(left), "entries")
        thread.undo()


def main() -> None:
    """Work in a store that is thrown away."""
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(work(Path(folder) / "agents"))


if __name__ == "__main__":
    main()
