"""One test per way out of a sandbox: each is tried from inside a function."""

from __future__ import annotations

import os
from typing import Any

import pytest
from tests.host.sandboxes.conftest import Run

TRY = """
import ctypes, errno, json, os, resource, signal, socket, subprocess, sys
libc = ctypes.CDLL(None, use_errno=True)
def call(number, *arguments):
    result = libc.syscall(ctypes.c_long(number), *map(ctypes.c_long, arguments))
    return "done" if result >= 0 else errno.errorcode[ctypes.get_errno()]
def attempt(action):
    try:
        return "done: " + repr(action())
    except BaseException as error:
        return type(error).__name__ + ": " + str(error)
def handler(event, context):
"""


def tried(run: Run, body: str, **options: Any) -> Any:
    lines = "".join(f"    {line}\n" for line in body.strip().splitlines())
    (answer,) = run(TRY + lines, **options)
    assert answer["error"] is None, answer
    return answer["payload"]


HOLDING = """
import os
def handler(event, context):
    open("/tmp/mine", "w").write("secret of the first")
    return {"pid": os.getpid()}
"""


def test_another_functions_code_tmp_and_environment_are_out_of_sight(run: Run) -> None:
    search = TRY + (
        "    seen = [os.path.join(place, name) for place, _, names in os.walk('/')\n"
        "            if not place.startswith(('/proc', '/usr', '/sys')) for name in names]\n"
        "    environments = [str(attempt(lambda: open(f'/proc/{pid}/environ').read()))\n"
        "                    for pid in os.listdir('/proc') if pid.isdigit()]\n"
        "    return {'seen': [p for p in seen if p.endswith(('/secret.txt', '/mine'))],\n"
        "            'db': [p for p in seen if 'lambent.db' in p],\n"
        "            'code': attempt(lambda: os.listdir(event['folder'])),\n"
        "            'secret': open('/var/task/secret.txt').read(),\n"
        "            'environments': ''.join(environments), 'pids': os.listdir('/proc')}\n"
    )
    other, answer = run(HOLDING, search)
    found = answer["payload"]
    assert found["seen"] == ["/var/task/secret.txt"]
    assert found["secret"] == f"secret of {answer['name']}"
    assert found["db"] == []
    assert "data" not in found["code"]
    assert "PATH=" in found["environments"]  # its own is in sight
    assert other["name"] not in found["environments"] and "hidden" not in found["environments"]
    assert [pid for pid in found["pids"] if pid.isdigit()] == ["1", "2"]


def test_the_first_process_cannot_be_looked_into(run: Run) -> None:
    found = tried(
        run,
        """
return [attempt(lambda name=name: open('/proc/1/' + name, 'rb').read(1))
        for name in ('environ', 'mem', 'maps', 'root/etc/passwd', 'cwd/etc/passwd')]
""",
    )
    assert all("PermissionError" in each for each in found), found


@pytest.mark.parametrize(
    ("name", "x86_64", "aarch64", "arguments"),
    [
        ("ptrace", 101, 117, (0, 0, 0, 0)),
        ("mount", 165, 40, (0, 0, 0, 0, 0)),
        ("umount2", 166, 39, (0, 0)),
        ("pivot_root", 155, 41, (0, 0)),
        ("chroot", 161, 51, (0,)),
        ("unshare a user namespace", 272, 97, (0x10000000,)),
        ("clone a user namespace", 56, 220, (0x10000011, 0, 0, 0, 0)),
        ("setns", 308, 268, (0, 0)),
        ("bpf", 321, 280, (0, 0, 0)),
        ("keyctl", 250, 219, (0, 0, 0, 0, 0)),
        ("userfaultfd", 323, 282, (0,)),
        ("perf_event_open", 298, 241, (0, 0, 0, 0, 0)),
        ("kexec_load", 246, 104, (0, 0, 0, 0)),
        ("init_module", 175, 105, (0, 0, 0)),
        ("reboot", 169, 142, (0, 0, 0, 0)),
        ("swapon", 167, 224, (0, 0)),
        ("acct", 163, 89, (0,)),
        ("process_vm_readv", 310, 270, (1, 0, 0, 0, 0, 0)),
        ("fsopen", 430, 430, (0, 0)),
    ],
)
def test_system_call_is_refused(
    run: Run, name: str, x86_64: int, aarch64: int, arguments: tuple[int, ...]
) -> None:
    values = ", ".join(map(str, arguments))
    number = f"{{'x86_64': {x86_64}, 'aarch64': {aarch64}}}[os.uname().machine]"
    assert tried(run, f"return call({number}, {values})") == "EPERM"


def test_there_are_no_privileges_and_none_to_gain(run: Run) -> None:
    found = tried(
        run,
        """
status = dict(line.split(':', 1) for line in open('/proc/self/status') if ':' in line)
return {'uid': os.getuid(), 'gid': os.getgid(), 'capabilities': status['CapBnd'].strip(),
        'effective': status['CapEff'].strip(), 'new': status['NoNewPrivs'].strip(),
        'filter': status['Seccomp'].strip(), 'setuid': attempt(lambda: os.setuid(0)),
        'device': attempt(lambda: os.mknod('/tmp/disk', 0o60600, os.makedev(8, 0)))}
""",
    )
    assert (found["uid"], found["gid"]) == (993, 990)
    assert int(found["capabilities"], 16) == int(found["effective"], 16) == 0
    assert found["new"] == "1" and found["filter"] == "2"
    assert "Error" in found["setuid"] and "PermissionError" in found["device"]


def test_processes_outside_cannot_be_killed(run: Run) -> None:
    body = """
killed = attempt(lambda: os.kill(1, signal.SIGKILL))
return {'alive': os.path.exists('/proc/1'), 'others': attempt(lambda: os.kill(-1, 0)),
        'far': attempt(lambda: os.kill(NODE, 0))}
"""
    found = tried(run, body.replace("NODE", str(os.getpid())))
    assert found["alive"]
    assert "ProcessLookupError" in found["far"]
    assert "ProcessLookupError" in found["others"] or "PermissionError" in found["others"]


def test_limits_cannot_be_raised(run: Run) -> None:
    found = tried(
        run,
        """
return [attempt(lambda kind=kind: resource.setrlimit(kind, (1 << 20, 1 << 20)))
        for kind in (resource.RLIMIT_NPROC, resource.RLIMIT_NOFILE, resource.RLIMIT_CORE)]
""",
    )
    assert all(each.startswith("ValueError") for each in found), found


def test_nothing_outside_tmp_can_be_written(run: Run) -> None:
    found = tried(
        run,
        """
places = ('/x', '/var/task/x', '/var/task/app.py', '/usr/x', '/etc/passwd', '/opt/x', '/dev/x',
          '/var/runtime/x', '/run/x', '/proc/sys/kernel/hostname',
          os.path.dirname(os.__file__) + '/x')
return {place: attempt(lambda place=place: open(place, 'w')) for place in places}
""",
    )
    refused = ("OSError: [Errno 30]", "PermissionError")
    assert all(each.startswith(refused) for each in found.values()), found


def test_full_tmp_is_full_inside_only(run: Run) -> None:
    found = tried(
        run,
        """
def fill():
    with open('/tmp/big', 'wb', buffering=0) as file:
        while file.write(bytes(1 << 20)):
            pass
room = os.statvfs('/tmp')
return {'size': room.f_blocks * room.f_frsize >> 20, 'full': attempt(fill)}
""",
        ephemeral=48,
    )
    assert found == {"size": 48, "full": "OSError: [Errno 28] No space left on device"}


def test_tmp_does_not_count_as_memory(run: Run) -> None:
    found = tried(
        run,
        """
open('/tmp/big', 'wb').write(bytes(1 << 20) * 1)
with open('/tmp/big', 'wb') as file:
    for _ in range(200):
        file.write(bytes(1 << 20))
return os.path.getsize('/tmp/big') >> 20
""",
        ephemeral=512,
    )
    assert found == 200


def test_fork_bomb_ends_at_the_limit(run: Run) -> None:
    found = tried(
        run,
        """
import signal
_, most = resource.getrlimit(resource.RLIMIT_NPROC)
resource.setrlimit(resource.RLIMIT_NPROC, (40, 40))
children = []
try:
    for _ in range(500):
        pid = os.fork()
        if pid == 0:
            signal.pause()
            os._exit(0)
        children.append(pid)
except BlockingIOError:
    pass
for pid in children:
    os.kill(pid, signal.SIGKILL)
return {'most': most, 'started': len(children)}
""",
    )
    assert found["most"] <= 1024
    assert 30 <= found["started"] <= 40


BOMB = """
def handler(event, context):
    held = []
    for _ in range(4000):
        held.append(bytearray(1 << 20))
    return "still here"
"""
FINE = "def handler(event, context): return 'fine'"


def test_memory_bomb_ends_as_on_lambda(run: Run) -> None:
    bomb, after = run(BOMB, FINE, ephemeral=512)
    assert bomb["error"] == "Unhandled"
    assert bomb["payload"]["errorType"] == "Runtime.OutOfMemory"
    assert bomb["payload"]["errorMessage"].endswith(
        "Error: Runtime exited with error: signal: killed"
    )
    assert "Memory Size: 128 MB\tMax Memory Used: 128 MB" in bomb["log"]
    assert "Error Type: Runtime.OutOfMemory" in bomb["log"]
    assert after["payload"] == "fine"


def test_code_is_found_where_lambda_has_it(run: Run) -> None:
    (answer,) = run(
        """
        import os
        def handler(event, context):
            if os.environ["LAMBDA_TASK_ROOT"] == os.getcwd() == "/var/task":
                raise ValueError("here")
        """
    )
    assert 'File "/var/task/app.py", line 5' in answer["payload"]["stackTrace"][0]
    assert answer["payload"]["errorMessage"] == "here"


def test_children_left_behind_end_with_the_environment(run: Run) -> None:
    (answer,) = run(
        """
        import os, signal
        def handler(event, context):
            if os.fork() == 0:
                os.setsid()
                if os.fork() == 0:
                    open("/tmp/orphan", "w").close()
                    signal.pause()
                os._exit(0)
            os.wait()
            return "left one"
        """
    )
    assert answer["payload"] == "left one"  # and the environment's end does not wait for it


def test_another_environments_apis_serve_nobody_else(run: Run) -> None:
    own = (
        "import os\ndef handler(event, context):\n    return os.environ['AWS_LAMBDA_RUNTIME_API']\n"
    )
    ask = TRY + (
        "    import http.client\n"
        "    def ask(address, method, path):\n"
        "        api = http.client.HTTPConnection(address, timeout=5)\n"
        "        api.request(method, path)\n"
        "        return api.getresponse().status\n"
        "    theirs, own = event['answers'][0]['payload'], os.environ['AWS_LAMBDA_RUNTIME_API']\n"
        "    NEXT = '/2018-06-01/runtime/invocation/next'\n"
        "    paths = (('GET', NEXT), ('POST', '/2020-01-01/extension/register'),\n"
        "             ('PUT', '/2022-07-01/telemetry'))\n"
        "    child = 'import http.client, sys; c = http.client.HTTPConnection(sys.argv[1]); '\n"
        "    child += 'c.request(\"GET\", sys.argv[2]); print(c.getresponse().status)'\n"
        "    started = [sys.executable, '-c', child, own, NEXT]\n"
        "    return {'theirs': [attempt(lambda path=path: ask(theirs, *path)) for path in paths],\n"
        "            'own': ask(own, 'GET', NEXT),\n"
        "            'child': subprocess.run(started, capture_output=True, text=True).stdout}\n"
    )
    _, answer = run(own, ask)
    found = answer["payload"]
    assert all(each.startswith(("ConnectionReset", "RemoteDisc")) for each in found["theirs"]), (
        found
    )
    # 403: it runs, so it may not ask for more; but it is heard, and so is what it starts.
    assert (found["own"], found["child"]) == (403, "403\n")
