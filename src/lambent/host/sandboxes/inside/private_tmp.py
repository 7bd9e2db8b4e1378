"""A private /tmp by a mount namespace of the process's own.

Loaded by file into processes that are about to become an environment (see
`runtimes.python_zygote`), so it imports nothing but the standard library. It keeps
functions out of each other's /tmp; it protects nothing else.
"""

from __future__ import annotations

import ctypes
import os
import shutil

_CLONE_NEWNS = 0x00020000
_CLONE_NEWUSER = 0x10000000
_MS_BIND = 0x1000
_MS_REC = 0x4000
_MS_PRIVATE = 1 << 18
_libc = ctypes.CDLL(None, use_errno=True)


def enter(scratch: str, keep: list[str]) -> bool:
    """Put `scratch` in the place of /tmp for this process and its children alone.

    Folders and files in `keep` that lie under /tmp stay visible where they are. False, and nothing
    changed, where the kernel does not allow it; the caller then points TMPDIR at it.
    """
    if not _unshare() or _mount(b"none", b"/", _MS_REC | _MS_PRIVATE):
        return False
    # Opened in the new namespace: the kernel binds nothing from another one.
    kept = [
        (path, os.path.isdir(path), os.open(path, os.O_PATH))
        for path in keep
        if path.startswith("/tmp/")  # noqa: S108 - the folder that is being replaced
    ]
    private = _mount(scratch.encode(), b"/tmp", _MS_BIND) == 0
    for path, is_folder, fd in kept:
        if private:
            os.makedirs(path if is_folder else os.path.dirname(path), exist_ok=True)
            if not is_folder:
                os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
            _mount(f"/proc/self/fd/{fd}".encode(), path.encode(), _MS_BIND)
        os.close(fd)
    return private


def copy(source: int, target: str) -> None:
    """Copy what a private /tmp (open as `source`) has into another folder, but for what is
    mounted in it: that stays visible where it is (see `enter`)."""
    _copy(f"/proc/self/fd/{source}", target, "/tmp", _mount_points())  # noqa: S108


def _copy(source: str, target: str, seen_at: str, mounted: set[str]) -> None:
    for entry in os.scandir(source):
        name = entry.name
        if f"{seen_at}/{name}" in mounted:
            continue
        path, place = f"{source}/{name}", f"{target}/{name}"
        if entry.is_dir(follow_symlinks=False):
            if not os.path.isdir(place):
                os.mkdir(place)
                shutil.copystat(path, place)
            _copy(path, place, f"{seen_at}/{name}", mounted)
        elif entry.is_symlink() or entry.is_file():
            shutil.copy2(path, place, follow_symlinks=False)


def _mount_points() -> set[str]:
    with open("/proc/self/mountinfo") as lines:
        return {line.split(" ")[4].replace("\\040", " ") for line in lines}


def _unshare() -> bool:
    if os.geteuid() == 0:
        return bool(_libc.unshare(_CLONE_NEWNS) == 0)
    user, group = os.geteuid(), os.getegid()
    if _libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNS) != 0:
        return False
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{user} {user} 1"),
        ("gid_map", f"{group} {group} 1"),
    ):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)
    return True


def _mount(source: bytes, target: bytes, flags: int) -> int:
    return int(_libc.mount(source, target, None, ctypes.c_ulong(flags), None))
