"""Performs a Dockerfile's instructions without a container engine: folders, chroot, overlays.

The base image is this machine (see enter.py), so a RUN finds a compiler even where the real image
has none; the service is shown no programs at all. Needs Linux and leave to make mount namespaces:
root, or a user who may have user namespaces.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from tests.image.dockerfile import Copy, Run, Stage, read

ROOT: Final = Path(__file__).parents[2]
ENTER: Final = Path(__file__).with_name("enter.py")
BUILD_PATH: Final = "/usr/local/bin:/usr/local/sbin:/usr/bin:/usr/sbin:/bin:/sbin"
FROM_OUTSIDE: Final = ("PIP_", "SSL_CERT", "http_proxy", "https_proxy", "no_proxy", "HTTPS_PROXY")
"""How this machine reaches the package index: an engine passes it to a build, too."""


class Image:
    """A Dockerfile, performed.

    Args:
        folder: takes the file systems of all stages; readable for other users.
    """

    def __init__(self, dockerfile: Path, context: Path, folder: Path) -> None:
        self.stages = read(dockerfile)
        self._context = context
        self._folder = folder
        for number, stage in enumerate(self.stages):
            for step in stage.steps:
                self._perform(number, step)

    @property
    def final(self) -> Stage:
        """The stage that is the image."""
        return self.stages[-1]

    def folder(self, number: int = -1) -> Path:
        """Where the stage's file system and its overlays are."""
        return self._folder / str(range(len(self.stages))[number])

    def root(self, number: int = -1) -> Path:
        """The stage's file system, without the base image beneath it."""
        return self.folder(number) / "root"

    def command(self, words: Sequence[str] | None = None) -> list[str]:
        """What a Python of ours is to be given so that it becomes these words in the image; without
        words, the image's own start."""
        started = [*self.final.entrypoint, *self.final.command] if words is None else list(words)
        return [str(ENTER), "run", str(self.folder()), *started]

    def environment(self) -> dict[str, str]:
        """What enter.py is to be told besides."""
        uid = self.final.user.partition(":")[0]
        return _told(self.final.environment, uid, self.final.workdir)

    def run(self, words: Sequence[str], **environ: str) -> subprocess.CompletedProcess[str]:
        """Run a command in the image to its end, as the image's user."""
        return subprocess.run(
            [sys.executable, *self.command(words)],
            check=False,
            env=self.environment() | environ,
            capture_output=True,
            text=True,
            timeout=120,
        )

    # -- inside ----------------------------------------------------------------------------

    def _perform(self, number: int, step: Copy | Run) -> None:
        root = self.root(number)
        (root / step.workdir.strip("/")).mkdir(parents=True, exist_ok=True)
        if isinstance(step, Copy):
            self._copy(root, step)
        else:
            self._shell(number, step)

    def _copy(self, root: Path, step: Copy) -> None:
        source_root = self._context if step.stage is None else self.root(self._number(step.stage))
        target = root / os.path.join(step.workdir, step.target).strip("/")
        for name in step.sources:
            source = source_root / name.strip("/")
            into = step.target.endswith("/") and not source.is_dir()
            place = target / source.name if into else target
            place.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                ignore = _not_copied if step.stage is None else None
                shutil.copytree(source, place, symlinks=True, ignore=ignore)
            else:
                shutil.copy2(source, place)

    def _number(self, name: str) -> int:
        return [stage.name for stage in self.stages].index(name)

    def _shell(self, number: int, step: Run) -> None:
        stage = self.stages[number]
        kept = {k: v for k, v in os.environ.items() if k.startswith(FROM_OUTSIDE)}
        (self.root(number) / "tmp").mkdir(mode=0o1777, parents=True, exist_ok=True)
        done = subprocess.run(
            [sys.executable, ENTER, "build", self.folder(number), "/bin/sh", "-ec", step.command],
            check=False,
            env=_told({"PATH": BUILD_PATH} | kept | stage.known(), "0", step.workdir),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if done.returncode != 0:
            raise AssertionError(f"RUN {step.command}\nended with {done.returncode}\n{done.stdout}")


def _told(environment: Mapping[str, str], uid: str, workdir: str) -> dict[str, str]:
    return {
        "STAGE_ENV": json.dumps(dict(environment)),
        "STAGE_UID": uid,
        "STAGE_WORKDIR": workdir,
    }


def _not_copied(_: str, names: list[str]) -> list[str]:
    """What .dockerignore keeps out of the context: bytecode and what the compiler made here."""
    return [name for name in names if name == "__pycache__" or name.endswith((".so", ".c"))]
