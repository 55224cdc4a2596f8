"""Keys from Junos configurations: which sessions are protected, by which chain, and what cannot be judged."""

from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any

import pytest
from tests.unit.capture.conftest import Maker, Talk
from tests.unit.curly_text import curly
from tests.unit.known import known

from keyroll.capture import Referee, Standing, Verdict
from keyroll.capture.keys.book import DirectionKeys
from keyroll.capture.keys.config_book import ConfigBook, ConfigError, ConfigSource, config_book
from keyroll.capture.referee.judgement import Judgement
from keyroll.keychain.junostext import set_lines
from keyroll.keychain.model import Keychain

BASE = """\
set system host-name {name}
set interfaces ge-0/0/0 unit 0 family inet address 10.0.0.{near}/30
set interfaces lo0 unit 0 family inet address 192.0.2.{near}/32
set protocols bgp group peers type external
set protocols bgp group peers neighbor 10.0.0.{far} authentication-algorithm ao
set protocols bgp group peers neighbor 10.0.0.{far} authentication-key-chain chain
set protocols bgp group plain neighbor 10.0.0.99 peer-as 65009
set protocols ldp session 192.0.2.{far} authentication-algorithm ao
set protocols ldp session 192.0.2.{far} authentication-key-chain chain
"""
PROTECT = ("authentication-algorithm ao", "authentication-key-chain chain")


def packed(text: str) -> bytes:
    return ip_address(text).packed


@pytest.fixture
def chains(make: type[Maker]) -> tuple[Keychain, Keychain]:
    chain = make.chain()
    return chain, chain.mirrored()


@pytest.fixture
def texts(chains: tuple[Keychain, Keychain]) -> list[str]:
    """Two routers' configurations, as set lines."""
    return [
        BASE.format(name=f"R{near}", near=near, far=3 - near) + "\n".join(set_lines(chain)) + "\n"
        for near, chain in enumerate(chains, 1)
    ]


def book_of(*texts: str, **more: Any) -> ConfigBook:
    return config_book([ConfigSource(f"r{number}.conf", text) for number, text in enumerate(texts, 1)], **more)


def bgp_of(book: ConfigBook, src: str = "10.0.0.1", dst: str = "10.0.0.2") -> DirectionKeys | None:
    return book.keys_for(packed(src), packed(dst), 40000, 179)


def judge(talk: Talk, book: ConfigBook) -> list[Judgement | None]:
    referee = Referee(book)
    return [referee.judge(packet) for packet in talk.packets]


def verdicts(talk: Talk, book: ConfigBook) -> list[Verdict | None]:
    return [judgement.verdict if judgement else None for judgement in judge(talk, book)]


def test_sessions_are_paired_by_address(texts: list[str]) -> None:
    book = book_of(*texts)
    bgp = known(bgp_of(book))
    assert (bgp.sender, bgp.receiver, sorted(bgp.sent), sorted(bgp.received)) == ("R1", "R2", [1, 3], [1, 3])
    assert (bgp.session, bgp.doubt) == ("bgp", None)
    ldp = known(book.keys_for(packed("192.0.2.2"), packed("192.0.2.1"), 646, 50000))
    assert (ldp.sender, ldp.session, sorted(ldp.sent)) == ("R2", "ldp", [2, 4])
    assert book.keys_for(packed("10.0.0.1"), packed("10.0.0.2"), 40000, 646) is None
    assert bgp_of(book, "192.0.2.1", "192.0.2.2") is None
    assert bgp_of(book, "10.0.0.1", "10.0.0.99") is None
    assert book.keys_for(packed("10.0.0.1"), packed("10.0.0.2"), None, None) is not None
    assert book.notes == ()


def test_a_router_without_a_host_name_is_named_after_its_file(texts: list[str]) -> None:
    book = book_of(*(text.replace("set system host-name", "set system location building") for text in texts))
    assert (known(bgp_of(book)).sender, known(bgp_of(book)).receiver) == ("r1", "r2")


def test_a_capture_is_judged_with_the_keys_of_both_configurations(texts: list[str], make: type[Maker]) -> None:
    judgements = judge(make.talk().open().exchange(), book_of(*texts))
    assert {known(judgement).verdict for judgement in judgements} == {Verdict.VERIFIED}
    assert {known(judgement).sender for judgement in judgements} == {"R1", "R2"}


def test_a_chain_at_one_end_only_makes_its_segments_refused(texts: list[str], make: type[Maker]) -> None:
    """R2 refuses what R1 sends; what R2 sends has a KeyID that is not in the configuration of R2."""
    texts[1] = "\n".join(line for line in texts[1].splitlines() if "neighbor 10.0.0.1 auth" not in line)
    found = verdicts(make.talk().open(), book_of(*texts))
    assert found == [Verdict.REFUSED, Verdict.UNKNOWN_KEYID, Verdict.REFUSED]


@pytest.mark.parametrize("gone", ["neighbor 10.0.0.1", "protocols bgp"])
def test_a_session_at_one_end_only_makes_its_segments_refused(texts: list[str], make: type[Maker], gone: str) -> None:
    """R2 has no neighbor statement for R1, or no BGP at all."""
    texts[1] = "\n".join(line for line in texts[1].splitlines() if gone not in line)
    found = verdicts(make.talk().open(), book_of(*texts))
    assert found == [Verdict.REFUSED, Verdict.UNKNOWN_KEYID, Verdict.REFUSED]


def test_a_file_with_only_chains_needs_a_router_address(
    chains: tuple[Keychain, Keychain], texts: list[str], make: type[Maker]
) -> None:
    bare = [
        ConfigSource(f"chain{number}", "\n".join(set_lines(chain)), ip_address(f"10.0.0.{number}"))
        for number, chain in enumerate(chains, 1)
    ]
    whole = [ConfigSource(f"r{number}", text) for number, text in enumerate(texts, 1)]
    for sources in (bare, [bare[0], whole[1]], [whole[0], bare[1]]):
        assert set(verdicts(make.talk().open().exchange(), config_book(sources))) == {Verdict.VERIFIED}
    with pytest.raises(ConfigError, match=r"no interface address.*ADDRESS=FILE"):
        book_of(*("\n".join(set_lines(chain)) for chain in chains))
    two = ConfigSource("two", texts[0] + texts[0].replace("key-chain chain", "key-chain other"), ip_address("10.0.0.1"))
    with pytest.raises(ConfigError, match="takes one key-chain, this file has chain, other"):
        config_book([two, bare[1]])


def test_configurations_without_a_protected_session_are_refused(texts: list[str]) -> None:
    """Where two files have the same address, that is reported instead."""
    plain = [text.replace("authentication-algorithm ao", "authentication-algorithm md5") for text in texts]
    with pytest.raises(ConfigError, match="no session of these configurations is protected"):
        book_of(*plain)
    with pytest.raises(ConfigError, match=r"R1 and R1 both have the address 10\.0\.0\.1"):
        book_of(plain[0], plain[0])


def test_authentication_comes_from_applied_groups(texts: list[str], make: type[Maker]) -> None:
    bgp = "set protocols bgp group peers neighbor 10.0.0.2 authentication"
    inherited = texts[0].replace(bgp, "set groups AUTH protocols bgp group <*> authentication")
    inherited += "set protocols bgp group peers neighbor 10.0.0.2\n"
    for level in ("", "protocols bgp ", "protocols bgp group peers "):
        book = book_of(inherited + f"set {level}apply-groups [ OTHER AUTH ]\nset groups OTHER system\n", texts[1])
        assert set(verdicts(make.talk().open(), book)) == {Verdict.VERIFIED}
    assert Verdict.VERIFIED not in verdicts(make.talk().open(), book_of(inherited, texts[1]))


def test_an_instance_inherits_nothing_from_the_main_instance(texts: list[str], make: type[Maker]) -> None:
    """Groups with the same name in two instances are two groups."""
    moved = []
    for text in texts:
        far = "10.0.0.2" if "host-name R1" in text else "10.0.0.1"
        kept = "\n".join(line for line in text.splitlines() if "protocols bgp" not in line)
        above = "".join(f"set protocols bgp {word}\nset protocols bgp group peers {word}\n" for word in PROTECT)
        inside = "set routing-instances VRF interface ge-0/0/0.0\nset routing-instances VRF protocols bgp group peers"
        moved.append(f"{kept}\n{above}{inside} neighbor {far}\n")
    assert set(verdicts(make.talk().open(), book_of(*moved))) == {None}
    for word in PROTECT:
        moved = [f"{text}set routing-instances VRF protocols bgp group peers {word}\n" for text in moved]
    assert set(verdicts(make.talk().open(), book_of(*moved))) == {Verdict.VERIFIED}


def test_each_logical_system_of_a_text_is_a_router(chains: tuple[Keychain, Keychain], make: type[Maker]) -> None:
    text = ""
    for near, chain in enumerate(chains, 1):
        system = f"set logical-systems LS{near} "
        text += f"{system}interfaces lt-0/0/0 unit {near} family inet address 10.0.0.{near}/30\n"
        text += f"{system}protocols bgp group g neighbor 10.0.0.{3 - near}\n"
        text += f"{system}protocols bgp group g authentication-algorithm ao\n"
        text += f"{system}protocols bgp group g authentication-key-chain C{near}\n"
        text += "\n".join(set_lines(chain)).replace("key-chain chain", f"key-chain C{near}") + "\n"
    for book in (book_of(text), book_of(text, text)):
        assert set(verdicts(make.talk().open().exchange(), book)) == {Verdict.VERIFIED}
        assert known(bgp_of(book)).sender == "r1:LS1"


def test_a_pager_line_does_not_hide_a_session(texts: list[str], make: type[Maker]) -> None:
    """A configuration that was copied from a terminal may contain the pager's prompts."""
    first, rest = texts[1].split("set protocols bgp", 1)
    paged = f"{first}---(more)---\r                                        \rset protocols bgp{rest}"
    assert set(verdicts(make.talk().open(), book_of(texts[0], paged))) == {Verdict.VERIFIED}


@pytest.mark.parametrize(("allow", "found"), [("10.0.0.0/24", True), ("all", True), ("10.7.0.0/16", False)])
def test_allow_matches_neighbors_that_are_not_configured(
    texts: list[str], make: type[Maker], allow: str, found: bool
) -> None:
    for number, text in enumerate(texts):
        assert f"neighbor 10.0.0.{2 - number}" in text
    any_peer = texts[0].replace("group peers neighbor 10.0.0.2", "group peers")
    any_peer += f"set protocols bgp group peers allow {allow}\n"
    assert (set(verdicts(make.talk().open(), book_of(any_peer, texts[1]))) == {Verdict.VERIFIED}) is found


def test_segments_of_a_peer_whose_configuration_is_not_given_are_not_judged(
    texts: list[str], make: type[Maker]
) -> None:
    other = texts[1].replace("10.0.0.2", "10.0.0.6").replace("10.0.0.1", "10.0.0.5")
    judgements = judge(make.talk().open().exchange(), book_of(texts[0], other))
    assert {known(judgement).verdict for judgement in judgements} == {Verdict.KEYS_UNKNOWN}
    assert {known(judgement).standing for judgement in judgements} == {Standing.UNJUDGED}
    assert "no router that is given has the peer's address" in known(judgements[0]).reason


def test_segments_of_a_peer_that_only_a_prefix_allows_are_not_judged(texts: list[str], make: type[Maker]) -> None:
    any_peer = texts[0].replace("group peers neighbor 10.0.0.2", "group peers")
    any_peer += "set protocols bgp group peers allow 10.0.0.0/24\n"
    other = texts[1].replace("10.0.0.2", "10.0.0.6").replace("10.0.0.1", "10.0.0.5")
    assert set(verdicts(make.talk().open(), book_of(any_peer, other))) == {Verdict.KEYS_UNKNOWN}


def test_discovered_peers_of_a_protected_group_are_noted_and_other_sessions_are_judged(
    texts: list[str], make: type[Maker]
) -> None:
    """The configuration has no address of a discovered peer, so its segments have no known chain."""
    for word in (*PROTECT, "dynamic-neighbor DN peer-auto-discovery interface ge-0/0/1.0"):
        texts[0] += f"set protocols bgp group found {word}\n"
    book = book_of(*texts)
    assert len(book.notes) == 1
    assert "discovered peers of found, protected with TCP-AO: the peer is discovered" in book.notes[0]
    assert set(verdicts(make.talk().open(), book)) == {Verdict.VERIFIED}


@pytest.mark.parametrize("placeholder", ["/* SECRET-DATA */", "<REMOVED>", "$8$aes256-gcm$abc", "xxxxxx"])
@pytest.mark.parametrize("router", [0, 1])
def test_an_unknown_secret_makes_only_the_segments_of_its_key_unjudged(
    make: type[Maker], texts: list[str], placeholder: str, router: int
) -> None:
    assert '"secret of key 0"' in texts[router]
    texts[router] = texts[router].replace('"secret of key 0"', f'"{placeholder}"')
    talk = make.talk().open().exchange(key=1)
    judgements = judge(talk, book_of(*texts))
    assert [known(judgement).verdict for judgement in judgements[:3]] == [Verdict.KEYS_UNKNOWN] * 3
    assert "is not known" in known(judgements[0]).reason
    if router:
        # R2's SYN-ACK cannot be verified, so its ISN is uncertain; the third segment, signed by R1, proves both ISNs.
        assert {known(judgement).verdict for judgement in judgements[3:]} == {Verdict.VERIFIED}


def test_a_chain_that_is_not_defined_makes_its_segments_unjudged(texts: list[str], make: type[Maker]) -> None:
    texts[1] = texts[1].replace("authentication-key-chain chain", "authentication-key-chain ring")
    judgements = judge(make.talk().open(), book_of(*texts))
    assert {known(judgement).verdict for judgement in judgements} == {Verdict.KEYS_UNKNOWN}
    assert "key-chain ring is not defined in this text" in known(judgements[0]).reason


def test_a_damaged_statement_of_a_session_is_noted(texts: list[str], make: type[Maker]) -> None:
    texts[1] += "set protocols bgp group pee\x07rs nei hbor\n"
    book = book_of(*texts)
    assert any("r2.conf" in note for note in book.notes)
    assert Verdict.VERIFIED in verdicts(make.talk().open(), book)


def test_faults_of_a_chain_that_no_session_uses_are_not_noted(texts: list[str]) -> None:
    """Such a chain may belong to another protocol, such as IS-IS."""
    texts[0] += 'set security authentication-key-chains key-chain ISIS key 1 secret "$8$x"\n'
    texts[0] += "set security authentication-key-chains key-chain ISIS key 99 secret other\n"
    assert book_of(*texts).notes == ()


def test_an_unsigned_segment_of_two_sessions_with_the_same_addresses_is_not_judged(
    texts: list[str], make: type[Maker]
) -> None:
    """Addresses of VPN customers overlap, and a capture does not say which instance a segment belongs to."""
    doubled = []
    for text in texts:
        far = "10.0.0.2" if "host-name R1" in text else "10.0.0.1"
        near = "10.0.0.1" if far == "10.0.0.2" else "10.0.0.2"
        inside = "set routing-instances VRF protocols bgp group peers"
        doubled.append(
            f"{text}set interfaces ge-0/0/9 unit 0 family inet address {near}/30\n"
            f"set routing-instances VRF interface ge-0/0/9.0\n{inside} neighbor {far}\n"
        )
    judgements = judge(make.talk().open(), book_of(*doubled))
    assert {known(judgement).verdict for judgement in judgements} == {Verdict.VERIFIED}
    plain = make.talk()
    plain.send(plain.near, make.SYN, key=None)
    (judgement,) = judge(plain, book_of(*doubled))
    assert known(judgement).verdict is Verdict.KEYS_UNKNOWN
    assert "Two sessions are between 10.0.0.1 and 10.0.0.2" in known(judgement).reason


def test_configurations_in_curly_form_are_read(chains: tuple[Keychain, Keychain], make: type[Maker]) -> None:
    texts = []
    for near, chain in enumerate(chains, 1):
        session = f"authentication-algorithm ao; neighbor 10.0.0.{3 - near}; inactive: neighbor 10.0.0.77;"
        texts.append(
            f"interfaces {{ ge-0/0/0 {{ unit 0 {{ family inet {{ address 10.0.0.{near}/30; }} }} }} }}\n"
            f"protocols {{ bgp {{ group g {{ authentication-key-chain chain; /* a {{ */ {session} }} }} }}\n"
            f"{curly([chain])}"
        )
    assert set(verdicts(make.talk().open(), book_of(*texts))) == {Verdict.VERIFIED}


def test_many_sessions_without_a_local_address_are_all_paired(chains: tuple[Keychain, Keychain]) -> None:
    texts = []
    for index, chain in enumerate(chains, 1):
        interfaces = "".join(
            f"set interfaces ge-0/0/0 unit {unit} family inet address 10.{index}.{unit // 200}.{unit % 200}/31\n"
            for unit in range(100)
        )
        sessions = "".join(f"set protocols bgp group p neighbor 10.{3 - index}.0.{unit}\n" for unit in range(20))
        protect = "".join(f"set protocols bgp group p {word}\n" for word in PROTECT)
        texts.append(interfaces + sessions + protect + "\n".join(set_lines(chain)) + "\n")
    book = book_of(*texts)
    assert bgp_of(book, "10.1.0.7", "10.2.0.9") is not None
    assert bgp_of(book, "10.1.0.7", "10.2.0.29") is None, "no session names that address"


def test_start_times_without_a_zone_are_in_the_routers_time_zone() -> None:
    """The router's `time-zone` applies, as in `keyroll check`; without it each window would be eight hours off."""
    head = "set security authentication-key-chains key-chain chain key 0"
    words = ("secret x-secret", "start-time 2030-1-1.00:00:00", "algorithm ao", "ao-attribute tcp-ao-option enabled")
    key = "".join(f"{head} {word}\n" for word in (*words, "ao-attribute send-id 1", "ao-attribute recv-id 1"))
    protect = "".join(f"set protocols bgp group p {word}\n" for word in PROTECT)
    texts = [
        f"set system host-name {name}\nset system time-zone America/Los_Angeles\n"
        f"set interfaces ge-0/0/0 unit 0 family inet address {own}/30\n"
        f"set protocols bgp group p neighbor {peer}\n{protect}{key}"
        for name, own, peer in (("R1", "10.0.0.1", "10.0.0.2"), ("R2", "10.0.0.2", "10.0.0.1"))
    ]
    keys = bgp_of(book_of(*texts))
    assert keys is not None
    begins = {held.begin for ids in keys.received.values() for held in ids if held.begin is not None}
    assert begins == {datetime(2030, 1, 1, 7, tzinfo=UTC)}, (
        "midnight in Los Angeles is 08:00 UTC, less one hour of tolerance"
    )
