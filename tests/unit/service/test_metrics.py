from __future__ import annotations

import pytest
from prometheus_client.parser import text_string_to_metric_families

from barengine.model import NS_PER_S, LatePolicy, Reason
from barengine.service import metric_specs as specs
from barengine.service.exposition import render
from barengine.service.lifecycle import TaskState
from barengine.service.metrics import Metrics

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def exposed(metrics: Metrics) -> Samples:
    """Every sample as a scraper reads it: (name, sorted labels) -> value."""
    body, _ = render(metrics.registry, "")
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(body.decode())
        for sample in family.samples
    }


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return exposed(metrics).get((name, tuple(sorted(labels.items()))))


@pytest.fixture
def metrics() -> Metrics:
    return Metrics("", "1.2.3", "CompiledKernel", ["1m"])


def fill(metrics: Metrics) -> None:
    """Something in every metric."""
    metrics.count_ticks(3, 10)
    metrics.bars("1m", 2, "ticks")
    metrics.skipped("1m", 1, "partial")
    metrics.corrections("1m", 1)
    metrics.live(1)
    metrics.live_failed()
    metrics.schedule_reloaded(applied=True)
    metrics.heartbeats_refused(1)
    metrics.late("topic", Reason.WATERMARK, 2 * NS_PER_S)
    metrics.dead(Reason.FUTURE, "x")
    metrics.transaction("committed", 0.01)
    metrics.close_to_commit(0.02)
    metrics.restored(0.5)
    metrics.rebalanced()
    metrics.set_windows(3, 7)
    metrics.set_watermark_lag(3, 1.5)
    metrics.set_consumer_lag(3, 100, 0.25)
    metrics.set_bars_overdue(3, 61)
    metrics.set_input_partitions(5)
    metrics.set_last_ticks({"x": 1000.5})
    metrics.set_feed_delays({"x": 0.5})
    metrics.set_task_state(3, TaskState.RUNNING)


def test_names_are_those_of_the_contract(metrics: Metrics) -> None:
    """What dashboards and alerts refer to is exposed under exactly these names."""
    fill(metrics)
    ours = {name for name, _ in exposed(metrics) if name.startswith("barengine_")}
    histograms = {
        f"barengine_{name}_seconds{part}"
        for name in ("close_to_commit", "transaction", "lateness", "restore")
        for part in ("_bucket", "_count", "_sum")
    }
    assert ours == histograms | {
        "barengine_ticks_total",
        "barengine_bars_emitted_total",
        "barengine_bars_skipped_total",
        "barengine_corrections_total",
        "barengine_live_bars_total",
        "barengine_live_failures_total",
        "barengine_late_ticks_total",
        "barengine_late_ticks_dropped_total",
        "barengine_dead_letters_total",
        "barengine_quarantined_ticks_total",
        "barengine_windows_open_count",
        "barengine_watermark_lag_ms",
        "barengine_watermark_lag_seconds",
        "barengine_consumer_lag_records",
        "barengine_consumer_lag_seconds",
        "barengine_bars_overdue_seconds",
        "barengine_broker_last_tick_timestamp_seconds",
        "barengine_feed_delay_seconds",
        "barengine_input_partitions",
        "barengine_transactions_total",
        "barengine_task_state",
        "barengine_rebalances_total",
        "barengine_schedule_reloads_total",
        "barengine_heartbeats_refused_total",
        "barengine_build_info",
    }


def test_labels_are_those_that_are_told(metrics: Metrics) -> None:
    """Each sample has the labels of its metric's entry, and docs say of each what it can be."""
    fill(metrics)
    labels = {spec.name: set(spec.labels) for spec in specs.SPECS}
    for name, found in exposed(metrics):
        base = name if name in labels else name.rpartition("_")[0]
        if base in labels:
            assert set(dict(found)) - {"le"} == labels[base], name
    assert specs.LABEL_VALUES.keys() == set().union(*labels.values())


def test_closed_label_sets_begin_at_zero(metrics: Metrics) -> None:
    """A rate is right from the first event on: nothing appears only when it happens."""
    zeros = exposed(metrics)
    for reason in Reason:
        if reason.late:
            for policy in LatePolicy:
                labels = (("policy", policy.value), ("reason", reason.label))
                assert zeros[specs.LATE_TICKS.name, labels] == 0
        else:
            assert zeros[specs.DEAD_LETTERS.name, (("reason", reason.label),)] == 0
    for outcome in ("committed", "aborted", "fenced"):
        assert zeros[specs.TRANSACTIONS.name, (("outcome", outcome),)] == 0
    assert zeros[specs.BARS_EMITTED.name, (("origin", "ticks"), ("period", "1m"))] == 0
    assert zeros[specs.LATE_TICKS_DROPPED.name, ()] == 0
    assert zeros[specs.REBALANCES.name, ()] == 0


def test_what_happened_is_added_up(metrics: Metrics) -> None:
    """Counters sum what they are told, each under its labels."""
    fill(metrics)
    fill(metrics)
    metrics.transaction("fenced", 1)
    assert value(metrics, specs.TICKS.name, partition="3") == 20
    assert value(metrics, specs.BARS_EMITTED.name, period="1m", origin="ticks") == 4
    assert value(metrics, specs.TRANSACTIONS.name, outcome="committed") == 2
    assert value(metrics, specs.TRANSACTIONS.name, outcome="fenced") == 1
    assert value(metrics, "barengine_transaction_seconds_count") == 3
    assert value(metrics, "barengine_restore_seconds_sum") == 1
    assert value(metrics, "barengine_close_to_commit_seconds_bucket", le="0.02") == 2
    assert value(metrics, specs.REBALANCES.name) == 2


def test_a_late_tick_is_counted_with_policy_reason_and_lateness(metrics: Metrics) -> None:
    """Dropped ticks have a counter of their own: that is data lost."""
    metrics.late("topic", Reason.WATERMARK, NS_PER_S // 2)
    metrics.late(LatePolicy.DROP, Reason.SILENCE, 20 * NS_PER_S)
    assert value(metrics, specs.LATE_TICKS.name, policy="topic", reason="watermark") == 1
    assert value(metrics, specs.LATE_TICKS.name, policy="drop", reason="silence") == 1
    assert value(metrics, specs.LATE_TICKS_DROPPED.name) == 1
    assert value(metrics, "barengine_lateness_seconds_bucket", le="0.5") == 1
    assert value(metrics, "barengine_lateness_seconds_bucket", le="30.0") == 2
    assert value(metrics, "barengine_lateness_seconds_sum") == 20.5


def test_a_quarantined_tick_is_counted_against_its_broker(metrics: Metrics) -> None:
    """A broker with a bad clock is named; other dead letters name none."""
    metrics.dead(Reason.FUTURE, "bad")
    metrics.dead(Reason.UNDECODABLE)
    assert value(metrics, specs.DEAD_LETTERS.name, reason="future") == 1
    assert value(metrics, specs.DEAD_LETTERS.name, reason="undecodable") == 1
    assert value(metrics, specs.QUARANTINED_TICKS.name, broker="bad") == 1
    assert len([name for name, _ in exposed(metrics) if name == specs.QUARANTINED_TICKS.name]) == 1


def test_names_from_the_data_cannot_make_endless_series(metrics: Metrics) -> None:
    """Beyond a bound, brokers share one series."""
    for number in range(specs.MAX_BROKERS + 5):
        metrics.dead(Reason.FUTURE, f"broker-{number}")
    metrics.dead(Reason.FUTURE, "broker-0")
    assert value(metrics, specs.QUARANTINED_TICKS.name, broker="other") == 5
    assert value(metrics, specs.QUARANTINED_TICKS.name, broker="broker-0") == 2
    brokers = [name for name, _ in exposed(metrics) if name == specs.QUARANTINED_TICKS.name]
    assert len(brokers) == specs.MAX_BROKERS + 1


def test_a_broker_that_nobody_names_any_more_disappears(metrics: Metrics) -> None:
    """Its partitions are another's now: a time that stands still here would be a false alarm."""
    metrics.set_last_ticks({"stays": 1.0, "goes": 2.0})
    metrics.set_last_ticks({"stays": 3.0})
    assert value(metrics, specs.BROKER_LAST_TICK_SECONDS.name, broker="stays") == 3
    assert value(metrics, specs.BROKER_LAST_TICK_SECONDS.name, broker="goes") is None


def test_a_delay_is_told_while_it_is_known(metrics: Metrics) -> None:
    """It is not while the input is read behind its end: an old number would look like a new one."""
    metrics.set_last_ticks({"x": 1.0, "y": 1.0})
    metrics.set_feed_delays({"x": 900.0, "y": 0.0})
    metrics.set_feed_delays({"x": 901.0})
    assert value(metrics, specs.FEED_DELAY_SECONDS.name, broker="x") == 901
    assert value(metrics, specs.FEED_DELAY_SECONDS.name, broker="y") is None
    assert value(metrics, specs.BROKER_LAST_TICK_SECONDS.name, broker="y") == 1


def test_brokers_beyond_the_bound_share_their_newest_tick(metrics: Metrics) -> None:
    """Who had a place keeps it while it is named; a place that is free goes to another."""
    name = specs.BROKER_LAST_TICK_SECONDS.name
    many = {f"broker-{number}": float(number) for number in range(specs.MAX_BROKERS + 3)}
    metrics.set_last_ticks(many)
    assert value(metrics, name, broker="other") == specs.MAX_BROKERS + 2
    assert value(metrics, name, broker=f"broker-{specs.MAX_BROKERS}") is None

    del many["broker-0"], many[f"broker-{specs.MAX_BROKERS}"]
    metrics.set_last_ticks(many)
    assert value(metrics, name, broker="broker-0") is None
    assert value(metrics, name, broker=f"broker-{specs.MAX_BROKERS + 1}") is not None
    shown = [one for one, _ in exposed(metrics) if one == name]
    assert len(shown) == specs.MAX_BROKERS + 1


def test_watermark_lag_is_shown_in_both_units(metrics: Metrics) -> None:
    """Milliseconds for eyes, seconds as Prometheus wants them; ahead of the clock is negative."""
    metrics.set_watermark_lag(0, -0.25)
    assert value(metrics, specs.WATERMARK_LAG_SECONDS.name, partition="0") == -0.25
    assert value(metrics, specs.WATERMARK_LAG_MS.name, partition="0") == -250


def test_a_task_is_in_one_state(metrics: Metrics) -> None:
    """The current state is 1, every other 0."""
    metrics.set_task_state(0, TaskState.RESTORING)
    metrics.set_task_state(0, TaskState.RUNNING)
    states = {
        state: value(metrics, specs.TASK_STATE.name, partition="0", state=state.value)
        for state in TaskState
    }
    assert states == {state: float(state is TaskState.RUNNING) for state in TaskState}


def test_a_revoked_partition_leaves_no_series(metrics: Metrics) -> None:
    """Else the lag of a partition that is another's now would stand still forever."""
    before = exposed(metrics).keys()
    metrics.count_ticks(4, 1)
    fill(metrics)
    metrics.drop_partition(3)
    left = {labels for _, labels in exposed(metrics).keys() - before}
    assert not [labels for labels in left if ("partition", "3") in labels]
    assert (("partition", "4"),) in left
    metrics.drop_partition(3)


def test_a_context_is_a_label_of_every_series() -> None:
    """Engines of several contexts can be scraped into one place."""
    metrics = Metrics("eu", "1.2.3", "PureKernel")
    fill(metrics)
    assert all(("context", "eu") in labels for _, labels in exposed(metrics))


def test_without_a_context_there_is_no_such_label(metrics: Metrics) -> None:
    """An empty label would only be noise."""
    fill(metrics)
    assert not [labels for _, labels in exposed(metrics) if "context" in dict(labels)]


def test_build_info_names_version_and_kernel(metrics: Metrics) -> None:
    """One look tells whether the slow kernel was left on."""
    labels = {"version": "1.2.3", "kernel": "CompiledKernel"}
    assert value(metrics, "barengine_build_info", **labels) == 1


def test_the_process_itself_is_measured(metrics: Metrics) -> None:
    """CPU seconds are there wherever the platform can tell."""
    collected = {family.name for family in metrics.registry.collect()}
    assert "process_cpu_seconds" in collected


def test_two_registries_do_not_meet(metrics: Metrics) -> None:
    """Metrics belong to an object, not to the process: tests and demos make several."""
    metrics.rebalanced()
    assert value(Metrics("", "1", "x"), specs.REBALANCES.name) == 0


def test_no_created_timestamps_are_exposed(metrics: Metrics) -> None:
    """They would double the series."""
    fill(metrics)
    assert not [name for name, _ in exposed(metrics) if name.endswith("_created")]


def test_openmetrics_is_given_to_who_asks() -> None:
    """Prometheus itself asks for OpenMetrics; curl gets the plain text."""
    metrics = Metrics("", "1", "x")
    body, content_type = render(metrics.registry, "application/openmetrics-text; version=1.0.0")
    assert content_type.startswith("application/openmetrics-text")
    assert body.endswith(b"# EOF\n")
    assert render(metrics.registry, "")[1].startswith("text/plain")
