"""How metrics leave the process: which samples, with which constant labels, in which format."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector


class Exposed(Collector):
    """A registry with constant labels on every sample, and without the ``_created`` samples.

    Those would double the number of counter series, and nothing here reads them.
    """

    def __init__(self, inner: CollectorRegistry, labels: Mapping[str, str]) -> None:
        self._inner = inner
        self._labels = labels

    def collect(self) -> Iterable[Metric]:
        """Yield every metric of the inner registry, relabelled."""
        for metric in self._inner.collect():
            metric.samples = [
                sample._replace(labels={**self._labels, **sample.labels})
                for sample in metric.samples
                if not sample.name.endswith("_created")
            ]
            yield metric


def render(registry: CollectorRegistry, accept: str) -> tuple[bytes, str]:
    """All metrics, in the format that the Accept header asks for, and its content type."""
    encode, content_type = choose_encoder(accept)
    return encode(registry), content_type
