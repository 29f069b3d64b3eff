"""Calls the daemon from Python; its errors are raised as our own classes."""

from __future__ import annotations

import logging
import os
import socket
from types import TracebackType
from typing import Any

import zerorpc
import zmq
from zmq.utils.monitor import parse_monitor_message

from face_det.errors import FaceDetError, Unreachable
from face_det.rpc import address, connection
from face_det.rpc.connection import PROBE_S, ConnectionSettings, GivenKeys
from face_det.rpc.voice_verbs import VoiceVerbs


class Client(VoiceVerbs):
    """A connection to the daemon at `endpoint`; a context manager.

    Each verb raises the error that the daemon reports (Busy, BadRequest, ...), or Unreachable if
    nobody listens, the daemon rejects our keys, or no reply comes within `timeout_s`. Use one client
    per thread. `keys` is the file that `face-det keys add` wrote, for a daemon that is reached over
    tcp; an ipc endpoint needs none. Raises ConfigError if the endpoint or the file cannot be used.
    """

    def __init__(
        self,
        endpoint: str,
        *,
        timeout_s: float = 30,
        heartbeat_s: float = 60,
        keys: GivenKeys = None,
    ) -> None:
        self._endpoint = address.parse_endpoint(endpoint)
        self._keys = connection.load_keys(keys)
        self._timeout_s = timeout_s
        self._heartbeat_s = heartbeat_s
        self._connection: Any = None
        logging.getLogger("zerorpc.gevent_zmq").addFilter(connection.is_no_late_wakeup)

    @classmethod
    def configured(
        cls,
        config: ConnectionSettings,
        timeout_s: float,
        endpoint: str | None = None,
        keys: GivenKeys = None,
    ) -> Client:
        """Return a client for the configured daemon or, if `endpoint` is given, for the daemon there.

        Without `keys`, a configured daemon that listens on tcp is called with its own keys. Raises
        ConfigError if an endpoint or a key file cannot be used.
        """
        place, own = connection.choose_daemon(config, endpoint, keys)
        return cls(place, timeout_s=timeout_s, heartbeat_s=config.zerorpc_heart_beat / 1000, keys=own)

    def __enter__(self) -> Client:
        """Return this client, which connects on the first call."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Disconnect."""
        self.close()

    def close(self) -> None:
        """Disconnect; the next call connects again."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def detect_faces(self, images: list[dict[str, Any]]) -> str:
        """Name the people in the given boxes; return the list as JSON text, with an answer for each."""
        answer: str = self._call("detect_faces", images)
        return answer

    def recognize(self, image: str | bytes, options: dict[str, Any] | None = None) -> list[dict[str, Any]]:
        """Return the faces of an image (a path on the daemon's machine, or bytes), best first."""
        answer: list[dict[str, Any]] = self._call("recognize", image, options)
        return answer

    def follow(self, image: str | bytes, options: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the faces in the next picture of a live camera, `{"camera": ...}`, each with its track."""
        answer: list[dict[str, Any]] = self._call("follow", image, options)
        return answer

    def recognize_video(self, path: str | bytes, options: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the people in a video, each once; `timeout_s` must be longer than its `timeLimit`."""
        answer: dict[str, Any] = self._call("recognize_video", path, options)
        return answer

    def add_face(
        self, name: str, image: str | bytes, options: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Store the image under a name and learn its one face, or the one at `{"faceBox": ...}`."""
        answer: dict[str, Any] = self._call("add_face", name, image, *([] if options is None else [options]))
        return answer

    def people(self) -> list[dict[str, Any]]:
        """List everybody enrolled: [{name, images, cover, quality, lookAlikes}]."""
        answer: list[dict[str, Any]] = self._call("people")
        return answer

    def forget(self, name: str) -> dict[str, Any]:
        """Remove a person's photos and encodings and unlearn them."""
        answer: dict[str, Any] = self._call("forget", name)
        return answer

    def export(self, name: str) -> bytes:
        """Return a zip of all that is known about a person, or about an unknown one such as unknown-3."""
        answer: bytes = self._call("export", name)
        return answer

    def sightings(self, query: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return a page of sightings, newest first: {items, next}."""
        answer: dict[str, Any] = self._call("sightings", query)
        return answer

    def sighting(self, identifier: int) -> dict[str, Any]:
        """Return everything that is kept of a sighting, except its pictures."""
        answer: dict[str, Any] = self._call("sighting", identifier)
        return answer

    def thumbnail(self, identifier: int) -> bytes:
        """Return the face of a sighting as a JPEG."""
        answer: bytes = self._call("thumbnail", identifier)
        return answer

    def picture(self, identifier: int) -> bytes:
        """Return the whole picture of a sighting as a JPEG, if it was kept."""
        answer: bytes = self._call("picture", identifier)
        return answer

    def unknowns(self) -> list[dict[str, Any]]:
        """List the unknown people, most often seen first."""
        answer: list[dict[str, Any]] = self._call("unknowns")
        return answer

    def events(self, after: int, wait_s: float = 0) -> dict[str, Any]:
        """Return the events after number `after`; wait up to `wait_s` seconds for one: {events, last}.

        `wait_s` must be shorter than this client's timeout.
        """
        answer: dict[str, Any] = self._call("events", after, wait_s)
        return answer

    def cursor(self, consumer: str, seq: int | str | None = None, options: Any = None) -> int:
        """Return a consumer's last event; with `seq`, set it. Options may hold a lease: `{"owner": ...}`."""
        answer: int = self._call("cursor", consumer, seq, *([] if options is None else [options]))
        return answer

    def name_unknown(self, identifier: str, name: str) -> dict[str, Any]:
        """Give an unknown person, such as unknown-3, a name; they are recognised from the next call on."""
        answer: dict[str, Any] = self._call("name_unknown", identifier, name)
        return answer

    def merge(self, identifiers: list[str]) -> dict[str, Any]:
        """Merge several unknown people into one; the oldest number is kept."""
        answer: dict[str, Any] = self._call("merge", identifiers)
        return answer

    def split(self, identifier: str, sightings: list[int]) -> dict[str, Any]:
        """Split some sightings of an unknown person off into a new one."""
        answer: dict[str, Any] = self._call("split", identifier, sightings)
        return answer

    def ignore(self, identifier: str) -> dict[str, Any]:
        """Stop reporting an unknown person, and never give that face a name."""
        answer: dict[str, Any] = self._call("ignore", identifier)
        return answer

    def confirm(self, identifier: int, name: str) -> dict[str, Any]:
        """Confirm that a sighting shows this person."""
        answer: dict[str, Any] = self._call("confirm", identifier, name)
        return answer

    def correct(self, identifier: int, name: str | None = None) -> dict[str, Any]:
        """Say that a sighting shows somebody else: this person or, without a name, nobody known."""
        answer: dict[str, Any] = self._call("correct", identifier, name)
        return answer

    def undo(self, change: int | str) -> dict[str, Any]:
        """Undo a change: a number, or an id such as photos-12."""
        answer: dict[str, Any] = self._call("undo", change)
        return answer

    def photos(self, name: str) -> list[dict[str, Any]]:
        """List a person's photos, and why some are left out."""
        answer: list[dict[str, Any]] = self._call("photos", name)
        return answer

    def photo(self, name: str, photo: str, max_px: int, options: dict[str, Any] | None = None) -> bytes:
        """Return a photo of a person, or with `{"face": true}` only its face, as a JPEG."""
        answer: bytes = self._call("photo", name, photo, max_px, options)
        return answer

    def delete_photo(self, name: str, photo: str) -> dict[str, Any]:
        """Remove a photo of a person; undo puts it back."""
        answer: dict[str, Any] = self._call("delete_photo", name, photo)
        return answer

    def move_photo(self, name: str, photo: str, to: str) -> dict[str, Any]:
        """Move a photo to another person."""
        answer: dict[str, Any] = self._call("move_photo", name, photo, to)
        return answer

    def rename_person(self, name: str, to: str) -> dict[str, Any]:
        """Rename a person."""
        answer: dict[str, Any] = self._call("rename_person", name, to)
        return answer

    def merge_people(self, names: list[str], into: str) -> dict[str, Any]:
        """Merge several people into one."""
        answer: dict[str, Any] = self._call("merge_people", names, into)
        return answer

    def remove_person(self, name: str) -> dict[str, Any]:
        """Remove all photos of a person; undo puts them back."""
        answer: dict[str, Any] = self._call("remove_person", name)
        return answer

    def changes(self, limit: int | None = None) -> list[dict[str, Any]]:
        """List the latest changes, newest first: [{change, time, what, undone, undoable}]."""
        answer: list[dict[str, Any]] = self._call("changes", limit)
        return answer

    def explain(
        self, sighting_or_image: int | str | bytes, options: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Explain the answer for a sighting, or for a face in a picture (a path, or bytes)."""
        answer: dict[str, Any] = self._call("explain", sighting_or_image, options)
        return answer

    def verify(self, image: str | bytes, other: str | bytes) -> dict[str, Any]:
        """Say whether two pictures (paths, or bytes) show the same person, by the largest face of each."""
        answer: dict[str, Any] = self._call("verify", image, other)
        return answer

    def models(self) -> list[dict[str, Any]]:
        """List the model in use and the earlier ones that are kept, newest first."""
        answer: list[dict[str, Any]] = self._call("models")
        return answer

    def use_model(self, model: str) -> dict[str, Any]:
        """Use an earlier model, named by its fingerprint, from the next call on."""
        answer: dict[str, Any] = self._call("use_model", model)
        return answer

    def preview(self, false_accept_rate: float | None = None) -> list[dict[str, Any]]:
        """Say what false accept rates would mean for the photos that are enrolled."""
        answer: list[dict[str, Any]] = self._call("preview", false_accept_rate)
        return answer

    def set_false_accept_rate(self, value: float | None) -> dict[str, Any]:
        """Use a false accept rate from the next call on; None goes back to config.json's."""
        answer: dict[str, Any] = self._call("set_false_accept_rate", value)
        return answer

    def evaluate(self, options: dict[str, Any] | None = None) -> dict[str, Any]:
        """Start to evaluate recognition on the enrolled photos; status() shows the progress."""
        answer: dict[str, Any] = self._call("evaluate", options)
        return answer

    def evaluation(self) -> dict[str, Any] | None:
        """Return the report of the last evaluation: {at, options, report}; None if there is none."""
        answer: dict[str, Any] | None = self._call("evaluation")
        return answer

    def doctor(self) -> dict[str, Any]:
        """Check the daemon's installation and files: {at, checks}; the answer may be some minutes old."""
        answer: dict[str, Any] = self._call("doctor")
        return answer

    def backup(self, options: dict[str, Any] | None = None) -> dict[str, Any]:
        """Make a backup of all photos, encodings, the model and the settings: {id, bytes, sha256}."""
        answer: dict[str, Any] = self._call("backup", options)
        return answer

    def backups(self) -> list[dict[str, Any]]:
        """List the backups, newest first: [{id, bytes}]."""
        answer: list[dict[str, Any]] = self._call("backups")
        return answer

    def read_backup(self, identifier: str, offset: int, length: int) -> bytes:
        """Return a part of a backup, of at most 4 MiB; no bytes at its end."""
        answer: bytes = self._call("read_backup", identifier, offset, length)
        return answer

    def drop_backup(self, identifier: str) -> dict[str, Any]:
        """Delete a backup."""
        answer: dict[str, Any] = self._call("drop_backup", identifier)
        return answer

    def write_restore(self, identifier: str, offset: int, data: bytes) -> dict[str, Any]:
        """Append a part of at most 4 MiB to an archive that is to be restored: {id, bytes}."""
        answer: dict[str, Any] = self._call("write_restore", identifier, offset, data)
        return answer

    def restore(self, identifier: str, options: dict[str, Any] | None = None) -> dict[str, Any]:
        """Take over an archive that was written: {backup, people, photos, sightings, left_out}."""
        answer: dict[str, Any] = self._call("restore", identifier, options)
        return answer

    def clear(self, options: dict[str, Any] | None = None) -> dict[str, Any]:
        """Remove everybody, once a backup is made: {backup, people, photos}."""
        answer: dict[str, Any] = self._call("clear", options)
        return answer

    def report_cameras(self, cameras: dict[str, dict[str, Any]]) -> dict[str, Any]:
        """Say how live cameras are doing, by name: {state, reason, ...}, as `face-det watch` does."""
        answer: dict[str, Any] = self._call("report_cameras", cameras)
        return answer

    def camera_picture(self, camera: str) -> dict[str, Any] | None:
        """Return the latest picture that `face-det watch` sent of a camera; None if it does not watch it."""
        answer: dict[str, Any] | None = self._call("camera_picture", camera)
        return answer

    def train(self, options: dict[str, Any] | None = None) -> dict[str, Any]:
        """Retrain from the dataset; return the report."""
        answer: dict[str, Any] = self._call("train", options)
        return answer

    def reload(self) -> dict[str, Any]:
        """Make the daemon read its configuration and model again."""
        answer: dict[str, Any] = self._call("reload")
        return answer

    def status(self) -> dict[str, Any]:
        """Return version, uptime, model, networks, counters and queue of the daemon."""
        answer: dict[str, Any] = self._call("status")
        return answer

    def _call(self, verb: str, *args: Any) -> Any:
        place = self._probe()
        if self._connection is None:
            self._connection = zerorpc.Client(timeout=self._timeout_s, heartbeat=self._heartbeat_s)
            # An undelivered request must not keep the process from exiting.
            self._connection._events.setsockopt(zmq.LINGER, 0)
            if self._endpoint.path is None:
                self._connect_by_tcp(place)
            else:
                self._connection.connect(place)
        try:
            return self._connection(verb, *args)
        except zerorpc.RemoteError as error:
            raise self._remote_error(verb, error.name, error.msg) from None
        except zerorpc.TimeoutExpired as error:
            # Disconnecting tells the daemon that nobody waits for this call any longer.
            self.close()
            raise self._unreachable(f"no reply to {verb} within {self._timeout_s} s") from error
        except zerorpc.LostRemote as error:
            self.close()
            raise self._unreachable(f"no heartbeat for {2 * self._heartbeat_s} s during {verb}") from error

    def _connect_by_tcp(self, place: str) -> None:
        """Connect, with our keys if we have any; raise Unreachable at once if the daemon turns us away."""
        events = self._connection._events
        connection.prepare_tcp(events.setsockopt, place, self._keys)
        connected = events._socket
        monitor = connected.get_monitor_socket(events=connection.HANDSHAKES)
        try:
            events.connect(place)
            patience_s = min(PROBE_S, self._timeout_s, 2 * self._heartbeat_s)
            if not monitor.poll(patience_s * 1000):
                return  # a slow daemon; the call itself will show if it answers
            outcome = parse_monitor_message(monitor.recv_multipart())["event"]
        finally:
            connected.disable_monitor()
        if outcome != zmq.EVENT_HANDSHAKE_SUCCEEDED:
            self.close()
            raise self._unreachable(connection.refusal(self._keys))

    def _probe(self) -> str:
        """Return the address that zmq is to connect to, or raise Unreachable at once if nobody listens there.

        zmq itself would keep retrying in silence.
        """
        place = self._endpoint
        try:
            if place.path is None:
                with socket.create_connection((place.host, place.port), timeout=PROBE_S) as probe:
                    return connection.tcp_address(probe.getpeername())
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
                probe.settimeout(PROBE_S)
                probe.connect(os.fspath(place.path))
            return place.text
        except OSError as error:
            raise self._unreachable(error.strerror or str(error)) from error

    def _remote_error(self, verb: str, name: str, message: str) -> FaceDetError:
        return connection.local_error(name, message)

    def _unreachable(self, why: str) -> Unreachable:
        return connection.unreachable(self._endpoint, why)
