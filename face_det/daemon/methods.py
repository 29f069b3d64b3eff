"""The methods that callers reach: each hands its work to the workers and logs one line."""

from __future__ import annotations

import logging
import math
import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import gevent

from face_det.budget import Budget
from face_det.config import Config
from face_det.daemon import logs
from face_det.daemon.backup_methods import AfterReplacement, BackupMethods
from face_det.daemon.camera_methods import CameraMethods
from face_det.daemon.command_methods import CommandMethods
from face_det.daemon.commands import command_line
from face_det.daemon.latest_pictures import LatestPictures
from face_det.daemon.model_methods import ConfigInUse, ModelMethods
from face_det.daemon.photo_methods import PhotoMethods
from face_det.daemon.sighting_methods import CorrectionMethods, SightingMethods, describe_caller
from face_det.daemon.video_methods import VideoMethods
from face_det.daemon.voice_methods import VoiceMethods
from face_det.daemon.workers import Workers, give_way
from face_det.errors import ConfigError, FaceDetError
from face_det.logs import set_log_level
from face_det.recognition import MODEL_CHECK_S
from face_det.rpc import CURRENT_CALLER, Caller
from face_det.service import audit_call, open_audit_log
from face_det.systemd import Notifier

if TYPE_CHECKING:
    from face_det.service import Service


T = TypeVar("T")
Notes = dict[str, Any]
ConfigLoader = Callable[[], Config]
ServiceBuilder = Callable[[Config, "Service | None"], "Service"]

log = logging.getLogger(__name__)

CALL_LIMIT_S = 600.0
"""A worker that takes longer over one call is stuck; by then every caller has given up."""
PICTURE_LIMIT_S = 10.0
"""Added to the limit for each image of a call."""
TRAINING_LIMIT_S = 6 * 3600.0
"""The limit for `train`, whose search can take an hour."""

IDLE_S = 5.0
"""A daemon that has had no call for so long is idle."""

RESTART_KEYS = (
    "zerorpc_pipe",
    "insecure_tcp",
    "keys_path",
    "zerorpc_heart_beat",
    "workers",
    "isolation",
    "worker_memory",
    "queue_size",
    "max_file_bytes",
    "stuck_after",
    "state_path",
)
"""The settings that a reload cannot change."""


class DaemonMethods:
    """The daemon's methods, one per verb, spread over five pools of threads.

    `workers` recognises faces, and `videos`, a single thread, those in videos, giving way to the former, as
    `voices` does, which listens.
    `learner`, a single thread, runs everything that writes the dataset or
    the model, and reloads, one after the other: none sees files half written by another, and an hour
    of training delays no image. `quick` runs what must wait for neither.
    """

    def __init__(
        self,
        config: Config,
        service: Service,
        *,
        workers: Workers,
        learner: Workers,
        videos: Workers,
        voices: Workers,
        quick: Workers,
        notifier: Notifier,
        load: ConfigLoader,
        build_service: ServiceBuilder,
        call_limit_s: float = CALL_LIMIT_S,
        config_path: Path | None = None,
    ) -> None:
        self._started_with = config
        self._config = config
        self._service = service
        self._workers = workers
        self._learner = learner
        self._quick = quick
        self._notifier = notifier
        self._load = load
        self._build_service = build_service
        self._call_limit_s = call_limit_s
        self._audit = open_audit_log(config.audit_path, config.encodings_path)
        self._started = time.monotonic()
        self._sightings = SightingMethods(lambda: self._service.memory, quick, call_limit_s)
        pictures = LatestPictures()
        self._cameras = CameraMethods(lambda: self._service.memory, pictures, quick, call_limit_s)
        self._corrections = CorrectionMethods(lambda: self._service.corrections, self._learn)
        self._photos = PhotoMethods(
            lambda: self._service, workers, call_limit_s, self._learn, self._corrections.undo
        )
        in_use = ConfigInUse(lambda: self._config, self._use_config)
        self._models = ModelMethods(lambda: self._service, workers, quick, self._learn, call_limit_s, in_use)
        self.videos = VideoMethods(lambda: self._service, pictures, workers, videos, quick, call_limit_s)
        self._voices = VoiceMethods(lambda: self._service, voices, quick, call_limit_s, self._learn)
        self._commands = CommandMethods(command_line(config_path), lambda: self._config.state_path)
        self._backups = BackupMethods(
            lambda: self._service,
            lambda: self._config,
            config_path,
            quick,
            self._learn,
            AfterReplacement(self._reload_settings, self._commands.runs.cancel),
        )
        self._listen()

    @property
    def config(self) -> Config:
        """The configuration in use."""
        return self._config

    def methods(self) -> Mapping[str, Callable[..., Any]]:
        """Return everything that can be called from outside, by name."""
        return {
            "detect_faces": self.detect_faces,
            "recognize": self.recognize,
            **self.videos.methods(),
            **self._voices.methods(),
            "add_face": self.add_face,
            "people": self.people,
            "forget": self.forget,
            "train": self.train,
            "reload": self.reload,
            "status": self.status,
            "export": self.export,
            **self._sightings.methods(),
            **self._corrections.methods(),
            **self._photos.methods(),
            **self._models.methods(),
            **self._commands.methods(),
            **self._backups.methods(),
            **self._cameras.methods(),
        }

    def stop_waiting(self) -> None:
        """Answer those who wait for events; nobody may wait any more."""
        self._sightings.waiters.close()
        self.videos.stop()

    def close(self) -> None:
        """Record what was seen, and close the sightings; no call may follow."""
        self._commands.runs.cancel()
        self._service.following.end_all()
        if self._service.memory is not None:
            self._service.memory.store.close()

    def _use_config(self, config: Config) -> None:
        """Go on with a setting that a caller changed; the service has it already."""
        self._config = config

    def _listen(self) -> None:
        if self._service.memory is not None:
            self._service.memory.store.listen(self._sightings.waiters.notify)
        # Whoever waits for events learns that there will be none, or begins to wait for the new ones.
        self._sightings.waiters.notify()

    def detect_faces(self, images: Any) -> Any:
        """Name the people in the given boxes; return the list as JSON text, with answers."""
        pictures = len(images) if isinstance(images, list) else 1
        limit_s = self._call_limit_s + PICTURE_LIMIT_S * pictures
        budget = Budget(self._config.call_timeout or math.inf, give_way=give_way)
        caller = describe_caller()
        with logs.log_call(log, "detect_faces") as notes:
            return self._workers.submit(
                lambda: self._service.detect_faces(images, notes, budget, caller),
                limit_s=limit_s,
                notes=notes,
                budget=budget,
            )

    def recognize(self, image: Any, options: Any = None) -> Any:
        """Return the faces of an image (a path, or the bytes of a file), best first."""
        caller = describe_caller()
        with logs.log_call(log, "recognize") as notes:
            return self._workers.submit(
                lambda: self._service.recognize(image, options, notes, caller),
                limit_s=self._call_limit_s,
                notes=notes,
            )

    def add_face(self, name: Any, image: Any, options: Any = None) -> Any:
        """Store an image (a path, or the bytes of a file) under a name and learn its one face."""
        with logs.log_call(log, "add_face") as notes:
            run = lambda: self._service.add_face(name, image, notes, options)  # noqa: E731 - it runs now
            return self._learn("enrol", run, notes, name=name)

    def people(self) -> Any:
        """List everybody enrolled, with their numbers of photos."""
        with logs.log_call(log, "people", logging.DEBUG) as notes:
            return self._run_quickly(lambda: self._service.photos.people(), notes)

    def forget(self, name: Any) -> Any:
        """Remove a person's photos and encodings and unlearn them."""
        with logs.log_call(log, "forget") as notes:
            try:
                return self._learn("forget", lambda: self._service.forget(name, notes), notes, name=name)
            finally:
                self._commands.runs.cancel()

    def export(self, name: Any) -> Any:
        """Return a zip of all that is known about a person."""
        with logs.log_call(log, "export") as notes:
            return self._learn("export", lambda: self._service.export(name), notes, name=name)

    def train(self, options: Any = None) -> Any:
        """Retrain from the dataset, use the new model from the next call on, and return the report."""
        with logs.log_call(log, "train") as notes:
            return self._learn("train", lambda: self._service.train(options, notes), notes, TRAINING_LIMIT_S)

    def reload(self) -> Any:
        """Read configuration and model again, as SIGHUP does; reject them if they do not fit."""
        with logs.log_call(log, "reload") as notes:
            return self._learn("reload", lambda: self._reload(notes), notes)

    def status(self) -> Any:
        """Return version, uptime, model, networks, counters, queue depth and call times."""
        with logs.log_call(log, "status", logging.DEBUG) as notes:
            fields = self._run_quickly(lambda: self._service.status(), notes)
        ours, learning = self._workers.status(), self._learner.status()
        both = {name: count + learning["counters"][name] for name, count in ours["counters"].items()}
        return {
            **fields,
            **ours,
            "counters": {**fields.get("counters", {}), **both},
            "audit": {"path": str(self._audit.path), "failed": self._audit.failed},
            "learning": {key: learning[key] for key in ("running", "queue_depth")},
            "videos": self.videos.status(),
            "uptime_s": round(time.monotonic() - self._started, 3),
            "evaluation": self._commands.runs.status(),
            "falseAcceptRate": self._models.rate_in_force(),
            "cameras": self._cameras.status(),
            "endpoint": self._started_with.zerorpc_pipe,
            "pid": os.getpid(),
        }

    def reload_on_signal(self) -> None:
        """Reload on SIGHUP; unlike `reload`, log any error instead of raising it."""
        CURRENT_CALLER.set(Caller("signal"))
        try:
            self.reload()
        except FaceDetError as error:
            for fault in error.faults if isinstance(error, ConfigError) else (error,):
                log.error("reload refused; the old configuration and model stay in use: %s", fault)
        except Exception:
            log.exception("reload failed; the old configuration and model stay in use")

    def watch_model(self) -> None:
        """Keep looking at the model on disk: take it over if it was replaced by one that fits.

        A stale one is retrained if the configuration says so. What goes wrong is logged once.
        """
        tried, refused = None, ""
        CURRENT_CALLER.set(Caller("daemon"))
        while True:
            try:
                status = self._run_quickly(lambda: self._service.status(), {})
                if status.get("model_file", {}).get("state") == "other":
                    self._take_over()
                    refused = ""
                stale = status.get("stale")
                if stale is not None and stale != tried and self._config.auto_retrain:
                    tried = stale
                    with logs.log_call(log, "retrain") as notes:
                        run = lambda: self._service.retrain_stale(notes)  # noqa: E731 - it runs now
                        self._learn("train", run, notes, TRAINING_LIMIT_S)
            except FaceDetError as error:
                if str(error) != refused:
                    log.error("cannot use or retrain the model; the one in use stays: %s", error)
                refused = str(error)
            gevent.sleep(MODEL_CHECK_S)

    def prepare_when_idle(self) -> None:
        """Have imported what the first enrolment needs, once no call has come for a while.

        Nobody who calls a daemon that has just started waits for it.
        """
        calls, quiet_since = self._calls(), time.monotonic()
        while time.monotonic() < quiet_since + IDLE_S:
            gevent.sleep(IDLE_S / 5)
            if (now := self._calls()) != calls:
                calls, quiet_since = now, time.monotonic()
        with suppress(FaceDetError):
            self._learner.submit(lambda: self._service.prepare(), limit_s=self._call_limit_s)

    def _calls(self) -> list[int]:
        """Return how many calls each pool has taken and ended; it does not change while nobody calls."""
        every = [pool.status() for pool in (self._workers, self._learner)]
        return [number for one in every for number in (*one["counters"].values(), one["running"])]

    def _take_over(self) -> None:
        """Switch to the model on disk, on the thread of everything that changes the model."""
        model = self._learner.submit(
            lambda: self._service.take_over_model(), limit_s=self._call_limit_s, notes={}
        )
        if model is not None:
            log.info(
                "took over the new model in %s: %s, %d classes, fingerprint %s",
                *(model["file"], model["classifier"], len(model["classes"]), model["fingerprint"]),
            )

    def describe(self) -> str:
        """Describe in one line what is served."""
        model = self._service.status().get("model")
        known = f"{model['classifier']}, {len(model['classes'])} classes" if model else "no model trained yet"
        return f"ready on {self._started_with.zerorpc_pipe}: {known}"

    def _learn(
        self, action: str, run: Callable[[], T], notes: Notes, limit_s: float = 0, *, name: object = None
    ) -> T:
        """Run something on the learner's thread, with a line in the audit log before and after it."""
        recorded = audit_call(self._audit, action, run, notes, name)
        return self._learner.submit(recorded, limit_s=limit_s or self._call_limit_s, notes=notes)

    def _run_quickly(self, run: Callable[[], T], notes: Notes) -> T:
        return self._quick.submit(run, limit_s=self._call_limit_s, notes=notes)

    def _reload(self, notes: Notes) -> dict[str, Any]:
        """Switch to the new configuration if it and the model on disk are usable."""
        self._notifier.reloading()
        try:
            return self._switch_over(notes)
        finally:
            self._notifier.ready(self.describe())

    def _reload_settings(self, notes: Notes) -> bool:
        try:
            self._reload(notes)
        except FaceDetError as error:
            log.error("the restored settings take effect at the next reload: %s", error)
            return False
        return True

    def _switch_over(self, notes: Notes) -> dict[str, Any]:
        config = self._load()
        changed = [key for key, value in vars(config).items() if value != getattr(self._config, key)]
        restart = [key for key in RESTART_KEYS if getattr(config, key) != getattr(self._started_with, key)]
        if changed:
            self._service = self._build_service(config, self._service)
            self._listen()
            self._config = config
            audit = open_audit_log(config.audit_path, config.encodings_path)
            if audit.path != self._audit.path:
                self._audit = audit
            set_log_level(config.log_level)
            fields = {"model": self._service.status()["model"]}
        else:
            fields = self._service.reload()
        notes.update(changed=",".join(changed) or "-", restart_needed=",".join(restart) or "-")
        if restart:
            log.warning("these settings take effect only after a restart: %s", ", ".join(restart))
        return {**fields, "changed": changed, "restart_needed": restart}
