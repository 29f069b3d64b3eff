"""Encodes one photo, or many in worker processes that may die without losing the rest.

A picture can crash a native library, or make the kernel kill a process for its memory. The pool is
then broken, and all we know is which photos were in progress. Each of them is tried once more in a
process of its own; a photo that kills its process again is recorded as a bad image.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import threading
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

from face_det.engine import EngineOptions, FaceEngine, build_engine
from face_det.errors import DataError, FaceDetError
from face_det.gallery.encoding_cache import EncodingResult, OmissionReason, read_photo
from face_det.gallery.one_face import result_of_faces, unreadable_reason
from face_det.media import lacks_decoder, load_image

log = logging.getLogger(__name__)

HashedPhoto = tuple[str, Path]
"""The sha256 and the path of a photo."""

HashedResult = tuple["str | None", EncodingResult]
"""The sha256 of the bytes that were read, or None if the result must not be cached; and the result."""

_PER_PROCESS = 2
"""Photos handed out per process: one in progress, one waiting."""

_FAULTS = (ArithmeticError, LookupError, MemoryError, RuntimeError, TypeError, ValueError)
"""What a network may raise for a picture that can be decoded."""


def encode_photo(engine: FaceEngine, path: Path) -> HashedResult:
    """Encode one photo. A photo that cannot be used is a result, not an error."""
    sha256 = None
    try:
        sha256, data = read_photo(path)
        if lacks_decoder(data):  # not cached, because it may be installed before the next run
            return None, EncodingResult(None, OmissionReason.NO_DECODER)
        rgb = load_image(data)
        (faces,) = engine.faces([(rgb, None)])
    except DataError as error:
        log.info("%s: %s", path, error)
        return sha256, EncodingResult(None, unreadable_reason(error))
    except _FAULTS as error:
        # The picture's fault or ours: not cached, so that the next run tries again.
        log.warning("%s: %s: %s", path, type(error).__name__, error)
        return None, EncodingResult(None, OmissionReason.BAD_IMAGE)
    return sha256, result_of_faces(faces, rgb.shape[1], rgb.shape[0])


def encode_in_processes(
    tasks: Iterable[HashedPhoto], options: EngineOptions, jobs: int
) -> Generator[tuple[str, str | None, EncodingResult], None, None]:
    """Encode photos in `jobs` processes; yield (listed sha256, sha256 read, result) as each is finished.

    Close the generator to stop. Raises FaceDetError if no process can be started.
    """
    tasks = iter(tasks)
    finished = False
    while not finished:
        with _Pool(options, jobs) as pool:
            in_progress: dict[Future[HashedResult], HashedPhoto] = {}
            suspects: list[HashedPhoto] = []
            while not suspects:
                while len(in_progress) < jobs * _PER_PROCESS and (task := next(tasks, None)) is not None:
                    in_progress[pool.submit(task[1])] = task
                if not in_progress:
                    finished = True
                    break
                done, _ = wait(in_progress, return_when=FIRST_COMPLETED)
                # In a broken pool, everything in progress ends at once.
                if any(isinstance(future.exception(), BrokenProcessPool) for future in done):
                    done, _ = wait(in_progress)
                for future in done:
                    task = in_progress.pop(future)
                    if isinstance(future.exception(), BrokenProcessPool):
                        suspects.append(task)
                    else:
                        yield (task[0], *future.result())
        for task in suspects:
            yield (task[0], *_encode_alone(task[1], options))


def _encode_alone(path: Path, options: EngineOptions) -> HashedResult:
    """Encode a photo that may have killed its process, in a process of its own."""
    with _Pool(options, 1) as pool:
        if isinstance(pool.submit(None).exception(), BrokenProcessPool):
            raise FaceDetError(
                "encode: worker processes die as soon as they start; try --jobs 1, and check free memory"
            )
        future = pool.submit(path)
        if isinstance(future.exception(), BrokenProcessPool):
            log.warning("%s: killed the process that was encoding it, twice; left out", path)
            return None, EncodingResult(None, OmissionReason.BAD_IMAGE)
        return future.result()


class _Pool:
    """Worker processes, each with an engine. They end when this process does, however that happens."""

    def __init__(self, options: EngineOptions, jobs: int) -> None:
        context = multiprocessing.get_context("spawn")
        # Nothing is ever written: the workers read its end once every copy of our side is closed.
        self._worker_end, self._our_end = context.Pipe(duplex=False)
        self._executor = ProcessPoolExecutor(
            jobs, mp_context=context, initializer=_start_worker, initargs=(options, self._worker_end)
        )

    def __enter__(self) -> _Pool:
        return self

    def __exit__(self, *_: object) -> None:
        """Kill the processes at once, even in the middle of a picture."""
        for process in list((self._executor._processes or {}).values()):
            process.kill()
        self._executor.shutdown(wait=True, cancel_futures=True)
        self._our_end.close()
        self._worker_end.close()

    def submit(self, path: Path | None) -> Future[HashedResult]:
        """Encode a photo in a worker; None only waits until a worker is ready."""
        with _interrupts_held():
            try:
                return self._executor.submit(_encode_in_worker, path)
            except BrokenProcessPool as error:
                future: Future[HashedResult] = Future()
                future.set_exception(error)
                return future


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Hold back Ctrl-C while processes start: they inherit the block; we see the signal afterwards."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


_engines: list[FaceEngine] = []
"""The engine of a worker process."""


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
