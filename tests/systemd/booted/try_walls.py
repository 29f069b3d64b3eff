"""Run with the service's walls around it: what a taken-over daemon might try; the outcomes as JSON."""

from __future__ import annotations

import ctypes
import json
import mmap
import os
import resource
import socket
import time
from pathlib import Path


def outcome(attempt):
    try:
        value = attempt()
    except (OSError, ValueError) as error:
        return str(error)
    return "done" if value is not False else "nothing there"


def map_code():
    mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC).close()


def system_call(name, *arguments):
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*arguments) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def raise_limit():
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most + 1, most + 1))


def see_others():
    return [(path / "comm").read_text().strip() for path in Path("/proc").glob("[0-9]*")]


FORBIDDEN = {
    "write /etc": lambda: os.open("/etc/face-detect/config.json", os.O_WRONLY),
    "write /usr": lambda: Path("/usr/lib/new").touch(),
    "write /opt": lambda: Path("/opt/face_det/.venv/new").touch(),
    "write /var": lambda: Path("/var/lib/new").touch(),
    "write /home": lambda: Path("/home/new").touch(),
    "read a home": lambda: Path("/home/photo").read_text(),
    "read others' /tmp": lambda: Path("/tmp/note").read_text(),
    "read /etc/shadow": lambda: Path("/etc/shadow").read_text(),
    "read a disk": lambda: os.open("/dev/vda", os.O_RDONLY),
    "read memory": lambda: os.open("/dev/mem", os.O_RDONLY),
    "read kernel log": lambda: os.open("/dev/kmsg", os.O_RDONLY),
    "use tcp": lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM),
    "use udp on IPv6": lambda: socket.socket(socket.AF_INET6, socket.SOCK_DGRAM),
    "sniff packets": lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW),
    "talk to the kernel": lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW),
    "run data as code": map_code,
    "become root": lambda: os.setuid(0),
    "make a namespace": lambda: system_call("unshare", 0x10000000),
    "mount": lambda: system_call("mount", b"none", b"/mnt", b"tmpfs", 0, None),
    "trace": lambda: system_call("ptrace", 16, 1, None, None),
    "set the clock": lambda: time.clock_settime(time.CLOCK_REALTIME, time.time()),
    "set the name": lambda: system_call("sethostname", b"x", 1),
    "raise limits": raise_limit,
    "make a setuid file": lambda: (Path("s").touch(), Path("s").chmod(0o4755)),
    "signal others": lambda: os.kill(1, 0),
}

ALLOWED = {
    "write state": lambda: Path("new").touch() or Path("new").unlink(),
    "write cache": lambda: Path(os.environ["XDG_CACHE_HOME"], "new").touch(),
    "write run": lambda: Path("/run/face-detect/new").touch(),
}


def main():
    os.umask(0o077)
    found = {
        "allowed": {name: outcome(attempt) for name, attempt in ALLOWED.items()},
        "forbidden": {name: outcome(attempt) for name, attempt in FORBIDDEN.items()},
        "processes": [name for name in see_others() if name != "python"],
    }
    Path("walls.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main()
