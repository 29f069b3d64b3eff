"""config.json and the environment: right values, and every fault with its place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from face_det.config import load, settings
from face_det.errors import ConfigError
from face_det.nets.compute import Compute

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Writes ./config.json, from keys of faceDetServer or as raw text."""
    monkeypatch.chdir(tmp_path)

    def write(text: str | bytes | None = None, **keys: object) -> Path:
        path = Path("config.json")
        if text is None:
            text = json.dumps({"faceDetServer": keys})
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def faults(path: Path | None, environ: dict[str, str] | None = None) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        load.load_config(path, environ or {})
    assert caught.value.exit_code == 78
    return caught.value.faults


def test_defaults_are_the_contract(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a file or environment: the documented defaults, paths from the current folder."""
    monkeypatch.chdir(tmp_path)
    got = load.load_config(None, {})
    assert got.model_path == tmp_path / "svm_face_recognizer.pickle"
    assert got.label_path == tmp_path / "face_labels.pickle"
    assert got.encodings_path == tmp_path / "encodings.pickle"
    assert got.dataset_path == tmp_path / "dataset"
    assert (got.min_proba, got.focus_measure_threshold, got.min_face) == (0, 0, 16)
    assert (got.num_face_img_upsample, got.num_jitters, got.face_det_model) == (1, 1, "auto")
    assert (got.zerorpc_heart_beat, got.zerorpc_pipe) == (60_000, "ipc:///tmp/face_detect_zmq.pipe")
    assert (got.mount_point, got.image_roots, got.threads, got.workers) == ("", (), 1, 1)
    assert (got.embedder, got.classifier, got.decision, got.false_accept_rate) == (*["auto"] * 3, 0.001)


def test_an_original_file_loads(write: Any) -> None:
    """Every key of the original, its 500 jitters and its comment; relative paths start from the file."""
    path = write(
        comment="Configuration for face recognizer server",
        modelPath="./svm_face_recognizer.pickle",
        labelPath="/srv/face_labels.pickle",
        encodingsPath="encodings.pickle",
        minProba=0.8,
        focusMeasureThreshold=100,
        minFace=40,
        numFaceImgUpsample=0,
        faceDetModel="hog",
        numJitters=500,
        zerorpcHeartBeat=60000,
        zerorpcPipe="tcp://192.168.1.131:1234",
        mountPoint="/mnt",
    )
    got = load.load_config(path, {})
    assert got.model_path == path.absolute().parent / "svm_face_recognizer.pickle"
    assert got.label_path == Path("/srv/face_labels.pickle")
    assert (got.num_jitters, got.min_face, got.mount_point) == (500, 40.0, "/mnt")


def test_the_file_may_be_shared_with_an_object_detector(write: Any) -> None:
    """An objDetServer section beside ours is not our business."""
    path = write('{"comment": "x", "objDetServer": {"minScore": 0.8}, "faceDetServer": {"minProba": 0.5}}')
    assert load.load_config(path, {}).min_proba == 0.5


def test_paths_start_from_the_files_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not from the current folder, also those of the environment."""
    (tmp_path / "etc").mkdir()
    path = tmp_path / "etc/config.json"
    path.write_text('{"faceDetServer": {"imageRoots": ["frames", "/events"]}}')
    monkeypatch.chdir("/")
    got = load.load_config(path, {"FACE_DET_MODELPATH": "m.pickle"})
    assert got.image_roots == (tmp_path / "etc/frames", Path("/events"))
    assert got.model_path == tmp_path / "etc/m.pickle"


def test_environment_wins(write: Any) -> None:
    """A variable of each type replaces what the file says."""
    path = write(minProba=0.5, threads=1, imageRoots=["/x"], faceDetModel="cnn")
    environ = {
        "FACE_DET_MINPROBA": "0.75",
        "FACE_DET_THREADS": "2",
        "FACE_DET_IMAGEROOTS": '["/a", "/b:c"]',
        "FACE_DET_FACEDETMODEL": "hog",
        "FACE_DET_CONFIG": "ignored here",
        "PATH": "/bin",
    }
    got = load.load_config(path, environ)
    assert (got.min_proba, got.threads, got.face_det_model) == (0.75, 2, "hog")
    assert got.image_roots == (Path("/a"), Path("/b:c"))


@pytest.mark.parametrize(("text", "roots"), [("/a:/b", ["/a", "/b"]), ("/a", ["/a"]), ("[]", [])])
def test_lists_from_the_environment(text: str, roots: list[str]) -> None:
    """Lists may be separated as in PATH."""
    assert load.load_config(None, {"FACE_DET_IMAGEROOTS": text}).image_roots == tuple(map(Path, roots))


def test_all_faults_at_once(write: Any) -> None:
    """Each fault of file and environment is one line, with its place."""
    path = write(minProba="abc", minFace=True, minProbba=0.5, numJitters=0)
    assert faults(path, {"FACE_DET_THREADS": "many", "FACE_DET_MINFACES": "3"}) == (
        "config.json: faceDetServer.minProbba: unknown key; did you mean minProba?",
        'config.json: faceDetServer.minProba: must be a number from 0 to 1, got "abc"',
        "config.json: faceDetServer.minFace: must be a number from 0 to 100000, got true",
        "config.json: faceDetServer.numJitters: must be a whole number from 1 to 10000, got 0",
        "environment: FACE_DET_MINFACES: unknown key; did you mean FACE_DET_MINFACE?",
        'environment: FACE_DET_THREADS: must be a whole number from 1 to 256, got "many"',
    )


def test_an_empty_list_of_roots_is_no_accident(write: Any) -> None:
    """An empty variable does not lift what the file restricts: whoever wants that says so."""
    path = write(imageRoots=["/events"])
    with pytest.raises(ConfigError, match="FACE_DET_IMAGEROOTS: must be"):
        load.load_config(path, {"FACE_DET_IMAGEROOTS": ""})
    assert load.load_config(path, {"FACE_DET_IMAGEROOTS": "[]"}).image_roots == ()


def test_a_fault_in_the_file_counts_even_if_the_environment_wins(write: Any) -> None:
    """What is hidden today would be found at the wrong time."""
    assert len(faults(write(minProba=2), {"FACE_DET_MINPROBA": "0.5"})) == 1


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("svmModelPath", "modelPath"),
        ("svmLabelPath", "labelPath"),
        ("minSvmProba", "minProba"),
        ("MinProba", "minProba"),
        ("min_proba", "minProba"),
        ("zerorpcHeartbeat", "zerorpcHeartBeat"),
        ("zeroRpcPipe", "zerorpcPipe"),
        ("imageRoot", "imageRoots"),
    ],
)
def test_misspelt_keys_are_suggested(write: Any, wrong: str, right: str) -> None:
    """Misspelt keys, our own spelling, and those of the original's first version."""
    assert faults(write(**{wrong: 1})) == (
        f"config.json: faceDetServer.{wrong}: unknown key; did you mean {right}?",
    )


def test_a_key_like_no_other_gets_no_suggestion(write: Any) -> None:
    """A wild guess would mislead."""
    assert faults(write(zzz=1)) == ("config.json: faceDetServer.zzz: unknown key",)


@pytest.mark.parametrize(
    ("key", "value", "shown"),
    [
        ("minProba", "0.5", '"0.5"'),
        ("minProba", -0.1, "-0.1"),
        ("minProba", 1.01, "1.01"),
        ("minProba", None, "null"),
        ("minProba", 10**400, "1000000"),
        ("numJitters", 1.0, "1.0"),
        ("numJitters", True, "true"),
        ("threads", [], "[]"),
        ("workers", 65, "65"),
        ("modelPath", "", '""'),
        ("modelPath", "a\0b", '"a\\u0000b"'),
        ("modelPath", 3, "3"),
        ("mountPoint", 3, "3"),
        ("imageRoots", "/a", '"/a"'),
        ("imageRoots", ["/a", 3], '["/a", 3]'),
        ("faceDetModel", "cnnn", '"cnnn"'),
        ("faceDetModel", 1, "1"),
        ("embedder", "openface", '"openface"'),
        ("classifier", "original", '"original"'),
        ("decision", "distance", '"distance"'),
        ("falseAcceptRate", 0, "0"),
        ("falseAcceptRate", 0.11, "0.11"),
        ("falseAcceptRate", "0.01", '"0.01"'),
        ("logLevel", "loud", '"loud"'),
        ("runtime", "tensorflow", '"tensorflow"'),
        ("precision", "int8", '"int8"'),
        ("device", "gpu", '"gpu"'),
        ("jitter", "slow", '"slow"'),
        ("zerorpcPipe", "ipc://relative", '"ipc://relative"'),
        ("zerorpcPipe", "ipc:///folder/", '"ipc:///folder/"'),
        ("zerorpcPipe", "ipc:///" + "x" * 107, '"ipc:///xxx'),
        ("zerorpcPipe", "/tmp/x", '"/tmp/x"'),
        ("zerorpcPipe", "tcp://host", '"tcp://host"'),
        ("zerorpcPipe", "tcp://:1", '"tcp://:1"'),
        ("zerorpcPipe", "tcp://host:0", '"tcp://host:0"'),
        ("zerorpcPipe", "tcp://host:65536", '"tcp://host:65536"'),
        ("zerorpcPipe", "udp://host:1", '"udp://host:1"'),
    ],
)
def test_wrong_values_are_refused(write: Any, key: str, value: object, shown: str) -> None:
    """Types are strict and ranges are kept: must be X, got Y."""
    (fault,) = faults(write(**{key: value}))
    assert fault.startswith(f"config.json: faceDetServer.{key}: must be ")
    assert f", got {shown}" in fault
    assert "\n" not in fault


@pytest.mark.parametrize(
    "endpoint",
    [
        "ipc:///run/face det/rpc.sock",
        "tcp://127.0.0.1:4242",
        "tcp://*:1",
        "tcp://[::1]:65535",
        "tcp://nas.lan:80",
    ],
)
def test_endpoints(write: Any, endpoint: str) -> None:
    """Both transports, with names, addresses and all interfaces."""
    assert load.load_config(write(zerorpcPipe=endpoint), {}).zerorpc_pipe == endpoint


@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_no_number_is_no_number(write: Any, word: str) -> None:
    """JSON has no NaN and no infinity, and a float cannot be that large."""
    path = write(f'{{"faceDetServer": {{"minFace": {word}}}}}')
    assert faults(path)[0].startswith("config.json: faceDetServer.minFace: must be a number from")
    (fault,) = faults(None, {"FACE_DET_MINFACE": word})
    assert fault == f'environment: FACE_DET_MINFACE: must be a number from 0 to 100000, got "{word}"'


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('{"faceDetServer": {\n  "minFace" 3\n}}', "config.json: line 2, column 13: must be JSON: "),
        ("", "config.json: line 1, column 1: must be JSON: "),
        (b'{\n"a": "\xff"}', "config.json: line 2: must be UTF-8, got byte 0xff"),
        ("[" * 100_000, "config.json: must be JSON of a sensible size: "),
        ("[]", 'config.json: must be {"faceDetServer": {...}}, got []'),
        ("null", 'config.json: must be {"faceDetServer": {...}}, got null'),
        ("{}", "config.json: faceDetServer: missing; put the settings in it"),
        ('{"faceDetServer": 3}', "config.json: faceDetServer: must be an object, got 3"),
    ],
)
def test_damaged_files(write: Any, text: str | bytes, fault: str) -> None:
    """Syntax errors come with line and column; a wrong shape says what it must be."""
    (got,) = faults(write(text))
    assert got.startswith(fault)


def test_repeated_keys_are_faults(write: Any) -> None:
    """Of two equal keys one would be lost silently."""
    text = '{"faceDetServer": {"minFace": 3, "minFace": 4}, "objDetServer": {"a": [{"b": 1, "b": 2}]}}'
    assert faults(write(text)) == (
        "config.json: faceDetServer.minFace: appears twice; keep one",
        "config.json: objDetServer.a[0].b: appears twice; keep one",
    )


def test_keys_outside_the_section(write: Any) -> None:
    """A misspelt section, and settings beside it instead of in it."""
    assert faults(write('{"faceDetSever": {}, "minProba": 0.5, "other": 1}')) == (
        "config.json: faceDetSever: unknown key; did you mean faceDetServer?",
        "config.json: minProba: must be inside faceDetServer",
        "config.json: other: unknown key",
        "config.json: faceDetServer: missing; put the settings in it",
    )


def test_a_byte_order_mark_is_no_fault(write: Any) -> None:
    """Editors on Windows write one."""
    assert load.load_config(write(b'\xef\xbb\xbf{"faceDetServer": {"minFace": 9}}'), {}).min_face == 9


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    """A missing file and a folder, each with its path."""
    (fault,) = faults(tmp_path / "no.json")
    assert fault == f"{tmp_path}/no.json: must be a readable file, got: No such file or directory"
    (fault,) = faults(tmp_path)
    assert fault.startswith(f"{tmp_path}: must be a readable file")


def test_model_labels_and_encodings_are_three_files(write: Any) -> None:
    """Writing one over the other would lose data; seen also across file and environment."""
    path = write(labelPath="./x.pickle")
    (fault,) = faults(path, {"FACE_DET_MODELPATH": "x.pickle"})
    assert fault == "config.json: modelPath, labelPath and encodingsPath: must be three different files"


def test_networks_are_run_as_asked_or_not_at_all(write: Any) -> None:
    """What goes into Compute; what no runtime does is said at once, with the key that is in the way."""
    got = load.load_config(write(runtime="openvino", precision="bf16", threads=2, jitter="fast"), {})
    assert got.compute == Compute("openvino", "bf16", "cpu", 2)
    assert got.jitter == "fast"
    assert load.load_config(None, {}).compute == Compute()
    assert faults(write(precision="bf16"), {"FACE_DET_RUNTIME": "onnxruntime"}) == (
        "config.json: precision: must be fp32 with runtime onnxruntime, got bf16; only openvino has it",
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": "ftp://me:s3cret@cam/x"},
        {"url": "http://me:s3cret@cam:999999/x"},
        {"url": "me:s3cret@cam"},
        {"url": ["rtsp://me:s3cret@cam/x"]},
        "rtsp://me:s3cret@cam/x",
    ],
)
def test_a_cameras_address_is_not_shown(write: Any, wrong: Any) -> None:
    """It may contain a password, and what is wrong with a configuration ends up in logs."""
    for found in (
        faults(write(cameras={"front": wrong})),
        faults(write(), {"FACE_DET_CAMERAS": json.dumps({"front": wrong})}),
        faults(write(), {"FACE_DET_CAMERAS": json.dumps({"front": wrong})[:-1]}),
    ):
        assert "cameras" in found[0].lower()
        assert "s3cret" not in "".join(found)


def test_config_is_frozen() -> None:
    """Settings that were checked stay as they were checked."""
    with pytest.raises(ValueError, match="frozen"):
        load.load_config(None, {}).min_proba = 0.1


def test_locate(write: Any) -> None:
    """The given file, else FACE_DET_CONFIG's, else ./config.json, else none."""
    assert load.locate_config(None, {}) is None
    write()
    assert load.locate_config(None, {}) == Path("config.json")
    assert load.locate_config(None, {"FACE_DET_CONFIG": "/etc/f.json"}) == Path("/etc/f.json")
    assert load.locate_config(Path("g.json"), {"FACE_DET_CONFIG": "/etc/f.json"}) == Path("g.json")


def test_the_repositorys_file_is_the_defaults(tmp_path: Path) -> None:
    """The working example says what would hold without it, and holds every key of the original."""
    path = tmp_path / "config.json"
    path.write_bytes((REPOSITORY / "config.json").read_bytes())
    example = load.load_config(path, {})
    assert {"modelPath", "minProba", "zerorpcPipe", "imageRoots"} < json.loads(path.read_text())[
        "faceDetServer"
    ].keys()
    defaults = settings.Config.model_validate({}, context={"base": tmp_path})
    assert example.model_copy(update={"comment": ""}) == defaults
