"""`halt_threads.py TID...`: these threads stand still, as in a call that never returns, while this runs."""

from __future__ import annotations

import ctypes
import os
import sys

PTRACE_SEIZE = 0x4206
PTRACE_INTERRUPT = 0x4207
_WALL = 0x40000000


def main():
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    threads = [int(word) for word in sys.argv[1:]]
    for thread in threads:
        for request in (PTRACE_SEIZE, PTRACE_INTERRUPT):
            if libc.ptrace(request, thread, None, None) != 0:
                sys.exit(f"ptrace {request:#x} of {thread}: {os.strerror(ctypes.get_errno())}")
        os.waitpid(thread, _WALL)
    print("halted", flush=True)
    for thread in threads:
        # Stopped for signals that are not for it: let those pass; ended: done.
        while True:
            _, status = os.waitpid(thread, _WALL)
            if not os.WIFSTOPPED(status):
                break


if __name__ == "__main__":
    main()
