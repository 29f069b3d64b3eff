"""Run with the page's walls around it: what a taken-over gateway might try; the outcomes as JSON."""

from __future__ import annotations

import json
import mmap
import os
import socket
from pathlib import Path


def outcome(attempt):
    try:
        attempt()
    except (OSError, ValueError) as error:
        return str(error)
    return "done"


def map_code():
    mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC).close()


def connect():
    with socket.socket(socket.AF_UNIX) as channel:
        channel.connect("/run/face-detect/face_detect_zmq.pipe")


FORBIDDEN = {
    "list the gallery": lambda: list(Path("/var/lib/face-detect").iterdir()),
    "list the photos": lambda: list(Path("/var/lib/face-detect/dataset").iterdir()),
    "list the cache": lambda: list(Path("/var/cache/face-detect").iterdir()),
    "list the keys": lambda: list(Path("/etc/face-detect/keys").iterdir()),
    "write settings": lambda: os.open("/etc/face-detect/config.json", os.O_WRONLY),
    "write credentials": lambda: os.open("/etc/face-detect/web-credentials.json", os.O_WRONLY),
    "write /etc": lambda: Path("/etc/new").touch(),
    "write /run": lambda: Path("/run/face-detect/new").touch(),
    "write /var": lambda: Path("/var/lib/new").touch(),
    "write /opt": lambda: Path("/opt/face_det/.venv/new").touch(),
    "write /shared": lambda: Path("/shared/new").touch(),
    "list homes": lambda: list(Path("/home/caller").iterdir()),
    "read /etc/shadow": lambda: Path("/etc/shadow").read_text(),
    "read memory": lambda: os.open("/dev/mem", os.O_RDONLY),
    "sniff packets": lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW),
    "talk to the kernel": lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW),
    "run data as code": map_code,
    "become root": lambda: os.setuid(0),
    "signal others": lambda: os.kill(1, 0),
}

ALLOWED = {
    "call the daemon": connect,
    "read the settings": lambda: Path("/etc/face-detect/config.json").read_text(),
    "read the credentials": lambda: Path("/etc/face-detect/web-credentials.json").read_text(),
    "listen": lambda: socket.create_server(("127.0.0.1", 0)).close(),
}


def main():
    found = {
        "allowed": {name: outcome(attempt) for name, attempt in ALLOWED.items()},
        "forbidden": {name: outcome(attempt) for name, attempt in FORBIDDEN.items()},
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
