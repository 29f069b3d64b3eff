"""The page's service under a real systemd: it serves, it notices a password, and it sees no faces."""

from __future__ import annotations

import image
import pytest
from machine import SERVICE

WEB = f"{SERVICE}-web"
FACE_DET = f"{image.VENV}/bin/face-det"
CONFIG = f"/etc/{SERVICE}/config.json"

FETCH = """\
import sys, urllib.error, urllib.request
request = urllib.request.Request('http://127.0.0.1:8080' + sys.argv[1])
if len(sys.argv) > 2:
    request.add_header('Authorization', 'Bearer ' + sys.argv[2])
try:
    answer = urllib.request.urlopen(request, timeout=50)
except urllib.error.HTTPError as error:
    answer = error
print(answer.status, answer.read().decode())
"""


@pytest.fixture
def page(service):
    """The machine with both services running; afterwards without the page's."""
    service.run(FACE_DET, "install-service", "--web")
    service.run("systemctl", "enable", "--now", WEB)
    yield service
    service.run(FACE_DET, "install-service", "--uninstall", "--web", "--purge")


def fetch(machine, *words):
    """What any user of the machine gets from the page."""
    argv = ("runuser", "-u", "stranger", "--", f"{image.VENV}/bin/python", "-c", FETCH, *words)
    return machine.run(*argv).out


def test_the_page_is_served_behind_its_walls(page):
    """It is active, and answers what the daemon answers, over the socket of the daemon's group; a password
    and a token that root sets are asked for at once."""
    state = ("systemctl", "show", "--value", "--property=ActiveState", WEB)
    assert page.run(*state).out == "active"
    assert fetch(page, "/healthz/ready").startswith("200 ")
    assert fetch(page, "/api/v1/people").startswith('200 {"people":')
    page.run(FACE_DET, "web", "password", "--stdin", "--config", CONFIG, text="long enough\n")
    assert fetch(page, "/api/v1/people").startswith("401 ")
    token = page.run(FACE_DET, "web", "tokens", "add", "ha", "--config", CONFIG).out
    assert fetch(page, "/api/v1/people", token).startswith("200 ")
    owner = page.run("stat", "--format=%a %U:%G", f"/etc/{SERVICE}/web-credentials.json").out
    assert owner == f"600 {WEB}:{WEB}"


def test_a_page_for_everybody_is_refused_and_not_tried_again(page):
    """Exit 78 beyond this machine without a password, and systemd leaves it at that."""
    page.configure(http={"host": "0.0.0.0"})
    assert not page.run("systemctl", "restart", WEB, check=False).ok
    show = page.run("systemctl", "show", "--value", "--property=ExecMainStatus,NRestarts", WEB).out
    assert sorted(show.split()) == ["0", "78"]
    page.run(FACE_DET, "web", "password", "--stdin", "--config", CONFIG, text="long enough\n")
    page.run("systemctl", "restart", WEB)
    assert fetch(page, "/api/v1/people").startswith("401 ")


def test_it_can_see_no_faces_and_write_nothing(page):
    """The same walls around a program that tries, as the same user and group."""
    found = page.try_within_walls(WEB, "try_web_walls.py")
    assert {attempt for attempt, outcome in found["forbidden"].items() if outcome == "done"} == set()
    assert set(found["allowed"].values()) == {"done"}
