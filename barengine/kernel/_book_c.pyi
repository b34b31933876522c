from collections.abc import Sequence

from barengine.kernel._book import Page
from barengine.kernel._book_state import BookState
from barengine.kernel._protocol import BarBlock, BrokerState, Reject, SeriesBlock

class CompiledBook(BookState):
    def turn(
        self,
        block: BarBlock,
        late: Sequence[Reject],
        brokers: Sequence[BrokerState],
        series: SeriesBlock,
    ) -> Page: ...
    def waits(self, brokers: Sequence[BrokerState]) -> bool: ...
