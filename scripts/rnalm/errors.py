"""Wrong input ends in one line: what file, record or key, what is wrong, what to do."""

import functools
import sys


class InputError(Exception):
    """Something the user gave is wrong; nothing already made is touched.

    where:   file, record or key
    problem: what is wrong with it
    remedy:  what to do about it
    """

    def __init__(self, where, problem: str, remedy: str):
        super().__init__(" ".join(f"{where}: {problem}; {remedy}".split()))


def exits(main):
    """Decorate a command's `main`: an InputError prints one line and ends with exit code 2."""

    @functools.wraps(main)
    def command(*arguments, **named):
        try:
            return main(*arguments, **named)
        except InputError as error:
            print(f"error: {error}", file=sys.stderr)
            sys.exit(2)

    return command
