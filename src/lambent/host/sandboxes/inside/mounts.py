"""The files that an environment sees.

A zygote makes one root for all that it forks (`build`) in a mount namespace of its own, and
lives there; the machine's own root lies at `HOST` in it. Each environment, in a mount
namespace of its own, adds what is its own and takes `HOST` away (`furnish`). No mount is
ever visible outside the zygote, and all are gone when it is.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Sequence

from . import kernel

HOST = "/.host"
TASK = "/var/task"
LAYERS = "/opt"
RUNTIME = "/var/runtime"
NAMES = ("sandbox.localdomain", "sandbox.local", "sandbox")
"""What an environment is called inside; listeners for telemetry bind to it."""
USER, GROUP = 993, 990
"""Who a function is inside, as on Lambda."""

_LINKS = ("bin", "lib", "lib32", "lib64", "sbin")
_FOLDERS = ("proc", "dev", "tmp", "opt", "var/task", "var/runtime", "etc", "run", ".host")
_ETC = (
    *("ssl/certs", "ssl/openssl.cnf", "ssl/cert.pem", "pki/tls/certs", "pki/ca-trust"),
    *("ca-certificates", "alternatives", "resolv.conf", "nsswitch.conf", "gai.conf"),
    *("ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime", "mime.types", "protocols"),
    *("services", "host.conf"),
)
_DEVICES = ("null", "zero", "full", "random", "urandom")
_USERS = (
    "root:x:0:0:root:/root:/sbin/nologin\n"
    f"sbx_user1051:x:{USER}:{GROUP}::/home/sbx_user1051:/sbin/nologin\n"
)
_GROUPS = f"root:x:0:\nsbx_user1051:x:{GROUP}:\n"


def build(base: str, show: Iterable[str], runtime: str | None, hide: Iterable[str]) -> None:
    """Make the root at the empty folder `base`, and enter it.

    `show` stays visible where it is; what the folder `runtime` has (links resolved) appears
    in /var/runtime; folders in `hide` are empty even where something above them is shown.
    """
    kernel.mount("none", "/", flags=kernel.MS_REC | kernel.MS_SLAVE)
    flags = kernel.MS_NOSUID | kernel.MS_NODEV
    kernel.mount("lambent", base, "tmpfs", flags, "mode=755,size=4m")
    for folder in _FOLDERS:
        os.makedirs(f"{base}/{folder}", 0o755, exist_ok=True)
    for name in _LINKS:
        if os.path.islink(f"/{name}"):
            os.symlink(os.readlink(f"/{name}"), f"{base}/{name}")
        elif os.path.isdir(f"/{name}"):
            _bind(f"/{name}", f"{base}/{name}")
    _bind("/usr", f"{base}/usr")
    for name, text in (("passwd", _USERS), ("group", _GROUPS)):
        with open(f"{base}/etc/{name}", "w") as file:
            file.write(text)
    for name in _ETC:
        _bind(f"/etc/{name}", f"{base}/etc/{name}")
    _write_hosts(f"{base}/etc/hosts", "127.0.0.1")
    for path in show:
        if not _visible(base, path):
            _bind(path, base + path)
    for path in hide:
        if os.path.isdir(base + path):
            kernel.mount("lambent", base + path, "tmpfs", flags, "mode=755,size=4k,nr_inodes=1")
    if runtime is not None:
        for name in sorted(os.listdir(runtime)):
            _bind(os.path.realpath(f"{runtime}/{name}"), f"{base}{RUNTIME}/{name}")
    for name in _DEVICES:
        with open(f"{base}/dev/{name}", "w"):
            pass
    for name, target in (("fd", "fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")):
        os.symlink(f"/proc/self/{target}", f"{base}/dev/{name}")
    kernel.restrict(
        base, kernel.MOUNT_ATTR_RDONLY | kernel.MOUNT_ATTR_NOSUID | kernel.MOUNT_ATTR_NODEV
    )
    for name in _DEVICES:
        kernel.mount(f"/dev/{name}", f"{base}/dev/{name}", flags=kernel.MS_BIND)
    kernel.mount("none", base, flags=kernel.MS_REC | kernel.MS_PRIVATE)
    os.chdir(base)
    kernel.pivot_root(".", "." + HOST)
    os.chdir("/")


def furnish(
    code: str, layers: Sequence[str], ephemeral: int, show: Iterable[str], address: str
) -> None:
    """In the environment's own mount namespace: its code, layers, /tmp and /proc.

    `ephemeral` in MiB; `show` as for `build`: what lies in /tmp is lost otherwise. `address`
    is the environment's own of the loopback; "" is all others'.
    """
    restricted = kernel.MS_NOSUID | kernel.MS_NODEV
    kernel.mount(HOST + code, TASK, flags=kernel.MS_BIND | kernel.MS_REC)
    _protect(TASK)
    if len(layers) == 1:
        kernel.mount(HOST + layers[0], LAYERS, flags=kernel.MS_BIND | kernel.MS_REC)
        _protect(LAYERS)
    elif layers:
        # By descriptor: paths may hold characters that mean something to overlayfs.
        fds = [os.open(HOST + layer, os.O_PATH | os.O_DIRECTORY) for layer in layers]
        lower = ":".join(f"{HOST}/proc/self/fd/{fd}" for fd in fds)
        flags = restricted | kernel.MS_RDONLY
        kernel.mount("lambent", LAYERS, "overlay", flags, f"lowerdir={lower}")
        for fd in fds:
            os.close(fd)
    room = f"mode=1777,size={ephemeral}m,nr_inodes={ephemeral * 64}"
    kernel.mount("lambent", "/tmp", "tmpfs", restricted, room)  # noqa: S108 - its own
    if address:
        hosts = "/tmp/.hosts"  # noqa: S108 - the new one
        _write_hosts(hosts, address)
        kernel.mount(hosts, "/etc/hosts", flags=kernel.MS_BIND)
        _protect("/etc/hosts")
        os.unlink(hosts)
    for path in show:
        if path.startswith("/tmp/"):  # noqa: S108 - what lies under the new one
            _bind(HOST + path, path)
            _protect(path)
    kernel.mount("proc", "/proc", "proc", restricted | kernel.MS_NOEXEC)
    kernel.detach(HOST)


def _write_hosts(path: str, address: str) -> None:
    """The machine's names, and those by which Lambda's environments call themselves."""
    text = ""
    for place in ("/etc/hosts", f"{HOST}/etc/hosts"):
        if place != path:
            with contextlib.suppress(OSError), open(place) as file:
                text = "".join(line for line in file if NAMES[0] not in line)
                break
    with open(path, "w") as file:
        file.write(f"{text.rstrip()}\n{address} {' '.join(NAMES)}\n")


def _protect(path: str) -> None:
    kernel.restrict(
        path, kernel.MOUNT_ATTR_RDONLY | kernel.MOUNT_ATTR_NOSUID | kernel.MOUNT_ATTR_NODEV
    )


def _visible(base: str, path: str) -> bool:
    """Whether it is there already, by what was shown before."""
    with contextlib.suppress(OSError):
        return os.path.samefile(base + path, path)
    return False


def _bind(source: str, target: str) -> None:
    """Bind a file or folder, if it is there, making the place for it."""
    if os.path.isdir(source):
        os.makedirs(target, 0o755, exist_ok=True)
    elif os.path.exists(source):
        os.makedirs(os.path.dirname(target), 0o755, exist_ok=True)
        with open(target, "a"):
            pass
    else:
        return
    kernel.mount(os.path.realpath(source), target, flags=kernel.MS_BIND | kernel.MS_REC)
