"""One configuration in four forms means one thing; damage to it is never green."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from xml.sax.saxutils import escape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keyroll.configuration import Configuration, ConfigurationError, Kind, match, read
from keyroll.configuration.usage import lint_ends, lint_usage, subject_of
from keyroll.keychain.lint import lint
from keyroll.keychain.lint_pair import lint_pair
from keyroll.keychain.rules import Severity

SECRET = "kettleDrum77"
SECRETS = (SECRET, "brassHorn42", "$9$.PT3REyv87CtMX-waJz36", "interop")
NOW = datetime(2026, 1, 1, tzinfo=UTC)


# A model of a configuration, and its four forms


@dataclass(frozen=True)
class Statement:
    """One statement: its word, a name where it has one, a value, a list, or what stands below it."""

    word: str
    name: str | None = None
    value: str | None = None
    values: tuple[str, ...] = ()
    below: tuple[Statement, ...] | None = None
    inactive: bool = False

    @property
    def hidden(self):
        """Whether the CLI leaves the word out, as XML and JSON do not."""
        return self.word in {"interface", "instance"} and self.name is not None


def level(word, *below, name=None, inactive=False):
    return Statement(word, name=name, below=below, inactive=inactive)


def leaf(word, value, *, inactive=False):
    return Statement(word, value=value, inactive=inactive)


def quoted(word):
    return f'"{word}"' if re.search(r'[\s{};\[\]"#]|^$', word) else word


def head(one):
    return " ".join(quoted(word) for word in (None if one.hidden else one.word, one.name) if word is not None)


def curly(statements, indent=""):
    for one in statements:
        mark = "inactive: " if one.inactive else ""
        if one.below:
            yield f"{indent}{mark}{head(one)} {{"
            yield from curly(one.below, indent + "    ")
            yield indent + "}"
        elif len(one.values) > 1:
            yield f"{indent}{mark}{head(one)} [ {' '.join(map(quoted, one.values))} ];"
        else:
            value = one.value if one.value is not None else (one.values[0] if one.values else None)
            yield f"{indent}{mark}{head(one)}{'' if value is None else ' ' + quoted(value)};"


def set_lines(statements, path=""):
    for one in statements:
        here = f"{path}{head(one)}"
        if one.below:
            yield from set_lines(one.below, here + " ")
        elif one.values:
            yield from (f"set {here} {quoted(value)}" for value in one.values)
        else:
            yield f"set {here}{'' if one.value is None else ' ' + quoted(one.value)}"
        if one.inactive:
            yield f"deactivate {here}"


def xml(statements, indent="  "):
    for one in statements:
        mark = ' inactive="inactive"' if one.inactive else ""
        if one.below is not None:
            yield f"{indent}<{one.word}{mark}>"
            if one.name is not None:
                yield f"{indent}  <name>{escape(one.name)}</name>"
            yield from xml(one.below, indent + "  ")
            yield f"{indent}</{one.word}>"
        elif one.word == "autonomous-system":
            yield f"{indent}<{one.word}><as-number>{one.value}</as-number></{one.word}>"
        else:
            for value in one.values or (one.value,):
                text = f"<{one.word}{mark}/>" if value is None else f"<{one.word}{mark}>{escape(value)}</{one.word}>"
                yield indent + text


def as_json(statements):
    made = {}
    for one in statements:
        mark = {"inactive": True}
        if one.below is not None:
            inside = as_json(one.below)
            if one.inactive:
                inside["@"] = mark
            if one.name is None:
                made[one.word] = inside
            else:
                made.setdefault(one.word, []).append({"name": one.name, **inside})
        elif one.word == "autonomous-system":
            made[one.word] = {"as-number": one.value}
        else:
            made[one.word] = list(one.values) if one.values else ([None] if one.value is None else one.value)
            if one.inactive:
                made["@" + one.word] = [mark] * len(one.values) if one.values else mark
    return made


def forms(statements):
    return {
        "curly": "\n".join(curly(statements)),
        "set": "\n".join(set_lines(statements)),
        "xml": "<configuration>\n" + "\n".join(xml(statements)) + "\n</configuration>",
        "json": json.dumps({"configuration": as_json(statements)}, indent=1),
    }


# Configurations drawn from the model

NAMES = st.sampled_from(["A", "B", "CORE-1", "CORE-2", "ix"])
ADDRESSES = st.sampled_from(["192.0.2.2", "192.0.2.6", "198.51.100.3", "2001:db8::2", "nonsense"])
CHAIN_NAMES = st.sampled_from(["KA", "KB"])
FLAGS = st.booleans()


def some(draw, *choices):
    """Draw which of the statements are there."""
    return tuple(one for one in choices if draw(FLAGS))


@st.composite
def authentication(draw):
    algorithm = draw(st.sampled_from(["ao", "ao", "hmac-sha-1-96", "bogus"]))
    return some(
        draw,
        leaf("authentication-algorithm", algorithm, inactive=draw(FLAGS)),
        leaf("authentication-key-chain", draw(CHAIN_NAMES)),
        leaf("authentication-key", draw(st.sampled_from(SECRETS))),
        leaf("tcpao-auth-mismatch", "allow-without-tcpao"),
    )


@st.composite
def bgp_groups(draw, names=NAMES):
    found = []
    for name in draw(st.lists(names, max_size=2, unique=True)):
        neighbors = [
            level(
                "neighbor",
                *draw(authentication()),
                *some(draw, leaf("peer-as", "64501")),
                name=peer,
                inactive=draw(FLAGS),
            )
            for peer in draw(st.lists(ADDRESSES, max_size=2, unique=True))
        ]
        found.append(
            level(
                "group",
                *draw(authentication()),
                *some(
                    draw,
                    leaf("type", draw(st.sampled_from(["internal", "external", "sideways"]))),
                    leaf("local-address", "192.0.2.1"),
                    Statement("export", values=("P1", "P2")),
                    Statement("passive"),
                    level("family", level("inet", Statement("unicast"))),
                    Statement("allow", values=("198.51.100.0/24",)),
                    leaf("hold-time", draw(st.sampled_from(["30", "0", "x"]))),
                    Statement("apply-groups", values=("G1",)),
                    leaf("bogus-word", "7"),
                ),
                *neighbors,
                name=name,
            )
        )
    return tuple(found)


@st.composite
def keys(draw):
    number = draw(st.sampled_from(["1", "2", "70"]))
    return level(
        "key",
        *some(
            draw,
            leaf("secret", draw(st.sampled_from([*SECRETS, "<removed>"]))),
            leaf("start-time", draw(st.sampled_from(["2025-1-1.00:00:00 +0000", "2025-13-1.00:00"]))),
            leaf("algorithm", "ao"),
            level(
                "ao-attribute", leaf("send-id", "1"), *some(draw, leaf("recv-id", draw(st.sampled_from(["2", "900"]))))
            ),
        ),
        name=number,
    )


@st.composite
def protocols(draw, names=NAMES):
    bgp = level(
        "bgp",
        *draw(authentication()),
        *some(draw, Statement("apply-groups", values=tuple(draw(st.permutations(["G1", "G2"]))))),
        *draw(bgp_groups(names)),
    )
    ldp = level("ldp", level("session", leaf("authentication-algorithm", "ao"), name="192.0.2.9"))
    return level("protocols", bgp, *some(draw, ldp))


@st.composite
def configurations(draw):
    wild = st.sampled_from(["<*>", "<CORE-*>", "<[AB]>", "A", "CORE-1"])
    groups = [
        level("groups", draw(protocols(wild)), name=name)
        for name in draw(st.sets(st.sampled_from(["G1", "G2", "re0"])))
    ]
    chains = [
        level("key-chain", *draw(st.lists(keys(), max_size=2, unique_by=lambda key: key.name)), name=name)
        for name in draw(st.sets(CHAIN_NAMES))
    ]
    address = level("address", name="192.0.2.1/24")
    interface = level("interface", level("unit", level("family", level("inet", address)), name="0"), name="ge-0/0/0")
    return (
        *groups,
        *some(draw, Statement("apply-groups", values=("G1",)), Statement("apply-groups", values=("re0",)))[:1],
        level("security", level("authentication-key-chains", *chains)),
        level("interfaces", interface),
        level("routing-options", leaf("autonomous-system", "64500")),
        draw(protocols()),
        level("routing-instances", level("instance", draw(protocols()), name="red")),
    )


def meaning(configuration):
    """What a configuration says, without places."""

    def bare(placed):
        return None if placed is None else (str(placed.value), placed.group)

    sessions = [
        (
            one.kind, one.router, one.instance, one.group, str(one.peer), str(one.local), one.type, one.local_as,
            one.peer_as,
            bare(one.hold_time), one.families, one.multihop, one.passive, bare(one.authentication.algorithm),
            bare(one.authentication.chain), one.authentication.md5 is None, bare(one.authentication.without_ao),
            sorted((doubt.kind.value, doubt.message) for doubt in one.doubts),
        )
        for router in configuration.routers for one in router.sessions
    ]  # fmt: skip
    chains = [
        (
            chain.name,
            [(key.id, key.send_id, key.recv_id, key.start, key.scheme, str(key.secret)) for key in chain.keychain.keys],
        )
        for chain in configuration.main.chains
    ]
    findings = sorted((one.kind.value, one.message, one.path) for one in configuration.findings)
    return sorted(map(repr, sessions)), chains, findings


def check_forms(statements):
    told = {form: meaning(read(text, "router")) for form, text in forms(statements).items()}
    assert told["set"] == told["curly"]
    assert told["xml"] == told["curly"]
    assert told["json"] == told["curly"]


@given(configurations())
@settings(max_examples=12)
def test_the_four_forms_give_the_same_sessions_chains_and_findings(statements):
    check_forms(statements)


@pytest.mark.slow
@given(configurations())
@settings(max_examples=2_000)
def test_many_configurations_mean_the_same_in_four_forms(statements):
    check_forms(statements)


WORDS = st.sampled_from(
    [
        "protocols",
        "bgp",
        "group",
        "neighbor",
        "type",
        "zz1",
        "zz2",
        "system",
        "policy-options",
        "then",
        "a b",
        "x;y",
        "7",
    ]
)
TREES = st.recursive(
    st.builds(Statement, WORDS, value=st.none() | WORDS)
    | st.builds(lambda word, value: Statement(word, values=(value, value + "2")), WORDS, WORDS),
    lambda inner: st.builds(
        lambda word, name, below: Statement(word, name=name, below=tuple(below)),
        WORDS, st.none() | WORDS, st.lists(inner, min_size=1, max_size=4),
    ),
    max_leaves=12,
)  # fmt: skip


@given(st.lists(TREES, min_size=1, max_size=4))
@settings(max_examples=25)
def test_set_and_curly_give_the_same_word_paths(trees):
    try:
        one = read("\n".join(curly(trees)), "x")
    except ConfigurationError as error:
        with pytest.raises(ConfigurationError, match=re.escape(error.message)):
            read("\n".join(set_lines(trees)), "x")
        return
    other = read("\n".join(set_lines(trees)), "x")
    assert sorted(one.tree.paths()) == sorted(other.tree.paths())


# Damage

KEY = level(
    "key",
    leaf("secret", SECRET),
    leaf("start-time", "2025-1-1.00:00:00 +0000"),
    leaf("algorithm", "ao"),
    level(
        "ao-attribute",
        leaf("send-id", "11"),
        leaf("recv-id", "12"),
        leaf("tcp-ao-option", "enabled"),
        leaf("cryptographic-algorithm", "aes-128-cmac-96"),
    ),
    name="4",
)
MIRROR = {"11": "12", "12": "11", "192.0.2.1": "192.0.2.2", "192.0.2.2": "192.0.2.1", "192.0.2.1/30": "192.0.2.2/30"}


def router(*, turned=False):
    """Two routers of one protected session; `turned` is the other one."""
    whole = (
        level("system", leaf("host-name", "edge")),
        level("security", level("authentication-key-chains", level("key-chain", KEY, name="PEER"))),
        level(
            "interfaces",
            level(
                "interface",
                level("unit", level("family", level("inet", level("address", name="192.0.2.1/30"))), name="0"),
                name="xe-0/0/0",
            ),
        ),
        level(
            "protocols",
            level(
                "bgp",
                level(
                    "group",
                    leaf("description", "upstream"),
                    leaf("authentication-algorithm", "ao"),
                    leaf("authentication-key-chain", "PEER"),
                    level("neighbor", leaf("description", "west"), name="192.0.2.2"),
                    name="up",
                ),
            ),
        ),
    )
    return mirrored(whole) if turned else whole


def mirrored(statements):
    return tuple(
        replace(
            one,
            name=MIRROR.get(one.name, one.name),
            value=MIRROR.get(one.value, one.value),
            below=None if one.below is None else mirrored(one.below),
        )
        for one in statements
    )


NEAR = forms(router())
NEAR["transcript"] = "\n".join(
    [
        "ops@edge> show configuration | display set",
        *NEAR["set"].splitlines()[:6],
        "---(more 60%)---\r                 \r" + NEAR["set"].splitlines()[6],
        *NEAR["set"].splitlines()[7:],
        "",
        "ops@edge> ",
    ]
)
NEAR["relative"] = "\n".join(
    [
        "[edit security authentication-key-chains key-chain PEER]",
        *(
            line.replace("security authentication-key-chains key-chain PEER ", "")
            for line in NEAR["set"].splitlines()[1:8]
        ),
        "[edit]",
        *NEAR["set"].splitlines()[:1],
        *NEAR["set"].splitlines()[8:],
    ]
)
FAR = read(forms(router(turned=True))["curly"], "far")


def green(configuration: Configuration) -> bool:
    """Whether everything that is judged of the session and its chains is known and right."""
    if configuration.doubts or any(one.doubts for router in configuration.routers for one in router.sessions):
        return False
    links = match([*configuration.routers, *FAR.routers]).links
    if len(links) != 1 or not (links[0].one.authentication.ao and links[0].other.authentication.ao):
        return False
    near, far = configuration.main.chain("PEER"), FAR.main.chain("PEER")
    if near is None or far is None or near.doubts:
        return False
    subjects = subject_of(near, "near"), subject_of(far, "far")
    findings = [*lint(subjects[0]), *lint_pair(*subjects), *lint_usage(configuration), *lint_ends(links)]
    return not any(finding.severity is Severity.ERROR for finding in findings)


@pytest.mark.parametrize("form", NEAR)
def test_the_whole_configuration_is_green_in_every_form(form):
    assert green(read(NEAR[form], "near"))


HARMLESS = re.compile(r"description|host-name|ops@edge|^\s*\d*-*\(?more|^$|^\[edit\]$|name\W+xe-0/0/0")
"""Lines that decide nothing about the session."""
NAMED = re.compile(r"xe-0/0/0|\bup\b|upstream|west|edge\b|\b0\b|configuration\b|display|show|router")
"""Words that are names of one's own choice, or a terminal's."""


def same_meaning(form, line, mutation, word):
    """Whether the model says that the damaged text may still mean the same."""
    if HARMLESS.search(line):
        return True
    if mutation == "double":
        # A statement that is said twice is said once; what opens or closes a level is not a statement.
        return form in {"set", "transcript", "relative"} or not re.search(r"[{}<\[\]]\s*,?$", line) or form == "xml"
    return mutation == "word" and word is not None and NAMED.search(word) is not None


MUTATIONS = st.sampled_from(["cut", "double", "word", "glue"])


def damaged(data, text):
    lines = text.split("\n")
    number = data.draw(st.integers(0, len(lines) - 1))
    mutation = data.draw(MUTATIONS)
    line, word = lines[number], None
    if mutation == "cut":
        del lines[number]
    elif mutation == "double":
        lines.insert(number, line)
    elif mutation == "glue":
        lines[number : number + 2] = [" ".join(lines[number : number + 2])]
    else:
        words = list(re.finditer(r"[\w./:+-]+", line))
        if words:
            found = data.draw(st.sampled_from(words))
            word = found[0]
            lines[number] = line[: found.start()] + "zzq" + line[found.end() :]
        else:
            mutation = "none"
    return "\n".join(lines), line, mutation, word


def survived(text):
    """Read a text and all that is said of it; return the configuration, or None where it is refused by name."""
    try:
        configuration = read(text, "near")
        said = [str(one) for one in configuration.findings]
        match([*configuration.routers, *FAR.routers])
        said += [str(one) for chain in configuration.main.chains for one in lint(subject_of(chain, "near"))]
        said += [repr(router) for router in configuration.routers]
    except ConfigurationError as error:
        said, configuration = [str(error), repr(error)], None
    for secret in SECRETS:
        assert secret in names_of(configuration) or not any(secret in one for one in said), secret
    return configuration


def names_of(configuration):
    """All names in a text: where damage took `key 4 secret` away, the secret is the chain's name, nobody can tell."""
    if configuration is None:
        return ""
    routers = configuration.routers
    chains = [chain.name for router in routers for chain in router.chains]
    sessions = [f"{one.instance} {one.group} {one.peer}" for router in routers for one in router.sessions]
    used = [one.authentication.chain.value for router in routers for one in router.sessions if one.authentication.chain]
    return " ".join(
        [*chains, *sessions, *used, *(router.name for router in routers), *configuration.tree.get("groups", ())]
    )


def check_damaged_line(data):
    form = data.draw(st.sampled_from(sorted(NEAR)))
    text, line, mutation, word = damaged(data, NEAR[form])
    configuration = survived(text)
    if mutation not in {"glue", "none"} and configuration is not None and green(configuration):
        assert same_meaning(form, line, mutation, word), (form, mutation, line, word)


def check_damaged_text(data):
    form = data.draw(st.sampled_from(sorted(NEAR)))
    text = NEAR[form]
    for _ in range(data.draw(st.integers(1, 3))):
        begin = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(begin, min(len(text), begin + 30)))
        text = (
            text[:begin]
            + data.draw(st.text(max_size=6) | st.sampled_from(['"', "{", "}", ";", "[", "/*", "\\"]))
            + text[end:]
        )
    survived(text)


@given(st.data())
@settings(max_examples=120)
def test_a_damaged_line_of_the_session_or_its_chain_is_never_green(data):
    check_damaged_line(data)


@given(st.data())
@settings(max_examples=80)
def test_a_damaged_text_gives_a_named_error_or_a_finding_and_no_secret(data):
    check_damaged_text(data)


@pytest.mark.slow
@given(st.data())
@settings(max_examples=60_000)
def test_many_damaged_lines_are_never_green(data):
    check_damaged_line(data)


@pytest.mark.slow
@given(st.data())
@settings(max_examples=40_000)
def test_many_damaged_texts_are_survived(data):
    check_damaged_text(data)


@given(st.text())
@settings(max_examples=40)
def test_any_text_is_read_or_refused_by_name(text):
    survived(text)


def test_a_finding_is_where_the_damage_is():
    text = NEAR["curly"].replace("authentication-algorithm ao;", "authentication-algorithm aoo;")
    (finding,) = read(text, "near").findings
    assert finding.kind is Kind.INVALID_VALUE
    assert NEAR["curly"].split("\n")[(finding.where.line or 0) - 1].strip() == "authentication-algorithm ao;"
