"""What every test may ask for."""

from __future__ import annotations

import copy
import importlib.util
import logging
import os
import pickle
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import PIL.Image
import pytest

from face_det.classifiers import CLASSIFIERS
from face_det.detectors import DETECTORS
from face_det.embedders import EMBEDDERS
from face_det.nets.sessions import session
from face_det.registry import Menu

REPOSITORY = Path(__file__).parents[1]

pytest_plugins = ["daemon_fixtures", "disks"]

# Each worker of pytest has a core; more threads than that only wait for each other.
for threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(threads, "1")

# A shell starts what it puts in the background with SIGINT ignored, and what tests start inherits that:
# no Ctrl-C would end it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Hundreds of tests start a Python. Each would compile every module that it imports again where
# PYTHONDONTWRITEBYTECODE is set, which takes longer than the tests themselves. The environment is
# for the workers and for what tests start, the rest for this process.
BYTECODE = REPOSITORY / ".cache" / "bytecode"
os.environ["PYTHONPYCACHEPREFIX"] = sys.pycache_prefix = str(BYTECODE)
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False


def load_script(name: str) -> ModuleType:
    """A file of scripts/ as a module: they are no package."""
    spec = importlib.util.spec_from_file_location(f"scripts_{name}", REPOSITORY / "scripts" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(autouse=True)
def _same_log_level() -> Iterator[None]:
    """A command that ran in this process has set one, and later tests count what is logged."""
    ours = logging.getLogger("face_det")
    before = ours.level
    yield
    ours.setLevel(before)


@pytest.fixture(scope="session", autouse=True)
def _runtime_folder(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Programs say in files of this folder who they are; the machine's own would keep them for ever."""
    os.environ["XDG_RUNTIME_DIR"] = str(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="session")
def _photos() -> dict[str, Path]:
    """`photos`, by a name that no module gives to others."""
    found: dict[str, Path] = load_script("photos").photos()
    return found


@pytest.fixture(scope="session")
def photos(_photos: dict[str, Path]) -> dict[str, Path]:
    """Name -> file of real photos, taken by scripts/photos.py: obama, obama2, biden, t1, nobody, ..."""
    return _photos


@pytest.fixture(scope="session")
def small_photos(_photos: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same photos, the large portraits at 640 pixels: read, searched and encoded in a fraction of the
    time. A module whose tests are not about size makes them its `photos`."""
    folder = tmp_path_factory.mktemp("photos")
    found = dict(_photos)
    for name in ("obama", "obama2", "obama3", "biden"):
        with PIL.Image.open(_photos[name]) as picture:
            picture.thumbnail((640, 640))
            found[name] = folder / f"{name}.jpg"
            picture.save(found[name], quality=95)
    return found


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the checkout."""
    return REPOSITORY


@pytest.fixture(scope="session")
def _loaded() -> dict[Any, Any]:
    """What `shared_networks` has loaded in this process."""
    return {}


@pytest.fixture
def shared_networks(monkeypatch: pytest.MonkeyPatch, _loaded: dict[Any, Any]) -> None:
    """Detectors, embedders and dlib's networks are loaded by the first test that asks for each, which
    takes a second or two, and used by the others. For tests that are about something else than loading,
    and that neither change an embedder nor ask for jitters of dlib's, whose random numbers go on."""
    create, load_session = Menu.create, session.load_dlib_session

    def once(make: Any, *key: Any) -> Any:
        if key not in _loaded:
            _loaded[key] = make()
        return _loaded[key]

    def created(menu: Menu[Any], name: str, **options: Any) -> Any:
        if menu is not DETECTORS and menu is not EMBEDDERS:
            return create(menu, name, **options)
        return once(lambda: create(menu, name, **options), name, *sorted(options.items()))

    monkeypatch.setattr(Menu, "create", created)
    monkeypatch.setattr(
        session, "load_dlib_session", lambda *which: once(lambda: load_session(*which), "session", *which)
    )


@pytest.fixture(scope="session")
def _searched() -> dict[bytes, Any]:
    """What `searched_once` has found in this process."""
    return {}


@pytest.fixture
def searched_once(monkeypatch: pytest.MonkeyPatch, _searched: dict[bytes, Any]) -> None:
    """A recipe that is given the same encodings again answers what it answered before. For tests that are
    about what becomes of classifiers, not about how they are found; trees are few."""
    from face_det.classifiers import xgb

    few = {"n_estimators": 10}
    monkeypatch.setattr(xgb, "QUICK_PACE", {**xgb.QUICK_PACE, **few})
    monkeypatch.setattr(xgb.XgbRecipe, "defaults", {**xgb.XgbRecipe.defaults, **few})
    create = Menu.create

    def created(menu: Menu[Any], name: str, **options: Any) -> Any:
        recipe = create(menu, name, **options)
        if menu is not CLASSIFIERS:
            return recipe

        def remembering(way: str) -> Any:
            method = getattr(recipe, way)

            def answer(*arguments: Any, on_progress: Any = None, **named: Any) -> Any:
                key = pickle.dumps((name, sorted(options.items()), way, arguments, sorted(named.items())))
                if key not in _searched:
                    reported = {} if on_progress is None else {"on_progress": on_progress}
                    _searched[key] = method(*arguments, **named, **reported)
                # A copy, because a template is calibrated in place, and every model gets its card.
                return copy.deepcopy(_searched[key])

            return answer

        recipe.search, recipe.refit = remembering("search"), remembering("refit")
        return recipe

    monkeypatch.setattr(Menu, "create", created)
