"""What the server takes at most."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Bounds of a request, of a batch and of waiting; times are in seconds.

    body_bytes: of a request.
    new_tokens: that a request may ask for.
    prompts: of one request to `/v1/completions`.
    batch: requests answered together, at most.
    queue: requests that may wait; further ones get status 429.
    window: how long the first request of an idle server waits for others.
    wait: in the queue; longer gives status 503.
    answer: for a request's answer, the queue included; longer gives status 504.
    read: for a request's body to arrive; longer gives status 408.
    stop: for requests under way when the server is told to stop.
    """

    body_bytes: int = 256 * 1024
    new_tokens: int = 512
    prompts: int = 16
    batch: int = 32
    queue: int = 256
    window: float = 0.004
    wait: float = 30.0
    answer: float = 120.0
    read: float = 10.0
    stop: float = 30.0
