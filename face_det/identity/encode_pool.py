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

from face_det.engine import Engine, EngineOptions, build
from face_det.errors import DataError, FaceDetError
from face_det.faces import Face, Reason
from face_det.identity.cache import Omission, Outcome, read_photo
from face_det.media import image

log = logging.getLogger(__name__)

Task = tuple[str, Path]
"""sha256 and path of a photo."""

Read = tuple["str | None", Outcome]
"""The sha256 of the bytes that were read, and what came of them. None: not to be kept."""

_UNDER_WAY = 2
"""Photos handed out for each process: one in work, one waiting."""

_FAULTS = (ArithmeticError, LookupError, MemoryError, RuntimeError, TypeError, ValueError)
"""What a network may raise over a picture that decodes."""


def judge(faces: Sequence[Face]) -> Outcome:
    """The outcome of a photo with these faces: exactly one must be large enough."""
    usable = [face for face in faces if face.reason is not Reason.TOO_SMALL]
    if len(usable) == 1:
        return Outcome(usable[0].encoding, None)
    if usable:
        return Outcome(None, Omission.SEVERAL_FACES)
    return Outcome(None, Omission.TOO_SMALL if faces else Omission.NO_FACE)


def encode_photo(engine: Engine, path: Path) -> Read:
    """What comes of one photo. A picture that cannot be used is an outcome, not an error."""
    sha256 = None
    try:
        sha256, data = read_photo(path)
        (faces,) = engine.faces([(image.load(data), None)])
    except DataError as error:
        log.info("%s: %s", path, error)
        return sha256, Outcome(None, Omission.BAD_IMAGE)
    except _FAULTS as error:
        # Perhaps the picture's fault, perhaps ours: not kept, so that the next run tries again.
        log.warning("%s: %s: %s", path, type(error).__name__, error)
        return None, Outcome(None, Omission.BAD_IMAGE)
    return sha256, judge(faces)


def outcomes(
    tasks: Iterable[Task], options: EngineOptions, jobs: int
) -> Generator[tuple[str, str | None, Outcome], None, None]:
    """What comes of photos, in the order in which they get done; close the iterator to stop.

    Raises FaceDetError if no process can be started.
    """
    tasks = iter(tasks)
    finished = False
    while not finished:
        with _Pool(options, jobs) as pool:
            under_way: dict[Future[Read], Task] = {}
            suspects: list[Task] = []
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
            yield (task[0], *_alone(task[1], options))


def _alone(path: Path, options: EngineOptions) -> Read:
    """A photo whose process may have died of it, in a process of its own."""
    with _Pool(options, 1) as pool:
        if isinstance(pool.submit(None).exception(), BrokenProcessPool):
            raise FaceDetError(
                "encode: processes end as soon as they start; try --jobs 1, and look at the memory"
            )
        future = pool.submit(path)
        if isinstance(future.exception(), BrokenProcessPool):
            log.warning("%s: ended the process that encoded it, twice", path)
            return None, Outcome(None, Omission.BAD_IMAGE)
        return future.result()


class _Pool:
    """Processes with an engine each. They end with this process, however it ends."""

    def __init__(self, options: EngineOptions, jobs: int) -> None:
        context = multiprocessing.get_context("spawn")
        # Nothing is ever written: its end is read when all of our end of it is closed.
        self._theirs, self._ours = context.Pipe(duplex=False)
        self._executor = ProcessPoolExecutor(
            jobs, mp_context=context, initializer=_begin, initargs=(options, self._theirs)
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

    def submit(self, path: Path | None) -> Future[Read]:
        """Have a photo encoded; None only waits for a process to be ready."""
        with _interrupts_held():
            try:
                return self._executor.submit(_work, path)
            except BrokenProcessPool as error:
                future: Future[Read] = Future()
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


def _begin(options: EngineOptions, parent: Connection) -> None:
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    _engines.append(build(options))


def _end_with(parent: Connection) -> None:
    try:
        parent.recv_bytes()
    except (EOFError, OSError):
        os._exit(1)


def _work(path: Path | None) -> Read:
    if path is None:
        return None, Outcome(None, Omission.BAD_IMAGE)
    return encode_photo(_engines[0], path)
