"""Every deliberate error, in one tree.

    FaceDetError                  exit 70
    |-- ConfigError               78  config.json or the environment is wrong; every fault is listed
    |-- DataError                 65  what was handed in is wrong
    |   |-- BadRequest                a malformed call
    |   |-- BadImage                  a picture that cannot be read
    |   |-- BadName                   a person's name that cannot be a folder
    |   |-- NoFace                    no face where one is needed
    |   |-- SeveralFaces              more than one face where one is needed
    |   |-- UnknownPerson             nobody of that name
    |   |-- BadEncodings              an encodings file that holds something else
    |   |-- TooFewPeople              not enough to train on
    |   `-- UnsafePickle              a pickle that names a class off the allow-list
    |-- ModelError                69  a model or its weights are missing or do not fit
    |   |-- ModelMissing              the file is not there
    |   |-- ModelMismatch             model, labels or encodings do not belong together
    |   |-- WeightsError              a network's weights are missing or damaged
    |   `-- Unhealthy                 `face-det doctor` found something broken
    `-- TryAgain                  75  a later call may succeed
        |-- Busy                      the daemon's queue is full
        |-- AlreadyRunning            another daemon holds the endpoint
        |-- CannotWrite               a file cannot be written: the disk is full, or the folder refuses
        `-- Unreachable               no daemon answers at the endpoint

Every message is one line: where, what was expected, what was there, what to do.
The class name travels over RPC, so it is part of the contract with callers.
"""

from __future__ import annotations

from collections.abc import Iterable


class FaceDetError(Exception):
    """Root of every error raised on purpose; `exit_code` is what a command ends with."""

    exit_code = 70


class ConfigError(FaceDetError):
    """Configuration that cannot be used; `faults` holds one line for each thing wrong."""

    exit_code = 78

    def __init__(self, faults: Iterable[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("; ".join(self.faults))


class DataError(FaceDetError):
    """What was handed in (a picture, a dataset, a request) is wrong."""

    exit_code = 65


class BadRequest(DataError):
    """A malformed call; the message starts with the place, as in `images[3].labels[0].box.xmin`."""


class BadImage(DataError):
    """A picture that is missing, unreadable, damaged or too large."""


class BadName(DataError):
    """A person's name that cannot be the name of a folder."""


class NoFace(DataError):
    """No usable face in a picture that needs exactly one."""


class SeveralFaces(DataError):
    """More than one face in a picture that needs exactly one."""


class UnknownPerson(DataError):
    """Nobody of that name is enrolled."""


class BadEncodings(DataError):
    """An encodings file that does not hold {"encodings": [128-d], "names": [str]}."""


class TooFewPeople(DataError):
    """Not enough people or photos for the classifier that was asked for."""


class UnsafePickle(DataError):
    """A pickle that names something off the allow-list; nothing in it has run."""


class ModelError(FaceDetError):
    """A model or the weights of a network are missing or do not fit."""

    exit_code = 69


class ModelMissing(ModelError):
    """A model file that is not there."""


class ModelMismatch(ModelError):
    """Model, labels or encodings that do not belong together."""


class WeightsError(ModelError):
    """The weights of a network are missing or damaged."""


class Unhealthy(ModelError):
    """A self-test that failed."""


class TryAgain(FaceDetError):
    """Nothing is wrong with the call: a later one may succeed."""

    exit_code = 75


class Busy(TryAgain):
    """The daemon's queue is full."""


class AlreadyRunning(TryAgain):
    """Another daemon holds the endpoint."""


class CannotWrite(TryAgain):
    """A file that cannot be written, and what to do about it; what was there before still is."""


class Unreachable(TryAgain):
    """No daemon answers at the endpoint."""
