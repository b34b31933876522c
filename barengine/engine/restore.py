"""From the records of the state topic to an engine, in steps that do not keep an event loop.

    records -> read: image, without series and pages -> load: clocks, series, book, pages
            -> engine: windows

The service takes one step in a turn of its loop, the crash-anywhere test one behind the other: what
it proves is the order that the service has. docs/recovery.md has the argument.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

from barengine.engine.partition import LogRange, PartitionEngine
from barengine.engine.state import StateImage, is_page, is_series, load_pages
from barengine.kernel import Book, Kernel, SeriesState
from barengine.model import LatePolicy

Record = tuple[bytes | None, bytes | None]

Step = Callable[[], None]


class Restore:
    """A stored state on its way into an engine.

    Call every step of ``read``, then every one of ``load``, each before asking for the next, and
    ask for the ``engine`` then.

    Args:
        records: the state partition from its beginning; none where there is no state.
        step_records: so many of them one step takes in, at most.
    """

    def __init__(self, records: Sequence[Record], step_records: int) -> None:
        self.image = StateImage()
        """The state without series and pages, as soon as it is read."""
        self._records = records
        self._step_records = step_records
        self._single: list[Record] = []
        self._loaded: tuple[Kernel, Book | None] | None = None

    def read(self) -> Iterator[Step]:
        """Make the image, and find the newest record of each series and page.

        There may be millions of these: as bytes they cost the garbage collector nothing, and only
        the newest need be looked into.

        Raises:
            UnreadableStateError: see :meth:`StateImage.read`.
        """
        rest: list[Record] = []
        newest: dict[bytes | None, bytes | None] = {}

        def take(part: Sequence[Record]) -> None:
            for key, value in part:
                if is_series(key) or is_page(key):
                    newest[key] = value
                else:
                    rest.append((key, value))

        yield from self._steps(self._records, take)
        self.image = StateImage.read(rest)
        self._single = list(newest.items())

    def load(self, kernel: Kernel, book: Book | None) -> Iterator[Step]:
        """Make kernel and book, both empty, what they were, save the open windows.

        Raises:
            UnreadableStateError: a series or page is damaged, or another release wrote it.
        """
        image, single = self.image, self._single
        # before the engine: it puts stored windows back, which the clocks of their series may close
        kernel.load(list(image.brokers.values()), ())
        series: list[SeriesState] | None = None if book is None else []
        yield from self._steps(single, partial(_load_series, kernel, series))
        if book is not None and series is not None:
            book.load(list(image.brokers.values()), series, list(image.books.values()))
            yield from self._steps(single, partial(load_pages, book))
        else:
            image.kept = {key: b"" for key, value in single if key and value and is_page(key)}
        self._loaded = kernel, book

    def engine(
        self,
        log: LogRange,
        fingerprint: Mapping[str, str],
        start: int,
        late_policy: LatePolicy,
        restore_max: int,
    ) -> PartitionEngine:
        """An engine at L, to be told to reschedule before it is used. Any thread may make it: there
        may be hundreds of thousands of windows to put back.

        Raises:
            StateError: as :class:`PartitionEngine` does; its arguments are these.
        """
        assert self._loaded is not None, "not loaded to the end"
        kernel, book = self._loaded
        return PartitionEngine(
            kernel, self.image, log, fingerprint, start, late_policy, restore_max, book
        )

    def _steps(
        self, records: Sequence[Record], take: Callable[[Sequence[Record]], None]
    ) -> Iterator[Step]:
        for begin in range(0, len(records), self._step_records):
            yield partial(take, records[begin : begin + self._step_records])


def _load_series(kernel: Kernel, states: list[SeriesState] | None, part: Sequence[Record]) -> None:
    """Take series into the kernel, and note them in ``states`` where somebody asks for them."""
    series = list(StateImage.read(one for one in part if is_series(one[0])).series.values())
    kernel.load((), series)
    if states is not None:
        states += series
