"""How long the master waits for what, in seconds; and how it says that it was interrupted."""

TICK = 1.0
AFTERMATH = 5.0
"""Seconds beyond its graceful timeout after which a worker is killed."""
YOUNG = 1.0
"""Seconds: a worker that dies after having served for less may do so again and again."""
INTERRUPTED = 130
"""Exit code: what a shell reports for a process that SIGINT ended."""
QUICK = 2.0
"""Seconds for a worker that was told to end at once."""
