"""The long-running process: its methods, worker threads, fair queue, logging and orderly shutdown."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
