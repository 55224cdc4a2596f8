"""`commit check` and `commit` never differ: what `commit check` accepts, `commit` applies on FRR."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import pytest
from tests.lab.conftest import Pair

from keyroll.errors import KeyrollError
from keyroll.junos.session import RouterSession

pytestmark = pytest.mark.lab

BGP, GROUP, PEER = "set protocols bgp", "set protocols bgp group g", "set protocols bgp group g neighbor 10.0.12.2"
TERM = "set policy-options policy-statement p term t"
CHAIN = "set security authentication-key-chains key-chain kc"
BASE = (
    "set interfaces ge-0/0/0 unit 0 family inet address 10.0.12.1/30",
    "set interfaces lo0 unit 0 family inet address 10.255.0.1/32",
    "set routing-options router-id 10.255.0.1",
)
STATEMENTS = (
    "set interfaces ge-0/0/0 unit 0 family inet6 address 2001:db8:12::1/64",
    "set interfaces ge-0/0/0 unit 0 family inet address 10.0.12.9/30",
    "set interfaces ge-0/0/0 unit 0 disable",
    "set interfaces ge-0/0/0 disable",
    "set interfaces ge-0/0/0 unit 5 vlan-id 5",
    "set interfaces ge-0/0/0 unit 6 vlan-id 5",
    "set interfaces ge-0/0/0 unit 0 vlan-id 7",
    "set interfaces ge-0/0/0 unit 5 family inet address 10.9.5.1/24",
    "set interfaces ge-0/0/0 vlan-tagging",
    "set interfaces ge-0/0/3 unit 0 family inet address 10.0.12.1/30",
    "set interfaces ge-0/0/0 unit 0 family mpls",
    "set interfaces lo0 unit 0 family inet6 address 2001:db8:255::1/128",
    "set routing-options autonomous-system 65001",
    "set routing-options static route 192.0.2.0/24 discard",
    "set routing-options static route 192.0.2.0/24 next-hop 10.0.12.2",
    "set routing-options static route 198.51.100.0/24 next-hop 2001:db8:12::2",
    "set routing-options rib inet6.0 static route 2001:db8::/32 reject",
    "set routing-options static route 192.0.2.128/25 next-hop 203.0.113.9",
    "set routing-options router-id 224.0.0.5",
    "set routing-options router-id 255.255.255.255",
    f"{BGP} local-as 65010",
    f"{BGP} hold-time 3",
    f"{BGP} hold-time 0",
    f"{BGP} hold-time 65535",
    f"{BGP} preference 255",
    f"{BGP} preference 0",
    f"{GROUP} type internal",
    f"{GROUP} type external",
    f"{GROUP} peer-as 65002",
    f"{GROUP} peer-as 65001",
    f"{GROUP} local-as 65001",
    f"{GROUP} local-as 65077",
    f"{GROUP} local-preference 50",
    f"{GROUP} cluster 10.255.0.1",
    f"{GROUP} multipath multiple-as",
    f"{GROUP} remove-private all replace",
    f"{GROUP} as-override",
    f"{GROUP} family inet unicast",
    f"{GROUP} family inet6 unicast",
    f"{GROUP} family inet-vpn unicast",
    f"{GROUP} family inet labeled-unicast",
    f"{GROUP} family inet unicast prefix-limit maximum 5 teardown 80 idle-timeout 3",
    f"{GROUP} export p",
    f"{GROUP} export ( p && !p )",
    f"{GROUP} import ( !p || p )",
    f"{BGP} disable",
    f"{GROUP} local-as 65077 private",
    f"{GROUP} local-as 65077 no-prepend-global-as",
    f"{GROUP} local-as 65077 alias",
    f"{GROUP} import p",
    f"{GROUP} authentication-key-chain kc",
    f"{GROUP} authentication-algorithm ao",
    f"{GROUP} authentication-algorithm hmac-sha-1-96",
    f"{GROUP} authentication-key sesame-street",
    f"{GROUP} neighbor 2001:db8:12::2 peer-as 65002",
    f"{GROUP} neighbor 10.0.12.1",
    f"{GROUP} neighbor 10.255.0.1",
    f"{GROUP} neighbor 10.9.9.9 peer-as 65003",
    f"{GROUP} neighbor fe80::1 peer-as 65003",
    f"{GROUP} neighbor 224.0.0.9 peer-as 65003",
    f"{GROUP} allow 10.0.0.0/8",
    f"{PEER} peer-as 4200000000",
    f"{PEER} peer-as 65001",
    f"{PEER} local-address 10.0.12.1",
    f"{PEER} local-address 10.99.0.1",
    f"{PEER} local-address 2001:db8:12::1",
    f"{PEER} multihop ttl 255",
    f"{PEER} multihop",
    f"{PEER} ttl 255",
    f"{PEER} ttl 1",
    f"{PEER} tcp-mss 1",
    f"{PEER} tcp-mss 4096",
    f"{PEER} passive",
    f'{PEER} description "of peer; with ! and | in it"',
    f"{PEER} bfd-liveness-detection minimum-interval 300",
    f"{PEER} graceful-restart",
    f"{TERM} from protocol [ direct static ]",
    f"{TERM} from route-filter 10.0.0.0/8 orlonger",
    f"{TERM} from route-filter 2001:db8::/32 longer",
    f"{TERM} from route-filter 0.0.0.0/0 upto /0",
    f"{TERM} from route-filter 192.0.2.1/32 longer",
    f"{TERM} from family inet6",
    f"{TERM} from family evpn",
    f"{TERM} from community c",
    f"{TERM} from as-path a",
    f"{TERM} from neighbor 10.0.12.2",
    f"{TERM} from neighbor 2001:db8:12::2",
    f"{TERM} from prefix-list l",
    f"{TERM} then accept",
    f"{TERM} then reject",
    f"{TERM} then next policy",
    f"{TERM} then metric 4294967295",
    f"{TERM} then local-preference 4294967295",
    f"{TERM} then next-hop self",
    f"{TERM} then next-hop 10.0.12.1",
    f"{TERM} then next-hop 2001:db8:12::1",
    f'{TERM} then as-path-prepend "65001 65001"',
    f'{TERM} then as-path-prepend "{" ".join(["4200000000"] * 12)}"',
    f"{TERM} then community add c",
    f"{TERM} then community delete c",
    "set policy-options policy-statement p then accept",
    "set policy-options community c members 65001:100",
    "set policy-options community c members [ no-export 65001:7 ]",
    "set policy-options community c members target:65001:100",
    'set policy-options as-path a ".* 65002 .*"',
    'set policy-options as-path a "(65001|65002)* 1"',
    "set policy-options prefix-list l 192.0.2.0/24",
    "set policy-options prefix-list l 2001:db8::/32",
    f"{CHAIN} key 0 secret sesame-street",
    f'{CHAIN} key 0 start-time "2020-1-1.00:00:00 +0000"',
    f"{CHAIN} key 0 algorithm ao",
    f"{CHAIN} key 0 ao-attribute send-id 1",
    f"{CHAIN} key 0 ao-attribute recv-id 2",
    f"{CHAIN} key 0 ao-attribute tcp-ao-option enabled",
    f"{CHAIN} tolerance 0",
    "set protocols ldp interface ge-0/0/0.0",
    "set protocols ldp interface all",
    "set protocols ldp interface ge-0/0/0.0 hello-interval 30",
    "set protocols ldp interface ge-0/0/0.0 hold-time 3",
    "set protocols ldp keepalive-timeout 1",
    "set protocols ldp keepalive-interval 65535",
    "set protocols ldp transport-address interface",
    "set protocols ldp transport-address router-id",
    "set protocols ldp session 10.255.0.2 authentication-key sesame-street",
    "set protocols ldp session 10.255.0.2 authentication-key-chain kc",
    "set protocols ldp session-group 10.255.0.0/16 authentication-key-chain kc",
    "set protocols mpls interface ge-0/0/0.0",
)
COMBINATIONS = 12
"""Number of combinations of each seed: each takes two commits, a tenth of a second."""


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(2, 26))])
def test_commit_accepts_and_refuses_what_commit_check_does(pair: Pair, seed: int) -> None:
    chance = random.Random(f"commit check {seed}")
    session = pair.sessions["R1"]
    session.configure(BASE)
    session.commit()
    outcomes = set()
    for _ in range(COMBINATIONS):
        # Statements that need each other are drawn together often enough, because most are about the same session.
        lines = chance.sample(STATEMENTS, chance.randrange(2, 16))
        lines += [line for line in NEEDED if chance.random() < LIKELY]
        checked, committed = answers(session, lines)
        assert (checked is None) == (committed is None), report(session, lines)
        outcomes.add(checked is None)
    assert outcomes == {True, False} or seed > 1, "the sample has both accepted and refused commits"


NEEDED = ("set routing-options autonomous-system 65001", f"{PEER} peer-as 65002")
"""Without these nearly every combination is refused for the same reason."""
LIKELY = 0.8
"""Share of the combinations with them: in the others their absence is tested."""


def answers(session: RouterSession, lines: Sequence[str]) -> tuple[str | None, str | None]:
    """Return the errors of `commit check` and of `commit` for the lines (None: accepted); undo what is committed."""
    checked = said(session, lines, session.commit_check)
    session.discard()
    committed = said(session, lines, session.commit)
    if committed is None:
        session.rollback(1)
        session.commit()
    return checked, committed


def said(session: RouterSession, lines: Sequence[str], ask: Callable[[], object]) -> str | None:
    session.configure(lines)
    try:
        ask()
    except KeyrollError as error:
        return str(error)
    return None


def report(session: RouterSession, lines: Sequence[str]) -> str:
    """Return a smallest set of the lines for which both still differ, and both errors."""
    fewest = list(lines)
    for line in lines:
        shorter = [one for one in fewest if one != line]
        checked, committed = answers(session, shorter)
        if (checked is None) != (committed is None):
            fewest = shorter
    checked, committed = answers(session, fewest)
    return "\n".join([*fewest, f"commit check: {checked}", f"commit: {committed}"])
