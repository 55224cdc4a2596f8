"""The Junos half of an emulated router: configuration, command line, show output, SSH.

Each wing imports only those before it:

    configuration  statements (`schema`, `statements/`), values, the tree, its text forms, inheritance, constraints
    effect         what a committed tree asks of the machine half, who may log in, what a commit may change in use
    commit         candidate, running configuration and rollbacks; loading text; saving over a reboot
    shell          the command line: grammar, completion, pipes, commands and what they print
    login          root's shell, terminals, SSH, the console; `router` is the whole: `JunosRouter`
"""
