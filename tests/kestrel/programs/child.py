"""A small supervised program: listens, answers 200 on every path, and misbehaves when told to."""

import argparse
import http.server
import os
import signal
import subprocess
import sys
from pathlib import Path


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args: object) -> None:
        return


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument(
        "--journal", type=Path, required=True, help="a line is appended at start and at SIGTERM"
    )
    parser.add_argument("--name", default="child")
    parser.add_argument("--ignore-term", action="store_true")
    parser.add_argument("--grandchild", action="store_true")
    parser.add_argument("--exit", type=int, help="say why and end at once with this code")
    options = parser.parse_args()

    def note(what: str) -> None:
        with options.journal.open("a") as file:
            file.write(f"{what} {options.name} {os.getpid()}\n")

    def on_term(number: int, frame: object) -> None:
        note("term")
        if not options.ignore_term:
            sys.exit(0)

    signal.signal(signal.SIGTERM, on_term)
    if options.exit is not None:
        note("start")
        sys.stderr.write("kestrel: the reason of the end\n")
        sys.exit(options.exit)
    if options.grandchild:
        grandchild = subprocess.Popen(["sleep", "600"])
        with options.journal.open("a") as file:
            file.write(f"grandchild {options.name} {grandchild.pid}\n")
    server = http.server.HTTPServer(("127.0.0.1", options.port), Handler)
    note("start")
    server.serve_forever()


main()
