"""The foreground of the terminal (the screen's, not the satellite's) that a run was begun from."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence


class Foreground:
    """Whose keys are read and who gets Ctrl-C; nothing where this process's group does not have it.

    In a process namespace of its own a command does not see the group that it is in, so that a shell could
    not give the terminal back to it: dash ends with an error, bash leaves it to nobody.
    """

    def __init__(self) -> None:
        self._terminal, self._group = -1, os.getpgrp()
        try:
            terminal = os.open("/dev/tty", os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            return
        if os.tcgetpgrp(terminal) == self._group:
            self._terminal = terminal
        else:
            os.close(terminal)

    def lend(self, command: Sequence[str]) -> None:
        """Begin a group of our own with the foreground, if we are to become a shell that reads what is typed.

        All other commands stay in the group that they were begun in: Ctrl-C and Ctrl-Z are for all of it.
        """
        if self._terminal >= 0 and len(command) == 1 and os.path.basename(command[0]).endswith("sh"):
            os.setpgid(0, 0)
            self._give(os.getpgrp())

    def take_back(self) -> None:
        """Have it again, whoever had it last."""
        if self._terminal >= 0:
            self._give(self._group)

    def _give(self, group: int) -> None:
        # Who is not in the foreground would be stopped for it.
        before = signal.signal(signal.SIGTTOU, signal.SIG_IGN)
        try:
            os.tcsetpgrp(self._terminal, group)
        except OSError:
            # The terminal is gone, or the group is.
            pass
        finally:
            signal.signal(signal.SIGTTOU, before)
