"""Keys files: keys are found by address and port; an invalid field is named, and no secret is quoted."""

from ipaddress import ip_address
from pathlib import Path

import pytest
from tests.unit.known import known

from keyroll.capture.keys.keys_file import KeysBook, read_keys
from keyroll.document import DocumentError

GOOD = """\
keys:
  - name: key 0
    algorithm: hmac-sha-1-96
    secret: quite-secret
    send_id: {"10.0.0.1": 61, "10.0.0.2": 84}
    include_options: false
    port: 179
  - algorithm: aes-128-cmac-96
    secret_hex: "71756974652d736563726574"
    send_id: {"10.0.0.1": 62, "10.0.0.2": 85}
  - algorithm: aes-128-cmac-96
    secret: quite-secret
    send_id: {"fd00::1": 255, "fd00::2": 0}
    port: 646
"""


def packed(text: str) -> bytes:
    return ip_address(text).packed


def read(text: str) -> KeysBook:
    return read_keys(Path("keys.yaml"), text)


def test_keys_are_found_by_addresses_and_ports() -> None:
    book = read(GOOD)
    between = known(book.keys_for(packed("10.0.0.2"), packed("10.0.0.1"), 179, 40000))
    assert {key_id: keys[0].name for key_id, keys in between.sent.items()} == {84: "key 0", 85: "key 2"}
    assert (between.sender, between.receiver) == ("10.0.0.2", "10.0.0.1")
    assert between.sent[84][0].include_options is False
    assert between.sent[84][0].secret == between.sent[85][0].secret
    other = known(book.keys_for(packed("10.0.0.1"), packed("10.0.0.2"), 40000, 22))
    assert list(other.sent) == [62]
    assert book.keys_for(packed("fd00::1"), packed("fd00::2"), 179, 40000) is None
    assert list(known(book.keys_for(packed("fd00::1"), packed("fd00::2"), 40000, 646)).sent) == [255]
    assert list(known(book.keys_for(packed("fd00::1"), packed("fd00::2"), None, None)).sent) == [255]
    assert book.keys_for(packed("10.0.0.1"), packed("10.0.0.3"), 179, 1) is None


@pytest.mark.parametrize(
    ("old", "new", "line", "word"),
    [
        ("keys:\n", "kees:\n", 1, "unknown field; allowed here: keys"),
        ("    name: key 0", "    name: 7", 2, "name"),
        ("name: key 0", 'name: ""', 2, "name"),
        ("hmac-sha-1-96", "hmac-sha-256", 3, "aes-128-cmac-96"),
        ("    algorithm: hmac-sha-1-96\n", "", 2, "'keys.0.algorithm' is missing"),
        ('    secret: quite-secret\n    send_id: {"10.0.0.1": 61', '    send_id: {"10.0.0.1": 61', 2, "secret"),
        ("secret: quite-secret", 'secret: ""', 4, "at least one"),
        ("secret: quite-secret", "secret: [quite-secret]", 4, "secret"),
        ("secret: quite-secret", "secret: 123456", 4, "string"),
        (
            "secret: quite-secret",
            r'secret: "a\ud83d"',
            4,
            "U+D83D is half of a surrogate pair; write octets",
        ),
        ("secret: quite-secret", r'secret: "\ude00\ud83d"', 4, "U+DE00 is half of a surrogate pair"),
        ("secret: quite-secret", r'secret: "a\0b"', 4, "U+0000 is not a printable character"),
        ("secret: quite-secret", "secret: a\ufeffb", 4, "U+FEFF is not a printable character"),
        ("secret: quite-secret", "secret: a\U0001f600\x07", 4, "the character U+0007 is not allowed here"),
        ("secret: quite-secret", r'secret: "a\U00110000"', 4, "escape in it is not valid"),
        ('"10.0.0.1": 61, "10.0.0.2"', '"10.0.0.2": 61, "10.0.0.2"', 5, "'10.0.0.2' occurs twice"),
        ('"10.0.0.1": 61, "10.0.0.2"', '"fd00::2": 61, "fd00:0::2"', 5, "both ends have the address fd00::2"),
        ('"71756974652d736563726574"', '"7175697"', 9, "hexadecimal"),
        ('"71756974652d736563726574"', '"quite-secret"', 9, "hexadecimal"),
        ('"71756974652d736563726574"', '""', 9, "hexadecimal"),
        ("secret_hex:", "secret: quite-secret\n    secret_hex:", 8, "either"),
        ('"10.0.0.1": 61', '"10.0.0.1": 256', 5, "255"),
        ('"10.0.0.1": 61', '"10.0.0.1": -1', 5, "0"),
        ('"10.0.0.1": 61', '"10.0.0.1": "61"', 5, "integer"),
        ('"10.0.0.1": 61', '"10.0.0.1": true', 5, "integer"),
        ('"10.0.0.1": 61, ', "", 5, "two addresses"),
        ('"10.0.0.1": 61', '"fd00::1": 61', 5, "both IPv6"),
        ('"10.0.0.1": 61', '"10.0.0.300": 61', 5, "not an IP address"),
        ('{"10.0.0.1": 61, "10.0.0.2": 84}', "61", 5, "send_id"),
        ("include_options: false", "include_options: maybe", 6, "include_options"),
        ("port: 179", "port: 0", 7, "port"),
        ("port: 179", "port: 65536", 7, "65535"),
        ("port: 179", "port: bgp", 7, "port"),
        ("port: 179", "prot: 179", 7, "unknown field; allowed here: algorithm, include_options"),
        ('"10.0.0.1": 62', '"10.0.0.1": 61', 10, "already has KeyID 61"),
        ("keys:\n", "keys: []\nothers:\n", 1, "keys|others"),
        ("keys:\n", "keys:\nkeys:\n", 2, "keys"),
    ],
)
def test_each_invalid_field_is_named_with_its_line(old: str, new: str, line: int, word: str) -> None:
    text = GOOD.replace(old, new, 1)
    if old == "    name: key 0":
        text = GOOD.replace("name: key 0", "name: 7", 1)
    assert text != GOOD
    with pytest.raises(DocumentError) as refused:
        read(text)
    message = str(refused.value)
    assert any(part in message for part in word.split("|")), message
    assert abs(known(known(refused.value.where).line) - line) <= 1, message
    assert "quite" not in message
    assert "7175697" not in message


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ("    port: 179", "    quite-secret: 179", "7:5"),
        ("    port: 179", "    quite-secret:\n    port: 179", "7:5"),
        ("    port: 179", "    quite-secret: 1\n    quite-secret: 2", "8:5"),
        ("keys:\n", "quite-secret: 1\nkeys:\n", "1:1"),
        ('"10.0.0.1": 61', '"quite-secret": 61', "5:15"),
        ('"10.0.0.1": 61', "[quite-secret]: 61", "5:15"),
    ],
)
def test_a_secret_in_the_place_of_a_field_name_is_not_shown(old: str, new: str, place: str) -> None:
    with pytest.raises(DocumentError) as refused:
        read(GOOD.replace(old, new, 1))
    where = known(refused.value.where)
    assert f"{where.line}:{where.column}" == place
    assert "quite" not in str(refused.value)


@pytest.mark.parametrize("text", ["", "keys", "[1, 2]", "keys: 7", "keys: [7]", "{", "\t", "keys: [{}]", "keys: null"])
def test_a_file_that_is_not_a_keys_file_is_reported(text: str) -> None:
    with pytest.raises(DocumentError):
        read(text)


def test_the_same_keyid_on_different_ports_is_two_keys() -> None:
    text = GOOD.replace('"10.0.0.1": 62, "10.0.0.2": 85}', '"10.0.0.1": 61, "10.0.0.2": 84}\n    port: 646')
    book = read(text)
    assert known(book.keys_for(packed("10.0.0.1"), packed("10.0.0.2"), 1, 646)).sent[61][0].name == "key 2"
    assert known(book.keys_for(packed("10.0.0.1"), packed("10.0.0.2"), 1, 179)).sent[61][0].name == "key 0"


def test_the_representation_of_keys_shows_no_secret() -> None:
    book = read(GOOD)
    between = book.keys_for(packed("10.0.0.2"), packed("10.0.0.1"), 179, 40000)
    assert "quite" not in repr(between)


def test_two_escapes_of_a_surrogate_pair_are_one_character() -> None:
    """JSON writes characters above U+FFFF in this way, and JSON is valid YAML."""
    keys = known(
        read(GOOD.replace("secret: quite-secret", r'secret: "\ud83d\ude00"')).keys_for(
            packed("10.0.0.1"), packed("10.0.0.2"), 1, 179
        )
    )
    assert keys.sent[61][0].secret.reveal_text() == "\U0001f600"
