"""The referee: reads captures, tracks TCP connections, and judges the TCP-AO option of each segment.

formats/    capture files and the frames in them
keys/       which keys a capture is judged by
referee/    the verdict on each segment, the account of keys, the proof of key changes, the check by scapy
verify/     what `keyroll verify` prints; no other part imports it
attack/     frames to forge and to replay

    follow, referee = Follow(path), Referee(SpeakerBook([r1, r2]), capture=path.name)
    account, key_changes = Account(), KeyChanges()
    for packet in follow.read_new():
        judgement = referee.judge(packet)
        if judgement is not None:
            proof = key_changes.observe(judgement, account.observe(judgement))
"""

from keyroll.capture.attack.forge import ForgeError, forge_icmp, forge_rst, forge_syn, unknown_key_id
from keyroll.capture.attack.recent_frames import RecentFrames, SignedFrame
from keyroll.capture.formats.packet import CaptureError, Packet
from keyroll.capture.formats.pcap import copy_packets, count_packets
from keyroll.capture.formats.reader import Follow, read_packets
from keyroll.capture.keys.book import BGP_PORT, LDP_PORT, BookError, Clock, Speaker, SpeakerBook
from keyroll.capture.referee.account import Account, Acknowledged, DirectionAccount, KeyUse
from keyroll.capture.referee.judgement import Flow, Judgement, Refusal, Standing, Verdict
from keyroll.capture.referee.key_changes import KeyChanges
from keyroll.capture.referee.referee import Referee
from keyroll.capture.referee.scapy_check import ScapyCheck, ScapyFindings

__all__ = [
    "BGP_PORT",
    "LDP_PORT",
    "Account",
    "Acknowledged",
    "BookError",
    "CaptureError",
    "Clock",
    "DirectionAccount",
    "Flow",
    "Follow",
    "ForgeError",
    "Judgement",
    "KeyChanges",
    "KeyUse",
    "Packet",
    "RecentFrames",
    "Referee",
    "Refusal",
    "ScapyCheck",
    "ScapyFindings",
    "SignedFrame",
    "Speaker",
    "SpeakerBook",
    "Standing",
    "Verdict",
    "copy_packets",
    "count_packets",
    "forge_icmp",
    "forge_rst",
    "forge_syn",
    "read_packets",
    "unknown_key_id",
]
