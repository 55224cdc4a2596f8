"""Labs of real containers, made by the `containerlab` command (0.78 and newer): Juniper's images, or the emulated one.

lab        the lab: deploy, readiness, captures, destroy          (implements keyroll.lab.protocol.Lab)
guard      a separate process that stays after the owner ends, and cleans up
command    the `containerlab` command: its version, its environment, its time-outs, its errors with remedies
docker     what containers, networks and namespaces there are (Docker)
readiness  waiting for routers that come up
teardown   how a lab is destroyed, by the owner or another process
topology_file  the file that a lab is deployed from
link_ends  the ends of links in the containers' namespaces: captures, cuts, impairments, injected frames
"""
