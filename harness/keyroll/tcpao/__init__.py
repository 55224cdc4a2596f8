"""TCP-AO of RFC 5925 and RFC 5926: key derivation, MAC, option codec, segments, SNE, MKT matching. Pure.

    segment.py   parse_segment(buffer, start, end) -> Segment | None; SegmentError
    option.py    scan_options(options) -> OptionScan(ao, md5); insert_ao, strip_ao; OptionError, OptionRoomError
    kdf.py       Algorithm, kdf_context(...), traffic_key(algorithm, master_key, context) -> TrafficKey (.mac(bytes))
    macs.py      mac_input(...), sign_segment(tcp, ...) -> bytes, verify_segment(segment, ao, ...) -> bool, checksums
    sne.py       SneTracker(isn): .sne_for(seq), .commit(seq)
    mkt.py       Mkt: .traffic_key(…), .key_for(segment, …)

Signing one segment of an established connection:

    key = mkt.traffic_key(src, dst, sport, dport, sisn, disn)      # once per connection and direction
    tcp = sign_segment(tcp, src=src, dst=dst, key=key, sne=sne.sne_for(seq), key_id=mkt.send_id, rnext_key_id=...)

Verifying one:

    segment = parse_segment(packet)
    ao = segment.scan().ao
    verify_segment(segment, ao, key=key, sne=sne.sne_for(segment.seq)) and sne.commit(segment.seq)
"""

from keyroll.names import Algorithm
from keyroll.tcpao.kdf import MAC_LENGTH, MasterKey, TrafficKey, kdf_context, traffic_key
from keyroll.tcpao.macs import (
    internet_checksum,
    mac_input,
    segment_mac,
    segment_message,
    sign_segment,
    sne_and_pseudo_header,
    tcp_checksum,
    verify_segment,
    with_checksum,
)
from keyroll.tcpao.mkt import Mkt, MktError
from keyroll.tcpao.option import (
    AO_LENGTH,
    AoOption,
    OptionDefect,
    OptionError,
    OptionRoomError,
    OptionScan,
    insert_ao,
    join_options,
    scan_options,
    split_options,
    strip_ao,
    with_options,
)
from keyroll.tcpao.segment import (
    ACK,
    FIN,
    PSH,
    RST,
    SYN,
    URG,
    Endpoints,
    Segment,
    SegmentDefect,
    SegmentError,
    flag_letters,
    may_carry_tcp,
    parse_segment,
    peek_endpoints,
)
from keyroll.tcpao.sne import HALF_SEQUENCE, SEQUENCE_MASK, SneTracker

__all__ = [
    "ACK",
    "AO_LENGTH",
    "FIN",
    "HALF_SEQUENCE",
    "MAC_LENGTH",
    "PSH",
    "RST",
    "SEQUENCE_MASK",
    "SYN",
    "URG",
    "Algorithm",
    "AoOption",
    "Endpoints",
    "MasterKey",
    "Mkt",
    "MktError",
    "OptionDefect",
    "OptionError",
    "OptionRoomError",
    "OptionScan",
    "Segment",
    "SegmentDefect",
    "SegmentError",
    "SneTracker",
    "TrafficKey",
    "flag_letters",
    "insert_ao",
    "internet_checksum",
    "join_options",
    "kdf_context",
    "mac_input",
    "may_carry_tcp",
    "parse_segment",
    "peek_endpoints",
    "scan_options",
    "segment_mac",
    "segment_message",
    "sign_segment",
    "sne_and_pseudo_header",
    "split_options",
    "strip_ao",
    "tcp_checksum",
    "traffic_key",
    "verify_segment",
    "with_checksum",
    "with_options",
]
