"""The system calls that Python has no function for, by ctypes. Each raises OSError."""

from __future__ import annotations

import ctypes
import os
import platform

CLONE_NEWNS = 0x00020000
CLONE_NEWCGROUP = 0x02000000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_RDONLY = 0x1
MS_NOSUID = 0x2
MS_NODEV = 0x4
MS_NOEXEC = 0x8
MS_BIND = 0x1000
MS_REC = 0x4000
MS_PRIVATE = 1 << 18
MS_SLAVE = 1 << 19
_MNT_DETACH = 2

MOUNT_ATTR_RDONLY = 0x1
MOUNT_ATTR_NOSUID = 0x2
MOUNT_ATTR_NODEV = 0x4

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_KEEPCAPS = 8
_PR_SET_SECCOMP = 22
_PR_CAPBSET_DROP = 24
_PR_SET_NO_NEW_PRIVS = 38
_PR_SET_CHILD_SUBREAPER = 36
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_CLEAR_ALL = 4
_SECCOMP_MODE_FILTER = 2
_CAPABILITY_VERSION_3 = 0x20080522
_AT_RECURSIVE = 0x8000
_AT_FDCWD = -100
_MOUNT_SETATTR = 442

_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def unshare(flags: int) -> None:
    """Leave namespaces; a new pid namespace takes the children forked from now on."""
    _check(_libc.unshare(flags), "unshare")


def setns(fd: int, kind: int) -> None:
    """Enter a namespace; a pid namespace takes the children forked from now on."""
    _check(_libc.setns(fd, kind), "setns")


def mount(
    source: str, target: str, kind: str | None = None, flags: int = 0, data: str | None = None
) -> None:
    """mount(2)."""
    _check(
        _libc.mount(
            os.fsencode(source),
            os.fsencode(target),
            kind.encode() if kind else None,
            ctypes.c_ulong(flags),
            data.encode() if data else None,
        ),
        f"mount {target}",
    )


def detach(target: str) -> None:
    """Take a mount and all below it away (lazily)."""
    _check(_libc.umount2(os.fsencode(target), _MNT_DETACH), f"umount {target}")


def pivot_root(new: str, old: str) -> None:
    """Make `new` the root, and put the old one at `old` below it."""
    number = _PIVOT_ROOT[platform.machine()]
    _check(_libc.syscall(number, os.fsencode(new), os.fsencode(old)), "pivot_root")


class _MountAttributes(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint64) for name in ("set", "clear", "propagation", "userns")]


def restrict(target: str, attributes: int) -> None:
    """Set attributes on a mount and all below it (Linux 5.12)."""
    given = _MountAttributes(attributes, 0, 0, 0)
    _check(
        _libc.syscall(
            _MOUNT_SETATTR,
            _AT_FDCWD,
            os.fsencode(target),
            ctypes.c_uint(_AT_RECURSIVE),
            ctypes.byref(given),
            ctypes.c_size_t(ctypes.sizeof(given)),
        ),
        "mount_setattr",
    )


def sethostname(name: str) -> None:
    """Name this machine, in this process's own uts namespace."""
    _check(_libc.sethostname(name.encode(), len(name)), "sethostname")


def _prctl(*values: int) -> int:
    arguments = [ctypes.c_ulong(value) for value in (*values[1:], 0, 0, 0, 0)[:4]]
    return int(_libc.prctl(values[0], *arguments))


def die_with_parent(number: int) -> None:
    """Have this signal sent to this process when its parent dies."""
    _check(_prctl(_PR_SET_PDEATHSIG, number), "prctl")


def set_dumpable(dumpable: bool) -> None:
    """Whether this process's own user may look into it by /proc."""
    _check(_prctl(_PR_SET_DUMPABLE, int(dumpable)), "prctl")


def adopt_orphans() -> None:
    """Become the parent of whatever this process's descendants leave behind."""
    _check(_prctl(_PR_SET_CHILD_SUBREAPER, 1), "prctl")


def keep_capabilities() -> None:
    """Keep what is permitted through the next change of user."""
    _check(_prctl(_PR_SET_KEEPCAPS, 1), "prctl")


def no_new_privileges() -> None:
    """Nothing that this process executes has more rights than it."""
    _check(_prctl(_PR_SET_NO_NEW_PRIVS, 1), "prctl")


class _Header(ctypes.Structure):
    _fields_ = [("version", ctypes.c_uint32), ("pid", ctypes.c_int)]


class _Capabilities(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint32) for name in ("effective", "permitted", "inheritable")]


def _capset(effective: list[int], permitted: list[int]) -> None:
    header = _Header(_CAPABILITY_VERSION_3, 0)
    data = (_Capabilities * 2)(
        *(_Capabilities(effective[half], permitted[half], 0) for half in (0, 1))
    )
    _check(_libc.capset(ctypes.byref(header), data), "capset")


def raise_capabilities() -> None:
    """Make effective again what is permitted."""
    header = _Header(_CAPABILITY_VERSION_3, 0)
    data = (_Capabilities * 2)()
    _check(_libc.capget(ctypes.byref(header), data), "capget")
    permitted = [data[half].permitted for half in (0, 1)]
    _capset(permitted, permitted)


def drop_capabilities() -> None:
    """Give up all capabilities, for good."""
    capability = 0
    while _prctl(_PR_CAPBSET_DROP, capability) == 0:
        capability += 1
    _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL)
    _capset([0, 0], [0, 0])


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]


def install_filter(program: bytes) -> None:
    """Install a seccomp filter (an array of BPF instructions)."""
    buffer = ctypes.create_string_buffer(program, len(program))
    given = _Program(len(program) // 8, ctypes.cast(buffer, ctypes.c_void_p))
    _check(
        _libc.prctl(
            _PR_SET_SECCOMP, ctypes.c_ulong(_SECCOMP_MODE_FILTER), ctypes.byref(given), 0, 0
        ),
        "seccomp",
    )
