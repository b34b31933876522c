"""What can be read off the Dockerfile alone."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from barengine import __version__
from barengine.settings import Settings
from tests.image.dockerfile import Copy, Run, Stage, exec_form, read, substituted

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "Dockerfile"
EXACT = re.compile(r"python:3\.\d+\.\d+-(slim-)?[a-z]+(@sha256:[0-9a-f]{64})?")


@pytest.fixture(scope="module")
def stages() -> list[Stage]:
    return read(DOCKERFILE)


def test_hadolint_finds_nothing() -> None:
    """The Dockerfile follows the rules of the trade, down to style."""
    linter = Path(sys.executable).with_name("hadolint")
    words = [str(linter), "--failure-threshold", "style", str(DOCKERFILE)]
    done = subprocess.run(words, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


def test_base_images_are_exact(stages: list[Stage]) -> None:
    """Each stage begins with one release of Python on one of Debian, and both with the same."""
    images = [stage.image for stage in stages]
    assert all(EXACT.fullmatch(image) for image in images), images
    assert len({image.replace("slim-", "") for image in images}) == 1


def test_the_image_is_of_a_python_that_the_tests_run_on(stages: list[Stage]) -> None:
    """What CI has proved is what ships."""
    lowest = "3.11"  # CI's
    assert all(stage.image.startswith(f"python:{lowest}.") for stage in stages)


def test_everything_installed_is_pinned_by_hash(stages: list[Stage]) -> None:
    """pip takes what the lock names, byte by byte, or the wheel that was just made."""
    commands = [step.command for stage in stages for step in stage.steps if isinstance(step, Run)]
    installs = [one for text in commands for one in text.split("&&") if " install " in one]
    assert len(installs) == 3
    for one in installs:
        assert "--require-hashes" in one or "--no-index --no-deps" in one, one


def pins(name: str) -> dict[str, str]:
    """Package and marker of each line of a lock, with its version; each has hashes."""
    entries = re.split(r"\n(?=\S)", (ROOT / "requirements" / name).read_text().strip())
    assert all(" --hash=sha256:" in entry for entry in entries)
    found = (entry.split(" \\")[0].partition("==") for entry in entries)
    split = ((package, rest.partition(" ; ")) for package, _, rest in found)
    return {f"{package} {marker}".strip(): version for package, (version, _, marker) in split}


def test_exchanges_are_there_for_those_who_ask(stages: list[Stage]) -> None:
    """EXTRAS=exchanges takes a lock with the library, and with the same versions of all else; the
    image without stays small."""
    (install,) = (
        step.command
        for step in stages[0].steps
        if isinstance(step, Run) and "requirements/run" in step.command
    )
    assert '"requirements/run${EXTRAS:+-$EXTRAS}.txt"' in install
    assert stages[0].variables["EXTRAS"] == ""
    without, with_them = pins("run.txt"), pins("run-exchanges.txt")
    assert without.items() <= with_them.items()
    more = {name.split()[0] for name in with_them.keys() - without.keys()}
    assert {"exchange-calendars", "pandas", "numpy"} <= more


def test_the_context_has_what_is_copied_and_nothing_else(stages: list[Stage]) -> None:
    """.dockerignore lets in the sources of each COPY, so that no secret and no cache gets in."""
    steps = [step for stage in stages for step in stage.steps]
    copied = {
        s for step in steps if isinstance(step, Copy) and not step.stage for s in step.sources
    }
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert "*" in ignored
    assert {line[1:] for line in ignored if line.startswith("!")} == copied


def test_it_starts_the_service_as_nobody_without_a_shell(stages: list[Stage]) -> None:
    """A numeric user other than root, and signals that reach the service itself."""
    last = stages[-1]
    assert [*last.entrypoint, *last.command] == ["python", "-m", "barengine", "run"]
    assert last.user == "10001:10001"
    assert last.stop_signal == "SIGTERM"
    assert last.ports == [str(Settings().http_port)]
    assert last.health[-1] == "health"


def test_the_standard_library_gets_its_bytecode(stages: list[Stage]) -> None:
    """Python's images come without, and a read-only one could never write any."""
    commands = [step.command for step in stages[-1].steps if isinstance(step, Run)]
    assert any("-m compileall" in command and "os.__file__" in command for command in commands)


def test_its_labels_say_what_it_is(stages: list[Stage]) -> None:
    """The OCI labels are filled in, and the version is the package's."""
    prefix = "org.opencontainers.image."
    labels = {k.removeprefix(prefix): v for k, v in stages[-1].labels.items()}
    assert labels["version"] == __version__
    assert labels["base.name"] == stages[-1].image
    assert all(labels[name] for name in ("title", "description", "revision"))


def test_an_unknown_instruction_is_no_silent_gap(tmp_path: Path) -> None:
    """What the check cannot perform it refuses: it never passes over a step."""
    path = tmp_path / "Dockerfile"
    path.write_text("FROM a\nVOLUME /data\n")
    with pytest.raises(ValueError, match="VOLUME"):
        read(path)


def test_the_shell_form_is_refused() -> None:
    """A shell as first process would keep SIGTERM to itself."""
    with pytest.raises(ValueError, match="signals"):
        exec_form("python -m barengine run")


def test_variables_are_put_in() -> None:
    """Both spellings; an unknown one is empty, as in Docker."""
    assert substituted("$A-${B}-$C", {"A": "1", "B": "2"}) == "1-2-"
