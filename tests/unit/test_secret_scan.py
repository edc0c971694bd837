"""The secret scan of `make check`: what it must catch, and that the list of made-up values is only that."""

import secrets
import string
from pathlib import Path

import pytest
from detect_secrets.core.potential_secret import PotentialSecret

from tests.secret_scan import accepted, files, found

PLANTED = {
    "an AWS access key": ("a.py", "KEY = 'AKIA{aws}'", "AWS Access Key"),
    "an API key in code": ("a.py", "headers = {{'authorization': '{hex}'}}", "Hex High Entropy String"),
    "an API key in a shell's environment": ("env", "export ASSEMBLYAI_API_KEY={hex}", "AssemblyAI API key"),
    "an API key by itself": ("key.txt", "{hex}", "AssemblyAI API key"),
    "an API key in YAML": ("a.yaml", "AssemblyAIApiKey: {hex}", "Secret Keyword"),
    "an API key in JSON": ("a.json", '{{"key": "{hex}"}}', "Hex High Entropy String"),
    "an API key in prose": ("README.md", "The key is '{hex}'.", "Hex High Entropy String"),
    "a private key": ("a.pem", "-----BEGIN " + "RSA PRIVATE KEY-----", "Private Key"),
}


@pytest.mark.parametrize("what", PLANTED)
def test_a_planted_secret_is_found(tmp_path: Path, what: str) -> None:
    name, line, kind = PLANTED[what]
    aws = "".join(secrets.choice(string.ascii_uppercase) for _ in range(16))
    (tmp_path / name).write_text("first line\n" + line.format(hex=secrets.token_hex(16), aws=aws) + "\n")
    finds = found(tmp_path, [name])
    assert (name, kind) in {(where, of) for where, of, _ in finds}
    assert set(finds.values()) == {2}
    assert not set(finds) & accepted()


def test_a_file_without_secrets_is_clean(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("bucket = os.environ['RESULTS_BUCKET']\npassword = getpass()\n")
    assert found(tmp_path, ["a.py"]) == {}


def test_nothing_that_ships_is_on_the_list_but_what_the_template_says_of_secrets() -> None:
    shipped = {one for one in accepted() if one[0].startswith(("functions/", "layers/", "statemachine/", "template"))}
    # GenerateSecretString: {PasswordLength: ...}, secretsmanager:GetSecretValue, GenerateSecret: false
    said = ("64, ExcludePunctuation: true}", "GetSecretValue", "false")
    assert shipped == {("template.yaml", "Secret Keyword", PotentialSecret.hash_secret(one)) for one in said}


def test_the_list_holds_nothing_that_is_gone() -> None:
    assert {name for name, _, _ in accepted()} <= set(files())
