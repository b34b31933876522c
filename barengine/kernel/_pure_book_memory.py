"""The memory of the pure book: what it knows of brokers and series, loaded, stored, forgotten."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from barengine.codec.page import (
    decode_kept_value,
    decode_key,
    decode_page_value,
    encode_kept_key,
    encode_kept_value,
    encode_page_key,
    encode_page_value,
)
from barengine.kernel._book import BookBlock, BookConfig, BookStart, Calendar, SeriesPage
from barengine.kernel._book_starts import Starts
from barengine.kernel._protocol import BrokerState, SeriesState
from barengine.kernel._pure_book_block import PureBookBlock, Record
from barengine.kernel._spans import Span, Spans
from barengine.model import NEVER, Bar


@dataclass(slots=True)
class Domain:
    """What closes together."""

    broker: str
    spans: Spans
    closed: int
    event: int = NEVER
    waiting: deque[Bar] = field(default_factory=deque)
    """Base bars that the kernel has closed, still ahead of ``closed``."""
    pages: list[SeriesPage] = field(default_factory=list)
    open: dict[int, tuple[Span, list[SeriesPage]]] = field(default_factory=dict)
    """By rung: the span whose bars are open, and their series in order of the first base bar."""


class PureBookMemory:
    """All of ``_book.Book`` but the turn, and what it is due for."""

    def __init__(self, config: BookConfig, calendar: Calendar) -> None:
        self._config = config
        self._calendar = calendar
        self._domains: dict[tuple[str, ...], Domain] = {}
        self._pages: dict[tuple[str, str], SeriesPage] = {}
        self._rungs = {rung.period.name: at for at, rung in enumerate(config.rungs)}
        self._horizon = -1 if config.horizon_ns is None else config.horizon_ns
        self._closed: dict[str, int] = {}
        self._begins: dict[str, int] = {}
        self._starts = Starts(config)
        self._dirty: set[tuple[str, str]] = set()
        self._records: list[Record] = []
        """Of kept bars, since the last take_pages."""

    # -- state -----------------------------------------------------------------------------

    def load(
        self,
        brokers: Sequence[BrokerState],
        series: Sequence[SeriesState],
        starts: Sequence[BookStart],
    ) -> None:
        self._closed = {one.broker: one.closed_through_ns for one in brokers}
        self._starts.load(brokers, series, starts)
        for one in series if self._config.by_series else ():
            domain = self._domain(one.broker, one.symbol)
            domain.closed = max(domain.closed, one.closed_through_ns)

    def load_pages(self, pages: Iterable[tuple[bytes, bytes]]) -> None:
        for key, value in pages:
            broker, symbol, period = decode_key(key)
            if period is None:
                self._load_page(broker, symbol, value)
            else:
                self._load_kept(key, broker, symbol, period, value)

    def _load_page(self, broker: str, symbol: str, value: bytes) -> None:
        end, close, event, opened = decode_page_value(broker, symbol, value)
        domain = self._domain(broker, symbol)
        page = self._page(domain, broker, symbol)
        page.real_end_ns, page.close, page.event_ns = end, close, event
        domain.event = max(domain.event, event)
        _, missed = self._starts.missed(broker)
        for period, bar in opened:
            rung = self._rungs.get(period)
            if rung and period not in missed:
                page.open[rung] = bar
                span = Span(bar.bucket_start_ns, bar.bucket_end_ns, bar.trading_date)
                domain.open.setdefault(rung, (span, []))[1].append(page)

    def _load_kept(self, key: bytes, broker: str, symbol: str, period: str, value: bytes) -> None:
        bar = decode_kept_value(broker, symbol, value)
        rung, (missed, _) = self._rungs.get(period), self._starts.missed(broker)
        if rung is None or self._config.horizon_ns is None or missed:
            self._records.append((key, None))
            return
        page = self._page(self._domain(broker, symbol), broker, symbol)
        page.kept.setdefault(rung, {})[bar.bucket_start_ns] = bar

    def take_starts(self) -> list[BookStart]:
        return self._starts.take()

    def take_pages(self) -> BookBlock:
        records, self._records = self._records, []
        for names, page in self._pages.items():
            if names in self._dirty:
                records.append(self._page_record(page))
        self._dirty.clear()
        return PureBookBlock(records)

    def _page_record(self, page: SeriesPage) -> Record:
        opened = ((self._period(rung), page.open[rung]) for rung in sorted(page.open))
        value = encode_page_value(page.real_end_ns, page.close, page.event_ns, opened)
        return encode_page_key(page.broker, page.symbol), value

    def _kept_key(self, page: SeriesPage, rung: int, start_ns: int) -> bytes:
        return encode_kept_key(page.broker, page.symbol, self._period(rung), start_ns)

    def _period(self, rung: int) -> str:
        return self._config.rungs[rung].period.name

    def _keep(self, domain: Domain, page: SeriesPage, rung: int, bar: Bar) -> None:
        self._dirty.add((page.broker, page.symbol))
        if self._config.horizon_ns is None:
            return
        kept = page.kept.setdefault(rung, {})
        kept[bar.bucket_start_ns] = bar
        key = self._kept_key(page, rung, bar.bucket_start_ns)
        self._records.append((key, encode_kept_value(bar)))
        # ends ascend with starts; where hours have changed, some may stay a little longer
        for start in sorted(kept):
            if kept[start].bucket_end_ns > domain.closed - self._config.horizon_ns:
                break
            del kept[start]
            self._records.append((self._kept_key(page, rung, start), None))

    def evict(self, ttl_ns: int) -> list[bytes]:
        keys = []
        for names, page in list(self._pages.items()):
            domain = self._domain(*names)
            if page.open or names in self._dirty or page.event_ns >= domain.closed - ttl_ns:
                continue
            domain.pages.remove(page)
            del self._pages[names]
            if self._config.by_series:
                del self._domains[names]
            keys.append(encode_page_key(*names))
            for rung in sorted(page.kept):
                keys += [self._kept_key(page, rung, start) for start in sorted(page.kept[rung])]
        return keys

    def reschedule(self) -> None:
        for domain in self._domains.values():
            domain.spans.forget()
            for rung, (span, pages) in list(domain.open.items()):
                now = domain.spans.at(rung, domain.closed - 1)
                if now is not None and now != span:
                    domain.open[rung] = (now, pages)
                    for page in pages:
                        self._move(page, rung, now)

    def _move(self, page: SeriesPage, rung: int, span: Span) -> None:
        bar = page.open[rung]
        partial = bar.partial or bar.bucket_start_ns != span.start
        page.open[rung] = replace(in_span(bar, span), partial=partial)
        self._dirty.add((page.broker, page.symbol))

    def _domain(self, broker: str, symbol: str) -> Domain:
        names = (broker, symbol) if self._config.by_series else (broker,)
        domain = self._domains.get(names)
        if domain is None:
            spans = Spans(self._config.rungs, self._calendar, broker)
            domain = Domain(broker, spans, self._closed.get(broker, NEVER))
            self._domains[names] = domain
        return domain

    def _page(self, domain: Domain, broker: str, symbol: str) -> SeriesPage:
        page = self._pages.get((broker, symbol))
        if page is None:
            page = self._pages[broker, symbol] = SeriesPage(broker, symbol)
            domain.pages.append(page)
        return page


def in_span(bar: Bar, span: Span) -> Bar:
    """The bar as one of that span."""
    return replace(bar, bucket_start_ns=span.start, bucket_end_ns=span.end, trading_date=span.date)
