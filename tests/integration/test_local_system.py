"""Starting and stopping the local system: one clear sentence where it cannot, nothing left behind."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import requests

from local.processes import Background, StartFailed
from local.stack import PROJECT, Local

ENVIRONMENT = {**os.environ, "PYTHONPATH": f"{PROJECT / 'layers' / 'shared'}:{PROJECT}"}


def local(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "local", *arguments],
        cwd=PROJECT,
        env={**ENVIRONMENT, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize("variable", ["LOCAL_AWS_PORT", "LOCAL_ENGINE_PORT"])
def test_a_busy_port_is_one_sentence_and_leaves_nothing_running(tmp_path: Path, variable: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        said = local("up", "--folder", str(tmp_path), **{variable: str(port)})
    assert said.returncode == 1
    assert f"Port {port} on 127.0.0.1 is busy" in said.stdout
    assert "Traceback" not in said.stdout + said.stderr
    assert not (tmp_path / "state.json").exists()
    assert not [
        process
        for process in psutil.process_iter(["cmdline"])
        if str(tmp_path) in " ".join(process.info["cmdline"] or [])
    ]


def test_one_port_for_both_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StartFailed, match="cannot both have port 45678"):
        Local.at(tmp_path).start(print, 45678, 45678)


@pytest.mark.parametrize("arguments", [["--parameter", "CompletionMode"], ["--aws-port", "99999"]])
def test_a_wrong_argument_is_a_usage_error(tmp_path: Path, arguments: list[str]) -> None:
    said = local("up", "--folder", str(tmp_path), *arguments)
    assert said.returncode == 2
    assert "Traceback" not in said.stderr


def test_a_missing_tool_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("local.stack.MINISTACK", tmp_path / "ministack")
    with pytest.raises(StartFailed, match="ministack is not installed in this project: run `make clean`"):
        Local.at(tmp_path).start(print)


def test_a_start_that_fails_half_way_stops_what_it_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: Local) -> None:
        message = "The engine ended at its start."
        raise StartFailed(message)

    monkeypatch.setattr(Local, "_start_engine", broken)
    system = Local.at(tmp_path)
    said: list[str] = []
    with pytest.raises(StartFailed):
        system.start(said.append)
    assert any(line.startswith("The local AWS is up") for line in said)
    assert any(line.startswith("Stopped the local AWS") for line in said)
    assert not (tmp_path / "state.json").exists()


def test_a_later_run_knows_what_runs_and_stops_exactly_that(tmp_path: Path) -> None:
    stranger = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        Local.at(tmp_path).start(print)
        again = Local.at(tmp_path)
        assert again.is_running()
        assert again.aws
        assert again.engine
        families = [psutil.Process(one.pid) for one in (again.aws, again.engine)]
        families += [child for one in families for child in one.children(recursive=True)]
        again.stop(print)
        _, alive = psutil.wait_procs(families, timeout=10)
        assert not alive
        assert not Local.at(tmp_path).is_running()
        assert stranger.poll() is None
    finally:
        stranger.communicate(b"\n")


def test_an_engine_that_died_comes_back_with_its_port_key_and_transcripts_and_the_aws_stays(tmp_path: Path) -> None:
    system = Local.at(tmp_path)
    try:
        system.start(print)
        assert system.engine
        aws, port, key = system.aws, system.engine_port, system.engine_key
        created = requests.post(
            f"{system.engine_url}/v2/transcript",
            json={"audio_url": "http://127.0.0.1:1/gone.mp3"},
            headers={"Authorization": key},
            timeout=10,
        ).json()
        system.engine.stop()
        again = Local.at(tmp_path)
        assert not again.is_running()
        again.start(print)
        assert (again.aws, again.engine_port, again.engine_key) == (aws, port, key)
        url = f"{again.engine_url}/v2/transcript/{created['id']}"
        assert requests.get(url, headers={"Authorization": key}, timeout=10).status_code == 200
    finally:
        Local.at(tmp_path).stop(print)


def test_a_process_that_took_the_pid_is_not_ours(tmp_path: Path) -> None:
    ours = Background.start([sys.executable, "-c", "input()"], {}, tmp_path / "log")
    later = Background(ours.pid, ours.started + 1000)
    assert not later.is_running()
    later.stop()
    ours.stop()
    assert not ours.is_running()


def test_both_servers_listen_on_the_loopback_address_only(local_system: Local) -> None:
    for process in (local_system.aws, local_system.engine):
        assert process
        listening = {
            connection.laddr.ip
            for connection in psutil.Process(process.pid).net_connections(kind="inet")
            if connection.status == psutil.CONN_LISTEN
        }
        assert listening == {"127.0.0.1"}
