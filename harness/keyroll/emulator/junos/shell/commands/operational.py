"""The grammar of operational mode. To add a command, add a term."""

from __future__ import annotations

from keyroll.emulator.junos.configuration.paths import Purpose
from keyroll.emulator.junos.configuration.values import Choice, Integer, IpAddress, OneOf, Prefix, Text, Word, one_of
from keyroll.emulator.junos.shell import not_emulated
from keyroll.emulator.junos.shell.commands import clearing, mode, showing, states, system
from keyroll.emulator.junos.shell.grammar import Term

_SHOW_BGP = Term(
    "bgp",
    "Show Border Gateway Protocol information",
    (
        Term(
            "neighbor",
            "Show BGP neighbor database",
            (Term("address", "IP address of neighbor", (), showing.bgp_neighbor, IpAddress()),),
            showing.bgp_neighbor,
        ),
        Term("summary", "Show overview of Border Gateway Protocol information", run=showing.bgp_summary),
    ),
)

_SHOW_LDP = Term(
    "ldp",
    "Show Label Distribution Protocol information",
    (
        Term(
            "database",
            "Show LDP label databases",
            (
                Term(
                    "session",
                    "Show database for one session",
                    (Term("address", "Session destination address", run=states.ldp_database, value=IpAddress(4)),),
                ),
            ),
            states.ldp_database,
        ),
        Term("interface", "Show LDP interfaces", run=states.ldp_interface),
        Term("neighbor", "Show LDP neighbors", run=states.ldp_neighbor),
        Term(
            "session",
            "Show LDP sessions",
            (
                Term(
                    "address",
                    "Session destination address",
                    (
                        Term("brief", "Display brief output (default)", run=states.ldp_session),
                        Term("detail", "Display detailed output", run=states.ldp_session_detail),
                    ),
                    states.ldp_session,
                    IpAddress(4),
                ),
                Term("brief", "Display brief output (default)", run=states.ldp_session),
                Term("detail", "Display detailed output", run=states.ldp_session_detail),
            ),
            states.ldp_session,
        ),
    ),
)

_PROTOCOLS = one_of(bgp="BGP", direct="Direct routes", ldp="LDP", local="Local routes", static="Static routes")
_TABLES = OneOf((Choice("inet.0", "IPv4 unicast"), Choice("inet6.0", "IPv6 unicast")))

_SHOW_ROUTE = Term(
    "route",
    "Show routing table information",
    (
        Term("destination", "IP address or network", (), states.route, Prefix(), again=True),
        Term("exact", "Show only the route that matches exactly", run=states.route, again=True),
        Term(
            "protocol",
            "Name of protocol",
            (Term("protocol-name", "Name of protocol", (), states.route, _PROTOCOLS),),
            again=True,
        ),
        Term("summary", "Show routing table statistics", run=states.route_summary),
        Term("table", "Name of routing table", (Term("table-name", "Table", (), states.route, _TABLES),), again=True),
        Term("terse", "Display terse output", run=states.route, again=True),
    ),
    states.route,
)

_SHOW_INTERFACES = Term(
    "interfaces",
    "Show interface information",
    (
        Term(
            "interface-name",
            "Name of physical or logical interface",
            (Term("terse", "Display terse output", run=states.interfaces_terse),),
            value=Word(32),
        ),
        Term("terse", "Display terse output", run=states.interfaces_terse),
    ),
)

_SHOW_SECURITY = Term(
    "security",
    "Show security information",
    (
        Term(
            "keychain",
            "Show keychain information",
            (
                Term("brief", "Display brief output (default)", run=showing.keychain_brief),
                Term("detail", "Display detailed output", run=showing.keychain_detail),
            ),
            showing.keychain_brief,
        ),
    ),
)

_SHOW_SYSTEM = Term(
    "system",
    "Show system information",
    (
        Term("commit", "Show pending commit requests (if any) and commit history", run=states.commits),
        Term("connections", "Show system connection activity", run=states.connections),
        Term(
            "statistics",
            "Show statistics for protocol",
            (Term("tcp", "Show TCP statistics", run=states.tcp_statistics),),
        ),
        Term("uptime", "Show time since system and processes started", run=showing.uptime),
    ),
)

SHOW = Term(
    "show",
    "Show system information",
    (
        _SHOW_BGP,
        Term("configuration", "Show current configuration", run=showing.configuration, purpose=Purpose.NAME),
        _SHOW_INTERFACES,
        _SHOW_LDP,
        Term(
            "log",
            "Show contents of log file",
            (
                Term("interactive-commands", "Log of what people typed", run=states.log_commands),
                Term("messages", "Log of the system", run=states.log_messages),
            ),
        ),
        _SHOW_ROUTE,
        _SHOW_SECURITY,
        _SHOW_SYSTEM,
        Term("version", "Show software process revision levels", run=showing.version),
    ),
)

CLEAR = Term(
    "clear",
    "Clear information in the system",
    (
        Term(
            "bgp",
            "Clear Border Gateway Protocol information",
            (
                Term(
                    "neighbor",
                    "Clear BGP neighbors",
                    (
                        Term(
                            "address",
                            "IP address of neighbor",
                            (Term("soft", "Soft reset", run=clearing.bgp),),
                            clearing.bgp,
                            IpAddress(),
                        ),
                        Term("all", "Clear all BGP neighbors", run=clearing.bgp),
                        Term("soft", "Soft reset", run=clearing.bgp),
                    ),
                    clearing.bgp,
                ),
            ),
        ),
        Term(
            "ldp",
            "Clear Label Distribution Protocol information",
            (
                Term(
                    "session",
                    "Clear LDP sessions",
                    (
                        Term("address", "Session destination address", (), clearing.ldp, IpAddress(4)),
                        Term("all", "Clear all LDP sessions", run=clearing.ldp),
                    ),
                    clearing.ldp,
                ),
            ),
        ),
        Term(
            "log",
            "Clear contents of log file",
            (Term("messages", "Log of the system", run=clearing.log_messages),),
        ),
    ),
)

PING = Term(
    "ping",
    "Ping remote target",
    (
        Term(
            "host",
            "IP address of remote host",
            (
                Term(
                    "count",
                    "Number of ping requests to send",
                    (Term("requests", "Number of ping requests to send", (), system.ping, Integer(1, 2000000000)),),
                    again=True,
                ),
                Term("rapid", "Send requests rapidly (default count of 5)", run=system.ping, again=True),
                Term(
                    "source",
                    "Source address of echo request",
                    (Term("source-address", "Source address", (), system.ping, IpAddress()),),
                    again=True,
                ),
            ),
            system.ping,
            IpAddress(),
        ),
    ),
)

REQUEST = Term(
    "request",
    "Make system-level requests",
    (
        Term(
            "system",
            "Perform system-level operations",
            (Term("reboot", "Reboot the system", run=system.reboot),),
        ),
    ),
)

RESTART = Term(
    "restart",
    "Restart software process",
    (Term("routing", "Routing protocols process", run=system.restart_routing),),
)

SET = Term(
    "set",
    "Set CLI properties, date/time, craft interface message",
    (
        Term(
            "cli",
            "Set CLI properties",
            (
                Term(
                    "complete-on-space",
                    "Set whether typing space completes current word",
                    (
                        Term(
                            "value",
                            "",
                            (),
                            mode.complete_on_space,
                            one_of(off="Disable completion on space", on="Enable completion on space"),
                        ),
                    ),
                ),
                Term(
                    "idle-timeout",
                    "Set maximum idle time before login session ends",
                    (Term("timeout", "Maximum idle time (minutes)", (), mode.idle_timeout, Integer(0, 100000)),),
                ),
                Term(
                    "screen-length",
                    "Set number of lines on screen",
                    (Term("length", "Number of lines of text", (), mode.screen_length, Integer(0, 10000)),),
                ),
                Term(
                    "screen-width",
                    "Set number of characters on a line",
                    (Term("width", "Number of characters on a line", (), mode.screen_width, Integer(0, 1024)),),
                ),
                Term(
                    "timestamp",
                    "Timestamp CLI output",
                    (Term("disable", "Disable timestamp", run=mode.no_timestamp),),
                ),
            ),
        ),
        Term(
            "date",
            "Set system date and time",
            (Term("time", "New date and time (YYYYMMDDhhmm.ss)", (), system.set_date, Text(1, 32)),),
        ),
    ),
)

OPERATIONAL = not_emulated.with_absent(
    (
        CLEAR,
        Term("cli", "Start the command-line interface (already there)", run=mode.cli),
        Term(
            "configure",
            "Manipulate software configuration information",
            (
                Term("exclusive", "Obtain exclusive lock", run=mode.configure_exclusive),
                Term("shared", "Edit the configuration that all share", run=mode.configure),
                Term("private", "Work in a private database", run=mode.configure_private),
            ),
            mode.configure,
        ),
        Term("exit", "Exit the management session", run=mode.leave, shortest=2),
        PING,
        Term("quit", "Exit the management session", run=mode.leave, shortest=2),
        REQUEST,
        RESTART,
        SET,
        SHOW,
    ),
    not_emulated.OPERATIONAL,
)
