# No types: what counts is in turn.pxd. Compiled, because some of it runs in each poll round.
