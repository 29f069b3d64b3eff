"""Several programs in the foreground: their log lines, and the end of all of them."""

from __future__ import annotations

import io
import os
import signal
import sys
import threading

from running import eventually

from face_det.programs import Program, run_programs

SAYS = "import sys, time; print({!r}, file=sys.stderr, flush=True); time.sleep(600)"
ENDS = "import sys; print('half a line', end='', file=sys.stderr); sys.exit({})"
STAYS = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(print('stopped by', {!r}, file=sys.stderr)))
print('up', file=sys.stderr, flush=True)
time.sleep(600)
"""


def program(name, code):
    return Program(name, [sys.executable, "-c", code])


def interrupted(programs, number, lines):
    """Send ourselves a signal once programs have logged some lines: the status and the log."""
    log = io.BytesIO()

    def send():
        eventually(lambda: log.getvalue().count(b"\n") >= lines, "the log")
        os.kill(os.getpid(), number)

    sender = threading.Thread(target=send)
    sender.start()
    status = run_programs(programs, os.environ, log)
    sender.join()
    return status, log.getvalue().decode().splitlines()


def test_lines_have_their_programs_name():
    """Whole lines only, so that two programs do not mix; SIGINT is a normal end."""
    programs = [program("one", SAYS.format("first")), program("two", SAYS.format("second"))]
    status, lines = interrupted(programs, signal.SIGINT, 2)
    assert status == 0
    assert sorted(lines) == ["one     | first", "two     | second"]


def test_the_last_one_is_ended_first():
    """The gateway before the daemon that it asks; what they still say is in the log."""
    programs = [program(name, STAYS.format(name)) for name in ("daemon", "web")]
    status, lines = interrupted(programs, signal.SIGTERM, 2)
    assert status == 0
    assert lines[2:] == ["web     | stopped by web", "daemon  | stopped by daemon"]


def test_the_end_of_one_ends_all():
    """With its status, and its last words although they end without a line break."""
    log = io.BytesIO()
    programs = [program("web", SAYS.format("up")), program("daemon", ENDS.format(75))]
    assert run_programs(programs, os.environ, log) == 75
    assert b"daemon  | half a line\n" in log.getvalue()


def test_an_end_that_nobody_asked_for_is_no_success():
    """Even if the program itself calls it one."""
    assert run_programs([program("daemon", ENDS.format(0))], os.environ, io.BytesIO()) == 1
