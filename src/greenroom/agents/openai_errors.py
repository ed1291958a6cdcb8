"""What to tell a user when the model provider refuses or fails. Plain functions; no key ever gets in here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from time import time

from .base import AgentError

MAX_QUOTE = 200
"""Characters of the provider's own message that are passed on."""

REPEATED = 24
"""As many characters of the request in a row are taken for a repetition of it."""

SHOWN_MODELS = 10


@dataclass(frozen=True, slots=True)
class Provider:
    """How the messages name the provider, its model and where its key comes from."""

    url: str
    """The base URL, without a user or password in it."""
    model: str
    key_source: str
    """`the environment variable X`, or the name of the field in the configuration."""
    has_key: bool
    secret: str = ""
    """The key itself, only to be cut out of what the provider says."""
    private: str = ""
    """What was sent: persona and talk. A provider that repeats it in an error is not quoted."""

    def quote(self, text: str) -> str:
        """The provider's own words, short, without the key; nothing if they repeat what it was sent."""
        if self.secret:
            text = text.replace(self.secret, "…")
        text = " ".join(text.split())
        text = text if len(text) <= MAX_QUOTE else text[:MAX_QUOTE] + "…"
        return "" if self._repeats(text) else text

    def _repeats(self, text: str) -> bool:
        sent = " ".join(self.private.split())
        return any(text[at : at + REPEATED] in sent for at in range(len(text) - REPEATED + 1))

    def __repr__(self) -> str:
        return f"Provider({self.url!r}, {self.model!r})"


def status_error(
    provider: Provider, status: int, said: str, models: Sequence[str] | None = None
) -> AgentError:
    """The error for an answer that is not 200.

    Args:
        said: the provider's own words, already short and without the key.
        models: what it offers, if that was asked (404).
    """
    words = f" It says: {said}" if said else ""
    if status in (401, 403):
        # Its own words often repeat a part of the key, so they are left out.
        if provider.has_key:
            hint = f"Check the key in {provider.key_source}."
        else:
            hint = f"Put a key into {provider.key_source}, and start the server again."
        return AgentError(f"The model provider at {provider.url} refuses the key (HTTP {status}).", hint=hint)
    if status == 404:
        return _not_found(provider, words, models)
    if status == 429:
        return AgentError(
            f"The model provider is busy, or its quota is used up (HTTP 429).{words}",
            hint="Please try again in a moment.",
            retryable=True,
        )
    if status >= 500:
        return AgentError(
            f"The model provider failed (HTTP {status}).{words}",
            hint="Please try again in a moment.",
            retryable=True,
        )
    if 300 <= status < 400:
        return AgentError(
            f"The model provider at {provider.url} sends us elsewhere (HTTP {status}).",
            hint="Set agent.openai.base_url to the address it really has.",
        )
    return AgentError(
        f"The model provider refuses the request (HTTP {status}).{words}",
        hint=f"Check the settings under agent.openai for the model {provider.model}.",
    )


def _not_found(provider: Provider, words: str, models: Sequence[str] | None) -> AgentError:
    if models is None:
        return AgentError(
            f"There is no chat API at {provider.url}, or no model {provider.model!r} (HTTP 404).{words}",
            hint="Check agent.openai.base_url (it usually ends in /v1) and agent.openai.model.",
        )
    message = f"The model {provider.model!r} was not found at {provider.url} (HTTP 404)."
    if not models:
        return AgentError(message, hint="It offers no model at all: load or pull one there first.")
    more = f" and {len(models) - SHOWN_MODELS} more" if len(models) > SHOWN_MODELS else ""
    return AgentError(
        message,
        hint=f"Set agent.openai.model to one that it offers: {', '.join(models[:SHOWN_MODELS])}{more}.",
    )


def unreachable(provider: Provider) -> AgentError:
    return AgentError(
        f"The model provider at {provider.url} cannot be reached.",
        hint="Is it running, and is agent.openai.base_url right?",
        retryable=True,
    )


def connect_too_slow(provider: Provider, seconds: float) -> AgentError:
    return AgentError(
        f"The model provider at {provider.url} did not accept a connection within {seconds:g} s.",
        hint="Is it running, and is agent.openai.base_url right?",
        retryable=True,
    )


def no_first_token(provider: Provider, seconds: float) -> AgentError:
    return AgentError(
        f"The model {provider.model} did not begin to answer within {seconds:g} s.",
        hint="It may be loading or overloaded; agent.openai.first_token_seconds sets how long to wait.",
        retryable=True,
    )


def went_silent(provider: Provider, seconds: float) -> AgentError:
    return AgentError(
        f"The model {provider.model} fell silent for {seconds:g} s in the middle of its answer.",
        hint="agent.openai.silence_seconds sets how long to wait.",
        retryable=True,
    )


def cut_off(provider: Provider, *, began: bool) -> AgentError:
    when = "in the middle of its answer" if began else "before it answered"
    return AgentError(
        f"The model provider at {provider.url} closed the connection {when}.",
        hint="Its own log may say why.",
        retryable=True,
    )


def garbage(provider: Provider) -> AgentError:
    return AgentError(
        f"What answers at {provider.url} does not speak the OpenAI chat API.",
        hint="Check agent.openai.base_url; it usually ends in /v1.",
    )


def stream_error(provider: Provider, said: str) -> AgentError:
    words = provider.quote(said)
    return AgentError(f"The model provider reported an error{f': {words}' if words else '.'}", retryable=True)


def empty_reply(provider: Provider, finish_reason: str | None, reasoned: bool) -> AgentError:
    if finish_reason == "content_filter":
        return AgentError("The model provider's content filter held the answer back.")
    hint = ""
    if reasoned and finish_reason == "length":
        hint = "All its tokens went into thinking: raise agent.openai.max_tokens."
    return AgentError(f"The model {provider.model} gave an empty answer.", hint=hint, retryable=True)


def retry_after(value: str | None) -> float | None:
    """Seconds a `Retry-After` header asks for; None without one, or if it makes no sense."""
    if not value:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time())
    except (ValueError, TypeError, OverflowError):
        return None
