"""The book in plain Python: the readable specification of ``_book``, whose rules it numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from barengine.kernel._book import AHEAD, BookConfig, Calendar, Kind, Leaf, Page, SeriesPage
from barengine.kernel._protocol import BarBlock, BrokerState, Reject, SeriesBlock
from barengine.kernel._pure_block import PureBarBlock
from barengine.kernel._pure_book_block import tick_bar
from barengine.kernel._pure_book_memory import Domain, PureBookMemory, in_span, span_of
from barengine.kernel._spans import Span
from barengine.model import INT64_MAX, MAX_SUM, NEVER, Bar, Cause, Origin, Reason, merge

_BASE = 0


class PureBook(PureBookMemory):
    """See ``_book.Book``."""

    def __init__(self, config: BookConfig, calendar: Calendar) -> None:
        super().__init__(config, calendar)
        self._leaving: dict[tuple[int, Kind], list[Bar]] = {}

    # -- one turn --------------------------------------------------------------------------

    def turn(
        self,
        block: BarBlock,
        late: Sequence[Reject],
        brokers: Sequence[BrokerState],
        series: SeriesBlock,
    ) -> Page:
        self._begins = {state.broker: state.begin_ns for state in brokers}
        self._starts.heed(self._begins)
        for bar in block.bars():
            self._domain(bar.broker, bar.symbol).waiting.append(bar)
        refused = [back for tick in late if (back := self._correct(tick)) is not None]
        if self._config.by_series:
            for one in series.states():
                self._advance(self._domain(one.broker, one.symbol), one.closed_through_ns)
        else:
            for state in brokers:
                self._advance(self._domain(state.broker, ""), state.closed_through_ns)
        return Page(self._take_leaves(), refused)

    def _take_leaves(self) -> list[Leaf]:
        leaving, self._leaving = self._leaving, {}
        return [
            Leaf(
                rung,
                kind,
                PureBarBlock(self._config.forms[rung, kind], bars),
                sum(bar.origin is Origin.FILLED for bar in bars),
            )
            for (rung, kind), bars in sorted(leaving.items())
        ]

    def _leave(self, rung: int, bar: Bar, kind: Kind = Kind.FINAL) -> None:
        self._leaving.setdefault((rung, kind), []).append(bar)

    # -- what waits --------------------------------------------------------------------------

    def due(self, broker: str, through_ns: int, limit: int, more: int) -> int:
        flat = sum(rung.continuous for rung in self._config.rungs)
        if not flat:
            return INT64_MAX
        domain = self._domain(broker, "")
        reached = domain.closed
        while NEVER < reached < through_ns:
            nexts = [span for _, span in self._next_fills(domain, reached)]
            if not nexts or not (more or any(self._fills_any(domain, span) for span in nexts)):
                break
            reached = min(span.end for span in nexts)
            for span in nexts:
                if span.end == reached:
                    limit -= sum(self._fills(page, span) for page in domain.pages) + more
            if limit <= 0 and reached < through_ns:
                return reached
        ahead = max(0, limit) // max(1, flat * (len(domain.pages) + more))
        return through_ns + min(ahead, AHEAD) * self._config.rungs[_BASE].period.length_ns

    def waits(self, brokers: Sequence[BrokerState]) -> bool:
        if self._config.by_series:
            return True
        ends = (self._next_end(self._domain(state.broker, "")) for state in brokers)
        return any(
            end is not None and end <= state.closed_through_ns
            for end, state in zip(ends, brokers, strict=True)
        )

    # -- closing (rules 1 to 4) ------------------------------------------------------------

    def _advance(self, domain: Domain, through: int) -> None:
        while (end := self._next_end(domain)) is not None and end <= through:
            self._close(domain, end)
            domain.closed = max(domain.closed, end)
        domain.closed = max(domain.closed, through)

    def _next_end(self, domain: Domain) -> int | None:
        """Where something leaves next."""
        ends = [span.end for span, _ in domain.open.values()]
        if domain.waiting:
            ends.append(domain.waiting[0].bucket_end_ns)
        for _, span in self._next_fills(domain, domain.closed):
            if self._fills_any(domain, span):
                ends.append(span.end)
        return min(ends, default=None)

    def _next_fills(self, domain: Domain, behind: int) -> Iterator[tuple[int, Span]]:
        for rung, one in enumerate(self._config.rungs):
            if one.continuous and behind != NEVER:
                span = domain.spans.fillable(rung, behind)
                if span is not None:
                    yield rung, span

    def _fills(self, page: SeriesPage, span: Span) -> bool:
        """Whether an empty bucket of the series gets a flat bar."""
        known = page.real_end_ns != NEVER
        return known and span.end - page.real_end_ns <= self._config.continuous_max_ns

    def _fills_any(self, domain: Domain, span: Span) -> bool:
        return any(self._fills(page, span) for page in domain.pages)

    def _close(self, domain: Domain, end: int) -> None:
        fills = dict(self._next_fills(domain, domain.closed))
        real: set[str] = set()
        while domain.waiting and domain.waiting[0].bucket_end_ns <= end:
            bar = domain.waiting.popleft()
            real.add(bar.symbol)
            self._base(domain, bar)
        self._fill(domain, _BASE, fills.get(_BASE), end, real)
        for rung in range(1, len(self._config.rungs)):
            closing = domain.open.get(rung)
            real = set()
            if closing is not None and closing[0].end <= end:
                del domain.open[rung]
                for page in closing[1]:
                    bar = page.open.pop(rung)
                    bar = self._of_span(rung, bar, span_of(bar))
                    self._leave(rung, bar, Kind.CORRECTION if bar.revision else Kind.FINAL)
                    self._keep(domain, page, rung, bar)
                    real.add(page.symbol)
            self._fill(domain, rung, fills.get(rung), end, real)

    def _base(self, domain: Domain, bar: Bar) -> None:
        page = self._page(domain, bar.broker, bar.symbol)
        self._leave(_BASE, bar)
        self._keep(domain, page, _BASE, bar)
        page.real_end_ns, page.close = bar.bucket_end_ns, bar.close
        self._saw(domain, page, bar)
        for rung in range(1, len(self._config.rungs)):
            span = domain.spans.at(rung, bar.bucket_start_ns)
            if span is not None:
                self._into_open(domain, page, rung, span, bar)

    def _saw(self, domain: Domain, page: SeriesPage, bar: Bar) -> None:
        page.event_ns = max(page.event_ns, bar.last_event_ns)
        domain.event = max(domain.event, bar.last_event_ns)

    def _into_open(self, domain: Domain, page: SeriesPage, rung: int, span: Span, bar: Bar) -> None:
        """Rule 3: merge into the open bar of a higher rung."""
        span, pages = domain.open.setdefault(rung, (span, []))
        before = page.open.get(rung)
        if before is not None:
            bar = self._of_span(rung, bar, span_of(before))
            page.open[rung] = merge(before, bar, self._config.order)
        else:
            own = self._own(page, rung, span)
            page.open[rung] = self._of_span(rung, bar, own, cut=own != span)
            pages.append(page)
        self._dirty.add((page.broker, page.symbol))

    def _of_span(self, rung: int, bar: Bar, span: Span, *, cut: bool = False) -> Bar:
        partial = cut or bar.partial or span.start <= self._begins.get(bar.broker, NEVER)
        if rung:
            period = self._config.rungs[rung].period.name
            partial |= span.start < self._starts[bar.broker].begins[period]
        return replace(in_span(bar, span), partial=partial)

    def _fill(self, domain: Domain, rung: int, span: Span | None, end: int, real: set[str]) -> None:
        """Rule 4, for the series that had no real bar in the span that ends here."""
        if span is None or span.end != end:
            return
        for page in domain.pages:
            if page.symbol not in real and self._fills(page, span):
                own = self._own(page, rung, span)
                flat = self._flat(domain, page, own, page.close)
                self._leave(rung, replace(flat, partial=own != span))
                if self._moves(rung):
                    self._cut(page, rung, span.end)
                    self._dirty.add((page.broker, page.symbol))

    def _flat(self, domain: Domain, page: SeriesPage, span: Span, close: int) -> Bar:
        return Bar(
            broker=page.broker,
            symbol=page.symbol,
            bucket_start_ns=span.start,
            bucket_end_ns=span.end,
            open=close,
            high=close,
            low=close,
            close=close,
            tick_count=0,
            open_at=(span.start, -1),
            close_at=(span.start, -1),
            first_event_ns=span.start,
            last_event_ns=span.start,
            first_offset=-1,
            last_offset=-1,
            volume=0 if self._config.sized else None,
            turnover=0 if self._config.sized else None,
            origin=Origin.FILLED,
            cause=self._cause(domain, span),
            trading_date=span.date,
        )

    def _cause(self, domain: Domain, span: Span) -> Cause:
        if domain.spans.halted(span):
            return Cause.HALTED
        if self._config.by_series:
            return Cause.QUIET
        feed = self._config.feed
        up, down = (NEVER, NEVER) if feed is None else feed(domain.broker, span.end)
        silent = span.end - max(domain.event, up) > self._config.feed_timeout_ns
        return Cause.FEED_DOWN if silent or down > domain.event else Cause.QUIET

    # -- corrections (rules 5 to 7) --------------------------------------------------------

    def _correct(self, tick: Reject) -> Reject | None:
        """Rule 5; gives the tick back where it cannot correct its bar any more."""
        domain = self._domain(tick.broker, tick.symbol)
        self._advance(domain, tick.closed_ns)
        length = self._config.rungs[_BASE].period.length_ns
        base = Span(tick.bucket_start_ns, tick.bucket_start_ns + length, None)
        since = self._starts[tick.broker].since_ns
        if base.end <= max(since, tick.closed_ns - self._horizon):
            return tick
        bar = tick_bar(tick, base.end)
        if not self._holds(bar):
            return Reject(*tick[:5], Reason.SIZE_RANGE)
        page = self._page(domain, tick.broker, tick.symbol)
        page.real_end_ns = max(page.real_end_ns, base.end)
        self._saw(domain, page, bar)
        before = page.kept.get(_BASE, {}).get(base.start)
        now = self._replace(domain, page, _BASE, base, bar)
        if page.real_end_ns == base.end:
            page.close = now.close
        for rung in range(1, len(self._config.rungs)):
            self._into_rung(domain, page, rung, bar)
        if before is None or before.origin is Origin.FILLED or before.close != now.close:
            for rung, one in enumerate(self._config.rungs):
                if one.continuous:
                    self._refill(domain, page, rung, now)
        return None

    def _holds(self, tick: Bar) -> bool:
        """Whether its base bar stays below MAX_SUM with it; alone the tick does."""
        page = self._pages.get((tick.broker, tick.symbol))
        before = page and page.kept.get(_BASE, {}).get(tick.bucket_start_ns)
        if not before or tick.volume is None or tick.turnover is None:
            return True
        volume = (before.volume or 0) + tick.volume
        return max(volume, abs((before.turnover or 0) + tick.turnover)) < MAX_SUM

    def _into_rung(self, domain: Domain, page: SeriesPage, rung: int, bar: Bar) -> None:
        """The tick goes into the bar of a higher rung that holds its time."""
        time, opened = bar.bucket_start_ns, page.open.get(rung)
        if opened is not None and opened.bucket_start_ns <= time < opened.bucket_end_ns:
            self._into_open(domain, page, rung, span_of(opened), bar)
            return
        kept = self._kept_at(page, rung, time)
        if kept is not None:
            self._replace(domain, page, rung, span_of(kept), bar)
            return
        whole = domain.spans.at(rung, time)
        if whole is None:
            return
        span = self._own(page, rung, whole)
        if time < span.start:
            span = self._left(page, rung, whole)
        if span.end > domain.closed:
            if opened is None:
                self._into_open(domain, page, rung, whole, bar)
        elif span.start == whole.start and self._may_make(page, rung, span):
            self._replace(domain, page, rung, span, bar)

    def _may_make(self, page: SeriesPage, rung: int, span: Span) -> bool:
        """Whether a bar may come into a closed span that has none, as far as is known."""
        seen = span.start >= self._starts[page.broker].begins[self._period(rung)]
        return seen and self._is_free(page, rung, span)

    def _replace(self, domain: Domain, page: SeriesPage, rung: int, span: Span, bar: Bar) -> Bar:
        """The closed bar of one span leaves again with the tick in it."""
        before = page.kept.get(rung, {}).get(span.start)
        now = self._of_span(rung, bar, span)
        if before is not None and before.origin is not Origin.FILLED:
            now = merge(before, now, self._config.order)
        now = replace(now, revision=before.revision + 1 if before else 1)
        self._leave(rung, now, Kind.CORRECTION)
        self._keep(domain, page, rung, now)
        return now

    def _refill(self, domain: Domain, page: SeriesPage, rung: int, real: Bar) -> None:
        """Rule 6: flat bars behind a real base bar take its close, up to the next such bar."""
        until = min(
            domain.closed,
            real.bucket_end_ns + self._config.continuous_max_ns,
            *(
                start
                for start, bar in page.kept[_BASE].items()
                if start > real.bucket_start_ns and bar.origin is not Origin.FILLED
            ),
        )
        begins = self._starts[page.broker].begins[self._period(rung)] if rung else NEVER
        span = domain.spans.fillable(rung, real.bucket_end_ns)
        while span is not None and (left := self._left(page, rung, span)).end <= until:
            # the first one may be that of the real bar; an earlier book may not have had others
            if left.start >= real.bucket_end_ns and left.end > begins:
                self._flat_again(domain, page, rung, left, real.close)
            span = domain.spans.fillable(rung, span.end)

    def _flat_again(
        self, domain: Domain, page: SeriesPage, rung: int, span: Span, close: int
    ) -> None:
        before = page.kept.get(rung, {}).get(span.start)
        flat = self._flat(domain, page, span, close)
        flat = replace(flat, revision=before.revision + 1 if before else 1)
        self._leave(rung, flat, Kind.CORRECTION)
        self._keep(domain, page, rung, flat)
