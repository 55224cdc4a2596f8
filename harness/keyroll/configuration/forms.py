"""The form of a configuration's text: XML or JSON, with what routers and terminals put around it, or else lines.

Most texts are lines, so this is apart from `documents`, which reads the other two: importing that takes as long as
reading a small configuration.
"""

from __future__ import annotations

import re

from keyroll.patterns import compiled

WRAPPERS = frozenset(
    (
        *("rpc-reply", "data", "config", "config-text", "configuration-information", "rollback-information"),
        *("rpc", "edit-config", "load-configuration"),
    )
)
"""Elements around a configuration. `get-configuration` is not one of them: its content is a filter."""
TEXTS = frozenset(("configuration-text", "configuration-set", "configuration-output"))
"""Elements of a reply that contain a configuration as text."""
_TRACE = r"^.{0,40}\[NETCONF\] - \[\d+\] (?:Outgoing|Incoming): ?"
"""What a router's trace file of NETCONF puts before each line."""
_CARRIERS = WRAPPERS | TEXTS | {"configuration", "security", "protocols", "interfaces", "routing-instances"}
_WRAPPED_JSON = r"^[ \t]*(?:<[^<>]*>\s*)+\{(?=\s*\")"
"""Elements followed by JSON, as a router answers to `get-configuration format="json"`."""
_SEEN = 100_000
"""The characters of a text in which a document must begin, so that a long text of another kind is not searched."""
_START = r"^[ \t]*(?:<\?xml|<!DOCTYPE|<(?:\w+:)?(?P<tag>[A-Za-z][\w.-]*)(?=[\s/>]))"


def is_xml(text: str) -> bool:
    """Say whether a text, after prompts and echoes, is XML.

    A line of curly text may begin with a wildcard, `<ge-*> {`, so inside of a text only elements that contain a
    configuration count.
    """
    text = text[:_SEEN]
    found = compiled(_START, re.MULTILINE).search(without_trace(text)) if "<" in text else None
    if found is None:
        return False
    return text.lstrip()[:1] == "<" or found["tag"] is None or found["tag"] in _CARRIERS


def without_trace(text: str) -> str:
    """Return a text without what a trace file of NETCONF puts before each line."""
    return compiled(_TRACE, re.MULTILINE).sub("", text) if "[NETCONF]" in text else text


def first_line_with(text: str, mark: str) -> int | None:
    """Return where the first line begins with `mark`, after blanks."""
    found = compiled(rf"^[ \t]*(?={re.escape(mark)})", re.MULTILINE).search(text) if mark in text else None
    return None if found is None else found.end()


def is_json(text: str) -> bool:
    """Say whether a text, after prompts, echoes and the elements of a reply, is JSON."""
    text = unwrapped(text[:_SEEN])
    start = first_line_with(text[:_SEEN], "{")
    return start is not None and compiled(r'\{\s*(?:"|\})').match(text[start : start + 200]) is not None


def unwrapped(text: str) -> str:
    """Return JSON without the elements of a NETCONF reply around it; blanks keep every place."""
    found = compiled(_WRAPPED_JSON, re.MULTILINE).search(text) if "<" in text else None
    if found is None:
        return text
    end = text.rfind("}") + 1
    head = compiled(r"<[^>]*>").sub(_blanks, text[found.start() : found.end() - 1])
    # Each part keeps its length, so that line numbers stay the same.
    return text[: found.start()] + head + text[found.end() - 1 : end] + compiled(r"<[^>]*>").sub(_blanks, text[end:])


def _blanks(found: re.Match[str]) -> str:
    return compiled(r"[^\n]").sub(" ", found[0])
