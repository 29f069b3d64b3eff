"""Commands as real processes, webhooks at a real server, and pins that gpiozero pretends to have."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from pathlib import Path

import pytest

from face_det.errors import ConfigError
from face_det.integrations import FIELDS, ActionFailed, Command, Pin, Pulse, Webhook, WebhookSettings
from face_det.integrations.actions import pins as pins_module

PATIENCE_S = 300


def run(argv, event, timeout_s=PATIENCE_S):
    """Run a command for an event."""
    asyncio.run(Command([*map(str, argv)], timeout_s).perform(event))


def note(path):
    """A command that writes its arguments to a file."""
    code = "import json, sys; open(sys.argv[1], 'w').write(json.dumps(sys.argv[2:]))"
    return (sys.executable, "-c", code, path)


def test_fields_become_arguments_and_no_shell_reads_them(tmp_path, alice):
    """Whatever a camera is called; braces that hold no word of ours stay."""
    event = {**alice, "camera": "$(touch x); `touch y`\n\0"}
    run(
        [*note(tmp_path / "got"), "{person}", "at {camera}", "{probability}{}", '{"a": 1}', "{sighting}"],
        event,
    )
    got = json.loads((tmp_path / "got").read_text())
    assert got == ["Alice", "at $(touch x); `touch y`??", "0.9877{}", '{"a": 1}', "4"]
    run([*note(tmp_path / "all"), *(f"{{{field}}}" for field in FIELDS)], alice)
    got = json.loads((tmp_path / "all").read_text())
    assert got[0] == "Alice"
    assert not [text for text in got if "{" in text]


def test_no_camera_becomes_an_option(tmp_path, alice):
    """Whoever calls the daemon chooses its name."""
    event = {**alice, "camera": "--exec=x"}
    with pytest.raises(ActionFailed, match="must not become an option"):
        run([*note(tmp_path / "got"), "{camera}"], event)
    assert not (tmp_path / "got").exists()
    run([*note(tmp_path / "got"), "--camera={camera}"], event)
    assert json.loads((tmp_path / "got").read_text()) == ["--camera=--exec=x"]


def test_a_command_that_fails_says_why_in_the_log(tmp_path, alice, caplog):
    """What it wrote is not part of the error, which is kept: it may hold a name."""
    code = "import sys; sys.exit('Alice has no bell')"
    with pytest.raises(ActionFailed, match="must exit with status 0, got 1") as caught:
        run([sys.executable, "-c", code], alice)
    assert "Alice" not in str(caught.value)
    assert "Alice has no bell" in caplog.text
    with pytest.raises(ActionFailed, match="command none: cannot be run: No such file"):
        run([tmp_path / "none"], alice)


def test_a_command_that_hangs_is_killed_with_its_children(tmp_path, alice):
    """None of them is left behind."""
    pids = tmp_path / "pids"
    code = (
        "import os, subprocess, sys, time; child = subprocess.Popen(['sleep', '1000']);"
        f"open({str(pids)!r}, 'w').write(f'{{os.getpid()}} {{child.pid}}'); time.sleep(1000)"
    )

    async def story():
        running = asyncio.create_task(Command([sys.executable, "-c", code], 1.0).perform(alice))
        while not (pids.exists() and len(pids.read_text().split()) == 2):
            if running.done():
                # This machine is too slow for one second; that it was killed is true all the same.
                break
            await asyncio.sleep(0.01)
        with pytest.raises(ActionFailed, match="must end within 1 s"):
            await running

    asyncio.run(story())
    for pid in pids.read_text().split() if pids.exists() else ():
        end = time.monotonic() + PATIENCE_S
        while _lives(int(pid)):
            assert time.monotonic() < end
            time.sleep(0.01)


def _lives(pid):
    """Tell whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def call(settings, event):
    """Call a webhook for an event."""

    async def story():
        webhook = Webhook("bell", settings)
        try:
            await webhook.perform(event)
        finally:
            await webhook.close()

    asyncio.run(story())


def test_a_webhook_gets_the_event_as_json(web, alice, tmp_path):
    """As Home Assistant takes it, whose id is a secret in the address; it is read each time."""
    token = tmp_path / "token"
    token.write_text("secret-id\n")
    settings = WebhookSettings(f"{web.address}/api/webhook/{{token}}", token_file=token)
    call(settings, alice)
    token.write_text("an other/id")
    call(settings, {**alice, "name": None, "unknown": "unknown-3", "outcome": "unknown"})
    (path, headers, body), (other_path, _, other) = web.requests
    assert (path, other_path) == ("/api/webhook/secret-id", "/api/webhook/an%20other%2Fid")
    assert json.loads(body) == {"action": "bell", **alice, "person": "Alice"}
    assert json.loads(other)["person"] == "unknown-3"
    assert headers["Content-Type"] == "application/json"
    assert "Authorization" not in headers


def test_ntfy_gets_a_message(web, alice, tmp_path):
    """With names in any script, and the token as it wants it."""
    token = tmp_path / "token"
    token.write_text("tk_secret")
    settings = WebhookSettings(f"{web.address}/faces", "ntfy", "{person} is at {camera}", token)
    call(settings, {**alice, "name": "Zoë"})
    ((path, headers, body),) = web.requests
    assert (path, body.decode()) == ("/faces", "Zoë is at door")
    assert headers["Authorization"] == "Bearer tk_secret"


@pytest.mark.parametrize(
    ("answer", "expected"),
    [(500, "got 500"), (404, "got 404"), (302, "got 302"), ("hang", "within"), ("trickle", "within")],
)
def test_whatever_is_no_success_is_a_failure(web, alice, answer, expected):
    """In a limited time, without following redirects, and without the address, which may be secret."""
    web.answers["/secret"] = getattr(web, answer) if isinstance(answer, str) else answer
    timeout_s = 1.0 if isinstance(answer, str) else PATIENCE_S
    while not web.paths:  # on a busy machine, a second may not be enough to ask
        with pytest.raises(ActionFailed, match=expected) as caught:
            call(WebhookSettings(f"{web.address}/secret", timeout_s=timeout_s), alice)
        assert "secret" not in str(caught.value)
    assert web.paths == ["/secret"]


@pytest.mark.parametrize("url", ["http://me:secret@127.0.0.1:9/secret", "https://127.0.0.1:9/secret"])
def test_nobody_there_is_a_failure(alice, url):
    """The message has the host alone."""
    with pytest.raises(ActionFailed, match=r"127\.0\.0\.1:9: cannot be called: ConnectError") as caught:
        call(WebhookSettings(url), alice)
    assert "secret" not in str(caught.value)


def test_a_token_that_is_missing_is_a_failure(web, alice, tmp_path):
    """Nothing is sent without it."""
    settings = WebhookSettings(web.address, token_file=tmp_path / "token")
    with pytest.raises(ActionFailed, match="cannot be read: No such file"):
        call(settings, alice)
    (tmp_path / "token").write_text("\n")
    with pytest.raises(ActionFailed, match="must hold a token"):
        call(settings, alice)
    assert web.requests == []


@pytest.fixture
def pins():
    """gpiozero's mock pins."""
    gpiozero = pytest.importorskip("gpiozero", reason="needs gpiozero: pip install 'face_det[gpio]'")
    from gpiozero.pins.mock import MockFactory

    before, gpiozero.Device.pin_factory = gpiozero.Device.pin_factory, MockFactory()
    yield gpiozero.Device.pin_factory
    gpiozero.Device.pin_factory.reset()
    gpiozero.Device.pin_factory = before


async def until(condition):
    """Wait until condition() is true."""
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end
        await asyncio.sleep(0.005)


@pytest.mark.parametrize("active_low", [False, True])
def test_a_pin_is_on_for_a_while(pins, alice, active_low):
    """And off before and afterwards, also if the board wants it the other way round."""
    pin = Pin("GPIO17", active_low=active_low)
    wire = pins.pin("GPIO17")
    off = active_low
    assert wire.state is off

    async def story():
        await Pulse(pin, 0.2).perform(alice)
        assert wire.state is not off
        await until(lambda: wire.state is off)

    asyncio.run(story())
    pin.close()


@pytest.mark.parametrize("failing", ["on", "off"])
def test_a_pin_does_not_stay_on(pins, alice, monkeypatch, caplog, failing):
    """If switching off fails, it is tried again; what switching on had done before it failed is undone."""
    pin = Pin("GPIO17")
    wire, faults = pins.pin("GPIO17"), [OSError("the link is lost")] * 3
    real = getattr(pin._device, failing)

    def switch():
        if failing == "on":
            real()
        if faults:
            raise faults.pop()
        real()

    monkeypatch.setattr(pin._device, failing, switch)
    monkeypatch.setattr(pins_module, "AGAIN_S", 0.01)

    async def story():
        if failing == "on":
            with pytest.raises(ActionFailed, match="cannot be switched on: the link is lost"):
                await Pulse(pin, 0.05).perform(alice)
        else:
            await Pulse(pin, 0.05).perform(alice)
        assert wire.state is True
        await until(lambda: wire.state is False)

    asyncio.run(story())
    assert ("gpio GPIO17: cannot be switched off: the link is lost" in caplog.text) is (failing == "off")
    monkeypatch.undo()
    pin.close()


def test_actions_may_share_a_pin(pins, alice):
    """The longer one decides, whichever comes first; at the end it is off at once."""
    pin = Pin("GPIO17")
    wire = pins.pin("GPIO17")

    async def story():
        long, short = Pulse(pin, 1000), Pulse(pin, 0.01)
        await long.perform(alice)
        await short.perform(alice)
        await asyncio.sleep(0.1)
        assert wire.state is True
        await short.close()
        assert wire.state is False
        await long.close()

    asyncio.run(story())


def test_a_pin_that_is_not_there_is_a_fault_of_the_configuration(pins):
    """Said at the start, not when somebody comes."""
    with pytest.raises(ConfigError, match="gpio GPIO99: cannot be used"):
        Pin("GPIO99")


def test_without_gpiozero_it_says_how_to_get_it(monkeypatch):
    """It is an extra."""
    monkeypatch.setitem(sys.modules, "gpiozero", None)
    with pytest.raises(ConfigError, match=r"pip install 'face_det\[gpio\]'"):
        Pin("GPIO17")


def test_commands_get_the_environment(tmp_path, alice, monkeypatch):
    """Such as PATH."""
    monkeypatch.setenv("BELL", "ding")
    code = "import os, sys; sys.exit(os.environ['BELL'] != 'ding')"
    run([sys.executable, "-c", code], alice)
    assert os.environ["BELL"] == "ding"
