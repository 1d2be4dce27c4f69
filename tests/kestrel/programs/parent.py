"""A parent that supervises two children until it is stopped: what `kestrel up` is made of."""

import asyncio
import signal
import sys
from pathlib import Path

import httpx

from kestrel import environment, preflight, services
from kestrel.child import ChildSpec
from kestrel.supervisor import Reaper, State, Supervisor


class Lines:
    def state(self, name: str, state: State, detail: str = "") -> None:
        self.say(f"{name} {state.value}")

    def say(self, text: str) -> None:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()


async def run(home: Path, ports: list[int], child: str, extra: list[str]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    reaper = Reaper(home)
    reaper.start()
    supervisor = Supervisor(home, reaper, Lines())
    names = []
    async with httpx.AsyncClient(trust_env=False) as client:
        for index, port in enumerate(ports):
            name = f"child{index}"
            names.append(name)
            await supervisor.start(
                ChildSpec(
                    name=name,
                    argv=(
                        *(sys.executable, child, "--port", str(port)),
                        *("--journal", str(home / "journal.txt"), "--name", name, *extra),
                    ),
                    environment=environment.for_child(home),
                    health=services.http_health(client, f"http://127.0.0.1:{port}/"),
                    stop_grace_s=1.0,
                )
            )
        Lines().say(f"up {reaper.pid}")
        await stop.wait()
        await supervisor.stop(names[::-1])
    reaper.bye()


def main() -> None:
    home = preflight.prepare_home(Path(sys.argv[1]))
    with preflight.only_one(home):
        preflight.await_reaper(home)
        left = preflight.clear_leftovers(home)
        Lines().say(f"left {len(left)}")
        ports = [int(part) for part in sys.argv[2].split(",")]
        asyncio.run(run(home, ports, sys.argv[3], sys.argv[4:]))


main()
