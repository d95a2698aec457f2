"""What to say where the package of an extra is missing.

Imports: the standard library only.
"""

from __future__ import annotations

__all__ = ["missing"]


def missing(error: ModuleNotFoundError, extra: str) -> ModuleNotFoundError:
    """The error to raise: of what is not casckpt's own, with the command that installs it.

    Args:
        error: what Python has raised.
        extra: the name of the extra.
    """
    name = error.name or ""
    if name.partition(".")[0] == "casckpt":
        return error
    msg = f"{name} is not installed: pip install 'casckpt[{extra}]'"
    return ModuleNotFoundError(msg, name=name, path=error.path)
