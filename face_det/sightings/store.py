"""The memory: calls append to the spool, one thread writes the database, and any thread reads from it.

A call never waits: it appends to a file (spool.py) and goes on. The writer's thread takes the records from
there and commits them together with the number of the last one, so that a kill at any moment neither loses
nor repeats one. Whatever else changes the database is a job for the same thread. If the database cannot be
written, records stay in the spool, and the thread tries again; a damaged database is moved aside, and one
that has disappeared is made anew.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

from filelock import FileLock, Timeout

from face_det.errors import AlreadyRunning, CannotWrite, FaceDetError
from face_det.sightings import schema
from face_det.sightings.clocks import Clocks
from face_det.sightings.maintenance import Maintenance
from face_det.sightings.people import Enrolled, UnknownPeople
from face_det.sightings.queries import count_all
from face_det.sightings.recorder import Decide, Recorder
from face_det.sightings.records import MemoryOptions, SeenPicture, pack_picture, unpack_picture
from face_det.sightings.spool import Spool
from face_det.sightings.visits import Visits
from face_det.storage import make_folder, report_write_errors

log = logging.getLogger(__name__)

T = TypeVar("T")

SPOOL_NAME = "spool.bin"
LOCK_NAME = "sightings.lock"
BATCH = 100
"""Pictures committed at once."""
TICK_S = 1.0
"""How often the writer looks after visits and retention while nothing is seen."""
ERASE_S = 60.0
"""How long erasing waits for those who read."""
RETRY_S = 2.0
"""How long the writer waits after the database could not be written."""


class SightingStore:
    """The sightings in a folder. `open` it, and `close` it at the end; one process at a time can."""

    def __init__(self, folder: Path, options: MemoryOptions, clocks: Clocks) -> None:
        self.folder = folder
        self.options = options
        self._clocks = clocks
        self._path = folder / schema.DATABASE_NAME
        self._people = UnknownPeople(options.number_after_visits)
        self._visits = Visits(options.visit_gap_s, clocks.monotonic)
        self._recorder = Recorder(options, self._people, self._visits)
        self._jobs: deque[tuple[Callable[[sqlite3.Connection], Any], Future[Any]]] = deque()
        self._wake = threading.Event()
        self._ending = False
        self._connection: sqlite3.Connection | None = None
        self._inode = 0
        self._readers = threading.local()
        self._generation = 0
        self._listener: Callable[[], None] = lambda: None
        self._dropped = 0
        self._fault: str | None = None
        self._complained = False
        self._thread = threading.Thread(target=self._work, name="sightings", daemon=True)
        self._spool: Spool | None = None
        self._recorded = 0
        self._maintenance = Maintenance(self._recorder, self._people, clocks.wall, clocks.monotonic)
        self._lock = FileLock(folder / LOCK_NAME, timeout=0, mode=0o600, thread_local=False)

    def open(self) -> None:
        """Open the database and begin to record; raises CannotWrite, DataError or AlreadyRunning."""
        with report_write_errors(self.folder):
            make_folder(self.folder)
            try:
                self._lock.acquire()
            except Timeout as error:
                raise AlreadyRunning(
                    f"{self.folder}: in use by another process; stop it, or set statePath to another folder"
                ) from error
        try:
            self._connect()
        except BaseException:
            self._lock.release()
            raise
        self._thread.start()

    def close(self, timeout_s: float = 10.0) -> None:
        """Record what was handed over, and end."""
        self._ending = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        if not self._thread.is_alive():
            self._lock.release()

    def record(self, seen: SeenPicture) -> None:
        """Hand over what was seen. This never waits for the database, and never fails: a fault is counted."""
        try:
            spool = self._spool
            if spool is None:
                raise CannotWrite(f"{self.folder}: not open; a sighting is not remembered")
            spool.append(pack_picture(seen))
        except FaceDetError as error:
            self._dropped += 1
            if not self._complained:
                self._complained = True
                log.error("%s", error)
            return
        self._complained = False
        self._wake.set()

    def use(self, decide: Decide, enrolled: Callable[[], Enrolled], decided_by: str) -> None:
        """Decide in another way from now on, and decide past sightings again in the background.

        `enrolled` loads the encodings of those who are enrolled. `decided_by` names what `decide` rests on,
        so that nothing is done again after a restart.
        """
        self.post(lambda connection: self._maintenance.switch(connection, decide, enrolled(), decided_by))

    def reconsider(self) -> int:
        """Ask unknown sightings again to whom they belong; return how many moved. It may take seconds."""
        return self.write(self._maintenance.reconsider, timeout_s=600.0)

    def change_options(self, options: MemoryOptions) -> None:
        """Keep more or less from now on."""

        def change(connection: sqlite3.Connection) -> None:
            self.options = self._recorder.options = options
            self._people.number_after_visits = options.number_after_visits
            self._visits.gap_s = options.visit_gap_s

        self.post(change)

    def post(self, change: Callable[[sqlite3.Connection], object]) -> None:
        """Run a change on the writer's thread, in a transaction, without waiting for it."""
        self._jobs.append((change, Future()))
        self._wake.set()

    def listen(self, listener: Callable[[], None]) -> None:
        """Call `listener`, on the writer's thread, whenever events were committed; it replaces the former."""
        self._listener = listener

    def write(self, change: Callable[[sqlite3.Connection], T], timeout_s: float = 60.0) -> T:
        """Run a change on the writer's thread, in a transaction that is committed if it returns.

        Everything that was handed over before is recorded first. Raises whatever it raises, or CannotWrite.
        """
        future: Future[T] = Future()
        self._jobs.append((change, future))
        self._wake.set()
        try:
            return future.result(timeout_s)
        except TimeoutError as error:
            raise CannotWrite(f"{self._path}: {self._fault or 'busy'}; try again") from error

    def erase(self, change: Callable[[sqlite3.Connection], T]) -> T:
        """Run a change that deletes, as `write` does, and leave nothing of it in any file.

        Deleted rows are overwritten with zeros, the write-ahead log and the spool are emptied, and damaged
        databases that were moved aside are deleted: nobody can tell who is in them.
        """
        result = self.write(change)
        done: Future[None] = Future()
        self._jobs.append((self._scrub, done))
        self._wake.set()
        done.result(ERASE_S)
        return result

    def _scrub(self, connection: sqlite3.Connection) -> None:
        """Empty what may still hold deleted rows; runs outside a transaction."""
        end = self._clocks.monotonic() + ERASE_S / 2
        while connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
            if self._clocks.monotonic() > end:
                raise CannotWrite(f"{self._path}: is being read, so its log cannot be emptied; try again")
            threading.Event().wait(0.05)
        if self._spool is not None:
            self._spool.release(anyhow=True)
        for aside in self.folder.glob(f"{schema.DATABASE_NAME}{schema.DAMAGED_MARK}*"):
            log.warning("%s: removed, because it may hold somebody who is to be forgotten", aside)
            with report_write_errors(aside):
                aside.unlink()

    def read(self, query: Callable[[sqlite3.Connection], T]) -> T:
        """Run a query on this thread's connection; raises CannotWrite if the database cannot be read."""
        try:
            return query(self._reader())
        except sqlite3.Error as error:
            self._generation += 1
            raise CannotWrite(f"{self._path}: cannot be read: {error}; try again") from error

    @property
    def people(self) -> UnknownPeople:
        """The unknown people; only for changes that run on the writer's thread."""
        return self._people

    def now(self) -> float:
        """Return the time in seconds since 1970."""
        return self._clocks.wall()

    def flush(self) -> None:
        """Wait until everything that was handed over is recorded."""
        self.write(lambda connection: None)

    def told(self) -> None:
        """Note that this transaction wrote an event: those who wait are woken once it is committed."""
        self._recorder.told = True

    def status(self) -> dict[str, Any]:
        """Return how many sightings are kept and waiting, and what is wrong, if anything is."""
        waiting = 0 if self._spool is None else self._spool.waiting_bytes
        fields: dict[str, Any] = {"path": str(self._path), "dropped": self._dropped}
        fields["waiting_bytes"] = waiting
        try:
            fields |= self.read(count_all)
        except FaceDetError as error:
            fields["fault"] = str(error)
        if self._fault is not None:
            fields["fault"] = self._fault
        return fields

    def _reader(self) -> sqlite3.Connection:
        mine = self._readers
        if getattr(mine, "generation", None) != self._generation or mine.connection is None:
            if getattr(mine, "connection", None) is not None:
                mine.connection.close()
            mine.connection = None
            mine.connection = schema.open_for_reading(self._path)
            mine.generation = self._generation
        connection: sqlite3.Connection = mine.connection
        return connection

    def _connect(self) -> None:
        connection = schema.open_database(self._path)
        used = connection.execute("SELECT value FROM meta WHERE key = 'spool'").fetchone()
        after = 0 if used is None else int(used[0])
        if self._spool is None:
            self._spool = Spool(self.folder / SPOOL_NAME, after)
        else:
            self._spool.rewind(after)
        self._visits.load(connection)
        self._people.reload(connection)
        self._connection, self._inode = connection, self._path.stat().st_ino
        self._generation += 1

    def _work(self) -> None:
        """Record until the end; faults are told once and tried again."""
        while True:
            self._wake.wait(TICK_S)
            self._wake.clear()
            ending = self._ending
            try:
                self._round()
                if self._fault is not None:
                    log.info("%s: works again", self._path)
                self._fault = None
            except Exception as error:
                if not isinstance(error, (sqlite3.Error, FaceDetError, OSError)):
                    log.exception("%s: failed", self._path)
                self._note_fault(error)
                if not ending:
                    threading.Event().wait(RETRY_S)
                    self._wake.set()
            if ending:
                self._end()
                return

    def _round(self) -> None:
        """Record everything that waits, run the jobs, and look after visits and retention."""
        if self._connection is None or not self._in_place():
            self._reconnect()
        connection, spool = self._connection, self._spool
        assert connection is not None
        assert spool is not None
        # As they are now: under steady load there would always be more to record before the jobs.
        jobs, last = len(self._jobs), spool.last_number
        while self._record_batch(connection, spool) and self._recorded < last:
            pass
        for _ in range(jobs):
            self._run_job(connection, *self._jobs.popleft())
        self._in_transaction(connection, self._recorder.end_visits)
        if self._maintenance.step(lambda change: self._in_transaction(connection, change), self.options):
            self._wake.set()

    def _record_batch(self, connection: sqlite3.Connection, spool: Spool) -> bool:
        records = spool.read(BATCH)
        if not records:
            return False

        def insert(connection: sqlite3.Connection) -> None:
            for number, content in records:
                self._record_one(connection, number, content)
            connection.execute("INSERT OR REPLACE INTO meta VALUES ('spool', ?)", (records[-1][0],))

        self._in_transaction(connection, insert)
        self._recorded = records[-1][0]
        self._maintenance.note_recorded()
        spool.release()
        return True

    def _record_one(self, connection: sqlite3.Connection, number: int, content: bytes) -> None:
        """Record one picture; one that cannot be recorded must not stop all that follow."""
        connection.execute("SAVEPOINT picture")
        try:
            self._recorder.record(connection, number, unpack_picture(content))
        except (FaceDetError, ValueError, TypeError, KeyError, AssertionError) as error:
            connection.execute("ROLLBACK TO picture")
            self._people.reload(connection)
            self._visits.load(connection)
            self._dropped += 1
            log.exception("sighting %d cannot be recorded: %s", number, error)
        connection.execute("RELEASE picture")

    def _run_job(
        self, connection: sqlite3.Connection, change: Callable[[sqlite3.Connection], Any], future: Future[Any]
    ) -> None:
        try:
            if change == self._scrub:
                future.set_result(change(connection))
            else:
                future.set_result(self._in_transaction(connection, change))
        except sqlite3.Error as error:
            future.set_exception(
                CannotWrite(f"{self._path}: cannot be written: {error}; nothing was changed")
            )
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the caller gets it
            future.set_exception(error)

    def _in_transaction(self, connection: sqlite3.Connection, change: Callable[[sqlite3.Connection], T]) -> T:
        connection.execute("BEGIN IMMEDIATE")
        try:
            result = change(connection)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            # What is in memory may be ahead of what was committed.
            self._people.reload(connection)
            self._visits.load(connection)
            self._recorder.told = False
            raise
        if self._recorder.told:
            self._recorder.told = False
            self._listener()
        return result

    def _note_fault(self, error: Exception) -> None:
        fault = f"{self._path}: {error}"
        if fault != self._fault:
            log.error("%s; recognition goes on, and sightings wait in the spool", fault)
        self._fault = fault
        damaged = isinstance(error, sqlite3.Error) and schema.is_damage(error)
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if damaged:
            try:
                schema.move_aside(self._path, error)
            except FaceDetError as fault_of_move:
                log.error("%s", fault_of_move)

    def _in_place(self) -> bool:
        try:
            return self._path.stat().st_ino == self._inode
        except OSError:
            return False

    def _reconnect(self) -> None:
        if self._connection is not None:
            log.error("%s: has disappeared; a new one is begun", self._path)
            self._connection.close()
            self._connection = None
        self._connect()

    def _end(self) -> None:
        while self._jobs:
            self._jobs.popleft()[1].set_exception(CannotWrite(f"{self._path}: closed; try again"))
        if self._spool is not None:
            self._spool.close()
        if self._connection is not None:
            self._connection.close()
            self._connection = None
