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
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as StillWaiting
from pathlib import Path
from typing import Any, TypeVar

from filelock import FileLock, Timeout

from face_det.errors import AlreadyRunning, CannotWrite, FaceDetError
from face_det.sightings import schema
from face_det.sightings.clocks import Clocks
from face_det.sightings.erasure import must_scrub, note_erased, scrub
from face_det.sightings.events import last_number
from face_det.sightings.highest_number import HighestNumber
from face_det.sightings.jobs import Job, Jobs
from face_det.sightings.maintenance import Maintenance
from face_det.sightings.people import Enrolled, UnknownPeople
from face_det.sightings.queries import count_all
from face_det.sightings.readers import Readers
from face_det.sightings.recorder import Decide, Recorder
from face_det.sightings.records import MemoryOptions, SeenPicture, pack_picture
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
RETRY_S = 2.0
"""How long the writer waits after the database could not be written."""


class SightingStore:
    """The sightings in a folder. `open` it, and `close` it at the end; one process at a time can."""

    def __init__(self, folder: Path, options: MemoryOptions, clocks: Clocks) -> None:
        self.folder = folder
        self.options = options
        self.clocks = clocks
        self._path = folder / schema.DATABASE_NAME
        self._people = UnknownPeople(options.number_after_visits)
        self._visits = Visits(options.visit_gap_s, clocks.monotonic)
        self._recorder = Recorder(options, self._people, self._visits)
        self._jobs = Jobs(self._path)
        self._wake = threading.Event()
        self._ending = False
        self._connection: sqlite3.Connection | None = None
        self._inode = 0
        self._readers = Readers(self._path, self._suspect_damage)
        self._listener: Callable[[], None] = lambda: None
        self._suspect = False
        self._told, self._dropped, self._recorded = 0, 0, 0
        self._fault: str | None = None
        self._not_taken: str | None = None
        self._thread = threading.Thread(target=self._work, name="sightings", daemon=True)
        self._spool: Spool | None = None
        self._maintenance = Maintenance(
            self._path, self._recorder, self._people, clocks.wall, clocks.monotonic
        )
        self._highest = HighestNumber(folder)
        self._lock = FileLock(folder / LOCK_NAME, timeout=0, mode=0o600, thread_local=False)
        self._lock_inode = 0

    def open(self) -> None:
        """Begin to record; raises DataError for a database of a later version, and AlreadyRunning.

        A database that cannot be opened now is a fault like any later one, which `status` tells.
        """
        try:
            self._connect()
        except CannotWrite as error:
            self._note_fault(error)
        except BaseException:
            self._lock.release()
            raise
        self.post(self._people.begin)
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
        except Exception as error:
            self._dropped += 1
            if self._not_taken is None:
                log.error("%s", error, exc_info=None if isinstance(error, FaceDetError) else error)
            self._not_taken = str(error)
        else:
            self._not_taken = None
            self._wake.set()

    def use(self, decide: Decide, enrolled: Callable[[], Enrolled], decided_by: str) -> None:
        """Decide in another way from now on, and decide past sightings again in the background.

        `enrolled` loads the encodings of those who are enrolled. `decided_by` names what `decide` rests on,
        so that nothing is done again after a restart.
        """
        self.post(lambda connection: self._maintenance.switch(connection, decide, enrolled, decided_by))

    def reconsider(self) -> int:
        """Assign unknown sightings again; return how many moved. It may take seconds."""
        return self.write(self._maintenance.reconsider, timeout_s=600.0)

    def change_options(self, options: MemoryOptions) -> None:
        """Keep more or less from now on."""

        def change(connection: sqlite3.Connection) -> None:
            self.options = self._recorder.options = options
            self._people.number_after_visits = options.number_after_visits
            self._visits.gap_s = options.visit_gap_s

        self.post(change)

    def post(self, change: Callable[[sqlite3.Connection], object]) -> None:
        """Run a change on the writer's thread without waiting, once the database can be written."""
        self._jobs.post(change)
        self._wake.set()

    def listen(self, listener: Callable[[], None]) -> None:
        """Call `listener`, on the writer's thread, whenever events were committed; it replaces the former."""
        self._listener = listener

    def write(self, change: Callable[[sqlite3.Connection], T], timeout_s: float = 60.0) -> T:
        """Run a change on the writer's thread, in a transaction that is committed if it returns.

        Everything that was handed over before is recorded first. Raises whatever it raises, or CannotWrite:
        nothing was changed then, and nothing will be.
        """
        return self._wait(self._jobs.add(change), timeout_s)

    def _wait(self, future: Future[T], timeout_s: float = 60.0) -> T:
        self._wake.set()
        try:
            return future.result(timeout_s)
        except StillWaiting as error:
            if not future.cancel():
                # It has begun, and a transaction ends soon.
                return future.result()
            raise CannotWrite(
                f"{self._path}: {self._fault or 'busy'}; nothing was changed; try again"
            ) from error

    def erase(self, change: Callable[[sqlite3.Connection], T]) -> T:
        """Run a change that deletes, as `write` does, and leave nothing of it in any file.

        The database is written anew, its log and the spool are emptied, and damaged databases that were moved
        aside are deleted: nobody can tell who is in them.
        """

        def erase(connection: sqlite3.Connection) -> T:
            before = connection.total_changes
            erased = change(connection)
            if connection.total_changes != before:
                note_erased(connection)
            # The open visits hold encodings and names.
            self._visits.load(connection)
            return erased

        result = self.write(erase)
        self._wait(self._jobs.add(self._scrub, whole=False))
        return result

    def _scrub(self, connection: sqlite3.Connection) -> None:
        scrub(connection, self._path, self._spool)

    def read(self, query: Callable[[sqlite3.Connection], T]) -> T:
        """Run a query on this thread's connection; raises CannotWrite if the database cannot be read.

        All that the query reads is of one moment.
        """
        return self._readers.read(query)

    @property
    def people(self) -> UnknownPeople:
        """The unknown people; only for changes that run on the writer's thread."""
        return self._people

    def now(self) -> float:
        """Return the time in seconds since 1970."""
        return self.clocks.wall()

    def flush(self) -> None:
        """Wait until everything that was handed over is recorded."""
        self.write(lambda connection: None)

    def status(self) -> dict[str, Any]:
        """Return how many sightings are kept and waiting, and what is wrong, if anything is.

        `dropped` counts pictures that are not remembered; `movedAside` names the damaged databases.
        """
        waiting = 0 if self._spool is None else self._spool.waiting_bytes
        fields: dict[str, Any] = {"path": str(self._path), "dropped": self._dropped}
        fields["waiting_bytes"] = waiting
        try:
            fields |= self.read(lambda connection: count_all(connection, self.now()))
        except FaceDetError as error:
            fields["fault"] = str(error)
        fault = self._fault or self._not_taken
        if fault is not None:
            fields["fault"] = fault
        if aside := schema.all_moved_aside(self._path):
            fields["movedAside"] = [one.name for one in aside if not one.name.endswith(("-wal", "-shm"))]
        return fields

    def _suspect_damage(self) -> None:
        """Let the writer look: it may never touch the page that is damaged."""
        self._suspect = True
        self._wake.set()

    def _claim(self) -> None:
        """Claim the folder, unless it is ours; raises AlreadyRunning or CannotWrite."""
        if self.folder.exists() and not self.folder.is_dir():
            text = "must be a folder (statePath), got a file; move it away, or set another statePath"
            raise CannotWrite(f"{self.folder}: cannot be written: {text}")
        with report_write_errors(self.folder):
            make_folder(self.folder)
            path = self.folder / LOCK_NAME
            if self._lock.is_locked and not (path.exists() and path.stat().st_ino == self._lock_inode):
                # The folder was deleted, and a lock on a file without a name keeps nobody out.
                self._lock.release()
            try:
                if not self._lock.is_locked:
                    self._lock.acquire()
                    self._lock_inode = path.stat().st_ino
            except Timeout as error:
                raise AlreadyRunning(
                    f"{self.folder}: in use by another process; stop it, or set statePath to another folder"
                ) from error

    def _connect(self) -> None:
        self._claim()
        if self._spool is None:
            # Before the database, so that records can wait for it.
            self._spool = Spool(self.folder / SPOOL_NAME, 0)
        connection = schema.open_database(self._path, suspect=self._suspect)
        self._suspect = False
        used = connection.execute("SELECT value FROM meta WHERE key = 'spool'").fetchone()
        after = 0 if used is None else int(used[0])
        self._spool.rewind(after)
        if not self._spool.in_place:
            log.error("%s: has disappeared; creating it again", self.folder / SPOOL_NAME)
            self._spool.restore()
        self._highest.restore(connection)
        self._told = last_number(connection)
        self._visits.load(connection)
        self._people.reload(connection)
        self._connection, self._inode = connection, self._path.stat().st_ino
        self._readers.renew()
        if must_scrub(connection):
            self._jobs.post(self._scrub, whole=False)

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
                    self._fault = self._not_taken = None
            except Exception as error:  # noqa: BLE001 - whatever it is, the thread goes on
                self._note_fault(error)
                self._jobs.fail(CannotWrite(f"{self._fault}; nothing was changed; try again"))
                if not ending:
                    threading.Event().wait(RETRY_S)
                    self._wake.set()
            if ending:
                self._end()
                return

    def _round(self) -> None:
        """Record everything that waits, run the jobs, and look after visits and retention."""
        if self._connection is None or self._suspect or not self._in_place():
            self._reconnect()
        connection, spool = self._connection, self._spool
        assert connection is not None
        assert spool is not None
        # As they are now: under steady load there would always be more to record before the jobs.
        jobs, last = len(self._jobs), spool.last_number
        while self._record_batch(connection, spool) and self._recorded < last:
            pass
        for _ in range(jobs):
            self._jobs.run_next(lambda job: self._make(connection, job))
        if self._recorder.has_visits_to_end():
            self._in_transaction(connection, self._recorder.end_visits)
        if self._maintenance.step(lambda change: self._in_transaction(connection, change), self.options):
            self._wake.set()

    def _record_batch(self, connection: sqlite3.Connection, spool: Spool) -> bool:
        records = spool.read(BATCH)
        if not records:
            return False

        def insert(connection: sqlite3.Connection) -> int:
            done = [self._recorder.record_packed(connection, number, content) for number, content in records]
            connection.execute("INSERT OR REPLACE INTO meta VALUES ('spool', ?)", (records[-1][0],))
            return done.count(False)

        self._dropped += self._in_transaction(connection, insert)
        self._recorded = records[-1][0]
        self._maintenance.note_recorded()
        spool.release()
        return True

    def _make(self, connection: sqlite3.Connection, job: Job) -> Any:
        return self._in_transaction(connection, job.change) if job.whole else job.change(connection)

    def _in_transaction(self, connection: sqlite3.Connection, change: Callable[[sqlite3.Connection], T]) -> T:
        connection.execute("BEGIN IMMEDIATE")
        try:
            result = change(connection)
            self._highest.keep(connection)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            # Memory may be ahead of what was committed.
            self._people.reload(connection)
            self._visits.load(connection)
            raise
        newest = last_number(connection)
        if newest != self._told:
            self._told = newest
            self._listener()
        return result

    def _note_fault(self, error: Exception) -> None:
        fault = str(error) if isinstance(error, FaceDetError) else f"{self._path}: {error}"
        if fault != self._fault:
            unexpected = not isinstance(error, (sqlite3.Error, FaceDetError, OSError))
            text = "%s; recognition goes on, and sightings wait in the spool"
            log.error(text, fault, exc_info=error if unexpected else None)
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
            found = self._path.stat().st_ino == self._inode
        except OSError:
            found = False
        return found and self._spool is not None and self._spool.in_place

    def _reconnect(self) -> None:
        if self._connection is not None:
            text = "may be damaged; checking it" if self._suspect else "has disappeared; starting a new one"
            log.error("%s: %s", self._path, text)
            self._connection.close()
            self._connection = None
        self._connect()

    def _end(self) -> None:
        self._jobs.close(CannotWrite(f"{self._path}: closed; nothing was changed; try again"))
        if self._spool is not None:
            self._spool.close()
        if self._connection is not None:
            self._connection.close()
            self._connection = None
