"""The file of the password and the tokens, and the commands that write it."""

from __future__ import annotations

import io
import json
import os
import pty
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from running_here import run_here

from face_det.errors import BadName, ConfigError, DataError
from face_det.gateway.security import credentials

FACE_DET = Path(sys.executable).with_name("face-det")


@pytest.fixture
def web(tmp_path, monkeypatch):
    """web("tokens", "list", text="..."): the command at its end, in a folder with a config.json."""
    (tmp_path / "config.json").write_text('{"faceDetServer": {}}')

    def run(*words, text="", cwd=tmp_path):
        monkeypatch.setattr(sys, "stdin", io.StringIO(text))
        return run_here("web", *words, cwd=cwd)

    return run


def test_only_hashes_are_kept_and_only_the_owner_reads_them(credentials_path):
    """Neither the password nor the token is in the file."""
    credentials.set_password(credentials_path, "long enough")
    token = credentials.add_token(credentials_path, "ha")
    text = credentials_path.read_text()
    assert "long enough" not in text
    assert token not in text
    assert stat.S_IMODE(credentials_path.stat().st_mode) == 0o600
    kept = credentials.load_credentials(credentials_path)
    assert kept.password.startswith("$argon2id$")
    assert credentials.verify_password(kept.password, "long enough")
    assert not credentials.verify_password(kept.password, "long enougH")
    assert credentials.find_token(kept, token).name == "ha"
    assert credentials.find_token(kept, token[:-1]) is None


def test_a_file_keeps_its_owner(credentials_path):
    """Root sets the password; the service's user reads it."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to give a file away")
    credentials_path.write_text("{}")
    credentials_path.chmod(0o600)
    os.chown(credentials_path, 12345, 12345)
    credentials.add_token(credentials_path, "ha")
    assert credentials_path.stat().st_uid == 12345


@pytest.mark.parametrize("password", ["", "1234567", "x" * 1025])
def test_a_password_has_a_sensible_length(credentials_path, password):
    """Too short to resist, or too long to compare."""
    with pytest.raises(DataError, match=r"password: must have 8 to 1024 characters, got \d+"):
        credentials.set_password(credentials_path, password)
    assert not credentials_path.exists()


def test_names_of_tokens(credentials_path):
    """One token for each; a name is a word."""
    credentials.add_token(credentials_path, "ha")
    with pytest.raises(ConfigError, match="ha: already has a token"):
        credentials.add_token(credentials_path, "ha")
    for name in ("", "a b", "../x", "x" * 65):
        with pytest.raises(BadName):
            credentials.add_token(credentials_path, name)
    with pytest.raises(ConfigError, match=r"hb: must be the name of a token \(ha\)"):
        credentials.remove_token(credentials_path, "hb")
    credentials.remove_token(credentials_path, "ha")
    assert not credentials.load_credentials(credentials_path)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("{", "must be JSON"),
        ("[]", "must be an object"),
        ('{"pasword": "x"}', "must be an object with"),
        ('{"password": "plain text"}', "must be an argon2 hash"),
        ('{"tokens": {}}', "tokens: must be a list"),
        ('{"tokens": [{"name": "ha"}]}', "tokens: each must have"),
        ('{"tokens": [{"name": "ha", "hash": "x", "added": 0}]}', "hash: must be a SHA-256"),
        ("x" * 1_000_001, "must not be larger"),
    ],
)
def test_a_damaged_file_is_a_fault(credentials_path, content, fault):
    """Named, with its place; it is never taken for an empty one."""
    credentials_path.write_text(content)
    credentials_path.chmod(0o600)
    with pytest.raises(ConfigError, match=fault) as raised:
        credentials.load_credentials(credentials_path)
    assert str(credentials_path) in str(raised.value)


def test_a_file_that_others_may_read_is_refused(credentials_path):
    """It says what to run."""
    credentials.add_token(credentials_path, "ha")
    credentials_path.chmod(0o640)
    with pytest.raises(ConfigError, match="chmod 600"):
        credentials.load_credentials(credentials_path)


def test_the_command_sets_a_password_from_stdin(web, credentials_path):
    """Its first line, whatever ends it; nothing of it is printed."""
    done = web("password", "--stdin", text="long enough\r\nanother\n")
    assert done.returncode == 0, done.stderr
    assert "long enough" not in done.stdout + done.stderr
    kept = credentials.load_credentials(credentials_path).password
    assert credentials.verify_password(kept, "long enough")
    assert web("password", "--stdin", text="short\n").returncode == 65


def test_nobody_to_ask_for_a_password(web, credentials_path):
    """Without a terminal it wants --stdin; nothing is read or written."""
    done = web("password", text="long enough\nlong enough\n")
    assert done.returncode == 2
    assert "there is no terminal to ask for the password; add --stdin" in done.stderr
    assert not credentials_path.exists()


@pytest.mark.skipif(shutil.which("setsid") is None, reason="needs setsid, for a terminal")
def test_the_command_asks_twice_at_a_terminal(tmp_path, web, credentials_path):
    """Until both are the same; they are not echoed."""
    ours, theirs = pty.openpty()
    command = ["setsid", "--ctty", "--wait", FACE_DET, "web", "password"]
    with subprocess.Popen(command, cwd=tmp_path, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        said = []
        for line in (b"long enough\n", b"long enuogh\n", b"long enough\n", b"long enough\n"):
            prompt = b""
            while not prompt.endswith(b": "):
                prompt += os.read(ours, 1000)
            said.append(prompt)
            os.write(ours, line)
        assert process.wait(120) == 0
    os.close(ours)
    assert b"long" not in b"".join(said)
    kept = credentials.load_credentials(credentials_path).password
    assert credentials.verify_password(kept, "long enough")


@pytest.mark.skipif(shutil.which("setsid") is None, reason="needs setsid, for a terminal")
def test_ctrl_c_at_the_question_for_a_password(tmp_path, credentials_path):
    """Nothing is said to be kept where nothing was done."""
    ours, theirs = pty.openpty()
    command = ["setsid", "--ctty", "--wait", FACE_DET, "web", "password"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=tmp_path, stdin=theirs, stdout=theirs, stderr=pipe) as process:
        os.close(theirs)
        said = b""
        while not said.endswith(b": "):
            said += os.read(ours, 1000)
        os.write(ours, b"\x03")
        said = process.stderr.read()
        assert process.wait(120) == 130
    os.close(ours)
    assert said.strip() == b"face-det: interrupted; nothing was changed"
    assert not credentials_path.exists()


def test_the_commands_for_tokens(tmp_path, web, credentials_path):
    """Added and shown once, listed, removed; --config may stand anywhere."""
    added = web("tokens", "add", "ha")
    token = added.stdout.strip()
    assert token.startswith("fd_")
    assert credentials.find_token(credentials.load_credentials(credentials_path), token).name == "ha"
    listed = web("tokens", "list")
    assert listed.stdout.endswith("  ha\n")
    assert token not in listed.stdout
    other = tmp_path / "other.json"
    other.write_text('{"faceDetServer": {"http": {"credentialsPath": "kept.json"}}}')
    assert web("--config", "other.json", "tokens", "add", "hb").returncode == 0
    assert web("tokens", "add", "hc", "--config", "other.json").returncode == 0
    found = json.loads(web("--config", "other.json", "tokens", "list", "--json").stdout)
    assert [entry["name"] for entry in found] == ["hb", "hc"]
    assert (tmp_path / "kept.json").exists()
    assert web("tokens", "remove", "ha").returncode == 0
    assert web("tokens", "list").stdout == ""
    assert web("tokens", "remove", "ha").returncode == 78


def test_beyond_this_machine_the_command_ends_with_78(web, tmp_path):
    """It says what to do, before it listens."""
    (tmp_path / "config.json").write_text('{"faceDetServer": {"http": {"host": "0.0.0.0", "port": 0}}}')
    done = web()
    assert done.returncode == 78
    assert "face-det: http.host 0.0.0.0: other machines could reach the page" in done.stderr


def test_the_default_file_is_beside_the_settings(tmp_path, web, credentials_path):
    """Wherever the command is run, and whether `http` is set or not."""
    assert web("tokens", "add", "ha", "--config", tmp_path / "config.json", cwd="/").returncode == 0
    assert credentials_path.exists()
