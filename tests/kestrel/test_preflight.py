"""What stands in the way of a start is one clear line that says what to do."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from kestrel import preflight, up
from shared.errors import AlreadyRunningError, PortBusyError, StartError, TapeError, UsageError
from shared.settings import ExchangeSettings, Settings, WebSettings


def test_a_busy_port_names_port_process_and_setting() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        with pytest.raises(PortBusyError) as caught:
            preflight.check_port(port, "the web page", "KESTREL_WEB__PORT")
    text = str(caught.value)
    assert str(port) in text
    assert f"(pid {os.getpid()})" in text
    assert "KESTREL_WEB__PORT" in text
    assert "\n" not in text
    assert caught.value.exit_code == 3


def test_a_port_that_only_waits_to_be_forgotten_is_free() -> None:
    server = socket.create_server(("127.0.0.1", 0))
    port = server.getsockname()[1]
    client = socket.create_connection(("127.0.0.1", port))
    accepted, _ = server.accept()
    accepted.close()  # the server's side closes first: its end stays in TIME_WAIT
    client.close()
    server.close()
    preflight.check_port(port, "the web page", "KESTREL_WEB__PORT")


def test_two_processes_on_one_port_are_refused(home: Path) -> None:
    port = preflight.free_port()
    settings = Settings(home=home, web=WebSettings(port=port), exchange=ExchangeSettings(port=port))
    with pytest.raises(StartError, match=r"KESTREL_EXCHANGE__PORT and KESTREL_WEB__PORT name the same port"):
        up.choose_ports(settings)


def test_a_second_start_in_the_same_home_names_the_first(home: Path) -> None:
    preflight.prepare_home(home)
    assert preflight.running_pid(home) is None
    with preflight.only_one(home):
        assert preflight.running_pid(home) == os.getpid()
        with (
            pytest.raises(AlreadyRunningError, match=rf"pid {os.getpid()}.*KESTREL_HOME"),
            preflight.only_one(home),
        ):
            pass
    assert preflight.running_pid(home) is None
    with preflight.only_one(home):
        pass


@pytest.mark.parametrize("spec", ["live", "manual", "synthetic:1", "synthetic:42", "synthetic"])
def test_tapes_that_need_no_file(spec: str) -> None:
    preflight.check_tape(spec)


def test_tapes_that_are_files(tmp_path: Path) -> None:
    first, second = tmp_path / "a.csv", tmp_path / "b,c.csv"
    first.touch()
    second.touch()
    preflight.check_tape(str(first))
    preflight.check_tape(str(second))
    preflight.check_tape(f"{first},{first}")


@pytest.mark.parametrize("spec", ["/no/such/tape.gz", "", "liv", "/tmp"])
def test_a_missing_tape_is_one_line(spec: str) -> None:
    with pytest.raises(TapeError) as caught:
        preflight.check_tape(spec)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 3


def test_a_seed_is_a_number() -> None:
    with pytest.raises(TapeError, match="synthetic:1"):
        preflight.check_tape("synthetic:x")


@pytest.mark.parametrize("speed", [0.0, -1.0, float("nan"), float("inf")])
def test_a_wrong_speed_is_refused(home: Path, speed: float) -> None:
    with pytest.raises(UsageError, match="--speed"):
        up.run(Settings(home=home), up.Options(speed=speed, tape="manual"))
    assert not home.exists()


def test_a_home_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StartError, match="KESTREL_HOME"):
        preflight.prepare_home(tmp_path / "file")


def test_the_folders_of_a_home_are_private(home: Path) -> None:
    made = preflight.prepare_home(home)
    assert made.stat().st_mode & 0o777 == 0o711
    assert (made / "run").stat().st_mode & 0o777 == 0o700
    assert (made / "logs").stat().st_mode & 0o777 == 0o700
