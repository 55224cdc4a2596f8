"""Capture files and the frames in them: pcap, pcapng, link types, IP packets."""
