"""The image, made once: every instruction of the Dockerfile, performed without an engine."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from barengine.kafka.local import LocalKafka
from tests.image.image import ROOT, Image


@pytest.fixture(scope="session")
def image() -> Iterator[Image]:
    """What the Dockerfile makes of a clean copy of this checkout."""
    if not sys.platform.startswith("linux"):
        pytest.fail("the image check needs Linux: it makes mount namespaces")
    folder = Path(tempfile.mkdtemp(prefix="barengine-image-"))
    folder.chmod(0o755)  # the image's user is another one
    try:
        yield Image(ROOT / "Dockerfile", ROOT, folder)
    finally:
        for closed in folder.glob("*/*/work/work"):  # overlays leave them so
            closed.chmod(0o700)
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def dist(image: Image) -> Path:
    """Where the image's build has put sdist and wheel."""
    return image.root(0) / "dist"


@pytest.fixture(scope="module")
def bootstrap() -> Iterator[str]:
    """The address of a real broker."""
    with LocalKafka() as broker:
        yield broker.bootstrap
