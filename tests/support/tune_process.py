"""`face-det tune` as a separate process that serves its page."""

from __future__ import annotations

import os
import re
import signal
import sys

from forked import Forked
from running import eventually

FACE_DET = (sys.executable, "-m", "face_det.cli.main")
PATIENCE_S = 300


class TunePage:
    """The process, and the address of its page."""

    def __init__(self, folder, *arguments):
        self.out, self.err = folder / "tune.out", folder / "tune.err"
        environ = {name: text for name, text in os.environ.items() if not name.startswith("FACE_DET_")}
        with self.out.open("wb") as out, self.err.open("wb") as err:
            command = [*FACE_DET, "tune", *map(str, arguments)]
            self.process = Forked(command, cwd=folder, env=environ, stdout=out, stderr=err)
        eventually(lambda: self._address() or self.process.poll() is not None, "the page")
        assert self.process.poll() is None, self.err.read_text()
        self.address = self._address()

    def _address(self):
        found = re.search(r"the page is at (\S+/)\n", self.out.read_text())
        return found and found[1]

    def interrupt(self):
        """Press Ctrl-C; the exit status and what it said."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(timeout=PATIENCE_S), self.err.read_text()

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
