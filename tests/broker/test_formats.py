"""Input in other forms, and policies that are not the default: one engine each, checked by hand."""

from __future__ import annotations

import io
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import fastavro

from tests.broker.records import Record
from tests.broker.scene import Scene
from tests.broker.ticks import SECOND, START_MS, tick

LATER = 100 * SECOND

TRADE: dict[str, Any] = {
    "type": "record",
    "name": "Trade",
    "fields": [
        {"name": "seq", "type": "long"},
        {"name": "venue", "type": {"type": "enum", "name": "Venue", "symbols": ["X", "Y"]}},
        {
            "name": "what",
            "type": {
                "type": "record",
                "name": "What",
                "fields": [
                    {"name": "ticker", "type": ["null", "string"]},
                    {"name": "tags", "type": {"type": "array", "items": "string"}},
                ],
            },
        },
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-micros"}},
        {
            "name": "price",
            "type": {"type": "bytes", "logicalType": "decimal", "precision": 18, "scale": 4},
        },
    ],
}
FIELDS = {
    "FIELD_BROKER": "venue",
    "FIELD_SYMBOL": "what.ticker",
    "FIELD_TIMESTAMP": "at",
    "FIELD_PRICE": "price",
}


def trade(at_ms: int, price: str, ticker: str | None = "A") -> Record:
    """One bare trade."""
    out = io.BytesIO()
    value = {
        "seq": at_ms,
        "venue": "Y",
        "what": {"ticker": ticker, "tags": ["t"] * (at_ms % 3)},
        "at": (START_MS + at_ms) * 1000 + 1,
        "price": Decimal(price),
    }
    fastavro.schemaless_writer(out, TRADE, value)
    return Record(out.getvalue(), b"k", 0, START_MS)


def test_bare_avro_of_another_schema(bootstrap: str, tmp_path: Path) -> None:
    """Without frames, a local schema and field names say where the tick is in a value."""
    schema = tmp_path / "trade.avsc"
    schema.write_text(json.dumps(TRADE))
    settings = {"INPUT_SCHEMA": str(schema), "INPUT_FRAMING": "none", **FIELDS}
    scene = Scene(bootstrap, tmp_path, settings=settings)
    nameless, cut = trade(300, "1", None), Record((trade(310, "1").value or b"")[:-1])
    scene.produce([trade(0, "1.5"), trade(100, "-2.0001"), nameless, cut, trade(900, "1.25")])

    with scene.engine() as engine:
        [bar] = scene.until_bars(engine.until_ready(), 1)

    assert (bar["broker"], bar["symbol"], bar["tick_count"]) == ("Y", "A", 3)
    assert [bar[name] for name in ("open", "high", "low", "close")] == [
        Decimal(text) for text in ("1.5", "1.5", "-2.0001", "1.25")
    ]
    reasons = [letter.header("reason") for letter in scene.dead()]
    assert reasons == [b"missing_field", b"undecodable"]


def test_json(bootstrap: str, tmp_path: Path) -> None:
    """JSON objects make the same bars; prices are exact, and what is no tick is a dead letter."""
    scene = Scene(bootstrap, tmp_path, settings={"INPUT_FORMAT": "json"})

    def record(at_ms: int, price: str) -> Record:
        head = f'{{"broker": "b", "symbol": "A", "timestamp": {START_MS + at_ms}'
        return Record(f'{head}, "bid": {price}}}'.encode(), time_ms=START_MS)

    good = [record(0, "0.1"), record(100, "0.3"), record(200, '"0.2"')]
    bad = [record(300, "NaN"), record(300, "1e400"), Record(b'{"broker": "b"'), Record(b"[]")]
    scene.produce([*good, *bad, Record(b'{"broker": "b", "symbol": "A"}'), Record(None)])

    with scene.engine() as engine:
        [bar] = scene.until_bars(engine.until_ready(), 1)

    assert [bar[name] for name in ("open", "high", "low", "close")] == [
        Decimal(text) for text in ("0.1", "0.3", "0.1", "0.2")
    ]
    assert [letter.header("source_offset") for letter in scene.dead()] == [
        b"%d" % offset for offset in range(3, 9)
    ]


def test_record_time(bootstrap: str, tmp_path: Path) -> None:
    """With ``@record`` the Kafka timestamp is the event time, whatever the value says."""
    scene = Scene(bootstrap, tmp_path, settings={"FIELD_TIMESTAMP": "@record"})
    stamped = [tick("b", "A", 0)._replace(time_ms=START_MS + at) for at in (5000, 5001, 6000)]
    scene.produce(stamped)

    with scene.engine() as engine:
        bars = scene.until_bars(engine.until_ready(), 2)

    starts = [bar["bucket_start"].timestamp() * SECOND - START_MS for bar in bars]
    assert starts == [5000, 6000]
    assert [bar["tick_count"] for bar in bars] == [2, 1]


def test_order_by_offset_and_dropped_late_ticks(bootstrap: str, tmp_path: Path) -> None:
    """ORDER=offset takes open and close by arrival; LATE_POLICY=drop counts late ticks and writes
    none, whether by event time or by silence."""
    #   A  |x2 x1    |                 arrival order: .9 then .1
    #   A                 | x |        100 s on: closes the first
    #   A  |late     |
    scene = Scene(bootstrap, tmp_path, settings={"ORDER": "offset", "LATE_POLICY": "drop"})
    prices = [(900, 2.0), (100, 1.0), (LATER, 3.0), (500, 9.0)]
    scene.produce([tick("b", "A", at, price) for at, price in prices])

    with scene.engine() as engine:
        first, _ = scene.until_bars(engine.until_ready(), 2)
        scene.produce([tick("b", "A", LATER + 1, 9.0)])  # silence has closed that one
        dropped = "barengine_late_ticks_dropped_total"
        engine.until("two ticks dropped", lambda: engine.metric(dropped) == 2)
        by_reason = {
            reason: engine.metric("barengine_late_ticks_total", policy="drop", reason=reason)
            for reason in ("watermark", "silence")
        }
        assert engine.terminate() == 0

    assert (first["open"], first["close"], first["tick_count"]) == (2, 1, 2)
    assert by_reason == {"watermark": 1, "silence": 1}
    assert len(scene.bars()) == 2
    assert scene.late() == scene.dead() == []
    stored = scene.state().partition
    assert stored is not None
    assert stored.commit_offset == 5, "a dropped tick is done with, not read again"


def test_clock_per_series(bootstrap: str, tmp_path: Path) -> None:
    """WATERMARK=series lets symbols come one after the other, and remembers each one's clock."""
    #   A  |x |x |x |                  then B, whose first tick is as old as A's
    #   B  |x |x |x |
    scene = Scene(bootstrap, tmp_path, settings={"WATERMARK": "series", "GROUP_INSTANCE_ID": "one"})
    scene.produce([tick("b", "A", at) for at in (0, SECOND, 2 * SECOND)])
    with scene.engine() as first:
        scene.until_bars(first.until_ready(), 3)
        first.kill9()

    with scene.engine() as second:
        scene.produce([tick("b", "B", at) for at in (0, SECOND, 2 * SECOND)])
        scene.produce([tick("b", "A", 100)])
        report = scene.finish(second, late=1)

    assert report.bars_exact == 6
