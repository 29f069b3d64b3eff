"""Runs the daemon: claims the endpoint, loads, answers, and stops without losing a reply."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import gevent
from gevent.event import Event

from face_det.config import Config
from face_det.daemon.methods import ConfigLoader, DaemonMethods, ServiceBuilder
from face_det.daemon.workers import Workers
from face_det.errors import FaceDetError
from face_det.logs import configure_logging
from face_det.rpc import (
    Authenticator,
    Dispatcher,
    Endpoint,
    RpcServer,
    bind_endpoint,
    create_authenticator,
    hide_endpoint,
    hold_endpoint,
    parse_endpoint,
)
from face_det.systemd import Notifier

if TYPE_CHECKING:
    from face_det.service import Service


log = logging.getLogger(__name__)

SERVER_NAME = "face_det"
QUICK_THREADS = 2
QUICK_QUEUE = 256
VIDEO_QUEUE = 8
VOICE_QUEUE = 16
VIDEO_PAUSES = 3.0
REFUSING_S = 2.0
"""How long calls are refused at the end: a caller that has just been answered calls again."""
LINGER_S = 5.0
"""How long replies may take to reach the kernel once all calls are answered."""
CHECK_S = 15.0
"""How often the threads are checked, unless the watchdog needs it more often."""
REQUEST_BYTES = 32 * 2**20
"""Room in a message for everything but an image: a call with 100,000 labels takes 20 MB."""
SHUTTING_DOWN = "shutting down; try again"


def run_daemon(
    load: ConfigLoader,
    build_service: ServiceBuilder,
    environ: Mapping[str, str],
    *,
    call_limit_s: float | None = None,
    config_path: Path | None = None,
) -> bool:
    """Serve until SIGTERM or SIGINT; return False if a thread that would not end is left behind.

    `config_path` is the file that `load` reads, for commands that the daemon starts.

    Raises ConfigError, AlreadyRunning and whatever `build_service` raises before anything is served.
    """
    config = load()
    configure_logging(config.log_level)
    place = parse_endpoint(config.zerorpc_pipe)
    authenticator = create_authenticator(place, config.keys_path, insecure=config.insecure_tcp)
    with hold_endpoint(place):
        limit_s = config.stuck_after if call_limit_s is None else call_limit_s
        daemon = _Daemon(config, load, build_service, Notifier(environ), authenticator, limit_s, config_path)
        return daemon.serve(place)


class _Daemon:
    """One run of the daemon, on the main greenlet."""

    def __init__(
        self,
        config: Config,
        load: ConfigLoader,
        build_service: ServiceBuilder,
        notifier: Notifier,
        authenticator: Authenticator | None,
        call_limit_s: float,
        config_path: Path | None,
    ) -> None:
        self._config_path = config_path
        self._config = config
        self._load_config = load
        self._authenticator = authenticator
        self._build_service = build_service
        self._notifier = notifier
        self._call_limit_s = call_limit_s
        self._workers = Workers(config.workers, config.queue_size)
        self._learner = Workers(1, config.queue_size, name="learner", yields_to=self._workers)
        self._quick = Workers(QUICK_THREADS, QUICK_QUEUE, name="quick")
        self._videos = Workers(1, VIDEO_QUEUE, name="videos", yields_to=self._workers, pauses=VIDEO_PAUSES)
        self._voices = Workers(1, VOICE_QUEUE, name="voices", yields_to=self._workers)
        self._pools = (self._workers, self._learner, self._quick, self._videos, self._voices)
        self._methods: DaemonMethods | None = None
        self._stopping = Event()
        self._hurry = Event()
        self._crashed = False

    def serve(self, place: Endpoint) -> bool:
        """Load, answer calls until told to stop, and shut down; return False if a thread is left behind."""
        gevent.signal_handler(signal.SIGTERM, self._stop)
        gevent.signal_handler(signal.SIGINT, self._stop)
        gevent.signal_handler(signal.SIGHUP, self._reload)
        for pool in self._pools:
            pool.start()
        service = self._build_interruptibly()
        if service is None:
            log.info("stopped while loading")
            return False
        self._methods = DaemonMethods(
            self._config,
            service,
            workers=self._workers,
            learner=self._learner,
            videos=self._videos,
            voices=self._voices,
            quick=self._quick,
            notifier=self._notifier,
            load=self._load,
            build_service=self._build_service,
            call_limit_s=self._call_limit_s,
            config_path=self._config_path,
        )
        server = RpcServer(
            Dispatcher(SERVER_NAME, self._methods.methods()),
            heartbeat_s=self._config.zerorpc_heart_beat / 1000,
            max_message_bytes=self._config.max_file_bytes + REQUEST_BYTES,
            authenticator=self._authenticator,
        )
        bind_endpoint(place, server.bind)
        server.start(self._crash)
        summary = self._methods.describe()
        log.info("%s (pid %d)", summary, os.getpid())
        if service.status()["model"] is None:
            log.warning("no model is trained yet: every face is answered `unrecognised` until one is")
        self._notifier.ready(summary)
        methods = self._methods
        watching = (
            *(self._watch, methods.watch_model, methods.prepare_when_idle),
            methods.videos.end_idle_streams,
        )
        watches = [gevent.spawn(watch) for watch in watching]
        self._stopping.wait()
        gevent.killall(watches)
        return self._end(server, place, self._methods)

    def _load(self) -> Config:
        """Read the clients' keys and then the configuration: a removed key must lose access in any case."""
        if self._authenticator is not None:
            self._authenticator.reload()
        return self._load_config()

    def _build_interruptibly(self) -> Service | None:
        """Build the service on a thread, so that signals are still handled.

        Returns None if a signal asked it to stop.
        """
        building = gevent.spawn(self._try_to_build)
        gevent.wait([building, self._stopping], count=1)
        if not building.ready():
            return None
        service: Service | None
        service, error = building.get()
        if error is not None:
            raise error
        return service

    def _try_to_build(self) -> tuple[Service | None, FaceDetError | None]:
        """Return the service or the error: if a greenlet raises, gevent prints a traceback."""
        try:
            service = self._quick.submit(
                lambda: self._build_service(self._config, None), limit_s=float("inf")
            )
        except FaceDetError as error:
            return None, error
        return service, None

    def _end(self, server: RpcServer, place: Endpoint, methods: DaemonMethods) -> bool:
        """Answer whoever is connected until no call is left, for up to shutdownTimeout; then refuse and end.

        First, nobody else can connect: the socket's name goes, and a port drops what newcomers send. A caller
        that is answered and whose connection then ends reconnects, and its next call waits for the next
        daemon. The socket itself stays, because ZeroMQ cannot stop listening without cutting the connections
        that wait for replies.
        """
        log.info("stopping: %d calls in progress", server.calls)
        self._notifier.stopping(f"finishing {server.calls} calls")
        hide_endpoint(place)
        methods.stop_waiting()
        finished = gevent.spawn(self._finish, server)
        gevent.wait([finished, self._hurry], timeout=methods.config.shutdown_timeout, count=1)
        clean = bool(finished.ready())
        if not clean:
            log.warning("aborting %d calls that have not finished", server.calls)
            for pool in self._pools:
                pool.close(SHUTTING_DOWN)
            server.cut_off(SHUTTING_DOWN)
            finished.kill()
            with gevent.Timeout(REFUSING_S, False):
                server.join()
            server.close(LINGER_S)
        methods.close()
        if self._crashed:
            raise FaceDetError("the server failed; see the log above")
        log.info("stopped")
        return clean

    def _finish(self, server: RpcServer) -> None:
        server.join()
        for pool in self._pools:
            # Jobs of callers that are gone must end as well.
            pool.join()
        server.join()
        server.close(LINGER_S)

    def _watch(self) -> None:
        """Ping systemd's watchdog from the hub, but only while every thread shows signs of life.

        systemd then restarts a daemon whose hub or threads hang. A thread shows a sign of life when it
        ends a job, gives way during a long one, or wakes up without one.
        """
        watchdog_s = self._notifier.watchdog_s
        complained = False
        while True:
            stuck = next(filter(None, (pool.stuck() for pool in self._pools)), None)
            if stuck is None:
                self._notifier.alive()
            elif not complained:
                log.error("%s; no longer notifying the watchdog", stuck)
            complained = stuck is not None
            gevent.sleep(CHECK_S if watchdog_s is None else watchdog_s / 2)

    def _stop(self) -> None:
        """Stop on the first signal; on the second, do not wait for running calls."""
        (self._hurry if self._stopping.is_set() else self._stopping).set()

    def _crash(self) -> None:
        self._crashed = True
        self._hurry.set()
        self._stopping.set()

    def _reload(self) -> None:
        if self._methods is not None and not self._stopping.is_set():
            self._methods.reload_on_signal()
