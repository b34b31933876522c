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
from barengine.model import NEVER, Bar, Origin, merge


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
    """By rung: the span whose bars are open, and their series in order of the first base bar. All
    of them end when it does; where hours have changed, some may start at another time."""


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

    @property
    def late_bars(self) -> int:
        return self._config.late_bars

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
        end, close, event, cuts, opened = decode_page_value(broker, symbol, value)
        domain = self._domain(broker, symbol)
        page = self._page(domain, broker, symbol)
        page.real_end_ns, page.close, page.event_ns = end, close, event
        domain.event = max(domain.event, event)
        unkept, missed = self._starts.missed(broker)
        for period, cut in cuts:
            self._cut(page, self._rungs.get(period, 0), cut)
        for period, bar in opened:
            rung = self._rungs.get(period)
            # one that was opened again cannot leave without corrections; then it stays as it left
            again = bar.revision > 0 and (unkept or self._config.horizon_ns is None)
            if rung and period not in missed and not again:
                page.open[rung] = bar
                domain.open.setdefault(rung, (span_of(bar), []))[1].append(page)

    def _load_kept(self, key: bytes, broker: str, symbol: str, period: str, value: bytes) -> None:
        bar = decode_kept_value(broker, symbol, value)
        rung, (missed, _) = self._rungs.get(period), self._starts.missed(broker)
        if rung is None or self._config.horizon_ns is None or missed:
            self._records.append((key, None))
            return
        page = self._page(self._domain(broker, symbol), broker, symbol)
        page.kept.setdefault(rung, {})[bar.bucket_start_ns] = bar
        self._cut(page, rung, bar.bucket_end_ns)

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
        cuts = ((self._period(rung), page.cuts[rung]) for rung in sorted(page.cuts))
        value = encode_page_value(page.real_end_ns, page.close, page.event_ns, opened, cuts)
        return encode_page_key(page.broker, page.symbol), value

    def _kept_key(self, page: SeriesPage, rung: int, start_ns: int) -> bytes:
        return encode_kept_key(page.broker, page.symbol, self._period(rung), start_ns)

    def _period(self, rung: int) -> str:
        return self._config.rungs[rung].period.name

    def _keep(self, domain: Domain, page: SeriesPage, rung: int, bar: Bar) -> None:
        self._dirty.add((page.broker, page.symbol))
        self._cut(page, rung, bar.bucket_end_ns)
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

    def _kept_at(self, page: SeriesPage, rung: int, time: int) -> Bar | None:
        """The kept bar that holds a time."""
        kept = page.kept.get(rung, {})
        start = max((start for start in kept if start <= time), default=None)
        return None if start is None or kept[start].bucket_end_ns <= time else kept[start]

    def _is_free(self, page: SeriesPage, rung: int, span: Span) -> bool:
        """Whether no kept bar lies in it or reaches into it."""
        begin = any(span.start <= start < span.end for start in page.kept.get(rung, {}))
        return not begin and self._kept_at(page, rung, span.start) is None

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

    # -- other hours (rule 7) --------------------------------------------------------------

    def _moves(self, rung: int) -> bool:
        """Whether its buckets are other ones under other hours."""
        return rung > 0 and self._config.rungs[rung].by_session

    def _cut(self, page: SeriesPage, rung: int, end: int) -> None:
        """A bar of the rung that ends there has left."""
        if self._moves(rung):
            page.cuts[rung] = max(page.cuts.get(rung, NEVER), end)

    def _own(self, page: SeriesPage, rung: int, span: Span) -> Span:
        """What is left of a span behind the series' cut."""
        cut = page.cuts.get(rung, NEVER)
        return span._replace(start=cut) if span.start < cut < span.end else span

    def _left(self, page: SeriesPage, rung: int, span: Span) -> Span:
        """What of a span can have left: all of it, or what lies before the series' cut."""
        cut = page.cuts.get(rung, NEVER)
        return span._replace(end=cut) if span.start < cut < span.end else span

    def reschedule(self) -> None:
        for domain in self._domains.values():
            domain.spans.forget()
            if domain.closed == NEVER:
                continue
            for rung in filter(self._moves, range(len(self._config.rungs))):
                self._end_anew(domain, rung)
                for page in domain.pages:
                    self._open_again(domain, page, rung)

    def _end_anew(self, domain: Domain, rung: int) -> None:
        """Let open bars end when the span does that now holds the newest closed time."""
        if rung not in domain.open:
            return
        span, pages = domain.open[rung]
        now = domain.spans.at(rung, domain.closed - 1)
        if now is None:
            after = domain.spans.fillable(rung, domain.closed)
            now = span if after is None else span._replace(end=min(span.end, after.start))
        domain.open[rung] = (now, pages)
        for page in pages:
            bar = page.open[rung]
            moved = replace(bar, bucket_end_ns=now.end, trading_date=now.date)
            if moved != bar:
                page.open[rung] = moved
                self._dirty.add((page.broker, page.symbol))

    def _open_again(self, domain: Domain, page: SeriesPage, rung: int) -> None:
        """Let the newest bar go on, where its span now goes on beyond what is closed."""
        kept = page.kept.get(rung)
        if rung in page.open or not kept:
            return
        last = kept[max(kept)]
        end = last.bucket_end_ns
        if last.origin is Origin.FILLED or end != page.cuts.get(rung):
            return
        span = domain.spans.at(rung, end - 1)
        if span is None or span.end <= domain.closed:
            return
        bar = replace(last, bucket_end_ns=span.end, trading_date=span.date)
        for start, base in sorted(page.kept.get(0, {}).items()):
            if start >= end and base.origin is not Origin.FILLED:
                bar = merge(bar, in_span(base, span_of(bar)), self._config.order)
        partial = bar.partial or end < domain.closed - self._horizon
        page.open[rung] = replace(bar, partial=partial, revision=last.revision + 1)
        domain.open.setdefault(rung, (span, []))[1].append(page)
        self._dirty.add((page.broker, page.symbol))

    # -- who is known ----------------------------------------------------------------------

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


def span_of(bar: Bar) -> Span:
    """Its bucket."""
    return Span(bar.bucket_start_ns, bar.bucket_end_ns, bar.trading_date)


def in_span(bar: Bar, span: Span) -> Bar:
    """The bar as one of that span."""
    return replace(bar, bucket_start_ns=span.start, bucket_end_ns=span.end, trading_date=span.date)
