"""`show system uptime` of a router, at an instant."""

from datetime import UTC, datetime

UPTIME = """\
Current time: {now:%Y-%m-%d %H:%M:%S} UTC
Time Source:  LOCAL CLOCK
System booted: 2029-12-31 23:00:00 UTC (01:00:00 ago)
Protocols started: 2029-12-31 23:00:10 UTC (00:59:50 ago)
Last configured: 2029-12-31 23:30:00 UTC (00:30:00 ago) by admin
"""

T0 = datetime(2030, 1, 1, tzinfo=UTC)
