"""The Junos half of an emulated router: configuration, command line, show output, SSH.

From the ground up (each module knows only those above it in this list):

    faults      what Junos prints when it refuses
    values      value types of statements and parameters: how they are checked, stored, shown and explained
    schema      what a statement is; `statements/` holds the statements themselves, as data
    tokens      a line cut into words with their columns
    tree        a configuration as a tree of statements
    paths       words into edits of the tree, and into help and completion
    render      the tree as curly text and as `set` lines; `compare` the difference of two; `curly` reads text back
    inherit     `groups` and `apply-groups`
    constraints what a commit refuses
    intent      a committed tree as the machine half's `Intent`
    datastore   candidate, running configuration, rollbacks, commit
    grammar     commands as data: parsing, abbreviations, help, completion
    pipes       `| match`, `| count`, …
    show        the text of operational commands
    commands    the operational and configuration commands themselves, as data, and what they do
    cli         one person's command line: mode, prompt, history
    editor      keys into lines
    server      SSH
    router      the whole: `JunosRouter`
"""
