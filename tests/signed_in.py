"""A user of the page, signed in as a browser does it: authorization code with PKCE through the hosted sign-in."""

import base64
import hashlib
import html
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import boto3
import requests

from tests.running_system import reachable

SECONDS = 30


class SignInFailed(Exception):
    """The sign-in page did something else than it should."""


@dataclass(frozen=True)
class Client:
    """An application of a user pool: the page, or another."""

    sign_in_url: str
    client_id: str
    redirect_uri: str

    @classmethod
    def of_page(cls, page_url: str) -> "Client":
        """As the page itself learns it."""
        said = request("GET", f"{page_url}viewer/config.json").json()
        return cls(said["sign_in_url"], said["client_id"], page_url)

    def sign_in(self, name: str, password: str) -> dict[str, Any]:
        """What the token endpoint gives: access_token, id_token, refresh_token, expires_in."""
        verifier, state = secrets.token_urlsafe(48), secrets.token_urlsafe(16)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
        asked = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": self.redirect_uri,
            "scope": "openid email",
            "state": state,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        browser = requests.Session()  # keeps cookies
        page = browser.get(f"{self.sign_in_url}/oauth2/authorize", params=asked, timeout=SECONDS)
        # The local sign-in takes its own fields back; Cognito's has a token against forgery among them.
        fields = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page.text))
        if not page.ok or 'name="password"' not in page.text:
            message = f"{self.sign_in_url} shows no sign-in form ({page.status_code}): {page.text[:500]}"
            raise SignInFailed(message)
        filled = {name_: html.unescape(value) for name_, value in fields.items()}
        answer = browser.post(
            f"{self.sign_in_url}/login",
            data={**filled, "username": name, "password": password},
            allow_redirects=False,
            timeout=SECONDS,
        )
        place = answer.headers.get("Location", "")
        back = parse_qs(urlsplit(place).query)
        if not place.startswith(self.redirect_uri) or back.get("state") != [state] or "code" not in back:
            message = f"The sign-in of {name} gave no code ({answer.status_code} to {place}): {answer.text[:500]}"
            raise SignInFailed(message)
        return self._tokens(code=back["code"][0], code_verifier=verifier)

    def _tokens(self, **proof: str) -> dict[str, Any]:
        answer = requests.post(
            f"{self.sign_in_url}/oauth2/token",
            data={
                "grant_type": "authorization_code",
                "client_id": self.client_id,
                "redirect_uri": self.redirect_uri,
                **proof,
            },
            timeout=SECONDS,
        )
        if not answer.ok:
            message = f"The code was not taken ({answer.status_code}): {answer.text[:500]}"
            raise SignInFailed(message)
        tokens: dict[str, Any] = answer.json()
        return tokens


@contextmanager
def user(pool_id: str) -> Iterator[tuple[str, str]]:
    """A user of the pool with a password, as an administrator makes one; gone in the end."""
    cognito = boto3.client("cognito-idp")
    name, password = f"{uuid4().hex[:12]}@example.com", f"Aa1!{secrets.token_urlsafe(16)}"
    cognito.admin_create_user(
        UserPoolId=pool_id,
        Username=name,
        MessageAction="SUPPRESS",
        UserAttributes=[{"Name": "email", "Value": name}, {"Name": "email_verified", "Value": "true"}],
    )
    try:
        cognito.admin_set_user_password(UserPoolId=pool_id, Username=name, Password=password, Permanent=True)
        yield name, password
    finally:
        cognito.admin_delete_user(UserPoolId=pool_id, Username=name)


@dataclass
class Api:
    """The API of a page, asked with a token; without one, as a stranger."""

    page_url: str
    token: str | None = field(default=None, repr=False)

    def __call__(self, method: str, path: str, **more: Any) -> requests.Response:
        """The answer to a request; `params` and `json` are those of requests."""
        headers = {**more.pop("headers", {}), **({"Authorization": f"Bearer {self.token}"} if self.token else {})}
        return request(method, self.page_url.rstrip("/") + path, headers=headers, **more)

    def get(self, path: str, **params: Any) -> Any:
        """The JSON of a 200."""
        answer = self("GET", path, params=params)
        assert answer.status_code == 200, f"{answer.status_code}: {answer.text[:500]}"
        return answer.json()


@contextmanager
def signed_in(page_url: str, pool_id: str) -> Iterator[Api]:
    """The API of the page, for a user made for it (stack outputs PageUrl and UserPoolId)."""
    with user(pool_id) as (name, password):
        yield Api(page_url, Client.of_page(page_url).sign_in(name, password)["access_token"])


def request(method: str, url: str, **more: Any) -> requests.Response:
    """A request to a URL of the stack."""
    headers = {"Host": urlsplit(url).netloc, **more.pop("headers", {})}
    return requests.request(method, reachable(url), headers=headers, timeout=SECONDS, allow_redirects=False, **more)
