"""`casckpt prune`: drop the states that a policy does not keep.

Imports: casckpt, click, casckpt.cli.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any, Final

import click

import casckpt
from casckpt.cli import exits, output, style
from casckpt.cli.command import command, json_option
from casckpt.cli.complete import complete_thread
from casckpt.cli.session import Session, pass_session
from casckpt.cli.times import age, parse_age
from casckpt.cli.values import clean

__all__ = ["prune"]

_PERIODS: Final = ("hour", "day", "week", "month", "year")
_EVERY: Final = re.compile(r"(?P<period>[^*]+)(?:\*(?P<count>[1-9]\d*))?")


def _every(
    _context: click.Context, _option: click.Parameter, given: tuple[str, ...]
) -> dict[str | timedelta, int | None] | None:
    found: dict[str | timedelta, int | None] = {}
    for text in given:
        match = _EVERY.fullmatch(text.strip())
        if match is None:
            msg = f"not a period: {text!r} (hour, day, week*8, '6 hours')"
            raise click.BadParameter(msg)
        period = match["period"].strip().removesuffix("s")
        count = None if match["count"] is None else int(match["count"])
        try:
            found[period if period in _PERIODS else parse_age(match["period"])] = count
        except ValueError as error:
            raise click.BadParameter(str(error)) from error
    return found or None


@command(
    "prune",
    short="drop the states that a policy does not keep",
    examples="""
        casckpt prune support/alice --keep-last 20 --dry-run
        casckpt prune --prefix support/ --keep-last 20 --keep-labels --keep-every day*7
        casckpt prune --prefix '' --max-age '30 days'       # all threads
        casckpt prune --undo support/alice                  # bring the last ones back
    """,
    exit_codes=(
        *(exits.NOT_FOUND, exits.CONFLICT, exits.CORRUPT),
        *(exits.STORAGE, exits.STORE_FILE),
    ),
)
@click.argument("threads", metavar="[THREAD]...", nargs=-1, shell_complete=complete_thread)
@click.option("--prefix", help="All threads whose names begin so.")
@click.option("--keep-last", type=click.IntRange(0), metavar="N", help="Keep the newest N.")
@click.option("--keep-first", type=click.IntRange(0), metavar="N", help="Keep the first N.")
@click.option("--keep-labels", is_flag=True, help="Keep the newest of each label.")
@click.option("--keep-label", multiple=True, metavar="L", help="Keep the newest of this label.")
@click.option(
    "--keep-every",
    multiple=True,
    callback=_every,
    metavar="PERIOD[*N]",
    help="Keep the newest of each hour, day, week, ... (of the last N that have any).",
)
@click.option("--drop-tagged", is_flag=True, help="Tags do not keep, either.")
@click.option("--max-age", type=age, metavar="AGE", help="Keep nothing older (30 days).")
@click.option("--max-count", type=click.IntRange(0), metavar="N", help="Keep at most N.")
@click.option("--dry-run", is_flag=True, help="Say what would go; change nothing.")
@click.option("--undo", is_flag=True, help="Take back the last pruning of each THREAD.")
@json_option
@pass_session
def prune(
    session: Session,
    /,
    threads: tuple[str, ...],
    prefix: str | None,
    dry_run: bool,
    undo: bool,
    as_json: bool,
    **rules: Any,
) -> None:
    """Drop the states of THREADs that a policy does not keep. Their records stay.

    What the --keep options name stays, all together; then the --max options apply. The heads
    of threads stay always, and what has a tag. The bytes go with the first gc after its
    grace; until then --undo brings the states back.
    """
    policy = _policy(**rules)
    threads = tuple(dict.fromkeys(threads))
    if bool(threads) == (prefix is not None):
        msg = "which threads? Name them, or their beginning with --prefix"
        raise click.UsageError(msg, click.get_current_context())
    if undo:
        if prefix is not None or dry_run or policy != casckpt.Retention():
            msg = "--undo takes the names of threads, and nothing else"
            raise click.UsageError(msg, click.get_current_context())
        with session.open() as store:
            _undo(store, threads, as_json=as_json)
        return
    if policy in (casckpt.Retention(), casckpt.Retention(keep_tagged=False)):
        msg = "which policy? Give at least one --keep or --max option"
        raise click.UsageError(msg, click.get_current_context())
    with session.read() if dry_run else session.open() as store:
        if prefix is not None:
            reports = store.prune(policy, prefix=prefix, dry_run=dry_run)
        else:
            for name in threads:
                store.thread(name).checkpoint()  # all are there, or nothing is changed
            reports = [store.thread(name).prune(policy, dry_run=dry_run) for name in threads]
        if as_json:
            for report in reports:
                output.print_json(report.to_dict())
            return
        for report in reports:
            _print(report)
        _print_sum(reports, dry_run=dry_run)


def _policy(
    *,
    keep_labels: bool,
    keep_label: tuple[str, ...],
    drop_tagged: bool,
    **rules: Any,
) -> casckpt.Retention:
    labels: Any = keep_labels or keep_label or False
    return casckpt.Retention(keep_labels=labels, keep_tagged=not drop_tagged, **rules)


def _print(report: casckpt.PruneReport) -> None:
    click.echo(f"{clean(report.thread)}: {report.policy}")
    for verb, verdicts in (("keep", report.kept), ("drop", report.pruned)):
        if verdicts:
            click.echo(f"{verb} {_states(len(verdicts))}:")
        for verdict in verdicts:
            line = output.checkpoint_line(verdict.checkpoint, home=report.thread, pruned=False)
            click.echo(f"  {line}  {style.dim(clean(', '.join(verdict.reasons)))}")
    click.echo()


def _print_sum(reports: list[casckpt.PruneReport], *, dry_run: bool) -> None:
    gone = [verdict.checkpoint for report in reports for verdict in report.pruned]
    whole = style.size(sum(output.size_of(checkpoint) or 0 for checkpoint in gone))
    kept = sum(len(report.kept) for report in reports)
    verb = "would prune" if dry_run else "pruned"
    click.echo(f"{verb} {_states(len(gone))} ({whole} if each were written whole); {kept:,} stay")


def _states(count: int) -> str:
    return f"{count:,} state" + ("" if count == 1 else "s")


def _undo(store: casckpt.Store, threads: tuple[str, ...], *, as_json: bool) -> None:
    for name in threads:
        back = store.thread(name).unprune()
        if as_json:
            ids = [checkpoint.id for checkpoint in back]
            output.print_json({"thread": name, "back": ids})
        else:
            click.echo(f"{clean(name)}: {_states(len(back))} back")
