"""Tests of admission.py: who comes in, by what is configured and what is shown."""

from __future__ import annotations

import pytest
from tests.server.security.knocks import BOT_TOKEN, OPS_TOKEN, TOKEN, admission, answer, judged, knock

from greenroom.server.security.admission import (
    Entry,
    Refusal,
    cookie_in,
    is_crooked,
    is_ops,
    token_in,
    without_token,
)

BEARER = f"Bearer {TOKEN}"


def test_without_a_token_this_machine_comes_in() -> None:
    """On loopback with no token set, programs and pages of this machine may do everything."""
    rules = admission()
    assert answer(rules, knock()) == "visit ops here"
    assert answer(rules, knock(origin="http://127.0.0.1:12393")) == "visit ops here"
    assert answer(rules, knock(origin="http://localhost:5173")) == "visit ops here"
    assert answer(rules, knock("/ops/state", kind="http")) == "visit ops here"


def test_a_page_of_another_origin_is_refused() -> None:
    """Whatever is shown along with it: a token in a page's hands does not make the page one of ours."""
    for rules in (admission(), admission(token=TOKEN), admission(insecure_open=True)):
        assert answer(rules, knock(origin="https://evil.example", authorization=BEARER)) == "origin"
        assert answer(rules, knock(origin="http://127.0.0.1.evil.example")) == "origin"
        assert answer(rules, knock(origin="nonsense")) == "origin"


def test_a_foreign_page_may_not_post() -> None:
    """What changes something asks for an origin of ours too; what only reads does not."""
    rules = admission()
    foreign = {"origin": "https://evil.example"}
    assert answer(rules, knock("/ops/soak", kind="http", method="POST", **foreign)) == "origin"
    assert answer(rules, knock("/ops/soak", kind="http", method="DELETE", **foreign)) == "origin"
    assert answer(rules, knock("/avatars/a.png", kind="http", **foreign)) == "visit ops here"


def test_pages_from_files_need_a_setting() -> None:
    """Desktop apps send `null` or `file://`; so does every sandboxed frame of the open web."""
    for origin in ("null", "file://", "file:///"):
        assert answer(admission(), knock(origin=origin)) == "origin"
        assert answer(admission(allow_null_origin=True), knock(origin=origin)) == "visit ops here"


def test_a_form_that_hides_its_address_is_ours_if_the_browser_says_so() -> None:
    """A page with `referrer: no-referrer` posts with `Origin: null`."""
    form = {"kind": "http", "method": "POST", "origin": "null"}
    assert answer(admission(token=TOKEN), knock("/login", **form, sec_fetch_site="same-origin")) == "ops here"
    assert answer(admission(token=TOKEN), knock("/login", **form, sec_fetch_site="cross-site")) == "origin"
    assert answer(admission(token=TOKEN), knock("/login", **form)) == "origin"


def test_a_name_that_points_here_is_not_here() -> None:
    """DNS rebinding: the page's origin and the host agree, and yet the name is somebody else's."""
    rebound = {"host": "evil.example:12393", "origin": "http://evil.example:12393"}
    for rules in (admission(), admission(insecure_open=True)):
        assert answer(rules, knock(**rebound)) == "host"
        assert answer(rules, knock("/ops/state", kind="http", host="evil.example")) == "host"
    assert answer(admission(allowed_hosts=["evil.example"]), knock(**rebound)) == "visit ops here"


def test_a_rebound_name_gets_no_view_of_the_inside() -> None:
    """With a visitors' token and no ops token, `/ops` is this machine's, and a rebound name is not this machine."""
    rules = admission(token=TOKEN)
    assert answer(rules, knock("/ops/state", kind="http", authorization=BEARER)) == "visit ops here"
    rebound = knock("/ops/state", kind="http", host="evil.example", authorization=BEARER)
    assert answer(rules, rebound) == "ops"


def test_a_set_token_is_asked_of_everybody() -> None:
    """On this machine too, unless it is trusted by a setting."""
    rules = admission(token=TOKEN)
    assert answer(rules, knock()) == "no-token"
    assert answer(rules, knock(address="10.1.2.3", host="10.1.2.1:12393")) == "no-token"
    assert answer(rules, knock(address="10.1.2.3", authorization=BEARER)) == "visit"
    assert answer(rules, knock(authorization=f"bearer {TOKEN}")) == "visit ops here"
    assert answer(rules, knock(query=f"room=a&token={TOKEN}")) == "visit ops here"
    assert answer(admission(token=TOKEN, trust_loopback=True), knock()) == "visit ops here"
    assert answer(admission(token=TOKEN, trust_loopback=True), knock(address="10.1.2.3")) == "no-token"


@pytest.mark.parametrize(
    "wrong", [TOKEN[:-1], TOKEN + "x", TOKEN.upper(), " ", "é" * 20, "x" * 100_000, OPS_TOKEN]
)
def test_a_wrong_token_is_refused(wrong: str) -> None:
    """However near it is to the right one."""
    rules = admission(token=TOKEN)
    refused = judged(rules, knock(authorization=f"Bearer {wrong}"))
    assert isinstance(refused, Refusal)
    assert (refused.code, refused.status) in {("wrong-token", 401), ("no-token", 401)}
    assert wrong.strip() == "" or wrong not in f"{refused}"


def test_insecure_open_lets_everybody_visit_and_nobody_see_the_inside() -> None:
    """From afar `/ops` and `/metrics` stay closed, or ask for the ops token."""
    far = {"address": "10.1.2.3", "host": "10.1.2.1:12393"}
    rules = admission(insecure_open=True)
    assert answer(rules, knock(**far)) == "visit"
    assert answer(rules, knock("/metrics", kind="http", **far)) == "ops"
    rules = admission(insecure_open=True, ops_token=OPS_TOKEN)
    ops = knock("/metrics", kind="http", **far, authorization=f"Bearer {OPS_TOKEN}")
    assert answer(rules, ops) == "visit ops"
    assert answer(rules, knock("/ops", kind="http")) == "ops"


def test_the_visitors_token_does_not_open_the_inside_where_an_ops_token_is_set() -> None:
    """The ops token opens both; the visitors' only its own part, on this machine too."""
    rules = admission(token=TOKEN, ops_token=OPS_TOKEN)
    for path in ("/ops", "/ops/state", "/ops/tasks.json", "/metrics", "/ops.html"):
        assert answer(rules, knock(path, kind="http", authorization=BEARER)) == "ops"
        assert "ops" in answer(rules, knock(path, kind="http", authorization=f"Bearer {OPS_TOKEN}")).split()
    assert answer(rules, knock(authorization=BEARER)) == "visit here"
    assert answer(rules, knock(authorization=f"Bearer {OPS_TOKEN}")) == "visit ops here"


def test_a_visitor_through_a_proxy_is_not_this_machine() -> None:
    """A proxy nobody named is refused where this machine alone may come in; the answer says what to set."""
    for trace in ("x_forwarded_for", "forwarded", "x_real_ip", "via", "x_forwarded_proto"):
        refused = judged(admission(), knock(**{trace: "10.1.2.3"}))
        assert isinstance(refused, Refusal)
        assert refused.code == "forwarded"
        assert "trusted_proxies" in refused.fix


def test_behind_a_trusted_proxy_nobody_is_this_machine() -> None:
    """Not even a request without a trace of it: it may have come through a proxy that leaves none."""
    rules = admission(token=TOKEN, trusted_proxies=["127.0.0.1"], trust_loopback=True)
    assert answer(rules, knock()) == "no-token"
    assert answer(rules, knock(x_forwarded_for="10.1.2.3")) == "no-token"
    found = judged(rules, knock(x_forwarded_for="10.1.2.3", authorization=BEARER))
    assert isinstance(found, Entry)
    assert (found.visitor.address, found.visitor.here, found.visitor.may_ops) == ("10.1.2.3", False, False)
    assert answer(rules, knock("/ops", kind="http", authorization=BEARER)) == "ops"


def test_health_is_for_everybody_and_its_details_are_not() -> None:
    """A balancer asks without a token; what it may see is in the visitor."""
    rules = admission(token=TOKEN)
    assert answer(rules, knock("/health/ready", kind="http", address="10.1.2.3")) == ""
    assert (
        answer(rules, knock("/health/ready", kind="http", authorization="Bearer nonsense-nonsense"))
        == "ops here"
    )


def test_pictures_are_open_to_addresses_with_a_connection() -> None:
    """A client of another origin loads them without a token, which it has no way to send along."""
    rules = admission(frozenset({"10.1.2.3"}), token=TOKEN)
    for path in ("/bg/a.png", "/avatars/a.png", "/live2d-models/mao/mao.moc3", "/cache/x.wav"):
        assert answer(rules, knock(path, kind="http", address="10.1.2.3")) == ""
        assert answer(rules, knock(path, kind="http", address="10.1.2.4")) == "no-token"
    assert answer(rules, knock("/", kind="http", address="10.1.2.3")) == "no-token"
    assert answer(rules, knock("/bg/a.png", kind="http", method="POST", address="10.1.2.3")) == "no-token"


def test_too_many_wrong_tokens_close_the_ears_for_a_minute() -> None:
    """For that address only; a session that is open there goes on."""
    rules = admission(token=TOKEN, wrong_tokens_per_minute=3)
    guesses = [
        knock(authorization=f"Bearer not-the-right-token-{n}", address="10.1.2.3") for n in (1, 1, 2, 1, 3, 4)
    ]
    assert [answer(rules, guess) for guess in guesses] == ["wrong-token"] * 5 + ["too-many-attempts"]
    right = {"authorization": BEARER, "address": "10.1.2.3"}
    refused = judged(rules, knock(**right, now=59.0))
    assert isinstance(refused, Refusal)
    assert (refused.code, refused.status, refused.retry_seconds) == ("too-many-attempts", 429, 2)
    assert answer(rules, knock(authorization=BEARER, address="10.1.2.4")) == "visit"
    assert answer(rules, knock(**right, now=60.0)) == "visit"


def test_a_named_token_gives_its_name_and_its_limits() -> None:
    """Logs and metrics show the name; the key carries the limits."""
    one = {"name": "bot", "token": BOT_TOKEN, "max_connections": 2, "messages_per_second": 5, "trusted": True}
    found = judged(
        admission(token=TOKEN, tokens=[one]), knock(address="10.1.2.3", authorization=f"Bearer {BOT_TOKEN}")
    )
    assert isinstance(found, Entry)
    assert found.key is not None
    assert (found.visitor.token, found.visitor.trusted, found.key.max_connections) == ("bot", True, 2)


def test_a_session_opens_what_its_token_opened() -> None:
    """Until it ends."""
    rules = admission(token=TOKEN, session_hours=1)
    key = rules.keyring.find(TOKEN)
    assert key is not None
    name = rules.sessions.begin(key, 0.0)
    cookie = {"cookie": f"other=1; greenroom_12393={name}", "address": "10.1.2.3"}
    assert answer(rules, knock(**cookie, now=3599.0)) == "visit"
    assert answer(rules, knock(**cookie, now=3600.0)) == "no-token"
    assert answer(rules, knock(cookie="greenroom_12393=x", address="10.1.2.3")) == "no-token"


def test_a_pass_opens_everything_until_it_is_revoked() -> None:
    """For children of the server."""
    rules = admission(token=TOKEN)
    token = rules.passes.issue("soak", seconds=10, now=0.0)
    shown = {"authorization": f"Bearer {token}", "address": "10.1.2.3"}
    assert answer(rules, knock(**shown, now=9.0)) == "visit ops"
    assert answer(rules, knock(**shown, now=10.0)) == "wrong-token"
    rules.passes.revoke(token)
    assert answer(rules, knock(**shown, now=9.0)) == "wrong-token"


def test_paths_that_lead_out_are_refused() -> None:
    """Before any route sees them, and before a token is looked at."""
    for path in ("/../x", "/bg/../../x", "/bg/..\\x", "/bg/a\0.png", "/bg/%2e%2e/x"):
        assert is_crooked(path)
        assert answer(admission(), knock(path, kind="http")) == "path"
    for path in ("/", "/a..b/c", "/.../x", "/bg/a.b.png"):
        assert not is_crooked(path)


def test_what_is_part_of_the_inside() -> None:
    """All of `/ops` and the metrics, and nothing that only begins like them."""
    assert all(map(is_ops, ("/ops", "/ops/", "/ops/tasks/3/stack", "/metrics", "/ops.html")))
    assert not any(map(is_ops, ("/", "/opsx", "/assets/ops.js", "/metricsx")))


def test_where_a_token_stands() -> None:
    """The header wins over the address; other schemes are somebody else's business."""
    assert token_in(knock(query="token=a%2Bb&x=1")) == ("a+b", True)
    assert token_in(knock(query="xtoken=a")) == ("", False)
    assert token_in(knock(query="token=a", authorization="Bearer b")) == ("b", False)
    assert token_in(knock(authorization="Basic dXNlcjpwYXNz")) == ("", False)


def test_the_query_behind_the_door_has_no_token() -> None:
    """Everything else in it stays."""
    assert without_token("token=x&room=a%20b&token=y&c=") == "room=a+b&c="
    assert without_token("room=a%20b") == "room=a%20b"


def test_the_cookie_is_the_one_of_this_port() -> None:
    """Two servers on one machine share a browser's cookies."""
    assert cookie_in(knock(cookie="greenroom_1=a; greenroom_12393=b")) == "b"
    assert cookie_in(knock(cookie="greenroom_123930=b")) == ""
