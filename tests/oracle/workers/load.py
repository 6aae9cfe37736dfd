"""Clients in a process of their own: `load.py URL FILE` posts each line of a file as an answer,
from many threads, and asks for the status in between. Prints what it saw as JSON."""

import json
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx

SENDERS = 32
JSON = {"Content-Type": "application/json"}


def main(url: str, path: str) -> None:
    """Send everything; the report goes to standard output."""
    first, *bodies = Path(path).read_text().splitlines()
    times: list[float] = []
    stop = threading.Event()

    def ask() -> None:
        with httpx.Client(base_url=url, timeout=60) as client:
            while not stop.is_set():
                started = time.monotonic()
                client.get("/v1/status").raise_for_status()
                times.append((time.monotonic() - started) * 1_000)
                time.sleep(0.005)

    with httpx.Client(base_url=url, timeout=300) as client:

        def post(body: str) -> bool:
            answer = client.post("/v1/openings", content=body, headers=JSON)
            return bool(answer.raise_for_status().json()["accepted"])

        post(first)  # the processes start
        asking = threading.Thread(target=ask)
        asking.start()
        began = time.monotonic()
        with ThreadPoolExecutor(SENDERS) as pool:
            accepted = sum(pool.map(post, bodies))
        took = time.monotonic() - began
        stop.set()
        asking.join()
    print(json.dumps({"accepted": accepted, "seconds": took, "times": times}))


if __name__ == "__main__":
    main(*sys.argv[1:])
