"""The journal of a workflow: what its finished steps returned, in a thread of checkpoints.

The state of such a thread is a dict:

- `workflow`: the workflow's name;
- `status`: "running", "finished" or "failed";
- `steps`: by key, in the order in which they were finished, `inputs` (the digest of what the
  step was given; None: not looked at) and `result`.

Each finished step is one checkpoint, labelled with its key; others are labelled "started",
"finished" or "failed".

Invariants: a step's result is saved once, after it was carried out; two who carry out the same
workflow at the same time are told so, for each save expects the head that it left.

Imports: errors, failure, format (constants).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from threading import Lock
from typing import Any, Final, Literal, NamedTuple, Protocol

from casckpt.errors import ConflictError, InvalidInputError, NotFoundError
from casckpt.failure import FAILED, describe
from casckpt.format.constants import NAME_BYTES_MAX

__all__ = ["Finished", "Journal", "Line", "OnChange", "outside"]

OnChange = Literal["error", "again"]
"""What happens if a finished step is called with other inputs: an error, or it runs again."""

STARTED: Final = "started"
FINISHED: Final = "finished"


class Line(Protocol):
    """What a journal needs of a thread of checkpoints (`casckpt.Thread` has it)."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def head(self) -> Any:
        """Its newest checkpoint, if there is one."""

    def save(self, state: Any, *, label: str | None = None, expect: Any = None) -> Any:
        """Save a state."""

    def edit(
        self,
        *,
        label: str | None = None,
        meta: Mapping[str, Any] | None = None,
        expect: Any = None,
    ) -> AbstractContextManager[Any]:
        """Change the head's state."""

    def fork(self, name: str, at: Any = None) -> Line:
        """Begin another thread at a checkpoint."""


class Finished(NamedTuple):
    """What is known of a finished step."""

    result: Any


class Journal:
    """What the finished steps of one workflow returned. Safe to use from several OS threads."""

    def __init__(
        self,
        line: Line,
        name: str,
        digest: Callable[[Any], str],
        *,
        at: Any = None,
        on_change: OnChange = "error",
        again: bool = False,
    ) -> None:
        """Prepare.

        Args:
            line: the thread it is kept in.
            name: the workflow's.
            digest: of any value that can be stored.
            at: the checkpoint to resume from, in a fork of the thread; None: the head.
            on_change: what to do about a finished step with other inputs.
            again: begin anew if it was finished.
        """
        if type(name) is not str or not name:
            raise InvalidInputError(f"a workflow's name is a text, not {name!r}")
        if on_change not in ("error", "again"):
            raise InvalidInputError(f'on_change= takes "error" or "again", not {on_change!r}')
        self.line = line
        self.name = name
        self.status = "running"
        """"running", "finished" or "failed": as the thread's head has it."""
        self.resumed = False
        """Whether there was something to go on from."""
        self._digest = digest
        self._at = at
        self._on_change = on_change
        self._again = again
        self._head: Any = None
        self._open = False
        self._lock = Lock()

    def begin(self) -> None:
        """Read where the workflow stands, or start it.

        Raises:
            InvalidInputError: the thread has something else in it; or it was begun before.
            ConflictError: another started it at the same time.
        """
        if self._head is not None:
            raise InvalidInputError(
                f"this run of {self.name!r} was begun before: a block of its own for each run, "
                f"with run.workflow(...)"
            )
        head = self.line.head if self._at is None else self._at
        if head is not None:
            self.status = self._status(head)
        if self._at is not None:
            self.line = _resume_at(self.line, self._at)
        self._open = True
        if head is not None and not (self._again and self.status == FINISHED):
            self._head, self.resumed = head, True
            return
        state = {"workflow": self.name, "status": "running", "steps": {}}
        self._head = self.line.save(state, label=STARTED, expect=head)
        self.status = "running"

    def _status(self, head: Any) -> str:
        match head.view():
            case {"workflow": str(name), "status": str(status), "steps": _}:
                if name == self.name:
                    return status
                what = f"the workflow {name!r}"
            case _:
                what = "states that are no workflow's"
        raise InvalidInputError(
            f"the thread {self.line.name} has {what} in it, not {self.name!r}: "
            f"give each workflow a thread of its own",
            thread=self.line.name,
        )

    def check_open(self) -> None:
        """Raises InvalidInputError outside the block."""
        if not self._open:
            raise outside(self.name)

    def find(self, key: str, inputs: str | None) -> Finished | None:
        """What a step returned; None: it is to be carried out.

        Args:
            key: the step's.
            inputs: their digest, as `digest_of` gives it.

        Raises:
            InvalidInputError: it was finished with other inputs.
        """
        try:
            kept = self._head.load(["steps", key])
        except NotFoundError as error:
            if error.code != NotFoundError.code:
                raise  # pruned: it was finished, but nobody knows how any more
            return None
        match kept:
            case {"inputs": str() | None as before, "result": result}:
                pass
            case _:
                raise InvalidInputError(
                    f"the step {key!r} of {self.name!r} is not as a workflow left it", step=key
                )
        if before is None or inputs is None or before == inputs:
            return Finished(result)
        if self._on_change == "again":
            return None
        raise InvalidInputError(
            f"the step {key!r} of {self.name!r} was finished with other inputs than it is given "
            f'now; on_change="again" runs such steps again, at= resumes from before it',
            step=key,
        )

    def keep(self, key: str, inputs: str | None, result: Any) -> None:
        """Save what a step returned.

        Raises:
            UnsupportedValueError: a result that cannot be stored exactly.
            ConflictError: somebody else carries out the same workflow.
        """
        step = {"inputs": inputs, "result": result}

        def change(draft: Any) -> None:
            draft["steps"][key] = step
            draft["status"] = "running"

        self._save(change, label=_label(key))
        self.status = "running"

    def end(self, error: BaseException | None) -> None:
        """Save how the workflow ended, unless that is known."""
        self._open = False
        status = FINISHED if error is None else FAILED
        if error is None and self.status == FINISHED:
            return
        meta = None if error is None else describe(error)

        def change(draft: Any) -> None:
            draft["status"] = status

        self._save(change, label=status, meta=meta)
        self.status = status

    def digest_of(self, key: str, inputs: Any) -> str | None:
        """The digest of a step's inputs; None: they are not looked at.

        Raises:
            InvalidInputError: they cannot be stored, so there is none.
        """
        if inputs is None:
            return None
        try:
            return self._digest(inputs)
        except InvalidInputError as error:
            raise InvalidInputError(
                f"the inputs of the step {key!r} cannot be compared with those of another run "
                f"({error}): say by step_inputs= what they amount to, or None to ignore them",
                step=key,
            ) from error

    def _save(self, change: Callable[[Any], None], **how: Any) -> None:
        with self._lock:
            try:
                with self.line.edit(**how, expect=self._head) as draft:
                    change(draft)
            except ConflictError as error:
                raise ConflictError(
                    f"{self.name!r} in {self.line.name} is carried out by somebody else as well: "
                    f"the head is not the one that this run left",
                    **error.details,
                ) from error
            self._head = draft.checkpoint


def _label(key: str) -> str:
    """A step's key, as far as it fits into a label."""
    return key.encode()[:NAME_BYTES_MAX].decode(errors="ignore").strip()


def outside(name: str) -> InvalidInputError:
    """The error for a step that is not in the block."""
    return InvalidInputError(
        f"steps of {name!r} are carried out inside the block: "
        f"with run.workflow({name!r}) as wf: wf.step(...)"
    )


def _resume_at(line: Line, at: Any) -> Line:
    """A fork of a thread at a checkpoint of it, under a name that is free."""
    step = at.step
    name = base = f"{line.name}/from-{step}"
    count = 1
    while True:
        try:
            return line.fork(name, at)
        except ConflictError:
            count += 1
            name = f"{base}-{count}"
