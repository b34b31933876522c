"""Become a process in a stage's file system: ``python enter.py build|run FOLDER WORDS…``.

The process gets a mount namespace of its own, in which FOLDER is the root:

    FOLDER/root          what COPY and RUN have put there
    FOLDER/usr, /python  what RUN has changed of the base image

The base image is this machine: its /usr and /etc, and as /usr/local the Python that runs this.
``build`` is root in it and may write. ``run`` is the image's user, sees no programs besides Python,
and its whole file system is read-only. Nothing is forked: who started this process can signal it.

The environment says the rest: STAGE_ENV (JSON), STAGE_UID, STAGE_WORKDIR.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
from pathlib import Path

CLONE_NEWNS = 0x00020000
CLONE_NEWUSER = 0x10000000
MS_RDONLY, MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 1, 32, 4096, 16384, 1 << 18
DEVICES = ("null", "zero", "random", "urandom")
PROGRAMS = ("usr/bin", "usr/sbin")
libc = ctypes.CDLL(None, use_errno=True)


def call(what: str, code: int) -> None:
    if code != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def mount(source: str, target: Path, kind: str, flags: int = 0, data: str = "") -> None:
    words = [word.encode() for word in (source, str(target), kind)]
    call(f"mount {source} on {target}", libc.mount(*words, flags, data.encode()))


def bind(source: str, target: Path) -> None:
    mount(source, target, "none", MS_BIND | MS_REC)


def overlay(lower: str, folder: Path, target: Path) -> None:
    """``lower`` with the changes that are kept in ``folder``."""
    for name in ("up", "work"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    layers = f"lowerdir={lower},upperdir={folder / 'up'},workdir={folder / 'work'}"
    # What is deleted is noted in extended attributes: without root, in those that users have.
    marks = "" if truly_root() else ",userxattr"
    mount("overlay", target, "overlay", 0, layers + marks)


def read_only(target: Path) -> None:
    mount("none", target, "none", MS_REMOUNT | MS_BIND | MS_RDONLY)


def own_namespace() -> None:
    """Mounts of our own. Who is not root becomes it in a user namespace, and stays who they are."""
    uid, gid = os.getuid(), os.getgid()
    call("unshare", libc.unshare(CLONE_NEWNS if uid == 0 else CLONE_NEWNS | CLONE_NEWUSER))
    if uid != 0:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {uid} 1")
        Path("/proc/self/gid_map").write_text(f"0 {gid} 1")
    mount("none", Path("/"), "none", MS_REC | MS_PRIVATE)


def base(folder: Path) -> None:
    """Lay the base image under what the stage has made."""
    root = folder / "root"
    for name in ("usr", "etc", "proc", "dev"):
        (root / name).mkdir(parents=True, exist_ok=True)
    for name in ("bin", "sbin", "lib", "lib64"):
        here = Path("/", name)
        if here.is_symlink() and not (root / name).is_symlink():
            (root / name).symlink_to(os.readlink(here))
    overlay("/usr", folder / "usr", root / "usr")
    overlay(sys.base_prefix, folder / "python", root / "usr" / "local")
    bind("/etc", root / "etc")
    bind("/proc", root / "proc")
    for name in DEVICES:
        place = root / "dev" / name
        if not place.exists():
            place.touch()
        bind(f"/dev/{name}", place)


def shut(root: Path) -> None:
    """Take the programs away, and make everything read-only."""
    for name in PROGRAMS:
        mount("none", root / name, "tmpfs", MS_RDONLY)
    bind(str(root), root)  # the root itself was no mount yet
    for name in ("", "usr", "usr/local", "etc"):
        read_only(root / name)


def truly_root() -> bool:
    """Whether there are other users to change to: not so in a namespace of our own."""
    return Path("/proc/self/uid_map").read_text().split() == ["0", "0", "4294967295"]


def become(uid: int) -> None:
    """The image's user; without the right to change users we stay who we are outside."""
    if truly_root():
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)


def main() -> None:
    mode, folder, *words = sys.argv[1:]
    root = Path(folder) / "root"
    # A Python that was moved finds its own library by this alone; the real image's did not move.
    environment = json.loads(os.environ["STAGE_ENV"]) | {"LD_LIBRARY_PATH": "/usr/local/lib"}
    if mode == "run":
        environment |= {k: v for k, v in os.environ.items() if k.startswith("BARENGINE_")}
    uid, workdir = int(os.environ["STAGE_UID"]), os.environ["STAGE_WORKDIR"]
    own_namespace()
    base(Path(folder))
    if mode == "run":
        shut(root)
    os.chroot(root)
    os.chdir(workdir)
    if mode == "run":
        become(uid)
    os.execvpe(words[0], words, environment)


if __name__ == "__main__":
    main()
