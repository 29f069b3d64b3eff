"""Errors say what is wrong and not where this machine keeps its files; the log says that as well."""

from __future__ import annotations

import logging

import pytest

from face_det import errors
from face_det.gateway.problems import describe_error

SAID = {
    "/srv/faces/dataset: must hold photos of people": "dataset: must hold photos of people",
    "/srv/faces/state/restore/a.pickle: names os.system": "a.pickle: names os.system",
    "o.jpg: must lie in an allowed folder (/srv/a, /srv/b/c)": "o.jpg: must lie in an allowed folder (a, c)",
    "a/b and /srv/x.pickle and svm/xgb differ": "a/b and x.pickle and svm/xgb differ",
    "run: chmod 600 '/srv/x/z'": "run: chmod 600 'z'",
    "name: must be letters, got '/'": "name: must be letters, got '/'",
    "see https://example.org/a/b and docs/a.md": "see https://example.org/a/b and docs/a.md",
    "1/2 and a / b, w/o and/or": "1/2 and a / b, w/o and/or",
}


@pytest.mark.parametrize(("error", "said"), SAID.items(), ids=range(len(SAID)))
def test_of_a_path_only_the_files_name_is_said(error, said):
    """What is no path stays as it is."""
    assert describe_error(errors.ModelError(error)) == said


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/api/v1/people"), ("GET", "/api/v1/recognition/subjects")]
)
@pytest.mark.parametrize(
    ("error", "said"),
    [
        (errors.ModelError("/srv/faces/dataset: must hold photos"), "dataset: must hold photos"),
        (errors.Unreachable("ipc:///srv/faces/d.sock: a daemon must answer there"), "does not answer"),
    ],
)
def test_no_answer_names_a_folder(serving, caplog, method, path, error, said):
    """In whichever words the error is told; the log has all of it."""
    caplog.set_level(logging.INFO)
    gateway = serving(standIns=["compreface"])

    async def fail(verb, *args, timeout_s=None):
        raise error

    gateway.daemon.call = fail
    with gateway.client() as client:
        answer = client.request(method, path)
    assert said in answer.text
    assert "/srv" not in answer.text
    assert str(error) in caplog.text
