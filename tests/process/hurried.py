"""Pronghorn with less patience, for tests that would only wait: what takes it seconds takes tenths here.

    with running(site("1"), "--timeout", "1", command=HURRIED) as server: ...

All else is as with `python -m pronghorn`. The looks are more frequent, not shorter, so that a busy machine
has as long as ever to show a sign of life.
"""

import sys

from pronghorn.process import patience, vitals

patience.TICK = 0.1  # before anything imports it by name

from pronghorn.assemble import child  # noqa: E402
from pronghorn.cli import main  # noqa: E402
from pronghorn.serve import deadlines, drain, pulse  # noqa: E402

for module, name, seconds in (
    (vitals, "_ABORT", 0.3),
    (vitals, "_ALIVE", 1.0),
    (child, "_THREADS_MOMENT", 0.3),
    (pulse, "INTERVAL", 0.1),
    (deadlines, "GRACE", 0.5),
    (drain, "_IDLE_MOMENT", 0.2),
):
    getattr(module, name)  # one that has another name by now would hurry nothing
    setattr(module, name, seconds)

if __name__ == "__main__":
    sys.exit(main())
