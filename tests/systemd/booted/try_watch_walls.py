"""Run with the walls of the cameras' service around it: what one that was taken over might try, as JSON."""

from __future__ import annotations

import json
import socket

from try_web_walls import ALLOWED, FORBIDDEN, outcome

CREDENTIALS = "read the credentials"
"""The page's, which are none of the cameras' business."""


def main():
    forbidden = {
        **FORBIDDEN,
        CREDENTIALS: ALLOWED[CREDENTIALS],
    }
    allowed = {name: ALLOWED[name] for name in ("call the daemon", "read the settings")}
    allowed["reach a camera"] = lambda: socket.create_connection(("127.0.0.1", 9000), 5).close()
    found = {
        "allowed": {name: outcome(attempt) for name, attempt in allowed.items()},
        "forbidden": {name: outcome(attempt) for name, attempt in forbidden.items()},
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
