"""Encoded secrets (`$9$`): decoded, encoded, and refused if invalid."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import DataObject

from keyroll.keychain.secret import Secret
from keyroll.keychain.type9 import SALTS, Type9Error, decode_type9, encode_type9


@pytest.mark.parametrize(
    ("text", "secret"),
    [  # from real configurations (TCP-AO/Configuration-examples and others), and an example of netutils
        ("$9$.PT3REyv87CtMX-waJz36", "interop"),
        ("$9$kP5FCA0O1hqm6ApBSy", "geheim"),
        ("$9$Dyk.5n6Atu1jHz69pRE", "geheim"),
        ("$9$xk3NVYq.53/taZnCu1yrwYg4UHf5F/A0z3", "interoptest"),
        ("$9$X9W7dskqfF6AoJ39pBSybs2gGiPfz6CuQF", "interoptest"),
        ("$9$7YdwgGDkTz6oJz69A1INdb", "juniper"),
    ],
)
def test_real_texts_are_decoded(text: str, secret: str) -> None:
    assert decode_type9(text) == Secret(secret)


@given(st.binary(min_size=1, max_size=126), st.integers(0, SALTS - 1))
def test_every_secret_is_decoded_again_and_encodes_to_the_same_text_every_time(octets: bytes, salt: int) -> None:
    text = encode_type9(Secret(octets), salt)
    assert text == encode_type9(Secret(octets), salt)
    assert decode_type9(text).reveal() == octets


def test_every_salt_including_zero_gives_a_different_text() -> None:
    assert len({encode_type9(Secret("geheim"), salt) for salt in range(SALTS)}) == SALTS


def test_the_longest_secret_takes_360_characters_beside_prefix_salt_and_filler() -> None:
    assert {len(encode_type9(Secret("x" * 126), salt)) - 360 for salt in range(SALTS)} == {4, 5, 6, 7}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("$9$", "nothing follows"),
        ("$9$Q", "cut short"),
        ("$9$kP", "cut short"),
        ("$9$kP5FCA0O1hqm6ApBS", "cut short"),
        ("$9$kP5FCA0O1hqm6ApB S", "does not occur"),
        ("$9$kP5FCA0O1hqm6ApBSä", "does not occur"),
        ("$9$iiii", "damaged"),
        ("geheim", r"begins with \$9\$"),
        ("", r"begins with \$9\$"),
        (encode_type9(Secret("x" * 127), 60), "127 characters"),
    ],
)
def test_an_invalid_encoded_secret_is_refused(text: str, message: str) -> None:
    with pytest.raises(Type9Error, match=message):
        decode_type9(text)


@given(st.binary(min_size=1, max_size=126), st.integers(0, SALTS - 1), st.data())
def test_a_truncated_text_never_gives_the_whole_secret(octets: bytes, salt: int, data: DataObject) -> None:
    text = encode_type9(Secret(octets), salt)
    cut = text[: data.draw(st.integers(0, len(text) - 1))]
    with suppress(Type9Error):
        shorter = decode_type9(cut).reveal()
        assert octets.startswith(shorter)
        assert len(shorter) < len(octets)


@given(st.text(alphabet="QzF3n6/9CAtpu0OB1IREhcSyrleKvMW8LXx7N-dVbwsY2g4oaJZGUDjiHkq.mPf5T", min_size=1))
def test_a_text_of_the_alphabet_gives_a_secret_or_a_type9_error(body: str) -> None:
    with suppress(Type9Error):
        assert 1 <= len(decode_type9(f"$9${body}")) <= 126


@given(st.text())
def test_no_error_shows_the_text_or_the_secret(body: str) -> None:
    try:
        decode_type9(f"$9$x{body}hunter2")
    except Type9Error as error:
        shown = f"{error!s}{error!r}{error.__cause__!r}{error.__context__!r}"
    else:
        shown = ""
    assert "hunter2" not in shown


@pytest.mark.parametrize("salt", [-1, 65])
def test_a_salt_is_one_of_65(salt: int) -> None:
    with pytest.raises(Type9Error, match="0 to 64"):
        encode_type9(Secret("x"), salt)
