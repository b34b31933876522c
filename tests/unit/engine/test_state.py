"""State records: what is written comes back, and what cannot be right is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barengine.codec.state import VERSION
from barengine.engine.state import (
    PARTITION_KEY,
    PartitionRecord,
    StateImage,
    StateRecord,
    broker_record,
    differences,
    partition_record,
    ranges_record,
    series_tombstone,
)
from barengine.errors import StateError, UnreadableStateError
from barengine.kernel import BrokerState, SeriesState
from barengine.model import INT64_MAX, INT64_MIN, MAX_NAME_BYTES
from tests.encoded import series_record

INT64 = st.integers(INT64_MIN, INT64_MAX)
OFFSETS = st.integers(0, INT64_MAX)
NAMES = st.text(min_size=1, max_size=20) | st.text(r"|\é日🙂", min_size=1, max_size=6)
CLOCKS = dict.fromkeys(BrokerState._fields[1:], INT64)
BROKERS = st.builds(BrokerState, broker=NAMES, **CLOCKS)
SERIES = st.builds(SeriesState, broker=NAMES, symbol=NAMES, closed_through_ns=INT64, clock_ns=INT64)
PARTITIONS = st.builds(
    PartitionRecord,
    commit_offset=OFFSETS,
    low_water=OFFSETS,
    seq=OFFSETS,
    began_whole=st.booleans(),
    fingerprint=st.dictionaries(st.text(), st.text()).map(json.dumps),
)
RANGES = st.lists(OFFSETS, unique=True, max_size=20).map(
    lambda edges: list(zip(*[iter(sorted(edges))] * 2, strict=False))
)
PLAIN = PartitionRecord(20, 10, 5, True, "{}")
CLOCK = BrokerState("a", 1, 2, 3, 4, 5, 6)

Record = tuple[bytes | None, bytes | None]


def read(*records: Record) -> StateImage:
    return StateImage.read(records)


# -- round trips -------------------------------------------------------------------------------


@given(PARTITIONS)
def test_partition_record_comes_back(record: PartitionRecord) -> None:
    """C, L, seq, began_whole and the fingerprint are read as they were written."""
    assert read(partition_record(record)) == StateImage(record)


@given(BROKERS)
def test_broker_record_comes_back(state: BrokerState) -> None:
    """Every clock is read as it was written, NEVER included, under any name."""
    assert read(broker_record(state)) == StateImage(brokers={state.broker: state})


@given(SERIES)
def test_series_record_comes_back(state: SeriesState) -> None:
    """A series is read under the very names it was written with."""
    assert read(series_record(state)) == StateImage(series={(state.broker, state.symbol): state})


@given(st.integers(0, 2**40), RANGES)
def test_ranges_come_back(block: int, ranges: list[tuple[int, int]]) -> None:
    """Rejected ranges are read as they were written; none at all are a tombstone."""
    image = read(ranges_record(block, ranges))
    assert image == StateImage(rejected={block: ranges} if ranges else {})


@given(st.lists(SERIES), st.lists(BROKERS))
def test_names_never_mix(series: list[SeriesState], brokers: list[BrokerState]) -> None:
    """However names are made of separators and escapes, every record keeps a key of its own."""
    image = read(*map(series_record, series), *map(broker_record, brokers))
    assert image.series == {(one.broker, one.symbol): one for one in series}
    assert image.brokers == {one.broker: one for one in brokers}


# -- order of records --------------------------------------------------------------------------


@given(st.lists(BROKERS), st.data())
def test_compaction_changes_nothing(states: list[BrokerState], data: st.DataObject) -> None:
    """The newest record of a key counts, whether the older ones are still there or not."""
    log = [broker_record(state) for state in states]
    newest = {record.key: at for at, record in enumerate(log)}
    kept = [
        record
        for at, record in enumerate(log)
        if newest[record.key] == at or data.draw(st.booleans())
    ]
    assert read(*kept) == read(*log)


def test_tombstones_forget() -> None:
    """A tombstone takes its key away, and a record behind it brings it back."""
    one = SeriesState("a", "x", 1, 2)
    other = SeriesState("a", "y", 3, 4)
    records: list[Record] = [
        *(series_record(one), series_record(other), series_tombstone("a", "x")),
        *(broker_record(CLOCK), (b"broker|a", None)),
        *(ranges_record(1, [(1, 2)]), ranges_record(1, [])),
        *(partition_record(PLAIN), (PARTITION_KEY, None)),
    ]
    assert read(*records) == StateImage(series={("a", "y"): other})
    assert read(*records, series_record(one)).series == {("a", "x"): one, ("a", "y"): other}


def test_tombstones_of_what_never_was() -> None:
    """Compaction may keep a tombstone longer than what it buried."""
    keys = (PARTITION_KEY, b"broker|a", b"series|a|x", b"rejected|3")
    assert read(*((key, None) for key in keys)) == StateImage()


@pytest.mark.parametrize("seq", [4, 5])
def test_seq_never_goes_back(seq: int) -> None:
    """A commit that does not follow the one before it means two writers."""
    with pytest.raises(StateError, match=f"commit {seq} follows commit 5.*two engines"):
        read(partition_record(PLAIN), partition_record(PLAIN._replace(seq=seq)))


def test_seq_may_skip() -> None:
    """Compaction removes commits in between."""
    newer = PLAIN._replace(seq=500)
    assert read(partition_record(PLAIN), partition_record(newer)).partition == newer


# -- what cannot be right ----------------------------------------------------------------------

EVERY_KIND = [
    partition_record(PLAIN),
    broker_record(CLOCK),
    series_record(SeriesState("a", "x", 1, 2)),
    ranges_record(7, [(10, 20), (30, 31)]),
]
every_kind = pytest.mark.parametrize("record", EVERY_KIND, ids=lambda one: one.key.decode())


@every_kind
@pytest.mark.parametrize("version", [0, VERSION + 1, 255])
def test_another_version(record: StateRecord, version: int) -> None:
    """A version that this release does not know is refused, with the key and both numbers."""
    assert record.value is not None
    with pytest.raises(StateError) as error:
        read((record.key, bytes([version]) + record.value[1:]))
    assert record.key.decode() in str(error.value)
    assert f"version {version}, this release reads version {VERSION}" in str(error.value)


@every_kind
def test_an_empty_value(record: StateRecord) -> None:
    """An empty value is no tombstone and no record."""
    with pytest.raises(StateError, match="version none"):
        read((record.key, b""))


@every_kind
def test_a_cut_value(record: StateRecord) -> None:
    """A value that breaks off anywhere is refused."""
    assert record.value is not None
    for end in range(1, len(record.value)):
        with pytest.raises(StateError, match="damaged"):
            read((record.key, record.value[:end]))


@every_kind
def test_bytes_behind_the_value(record: StateRecord) -> None:
    """A value with anything behind its last field was not written by this release."""
    assert record.value is not None
    with pytest.raises(StateError, match="damaged: bytes behind its last field"):
        read((record.key, record.value + b"\0"))


@every_kind
@given(junk=st.binary(max_size=60))
def test_damage_is_a_state_error(record: StateRecord, junk: bytes) -> None:
    """Whatever stands in a value, it is read or it is a StateError; nothing else escapes."""
    try:
        image = read((record.key, bytes([VERSION]) + junk))
    except StateError:
        return
    assert image != StateImage()


@pytest.mark.parametrize("edges", [[1], [1, 2, 3], [2, 1], [1, 1], [1, 5, 4, 6], [1, 2, 2, 3]])
def test_ranges_that_are_none(edges: list[int]) -> None:
    """Edges that are not pairs in growing order are damage."""
    good = ranges_record(0, [(edge, edge) for edge in edges])
    assert good.value is not None
    values = b"".join(bytes([2 * edge]) for edge in edges)
    with pytest.raises(StateError, match="its offsets are no ranges"):
        read((good.key, bytes([VERSION, 2 * len(edges)]) + values + b"\0"))


@pytest.mark.parametrize(
    "key",
    [
        None,
        b"",
        b"partition|1",
        b"broker",
        b"broker|a|x",
        b"series|a",
        b"series|a|x|y",
        b"rejected",
        b"rejected|x",
        b"rejected|-1",
        b"windows",
        b"windows|x",
        b"windows|-1",
        b"snapshot|a",
        b"PARTITION",
    ],
)
def test_keys_of_no_known_kind(key: bytes | None) -> None:
    """A key that this release never writes is refused: a newer release may mean something by it.
    It means nothing any more once it is deleted."""
    with pytest.raises(UnreadableStateError, match="is of no known kind"):
        read((key, b"\1"))
    assert read((key, b"\1"), (key, None)) == StateImage()


@pytest.mark.parametrize("key", [b"broker|\xff", b"broker|a\\"])
def test_keys_that_cannot_be_read(key: bytes) -> None:
    """Keys that are no UTF-8, or end inside an escape, are refused, until they are deleted."""
    with pytest.raises(UnreadableStateError, match="cannot be read"):
        read((key, b"\1"))
    assert read((key, b"\1"), (key, None)) == StateImage()


def test_what_is_replaced_may_be_damaged() -> None:
    """Only the newest record of a key is read, and of the partition's what a tombstone has left."""
    own = partition_record(PartitionRecord(0, 0, 1, True, "{}"))
    broken = [(own.key, b"\1\xff"), (b"broker|b", b"\x63"), (b"series|b|s", b"")]
    gone = [(key, None) for key, _ in broken]
    assert read(*broken, *gone, own) == StateImage(PartitionRecord(0, 0, 1, True, "{}"))
    with pytest.raises(UnreadableStateError, match="is damaged"):
        read(broken[0], own)


# -- size --------------------------------------------------------------------------------------


def test_no_record_grows_with_the_market() -> None:
    """Partition, broker and series records hold one name at most and a few numbers."""
    name = "|" * MAX_NAME_BYTES
    clocks: Any = [INT64_MIN] * len(CLOCKS)
    for record in (
        partition_record(PartitionRecord(INT64_MAX, INT64_MAX, INT64_MAX, True, "{}")),
        broker_record(BrokerState(name, *clocks)),
        series_record(SeriesState(name, name, INT64_MIN, INT64_MIN)),
    ):
        assert record.value is not None
        assert len(record.key) < 5 * MAX_NAME_BYTES
        assert len(record.value) < 100


# -- fingerprint -------------------------------------------------------------------------------


@given(*[st.dictionaries(st.sampled_from("ABCD"), st.sampled_from("123"))] * 2)
def test_differences_name_what_changed(before: dict[str, str], now: dict[str, str]) -> None:
    """One phrase for each setting that changed, came or went, in order of their names."""
    phrases = differences(json.dumps(before), now)
    changed = sorted(name for name in {*before, *now} if before.get(name) != now.get(name))
    assert [phrase.split()[0] for phrase in phrases] == changed
    assert (phrases == []) == (before == now)


@pytest.mark.parametrize("mode", ["broker", "series"])
def test_the_watermark_counts_between_two_books(mode: str) -> None:
    """Roll-ups may come and go under either mode; while they are there, it may not change."""
    stored = json.dumps({"WATERMARK": "broker"})
    assert differences("{}", {"WATERMARK": mode}) == []
    assert differences(stored, {}) == []
    expected = [] if mode == "broker" else ["WATERMARK was broker, is now series"]
    assert differences(stored, {"WATERMARK": mode}) == expected


@pytest.mark.parametrize("name", ["INPUT_SCHEMA", "SCHEMA_REGISTRY_URL"])
def test_what_decodes_ticks_counts_where_it_is_stored(name: str) -> None:
    """A state of an earlier release does not tell, and goes on; one that tells is held to it."""
    assert differences('{"WINDOW": "1s"}', {"WINDOW": "1s", name: "a"}) == []
    stored = json.dumps({name: "a"})
    assert differences(stored, {name: "a"}) == []
    assert differences(stored, {name: "b"}) == [f"{name} was a, is now b"]
    assert differences(stored, {}) == [f"{name} was a, is now unset"]


def test_a_registry_in_place_of_a_schema() -> None:
    """Either way round what is not there any more is named."""
    local, by_id = {"INPUT_SCHEMA": "a"}, {"SCHEMA_REGISTRY_URL": "set"}
    assert differences(json.dumps(local), by_id) == ["INPUT_SCHEMA was a, is now unset"]
    assert differences(json.dumps(by_id), local) == ["SCHEMA_REGISTRY_URL was set, is now unset"]


@pytest.mark.parametrize("stored", ["", "{", "[]", "null", '"x"', "1"])
def test_a_fingerprint_that_is_no_object(stored: str) -> None:
    """A fingerprint that cannot be compared is damage, not equality."""
    with pytest.raises(StateError, match="damaged"):
        differences(stored, {})
