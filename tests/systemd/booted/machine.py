"""A booted system, seen from outside: commands run in it, units asked about, threads stopped."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import time
from pathlib import Path

import image

PATIENCE_S = 60
SERVICE = "face-detect"
SHIPPED = ("setup.py", "pyproject.toml", "MANIFEST.in", "ml-requirements.txt", "README.md", "LICENSE")

CLIENT = f"""\
from face_det import Client
daemon = Client('ipc:///run/{SERVICE}/face_detect_zmq.pipe', timeout_s=50)
"""


def eventually(condition, what):
    """Wait until condition() is true; its value."""
    end = time.monotonic() + PATIENCE_S
    while not (value := condition()):
        assert time.monotonic() < end, f"waited {PATIENCE_S} s for {what}"
        time.sleep(0.02)
    return value


class Machine:
    """Debian in a container; `shared` is its /shared. What is done to it is gone when it ends."""

    def __init__(self, shared):
        self.shared = shared
        source = shared / "source"
        source.mkdir()
        for name in SHIPPED:
            shutil.copy(image.REPOSITORY / name, source)
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(image.REPOSITORY / "face_det", source / "face_det", ignore=ignore)
        words = (
            "--boot",
            "--volatile=overlay",
            "--private-network",
            "--resolv-conf=off",
            "--link-journal=no",
        )
        name = f"--machine=face-det-{os.getpid()}"
        argv = image.nspawn(image.path(), *words, name, "--console=read-only", f"--bind={shared}:/shared")
        self._console = (shared / "console").open("wb")
        self._process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=self._console, stderr=self._console
        )
        self._leader = eventually(self._init, "the system's first process")
        eventually(lambda: self.run("test", "-S", "/run/dbus/system_bus_socket", check=False).ok, "the bus")
        self.run("systemctl", "is-system-running", "--wait")

    def _init(self):
        assert self._process.poll() is None, (self.shared / "console").read_text(errors="replace")
        pid = self._process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        started = [child for child in children if Path(f"/proc/{child}/comm").read_text() == "systemd\n"]
        return int(started[0]) if started else None

    def command(self, *argv):
        """What to run here so that it is run as root in the system."""
        enter = [
            "nsenter",
            "--target",
            str(self._leader),
            "--mount",
            "--uts",
            "--ipc",
            "--net",
            "--pid",
            "--",
        ]
        return [*enter, *map(str, argv)]

    def run(self, *argv, check=True, text=None):
        """A command as root in the system; `ok`, `out` and `err` of its end."""
        environ = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
        done = subprocess.run(
            self.command(*argv), capture_output=True, text=True, timeout=120, input=text, env=environ
        )
        ended = Ended(done)
        assert ended.ok or not check, f"{argv}: {done.returncode}\n{done.stdout}{done.stderr}{self.journal()}"
        return ended

    def systemctl(self, verb, check=True):
        return self.run("systemctl", verb, SERVICE, check=check)

    def kill(self, signal):
        """A signal for the daemon's process."""
        self.run("systemctl", "kill", "--kill-who=main", f"--signal={signal}", SERVICE)

    def show(self, name):
        """A property of the service."""
        return self.run("systemctl", "show", "--value", f"--property={name}", SERVICE).out

    def running(self):
        return self.show("SubState") == "running"

    def pid(self):
        return int(self.show("MainPID"))

    def journal(self):
        """What the service and systemd have said about it."""
        argv = ["journalctl", "--no-pager", "--output=cat", f"--unit={SERVICE}"]
        return "" if not hasattr(self, "_leader") else self.run(*argv, check=False).out

    def cursor(self):
        """A place in the journal, for `said_since`."""
        return len(self.journal().splitlines())

    def said_since(self, cursor):
        return "\n".join(self.journal().splitlines()[cursor:])

    def until_said(self, text, cursor=0):
        eventually(lambda: text in self.said_since(cursor), f"{text!r} in the journal")

    def write(self, path, content):
        self.run("sh", "-c", f"mkdir -p $(dirname {path}) && cat > {path}", text=content)

    def configure(self, **settings):
        """Put settings into the service's config.json, beside those that are there."""
        path = f"/etc/{SERVICE}/config.json"
        content = json.loads(self.run("cat", path).out)
        content["faceDetServer"].update(settings)
        self.write(path, json.dumps(content))

    def try_within_walls(self, unit, program, *others):
        """Run a program of this folder, which prints what it could do as JSON, in place of a unit's own."""
        for name in (program, *others):
            (self.shared / name).write_text(Path(__file__).with_name(name).read_text())
        lines = self.run("cat", f"/etc/systemd/system/{unit}.service").out.splitlines()
        start = f"ExecStart={image.VENV}/bin/python /shared/{program}"
        lines = [start if line.startswith("ExecStart=") else line for line in lines]
        lines = ["Type=oneshot" if line == "Type=notify" else line for line in lines]
        left_out = ("Restart", "NotifyAccess", "[Install", "Wanted")
        kept = [line for line in lines if not line.startswith(left_out)]
        kept.append("StandardOutput=truncate:/shared/walls.json")
        self.write("/etc/systemd/system/walls.service", "\n".join(kept))
        self.run("systemctl", "daemon-reload")
        self.run("systemctl", "start", "walls")
        found = json.loads(eventually((self.shared / "walls.json").read_text, "its findings"))
        self.run("rm", "/etc/systemd/system/walls.service", "/shared/walls.json")
        return found

    def ask(self, code, user="caller", check=True):
        """Python in the project's environment, as a user; `daemon` is a client of the daemon."""
        return self.run(
            "runuser", "-u", user, "--", f"{image.VENV}/bin/python", "-c", CLIENT + code, check=check
        )

    def outside(self, pid):
        """What this machine numbers a process of the system."""
        for status in Path("/proc").glob("[0-9]*/status"):
            try:
                fields = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
            except (FileNotFoundError, ProcessLookupError):
                continue
            numbers = fields.get("NSpid", "").split()
            if numbers[1:] == [str(pid)] and self._is_ours(int(numbers[0])):
                return int(numbers[0])
        raise AssertionError(f"no process {pid}")

    @contextlib.contextmanager
    def calling(self, code):
        """What `ask` does, meanwhile, and ended with the block."""
        begin = f'echo $$ > /tmp/calling; exec {image.VENV}/bin/python -c "$0"'
        argv = self.command("runuser", "-u", "caller", "--", "sh", "-c", begin, CLIENT + code)
        with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as caller:
            try:
                yield
            finally:
                self.run("sh", "-c", "kill $(cat /tmp/calling)", check=False)
                caller.wait(PATIENCE_S)

    def _is_ours(self, number):
        namespaces = [Path(f"/proc/{pid}/ns/pid").readlink() for pid in (number, self._leader)]
        return namespaces[0] == namespaces[1]

    def close(self):
        if self._process.poll() is None:
            self.run("systemctl", "poweroff", "--force", "--force", check=False)
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._console.close()


class Ended:
    """How a command ended."""

    def __init__(self, done):
        self.ok, self.code = done.returncode == 0, done.returncode
        self.out, self.err = done.stdout.strip(), done.stderr.strip()
