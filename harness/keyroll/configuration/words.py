"""The words that Junos accepts at the levels that determine sessions and key chains, as data.

The lists are complete for each level, so that any other word is reported, and so that abbreviations are resolved as in
the CLI. Source: the names in Juniper's published YANG models of Junos 18.4 and 24.4 for all product families
(github.com/Juniper/yang); a newer word becomes a finding. Words with a known level below them are in `hierarchy`.
"""

from __future__ import annotations

from keyroll.configuration.statements import kinds

BGP_ANYWHERE = kinds(
    leaf="""
        authentication-algorithm authentication-key authentication-key-chain bgp-identifier cluster description
        forwarding-context hold-time ipsec-sa keep local-address local-interface local-preference minimum-hold-time
        out-delay peer-as preference tcp-connect-port tcp-mss tcpao-auth-mismatch ttl
        """,
    flag="""
        accept-prefix-sid accept-remote-nexthop add-path-display-ipv4-address advertise-inactive advertise-peer-as
        advertise-prefix-sid advertise-srgb as-override damping disable-4byte-as enforce-first-as
        include-mp-next-hop log-updown mtu-discovery no-advertise-peer-as no-aggregator-id no-client-reflect
        no-global-load-balancing passive rfc6514-compliant-safi129 route-server-client tcp-aggressive-transmission
        unconfigured-peer-graceful-restart vpn-apply-export
        """,
    values="""
        drop-path-attributes export import nlri
        """,
    opaque="""
        advertise-bgp-static advertise-external bfd-liveness-detection bgp-error-tolerance bmp domain-path-id
        ebgp-community-cleanup egress-te egress-te-adj-segment egress-te-node-segment family graceful-restart
        graceful-shutdown idle-after-switch-over link-bandwidth message-batching metric-out multihop multipath
        outbound-route-filter remove-private shutdown traceoptions
        """,
)
BGP_GROUP = kinds(
    leaf="""
        peer-as-list protocol type
        """,
    flag="""
        mvpn-iana-rt-import send-non-transitive-link-bandwidth
        """,
    values="""
        allow
        """,
    opaque="""
        optimal-route-reflection
        """,
)
BGP_TOP = kinds(
    leaf="""
        protocol-instance-name sr-preference-override stale-labels-holddown-period
        """,
    flag="""
        advertise-from-main-vpn-tables disable egress-te-sid-stats holddown-all-stale-labels no-precision-timers
        precision-timers prioritize-route-queueing rfc8950-compliant route-age-bgp-view send-addpath-optimization
        """,
    opaque="""
        accept-prpd-connection defaults egress-te-backup-paths egress-te-set-segment global-load-balancing
        multipath-build-priority output-queue-priority path-selection snmp-options source-packet-routing
        traffic-statistics-labeled-path
        """,
)
LDP = kinds(
    leaf="""
        keepalive-interval keepalive-timeout label-withdrawal-delay preference rib-group rib-group6
        transport-preference
        """,
    flag="""
        deaggregate explicit-null l2-smart-policy mtu-discovery no-deaggregate no-forwarding no-mtu-discovery
        no-propagate-ttl strict-targeted-hellos track-igp-metric upstream-label-assignment
        """,
    values="""
        color-import-policy dod-request-policy egress-policy export import
        """,
    opaque="""
        auto-targeted-session dual-transport entropy-label family graceful-restart igp-synchronization interface
        log-updown longest-match make-before-break neighbor next-hop oam p2mp policing session-protection
        sr-mapping-client targeted-hello traceoptions traffic-statistics transport-address
        """,
)
LDP_SESSION = kinds(
    leaf="""
        authentication-algorithm authentication-key authentication-key-chain tcpao-auth-mismatch transport-address
        """,
    flag="""
        downstream-on-demand mtu-discovery no-mtu-discovery
        """,
)
PROTOCOLS = kinds(
    opaque="""
        amt ancp bfd bgpmcast bier centralized-timing clock-synchronization connections dcbx dot1x dvmrp esis evpn
        express-segments iccp igmp igmp-snooping ilmi ipsec-traffic-selector isis isis-instance l2-learning
        l2circuit l2iw l2vpn lacp layer2-control link-management lldp lldp-med loop-detect mld mld-snooping mpls
        msdp mstp mvpn mvrp neighbor-discovery network-isolation oam openflow ospf ospf-instance ospf3 overlay ovsdb
        pcep pgm pim pim-snooping ppp ppp-service pppoe protection-group ptp r2cp rip ripng router-advertisement
        router-discovery rstp rsvp sap sflow source-packet-routing stp uplink-failure-detection vpls vrrp vstp
        """,
)
SECURITY = kinds(
    leaf="""
        advanced-connection-tracking-timeout
        """,
    flag="""
        key-protection
        """,
    opaque="""
        address-book advance-policy-based-routing advanced-services alarms alg analysis application-firewall
        application-services application-tracking casb certificates cloud datapath-debug distribution-profile
        dynamic-address dynamic-application dynamic-vpn firewall-authentication flow forwarding-options
        forwarding-process gprs group-vpn gtp idp ike ipsec ipsec-policy key-manager l3vpn log macsec nat ngfw pki
        policies remote-access resource-manager screen sctp secure-web-gateway softwires ssh-known-hosts tcp-encap
        traceoptions tunnel-inspection user-identification utm zones
        """,
)
ROUTING_OPTIONS = kinds(
    leaf="""
        highwatermark-log-interval ipv6-router-id maximum-ecmp med-igp-update-interval nsr-phantom-holdtime
        route-distinguisher-id router-id time-averaged-watermark-interval
        """,
    flag="""
        bgp-orf-cisco-mode enable-sensors loopback-strict-disable lsp-telemetry no-bfd-triggered-local-repair
        no-soft-core nonstop-routing route-distinguisher-id-use-router-id route-record warm-standby
        """,
    values="""
        instance-export instance-import pre-export-filter vpn-global-import
        """,
    opaque="""
        access access-internal admin-groups-extended admin-groups-extended-range aggregate auto-bandwidth
        auto-export backup-selection bgp-static bmp confederation congestion-protection diversity-association
        domain-path-id dynamic-tunnels fate-sharing flex-algorithm flow forwarding-table generate graceful-restart
        host-fast-reroute interface interface-routes l3vpn-composite-nexthop label localized-fib logical-system-mux
        martians maximum-paths maximum-prefixes maximum-routes multicast multipath nonstop-routing-options options
        policy-multipath ppm programmable-rpd protect resolution rib rib-groups rpm-tracking source-packet-routing
        source-routing srlg static te-policy-association topologies traceoptions transport-class validation
        """,
)
INSTANCE = kinds(
    leaf="""
        description export-default-action import-default-action instance-role instance-type l2-domain-id-for-l3
        l3-interface layer3-domain-identifier routing-interface service-type vlan-id vlan-model
        """,
    flag="""
        connector-id-advertise no-irb-layer-2-copy no-local-switching no-normalization no-vrf-advertise
        no-vrf-propagate-ttl non-forwarding-vrf qualified-bum-pruning-mode vrf-propagate-ttl
        """,
    values="""
        remote-vtep-list remote-vtep-v6-list vrf-export vrf-import
        """,
    opaque="""
        access access-profile bridge-domains egress-protection forwarding-instance forwarding-options
        igmp-snooping-options l2vpn-id mld-snooping-options multicast-snooping-options pbb-options provider-tunnel
        route-distinguisher service-groups switch-options system vlan-tags vlans vrf-advertise-selective
        vrf-table-label vrf-target vtep-remote-interface vtep-source-interface vxlan
        """,
)
LOGICAL_SYSTEM = kinds(
    opaque="""
        access access-profile applications bridge-domains firewall forwarding-options multicast-snooping-options
        policy-options schedulers services switch-options system vlans
        """,
)
ROOT = kinds(
    leaf="""
        rcsid version
        """,
    opaque="""
        access access-profile accounting-options applications bridge-domains chassis class-of-service dialer
        diameter dynamic-profiles event-options fabric firewall forwarding-options isdn jsrc jsrc-partition
        multi-chassis multicast-snooping-options poe policy-options schedulers services session-limit-group smtp
        snmp switch-options system unified-edge virtual-chassis virtual-network-functions vlans vmhost wlan
        """,
)
INET = kinds(
    leaf="""
        arp-max-cache arp-new-hold-limit destination-udp-port input-hierarchical-policer ipsec-sa mac-validate mtu
        tcp-mss
        """,
    flag="""
        allow-filter-on-re clear-dont-fragment-bit destination-class-usage multicast-only negotiate-address
        no-neighbor-learn no-redirects no-tunnel-termination primary receive-options-packets receive-ttl-exceeded
        source-lookup transit-options-packets transit-ttl-exceeded tunnel-loopback tunnel-termination
        unconditional-src-learn
        """,
    opaque="""
        accounting auto-configure demux-destination demux-source dhcp filter ingress-queuing-filter
        iq-policing-filter location-pool-address next-hop-tunnel policer rpf-check sampling service simple-filter
        targeted-broadcast unnumbered-address
        """,
)
INET6 = kinds(
    leaf="""
        destination-udp-port input-hierarchical-policer mtu nd6-max-cache nd6-new-hold-limit nd6-stale-time tcp-mss
        """,
    flag="""
        allow-filter-on-re dad-disable enhanced-dad-disable negotiate-address no-dad-disable no-neighbor-learn
        no-redirects no-tunnel-termination slaac-enable source-lookup tunnel-termination
        """,
    opaque="""
        accounting auto-configure dad-proxy demux-destination demux-source dhcpv6-client filter
        ingress-queuing-filter ndp-proxy policer rpf-check sampling service unnumbered-address
        """,
)
FAMILIES = kinds(
    opaque="""
        any bridge ccc ethernet-switching fibre-channel iso mlfr-end-to-end mlfr-uni-nni mlppp mpls pppoe tcc vpls
        """,
)
UNIT = kinds(
    leaf="""
        accounting-profile alias atm-scheduler-map bandwidth cell-bundle-size cell-bundle-timeout compression-device
        deep-vlan-qualified-learning description dlci drop-timeout encapsulation etree-ac-role fragment-threshold
        global-layer2-domainid interface-tag link-layer-overhead mac metadata minimum-links mrru mtu multicast-dlci
        multicast-vci multilink-max-classes native-inner-vlan-id peer-unit psn-vci psn-vpi receive-lsp
        service-domain transmit-lsp transmit-weight trunk-bandwidth trunk-id vci virtual-gateway-v4-mac
        virtual-gateway-v6-mac vlan-id vlan-id-range vpi
        """,
    flag="""
        allow-any-vci clear-dont-fragment-bit copy-tos-to-outer-ip-header copy-tos-to-outer-ip-header-transit
        disable disable-mlppp-inner-ppp-pfc enhanced-convergence enhanced-scale
        force-control-packets-on-transit-path generate-eui64 gre interleave-fragments inverse-arp multipoint
        no-auto-virtual-gateway-esi no-dhcp-flood no-generate-eui64 no-keepalives no-routing-services no-traps
        no-vpivci-swapping packet-inject-enable passive-monitor-mode per-session-scheduler plp-to-clp point-to-point
        proxy-macip-advertisement reassemble-packets routing-services short-sequence statistics swap-by-poppush
        traps virtual-gateway-accept-data
        """,
    values="""
        inner-vlan-id-swap-ranges vlan-id-list vlan-tag
        """,
    opaque="""
        accept-source-mac account-layer2-overhead actual-transit-statistics advisory-options arp-resp
        atm-l2circuit-mode atm-policer auto-configure backup-options compression demux demux-destination
        demux-options demux-source dial-options dialer-options dynamic-call-admission-control epd-threshold esi
        explicit-proxy filter forwarding-class-accounting forwarding-options inner-vlan-id-range input-vlan-map
        interface-shared-with interface-state ip-address-owner keepalives layer2-policer load-balance
        load-balancing-options multi-chassis-protection oam-liveness oam-period output-vlan-map peer-interface
        peer-psd policer-overhead ppp-options pppoe-options pppoe-underlying-options proxy-arp radio-router
        routing-service rpm service services-options shaping targeted-distribution targeted-options tunnel vci-range
        virtual-gateway-esi vlan-tags
        """,
)
INTERFACE = kinds(
    leaf="""
        accounting-profile act-sim description encapsulation external-model-name input-native-vlan-push
        l2tp-maximum-session link-mode mac media-type metadata mtu native-vlan-id network-isolation-profile
        number-of-sub-ports port-mirror-instance schedulers speed
        """,
    flag="""
        arp-l2-validate bypass-queueing-chip cascade-port dce disable flexible-vlan-tagging gratuitous-arp-reply
        interface-mib interface-transmit-statistics multicast-statistics no-bypass-queueing-chip
        no-forwarding-viable no-gratuitous-arp-reply no-gratuitous-arp-request no-interface-mib no-keepalives
        no-native-vlan-insert no-no-gratuitous-arp-request no-per-unit-scheduler
        no-pseudowire-down-on-core-isolation no-traps oam-on-svlan passive-monitor-mode per-unit-scheduler
        promiscuous-mode rpf-stats shared-interface shared-scheduler stacked-vlan-tagging traps unidirectional
        unused vlan-offload vlan-tagging vlan-vci-tagging
        """,
    opaque="""
        aggregated-ether-options aggregated-inline-services-options aggregated-sonet-options anchor-point
        anchoring-options atm-options auto-configure cellular-options cesopsn-options clocking container-options
        damping data-input dialer-options ds0-options dsl-options dsl-sfp-options e1-options e3-options es-options
        esi ether-options ett-options fabric-options fastether-options fibrechannel-options
        forwarding-class-accounting framing ggsn-options gigether-options hierarchical-scheduler hold-time
        ima-group-options ima-link-options isdn-options keepalives layer2-policer link-degrade-monitor lmi
        load-balancing-options logical-tunnel-options lsq-failure-options management-ethernet-redundancy
        mlfr-uni-nni-bundle-options modem-options multi-chassis-protection multiservice-options no-partition
        och-options odu-options optics-options otn-options otu-options p4rt partition ppp-options radius-options
        receive-bucket redundancy-group redundancy-options redundant-ether-options
        redundant-pseudo-interface-options satop-options serial-options services-options shdsl-options sonet-options
        switch-options t1-options t3-options targeted-options tdm-options traceoptions transmit-bucket vdsl-options
        """,
)
INTERFACES = kinds(
    opaque="""
        interface-range interface-set pic-set stacked-interface-set traceoptions
        """,
)
