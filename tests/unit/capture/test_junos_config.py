"""Junos configurations as keys: addresses, neighbours, LDP sessions and chains, in either form."""

import time
from ipaddress import ip_address

import pytest

from keyroll.capture import Referee, Verdict
from keyroll.capture.keys.junos_config import ConfigError, ConfigSource, config_book, read_config
from keyroll.capture.keys.junos_statements import statements
from keyroll.errors import InputError
from keyroll.keychain.junostext import curly, set_lines

BASE = """\
set system host-name {name}
set interfaces ge-0/0/0 unit 0 family inet address 10.0.0.{near}/30
set interfaces ge-0/0/0 unit 0 family inet6 address fd00::{near}/64
set interfaces lo0 unit 0 family inet address 192.0.2.{near}/32
set protocols bgp group peers type external
set protocols bgp group peers neighbor 10.0.0.{far} authentication-algorithm ao
set protocols bgp group peers neighbor 10.0.0.{far} authentication-key-chain chain
set protocols bgp group peers neighbor 10.0.0.{far} peer-as 65002
set protocols bgp group plain neighbor 10.0.0.99 peer-as 65009
set protocols ldp interface ge-0/0/0.0
set protocols ldp session 192.0.2.{far} authentication-algorithm ao
set protocols ldp session 192.0.2.{far} authentication-key-chain chain
"""

CURLY = """\
## Last commit: 2030-01-01 00:00:00 UTC by root
system {{
    host-name {name};
}}
interfaces {{
    ge-0/0/0 {{
        unit 0 {{
            family inet {{
                address 10.0.0.{near}/30;
            }}
        }}
    }}
    inactive: ge-0/0/1 {{
        unit 0 {{
            family inet {{
                address 10.9.9.{near}/30;
            }}
        }}
    }}
}}
protocols {{
    bgp {{
        authentication-algorithm ao;
        group peers {{
            authentication-key-chain chain; /* inherited {{ */
            neighbor 10.0.0.{far} {{
                description "a }} in quotes; here";
                peer-as 65002;
            }}
            inactive: neighbor 10.0.0.77;
        }}
    }}
}}
"""


def packed(text):
    return ip_address(text).packed


@pytest.fixture
def chains(make):
    chain = make.chain()
    return chain, chain.mirrored()


def config(name, near, far, chain, *, form="set"):
    if form == "set":
        return BASE.format(name=name, near=near, far=far) + "\n".join(set_lines(chain)) + "\n"
    return CURLY.format(name=name, near=near, far=far) + curly([chain])


@pytest.fixture
def pair(chains, tmp_path):
    sources = []
    for index, chain in enumerate(chains, 1):
        path = tmp_path / f"r{index}.conf"
        path.write_text(config(f"R{index}", index, 3 - index, chain))
        sources.append(ConfigSource(path))
    return sources


def test_sessions_are_paired_by_address(pair):
    book = config_book(pair)
    bgp = book.keys_for(packed("10.0.0.1"), packed("10.0.0.2"), 40000, 179)
    assert (bgp.sender, bgp.receiver, sorted(bgp.sent), sorted(bgp.received)) == ("R1", "R2", [1, 3], [1, 3])
    ldp = book.keys_for(packed("192.0.2.2"), packed("192.0.2.1"), 646, 50000)
    assert (ldp.sender, sorted(ldp.sent)) == ("R2", [2, 4])
    assert book.keys_for(packed("10.0.0.1"), packed("10.0.0.2"), 40000, 646) is None
    assert book.keys_for(packed("192.0.2.1"), packed("192.0.2.2"), 40000, 179) is None
    assert book.keys_for(packed("fd00::1"), packed("fd00::2"), 40000, 179) is None
    assert book.keys_for(packed("10.0.0.1"), packed("10.0.0.99"), 40000, 179) is None
    assert book.keys_for(packed("10.0.0.1"), packed("10.0.0.2"), None, None) is not None


def test_the_capture_is_judged_with_them(pair, make):
    talk = make.talk().open().exchange()
    referee = Referee(config_book(pair))
    judgements = [referee.judge(packet) for packet in talk.packets]
    assert {judgement.verdict for judgement in judgements} == {Verdict.VERIFIED}
    assert {judgement.sender for judgement in judgements} == {"R1", "R2"}


def test_one_end_without_a_chain_shows_as_refused(pair, make):
    text = pair[1].path.read_text()
    pair[1].path.write_text("\n".join(line for line in text.splitlines() if "neighbor 10.0.0.1 auth" not in line))
    talk = make.talk().open()
    referee = Referee(config_book(pair))
    assert [referee.judge(packet).verdict for packet in talk.packets] == [
        Verdict.REFUSED,
        Verdict.UNKNOWN_KEYID,
        Verdict.REFUSED,
    ]


def test_the_curly_form_with_inheritance_quotes_comments_and_inactive_parts(chains, tmp_path):
    text = config("R1", 1, 2, chains[0], form="curly")
    found = list(statements(text))
    assert ("protocols", "bgp", "group", "peers", "neighbor", "10.0.0.2", "peer-as", "65002") in found
    assert not any("10.0.0.77" in words or "10.9.9.1/30" in words for words in found)
    assert any("a } in quotes; here" in words for words in found)
    sources = []
    for index, chain in enumerate(chains, 1):
        path = tmp_path / f"r{index}.conf"
        path.write_text(config(f"R{index}", index, 3 - index, chain, form="curly"))
        sources.append(ConfigSource(path))
    assert read_config(sources[0]).addresses == {ip_address("10.0.0.1")}
    between = config_book(sources).keys_for(packed("10.0.0.1"), packed("10.0.0.2"), 40000, 179)
    assert (between.sender, sorted(between.sent), sorted(between.received)) == ("R1", [1, 3], [1, 3])


def test_a_bare_chain_needs_its_address(chains, tmp_path):
    sources = []
    for index, chain in enumerate(chains, 1):
        path = tmp_path / f"chain{index}"
        path.write_text("\n".join(set_lines(chain)))
        sources.append(ConfigSource(path, ip_address(f"10.0.0.{index}")))
    between = config_book(sources).keys_for(packed("10.0.0.1"), packed("10.0.0.2"), 40000, 179)
    assert (between.sender, sorted(between.sent)) == ("10.0.0.1", [1, 3])
    with pytest.raises(ConfigError, match=r"no interface address.*ADDRESS=FILE"):
        read_config(ConfigSource(sources[0].path))


def test_deactivated_and_deleted_set_lines_do_not_count(pair):
    with pair[0].path.open("a") as file:
        file.write("deactivate protocols bgp group peers neighbor 10.0.0.2\ndelete protocols ldp session 192.0.2.2\n")
    assert read_config(pair[0]).sessions == []


def test_what_is_missing_is_said(pair, tmp_path):
    path = tmp_path / "x.conf"
    path.write_text("set system host-name R1\n")
    with pytest.raises(ConfigError, match="no key chain"):
        read_config(ConfigSource(path))
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="UTF-8"):
        read_config(ConfigSource(path))
    with pytest.raises(ConfigError, match="cannot be read"):
        read_config(ConfigSource(tmp_path / "none"))
    path.write_text(pair[0].path.read_text().replace("authentication-key-chain chain", "authentication-key-chain ring"))
    with pytest.raises(ConfigError, match="names key-chain ring"):
        read_config(ConfigSource(path))
    path.write_text(pair[1].path.read_text().replace("10.0.0.1", "10.0.0.7").replace("192.0.2.1", "192.0.2.7"))
    lonely = pair[0].path.read_text().replace("10.0.0.2", "10.0.0.8").replace("192.0.2.2", "192.0.2.8")
    pair[0].path.write_text(lonely)
    with pytest.raises(ConfigError, match="no session of one configuration"):
        config_book([pair[0], ConfigSource(path)])


def test_a_session_that_an_applied_group_protects_is_refused_not_passed_over(pair):
    """Or its segments would be judged by nobody, beside another session that is protected in the plain."""
    text = pair[0].path.read_text()
    bgp = "set protocols bgp group peers neighbor 10.0.0.2 authentication"
    assert bgp in text
    text = text.replace(bgp, "set groups AUTH protocols bgp group <*> authentication")
    pair[0].path.write_text(text)
    assert [session.port for session in read_config(pair[0]).sessions] == [646]  # not applied: it says nothing
    for level in ("", "protocols bgp ", "protocols bgp group peers "):
        pair[0].path.write_text(text + f"set {level}apply-groups [ OTHER AUTH ]\n")
        with pytest.raises(ConfigError, match=r"applied group AUTH.*display inheritance"):
            read_config(pair[0])


def test_addresses_of_groups_count_and_refuse_nothing(pair):
    text = pair[0].path.read_text().replace("set interfaces ge-", "set groups re0 interfaces ge-")
    pair[0].path.write_text(text + "set groups re0 system host-name other\nset apply-groups [ re0 re1 ]\n")
    config = read_config(pair[0])
    assert config.name == "R1"
    assert ip_address("10.0.0.1") in config.addresses
    assert len(config.sessions) == 2


@pytest.mark.parametrize(
    ("allow", "found"),
    [("10.0.0.0/24", True), ("[ 10.7.0.0/16 10.0.0.0/24 ]", True), ("all", True), ("10.7.0.0/16", False)],
)
@pytest.mark.parametrize("form", ["set", "curly"])
def test_allow_stands_for_neighbours_that_are_not_configured(chains, tmp_path, allow, found, form):
    path = tmp_path / "r1.conf"
    if form == "set":
        session = (
            "set protocols bgp group any authentication-algorithm ao\n"
            f"set protocols bgp group any authentication-key-chain chain\nset protocols bgp group any allow {allow}\n"
        )
        path.write_text("set interfaces lo0 unit 0 family inet address 10.0.0.1/32\n" + session)
    else:
        session = f"group any {{ authentication-algorithm ao; authentication-key-chain chain; allow {allow}; }}"
        path.write_text(
            "interfaces { lo0 { unit 0 { family inet { address 10.0.0.1/32; } } } }\n"
            f"protocols {{ bgp {{ {session} }} }}\n"
        )
    path.write_text(
        path.read_text() + ("\n".join(set_lines(chains[0])) if form == "set" else curly([chains[0]])) + "\n"
    )
    assert (read_config(ConfigSource(path)).chain_for(ip_address("10.0.0.2"), 179) == chains[0]) is found


@pytest.mark.parametrize(
    "lines",
    [
        "set protocols bgp group g authentication-algorithm ao authentication-key-chain chain neighbor 10.0.0.2\n",
        (
            "set protocols bgp group g type external neighbor 10.0.0.2 authentication-algorithm ao "
            "authentication-key-chain chain\n"
        ),
        (
            "edit protocols bgp group g\nset authentication-algorithm ao\nset authentication-key-chain chain\n"
            "edit neighbor 10.0.0.2\nset peer-as 65002\nexit\nset type external\ntop\n"
        ),
        (
            "[edit]\nroot@R1# edit protocols bgp\n[edit protocols bgp]\nroot@R1# set authentication-algorithm ao\n"
            "root@R1# set group g neighbor 10.0.0.2 authentication-key-chain chain\n"
            "root@R1# top set system host-name R1\nroot@R1# top\n"
        ),
    ],
)
def test_set_commands_as_people_type_them(chains, tmp_path, lines):
    path = tmp_path / "r1.conf"
    path.write_text(
        "set interfaces lo0 unit 0 family inet address 10.0.0.1/32\n" + lines + "\n".join(set_lines(chains[0])) + "\n"
    )
    assert read_config(ConfigSource(path)).chain_for(ip_address("10.0.0.2"), 179) == chains[0]


def test_words_of_a_comment_do_not_make_the_curly_form_set_commands(chains, tmp_path):
    path = tmp_path / "r1.conf"
    path.write_text("/* was\n  set up by hand\n*/\n" + config("R1", 1, 2, chains[0], form="curly"))
    assert read_config(ConfigSource(path)).addresses == {ip_address("10.0.0.1")}


def test_large_configurations_are_paired_quickly(chains, tmp_path):
    sources = []
    for index, chain in enumerate(chains, 1):
        path = tmp_path / f"r{index}.conf"
        interfaces = "".join(
            f"set interfaces ge-0/0/0 unit {unit} family inet address 10.{index}.{unit // 200}.{unit % 200}/31\n"
            for unit in range(400)
        )
        sessions = "".join(f"set protocols bgp group p neighbor 10.{3 - index}.0.{unit}\n" for unit in range(100))
        path.write_text(
            interfaces + sessions + "set protocols bgp group p authentication-algorithm ao\n"
            "set protocols bgp group p authentication-key-chain chain\n" + "\n".join(set_lines(chain)) + "\n"
        )
        sources.append(ConfigSource(path))
    begin = time.process_time()
    book = config_book(sources)
    assert book.keys_for(packed("10.1.0.7"), packed("10.2.0.9"), 40000, 179) is not None
    assert time.process_time() - begin < 10  # seconds; address by address and session by session it took minutes


@pytest.mark.parametrize(
    ("lines", "verb"),
    [
        ("rename protocols bgp group peers neighbor 10.0.0.2 to neighbor 10.0.0.9", "rename"),
        ("copy interfaces ge-0/0/0 to ge-0/0/1", "copy"),
        ("replace pattern 10.0.0.2 with 10.0.0.9", "replace"),
        ("wildcard delete protocols bgp group p*", "wildcard"),
        ("wildcard range set interfaces ge-0/0/[0-3] unit 0", "wildcard"),
        ("copy groups a to b", "copy"),
        ("edit protocols bgp group peers\nrename neighbor 10.0.0.2 to neighbor 10.0.0.9", "rename"),
        ("edit policy-options\ntop rename protocols bgp group peers to group p", "rename"),
    ],
)
def test_commands_that_move_sessions_and_addresses_about_are_refused_by_name(pair, lines, verb):
    text = pair[0].path.read_text()
    pair[0].path.write_text(text + lines + "\n")
    number = text.count("\n") + lines.count("\n") + 1
    with pytest.raises(InputError, match=f":{number}: '{verb}' on interfaces and protocols.*write it as set"):
        read_config(pair[0])


@pytest.mark.parametrize(
    "lines",
    [
        "rename policy-options policy-statement a to policy-statement b",
        "insert protocols bgp group peers neighbor 10.0.0.2 before neighbor 10.0.0.3",
        "edit policy-options\nreplace pattern x with y",
        "wildcard delete policy-options policy-statement p*",
    ],
)
def test_commands_that_move_other_things_about_are_passed_over(pair, lines):
    before = read_config(pair[0])
    pair[0].path.write_text(pair[0].path.read_text() + lines + "\n")
    assert read_config(pair[0]) == before


def test_tags_of_the_curly_form_are_no_words_of_statements(chains, tmp_path):
    path = tmp_path / "r1.conf"
    text = config("R1", 1, 2, chains[0], form="curly").replace("protocols {", "replace: protocols {", 1)
    path.write_text(text.replace("        neighbor 10.0.0.2", "        protect: neighbor 10.0.0.2"))
    assert [str(session.peer) for session in read_config(ConfigSource(path)).sessions] == ["10.0.0.2/32"]
    path.write_text(text.replace("replace: protocols {", "delete: protocols {"))
    assert read_config(ConfigSource(path)).sessions == []
