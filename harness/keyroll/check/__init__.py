"""Will it be hitless? Findings and predicted rollovers of sessions between any number of configurations. Pure.

rollovers   which keys of two chains take over together, and when
skew        how far the two clocks may be apart
"""
