"""git through pygit2 (libgit2): a bare repository, a branch a thread, a commit a step.

`git-file`: the state as one JSON file. `git-tree`: a folder for each top-level list with a JSON
file for each of its items (so a message is a file), a JSON file for any other top-level value,
and a small file with the order of the keys. The peer remembers the blobs of a thread's last
step by their text and does not write them again; it also remembers the commits of its steps.

Durability full: libgit2's fsync of everything below .git. none: without (which is git's own
default for loose objects). `pack` runs `git gc` with the installed git.

Imports: pygit2.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pygit2
from pygit2.enums import FileMode

from bench.peers.base import Durability, PeerBase

__all__ = ["GitFilePeer", "GitTreePeer"]

KEYS_FILE = "_keys.json"


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


class _GitPeer(PeerBase):
    packages = ("pygit2",)

    def __init__(self) -> None:
        self._commits: dict[str, list[pygit2.Oid]] = {}

    def open(self, folder: Path, durability: Durability) -> None:
        self.folder = folder
        pygit2.settings.enable_fsync_gitdir(durability == "full")
        if (folder / "HEAD").exists():
            self.repo = pygit2.Repository(str(folder))
        else:
            self.repo = pygit2.init_repository(str(folder), bare=True)
        self._me = pygit2.Signature("bench", "bench@example.com")

    def _tree(self, thread: str, state: Any) -> pygit2.Oid:
        raise NotImplementedError

    def _state(self, tree: pygit2.Tree) -> Any:
        raise NotImplementedError

    def save(self, thread: str, prepared: Any, label: str | None) -> None:
        commits = self._commits.setdefault(thread, [])
        commits.append(
            self.repo.create_commit(
                _branch(thread), self._me, self._me, label or "step",
                self._tree(thread, prepared), commits[-1:],
            )
        )  # fmt: skip

    def load_latest(self, thread: str) -> Any:
        return self._state(self.repo.references[_branch(thread)].peel(pygit2.Commit).tree)

    def load(self, thread: str, index: int) -> Any:
        return self._state(self.repo[self._commits[thread][index]].tree)

    def pack(self) -> bool:
        subprocess.run(["git", "-C", str(self.folder), "gc", "--quiet", "--prune=now"], check=True)
        return True

    def close(self) -> None:
        self.repo.free()


def _branch(thread: str) -> str:
    return "refs/heads/" + quote(thread, safe="").replace(".", "%2E").replace("~", "%7E")


class GitFilePeer(_GitPeer):
    """The state as state.json."""

    name = "git-file"

    def _tree(self, thread: str, state: Any) -> pygit2.Oid:  # noqa: ARG002
        builder = self.repo.TreeBuilder()
        builder.insert("state.json", self.repo.create_blob(_json(state)), FileMode.BLOB)
        return builder.write()

    def _state(self, tree: pygit2.Tree) -> Any:
        return json.loads(tree["state.json"].data)


class GitTreePeer(_GitPeer):
    """The state as a tree, an item of a list a file."""

    name = "git-tree"

    def __init__(self) -> None:
        super().__init__()
        self._blobs: dict[str, dict[bytes, pygit2.Oid]] = {}

    def _tree(self, thread: str, state: Any) -> pygit2.Oid:
        known = self._blobs.get(thread, {})
        used: dict[bytes, pygit2.Oid] = {}

        def blob(value: Any) -> pygit2.Oid:
            text = _json(value)
            oid = known.get(text) or used.get(text) or self.repo.create_blob(text)
            used[text] = oid
            return oid

        builder = self.repo.TreeBuilder()
        builder.insert(KEYS_FILE, blob(list(state)), FileMode.BLOB)
        for key, value in state.items():
            if isinstance(value, list):
                folder = self.repo.TreeBuilder()
                for number, item in enumerate(value):
                    folder.insert(f"{number:06d}", blob(item), FileMode.BLOB)
                builder.insert(quote(key, safe=""), folder.write(), FileMode.TREE)
            else:
                builder.insert(quote(key, safe=""), blob(value), FileMode.BLOB)
        self._blobs[thread] = used
        return builder.write()

    def _state(self, tree: pygit2.Tree) -> Any:
        state = {}
        for key in json.loads(tree[KEYS_FILE].data):
            entry = tree[quote(key, safe="")]
            if isinstance(entry, pygit2.Tree):
                state[key] = [json.loads(item.data) for item in entry]
            else:
                state[key] = json.loads(entry.data)
        return state
