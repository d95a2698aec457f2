"""What is saved: recorded traces, and synthetic states that a seed determines entirely.

The synthetic chat is meant to be as compressible as a real one: words by Zipf's law from a
fixed made-up vocabulary, stock phrases, tool calls whose arguments return in their results,
and ids and timestamps that do not compress. A message is about 1 KB of compact JSON.

Invariants: same seed, same states, on every machine and in every process (nothing depends on
the clock or on hash order); the first n messages of a chat do not depend on its length.

Imports: bench.traces.
"""

from __future__ import annotations

import itertools
import random
from bisect import bisect
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from bench.traces import Event, Step, read_events, replay, zstd_bytes

__all__ = [
    "EDITS_PER_SAVE",
    "Workload",
    "big_dict",
    "chat_events",
    "chat_messages",
    "chat_state",
    "deep_nesting",
    "grown_chat",
    "synthetic_chat",
    "trace",
]

VOCABULARY_WORDS = 6000
RECORD_BYTES_FLOOR = 100
"""What the floor allows a checkpoint beside its share of the events: id, parent, time, name."""


@dataclass(frozen=True)
class Workload:
    """A sequence of checkpoints to be saved, repeatable at will."""

    name: str
    seed: int | None
    """None: recorded, not generated."""
    events: Callable[[], Iterable[Event]]
    limit: int | None = None
    """Only so many checkpoints."""
    trace_bytes: int | None = None
    """Size of the recorded file, if there is one."""
    plain: bool = True
    """JSON types only."""

    def steps(self) -> Iterator[Step]:
        """The checkpoints, with states that share what did not change."""
        return itertools.islice(replay(self.events()), self.limit)

    def floor_bytes(self) -> tuple[int, int]:
        """The disk floor and the number of checkpoints: zstd -19 of the events + 100 B each."""
        events = list(itertools.islice(self.events(), self.limit))
        whole = self.limit is None and self.trace_bytes is not None
        size = self.trace_bytes if whole and self.trace_bytes else zstd_bytes(events)
        return size + RECORD_BYTES_FLOOR * len(events), len(events)


def trace(path: Path, *, limit: int | None = None) -> Workload:
    """A recorded trace file as a workload."""
    return Workload(
        name=path.name.removesuffix(".jsonl.zst"),
        seed=None,
        events=lambda: read_events(path),
        limit=limit,
        trace_bytes=path.stat().st_size,
    )


def synthetic_chat(
    *, threads: int = 10, messages: int = 100, seed: int = 1, limit: int | None = None
) -> Workload:
    """Chats of `messages` messages each, one checkpoint a message, threads interleaved."""
    return Workload(
        name=f"synthetic_chat_{threads}x{messages}",
        seed=seed,
        events=lambda: chat_events(threads=threads, messages=messages, seed=seed),
        limit=limit,
    )


def chat_events(*, threads: int, messages: int, seed: int) -> Iterator[Event]:
    """The events of `synthetic_chat`, in the form of a trace."""
    streams = [chat_messages(seed * 1000 + number) for number in range(threads)]
    for index in range(messages):
        for number, stream in enumerate(streams):
            message = next(stream)
            event: Event = {
                "thread": f"support/{number:03d}",
                "step": index,
                "label": message["role"],
                "set": {
                    "turn": index,
                    "usage": {"tokens_in": 37 * index + 911, "tokens_out": 11 * index},
                },
                "append": {"messages": [message]},
            }
            if index == 0:
                event["set"] = {
                    "system": SYSTEM_PROMPT,
                    "customer": f"customer-{number}",
                    **event["set"],
                }
            yield event


def grown_chat(*, messages: int, steps: int, threads: int = 1, seed: int = 1) -> Workload:
    """Chats that begin with `messages` messages; each of `steps` more checkpoints appends one."""

    def events() -> Iterator[Event]:
        for number in range(threads):
            state = chat_state(messages + steps, seed * 1000 + number)
            later = state["messages"][messages:]
            del state["messages"][messages:]
            name = f"chat/{number}"
            yield {"thread": name, "step": 0, "label": "begin", "state": state}
            for step, message in enumerate(later, 1):
                yield {
                    "thread": name, "step": step, "label": message["role"],
                    "set": {"turn": messages + step}, "append": {"messages": [message]},
                }  # fmt: skip

    return Workload(f"grown_chat_{threads}x{messages}+{steps}", seed, events)


def chat_state(messages: int, seed: int = 1) -> dict[str, Any]:
    """The state of one long chat."""
    return {
        "system": SYSTEM_PROMPT,
        "customer": "customer-0",
        "turn": messages,
        "usage": {"tokens_in": 37 * messages + 911, "tokens_out": 11 * messages},
        "messages": list(itertools.islice(chat_messages(seed), messages)),
    }


def chat_messages(seed: int) -> Iterator[dict[str, Any]]:
    """Messages without end: user, assistant with a tool call, tool, assistant, ..."""
    rng = random.Random(seed)
    clock_ms = 1_760_000_000_000 + rng.randrange(10**9)
    names = ("search_orders", "get_reservation", "update_address", "run_query", "read_file")
    while True:
        order = f"#{rng.randrange(10**7):07d}"
        name = rng.choice(names)
        call_id = f"call_{rng.getrandbits(96):024x}"
        arguments = {"order_id": order, "query": prose(rng, 8), "limit": rng.choice((5, 10, 20))}
        turns: list[dict[str, Any]] = [
            {"role": "user", "content": f"{order} {prose(rng, 120)}"},
            {
                "role": "assistant",
                "content": prose(rng, 95),
                "tool_calls": [{"id": call_id, "type": "function", "name": name, "args": arguments}],
                "usage": {"in": rng.randrange(900, 9000), "out": rng.randrange(20, 400)},
            },
            {"role": "tool", "tool_call_id": call_id, "name": name,
             "content": _tool_result(rng, order)},
            {"role": "assistant", "content": prose(rng, 200),
             "usage": {"in": rng.randrange(900, 9000), "out": rng.randrange(20, 400)}},
        ]  # fmt: skip
        for turn in turns:
            clock_ms += rng.randrange(300, 40_000)
            yield {"id": f"msg_{rng.getrandbits(80):020x}", "created_ms": clock_ms, **turn}


def _tool_result(rng: random.Random, order: str) -> dict[str, Any]:
    return {
        "order_id": order,
        "status": rng.choice(("delivered", "pending", "processed", "cancelled")),
        "items": [
            {
                "item_id": str(rng.randrange(10**9, 10**10)),
                "name": prose(rng, 3),
                "price": round(rng.uniform(3, 900), 2),
                "options": {"color": rng.choice(COLORS), "size": rng.choice("SML")},
                "available": rng.random() < 0.8,
            }
            for _ in range(rng.randrange(2, 9))
        ],
        "payment": {"method": "credit_card", "last_four": f"{rng.randrange(10**4):04d}"},
    }


COLORS = ("black", "white", "blue", "red", "green", "silver")
PHRASES_SHARE = 0.22
SYLLABLES = [first + vowel for first in "bcdfglmnprstv" for vowel in "aeio"] + ["an", "er", "un"]


@cache
def _vocabulary() -> tuple[list[str], list[float]]:
    """Words, frequent ones short, and their cumulated weights (Zipf, exponent 1)."""
    rng = random.Random(7)
    words: dict[str, None] = {}
    while len(words) < VOCABULARY_WORDS:
        syllables = min(5, 1 + int(rng.random() * (1 + len(words) / 200)))
        words["".join(rng.choice(SYLLABLES) for _ in range(syllables))] = None
    weights = (1 / rank for rank in range(2, VOCABULARY_WORDS + 2))
    return list(words), list(itertools.accumulate(weights))


@cache
def _phrases() -> list[str]:
    """Stock sentences: assistants repeat themselves."""
    rng = random.Random(8)
    return [_sentence(rng, rng.randrange(6, 18)) for _ in range(120)]


def _sentence(rng: random.Random, words: int) -> str:
    vocabulary, weights = _vocabulary()
    total = weights[-1]
    text = " ".join(vocabulary[bisect(weights, rng.random() * total)] for _ in range(words))
    return text.capitalize() + "."


def prose(rng: random.Random, words: int) -> str:
    """About `words` words, now and then a stock sentence."""
    parts = []
    left = max(1, int(words * rng.uniform(0.5, 1.5)))
    while left > 0:
        if rng.random() < PHRASES_SHARE and left > 6:
            part = rng.choice(_phrases())
        else:
            part = _sentence(rng, min(left, rng.randrange(5, 20)))
        parts.append(part)
        left -= part.count(" ") + 1
    return " ".join(parts)


def _system_prompt() -> str:
    rng = random.Random(9)
    return "\n".join(f"{number}. {prose(rng, 25)}" for number in range(1, 25))


EDITS_PER_SAVE = 5


def big_dict(*, keys: int, steps: int, seed: int = 1) -> Workload:
    """One dict of `keys` small records; each checkpoint changes `EDITS_PER_SAVE` of them."""

    def events() -> Iterator[Event]:
        rng = random.Random(seed)
        table = {f"user_{number:06d}": _user(rng, number) for number in range(keys)}
        names = list(table)
        yield {"thread": "table", "step": 0, "label": "load", "set": {"users": table}}
        for step in range(1, steps):
            patch = [
                [["users", rng.choice(names), "balance"], round(rng.uniform(0, 5000), 2)]
                for _ in range(EDITS_PER_SAVE)
            ]
            yield {"thread": "table", "step": step, "label": "edit", "patch": patch}

    return Workload(f"big_dict_{keys}x{steps}", seed, events)


def _user(rng: random.Random, number: int) -> dict[str, Any]:
    return {
        "name": prose(rng, 2),
        "email": f"user{number}@example.com",
        "balance": round(rng.uniform(0, 5000), 2),
        "address": {"street": prose(rng, 3), "zip": f"{rng.randrange(10**5):05d}"},
        "orders": [f"#{rng.randrange(10**7):07d}" for _ in range(rng.randrange(0, 6))],
    }


def deep_nesting(*, depth: int = 60, steps: int = 200, seed: int = 1) -> Workload:
    """A tree of plans `depth` deep; each checkpoint changes a note somewhere on the way down."""

    def events() -> Iterator[Event]:
        rng = random.Random(seed)
        node: dict[str, Any] = {"note": prose(rng, 30), "done": False}
        for _ in range(depth - 1):
            node = {"note": prose(rng, 30), "done": False, "sub": node}
        yield {"thread": "plan", "step": 0, "label": "plan", "set": {"plan": node}}
        for step in range(1, steps):
            path = ["plan", *["sub"] * rng.randrange(depth), "note"]
            patch = [[path, prose(rng, 30)]]
            yield {"thread": "plan", "step": step, "label": "note", "patch": patch}

    return Workload(f"deep_{depth}x{steps}", seed, events)


SYSTEM_PROMPT = _system_prompt()
