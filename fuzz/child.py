"""One target in this process: the limits, the two engines, and what is noted of a run."""

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

from mutants import LONGEST, mutated
from run import MEMORY_MB, PATIENCE_S
from targets import TARGETS, Prepared


def main(options: Any) -> int:
    """Fuzz the target, or run it once on the file that was given."""
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
        watch.run(seed)  # libraries load what they need with the first of each kind
    watch.begin()
    (with_atheris if options.engine == "atheris" else by_hand)(watch, prepared, options)
    watch.end()
    return 1 if watch.found else 0


class Watch:
    """Runs inputs; keeps the one at work where a crash leaves it, and each that is a finding."""

    def __init__(self, folder: Path, prepared: Prepared) -> None:
        self.folder = folder
        self.found = ""
        self._run = prepared.run
        self._current = os.open(folder / ".current", os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        self._executions = self._taken = 0
        self._start = time.monotonic()
        self._before_mb = 0.0

    def begin(self) -> None:
        """From here on it counts, and memory is limited."""
        self._executions = self._taken = 0
        self._start = time.monotonic()
        self._before_mb = peak_mb()
        size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        if "atheris" not in sys.modules:
            limit = size + MEMORY_MB * 2**20
            resource.setrlimit(resource.RLIMIT_AS, (limit, limit))

    def run(self, data: bytes) -> None:
        """One input; what it raises is noted and does not end the run."""
        os.ftruncate(self._current, 0)
        os.pwrite(self._current, data, 0)
        faulthandler.dump_traceback_later(PATIENCE_S, exit=True)
        try:
            self._taken += self._run(data)
        except Exception as error:  # noqa: BLE001 - any is a finding
            self._keep(data, error)
        finally:
            faulthandler.cancel_dump_traceback_later()
        self._executions += 1

    def end(self) -> None:
        """Note what was done."""
        more_mb = peak_mb() - self._before_mb
        if more_mb > MEMORY_MB:
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
    """The most memory that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def by_hand(watch: Watch, prepared: Prepared, options: Any) -> None:
    """Mutate the seeds, and each other's mutants, until time or count is up."""
    rng = random.Random(options.seed)
    pool = list(prepared.seeds)
    end = time.monotonic() + options.seconds
    count = 0
    while time.monotonic() < end and (not options.executions or count < options.executions):
        watch.run(mutated(rng, rng.choice(pool), pool, prepared.words))
        count += 1


def with_atheris(watch: Watch, prepared: Prepared, options: Any) -> None:
    """Let libFuzzer choose. It ends the process by itself, and says on stderr what was done."""
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
        *(f"-timeout={PATIENCE_S}", f"-rss_limit_mb={int(peak_mb()) + MEMORY_MB}", f"-max_len={LONGEST}"),
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
