from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyroll.keychain.generate import Ids, generate
from keyroll.keychain.junostext import Encoding, KeychainTextError, TooManyKeysError, curly, parse, read, set_lines
from keyroll.keychain.model import NAME_MESSAGE, Key, Keychain
from keyroll.keychain.secret import Secret
from keyroll.names import Algorithm

T0 = datetime(2030, 1, 1, tzinfo=UTC)
CHAIN = Keychain(
    "new_auth_key",
    (
        Key(0, Secret("firstsecret"), T0, "ao", 1, 2, tcp_ao_option=True, algorithm=Algorithm.HMAC_SHA_1_96),
        Key(
            1,
            Secret("secondsecret"),
            T0 + timedelta(minutes=30),
            "ao",
            3,
            4,
            tcp_ao_option=True,
            algorithm=Algorithm.AES_128_CMAC_96,
        ),
    ),
)

# What `show security authentication-key-chains` printed on a real box (TCP-AO/Configuration-examples,
# JuniperNetworks.md); its secret is the public "interoptest".
REAL = """\
key-chain ao_aes_chain {
    key 0 {
        secret "$9$xk3NVYq.53/taZnCu1yrwYg4UHf5F/A0z3"; ## SECRET-DATA
        start-time "2020-6-16.01:00:00 +0530";
        algorithm ao;
        ao-attribute {
            send-id 9;
            recv-id 2;
            tcp-ao-option enabled;
            cryptographic-algorithm aes-128-cmac-96;
        }
    }
}
"""


WHOLE = """\
version "21.2R3";
system {{ host-name R1; login {{ message "a {{ b; }} # c"; }} }}
/* security {{ */
security {{ authentication-key-chains {{ {} }} ike {{ proposal x {{ dh-group group14; }} }} }}
protocols {{ bgp {{ group g {{ export [ a b ]; neighbor 10.0.0.2 {{ authentication-key-chain c; }} }} }} }}
"""


def one(text, **options):
    (chain,) = parse(text, source="R1.conf", **options)
    return chain


# Writing


def test_set_lines_have_the_form_and_order_of_real_configurations():
    assert set_lines(CHAIN)[:7] == [
        "set security authentication-key-chains key-chain new_auth_key key 0 secret firstsecret",
        'set security authentication-key-chains key-chain new_auth_key key 0 start-time "2030-1-1.00:00:00 +0000"',
        "set security authentication-key-chains key-chain new_auth_key key 0 algorithm ao",
        "set security authentication-key-chains key-chain new_auth_key key 0 ao-attribute send-id 1",
        "set security authentication-key-chains key-chain new_auth_key key 0 ao-attribute recv-id 2",
        "set security authentication-key-chains key-chain new_auth_key key 0 ao-attribute tcp-ao-option enabled",
        "set security authentication-key-chains key-chain new_auth_key key 0 ao-attribute cryptographic-algorithm "
        + Algorithm.HMAC_SHA_1_96.value,
    ]


def test_the_curly_form_is_that_of_a_real_box_but_for_the_random_salt():
    written = curly(parse(REAL, source="x"), root=False)
    secret = REAL.split('"')[1]
    assert written.replace(written.split('"')[1], secret) == REAL


def test_a_zone_can_be_chosen_and_is_always_written_out():
    lines = set_lines(CHAIN, zone=ZoneInfo("America/New_York"))
    assert lines[1].endswith('start-time "2029-12-31.19:00:00 -0500"')
    assert one("\n".join(lines)) == CHAIN


def test_a_chain_or_key_without_statements_is_still_there():
    assert set_lines(Keychain("c")) == ["set security authentication-key-chains key-chain c"]
    assert set_lines(Keychain("c", (Key(5),))) == ["set security authentication-key-chains key-chain c key 5"]


def test_encoded_lines_hold_no_clear_secret_and_are_the_same_every_time():
    lines = set_lines(CHAIN, Encoding.TYPE9)
    assert lines == set_lines(CHAIN, Encoding.TYPE9)
    assert "firstsecret" not in "\n".join(lines)
    assert '"$9$' in lines[0]


@pytest.mark.parametrize("octets", [b"two\nlines", b"\xff\xfe", b"$9$abc", b"$1$x", b"\x00"])
def test_a_secret_that_cannot_stand_in_a_line_is_encoded_even_when_clear_is_asked_for(octets):
    chain = Keychain("c", (Key(0, Secret(octets)),))
    (line,) = set_lines(chain)
    assert 'secret "$9$' in line
    assert one(line) == chain


def test_control_characters_in_names_and_descriptions_are_refused():
    with pytest.raises(KeychainTextError, match="control characters"):
        set_lines(Keychain("c", description="two\nlines"))
    with pytest.raises(KeychainTextError, match="control characters"):
        curly([Keychain("a\tb")])


# Reading


def test_a_real_configuration_is_read():
    chain = one(REAL)
    assert chain == Keychain(
        "ao_aes_chain",
        (
            Key(
                0,
                Secret("interoptest"),
                datetime(2020, 6, 16, 1, tzinfo=timezone(timedelta(hours=5, minutes=30))),
                "ao",
                9,
                2,
                tcp_ao_option=True,
                algorithm=Algorithm.AES_128_CMAC_96,
            ),
        ),
    )


def test_several_attributes_may_stand_on_one_line():
    assert one(
        "set security authentication-key-chains key-chain c key 0 secret s start-time 2030-01-01.00:00 algorithm ao"
        " ao-attribute send-id 1 recv-id 2 tcp-ao-option enabled cryptographic-algorithm aes-128-cmac-96"
    ) == Keychain(
        "c",
        (Key(0, Secret("s"), T0, "ao", 1, 2, tcp_ao_option=True, algorithm=Algorithm.AES_128_CMAC_96),),
    )


@pytest.mark.parametrize(
    "around",
    [
        "security {{ authentication-key-chains {{ {} }} }}",
        "authentication-key-chains {{ {} }}",
        "{}",
        WHOLE,
        "root@R1> show configuration security authentication-key-chains | no-more\n{}\n\nroot@R1> ",
        "{{master:0}}[edit]\nroot@R1# show security authentication-key-chains\n{}\n\n[edit]\nroot@R1# ",
    ],
)
def test_any_level_and_whole_configurations_are_read(around):
    assert one(around.format(REAL)) == one(REAL)


def test_a_terminal_session_with_set_commands_is_read():
    text = "\n".join(
        ["root@R1> configure", "", "[edit]", *(f"root@R1# {line}" for line in set_lines(CHAIN)), "[edit]", "commit"]
    )
    assert one(text) == CHAIN


def test_a_display_set_of_a_whole_router_is_read():
    text = "\n".join(
        [
            "set version 21.2R3",
            'set system login message "set security authentication-key-chains key-chain fake"',
            *set_lines(CHAIN, Encoding.TYPE9),
            "set protocols bgp group g neighbor 10.0.0.2 authentication-key-chain new_auth_key",
        ]
    )
    assert one(text) == CHAIN


def test_edit_levels_are_followed():
    text = """\
edit security authentication-key-chains key-chain c
set key 0 secret s
edit key 1
set secret t
up
set key 2 secret u
exit
set algorithm ao
top set security authentication-key-chains key-chain d
set security authentication-key-chains key-chain c tolerance 5
"""
    c, d = parse(text, source="x")
    assert [key.id for key in c.keys] == [0, 1, 2]
    assert c.keys[1].scheme == "ao"
    assert c.tolerance == 5
    assert d.name == "d"


def test_delete_and_deactivate_take_parts_out_of_force():
    lines = set_lines(CHAIN)
    head = "security authentication-key-chains key-chain new_auth_key"
    for verb in ("delete", "deactivate"):
        assert one("\n".join([*lines, f"{verb} {head} key 1"])) == replace(CHAIN, keys=CHAIN.keys[:1])
        assert one("\n".join([*lines, f"{verb} {head} key 1 secret"])).keys[1].secret is None
        assert one("\n".join([*lines, f"{verb} {head} key 1 ao-attribute"])).keys[1].send_id is None
        assert parse("\n".join([*lines, f"{verb} {head}"]), source="x") == []
        assert parse("\n".join([*lines, f"{verb} security"]), source="x") == []
    assert one("\n".join([*lines, f"deactivate {head}", f"activate {head}"])) == CHAIN


def test_inactive_parts_of_the_curly_form_are_not_in_force():
    assert parse(REAL.replace("key-chain ao", "inactive: key-chain ao"), source="x") == []
    assert one(REAL.replace("key 0", "inactive: key 0")).keys == ()
    assert one(REAL.replace("algorithm ao;", "inactive: algorithm ao;")).keys[0].scheme is None
    assert one(REAL.replace("key 0", "protect: key 0")) == one(REAL)
    assert parse("inactive: security { authentication-key-chains { " + REAL + " } }", source="x") == []


def test_later_statements_win():
    assert one("\n".join([*set_lines(CHAIN), set_lines(CHAIN)[0].replace("firstsecret", "other")])).keys[
        0
    ].secret == Secret("other")


def test_start_times_without_zone_are_in_the_routers_zone():
    line = "set security authentication-key-chains key-chain c key 0 start-time 2030-07-01.00:00"
    assert one(line).keys[0].start == datetime(2030, 7, 1, tzinfo=UTC)
    assert one(line, default_zone=ZoneInfo("Europe/Berlin")).keys[0].start == datetime(2030, 6, 30, 22, tzinfo=UTC)


def test_statements_of_other_protocols_and_meta_statements_are_let_pass():
    assert one(
        "key-chain c { apply-macro m { x y; } key 0 { secret s; options basic; fallback sha-1; apply-flags omit; } }"
    ) == Keychain("c", (Key(0, Secret("s")),))


def test_line_ends_of_other_systems_are_read():
    assert one("\r\n".join(set_lines(CHAIN))) == CHAIN
    assert one(curly([CHAIN]).replace("\n", "\r\n")) == CHAIN
    assert one("\ufeff" + curly([CHAIN])) == CHAIN


def test_a_number_with_leading_zeros_is_that_number():
    text = "\n".join([HEAD + "key 1 secret a", HEAD + "key 01 algorithm ao", HEAD + "key 00 secret b"])
    assert one(text) == Keychain("c", (Key(0, Secret("b")), Key(1, Secret("a"), scheme="ao")))


def test_comments_are_let_pass_in_set_commands():
    text = "# a plan\n/* of\ntwo lines */\n" + "\n".join(
        f"{line} ## SECRET-DATA" if " secret " in line else line for line in set_lines(CHAIN, Encoding.TYPE9)
    )
    assert one(text) == CHAIN


def test_no_chain_is_an_empty_list():
    assert parse("", source="x") == []
    assert parse("# nothing\n", source="x") == []
    assert parse("system { host-name R1; }", source="x") == []


def test_the_places_of_parts_are_known():
    configuration = read(REAL, source="R1.conf")
    assert str(configuration.where("ao_aes_chain")) == "R1.conf:1:11"
    assert str(configuration.where("ao_aes_chain", 0)) == "R1.conf:2:9"
    assert str(configuration.where("ao_aes_chain", 0, "recv-id")) == "R1.conf:8:13"
    assert str(configuration.where("ao_aes_chain", 0, "start-time")) == "R1.conf:4:9"
    assert str(configuration.where("ao_aes_chain", 7, "x")) == "R1.conf:1:11"


# Errors

HEAD = "set security authentication-key-chains key-chain c "


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("set x\nnonsense y", "2:1", "does not begin with a configuration command"),
        (HEAD + "colour red", "1:52", "no statement of a key-chain"),
        (HEAD + "key", "1:55", "'key' needs a number"),
        (HEAD + "key x secret s", "1:56", "a key has a number, 0 to 63"),
        (HEAD + "key 64 secret s", "1:56", r"key: Value 64 is not within range \(0..63\)"),
        (HEAD + "key " + "9" * 5000, "1:56", "is not within range"),
        (HEAD + "key 0 secret", "1:64", "'secret' needs a value"),
        (HEAD + 'key 0 secret ""', "1:65", "1 to 126 characters, not 0"),
        (HEAD + "key 0 secret " + "x" * 127, "1:65", "1 to 126 characters, not 127"),
        (HEAD + 'key 0 secret "$9$"', "1:65", r"nothing follows \$9\$"),
        (HEAD + 'key 0 secret "$9$kP5FCA0O1hqm6ApBS"', "1:65", "cut short"),
        (HEAD + 'key 0 secret "$8$aes256-gcm$x"', "1:65", "master password"),
        (HEAD + 'key 0 secret "open', "1:65", "a quote opens here"),
        (HEAD + "key 0 start-time 2026-25-2.14:25", "1:69", "month must be in 1..12"),
        (HEAD + "key 0 start-time 2026-2-25.14:25:00 -0300", "1:88", "stands in quotes"),
        (HEAD + "key 0 start-time now", "1:69", "counts from the router's clock"),
        (HEAD + "key 0 algorithm rot13", "1:68", "algorithm: not a value of it"),
        (HEAD + "key 0 ao-attribute send-id 256", "1:79", r"send-id: Value 256 is not within range \(0..255\)"),
        (HEAD + "key 0 ao-attribute recv-id -1", "1:79", "recv-id: not a number"),
        (HEAD + "key 0 ao-attribute recv-id " + "1" * 5000, "1:79", "recv-id: Value this is not within range"),
        (HEAD + "key 0 ao-attribute tcp-ao-option enable", "1:85", "allowed: enabled, disabled"),
        (HEAD + "key 0 ao-attribute cryptographic-algorithm md5", "1:95", "allowed: hmac-sha-1-96"),
        (HEAD + "key 0 ao-attribute send-id 1 secret x", "1:81", "no statement of a key's ao-attribute"),
        (HEAD + "tolerance 4294967296", "1:62", "tolerance: Value 4294967296"),
        (HEAD + f'description "{"d" * 81}"', "1:64", "1 to 80 characters"),
        (HEAD + "description 1 key 0 secret s; x", "1:82", "no statement of a key"),
        ("set security authentication-key-chains", None, None),
        ("set security authentication-key-chains key-chain", "1:49", "'key-chain' needs a name"),
        ("set security authentication-key-chains key-chain " + "n" * 33, "1:50", NAME_MESSAGE),
        ('set security authentication-key-chains key-chain "a b"', "1:50", NAME_MESSAGE),
        ("set security authentication-key-chains key-chain __a__", "1:50", NAME_MESSAGE),
        ("rename security authentication-key-chains key-chain a to key-chain b", "1:1", "'rename' on key chains"),
        ("load override x.conf", "1:1", "cannot be known"),
        ("edit interfaces\nup", "2:1", "only inside"),
        ("key-chain c {\n key 0 {\n", "2:8", "never closed"),
        ("key-chain c { } }", "1:17", "closes nothing"),
        ("key-chain c { tolerance 5 }", "1:27", "a ';' is missing"),
        ("key-chain c { ; }", "1:15", "without a statement"),
        ("key-chain c { { } }", "1:15", "without a statement"),
        ("hello world", "1:7", "does not end"),
        ('key-chain c { key 0 { secret "x; } }', "1:30", "a quote opens here"),
        ("key-chain c { /* x }", "1:15", "a comment opens here"),
        ("export [ a b ;", "1:14", "a ']' is missing"),
        ("export a ];", "1:10", "closes nothing"),
        (HEAD + "key 0\u00a0secret s", "1:57", r"a blank that is no space stands here \(U\+00A0\)"),
        ("key-chain c {\u2003}", "1:14", "no space stands here"),
        ("a {" * 101, "1:303", "more than 100 braces"),
        ("edit a\n" * 101, "101:1", "more than 100 levels"),
        ("key 0 { secret s; }", "1:1", "outside any key-chain"),
        ("<rpc-reply/>", "1:1", "looks like XML"),
        ('{ "configuration": 1 }', "1:1", "looks like JSON"),
        ("set\0", "1:4", "NUL"),
        (
            "groups { g { security { authentication-key-chains { key-chain c { } } } } }\napply-groups [ g ];",
            "1:10",
            "configuration group",
        ),
        (
            "set groups g security authentication-key-chains key-chain c\nset apply-groups g",
            "1:12",
            "configuration group",
        ),
    ],
)
def test_errors_name_line_and_column_and_what_is_wrong(text, place, message):
    if message is None:
        assert parse(text, source="R1.conf") == []
        return
    with pytest.raises(KeychainTextError, match=message) as caught:
        parse(text, source="R1.conf")
    assert str(caught.value.where) == f"R1.conf:{place}"


def test_a_group_that_is_not_applied_does_not_matter():
    text = "groups { g { security { authentication-key-chains { key-chain c { } } } } }\n"
    assert parse(text + "apply-groups other;", source="x") == []
    assert parse(text + "interfaces { apply-groups g; }", source="x") == []


def test_more_than_64_keys_have_an_error_of_their_own():
    text = "\n".join(f"{HEAD}key {number} secret s" for number in range(65))
    with pytest.raises(TooManyKeysError, match="the chain has 65 keys; Junos takes 64"):
        parse(text, source="x")


@pytest.mark.parametrize(
    "text",
    [
        HEAD + "key 0 secret hunter2 hunter2b",
        HEAD + 'key 0 secret "hunter2" "hunter2b"',
        HEAD + 'key 0 secret "hunter2',
        HEAD + 'key 0 secret "$9$hunter2',
        HEAD + 'key 0 secret "$9$hunter2"',
        HEAD + 'key 0 start-time "$9$hunter2"',
        HEAD + "key 0 algorithm hunter2",
        HEAD + "key 0 hunter2",
        HEAD + "key hunter2",
        HEAD + "key 0 ao-attribute send-id hunter2",
        "key-chain c { key 0 { secret hunter2",
        "key-chain c { key 0 { secret hunter2 }",
        "hunter2 x",
        "set x\nhunter2 x",
    ],
)
def test_no_error_quotes_what_may_be_a_secret(text):
    with pytest.raises(KeychainTextError) as caught:
        parse(text, source="x")
    assert "hunter2" not in f"{caught.value!s} {caught.value!r} {caught.value.__cause__!r} {caught.value.__context__!r}"


# Properties

NAMES = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=32).filter(
    lambda name: not (name.startswith("__") and name.endswith("__") and len(name) > 3)
)
STARTS = st.integers(0, 130 * 365 * 86400).map(lambda seconds: datetime(1970, 1, 2, tzinfo=UTC) + timedelta(0, seconds))
ZONES = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
MAYBE = st.none
KEYS = st.builds(
    Key,
    id=st.integers(0, 63),
    secret=MAYBE() | st.binary(min_size=1, max_size=126).map(Secret) | st.text(min_size=1, max_size=31).map(Secret),
    start=MAYBE() | st.builds(lambda start, zone: start.astimezone(zone), STARTS, ZONES),
    scheme=MAYBE() | st.sampled_from(["ao", "md5", "hmac-sha-1"]),
    send_id=MAYBE() | st.integers(0, 255),
    recv_id=MAYBE() | st.integers(0, 255),
    tcp_ao_option=MAYBE() | st.booleans(),
    algorithm=MAYBE() | st.sampled_from(Algorithm),
)
CHAINS = st.builds(
    Keychain,
    name=NAMES,
    keys=st.lists(KEYS, max_size=5, unique_by=lambda key: key.id).map(tuple),
    tolerance=st.integers(0, 4294967295),
    description=MAYBE()
    | st.text(st.characters(exclude_categories=["C", "Z"], include_characters=" "), min_size=1, max_size=80),
)


@given(CHAINS, st.sampled_from(Encoding))
def test_set_lines_read_back_as_they_were(chain, encoding):
    assert parse("\n".join(set_lines(chain, encoding)), source="x") == [chain]


@given(st.lists(CHAINS, max_size=3, unique_by=lambda chain: chain.name), st.sampled_from(Encoding), st.booleans())
def test_the_curly_form_reads_back_as_it_was(chains, encoding, root):
    assert parse(curly(chains, encoding, root=root), source="x") == chains


@given(CHAINS)
def test_reading_and_writing_again_changes_no_octet(chain):
    lines = set_lines(chain, Encoding.TYPE9)
    assert set_lines(one("\n".join(lines)), Encoding.TYPE9) == lines


def readable_or_refused(text):
    """Read the text; a refusal must be the room's own error, with a place."""
    try:
        parse(text, source="x")
    except KeychainTextError as error:
        return error.where is not None and error.where.line is not None
    return True


@given(st.text())
def test_any_text_is_read_or_refused_with_a_named_error(text):
    assert readable_or_refused(text)


@given(st.data())
def test_a_damaged_configuration_is_read_or_refused_with_a_named_error(data):
    chain = generate(1, name="c", count=2, first=T0, ids=Ids.EQUAL)
    text = data.draw(st.sampled_from([curly([chain]), "\n".join(set_lines(chain))]))
    begin = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(begin, min(len(text), begin + 20)))
    assert readable_or_refused(text[:begin] + data.draw(st.text(max_size=8)) + text[end:])
