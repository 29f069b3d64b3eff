"""One photo -> its outcome; and many of them in processes that may die without spoiling the rest.

A picture can make a native library crash, or the kernel end a process for its memory. The pool is
then broken, and all that can be said is which photos were under way: each of them is tried once
more by itself, and the one that breaks its process again is a bad image.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import threading
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

from face_det.engine import Engine, EngineOptions, build_engine
from face_det.errors import DataError, FaceDetError
from face_det.gallery.encoding_cache import EncodingResult, OmissionReason, read_photo
from face_det.media import load_image
from face_det.types import Face, Reason

log = logging.getLogger(__name__)

HashedPhoto = tuple[str, Path]
"""sha256 and path of a photo."""

HashedResult = tuple["str | None", EncodingResult]
"""The sha256 of the bytes that were read, and what came of them. None: not to be kept."""

_UNDER_WAY = 2
"""Photos handed out for each process: one in work, one waiting."""

_FAULTS = (ArithmeticError, LookupError, MemoryError, RuntimeError, TypeError, ValueError)
"""What a network may raise over a picture that decodes."""


def result_of_faces(faces: Sequence[Face]) -> EncodingResult:
    """The outcome of a photo with these faces: exactly one must be large enough."""
    usable = [face for face in faces if face.reason is not Reason.TOO_SMALL]
    if len(usable) == 1:
        return EncodingResult(usable[0].encoding, None)
    if usable:
        return EncodingResult(None, OmissionReason.SEVERAL_FACES)
    return EncodingResult(None, OmissionReason.TOO_SMALL if faces else OmissionReason.NO_FACE)


def encode_photo(engine: Engine, path: Path) -> HashedResult:
    """What comes of one photo. A picture that cannot be used is an outcome, not an error."""
    sha256 = None
    try:
        sha256, data = read_photo(path)
        (faces,) = engine.faces([(load_image(data), None)])
    except DataError as error:
        log.info("%s: %s", path, error)
        return sha256, EncodingResult(None, OmissionReason.BAD_IMAGE)
    except _FAULTS as error:
        # Perhaps the picture's fault, perhaps ours: not kept, so that the next run tries again.
        log.warning("%s: %s: %s", path, type(error).__name__, error)
        return None, EncodingResult(None, OmissionReason.BAD_IMAGE)
    return sha256, result_of_faces(faces)


def encode_in_processes(
    tasks: Iterable[HashedPhoto], options: EngineOptions, jobs: int
) -> Generator[tuple[str, str | None, EncodingResult], None, None]:
    """What comes of photos, in the order in which they get done; close the iterator to stop.

    Raises FaceDetError if no process can be started.
    """
    tasks = iter(tasks)
    finished = False
    while not finished:
        with _Pool(options, jobs) as pool:
            under_way: dict[Future[HashedResult], HashedPhoto] = {}
            suspects: list[HashedPhoto] = []
            while not suspects:
                while len(under_way) < jobs * _UNDER_WAY and (task := next(tasks, None)) is not None:
                    under_way[pool.submit(task[1])] = task
                if not under_way:
                    finished = True
                    break
                done, _ = wait(under_way, return_when=FIRST_COMPLETED)
                # Once it is broken, all that are under way end, and at once.
                if any(isinstance(future.exception(), BrokenProcessPool) for future in done):
                    done, _ = wait(under_way)
                for future in done:
                    task = under_way.pop(future)
                    if isinstance(future.exception(), BrokenProcessPool):
                        suspects.append(task)
                    else:
                        yield (task[0], *future.result())
        for task in suspects:
            yield (task[0], *_encode_alone(task[1], options))


def _encode_alone(path: Path, options: EngineOptions) -> HashedResult:
    """A photo whose process may have died of it, in a process of its own."""
    with _Pool(options, 1) as pool:
        if isinstance(pool.submit(None).exception(), BrokenProcessPool):
            raise FaceDetError(
                "encode: processes end as soon as they start; try --jobs 1, and look at the memory"
            )
        future = pool.submit(path)
        if isinstance(future.exception(), BrokenProcessPool):
            log.warning("%s: ended the process that encoded it, twice", path)
            return None, EncodingResult(None, OmissionReason.BAD_IMAGE)
        return future.result()


class _Pool:
    """Processes with an engine each. They end with this process, however it ends."""

    def __init__(self, options: EngineOptions, jobs: int) -> None:
        context = multiprocessing.get_context("spawn")
        # Nothing is ever written: its end is read when all of our end of it is closed.
        self._theirs, self._ours = context.Pipe(duplex=False)
        self._executor = ProcessPoolExecutor(
            jobs, mp_context=context, initializer=_start_worker, initargs=(options, self._theirs)
        )

    def __enter__(self) -> _Pool:
        return self

    def __exit__(self, *_: object) -> None:
        """End the processes at once, in the middle of a picture too."""
        for process in list((self._executor._processes or {}).values()):
            process.kill()
        self._executor.shutdown(wait=True, cancel_futures=True)
        self._ours.close()
        self._theirs.close()

    def submit(self, path: Path | None) -> Future[HashedResult]:
        """Have a photo encoded; None only waits for a process to be ready."""
        with _interrupts_held():
            try:
                return self._executor.submit(_encode_in_worker, path)
            except BrokenProcessPool as error:
                future: Future[HashedResult] = Future()
                future.set_exception(error)
                return future


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Ctrl-C reaches every process of the terminal: those started meanwhile never take it, we do after."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


_engines: list[Engine] = []
"""In a process of the pool: its engine."""


def _start_worker(options: EngineOptions, parent: Connection) -> None:
    threading.Thread(target=_exit_with_parent, args=(parent,), daemon=True).start()
    _engines.append(build_engine(options))


def _exit_with_parent(parent: Connection) -> None:
    try:
        parent.recv_bytes()
    except (EOFError, OSError):
        os._exit(1)


def _encode_in_worker(path: Path | None) -> HashedResult:
    if path is None:
        return None, EncodingResult(None, OmissionReason.BAD_IMAGE)
    return encode_photo(_engines[0], path)
