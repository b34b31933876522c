"""What is fuzzed: each takes a Random, feeds it damaged input once, and says how many pieces.

Whatever comes in, a target may see only the answers that its users handle. Anything else, an
exception of another kind, a record that is neither accepted nor rejected, ends the run.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any, Final

from barengine.codec.compile import compile_plan
from barengine.codec.fields import TICK_SCHEMA, Fields
from barengine.codec.records import iter_records
from barengine.codec.slow import json_decoder, slow_decoder
from barengine.codec.symbols import SymbolNames
from barengine.codec.tick import BadTick
from barengine.engine.state import (
    PartitionRecord,
    StateImage,
    StoredBlock,
    broker_record,
    partition_record,
    ranges_record,
    windows_record,
)
from barengine.engine.stored import StoredWindows
from barengine.engine.turns import Turns
from barengine.errors import CorruptBatchError, SchemaError, UnreadableStateError
from barengine.kafka.batches import read_batches
from barengine.kafka.compression import CODECS
from barengine.kernel import (
    BATCH_HEADER,
    BlockForm,
    BookConfig,
    BrokerState,
    Kernel,
    KernelConfig,
    Kind,
    RecordBatch,
    Rung,
    SeriesState,
    around_the_clock,
    book_class,
    kernel_class,
)
from barengine.model import Framing, Normalize, Period, Watermark
from tests.encoded import encoded, encoded_state, series_record
from tests.fuzz.mutate import mutated
from tests.fuzz.schemas import damaged, random_schema, random_value
from tests.unit.kafka.build import batch as sent_batch
from tests.unit.kafka.build import with_body
from tests.unit.kernel.build import NOON_MS, NOON_NS, batch, tick_value

MANY: Final = 500
"""Records of one batch."""

_END: Final = 2**61


_ALL_FIELDS: Final = Fields(price="mid(bid,ask)", size="qty", touch="flags")


def _kernel(
    rng: Random,
    schema: Any = TICK_SCHEMA,
    framing: Framing = Framing.CONFLUENT,
    fields: Fields | None = None,
) -> Kernel:
    fields = fields or Fields()
    config = KernelConfig(
        Period.parse(rng.choice(("1s", "1m"))),
        grace_ns=rng.choice((0, 10**9)),
        watermark=rng.choice(list(Watermark)),
        idle_timeout_ns=0,
        framing=framing,
        sizes=rng.random() < 0.7,
        names=rng.choice((None, SymbolNames(Normalize.UPPER))),
    )
    kernel = kernel_class("compiled")(config)
    plan = compile_plan(schema, fields)
    kernel.add_schema(0, plan, None if plan else slow_decoder(schema, fields, 9))
    return kernel


def _process(kernel: Kernel, content: RecordBatch) -> int:
    """Feed a batch that is framed well; every record must become a tick or a letter."""
    outcome = kernel.process(content, 0, _END, NOON_NS + 10**12)
    assert outcome.records == content.records
    assert outcome.accepted + len(outcome.rejects) == content.records
    assert all(reject.reason.label for reject in outcome.rejects)
    assert len(kernel.take_live()) <= outcome.accepted
    kernel.advance(_END)
    accepted = sum(bar.tick_count for bar in kernel.take_bars().bars())
    assert accepted == outcome.accepted
    return content.records


def _ticks(rng: Random, count: int) -> list[bytes]:
    symbols, spread_ms = ("A", "B", "日経平均", "S" * 256), rng.choice((500, 10**5))
    return [
        tick_value("b", rng.choice(symbols), NOON_MS + rng.randrange(spread_ms), rng.uniform(-9, 9))
        for _ in range(count)
    ]


def values(rng: Random) -> int:
    """Damaged values of the built-in schema in sound records."""
    sound = _ticks(rng, MANY // 10)
    content = [rng.choice((one, mutated(rng, one))) for one in sound for _ in range(10)]
    return _process(_kernel(rng), batch(content))


def schemas(rng: Random) -> int:
    """Values, sound and damaged, of random schemas."""
    schema = random_schema(rng)
    sound = [random_value(rng, schema) for _ in range(MANY // 10)]
    content = [rng.choice((one, mutated(rng, one))) for one in sound for _ in range(10)]
    fields = rng.choice((Fields(), _ALL_FIELDS))
    return _process(_kernel(rng, schema, Framing.NONE, fields), batch(content))


def broken_schemas(rng: Random) -> int:
    """Schemas that are none, or not of a tick: refused, or read."""
    schema = random_schema(rng)
    for _ in range(rng.randint(1, 3)):
        schema = damaged(rng, schema)
    try:
        kernel = _kernel(rng, schema, Framing.NONE, rng.choice((Fields(), _ALL_FIELDS)))
    except SchemaError:
        return 1
    return _process(kernel, batch([rng.randbytes(rng.randrange(60)) for _ in range(20)]))


def batches(rng: Random) -> int:
    """Damaged record batches: a batch is taken as it is, or refused as a whole."""
    whole = batch([(b"key", one) for one in _ticks(rng, 50)], headers=(("h", b"v"), ("n", None)))
    payload = mutated(rng, whole.payload, 6)
    count = rng.choice((whole.records, whole.records, rng.randrange(100), 2**31 - 1))
    try:
        outcome = _kernel(rng).process(RecordBatch(payload, count, 0, NOON_MS), 0, _END, NOON_NS)
    except ValueError:
        return whole.records
    # a damaged offset delta puts a record outside of what was asked for: passed over
    assert outcome.accepted + len(outcome.rejects) == outcome.records <= count
    return whole.records


def fetches(rng: Random) -> int:
    """Damaged answers of a broker, with the right CRC or a wrong one."""
    sent = sent_batch(0, _ticks(rng, 20), codec=rng.choice(CODECS))
    data = mutated(rng, sent, 4)
    if rng.random() < 0.7 and len(data) >= BATCH_HEADER.size:
        data = with_body(data, data[BATCH_HEADER.size :])
    try:
        for read in read_batches(data, ((1, 0),), 0):
            if read.batch is not None:
                _kernel(rng).process(read.batch, 0, _END, NOON_NS)
    except (CorruptBatchError, ValueError):
        return 20
    return 20


def json_values(rng: Random) -> int:
    """Damaged JSON."""
    decode = json_decoder(_ALL_FIELDS, 9)
    sound = b'{"broker":"b","symbol":"s","timestamp":%d,"bid":1.25,"ask":"2","qty":3}' % NOON_MS
    for _ in range(MANY):
        try:
            decode(mutated(rng, sound, 5))
        except BadTick:
            continue
    return MANY


def state(rng: Random) -> int:
    """Damaged state records: read and put into a kernel, or refused with their key."""
    fingerprint, as_of = '{"WINDOW": "1m"}', 60
    kernel = _kernel(rng)
    kernel.process(batch(_ticks(rng, 50)), 0, _END, NOON_NS)
    blocks = kernel.store_windows(as_of).pack(2000)
    sound = [
        partition_record(PartitionRecord(as_of, 5, 3, True, fingerprint)),
        broker_record(BrokerState("b", *(NOON_NS,) * 6)),
        series_record(SeriesState("b", "s", NOON_NS, NOON_NS)),
        ranges_record(0, [(1, 2), (5, 9)]),
        *(
            windows_record(number, StoredBlock(as_of, one.count, one.content))
            for number, one in enumerate(blocks)
        ),
    ]
    for _ in range(MANY // len(sound)):
        records = [(one.key, one.value) for one in sound]
        place = rng.randrange(len(records))
        key, value = records[place]
        assert value is not None
        damage = rng.randrange(3)
        records[place] = (
            mutated(rng, key) if damage else key,
            mutated(rng, value) if damage != 1 else value,
        )
        try:
            image = StateImage.read(records)
            again = _kernel(rng)
            again.load(list(image.brokers.values()), list(image.series.values()))
            StoredWindows(again, image.windows, as_of, as_of)
        except UnreadableStateError:
            continue
        again.advance(_END)
        again.take_bars().bars()
    return MANY


def pages(rng: Random) -> int:
    """Damaged pages of a book: read, or refused; either way the book goes on."""
    ladder = tuple(Rung(Period.parse(one), rng.random() < 0.5) for one in ("1s", "5s", "1h"))
    forms = {
        (at, kind): BlockForm(rung.period.name) for at, rung in enumerate(ladder) for kind in Kind
    }
    config = BookConfig(ladder, horizon_ns=rng.choice((None, 10**9, 10**18)), forms=forms)
    how = KernelConfig(ladder[0].period, 0, book=True)
    stored: dict[bytes, bytes] = {}
    for damage in (False, True):
        for _ in range(MANY // 10 if damage else 1):
            kernel = kernel_class("compiled")(how)
            kernel.add_schema(0, compile_plan(TICK_SCHEMA, Fields()))
            book = book_class(kernel_class("compiled"))(config, around_the_clock)
            turns = Turns(kernel, book)
            if damage:
                book.load([BrokerState("b", *(NOON_NS,) * 6)], (), ())
                try:
                    book.load_pages(
                        [(key, mutated(rng, value, 3)) for key, value in stored.items()]
                    )
                except ValueError:
                    continue
                book.reschedule()
            kernel.process(batch(_ticks(rng, 40)), 0, _END, NOON_NS + 10**12)
            turns.drain()
            taken = turns.take()
            assert taken.pages is not None
            for leaf in taken.leaves:
                encoded(leaf.block, 1000)
            for one in encoded_state(taken.pages, 1000):
                stored |= {
                    record.key or b"": record.value
                    for record in iter_records(one.payload, one.count)
                    if record.value is not None
                }
    return MANY // 10


TARGETS: Final[dict[str, Callable[[Random], int]]] = {
    target.__name__: target
    for target in (values, schemas, broken_schemas, batches, fetches, json_values, state, pages)
}
