"""The system calls that functions may not make, as a BPF program: pure.

What is denied changes the machine, looks into other processes, or has been a way out of
sandboxes before; programs that Lambda runs need none of it. EPERM, except where programs
know how to do without what is not there: ENOSYS.
"""

from __future__ import annotations

import errno
import struct
from collections.abc import Collection

_LOAD = 0x20
_JUMP_EQUAL = 0x15
_JUMP_ANY_BIT = 0x45
_JUMP_AT_LEAST = 0x35
_RETURN = 0x06
_ALLOW = 0x7FFF0000
_ERROR = 0x00050000
_KILL = 0x80000000
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16
_X32 = 0x40000000

NAMESPACES = 0x7E020000
"""CLONE_NEWNS, CGROUP, UTS, IPC, USER, PID and NET (clone knows no other)."""
_CLONE3 = 435

# Numbers from 424 on are the same everywhere.
_DENIED_EVERYWHERE = {
    "open_tree": 428,
    "move_mount": 429,
    "fsopen": 430,
    "fsconfig": 431,
    "fsmount": 432,
    "fspick": 433,
    "pidfd_getfd": 438,
    "process_madvise": 440,
    "mount_setattr": 442,
    "quotactl_fd": 443,
    "open_tree_attr": 467,
}
_ABSENT = {"io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427}

_DENIED = {
    "x86_64": {
        "ptrace": 101,
        "syslog": 103,
        "uselib": 134,
        "ustat": 136,
        "sysfs": 139,
        "vhangup": 153,
        "modify_ldt": 154,
        "pivot_root": 155,
        "_sysctl": 156,
        "adjtimex": 159,
        "chroot": 161,
        "acct": 163,
        "settimeofday": 164,
        "mount": 165,
        "umount2": 166,
        "swapon": 167,
        "swapoff": 168,
        "reboot": 169,
        "sethostname": 170,
        "setdomainname": 171,
        "iopl": 172,
        "ioperm": 173,
        "create_module": 174,
        "init_module": 175,
        "delete_module": 176,
        "get_kernel_syms": 177,
        "query_module": 178,
        "quotactl": 179,
        "nfsservctl": 180,
        "lookup_dcookie": 212,
        "clock_settime": 227,
        "kexec_load": 246,
        "add_key": 248,
        "request_key": 249,
        "keyctl": 250,
        "unshare": 272,
        "perf_event_open": 298,
        "fanotify_init": 300,
        "name_to_handle_at": 303,
        "open_by_handle_at": 304,
        "clock_adjtime": 305,
        "setns": 308,
        "process_vm_readv": 310,
        "process_vm_writev": 311,
        "kcmp": 312,
        "finit_module": 313,
        "kexec_file_load": 320,
        "bpf": 321,
        "userfaultfd": 323,
    },
    "aarch64": {
        "lookup_dcookie": 18,
        "umount2": 39,
        "mount": 40,
        "pivot_root": 41,
        "nfsservctl": 42,
        "chroot": 51,
        "vhangup": 58,
        "quotactl": 60,
        "acct": 89,
        "unshare": 97,
        "kexec_load": 104,
        "init_module": 105,
        "delete_module": 106,
        "clock_settime": 112,
        "syslog": 116,
        "ptrace": 117,
        "reboot": 142,
        "sethostname": 161,
        "setdomainname": 162,
        "settimeofday": 170,
        "adjtimex": 171,
        "add_key": 217,
        "request_key": 218,
        "keyctl": 219,
        "swapon": 224,
        "swapoff": 225,
        "perf_event_open": 241,
        "fanotify_init": 262,
        "name_to_handle_at": 264,
        "open_by_handle_at": 265,
        "clock_adjtime": 266,
        "setns": 268,
        "process_vm_readv": 270,
        "process_vm_writev": 271,
        "kcmp": 272,
        "finit_module": 273,
        "bpf": 280,
        "userfaultfd": 282,
        "kexec_file_load": 294,
    },
}
_SOCKET = {"x86_64": 41, "aarch64": 198}
_AF_VSOCK = 40
"""The way to the machine that this one is a guest of, which no network namespace closes."""
_CLONE = {"x86_64": 56, "aarch64": 220}
_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}


def supported(machine: str) -> bool:
    """Whether there is a filter for this kind of machine (as `platform.machine()` says)."""
    return machine in _DENIED


def denied(machine: str, allowed: Collection[str] = ()) -> dict[str, int]:
    """The numbers of the system calls that give EPERM whatever their arguments."""
    every = {**_DENIED[machine], **_DENIED_EVERYWHERE}
    return {name: number for name, number in every.items() if name not in allowed}


def program(machine: str, allowed: Collection[str] = ()) -> bytes:
    """The filter, ready to be installed; `allowed` names denied calls that it lets through."""
    steps = [
        _step(_LOAD, _ARCHITECTURE),
        _step(_JUMP_EQUAL, _ARCHITECTURES[machine], 1, 0),
        _step(_RETURN, _KILL),
        _step(_LOAD, _NUMBER),
    ]
    if machine == "x86_64":
        # The x32 numbers would go around all that follows.
        steps += [_step(_JUMP_AT_LEAST, _X32, 0, 1), _fail(errno.ENOSYS)]
    for number in denied(machine, allowed).values():
        steps += [_step(_JUMP_EQUAL, number, 0, 1), _fail(errno.EPERM)]
    # clone3's flags lie in memory, where a filter cannot look: the C libraries fall back
    # on clone when it is not there.
    for number in (*_ABSENT.values(), _CLONE3):
        steps += [_step(_JUMP_EQUAL, number, 0, 1), _fail(errno.ENOSYS)]
    steps += [
        _step(_JUMP_EQUAL, _SOCKET[machine], 0, 3),
        _step(_LOAD, _FIRST_ARGUMENT),
        _step(_JUMP_EQUAL, _AF_VSOCK, 0, 1),
        _fail(errno.EPERM),
        _step(_LOAD, _NUMBER),
        _step(_JUMP_EQUAL, _CLONE[machine], 0, 3),
        _step(_LOAD, _FIRST_ARGUMENT),
        _step(_JUMP_ANY_BIT, NAMESPACES, 0, 1),
        _fail(errno.EPERM),
        _step(_RETURN, _ALLOW),
    ]
    return b"".join(steps)


def _fail(number: int) -> bytes:
    return _step(_RETURN, _ERROR | number)


def _step(code: int, value: int, true: int = 0, false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, true, false, value)
