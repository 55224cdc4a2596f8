"""Commands that Junos has and the emulated router lacks: refused as not emulated, not as a syntax error.

So a client can distinguish a limit of the lab from a mistake: a word that Junos does not have either gets Junos' own
error. Help and completion omit these commands, because they offer only what works. When a command is emulated, remove
it from the table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from keyroll.emulator.contract.errors import NOT_EMULATED
from keyroll.emulator.junos.configuration.faults import JunosFault
from keyroll.emulator.junos.configuration.values import Word
from keyroll.emulator.junos.shell.grammar import Match, Term
from keyroll.emulator.junos.shell.output import Output
from keyroll.emulator.junos.shell.session import Session

OPERATIONAL = """
: file help load monitor mtrace op probe save scp ssh start telnet test traceroute
clear: amt ancp arp bfd bridge chassis class-of-service cli ddos-protection dhcp dynamic-tunnels error esis \
ethernet-switching evpn firewall helper igmp interfaces ipv6 isdn isis l2circuit l2-learning lacp lldp mld mobile-ip \
mpls msdp multicast ntp oam ospf ospf3 passive-monitoring pfe pim policer pppoe ptp rip ripng rsvp security services \
snmp spanning-tree system task vpls vrrp
clear bgp: damping table
clear bgp neighbor: instance logical-system malformed-route soft-inbound soft-minimum-igp stale-route
clear bgp neighbor <address>: instance logical-system soft-inbound soft-minimum-igp
clear ldp: neighbor session-protection statistics
clear ldp session: instance
clear ldp session <address>: instance
clear log: all
ping: atm clns ethernet fabric mpls overlay vpls bypass-routing detail do-not-fragment inet inet6 interface interval \
logical-system no-resolve pattern record-route routing-instance size strict tos ttl verbose wait
request: app-engine chassis flow-collector interface isis-overload ipsec lacp message mpls multicast pppoe \
routing-engine routing-options rsvp security services snmp support virtual-chassis vrrp
request system: autorecovery certificate commit configuration firmware halt keep license logout operations partition \
power-off processes recover scripts services set-encryption-key shell snapshot software start storage tracing \
zeroize
restart: all-members chassis-control class-of-service dhcp-service event-processing firewall gracefully immediately \
interface-control kernel-replication l2-learning lacp link-management mib-process remote-operations sampling \
security service-deployment services snmp soft statistics-service vrrp web-management
set: chassis security services task
set cli: directory logical-system prompt restart-on-upgrade tenant terminal trace
set cli timestamp: format
set date: ntp
show: accounting agent amt ancp aps arp as-path backup-selection bfd bier bridge chassis class-of-service cli \
connections database-replication ddos-protection dhcp dhcpv6 dialer diameter dot1x dvmrp dynamic-profile \
dynamic-tunnels esis ethernet-switching event-options evpn extensible-subscriber-services extension-provider fabric \
firewall flow-map forwarding-options helper host hfrr iccp igmp ilmi ingress-replication instance ipv6 isdn isis \
jsrc l2-learning l2circuit l2cpd l2vpn lacp link-management lldp loop-detection mac-rewrite mld mobile-ip monitoring \
mpls msdp multicast mvpn mvrp network-access nonstop-routing ntp oam ospf ospf3 overlay passive-monitoring \
path-computation-client pfe pgm pim policer policy ppp pppoe programmable-rpd protection-group ptp r2cp rip ripng \
rsvp sap services smi snmp spanning-tree spring-traffic-engineering static-subscribers subscribers \
synchronous-ethernet task ted unified-edge validation virtual-chassis vpls vrrp
show bgp: bmp dynamic-neighbor error group missing-route-target next-hop-database output-scheduler peer replication \
route-target
show bgp neighbor: exact-instance instance logical-system orf
show bgp neighbor <address>: exact-instance instance logical-system orf
show bgp summary: all brief detail exact-instance extensive group instance logical-system
show ldp: bgp-egress-protection fec-filters oam overview p2mp parameters path rib-groups route session-protection \
statistics stitching summary traffic-statistics
show ldp database: brief detail extensive inet inet6 instance l2circuit label-requests logical-system p2mp summary
show ldp database session <address>: detail extensive
show ldp interface: brief detail extensive instance logical-system
show ldp neighbor: auto-targeted brief detail extensive instance logical-system
show ldp session: auto-targeted extensive instance logical-system
show ldp session <address>: auto-targeted extensive instance logical-system
show interfaces: brief controller descriptions destination-class detail diagnostics extensive filters interface-set \
interval load-balancing mac-database media policers queue routing snmp-index source-class statistics switch-port \
transport zone
show interfaces <interface-name>: brief descriptions detail extensive media queue snmp-index statistics
show route: active-path advertising-protocol all aspath-regex best brief community community-name damping detail \
exact-instance export extensive extended-nexthop flow forwarding-table hidden inactive-path inactive-prefix instance \
label label-switched-path localization logical-system martians next-hop no-community output programmed range \
receive-protocol resolution rib-groups rtarget snooping source-gateway static-route validation-state
show route summary: logical-system table
show security: alarms alg application-firewall flow group-vpn idp ike ipsec log macsec match-policies nat \
pki policies resource-manager screen ssh tcp-options utm zones
show system: alarms auto-snapshot autorecovery boot-messages buffers certificate certificate-metrics configuration \
core-dumps directory-usage firmware information license login memory ntp processes queues rollback schema services \
snapshot software storage subscriber-management switchover synchronous-ethernet users virtual-memory
show system commit: include-configuration-revision revision server
show system connections: extensive inet inet6 show-routing-instances
show system statistics: arp bridge clns esis extended icmp icmp6 igmp inet inet6 ip ip6 jsr mpls pfkey raw rdp tnp \
tudp udp vpls
show version: all-members brief detail extensive invoke-on
"""
"""A line for each place in the grammar, `place: words`: the words before, and the words that Junos accepts there."""
CONFIGURATION = """
: annotate extension help prompt protect replace save unprotect update wildcard
commit: activate at full fast-synchronize force no-synchronize peers-synchronize prepare scripts
load: baseline-config factory-default json patch update
load merge: json relative xml
load override: json xml
load replace: json relative xml
rollback: rescue revision
show: deactivated
"""
PIPES = """
: append csv hold refresh request resolve save tee
compare: revision rescue
display: changed commit-scripts detail json omit rfc5952 translation-scripts xml
display inheritance: brief defaults terse
display set: explicit groupless
"""
_ENDS = frozenset({"show interfaces", "show interfaces <interface-name>", "show log", "show system statistics"})
"""Commands that Junos runs as they are, and the emulated router only with one more word."""
_VALUES = {
    "load merge": "file",
    "load override": "file",
    "load replace": "file",
    "load set": "file",
    "show log": "file",
}
"""Places where Junos accepts the name of a file, or a URL."""


_NAME_MAX = 1024
"""Maximum length of the name of a file, or of a URL, in characters: FreeBSD's PATH_MAX."""


async def refuse(session: Session, match: Match) -> Output:
    """Refuse a command that the emulated router lacks: always raises JunosFault."""
    del session
    raise JunosFault(f"{NOT_EMULATED}'{' '.join(match.words)}' (a real router has this command)")


def with_absent(terms: Sequence[Term], text: str) -> tuple[Term, ...]:
    """Return `terms` with the commands of the table `text` (lines of `place: words`) as hidden terms."""
    rows = (line.partition(":") for line in text.strip().splitlines())
    return _with(terms, {place: words.split() for place, _, words in rows})


def _with(terms: Sequence[Term], table: Mapping[str, Sequence[str]], place: str = "") -> tuple[Term, ...]:
    found = []
    for term in terms:
        path = f"{place} {f'<{term.name}>' if term.value is not None else term.name}".strip()
        run = term.run or (refuse if path in _ENDS else None)
        found.append(replace(term, children=_with(term.children, table, path), run=run))
    found += [Term(name, run=refuse, hidden=True, rest=True) for name in table.get(place, ())]
    if place in _VALUES:
        found.append(Term(_VALUES[place], run=refuse, hidden=True, rest=True, value=Word(_NAME_MAX)))
    return tuple(found)
