"""Every deliberate error, in one tree.

    FaceDetError                  exit 70
    |-- ConfigError               78  config.json or the environment is wrong; every fault is listed
    |   |-- OtherDataset              the daemon at zerorpcPipe serves other photos than datasetPath
    |   `-- BucketRefused             the S3 server does not accept the credentials or address it was given
    |-- DataError                 65  the input is wrong
    |   |-- BadRequest                a malformed call
    |   |-- BadImage                  a picture that cannot be read
    |   |-- VideoError                a video that cannot be read, not even in part
    |   |-- SoundError                sound that cannot be read, or a file without any
    |   |-- BadName                   a person's name that cannot be a folder
    |   |-- NoFace                    no face where one is needed
    |   |-- NoVoice                   no voice of one person where one is needed
    |   |-- SeveralFaces              more than one face where one is needed
    |   |-- PhotoOfAnother            the very same file is already another person's photo
    |   |-- UnknownPerson             nobody is enrolled under that name
    |   |-- UnknownPhoto              the person has no photo with that name
    |   |-- UnknownSighting           there is no sighting, or unknown person, of that id
    |   |-- UnknownCamera             no camera with that name is configured
    |   |-- UnknownEvent              ZoneMinder or Frigate has no such event
    |   |-- UnknownBucket             the S3 server has no bucket of that name
    |   |-- SightingsOff              nothing is remembered: config.json has no `sightings`
    |   |-- BadEncodings              an encodings file that holds something else
    |   |-- TooFewPeople              too few people or photos to train on
    |   `-- UnsafePickle              a pickle that names something not on the allow-list
    |-- ModelError                69  a model or its weights are missing or do not fit
    |   |-- ModelMissing              the file does not exist
    |   |-- ModelMismatch             model, labels or encodings do not belong together
    |   |-- WeightsError              a network's weights are missing or damaged
    |   `-- Unhealthy                 `face-det doctor` found something broken
    `-- TryAgain                  75  a later call may succeed
        |-- Busy                      the daemon's queue is full
        |-- AlreadyRunning            another daemon holds the endpoint
        |-- CameraFailed              a camera does not send a picture
        |-- PortalFailed              ZoneMinder or Frigate does not answer, or refuses
        |-- BucketFailed              the S3 server does not answer, or fails
        |-- CursorTaken               another program uses a consumer's cursor
        |-- DatabaseFailed            MongoDB does not answer, or refuses
        |-- TopicRefused              the broker's rules do not let us publish to a topic
        |-- CannotListen              the address or port for HTTP is not free
        |-- CannotWrite               a file cannot be written: disk full, or no permission
        `-- Unreachable               no daemon answers at the endpoint

Every message is one line: where, what was expected, what was found, what to do.
The class name travels over RPC, so it is part of the contract with callers.
"""

from __future__ import annotations

from collections.abc import Iterable


class FaceDetError(Exception):
    """Root of every error raised on purpose; a command exits with `exit_code`."""

    exit_code = 70


class ConfigError(FaceDetError):
    """The configuration cannot be used; `faults` holds one line for each fault."""

    exit_code = 78

    def __init__(self, faults: Iterable[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("; ".join(self.faults))


class OtherDataset(ConfigError):
    """The daemon at zerorpcPipe serves other photos than datasetPath; nothing was changed."""


class BucketRefused(ConfigError):
    """The S3 server does not accept the credentials or the address that it was given, or there are none."""


class DataError(FaceDetError):
    """The input (a picture, a dataset, a request) is wrong."""

    exit_code = 65


class BadRequest(DataError):
    """The call is malformed; the message starts with the place, as in `images[3].labels[0].box.xmin`."""


class BadImage(DataError):
    """The picture is missing, unreadable, damaged or too large; `too_large` tells the last from the rest."""

    too_large = False


class VideoError(DataError):
    """The video, stream or folder of pictures is missing, or not even one frame of it can be read."""


class SoundError(DataError):
    """The recording is missing, damaged, or a file without sound."""


class BadName(DataError):
    """The person's name cannot be used as a folder name."""


class NoFace(DataError):
    """The picture needs exactly one face and has none that can be used."""


class NoVoice(DataError):
    """The recording needs the speech of one person and has none that can be used."""


class SeveralFaces(DataError):
    """The picture needs exactly one face and has several."""


class PhotoOfAnother(DataError):
    """The very same file is already another person's photo or recording; one of the two is wrong."""


class UnknownPerson(DataError):
    """Nobody is enrolled under that name."""


class UnknownPhoto(DataError):
    """The person has no photo or recording with that name."""


class UnknownSighting(DataError):
    """There is no sighting, unknown person or change of that id; it may have been removed."""


class UnknownCamera(DataError):
    """No camera with that name is configured."""


class UnknownEvent(DataError):
    """ZoneMinder or Frigate has no such event; it may have been deleted."""


class UnknownBucket(DataError):
    """The S3 server has no bucket of that name."""


class SightingsOff(DataError):
    """Nothing is remembered, because config.json has no `sightings`."""


class BadEncodings(DataError):
    """The encodings file does not hold {"encodings": [128-d], "names": [str]}."""


class TooFewPeople(DataError):
    """There are not enough people or photos for the requested classifier."""


class UnsafePickle(DataError):
    """The pickle names something that is not on the allow-list; none of it was run."""


class ModelError(FaceDetError):
    """A model or a network's weights are missing or do not fit."""

    exit_code = 69


class ModelMissing(ModelError):
    """The model file does not exist."""


class ModelMismatch(ModelError):
    """The model, labels or encodings do not belong together."""


class WeightsError(ModelError):
    """A network's weights, or a library that it needs, are missing or damaged."""


class Unhealthy(ModelError):
    """A self-test failed."""


class TryAgain(FaceDetError):
    """Nothing is wrong with the call; a later one may succeed."""

    exit_code = 75


class Busy(TryAgain):
    """The daemon's queue is full."""


class AlreadyRunning(TryAgain):
    """Another daemon holds the endpoint."""


class CameraFailed(TryAgain):
    """A camera does not send a picture in time."""


class PortalFailed(TryAgain):
    """ZoneMinder, Frigate or another program does not answer, or refuses what is asked."""


class BucketFailed(TryAgain):
    """The S3 server does not answer, or fails, even when it is asked again."""


class CursorTaken(TryAgain):
    """Another program uses the cursor of a consumer of events; it is free when that one ends."""


class DatabaseFailed(TryAgain):
    """MongoDB does not answer, or refuses what is asked."""


class TopicRefused(TryAgain):
    """The broker's rules do not let this user publish to a topic; `face-det mqtt` retries."""


class CannotListen(TryAgain):
    """The address or port for HTTP cannot be listened on."""


class CannotWrite(TryAgain):
    """A file cannot be written; the old one is unchanged, and the message says what to do."""


class Unreachable(TryAgain):
    """No daemon answers at the endpoint."""
