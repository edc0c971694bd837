"""The whole system on this machine: the local AWS, the AssemblyAI-compatible engine, and the stack deployed to it.

Everything that runs or is written lives under one folder (`.local` by default), so that several can stand side by
side and each stops exactly what it started.
"""

import contextlib
import json
import os
import secrets
import shlex
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

import boto3
from samtranslator.yaml_helper import yaml_parse

from local.processes import Background, StartFailed, free_port, tail, wait_until

PROJECT = Path(__file__).resolve().parent.parent
MINISTACK = PROJECT / ".tools" / "ministack" / "bin" / "ministack"
REGION = "us-east-1"
DEFAULT_STACK_NAME = "audio-highlights"
PAGE_USER = "demo@example.com"

# How a deployment is told what the ordinary one finds on AWS. Values only: the template is the same.
_LOCAL_PARAMETERS = {"EnforceTls": "false", "PollIntervalSeconds": "2"}

# What would lead a client elsewhere.
FOREIGN_VARIABLES = ("AWS_PROFILE", "AWS_SESSION_TOKEN")

Say = Callable[[str], None]


class DeployFailed(Exception):
    """sam build or sam deploy failed."""


@dataclass(slots=True)
class Local:
    """A running pair of local AWS and engine, remembered in <folder>/state.json."""

    folder: Path
    aws_port: int = 0
    engine_port: int = 0
    engine_key: str = field(default="", repr=False)
    page_password: str = field(default="", repr=False)
    engine_options: tuple[str, ...] = ()
    aws: Background | None = None
    engine: Background | None = None

    @classmethod
    def at(cls, folder: Path) -> Self:
        """What an earlier run left in the folder, or nothing running."""
        local = cls(folder.resolve())
        try:
            state = json.loads(local._state_file.read_text())
        except FileNotFoundError:
            return local
        local.aws_port, local.engine_port = state["aws_port"], state["engine_port"]
        local.engine_key, local.page_password = state["engine_key"], state.get("page_password", "")
        local.aws = Background(**state["aws"]) if state["aws"] else None
        local.engine = Background(**state["engine"]) if state["engine"] else None
        return local

    @property
    def _state_file(self) -> Path:
        return self.folder / "state.json"

    @property
    def env_file(self) -> Path:
        """What a shell sources to use the stack."""
        return self.folder / "env"

    @property
    def aws_url(self) -> str:
        return f"http://127.0.0.1:{self.aws_port}"

    @property
    def engine_url(self) -> str:
        return f"http://127.0.0.1:{self.engine_port}"

    def is_running(self) -> bool:
        """Whether both processes are the ones that were started."""
        return bool(self.aws and self.aws.is_running() and self.engine and self.engine.is_running())

    def start(self, say: Say, aws_port: int = 0, engine_port: int = 0) -> None:
        """Start what is not running; what runs keeps its port and its data. Where that fails, it is undone."""
        if self.is_running():
            say(f"Already running: the local AWS on {self.aws_url}, the engine on {self.engine_url}.")
            return
        require_tools()
        if aws_port and aws_port == engine_port:
            message = f"The local AWS and the engine cannot both have port {aws_port}. Choose two, or 0 for any."
            raise StartFailed(message)
        aws_was_running = bool(self.aws and self.aws.is_running())
        engine_was_running = bool(self.engine and self.engine.is_running())
        # Ports first: a busy one is said before anything runs. One that died comes back where it was, if it can.
        if not aws_was_running:
            self.aws_port = _port(aws_port, self.aws_port)
        if not engine_was_running:
            self.engine_port = _port(engine_port, self.engine_port)
        try:
            if not aws_was_running:
                self._start_aws()
                say(f"The local AWS is up on {self.aws_url}.")
            if not engine_was_running:
                self._start_engine()
                say(f"The engine, an AssemblyAI on this machine, is up on {self.engine_url}.")
        except BaseException:
            if not engine_was_running:
                self._stop_engine(say)
            if not aws_was_running:
                self._stop_aws(say)
            raise

    def _start_aws(self) -> None:
        home = self.folder / "aws"
        shutil.rmtree(home, ignore_errors=True)
        temporary, state, log = home / "tmp", home / "state", home / "log.txt"
        temporary.mkdir(parents=True)
        state.mkdir()
        # Its functions inherit its environment: an almost empty one keeps this machine's settings out of them.
        environment = {
            "PATH": "/usr/bin:/bin",
            "HOME": str(home),
            "TMPDIR": str(temporary),
            "STATE_DIR": str(state),
            "GATEWAY_PORT": str(self.aws_port),
            "BIND_HOST": "127.0.0.1",
            "AUTH": "true",
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            "MINISTACK_ACCOUNT_ID": "000000000000",
            "AWS_DEFAULT_REGION": REGION,
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        self.aws = Background.start([str(MINISTACK)], environment, log)
        self._save()  # now, so that `down` knows of it whatever happens next
        wait_until(lambda: _answers(f"{self.aws_url}/_ministack/ready"), self.aws, "The local AWS", log, 60)

    def _start_engine(self) -> None:
        home = self.folder / "engine"
        home.mkdir(parents=True, exist_ok=True)
        log = home / "log.txt"
        self.engine_key = self.engine_key or secrets.token_hex(16)
        command = [
            sys.executable,
            "-m",
            "local.engine",
            "--port",
            str(self.engine_port),
            "--data-dir",
            str(home / "data"),
            *self.engine_options,
        ]
        environment = {**os.environ, "PYTHONPATH": str(PROJECT), "ASSEMBLYAI_API_KEY": self.engine_key}
        self.engine = Background.start(command, environment, log)
        self._save()
        wait_until(lambda: _answers(f"{self.engine_url}/health"), self.engine, "The engine", log, 60)

    def stop(self, say: Say) -> None:
        """Stop what was started from this folder, nothing else, and forget its data."""
        self._stop_engine(say)
        self._stop_aws(say)

    def _stop_engine(self, say: Say) -> None:
        if self.engine and self.engine.is_running():
            self.engine.stop()
            say(f"Stopped the engine (pid {self.engine.pid}).")
        self.engine, self.engine_port, self.engine_key = None, 0, ""
        shutil.rmtree(self.folder / "engine" / "data", ignore_errors=True)
        self._save()

    def _stop_aws(self, say: Say) -> None:
        if self.aws and self.aws.is_running():
            self.aws.stop()
            say(f"Stopped the local AWS (pid {self.aws.pid}).")
        self.aws, self.aws_port, self.page_password = None, 0, ""
        shutil.rmtree(self.folder / "aws" / "tmp", ignore_errors=True)
        self.env_file.unlink(missing_ok=True)
        self._save()

    def client_environment(self) -> dict[str, str]:
        """What any AWS client and AssemblyAI's SDKs need to use this pair."""
        return {
            "AWS_ENDPOINT_URL": self.aws_url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "ASSEMBLYAI_BASE_URL": self.engine_url,
            "ASSEMBLYAI_API_KEY": self.engine_key,
        }

    def build(self, say: Say) -> None:
        """Sam build into <folder>/build."""
        say("sam build ...")
        self.sam(
            "sam-build.log",
            "build",
            "--build-dir",
            str(self.folder / "build"),
            "--cache-dir",
            str(self.folder / "cache"),
        )

    def deploy(
        self, say: Say, stack_name: str = DEFAULT_STACK_NAME, parameters: Mapping[str, str] | None = None
    ) -> None:
        """Sam deploy what was built, as the samconfig environment `local`."""
        template = self.folder / "build" / "template.yaml"
        described = yaml_parse(template.read_text())["Parameters"]
        if unknown := [name for name in parameters or {} if name not in described]:
            message = f"The template has no parameter {unknown[0]}. It has: {', '.join(sorted(described))}."
            raise DeployFailed(message)
        # All of them: sam would keep an earlier deployment's value of one that is not named.
        values = {name: str(one["Default"]) for name, one in described.items()}
        values |= {"AssemblyAIApiKey": self.engine_key, "AssemblyAIBaseUrl": self.engine_url}
        values |= {"SignInUrl": self.aws_url, **_LOCAL_PARAMETERS}
        values |= parameters or {}
        say(f"sam deploy {stack_name} ...")
        # Quoted: a value may be empty, or have spaces and quotes of its own.
        quoted = {name: value.replace('"', '\\"') for name, value in values.items()}
        overrides = [f'{name}="{value}"' for name, value in quoted.items()]
        self.sam(
            f"sam-deploy-{stack_name}.log",
            "deploy",
            "--template-file",
            str(template),
            "--stack-name",
            stack_name,
            "--parameter-overrides",
            *overrides,
        )

    def sam(self, log_name: str, command: str, *arguments: str) -> None:
        """Run a command of SAM's against this local AWS; its output goes into <folder>/<log_name>."""
        log = self.folder / log_name
        sam = str(Path(sys.executable).with_name("sam"))
        environment = {**os.environ, **self.client_environment(), "SAM_CLI_TELEMETRY": "0"}
        for name in FOREIGN_VARIABLES:
            environment.pop(name, None)
        with log.open("wb") as output:
            done = subprocess.run(  # noqa: S603  our own command
                [
                    sam,
                    command,
                    "--config-file",
                    str(PROJECT / "samconfig.toml"),
                    "--config-env",
                    "local",
                    *arguments,
                ],
                cwd=PROJECT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                check=False,
            )
        if done.returncode:
            message = f"sam {command} failed. The end of {log}:\n{tail(log)}"
            raise DeployFailed(message)

    def add_user(self, outputs: Mapping[str, str]) -> None:
        """Give the stack's user pool a user who may sign in to the page: PAGE_USER, with page_password."""
        self.page_password = self.page_password or f"Demo1-{secrets.token_hex(5)}"
        self._save()
        where, whom = outputs["UserPoolId"], {"Username": PAGE_USER}
        pool = boto3.client("cognito-idp")
        email = [{"Name": "email", "Value": PAGE_USER}, {"Name": "email_verified", "Value": "true"}]
        with contextlib.suppress(pool.exceptions.UsernameExistsException):
            pool.admin_create_user(UserPoolId=where, MessageAction="SUPPRESS", UserAttributes=email, **whom)
        pool.admin_set_user_password(UserPoolId=where, Password=self.page_password, Permanent=True, **whom)

    def write_env(self, stack_name: str, outputs: Mapping[str, str]) -> dict[str, str]:
        """Write <folder>/env, sourceable by a shell, and return its variables."""
        variables = {
            **self.client_environment(),
            "STACK_NAME": stack_name,
            "MEDIA_BUCKET": outputs["MediaBucketName"],
            "RESULTS_BUCKET": outputs["ResultsBucketName"],
            "RECORDINGS_TABLE": outputs["RecordingsTableName"],
            "HIGHLIGHTS_TABLE": outputs["HighlightsTableName"],
            "API_URL": outputs["ApiUrl"],
            "PAGE_URL": outputs["PageUrl"],
            "PAGE_USER": PAGE_USER,
            "PAGE_PASSWORD": self.page_password,
            "WEBHOOK_URL": outputs["WebhookUrl"],
        }
        lines = [f"unset {' '.join(FOREIGN_VARIABLES)}"]
        lines += [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]
        _write_private(self.env_file, "\n".join(lines) + "\n")
        return variables

    def _save(self) -> None:
        if self.aws is None and self.engine is None:
            self._state_file.unlink(missing_ok=True)
            return
        state: dict[str, Any] = {
            "aws_port": self.aws_port,
            "engine_port": self.engine_port,
            "engine_key": self.engine_key,
            "page_password": self.page_password,
            "aws": asdict(self.aws) if self.aws else None,
            "engine": asdict(self.engine) if self.engine else None,
        }
        _write_private(self._state_file, json.dumps(state))


def _port(wanted: int, former: int) -> int:
    """The wanted port; else the one that it had before if that is free, else any."""
    if not wanted and former:
        with contextlib.suppress(StartFailed):
            return free_port(former)
    return free_port(wanted)


def require_tools() -> None:
    """Raises StartFailed with one sentence where a tool of the project is not installed."""
    missing = [tool for tool in (MINISTACK, Path(sys.executable).with_name("sam")) if not tool.exists()]
    if missing:
        message = f"{missing[0].name} is not installed in this project: run `make clean`, then the same command again."
        raise StartFailed(message)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as response:  # noqa: S310  our own http URL  # nosec B310
            return bool(response.status == 200)  # noqa: PLR2004
    except (urllib.error.URLError, OSError):
        return False


def _write_private(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(text)
