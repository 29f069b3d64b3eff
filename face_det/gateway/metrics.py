"""The daemon's status as metrics for Prometheus."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from face_det.errors import FaceDetError
from face_det.gateway.health import PATIENCE_S
from face_det.gateway.state import GatewayState
from face_det.types import Reason

ROUTES = APIRouter(tags=["health"])

_CALLS = ("done", "failed", "refused", "abandoned", "cancelled")
_ACTIONS = ("done", "retried", "failed")
_PICTURES = ("received", "unreadable", "replaced", "still", "late", "sent", "answered")
_OUTCOMES = ("named", "unknown", *(reason.value for reason in Reason))


@ROUTES.get("/metrics")
async def metrics(gateway: GatewayState) -> Response:
    """Return counters, queue and latency as Prometheus text; `face_det_up` is 0 if the daemon is down."""
    try:
        status = await gateway.daemon.call("status", timeout_s=PATIENCE_S)
    except FaceDetError:
        status = None
    registry = CollectorRegistry()
    registry.register(StatusCollector(status))
    if gateway.events is not None:
        registry.register(EventsCollector(gateway.events.waiting, gateway.events.counts))
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)


class StatusCollector(Collector):
    """Turns one answer of the verb `status`, or None, into metrics."""

    def __init__(self, status: Mapping[str, Any] | None) -> None:
        self._status = status

    def collect(self) -> Iterator[Metric]:
        """Return the metrics."""
        yield GaugeMetricFamily("face_det_up", "1 if the daemon answers.", 0 if self._status is None else 1)
        if self._status is not None:
            yield from _of_calls(self._status)
            yield from _of_the_daemon(self._status)
            yield from _of_sightings(self._status.get("sightings"))
            yield from _of_cameras(self._status.get("cameras") or {})


class EventsCollector(Collector):
    """Tells how many of ZoneMinder's events wait, and what became of the others."""

    def __init__(self, waiting: int, counts: Mapping[str, int]) -> None:
        self._waiting = waiting
        self._counts = counts

    def collect(self) -> Iterator[Metric]:
        """Return the metrics."""
        about = "Events of ZoneMinder that are waiting or being processed."
        yield GaugeMetricFamily("face_det_zoneminder_events_waiting", about, self._waiting)
        about = "Events of ZoneMinder: done, failed, or unwritten (done, but without a picture or tags)."
        ended = CounterMetricFamily("face_det_zoneminder_events", about, labels=["result"])
        for result, count in self._counts.items():
            ended.add_metric([result], count)
        yield ended


def _of_calls(status: Mapping[str, Any]) -> Iterator[Metric]:
    counters = status["counters"]
    calls = CounterMetricFamily("face_det_calls", "Calls, by how they ended.", labels=["result"])
    for result in _CALLS:
        calls.add_metric([result], counters.get(result, 0))
    yield calls
    yield CounterMetricFamily("face_det_images", "Pictures analysed.", counters.get("images", 0))
    yield CounterMetricFamily("face_det_faces", "Faces found.", counters.get("faces", 0))
    outcomes = CounterMetricFamily(
        "face_det_outcomes", "Faces and people, by what was answered.", labels=["outcome"]
    )
    for outcome in _OUTCOMES:
        outcomes.add_metric([outcome], counters.get(outcome, 0))
    yield outcomes
    yield GaugeMetricFamily("face_det_queue_depth", "Calls that are waiting.", status["queue_depth"])
    yield GaugeMetricFamily("face_det_workers_busy", "Threads that compute.", status["running"])
    latency = GaugeMetricFamily(
        "face_det_latency_seconds", "How long recent calls took, including waiting.", labels=["quantile"]
    )
    for quantile, key in (("0.5", "p50_ms"), ("0.95", "p95_ms")):
        if status.get(key) is not None:
            latency.add_metric([quantile], status[key] / 1000)
    yield latency


def _of_the_daemon(status: Mapping[str, Any]) -> Iterator[Metric]:
    model = status["model"] or {}
    yield InfoMetricFamily(
        "face_det",
        "The daemon's version and networks.",
        {
            "version": status["version"],
            "detector": status["detector"],
            "embedder": status["embedder"],
            "classifier": str(model.get("classifier", "")),
        },
    )
    yield GaugeMetricFamily("face_det_uptime_seconds", "Since the daemon's start.", status["uptime_s"])
    yield GaugeMetricFamily("face_det_trained", "1 if there is a model.", int(status["trained"]))
    yield GaugeMetricFamily(
        "face_det_model_stale", "1 if the model should be trained again.", int(status["stale"] is not None)
    )


def _of_sightings(sightings: Mapping[str, Any] | None) -> Iterator[Metric]:
    if sightings is None:
        return
    yield GaugeMetricFamily("face_det_sightings", "Sightings that are kept.", sightings["sightings"])
    yield GaugeMetricFamily("face_det_unknown_people", "Unknown people with a number.", sightings["unknowns"])
    yield CounterMetricFamily(
        "face_det_sightings_dropped", "Sightings that could not be kept.", sightings["dropped"]
    )
    yield from _of_consumers(sightings.get("consumers") or {})


def _of_consumers(consumers: Mapping[str, Mapping[str, Any]]) -> Iterator[Metric]:
    """Return how those who read the events stand, `face-det mqtt` among them."""
    if not consumers:
        return
    behind = GaugeMetricFamily(
        "face_det_consumer_events_behind", "Events that a consumer has yet to handle.", labels=["consumer"]
    )
    moved = GaugeMetricFamily(
        "face_det_consumer_moved_timestamp_seconds",
        "When a consumer last said how far it is.",
        labels=["consumer"],
    )
    delay = GaugeMetricFamily(
        "face_det_consumer_behind_seconds",
        "For how long the oldest event that a consumer has yet to handle waits.",
        labels=["consumer"],
    )
    running = GaugeMetricFamily(
        "face_det_consumer_running", "1 if a program uses the consumer's cursor now.", labels=["consumer"]
    )
    counts = CounterMetricFamily(
        "face_det_actions",
        "What became of the events for an action: done, retried (each try), failed (in the log of failures).",
        labels=["consumer", "result"],
    )
    for name, about in consumers.items():
        if about["behind"] is not None:
            behind.add_metric([name], about["behind"])
        moved.add_metric([name], about["moved"])
        delay.add_metric([name], about["behind_s"])
        running.add_metric([name], int(bool(about.get("owner"))))
        for result in _ACTIONS:
            if result in about.get("counts", {}):
                counts.add_metric([name, result], about["counts"][result])
    yield from (behind, moved, delay, running, counts)


def _of_cameras(cameras: Mapping[str, Mapping[str, Any]]) -> Iterator[Metric]:
    """Return what `face-det watch` reported; another program may have reported less."""
    if not cameras:
        return
    fine = GaugeMetricFamily(
        "face_det_camera_fine", "1 if a live camera is neither lost nor black nor frozen.", labels=["camera"]
    )
    pictures = CounterMetricFamily(
        "face_det_camera_pictures",
        "A live camera's pictures, by what became of them.",
        labels=["camera", "what"],
    )
    delay = GaugeMetricFamily(
        "face_det_camera_delay_seconds",
        "How old the last answered picture was when its answer came.",
        labels=["camera"],
    )
    for name, about in cameras.items():
        fine.add_metric([name], int(about.get("state") == "fine"))
        for what in _PICTURES:
            if isinstance(count := about.get(what), int):
                pictures.add_metric([name, what], count)
        if isinstance(seconds := about.get("delay_s"), int | float):
            delay.add_metric([name], seconds)
    yield from (fine, pictures, delay)
