"""``barengine demo``: a local Kafka, ticks, the engine, a live view and a verdict."""

from __future__ import annotations

import asyncio
import os
import signal
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

from barengine.cli.loop import run_async
from barengine.cli.run import chosen_kernel
from barengine.demo import csv_ticks
from barengine.demo.log_file import log_file
from barengine.demo.options import Options, engine_settings, free_context, play
from barengine.demo.report import Report
from barengine.demo.session import Session
from barengine.demo.ticks import DEFAULT_RATE
from barengine.demo.view import view_of
from barengine.errors import LocalKafkaError
from barengine.kafka.local import LocalKafka
from barengine.kafka.local_process import log_tail
from barengine.kernel import kernel_class
from barengine.model import NS_PER_S, Period, Watermark
from barengine.settings import ENV_PREFIX, KERNEL_VARIABLE, parse_duration

INTERRUPTED: Final = 130

_SECONDS: Final = 30.0
_WINDOW, _SHORT_WINDOW = "5s", "1s"


class KernelName(StrEnum):
    """The two kernels."""

    COMPILED = "compiled"
    PURE = "pure"


class LateTicks(StrEnum):
    """Policies under which every late tick can be found again."""

    TOPIC = "topic"
    CORRECT = "correct"


def _seconds(text: str | None) -> str | None:
    if text is not None and text != "off":
        _duration(text)
    return text


def _duration(text: str) -> str:
    try:
        parse_duration(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    return text


def _period(text: str | None) -> str | None:
    try:
        Period.parse(text or _WINDOW)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    return text


def demo(
    seconds: Annotated[
        str | None,
        typer.Option(
            "--for",
            callback=_seconds,
            metavar="DURATION",
            help="How long to send ticks, or off: until Ctrl-C.",
            show_default="30s; a file is played to its end",
        ),
    ] = None,
    window: Annotated[
        str | None,
        typer.Option(
            callback=_period,
            metavar="PERIOD",
            help="Length of a bar.",
            show_default="5s; 1s with --rollups or --continuous",
        ),
    ] = None,
    rollups: Annotated[
        str, typer.Option(metavar="PERIODS", help="Longer bars as well, such as 5s,1m.")
    ] = "",
    continuous: Annotated[
        str,
        typer.Option(metavar="PERIODS", help="Of these a bar for each bucket, empty ones too."),
    ] = "",
    late: Annotated[LateTicks, typer.Option(help="What becomes of late ticks.")] = LateTicks.TOPIC,
    live: Annotated[
        str,
        typer.Option(metavar="DURATION", help="How often to send the bars so far, or off: never."),
    ] = "off",
    grace: Annotated[
        str,
        typer.Option(
            callback=_duration, metavar="DURATION", help="How long a bar waits for its last ticks."
        ),
    ] = "1s",
    rate: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=50_000,
            metavar="N",
            help="Made-up ticks a second, on average.",
            show_default=str(DEFAULT_RATE),
        ),
    ] = None,
    ticks: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.csv",
            help="Play this file instead: columns broker, symbol, timestamp (epoch ms or ISO "
            "8601), price or bid.",
        ),
    ] = None,
    speed: Annotated[
        float | None,
        typer.Option(
            min=0.001, metavar="N", help="Play the file N times as fast as real time, not at once."
        ),
    ] = None,
    partitions: Annotated[int, typer.Option(min=1, max=64, help="Of the input topic.")] = 4,
    seed: Annotated[int, typer.Option(help="The same seed makes up the same prices.")] = 1,
    http_port: Annotated[
        int, typer.Option(min=0, max=65_535, help="For /metrics and /status; 0: any free one.")
    ] = 0,
    keep: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", file_okay=False, help="Keep the topics in this folder afterwards."
        ),
    ] = None,
    kernel: Annotated[
        KernelName | None, typer.Option(help="The engine's core.", show_default="compiled")
    ] = None,
) -> None:
    """Try it on this machine: a real Kafka, ticks, the engine, every bar checked.

    The ticks are made up, with all that goes wrong in a real market, or read
    from a file. In the end everything is read back, every bar is computed again
    by other code, and every tick is accounted for.

    Exit code 0: all exact, 1: not. BARENGINE_* settings are for `barengine run`;
    the demo takes its options alone.
    """
    if speed is not None and ticks is None:
        raise typer.BadParameter("it is for --ticks FILE.csv", param_hint="--speed")
    if rate is not None and ticks is not None:
        raise typer.BadParameter("a file has its own pace: see --speed", param_hint="--rate")
    options = Options(
        _limit(seconds, ticks),
        window or (_SHORT_WINDOW if rollups or continuous else _WINDOW),
        grace,
        rate or DEFAULT_RATE,
        ticks,
        speed,
        partitions,
        seed,
        http_port,
        keep,
        chosen_kernel({KERNEL_VARIABLE: kernel.value} if kernel else os.environ),
        rollups,
        continuous,
        late.value,
        live,
    )
    engine_settings(options, "localhost:9092", "", Watermark.BROKER)  # wrong ones fail at once
    raise typer.Exit(_run(options, Console(highlight=False)))


def _limit(seconds: str | None, ticks: Path | None) -> float | None:
    if seconds is None:
        return None if ticks else _SECONDS
    return None if seconds == "off" else parse_duration(seconds) / NS_PER_S


def _run(options: Options, console: Console) -> int:
    """Everything from the checks before to the verdict; returns the exit code."""
    facts = None if options.ticks is None else csv_ticks.scan(options.ticks)
    ignored = sorted(name for name in os.environ if _ignored(name))
    if ignored:
        console.print(f"not used here: {', '.join(ignored)} (the demo takes its options alone)")
    if facts is not None:
        found = f"{options.ticks}: {facts.rows:,} ticks, {facts.series:,} series"
        console.print(found, soft_wrap=True, markup=False)
    watermark = _watermark(facts, options.grace_ms, console)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # end as with Ctrl-C
    report = None
    try:
        with log_file() as log, LocalKafka(data_dir=options.keep) as kafka:
            _introduce(options, kafka, console)
            report = run_async(_perform(options, kafka, watermark, console))
            if report is None or report.ok:
                log.remove()
    except KeyboardInterrupt:
        pass  # perhaps only the end of the broker was cut short
    if report is None:
        console.print("interrupted: nothing was checked")
        return INTERRUPTED
    for line in report.lines():
        console.print(line, soft_wrap=True, markup=False)
    if not report.ok:
        console.print(f"the engine's log is in {log.path}", soft_wrap=True, markup=False)
    return 0 if report.ok else 1


def _ignored(name: str) -> bool:
    return name.startswith(ENV_PREFIX) and name != KERNEL_VARIABLE


def _watermark(facts: csv_ticks.Facts | None, grace_ms: int, console: Console) -> Watermark:
    """One clock per series, where a file is in time order by series and not as a whole."""
    if facts is None or facts.behind_broker_ms <= max(grace_ms, facts.behind_series_ms):
        return Watermark.BROKER
    console.print(
        "its symbols are not in common time order, so each has a clock of its own "
        "(WATERMARK=series)"
    )
    return Watermark.SERIES


def _introduce(options: Options, kafka: LocalKafka, console: Console) -> None:
    kept = "it goes with the demo (--keep DIR keeps its topics)"
    if options.keep is not None:
        kept = f"`barengine kafka --data {options.keep}` will show its topics again"
    console.print(f"Apache Kafka is up at {kafka.bootstrap}; {kept}", soft_wrap=True, markup=False)


# -- in the event loop -------------------------------------------------------------------------


async def _perform(
    options: Options, kafka: LocalKafka, watermark: Watermark, console: Console
) -> Report | None:
    """Run the session; None: it was interrupted."""
    context = await free_context(kafka.bootstrap)
    settings = engine_settings(options, kafka.bootstrap, context, watermark)
    written = (*settings.bar_topics, settings.late_topic, settings.dead_topic)
    console.print(f"reads {settings.input_topic}, writes {', '.join(written)}", soft_wrap=True)
    kernel, view = kernel_class(options.kernel), view_of(console)
    session = Session(settings, kernel, play(options), view, lambda: _check(kafka))
    work = asyncio.ensure_future(session.run())

    def interrupt() -> None:
        if not session.enough():
            work.cancel()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, interrupt)
    await asyncio.wait({work})
    return None if work.cancelled() else work.result()


def _check(kafka: LocalKafka) -> None:
    """Raise when the broker is gone: its clients would go on asking for it."""
    if not kafka.running:
        raise LocalKafkaError(f"the local Kafka ended by itself\n{log_tail(kafka.log_path)}")
