"""Keychains: pure values, generation from a seed, the schedule, lint rules, and Junos text both ways.

Nothing here does I/O or reads a clock: time and randomness are arguments.

    model, secret        Key, Keychain, Algorithm; Secret, which never shows itself
    generate             a chain from a seed; draw_secret
    schedule             one chain at an instant: what is sent, asked for, accepted
    simulation           one connection from event to event, on integers: the engine of predictions
    prediction           two chains, two clocks, any mix of policies: who sends what, what is dropped
    starttime, type9     Junos' start-times and $9$ texts, free of the rest
    junostext            set lines and the curly form, written; keyroll.configuration reads them
    rules, lint,         what is wrong with a chain, or with two that should work together
    lint_pair
"""
