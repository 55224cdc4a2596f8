"""Labs of real containers, made by the `containerlab` command (0.78 and newer): Juniper's images, or the emulated one.

lab        the lab: deploy, readiness, captures, destroy          (implements keyroll.lab.protocol.Lab)
guard      a process beside it that outlives its owner and cleans up after it
program    the `containerlab` command: its version, its environment, its time-outs, its errors with our remedies
engine     what containers, networks and namespaces there are (Docker)
render     the topology file that a lab is deployed from
ends       the ends of links in the containers' namespaces: captures, cuts, impairments, injected frames
"""
