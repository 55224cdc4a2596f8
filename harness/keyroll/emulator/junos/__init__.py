"""The Junos half of an emulated router: configuration, command line, show output, SSH.

Each wing imports only those before it:

    configuration  statements (`schema`, `statements/`), values, the tree, its text forms, inheritance, constraints
    effect         the intent of a committed tree, user accounts, routing policies, changes to keychains in use, the log
    commit         candidate, running configuration and rollbacks; loading text; saving over a reboot
    shell          the command line: grammar, completion, pipes, commands and their output
    login          root's shell, terminals, SSH, the console; `router` has `JunosRouter`, which joins all wings
"""
