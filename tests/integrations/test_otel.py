"""Spans and metrics of a store, as OpenTelemetry's own SDK collects them."""

import pytest

pytest.importorskip("opentelemetry.sdk")

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import casckpt
from casckpt.integrations import otel


@pytest.fixture
def spans():
    return InMemorySpanExporter()


@pytest.fixture
def tracers(spans):
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    return provider


def test_spans(spans, tracers):
    store = casckpt.open("memory:")
    stop = otel.instrument(store, tracer_provider=tracers)
    run = store.thread("t")
    with tracers.get_tracer("program").start_as_current_span("step"):
        saved = run.save({"secret": "42"}, label="planned")
    store.gc()
    stop()
    run.load()
    inner, outer, collected = spans.get_finished_spans()
    assert [s.name for s in (inner, outer, collected)] == [
        "casckpt.saved", "step", "casckpt.collected"
    ]  # fmt: skip
    assert dict(inner.attributes) == {
        "casckpt.store": "memory:",
        "casckpt.thread": "t",
        "casckpt.checkpoint": saved.id,
        "casckpt.step": 0,
        "casckpt.label": "planned",
    }
    assert inner.parent.span_id == outer.context.span_id
    assert outer.start_time <= inner.start_time <= inner.end_time <= outer.end_time
    assert "secret" not in inner.to_json()


def test_metrics(tracers):
    reader = InMemoryMetricReader()
    store = casckpt.open("memory:")
    otel.instrument(
        store, tracer_provider=tracers, meter_provider=MeterProvider(metric_readers=[reader])
    )
    for number in range(3):
        store.thread("t").save(number)
    store.thread("t").load()
    (resource,) = reader.get_metrics_data().resource_metrics
    (scope,) = resource.scope_metrics
    found = {
        (metric.name, point.attributes["casckpt.operation"]): point
        for metric in scope.metrics
        for point in metric.data.data_points
    }
    assert found["casckpt.operations", "saved"].value == 3
    assert found["casckpt.operations", "loaded"].value == 1
    assert found["casckpt.operation.duration", "saved"].count == 3
    assert found["casckpt.operation.duration", "saved"].sum > 0
