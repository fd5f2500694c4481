"""Drives any implementation of the chat from the outside: spawn, type, read, speak frames, cut
the wire. A check (tests/milestoneN) is a small play; this package is its stage.

    plugin.py      what pytest sees: options, the `chat` fixture, outcomes handed to the grader
    play.py        one play: server, actors, waiting with a deadline, settling, the story so far
    terminal.py    an actor who types into the client under test, on a pseudo-terminal
    wire.py        an actor who speaks frames or raw bytes to the server under test
    proxy.py       a recording relay between client and server, to count, cut and replay bytes
    screen.py      what a terminal's output means: prompts, names, tokens, whatever the wording
    process.py     start, watch and end programs, and whatever they leave behind
    kernel.py      what the operating system sees: sleeping tasks, socket queues, listeners
    failures.py    the ways in which a check can end
"""
