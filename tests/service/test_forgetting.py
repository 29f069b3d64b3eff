"""Forgetting takes what is recognisably somebody's, under whatever name it was seen, or nothing at all."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from face_det.config.load import load_config
from face_det.errors import DataError
from face_det.service import Corrections, Memory, assembly
from face_det.service.service import Service

pytestmark = pytest.mark.usefixtures("shared_networks")


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """A service with a memory, which closes it at the end."""
    settings: dict[str, Any] = {"sightings": {}}
    (tmp_path / "config.json").write_text(json.dumps({"faceDetServer": settings}))
    service = assembly.build_service(load_config(tmp_path / "config.json", {}), remember=True)
    yield service
    memory(service).store.close()


def memory(service: Service) -> Memory:
    assert service.memory is not None
    return service.memory


def corrections(service: Service) -> Corrections:
    assert service.corrections is not None
    return service.corrections


def see(service: Service, *paths: Path) -> list[int]:
    """Let it look at pictures of one face, and return the ids of the sightings."""
    kept = []
    for path in paths:
        service.recognize(str(path), {"camera": path.name})
        memory(service).store.flush()
        kept.append(memory(service).sightings({"limit": 1})["items"][0]["id"])
    return kept


def ids(service: Service) -> list[int]:
    return sorted(item["id"] for item in memory(service).sightings()["items"])


def test_what_was_corrected_away_goes_too(service: Service, photos: Mapping[str, Path]) -> None:
    """It has no name any more, but it is the face of who is forgotten; a stranger's sighting stays."""
    service.add_face("Barack Obama", str(photos["obama"]))
    wrong, other = see(service, photos["obama2"], photos["biden"])
    corrections(service).correct(wrong, None, "test")
    done = service.forget("Barack Obama")
    assert (done["sightings"], done["recognised"]) == (1, 1)
    assert ids(service) == [other]


def test_the_word_of_a_user_stays(service: Service, photos: Mapping[str, Path]) -> None:
    """Who was said to be somebody else, by a name, or is ignored is not who is forgotten."""
    ignored = see(service, photos["biden"], photos["obama"], photos["obama2"])
    corrections(service).ignore("unknown-1", "test")
    service.add_face("Barack Obama", str(photos["obama3"]))
    named = see(service, photos["biden"])
    corrections(service).confirm(named[0], "Joe Biden", "test")
    service.forget("Barack Obama")
    assert ids(service) == [*ignored, *named]


def test_without_the_photos_nothing_is_erased(service: Service, photos: Mapping[str, Path]) -> None:
    """The folder is not mounted: forgetting refuses, and says that nothing was changed, which is true."""
    service.add_face("Barack Obama", str(photos["obama"]))
    kept = see(service, photos["obama2"])
    dataset = Path(service.status()["dataset"])
    dataset.rename(dataset.with_name("elsewhere"))
    with pytest.raises(DataError, match="nothing was changed"):
        service.forget("Barack Obama")
    assert ids(service) == kept
    dataset.with_name("elsewhere").rename(dataset)
    done = service.forget("Barack Obama")
    assert done == {"name": "Barack Obama", "images": 1, "encodings": 1, "sightings": 1}


def test_the_recognizer_is_switched_once(
    service: Service, photos: Mapping[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each switch reads all encodings, and decides past sightings again."""
    service.add_face("Barack Obama", str(photos["obama"]))
    (wrong,) = see(service, photos["obama2"])
    corrections(service).correct(wrong, None, "test")
    store, switched = memory(service).store, []
    use = store.use
    monkeypatch.setattr(store, "use", lambda *how: (switched.append(how), use(*how)))
    service.forget("Barack Obama")
    assert len(switched) == 1
    assert not memory(service).negatives(service._recognizer.engine.fingerprint)
    assert not service._recognizer.negatives
