"""Compare reading configurations with one regular expression that splits the same text and nests it by braces.

    python bench/bench_configuration.py [--lines N] [--times N]

The text is made here, in the shape of a large provider edge: groups with wildcards, thousands of interfaces, routing
instances and policies; in curly and in set form, with N lines of either and with half of them. Measured are `read` and
`read` with sessions and chains, in seconds of processor time, and the peak memory of reading, without the text. Rounds
alternate between the expression and the reader, and the median of their ratios counts: on a busy machine both are slow
together. Exit code 1 if a limit is exceeded.
"""

# ruff: noqa: INP001, T201 -- a script, not a package
from __future__ import annotations

import argparse
import re
import statistics
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator

from keyroll.configuration import read

MOST = 4.0
"""Reading, with sessions and chains, may take at most this many times the expression on the same text: it also keeps
the place of every statement, resolves groups, and collects sessions."""
MOST_MEMORY = 15.0
"""Octets of memory for each octet of text, at most: a configuration of 10 MB then needs 150 MB."""
MOST_GROWTH = 1.35
"""Twice the lines may take at most this many times twice the time: linear, apart from the noise of a busy machine."""
MARK = re.compile(r'"(?:[^"\\]|\\.)*"|/\*.*?\*/|#[^\n]*|[{};\[\]]|[^\s{};\[\]"]+', re.DOTALL)

HEAD = """\
version 24.4R2.21;
groups {
    CORE-BGP {
        protocols {
            bgp {
                group <IBGP-*> {
                    type internal;
                    authentication-algorithm ao;
                    authentication-key-chain KC;
                }
            }
        }
    }
    PHYSICAL {
        interfaces {
            <*> {
                hold-time up 2000 down 0;
                unit <*> {
                    family inet {
                        mtu 9000;
                    }
                }
            }
        }
    }
}
system {
    host-name edge;
}
security {
    authentication-key-chains {
        key-chain KC {
            key 1 {
                secret "$9$.PT3REyv87CtMX-waJz36"; ## SECRET-DATA
                start-time "2025-1-1.00:00:00 +0000";
                algorithm ao;
                ao-attribute {
                    send-id 1;
                    recv-id 1;
                    tcp-ao-option enabled;
                }
            }
        }
    }
}
"""


def interface(number: int) -> str:
    """Return one interface: 12 lines."""
    return f"""\
    et-0/{number // 4096}/{number % 4096} {{
        apply-groups PHYSICAL;
        description "customer {number}, building {number % 97}";
        unit 0 {{
            family inet {{
                address 10.{number // 65536}.{number // 256 % 256}.{number % 256}/31;
            }}
            family inet6 {{
                address 2001:db8:{number:x}::1/64;
            }}
        }}
    }}
"""


def instance(number: int) -> str:
    """Return one routing instance: 17 lines."""
    return f"""\
    CUSTOMER-{number} {{
        instance-type vrf;
        interface et-0/{number // 4096}/{number % 4096}.0;
        route-distinguisher 192.0.2.1:{number % 65000};
        vrf-target target:64500:{number};
        protocols {{
            bgp {{
                group CE {{
                    type external;
                    peer-as {64512 + number % 1000};
                    neighbor 10.{number // 65536}.{number // 256 % 256}.{number % 256} {{
                        description "customer {number}";
                    }}
                }}
            }}
        }}
    }}
"""


def policy(number: int) -> str:
    """Return one policy: 10 lines."""
    return f"""\
    policy-statement IMPORT-{number} {{
        term accept {{
            from {{
                community [ CUSTOMER-{number} CUSTOMER-ALL ];
                protocol bgp;
            }}
            then {{
                local-preference {100 + number % 100};
                accept;
            }}
        }}
    }}
"""


def curly(lines: int) -> str:
    """Return a configuration of about `lines` lines."""
    count = lines // 41  # of an interface, a routing instance and a policy together
    neighbors = "".join(f"            neighbor 192.0.{2 + n // 250}.{n % 250 + 1};\n" for n in range(200))
    return "".join(
        [
            HEAD,
            "interfaces {\n",
            *map(interface, range(count)),
            "}\nrouting-instances {\n",
            *map(instance, range(count)),
            "}\npolicy-options {\n",
            *map(policy, range(count)),
            "}\nprotocols {\n    bgp {\n        apply-groups CORE-BGP;\n        group IBGP-CORE {\n",
            neighbors,
            "        }\n    }\n}\n",
        ]
    )


def set_form(text: str) -> str:
    """Return the same configuration as set lines."""
    return "".join(f"set {line}\n" for line in _paths(text))


def set_text(lines: int) -> str:
    """Return a configuration of about `lines` set lines."""
    # 41 lines of curly text make 16 statements here.
    return set_form(curly(lines * 41 // 16))


def _paths(text: str) -> Iterator[str]:
    path: list[str] = []
    words: list[str] = []
    values: list[str] | None = None
    for mark in MARK.findall(text):
        if mark == "{":
            path.append(" ".join(words))
        elif mark == "}":
            path.pop()
        elif mark == "[":
            values = []
            continue
        elif mark == "]":
            continue
        elif mark == ";":
            yield from (" ".join([*path, *words, value]).strip() for value in values or [""])
            values = None
        elif mark[0] == "#":
            continue
        else:
            (words if values is None else values).append(mark)
            continue
        words = []


def bare(text: str) -> list[object]:
    """Split a text and nest it by its braces: the least that any reader has to do."""
    root: list[object] = []
    stack: list[list[object]] = [root]
    words: list[object] = []
    for mark in MARK.findall(text):
        if mark == "{":
            inner: list[object] = []
            stack[-1].append((words, inner))
            stack.append(inner)
            words = []
        elif mark == "}":
            stack.pop()
        elif mark == ";":
            stack[-1].append(words)
            words = []
        else:
            words.append(mark)
    return root


def parsed(text: str) -> object:
    """Read a text."""
    return read(text, "bench")


def viewed(text: str) -> object:
    """Read a text, and its sessions and chains."""
    return read(text, "bench").routers


def seconds(work: Callable[[str], object], text: str) -> float:
    """Return the processor time that `work` takes for a text."""
    begin = time.process_time()
    work(text)
    return time.process_time() - begin


def memory(text: str) -> float:
    """Return the peak memory of reading, in octets for each octet of text."""
    tracemalloc.start()
    try:
        viewed(text)
        return tracemalloc.get_traced_memory()[1] / len(text)
    finally:
        tracemalloc.stop()


def main() -> int:
    """Measure and print; return 1 if a limit is exceeded, else 0."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--lines", type=int, default=117_000, help="as many as Juniper's largest published design of this kind"
    )
    parser.add_argument("--times", type=int, default=5, help="rounds, of which the median counts")
    options = parser.parse_args()
    failed = False
    for form, make in (("curly", curly), ("set", set_text)):
        whole, half = make(options.lines), make(options.lines // 2)
        rounds = [
            (seconds(bare, whole), seconds(parsed, whole), seconds(viewed, whole), seconds(viewed, half))
            for _ in range(options.times)
        ]
        base, reading, views = (min(round_[at] for round_ in rounds) for at in range(3))
        ratio, read_ratio = (statistics.median(round_[at] / round_[0] for round_ in rounds) for at in (2, 1))
        growth = statistics.median(round_[2] / round_[3] / 2 for round_ in rounds)
        taken = memory(whole)
        print(
            f"{form:5} {whole.count(chr(10)):7} lines: expression {base:.2f} s, read {reading:.2f} s "
            f"({read_ratio:.1f}x), with sessions {views:.2f} s ({ratio:.1f}x), "
            f"memory {taken:.1f}x, growth {growth:.2f}"
        )
        failed |= ratio > MOST or taken > MOST_MEMORY or growth > MOST_GROWTH
    print(f"allowed: with sessions {MOST:.0f}x, memory {MOST_MEMORY:.0f}x, growth {MOST_GROWTH}")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
