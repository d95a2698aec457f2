"""Shell completion: threads and revisions of the store at hand, in bash, zsh and fish.

Invariants: completion never creates a store, never waits for a lock and never prints an
error: where it cannot help it is silent. It looks at a bounded number of checkpoints.

Imports: casckpt, click.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any, Final

import click
from click import shell_completion

import casckpt
from casckpt.cli.session import Session, locate

__all__ = ["complete_revision", "complete_thread", "register", "script"]

_LOOK_BACK: Final = 200
"""Checkpoints looked at for labels, steps and ids."""
_OFFERED_MAX: Final = 100

_Found = Iterator[tuple[str, str | None]]
"""What is offered, with a word about it."""

_BASH: Final = """\
%(complete_func)s() {
    local IFS=$'\\n' line
    COMPREPLY=()
    for line in $(env COMP_LINE="${COMP_LINE:0:COMP_POINT}" COMP_BREAKS="$COMP_WORDBREAKS" \\
            %(complete_var)s=bash_complete "$1"); do
        case $line in
            dir,*) compopt -o dirnames ;;
            file,*) compopt -o default ;;
            plain,*) COMPREPLY+=("${line#plain,}") ;;
        esac
    done
}

complete -o nosort -F %(complete_func)s %(prog_name)s
"""


class _Bash(shell_completion.BashComplete):
    """bash cuts words at ":" and "@", which revisions are full of: so the line is split here,
    and only the piece behind the last cut is handed back.
    """

    source_template = _BASH

    def get_completion_args(self) -> tuple[list[str], str]:
        line = os.environ["COMP_LINE"]
        words = shell_completion.split_arg_string(line)
        if not words or line[-1:].isspace():
            return words[1:], ""
        return words[1:-1], words[-1]

    def format_completion(self, item: shell_completion.CompletionItem[Any]) -> str:
        _, incomplete = self.get_completion_args()
        breaks = set(os.environ.get("COMP_BREAKS", "")) & set(":@=")
        keep = max((incomplete.rfind(char) + 1 for char in breaks), default=0)
        return f"{item.type},{str(item.value)[keep:]}"


def register() -> None:
    """Put our bash completion in the place of click's."""
    shell_completion.add_completion_class(_Bash, "bash")


def script(cli: click.Command, shell: str) -> str:
    """The text that switches completion on in a shell."""
    kind = shell_completion.get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"no completion for {shell}")
    maker = kind(cli, {}, "casckpt", "_CASCKPT_COMPLETE")
    return maker.source_template % maker.source_vars()


def complete_thread(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[shell_completion.CompletionItem[str]]:
    """Names of threads that begin so."""
    del param
    return _offer(ctx, _threads, incomplete)


def complete_revision(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[shell_completion.CompletionItem[str]]:
    """Revisions that begin so: threads and ids; behind a thread its labels, steps, distances."""
    del param
    return _offer(ctx, _revisions, incomplete)


def _offer(
    ctx: click.Context, search: Callable[[casckpt.Store, str], _Found], incomplete: str
) -> list[shell_completion.CompletionItem[str]]:
    unique: dict[str, str | None] = {}
    try:
        path = locate(ctx.find_root().params.get("store"))
        if path is None or not path.exists():
            return []
        with Session(str(path)).read() as store:
            for value, about in search(store, incomplete):
                unique.setdefault(value, about)
                if len(unique) >= _OFFERED_MAX:
                    break
    except (casckpt.CasckptError, OSError):
        return []
    return [shell_completion.CompletionItem(value, help=about) for value, about in unique.items()]


def _threads(store: casckpt.Store, incomplete: str) -> _Found:
    for info in store.threads(prefix=incomplete, limit=_OFFERED_MAX):
        yield info.name, f"step {info.step}"


def _revisions(store: casckpt.Store, incomplete: str) -> _Found:
    cut = min((at for at in map(incomplete.find, ":@~") if at > 0), default=0)
    if not cut:
        yield from _threads(store, incomplete)
        for checkpoint in store.find(limit=_LOOK_BACK):
            if incomplete and checkpoint.id.startswith(incomplete):
                yield checkpoint.id[:12], checkpoint.label
        return
    name, sign = incomplete[:cut], incomplete[cut]
    for back, checkpoint in enumerate(store.thread(name).log(limit=_LOOK_BACK)):
        if sign == ":" and checkpoint.label is not None:
            value = f"{name}:{checkpoint.label}" if _bare(checkpoint.label) else ""
        elif sign == "@":
            value = f"{name}@{checkpoint.step}"
        else:
            value = f"{name}~{back}"
        if value.startswith(incomplete) and value:
            yield value, checkpoint.label


def _bare(label: str) -> bool:
    """Whether a label needs no quotes in a revision."""
    return not set(label) & set('~^:@{}"\\') and not any(char.isspace() for char in label)
