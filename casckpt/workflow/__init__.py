"""Durable steps: work that goes on after a crash where it stood.

`naming` says which step is meant, `journal` keeps what finished steps returned in a thread of
checkpoints, `running` puts the two around a program's functions.

Imports: errors, format, history, workflow.
"""

from casckpt.workflow.journal import Journal, Line, OnChange, outside
from casckpt.workflow.naming import Naming, Step
from casckpt.workflow.running import GIVEN, Workflow, check_function, inputs_of, is_async

__all__ = [
    "GIVEN",
    "Journal",
    "Line",
    "Naming",
    "OnChange",
    "Step",
    "Workflow",
    "check_function",
    "inputs_of",
    "is_async",
    "outside",
]
