"""A copy of the package whose kernel is built with AddressSanitizer and UBSan.

An out-of-bounds read, a use after free, an overflow of a signed number or a wild shift ends the
process with a report. Python's own allocator is switched off, so that each bytes object is a block
of its own and a read one byte beyond it is seen.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
_FLAGS: Final = "-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -g"
BUILD_S: Final = 1200.0


def build(folder: Path) -> Path:
    """Build into a folder, which is then the one to import ``barengine`` from."""
    skip = shutil.ignore_patterns("*.so", "*.c", "__pycache__")
    shutil.copytree(ROOT / "barengine", folder / "barengine", ignore=skip)
    for name in ("setup.py", "pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, folder)
    flags = {"CFLAGS": f"{_FLAGS} -O1", "LDFLAGS": _FLAGS}
    built = subprocess.run(
        [sys.executable, "setup.py", "build_ext", "--inplace"],
        cwd=folder,
        env=os.environ | flags,
        capture_output=True,
        text=True,
        timeout=BUILD_S,
        check=False,
    )
    assert built.returncode == 0, built.stdout + built.stderr
    return folder


def environment(package: Path) -> dict[str, str]:
    """What a Python needs to import the sanitized package."""
    runtimes = [_runtime("libasan.so"), _runtime("libubsan.so")]
    return os.environ | {
        "LD_PRELOAD": " ".join(runtimes),
        # the interpreter itself leaves memory to the end of the process
        "ASAN_OPTIONS": "detect_leaks=0:abort_on_error=1:allocator_may_return_null=1",
        "UBSAN_OPTIONS": "print_stacktrace=1",
        "PYTHONMALLOC": "malloc",
        "FUZZ_PACKAGE": str(package),
    }


def _runtime(name: str) -> str:
    compiler = os.environ.get("CC", "gcc")
    found = subprocess.run(
        [compiler, f"-print-file-name={name}"], capture_output=True, text=True, check=True
    )
    path = Path(found.stdout.strip())
    assert path.is_absolute(), f"{compiler} has no {name}: install its sanitizer runtimes"
    return str(path)
