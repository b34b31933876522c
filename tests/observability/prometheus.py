"""Prometheus itself: its two programs, and one server that scrapes what it is told to.

They come from the PATH, or else from Debian's package, which is unpacked (not installed) into a
folder of the checkout that git does not see.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

from barengine.kafka.local_net import pick_free_port
from tests.processes import PATIENCE_S, eventually

ROOT: Final = Path(__file__).parents[2]
CACHE: Final = ROOT / ".tools"
PACKAGE: Final = "prometheus"
PROMTOOL: Final = "promtool"
_FETCH_S: Final = 170.0


def program(name: str) -> Path:
    """Path of ``promtool`` or ``prometheus``, fetched where there is none.

    Raises:
        RuntimeError: it cannot be had; says how else.
    """
    found = shutil.which(name)
    if found is not None:
        return Path(found)
    if not (CACHE / PACKAGE / "usr" / "bin" / name).exists():
        _fetch()
    return CACHE / PACKAGE / "usr" / "bin" / name


def _fetch() -> None:
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        raise RuntimeError(
            f"{PROMTOOL} and {PACKAGE} are neither on the PATH nor, without apt-get and dpkg-deb, "
            "to be fetched: install Prometheus"
        )
    CACHE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        here = Path(folder)
        try:
            _download(here)
        except RuntimeError:  # no package lists on this machine, or old ones: take lists of our own
            _download(here, _own_lists(here))
        [package] = here.glob("*.deb")
        _run(["dpkg-deb", "--extract", str(package), "unpacked"], here)
        shutil.rmtree(CACHE / PACKAGE, ignore_errors=True)
        (here / "unpacked").rename(CACHE / PACKAGE)


def _download(folder: Path, options: Sequence[str] = ()) -> None:
    _run(["apt-get", *options, "download", "--quiet", PACKAGE], folder)


def _own_lists(folder: Path) -> list[str]:
    """Fetch package lists, which needs no rights here; returns the options that use them."""
    for name in ("lists/partial", "cache/archives/partial"):
        (folder / name).mkdir(parents=True)
    options = ["-o", f"Dir::State::Lists={folder}/lists", "-o", f"Dir::Cache={folder}/cache"]
    _run(["apt-get", *options, "update", "--quiet"], folder)
    return options


def _run(command: Sequence[str], folder: Path) -> None:
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=_FETCH_S, check=False
    )
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr or done.stdout}")


class Series(NamedTuple):
    """One series of an answer, with the newest value or all of them."""

    labels: dict[str, str]
    value: float
    values: list[tuple[float, float]]
    """(seconds since 1970, value); empty for an instant."""


class Prometheus:
    """One server with its data in a folder of its own; a context manager that ends it.

    Args:
        targets: job -> ``host:port`` to scrape.
        rules: files of rules to evaluate.
    """

    def __init__(
        self, folder: Path, targets: dict[str, str], rules: Sequence[Path], every: str = "500ms"
    ) -> None:
        self._log = folder / "prometheus.log"
        self._url = f"http://127.0.0.1:{pick_free_port()}"
        config = folder / "prometheus.json"  # JSON is YAML, too
        config.write_text(json.dumps(_config(targets, rules, every)))
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [
                    program(PACKAGE),
                    f"--config.file={config}",
                    f"--storage.tsdb.path={folder / 'data'}",
                    f"--web.listen-address={self._url.removeprefix('http://')}",
                ],
                stdout=log,
                stderr=log,
                cwd=folder,
            )

    def __enter__(self) -> Self:
        self.until("ready", self._ready)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.wait(PATIENCE_S)

    def until(self, what: str, condition: Any) -> None:
        """Wait until the condition is true.

        Raises:
            AssertionError: it did not come true, with what Prometheus has logged.
        """
        if not eventually(lambda: condition() or self._process.poll() is not None) or (
            self._process.poll() is not None
        ):
            raise AssertionError(f"not in time: {what}\n{self._log.read_text()}")

    def _ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self._url}/-/ready", timeout=PATIENCE_S):
                return True
        except OSError:
            return False

    def ask(self, path: str, **query: str) -> Any:
        """The data of an answer of its HTTP interface.

        Raises:
            AssertionError: it refuses the question, with its reason.
        """
        url = f"{self._url}/api/v1/{path}?{urllib.parse.urlencode(query)}"
        try:
            with urllib.request.urlopen(url, timeout=PATIENCE_S) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as refused:
            with refused:
                reason = json.load(refused)["error"]
            raise AssertionError(f"{query}: {reason}") from None

    def query(self, expression: str) -> list[Series]:
        """What an expression gives now."""
        found = self.ask("query", query=expression)["result"]
        return [Series(one["metric"], float(one["value"][1]), []) for one in found]

    def found(self, expression: str) -> list[Series]:
        """What an expression gives, as soon as it gives something.

        A scrape that its target has not answered in time leaves nothing until the next one.

        Raises:
            AssertionError: it gives nothing.
        """
        series: list[Series] = []

        def some() -> bool:
            series[:] = self.query(expression)
            return bool(series)

        self.until(expression, some)
        return series

    def query_range(self, expression: str, start: float, end: float, step_s: float) -> list[Series]:
        """What it gave from ``start`` to ``end``, in seconds since 1970."""
        found = self.ask(
            "query_range", query=expression, start=f"{start}", end=f"{end}", step=f"{step_s}"
        )["result"]
        return [
            Series(one["metric"], float(one["values"][-1][1]), _floats(one["values"]))
            for one in found
        ]


def _floats(values: list[tuple[float, str]]) -> list[tuple[float, float]]:
    return [(at, float(value)) for at, value in values]


def _config(targets: dict[str, str], rules: Sequence[Path], every: str) -> dict[str, Any]:
    return {
        "global": {"scrape_interval": every, "scrape_timeout": every, "evaluation_interval": every},
        "rule_files": [str(path) for path in rules],
        "scrape_configs": [
            {"job_name": job, "static_configs": [{"targets": [address]}]}
            for job, address in targets.items()
        ],
    }
