"""The names and closed label values of the metrics, as they leave the process."""

from __future__ import annotations

from typing import Final

from barengine.model import Reason

TICKS: Final = "barengine_ticks_total"
BARS_EMITTED: Final = "barengine_bars_emitted_total"
LATE_TICKS: Final = "barengine_late_ticks_total"
LATE_TICKS_DROPPED: Final = "barengine_late_ticks_dropped_total"
DEAD_LETTERS: Final = "barengine_dead_letters_total"
QUARANTINED_TICKS: Final = "barengine_quarantined_ticks_total"
TRANSACTIONS: Final = "barengine_transactions_total"
REBALANCES: Final = "barengine_rebalances_total"
WINDOWS_OPEN: Final = "barengine_windows_open_count"
WATERMARK_LAG_MS: Final = "barengine_watermark_lag_ms"
WATERMARK_LAG_SECONDS: Final = "barengine_watermark_lag_seconds"
CONSUMER_LAG_RECORDS: Final = "barengine_consumer_lag_records"
CONSUMER_LAG_SECONDS: Final = "barengine_consumer_lag_seconds"
TASK_STATE: Final = "barengine_task_state"
CLOSE_TO_COMMIT_SECONDS: Final = "barengine_close_to_commit_seconds"
TRANSACTION_SECONDS: Final = "barengine_transaction_seconds"
LATENESS_SECONDS: Final = "barengine_lateness_seconds"
RESTORE_SECONDS: Final = "barengine_restore_seconds"
BUILD: Final = "barengine_build"
"""Exposed with ``_info`` behind it."""

ORIGIN_TICKS: Final = "ticks"
"""Origin of a bar; the only one of this version."""

OUTCOMES: Final = ("committed", "aborted", "fenced")
LATE_REASONS: Final = tuple(reason.label for reason in Reason if reason.late)
DEAD_REASONS: Final = tuple(reason.label for reason in Reason if not reason.late)

OTHER_BROKERS: Final = "other"
"""Stands for every broker beyond the first MAX_BROKERS."""

MAX_BROKERS: Final = 100
"""Brokers with a series of their own; their names come from the data, so there is a bound."""
