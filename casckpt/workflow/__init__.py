"""Durable steps: work that goes on after a crash where it stood.

`naming` says which step is meant, `journal` keeps what finished steps returned in a thread of
checkpoints, `running` puts the two around a program's functions.

Imports: errors, format, history, workflow.
"""

from casckpt.workflow.journal import Journal, Line, OnChange, resume_at
from casckpt.workflow.naming import Naming
from casckpt.workflow.running import GIVEN, Workflow, inputs_of

__all__ = [
    "GIVEN",
    "Journal",
    "Line",
    "Naming",
    "OnChange",
    "Workflow",
    "inputs_of",
    "resume_at",
]
