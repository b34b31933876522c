"""What the checks need from elsewhere: who lacks something reads what, and where it comes from."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chart import tools


def test_without_go_one_reads_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Go fetches the definitions of the operators' resources: the error names it, and says so."""
    monkeypatch.setattr(tools, "CACHE", tmp_path / "empty")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RuntimeError, match=r"go is not on the PATH.*prometheus.*install Go"):
        tools.definitions()


def test_a_module_that_cannot_be_fetched_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the reason that Go gives."""
    go = tmp_path / "go"
    go.write_text('#!/bin/sh\necho \'{"Error": "no such host"}\'\nexit 1\n')
    go.chmod(0o755)
    monkeypatch.setattr(tools, "CACHE", tmp_path / "empty")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(RuntimeError, match=r"go mod download .*prometheus.*: no such host"):
        tools.definitions()
