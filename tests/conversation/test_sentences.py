"""Tests of sentences.py."""

from __future__ import annotations

import time
from collections.abc import Iterable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from greenroom.conversation.sentences import MAX_PIECE, Piece, SentenceSplitter


def split(text: str, size: int, *, faster_first: bool = False, emitted: bool = True) -> list[Piece]:
    """The pieces of a text that comes in tokens of `size` characters.

    `emitted`: something was said before, so that the risk that the first piece takes does not matter.
    """
    splitter = SentenceSplitter(faster_first=faster_first)
    if emitted:
        assert texts(splitter.feed("First. ") + splitter.feed("A")) == ["First."]
        splitter._buffer = ""
        splitter._scanned = 0
    pieces = [piece for at in range(0, len(text), size) for piece in splitter.feed(text[at : at + size])]
    return pieces + splitter.flush()


def texts(pieces: Iterable[Piece]) -> list[str]:
    return [piece.text for piece in pieces]


def solid(text: str) -> str:
    """The text without white space."""
    return "".join(text.split())


TABLE = [
    ("Hello there. How are you? Fine!", ["Hello there.", "How are you?", "Fine!"]),
    ("no end mark at all", ["no end mark at all"]),
    ("", []),
    ("   \n\n  ", []),
    ("It costs 3.14 or 1,000.50 euros. Really.", ["It costs 3.14 or 1,000.50 euros.", "Really."]),
    ("It was 1999. Then came 2000.", ["It was 1999.", "Then came 2000."]),
    ("See example.com or a.b.c for more. Bye.", ["See example.com or a.b.c for more.", "Bye."]),
    ("Is it at http://x.org/?a=1!b now? Yes.", ["Is it at http://x.org/?a=1!b now?", "Yes."]),
    ("Mr. Wu met Dr. Ma, e.g. at 9 a.m. today. Good.", ["Mr. Wu met Dr. Ma, e.g. at 9 a.m. today.", "Good."]),
    ("J. R. Tolkien wrote it. I know.", ["J. R. Tolkien wrote it.", "I know."]),
    ("So do I. You too.", ["So do I.", "You too."]),
    ("Oh no. I forgot. It is No. 5 again.", ["Oh no.", "I forgot.", "It is No. 5 again."]),
    ("Well... I think so… Maybe?! Yes!!! Ok", ["Well...", "I think so…", "Maybe?!", "Yes!!!", "Ok"]),
    ('He said "Stop!" and left. "Why?" "No idea."', ['He said "Stop!"', "and left.", '"Why?"', '"No idea."']),
    ("(Really?) Yes. [ok.] Then.", ["(Really?)", "Yes.", "[ok.]", "Then."]),
    ("你好。今天天气很好！去哪儿？", ["你好。", "今天天气很好！", "去哪儿？"]),
    ("他说:「走吧。」然后走了。", ["他说:「走吧。」", "然后走了。"]),
    ("“好的。”她说。", ["“好的。”", "她说。"]),
    ("你好。*微笑*很高兴。*挥手*", ["你好。", "*微笑*很高兴。", "*挥手*"]),
    ("*笑了。*好。", ["*笑了。*", "好。"]),
    ("いいですね！「はい。」と言った…そうか。", ["いいですね！", "「はい。」", "と言った…", "そうか。"]),
    ("版本3.5很好。价格是3。5元", ["版本3.5很好。", "价格是3。", "5元"]),
    ("Hi.你好.", ["Hi.", "你好."]),
    ("one\ntwo\n\n- three\n", ["one", "two", "- three"]),
    ("... and so on. ok", ["... and so on.", "ok"]),
    ("Great! 😀 Next. 😀😀", ["Great!", "😀 Next.", "😀😀"]),
    ("😀", ["😀"]),
    ("?!", ["?!"]),
    ("a < b and c <b> d. <thin> e.", ["a < b and c <b> d.", "<thin> e."]),
    ("हाँ। नहीं।", ["हाँ।", "नहीं।"]),
    ("هل أنت بخير؟ نعم.", ["هل أنت بخير؟", "نعم."]),
    ("<think>why? Hm.</think>Yes. No.", ["(", "why?", "Hm.", ")", "Yes.", "No."]),
    ("One.<think>a</think>Two.", ["One.", "(", "a", ")", "Two."]),
    ("... <think>a</think> b", ["...", "(", "a", ")", "b"]),
    ("Yes <think></think>no", ["Yes", "(", ")", "no"]),
    ("<think>never closed. At all", ["(", "never closed.", "At all"]),
    ("closed only</think>Yes", ["closed only", ")", "Yes"]),
    ("ends with <thin", ["ends with <thin"]),
    ("word " * 200, None),
    ("x" * 1000, ["x" * 400, "x" * 400, "x" * 200]),
    ("没有标点" * 250, None),
    ("!" * 1000, None),
    ("!" * 399 + "a" + "?" * 900 + " b", None),
    ("1." * 300 + " end", None),
    ("。」" * 500, None),
    ("Ja. " + "*" * 900, None),
    ("U.S.A. " * 100, None),
]  # fmt: skip


@pytest.mark.parametrize(("text", "wanted"), TABLE, ids=[text[:24] or "empty" for text, _ in TABLE])
def test_pieces_do_not_depend_on_how_the_tokens_fall(text: str, wanted: list[str] | None) -> None:
    """Each size of token gives the same pieces, none too long, nothing lost."""
    reference = split(text, 10_000)
    if wanted is not None:
        assert texts(reference) == wanted
    for size in range(1, 51):
        assert split(text, size) == reference, size
    assert solid("".join(texts(reference))) == solid(text.replace("<think>", "(").replace("</think>", ")"))
    assert all(0 < len(piece.text) <= MAX_PIECE for piece in reference)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 50])
def test_what_is_thought_is_marked(size: int) -> None:
    """Think tags are pieces of their own, also when a token ends inside of one; text inside is a thought."""
    pieces = split("<think>Let me see. Well.</think>Hello. <think>x</think>", size, emitted=False)
    assert [(piece.kind, piece.text) for piece in pieces] == [
        ("think-open", "("), ("thought", "Let me see."), ("thought", "Well."), ("think-close", ")"),
        ("text", "Hello."), ("think-open", "("), ("thought", "x"), ("think-close", ")"),
    ]  # fmt: skip


def test_the_first_piece_goes_out_at_once() -> None:
    """The visitor waits for the first piece: a mark at the end of a token is enough, a comma too."""
    splitter = SentenceSplitter(faster_first=True)
    assert splitter.feed("Well") == []
    assert texts(splitter.feed(",")) == ["Well,"]
    assert splitter.feed(" I think, so.") == []
    assert texts(splitter.feed(" Y")) == ["I think, so."]
    assert texts(splitter.flush()) == ["Y"]
    slower = SentenceSplitter(faster_first=False)
    assert slower.feed("Well, yes") == []
    assert texts(slower.feed("!")) == ["Well, yes!"]


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("Well, then. Yes.", "Well,"),
        ("好，我们走。", "好，"),
        ("はい、そうです。", "はい、"),
        ("1,000 people came. Yes.", "1,000 people came."),
        ("At 3:30, maybe. Yes.", "At 3:30,"),
        ("I have 3, you 4. Yes.", "I have 3,"),
        ("a:b, c", "a:b,"),
        ("Mr. Wu said so. Yes.", "Mr. Wu said so."),
        ("No. 5 is alive. Yes.", "No. 5 is alive."),
    ],
)
def test_the_first_piece_may_end_at_a_comma(text: str, first: str) -> None:
    """A comma ends the first piece unless it stands in a number; the same for each size of token."""
    for size in range(2, 51):
        pieces = split(text, size, faster_first=True, emitted=False)
        assert solid("".join(texts(pieces))) == solid(text)
        if not any(text[: at + size].endswith((".", ":")) for at in range(0, len(first) - 1, size)):
            assert pieces[0].text == first, size


def test_commas_of_thoughts_end_nothing() -> None:
    """Nobody waits to hear a thought: the hurry is kept for the first piece that is spoken."""
    for size in range(1, 30):
        pieces = split("<think>Well, 3.5, hm... yes</think>Ok, then", size, faster_first=True, emitted=False)
        assert texts(pieces) == ["(", "Well, 3.5, hm...", "yes", ")", "Ok,", "then"]


@given(
    st.lists(
        st.one_of(
            st.text(max_size=12),
            st.text(alphabet=" .!?。！？…,，\n*\"'」)<>a1Mr", max_size=12),
            st.sampled_from(["<think>", "</think>", "<thi", "Mr.", "3.", "e.g.", "x" * 150, "!" * 150]),
        ),
        max_size=20,
    ),
    st.booleans(),
)
@example(["... ", "<think>", "a"], True)
@example(["<", "\n", "think>"], False)
@example(["!" * 399, " ", "!" * 399, " a"], False)
def test_nothing_is_lost_and_nothing_invented(tokens: list[str], faster_first: bool) -> None:
    """Pieces without white space are the text without white space, in order, for any tokens."""
    splitter = SentenceSplitter(faster_first=faster_first)
    pieces = [piece for token in tokens for piece in splitter.feed(token)] + splitter.flush()
    back = {"think-open": "<think>", "think-close": "</think>"}
    assert solid("".join(back.get(piece.kind, piece.text) for piece in pieces)) == solid("".join(tokens))
    assert all(piece.text == piece.text.strip() and 0 < len(piece.text) <= MAX_PIECE for piece in pieces)
    assert splitter.flush() == []


@given(st.text(alphabet=' .!?。！…,\n*"」)ab1MrNo<>/think', max_size=60), st.integers(1, 60))
def test_pieces_do_not_depend_on_tokens_for_any_text(text: str, size: int) -> None:
    """What comes after the first piece is the same for each size of token."""
    assert split(text, size) == split(text, 1)


def seconds_for(tokens: list[str]) -> float:
    """Processor time for a reply."""
    splitter = SentenceSplitter()
    began = time.process_time()
    for token in tokens:
        splitter.feed(token)
    splitter.flush()
    return time.process_time() - began


@pytest.mark.parametrize(
    "unit",
    ["A sentence of words. ", "no marks here ", "没有标点", "!", "<", "*", "3.", "a,", "\n", "<think>", "x"],
)
def test_a_token_costs_the_same_in_a_long_reply(unit: str) -> None:
    """Eight times the text takes about eight times as long, for texts that tempt it to look twice."""
    few = list(unit * (3_000 // len(unit)))
    many = list(unit * (24_000 // len(unit)))
    short = min(seconds_for(few) for _ in range(3))
    long = min(seconds_for(many) for _ in range(2))
    assert long < 8 * short * 2.5 + 0.02


@pytest.mark.parametrize("unit", ["A sentence of words. ", "x", "!"])
def test_a_reply_in_one_piece_costs_no_more(unit: str) -> None:
    """A provider that does not stream sends everything at once: that must not block the loop."""
    text = unit * (200_000 // len(unit))
    assert seconds_for([text]) < 4 * seconds_for([text[i : i + 50] for i in range(0, len(text), 50)]) + 0.05


WHITE = [
    ("One. Two.\nThree.\n\n\nFour.", ["", " ", "\n", "\n\n"]),
    ("  One.\t Two.", [" ", " "]),
    ("Do:\n- Boil.\n   - Stir.\n", ["", "\n", "\n   "]),
    ("def f():\n    if x:\n\n        y()\n", ["", "\n    ", "\n\n        "]),
    ("你好。好。 好。", ["", "", " "]),
    ("Look at this.\n\n```\nx = 1\n```\n\nDone.", ["", "\n\n", "\n"]),
    ("<think>Hm.\nWell.</think>\n\nYes.", ["", "", "\n", "", "\n\n"]),
    ("One." + " \n" * 500 + " " * 500 + "Two.", ["", "\n\n" + " " * 40]),
]


@pytest.mark.parametrize(("text", "white"), WHITE)
def test_white_space_between_pieces(text: str, white: list[str]) -> None:
    """Each piece knows what stood before it, within bounds, whatever the tokens."""
    for size in (1, 3, 1000):
        assert [piece.before for piece in split(text, size)] == white


def test_marks_keep_the_end_of_their_line() -> None:
    """A line of marks goes in front of the next piece, and stays a line of its own."""
    assert texts(split("```\n\nDone. Bye.", 1)) == ["```\n\nDone.", "Bye."]
