"""The `system` hierarchy: host name, logins, services, logging, time."""

from __future__ import annotations

from keyroll.emulator.junos.configuration.login_values import ENCRYPTED, PLAIN_TEXT, EncryptedPassword, PublicKey
from keyroll.emulator.junos.configuration.schema import container, entry, flag, kept, leaf, values
from keyroll.emulator.junos.configuration.statements.kept import system as kept_tables
from keyroll.emulator.junos.configuration.values import Choice, Integer, IpAddress, OneOf, Text, TimeZone, Word, one_of

_FACILITIES = one_of(
    any="All facilities",
    authorization="Authorization system",
    change_log="Configuration change log",
    conflict_log="Configuration conflict log",
    daemon="Various system processes",
    firewall="Firewall filtering system",
    interactive_commands="Commands executed by the UI",
    ftp="FTP process",
    kernel="Kernel",
    ntp="NTP process",
    pfe="Packet Forwarding Engine",
    dfc="Dynamic flow capture",
    external="Local external applications",
    security="Security related",
    user="User processes",
)
_SEVERITIES: OneOf = one_of(
    alert="Conditions that should be corrected immediately",
    any="All levels",
    critical="Critical conditions",
    emergency="Panic conditions",
    error="Error conditions",
    info="Informational messages",
    none="Do not include any messages",
    notice="Conditions that should be handled specially",
    warning="Warning messages",
)
_SELECTOR = entry("", "Facility", _FACILITIES, leaf("", "Severity", _SEVERITIES), one_line=True)
_AUTHENTICATION = (
    flag(PLAIN_TEXT, "Prompt for plain text password (autoencrypted)"),
    leaf(ENCRYPTED, "Encrypted password string", EncryptedPassword(), secret=True),
    *(
        entry(name, f"{text} public key string", PublicKey(name), secret=True)
        for name, text in (
            ("ssh-ecdsa", "Secure shell (ssh) ECDSA"),
            ("ssh-ed25519", "Secure shell (ssh) ED25519"),
            ("ssh-rsa", "Secure shell (ssh) RSA"),
        )
    ),
)
"""How a user authenticates; the SSH server checks logins against it."""
_ROOT_LOGIN = OneOf(
    (
        Choice("allow", "Allow root access via ssh"),
        Choice("deny", "Do not allow root access via ssh"),
        Choice("deny-password", "Allow for non-password-based authentication methods only"),
    )
)
_METHODS = OneOf(
    (Choice("password", "Local password"), Choice("radius", "RADIUS server"), Choice("tacplus", "TACACS+ server"))
)
_ARCHIVE = container(
    "archive",
    "Archive file information",
    leaf("size", "Size of files to be archived", Word(16)),
    leaf("files", "Number of files to be archived", Integer(1, 1000)),
    flag("world-readable", "Allow any user to read the log file"),
    flag("no-world-readable", "Don't allow any user to read the log file"),
)
_MATCH = leaf("match", "Regular expression for lines to be logged", Text(1, 1024))
_STRUCTURED = container("structured-data", "Log system message in structured format", presence=True)
_SOURCE = leaf("source-address", "Use specified address as source address", IpAddress())
_LIMIT = leaf("connection-limit", "Limit number of simultaneous connections", Integer(1, 250))

SYSTEM = container(
    "system",
    "System parameters",
    leaf("host-name", "Hostname for this router", Word(255, r"[A-Za-z0-9](?:[A-Za-z0-9_.-]*[A-Za-z0-9])?")),
    container("root-authentication", "Authentication information for the root login", *_AUTHENTICATION),
    container(
        "login",
        "Names, login classes, and passwords for users",
        kept(leaf("message", "System login message", Text(1, 2048))),
        kept(leaf("announcement", "System announcement message (displayed after login)", Text(1, 2048))),
        *kept_tables.LOGIN,
        kept(
            entry(
                "class",
                "Login class",
                Word(64),
                leaf("idle-timeout", "Maximum idle time before logout (minutes)", Integer(0, 100000)),
                values("permissions", "Set of permitted operation categories", Word(64)),
                leaf("allow-commands", "Regular expression for commands to allow explicitly", Text(1, 8192)),
                leaf("deny-commands", "Regular expression for commands to deny explicitly", Text(1, 8192)),
                leaf("allow-configuration", "Regular expression for configure to allow explicitly", Text(1, 8192)),
                leaf("deny-configuration", "Regular expression for configure to deny explicitly", Text(1, 8192)),
                *kept_tables.LOGIN_CLASS,
            )
        ),
        entry(
            "user",
            "Username",
            Word(64),
            kept(leaf("full-name", "Full name", Text(1, 255))),
            kept(leaf("uid", "User identifier (uid)", Integer(100, 64000))),
            kept(leaf("class", "Login class", Word(64))),
            kept(leaf("shell", "Shell of the user", Word(64))),
            container("authentication", "Authentication method", *_AUTHENTICATION),
        ),
    ),
    kept(
        container(
            "services",
            "System services",
            container(
                "ssh",
                "Allow ssh access",
                leaf(
                    "root-login",
                    "Configure root access via ssh",
                    _ROOT_LOGIN,
                ),
                _LIMIT,
                leaf("rate-limit", "Maximum number of connections per minute", Integer(1, 250)),
                leaf("max-sessions-per-connection", "Maximum number of sessions per connection", Integer(1, 65535)),
                flag("no-tcp-forwarding", "Do not allow forwarding TCP connections via SSH"),
                flag("no-passwords", "Disables ssh password based authentication"),
                values(
                    "protocol-version", "Specify ssh protocol versions supported", one_of(v2="Secure shell version 2")
                ),
                *kept_tables.SSH_OPTIONS,
                presence=True,
            ),
            *kept_tables.SYSTEM_SERVICES,
            container("ftp", "Allow FTP file transfers", _LIMIT, presence=True),
            container("telnet", "Allow telnet login", _LIMIT, presence=True),
        )
    ),
    leaf("time-zone", "Time zone name or POSIX-compliant time zone string", TimeZone()),
    kept(leaf("domain-name", "Domain name for this router", Word())),
    kept(values("domain-search", "List of domain names to search", Word())),
    kept(values("authentication-order", "Order in which authentication methods are invoked", _METHODS)),
    kept(container("name-server", "DNS name servers", entry("", "DNS server address", IpAddress()))),
    kept(
        container(
            "syslog",
            "System logging facility",
            _ARCHIVE,
            entry("user", "Notify a user of the event", Word(), _SELECTOR, _MATCH),
            entry(
                "host",
                "Host to be notified",
                Word(),
                _SELECTOR,
                _MATCH,
                leaf("facility-override", "Alternate facility for logging to remote host", Word(32)),
                leaf("log-prefix", "Prefix for all logging to this host", Word(64)),
                leaf("port", "Port number", Integer(1, 65535)),
                _SOURCE,
                _STRUCTURED,
            ),
            entry("file", "File in which to log data", Word(), _SELECTOR, _MATCH, _ARCHIVE, _STRUCTURED),
            *kept_tables.SYSLOG_OPTIONS,
            _SOURCE,
        )
    ),
    kept(
        container(
            "ntp",
            "Network Time Protocol services",
            leaf("boot-server", "Server to query during boot sequence", IpAddress()),
            entry(
                "server",
                "Server parameters",
                IpAddress(),
                leaf("key", "Authentication key", Integer(1, 65534)),
                leaf("version", "NTP version to use", Integer(1, 4)),
                flag("prefer", "Prefer this peer"),
                one_line=True,
            ),
            leaf("source-address", "Source-Address parameters", IpAddress()),
            *kept_tables.NTP,
        )
    ),
    *kept_tables.SYSTEM,
)
