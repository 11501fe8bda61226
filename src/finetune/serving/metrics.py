"""What `/metrics` shows, in Prometheus' format."""

from collections.abc import Callable

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
ROWS = (1, 2, 4, 8, 16, 32, 64)
# The label of paths that there are none of: clients must not be able to make labels.
OTHER = "other"


class Metrics:
    """The counters of one server."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        labels = ("path", "status")
        self._requests = Counter(
            "finetune_requests", "Answered requests.", labels, registry=self.registry
        )
        self._seconds = Histogram(
            "finetune_request_seconds",
            "Time from a request's head to the end of its answer.",
            ("path",),
            buckets=SECONDS,
            registry=self.registry,
        )
        self._waited = Histogram(
            "finetune_wait_seconds",
            "Time in the queue.",
            buckets=SECONDS,
            registry=self.registry,
        )
        self._rows = Histogram(
            "finetune_batch_requests",
            "Requests that were answered together.",
            buckets=ROWS,
            registry=self.registry,
        )
        self._compute = Histogram(
            "finetune_batch_seconds", "Time of a batch.", buckets=SECONDS, registry=self.registry
        )
        self._tokens = Counter(
            "finetune_tokens", "Tokens of texts.", ("model", "what"), registry=self.registry
        )
        self._left = Counter(
            "finetune_clients_left",
            "Clients that closed the connection before their answer.",
            registry=self.registry,
        )

    def watch(self, waiting: Callable[[], int]) -> None:
        """Show how many requests wait."""
        gauge = Gauge("finetune_waiting", "Requests in the queue.", registry=self.registry)
        gauge.set_function(waiting)

    def request(self, path: str, status: int, seconds: float) -> None:
        """A request was answered; `path` is one of the server's, or `OTHER`."""
        self._requests.labels(path, str(status)).inc()
        self._seconds.labels(path).observe(seconds)

    def batch(self, rows: int, seconds: float) -> None:
        """A batch was computed."""
        self._rows.observe(rows)
        self._compute.observe(seconds)

    def waited(self, seconds: float) -> None:
        """A request has left the queue for a batch."""
        self._waited.observe(seconds)

    def tokens(self, model: str, prompt: int, completion: int) -> None:
        """A text was answered."""
        self._tokens.labels(model, "prompt").inc(prompt)
        self._tokens.labels(model, "completion").inc(completion)

    def left(self) -> None:
        """A client has left."""
        self._left.inc()

    def text(self) -> bytes:
        """All of them."""
        return generate_latest(self.registry)
