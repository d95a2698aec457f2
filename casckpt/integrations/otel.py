"""OpenTelemetry: a span and two metrics for everything that happens in a store.

::

    from casckpt.integrations import otel

    stop = otel.instrument(store)   # with the providers that the program has set up
    ...
    stop()

Spans are named "casckpt.saved", "casckpt.loaded", ... and lie in whatever span was current
where it happened. Attributes: `casckpt.store`, `casckpt.thread`, `casckpt.checkpoint`,
`casckpt.step`, `casckpt.label`. Metrics: `casckpt.operations` (a count) and
`casckpt.operation.duration` (a histogram in seconds), by `casckpt.operation`. States and
their contents are never recorded.

Needs the extra `casckpt[otel]`.

Imports: event, store, integrations (extras).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any, get_args

from casckpt.integrations.extras import missing

try:
    from opentelemetry import metrics, trace
except ModuleNotFoundError as error:
    raise missing(error, "otel") from None

from casckpt.event import Event, EventKind
from casckpt.store import Store

__all__ = ["instrument"]

SCOPE = "casckpt"


def instrument(
    store: Any,
    *,
    tracer_provider: trace.TracerProvider | None = None,
    meter_provider: metrics.MeterProvider | None = None,
) -> Callable[[], None]:
    """Make spans and metrics of what happens in a store from now on.

    Args:
        store: a `casckpt.Store`, or a `casckpt.aio.Store`.
        tracer_provider: None: the global one.
        meter_provider: None: the global one.

    Returns:
        A function that stops it.
    """
    plain: Store = getattr(store, "_plain", store)
    meter = metrics.get_meter(SCOPE, meter_provider=meter_provider)
    tell = partial(
        _tell,
        plain.path,
        trace.get_tracer(SCOPE, tracer_provider=tracer_provider),
        meter.create_counter("casckpt.operations", description="What happened, by kind"),
        meter.create_histogram("casckpt.operation.duration", "s", "How long it took, by kind"),
    )
    kinds: tuple[EventKind, ...] = get_args(EventKind)
    for kind in kinds:
        plain.on(kind, tell)

    def stop() -> None:
        for kind in kinds:
            plain.off(kind, tell)

    return stop


def _tell(
    path: str,
    tracer: trace.Tracer,
    count: metrics.Counter,
    duration: metrics.Histogram,
    event: Event,
) -> None:
    end_ns = time.time_ns()
    attributes: dict[str, str | int] = {"casckpt.store": path}
    if event.thread is not None:
        attributes["casckpt.thread"] = event.thread
    if event.checkpoint is not None:
        attributes["casckpt.checkpoint"] = event.checkpoint.id
        attributes["casckpt.step"] = event.checkpoint.step
        if event.checkpoint.label is not None:
            attributes["casckpt.label"] = event.checkpoint.label
    span = tracer.start_span(
        f"casckpt.{event.kind}",
        attributes=attributes,
        start_time=end_ns - int(event.seconds * 1e9),
    )
    span.end(end_ns)
    by = {"casckpt.operation": event.kind}
    count.add(1, by)
    duration.record(event.seconds, by)
