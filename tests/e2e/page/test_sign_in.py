"""Signing in and out, in a real browser."""

import json
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import Page, expect

from cli.stack import Stack
from tests.e2e.page.conftest import User, Visit, sign_in, until


def test_who_is_not_signed_in_is_sent_to_the_sign_in_page_and_comes_back_to_where_they_were(
    stranger: Visit, stack: Stack, user: User
) -> None:
    page = stranger("/?view=phrases")
    page.wait_for_url(f"{stack.outputs['SignInUrl']}/**")
    asked = parse_qs(urlsplit(page.url).query)
    assert asked["code_challenge_method"] == ["S256"]
    sign_in(page, user)
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    assert page.url == f"{stack.page_url}?view=phrases"
    expect(page.get_by_text(user.name)).to_be_visible()


def test_a_wrong_password_does_not_lead_to_the_page(stranger: Visit, stack: Stack, user: User) -> None:
    page = stranger("/")
    sign_in(page, User(user.name, "Wrong-password-1"))
    page.wait_for_load_state()
    assert urlsplit(page.url).netloc == urlsplit(stack.outputs["SignInUrl"]).netloc


def test_an_answer_that_was_not_asked_for_is_refused(stranger: Visit) -> None:
    page = stranger("/?code=from-elsewhere&state=from-elsewhere")
    expect(page.get_by_role("alert")).to_contain_text("was not asked for")
    assert page.evaluate("sessionStorage.getItem('tokens')") is None
    assert "code=" not in page.url


def test_who_signs_out_must_sign_in_again(stranger: Visit, stack: Stack, user: User) -> None:
    page = stranger("/")
    sign_in(page, user)
    page.get_by_role("button", name="Sign out").click()
    page.locator("input[name=password]:visible").wait_for()
    assert urlsplit(page.url).netloc == urlsplit(stack.outputs["SignInUrl"]).netloc


def _with_token(page: Page, change: str) -> None:
    page.evaluate(
        "change => { const kept = JSON.parse(sessionStorage.tokens); Object.assign(kept, JSON.parse(change));"
        " sessionStorage.tokens = JSON.stringify(kept); }",
        change,
    )


def test_a_token_that_is_refused_is_renewed_once_and_nobody_notices(visit: Visit) -> None:
    page = visit("/")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    _with_token(page, json.dumps({"access_token": "altered"}))
    page.reload()
    expect(page.get_by_role("heading", level=1)).to_have_text("Recordings")
    until(page, "() => JSON.parse(sessionStorage.tokens).access_token !== 'altered'")


def test_who_has_wrong_tokens_only_sees_no_data_and_must_sign_in(visit: Visit, stack: Stack) -> None:
    page = visit("/")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    _with_token(page, json.dumps({"access_token": "altered", "refresh_token": "altered"}))
    page.reload()
    page.locator("input[name=password]:visible").wait_for()
    assert urlsplit(page.url).netloc == urlsplit(stack.outputs["SignInUrl"]).netloc
