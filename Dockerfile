# The emulated router as a container image for containerlab's kind juniper_crpd. `make image` builds it and first puts the
# Python packages into build/image/lib, so that the build needs the network only for Debian's packages; with
# `make image BASE=rootfs` the base has these already, and the build needs no network.
ARG BASE=debian:bookworm-slim
FROM ${BASE}

COPY image/packages /tmp/packages
# policy-rc.d with exit code 101 keeps apt from starting the frr package's service.
RUN set -eu; missing=""; \
    for name in $(grep -v '^#' /tmp/packages); do dpkg -s "$name" >/dev/null 2>&1 || missing="$missing $name"; done; \
    if [ -n "$missing" ]; then \
        printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d; chmod 755 /usr/sbin/policy-rc.d; \
        apt-get update -q; \
        DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing; \
        rm -rf /var/lib/apt/lists/* /usr/sbin/policy-rc.d; \
    fi; \
    rm -f /tmp/packages; mkdir -p /config /run/keyroll /var/log/keyroll

COPY build/image/lib /opt/keyroll/lib
COPY harness/keyroll /opt/keyroll/keyroll
COPY image/router /usr/local/sbin/keyroll-router
COPY image/health /usr/local/sbin/keyroll-health
COPY image/service /usr/sbin/service
COPY image/cli /usr/bin/cli
RUN PYTHONPATH=/opt/keyroll:/opt/keyroll/lib python3 -m compileall -q /opt/keyroll

# SSH: root, clab123 (containerlab's default for the kind). IPv6 on data interfaces: `sysctls` in the topology.
EXPOSE 22
STOPSIGNAL SIGTERM
# Healthy soon after the start (a router boots within seconds, unless it waits for links); three failures in a row, because
# one may be a reboot. The check itself gives up after 4 s.
HEALTHCHECK --interval=5s --timeout=5s --start-period=60s --retries=3 CMD ["/usr/local/sbin/keyroll-health"]
CMD ["/usr/local/sbin/keyroll-router"]
