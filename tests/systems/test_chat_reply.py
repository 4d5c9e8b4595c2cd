"""A reply of any form is read or refused with a ValueError; nothing that a server sends is a traceback."""

import json

from hypothesis import given
from hypothesis import strategies as st

from slmkit.systems._chat_reply import read_body, read_reply
from slmkit.systems._post_json import RequestError

KEYS = ["type", "text", "thinking", "content", "function", "name", "arguments", "refusal", "index", "summary"]
LEAVES = st.none() | st.booleans() | st.integers(-2, 3) | st.text(max_size=4)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4)
)
MESSAGES = st.dictionaries(
    st.sampled_from(["content", "reasoning", "reasoning_content", "tool_calls", "function_call", "refusal"]), VALUES
)
CHOICES = st.fixed_dictionaries({"message": MESSAGES | VALUES}, optional={"finish_reason": VALUES, "delta": MESSAGES})
BODIES = st.fixed_dictionaries({"choices": st.lists(CHOICES, max_size=2) | VALUES}, optional={"usage": VALUES})


@given(BODIES, st.booleans())
def test_every_body_is_read_or_refused(body, streamed):
    data = json.dumps(body).encode()
    try:
        reply = read_reply(read_body(b"data: " + data + b"\n\ndata: [DONE]\n\n" if streamed else data))
    except (ValueError, RequestError):
        return
    assert reply.text is None or isinstance(reply.text, str)
    assert isinstance(reply.thinking, str)


@given(st.text(min_size=1, max_size=30), st.integers(1, 5))
def test_a_streamed_text_is_the_text_sent_whole(text, size):
    pieces = [text[i : i + size] for i in range(0, len(text), size)]
    events = "".join(
        f"data: {json.dumps({'choices': [{'delta': {'content': piece}}]})}\n\n" for piece in pieces
    )  # JSON writes line breaks as \n, so an event is one line
    whole = {"choices": [{"message": {"content": text}}]}
    assert read_reply(read_body(events.encode())).text == read_reply(read_body(json.dumps(whole).encode())).text
