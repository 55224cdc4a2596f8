"""Keychains: pure values, generation from a seed, the schedule, lint rules, and Junos text both ways.

Nothing here does I/O or reads a clock: time and randomness are arguments.

    model, secret        Key, Keychain, Algorithm; Secret, which never shows itself
    generate             a chain from a seed; draw_secret
    schedule             one chain at an instant: which key is sent, which is asked for, which are accepted
    simulation           one connection simulated from event to event, on integers: used by prediction
    prediction           two chains, two clocks, any mix of policies: which key is sent, what is dropped
    starttime, type9     Junos' start-times and $9$ texts, independent of the other modules
    junostext            writes set lines and the curly form; keyroll.configuration reads them
    rules, lint,         what is wrong with a chain, or with two that should work together
    lint_pair
"""
