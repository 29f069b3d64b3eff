"""Fuzz one target in this process: its limits, the two engines, and the record of a run."""

from __future__ import annotations

import contextlib
import faulthandler
import hashlib
import json
import os
import random
import resource
import sys
import time
import traceback
import warnings
from pathlib import Path
from typing import Any

from limits import EXTRA_MEMORY_MB, INPUT_TIMEOUT_S
from mutants import LONGEST, mutated
from targets import TARGETS, Prepared


def main(options: Any) -> int:
    """Fuzz the target, or run it once on the file given with --input."""
    (name,) = options.targets
    if options.input:
        print("taken" if TARGETS[name]().run(options.input.read_bytes()) else "refused")
        return 0
    warnings.simplefilter("ignore")
    if options.engine == "atheris":
        import atheris

        with atheris.instrument_imports(include=["face_det", "PIL", "pickle", "json"]):
            prepared = TARGETS[name]()
    else:
        prepared = TARGETS[name]()
    watch = Watch(options.child, prepared)
    for seed in prepared.seeds:
        watch.run(seed)  # libraries load lazily on their first input of a kind
    watch.begin()
    (fuzz_with_atheris if options.engine == "atheris" else fuzz_randomly)(watch, prepared, options)
    watch.end()
    return 1 if watch.found else 0


class Watch:
    """Runs inputs. Keeps the current input on disk, where it survives a crash, and every finding."""

    def __init__(self, folder: Path, prepared: Prepared) -> None:
        self.folder = folder
        self.found = ""
        self._run = prepared.run
        self._current = os.open(folder / ".current", os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        self._executions = self._taken = 0
        self._start = time.monotonic()
        self._before_mb = 0.0

    def begin(self) -> None:
        """Start counting and limit the memory."""
        self._executions = self._taken = 0
        self._start = time.monotonic()
        self._before_mb = peak_mb()
        size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        if "atheris" not in sys.modules:
            limit = size + EXTRA_MEMORY_MB * 2**20
            resource.setrlimit(resource.RLIMIT_AS, (limit, limit))

    def run(self, data: bytes) -> None:
        """Run one input; an exception is recorded as a finding and does not end the run."""
        os.ftruncate(self._current, 0)
        os.pwrite(self._current, data, 0)
        faulthandler.dump_traceback_later(INPUT_TIMEOUT_S, exit=True)
        try:
            self._taken += self._run(data)
        except Exception as error:  # noqa: BLE001 - every exception is a finding
            self._keep(data, error)
        finally:
            faulthandler.cancel_dump_traceback_later()
        self._executions += 1

    def end(self) -> None:
        """Write the record of the run."""
        more_mb = peak_mb() - self._before_mb
        if more_mb > EXTRA_MEMORY_MB:
            self.found = self.found or f"{more_mb:.0f} MB of memory"
        row = {
            "executions": self._executions,
            "taken": self._taken,
            "seconds": round(time.monotonic() - self._start, 1),
            "peak_mb": round(peak_mb()),
            "found": self.found,
        }
        (self.folder / ".result").write_text(json.dumps(row))

    def _keep(self, data: bytes, error: Exception) -> None:
        place = traceback.extract_tb(error.__traceback__)[-1]
        kind = f"{type(error).__name__} at {Path(place.filename).name}:{place.lineno}"
        path = self.folder / hashlib.sha256(kind.encode()).hexdigest()[:12]
        if not path.exists() or kind not in self.found:
            path.write_bytes(data)
            traceback.print_exception(error)
            print(f"kept as {path}", file=sys.stderr)
            self.found = f"{self.found}; {kind}" if self.found else kind


def peak_mb() -> float:
    """Return the peak memory of this process in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def fuzz_randomly(watch: Watch, prepared: Prepared, options: Any) -> None:
    """Run random mutants of the seeds until the time or the number of executions is used up."""
    rng = random.Random(options.seed)
    pool = list(prepared.seeds)
    end = time.monotonic() + options.seconds
    count = 0
    while time.monotonic() < end and (not options.executions or count < options.executions):
        watch.run(mutated(rng, rng.choice(pool), pool, prepared.words))
        count += 1


def fuzz_with_atheris(watch: Watch, prepared: Prepared, options: Any) -> None:
    """Let libFuzzer choose the inputs. It ends the process itself and prints its statistics to stderr."""
    import atheris

    corpus = options.child / "corpus"
    corpus.mkdir(exist_ok=True)
    for number, seed in enumerate(prepared.seeds):
        (corpus / f"seed{number}").write_bytes(seed)
    dictionary = options.child / "words"
    lines = ("".join(f"\\x{byte:02x}" for byte in word) for word in prepared.words if len(word) < 64)
    dictionary.write_text("".join(f'"{line}"\n' for line in lines))
    arguments = [
        *("face_det", str(corpus), f"-dict={dictionary}", f"-seed={options.seed}", "-print_final_stats=1"),
        *(f"-timeout={INPUT_TIMEOUT_S}", f"-rss_limit_mb={int(peak_mb()) + EXTRA_MEMORY_MB}"),
        f"-max_len={LONGEST}",
        f"-artifact_prefix={options.child}/atheris-",
        f"-max_total_time={max(1, int(options.seconds))}",
    ]
    if options.executions:
        arguments.append(f"-runs={options.executions}")

    def run(data: bytes) -> None:
        watch.run(data)
        if watch.found:
            watch.end()
            os._exit(1)

    atheris.Setup(arguments, run)
    with contextlib.suppress(SystemExit):
        atheris.Fuzz()
