"""Secrets: neither shown nor serialised, and compared by their octets."""

import copy
import dataclasses
import json
import logging
import pickle
import traceback
from collections.abc import Callable

import pytest
import yaml

from keyroll.keychain.model import Key, Keychain
from keyroll.keychain.secret import SHOWN, Secret

SECRET = Secret("hunter2")
CHAIN = Keychain("c", (Key(0, SECRET),))


def test_no_representation_of_a_secret_shows_it() -> None:
    texts = [repr(SECRET), str(SECRET), f"{SECRET}", f"{SECRET!r:>20}", f"{SECRET:>20}", f"{SECRET!r:>20}"]
    texts += [repr(CHAIN), str(CHAIN.keys), f"{[SECRET]}"]
    assert all("hunter2" not in text and SHOWN in text for text in texts)


def refuse(secret: Secret, chain: Keychain) -> None:
    raise ValueError("refused", secret, chain)


def test_neither_logs_nor_tracebacks_show_a_secret(caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("x").warning("secret %s of %s", SECRET, CHAIN)
    with pytest.raises(ValueError, match="refused") as caught:
        refuse(SECRET, chain=CHAIN)
    shown = "".join(traceback.TracebackException.from_exception(caught.value, capture_locals=True).format())
    assert "secret=<secret>" in shown
    assert "hunter2" not in caplog.text + shown


@pytest.mark.parametrize(
    "leak",
    [
        pickle.dumps,
        copy.copy,
        copy.deepcopy,
        json.dumps,
        list,
        bytes,
        yaml.safe_dump,
        yaml.dump,
        vars,
        lambda secret: pickle.dumps(Key(0, secret)),
        lambda secret: dataclasses.asdict(Key(0, secret)),
        lambda secret: "x" + secret,
    ],
)
def test_a_secret_cannot_be_serialised(leak: Callable[[Secret], object]) -> None:
    with pytest.raises((TypeError, yaml.YAMLError)):
        leak(SECRET)


def test_a_secret_equals_only_a_secret_of_the_same_octets() -> None:
    assert Secret("hunter2") == Secret(b"hunter2")
    assert Secret("hunter2") != Secret("hunter3")
    assert Secret("hunter2") != "hunter2"
    assert Secret("hunter2") != b"hunter2"
    assert len({SECRET, Secret("hunter2"), Secret("x")}) == 2


def test_reveal_is_the_only_access_to_the_octets() -> None:
    assert SECRET.reveal() == b"hunter2"
    assert SECRET.reveal_text() == "hunter2"
    assert len(Secret("ä")) == 2
