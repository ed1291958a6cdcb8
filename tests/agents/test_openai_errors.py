"""Tests of what users are told about a provider's failures."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from greenroom.agents.openai_errors import (
    MAX_QUOTE,
    Provider,
    empty_reply,
    retry_after,
    status_error,
    stream_error,
)

PROVIDER = Provider("http://host/v1", "m", "the environment variable MY_KEY", True, "sk-secret")


def test_quotes_are_short_and_without_the_key() -> None:
    """The provider's own words are bounded and lose the key."""
    assert PROVIDER.quote("bad sk-secret\n\nkey") == "bad … key"
    assert len(PROVIDER.quote("x" * 1000)) == MAX_QUOTE + 1
    assert "sk-secret" not in repr(PROVIDER)


def test_a_provider_that_repeats_the_request_is_not_quoted() -> None:
    """Personas and other people's words do not come back in an error, whole, in part, or with other white space."""
    persona = "You are Mira, a lighthouse keeper.\nYour secret is the parrot."
    provider = Provider("http://host/v1", "m", "x", True, "sk-secret", private=persona)
    for said in (
        f"bad prompt: {persona}",
        "messages[0]: 'Your secret is the parrot.'",
        "a lighthouse keeper. Your secret",
    ):
        assert provider.quote(said) == ""
        assert "parrot" not in str(stream_error(provider, said))
    assert provider.quote("You are out of quota.") == "You are out of quota."


def test_missing_key_and_wrong_key() -> None:
    """A key that is missing and one that is refused get different advice."""
    without = Provider("http://host/v1", "m", "the environment variable MY_KEY", False)
    assert "Put a key into the environment variable MY_KEY" in status_error(without, 401, "").hint
    assert "Check the key in the environment variable MY_KEY" in status_error(PROVIDER, 403, "").hint


@pytest.mark.parametrize(
    ("code", "retryable"), [(429, True), (500, True), (503, True), (400, False), (308, False)]
)
def test_statuses(code: int, retryable: bool) -> None:
    """Each status says its number and what to do; the passing ones say that trying again may help."""
    error = status_error(PROVIDER, code, "")
    assert str(code) in error.message
    assert error.hint
    assert error.retryable is retryable


def test_not_found_with_nothing_to_offer() -> None:
    """A provider without any model is called that."""
    assert "no model at all" in status_error(PROVIDER, 404, "", []).hint


def test_filtered_reply() -> None:
    """A reply that a content filter held back is called that."""
    assert "content filter" in empty_reply(PROVIDER, "content_filter", False).message


def test_retry_after() -> None:
    """Seconds and dates are understood, anything else is ignored."""
    assert retry_after("7") == 7
    assert retry_after("-7") == 0
    assert retry_after(None) is retry_after("soon") is retry_after("") is None
    soon = retry_after(format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True))
    assert soon is not None
    assert 25 < soon <= 31
