"""The Junos half of an emulated router: configuration, command line, show output, SSH.

From the ground up:

    faults      what Junos prints when it refuses
    values      value types of statements and parameters: how they are checked, stored, shown and explained
    schema      what a statement is; `statements/` holds the statements themselves, as data
    tokens      a line cut into words with their columns
    tree        a configuration as a tree of statements
    paths       words into edits of the tree, and into help and completion
    render      the tree as curly text and as `set` lines; `compare` the difference of two; `loading` reads text back
    inherit     `groups` and `apply-groups`
    constraints what a commit refuses by the schema
    intent      a committed tree as the machine half's `Intent`; `policy` its routing policies
    runtime     what of a commit may hold for keychains in use
    datastore   candidate, running configuration, rollbacks, commit; `saving` keeps them over a reboot
    grammar     commands as data: parsing, abbreviations, help, completion
    show        the text of operational commands, as functions of states
    commands    the operational and configuration commands, as data, and what they do; `pipes` what may follow
    chassis     what all command lines of a router share; `syslog` its log, `redact` lines without secrets
    cli         one person's command line: mode, place, prompt; `completion` of the word being typed
    editor      keys into lines; `terminal` one channel: reading, running, paging, asking; `shell` root's prompt
    server      SSH
    router      the whole: `JunosRouter`
"""
