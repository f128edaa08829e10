"""Wrong input ends in one line: what file, record or key, what is wrong, what to do.

So does what the system refuses, such as a full disk, memory that does not suffice, and a damaged Parquet file.
"""

import errno
import functools
import os
import re
import sys

MAKE_ROOM = "make room, then run again"
ANOTHER_PLACE = "change that, or name another place"
# What a user can do about an error of the system; any other is one of the program and keeps its traceback.
REMEDIES = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), MAKE_ROOM),
    **dict.fromkeys((errno.EROFS, errno.EACCES, errno.EPERM, errno.ENAMETOOLONG), ANOTHER_PLACE),
    **dict.fromkeys((errno.EEXIST, errno.ENOTDIR, errno.EISDIR), ANOTHER_PLACE),
}
# How torch says it, of a GPU and of a CPU.
NO_MEMORY = ("OutOfMemoryError", "can't allocate memory")
# How torch says that a checkpoint cannot be written to its end, without the system's number of the error.
CUT_OFF = ("PytorchStreamWriter failed", "unexpected pos")
INTERRUPTED = 130  # 128 and the number of SIGINT, as shells have it


class InputError(Exception):
    """Something the user gave is wrong; nothing already made is touched.

    where:   file, record or key
    problem: what is wrong with it
    remedy:  what to do about it
    """

    def __init__(self, where, problem: str, remedy: str):
        super().__init__(" ".join(f"{where}: {problem}; {remedy}".split()))


def exits(main):
    """Decorate a command's `main`: an InputError, or what `outside` knows, is one line and exit code 2."""

    @functools.wraps(main)
    def command(*arguments, **named):
        try:
            return main(*arguments, **named)
        except KeyboardInterrupt:
            print("interrupted", file=sys.stderr)
            sys.exit(INTERRUPTED)
        except Exception as error:
            known = error if isinstance(error, InputError) else outside(error)
            if known is None:
                raise
            print(f"error: {known}", file=sys.stderr)
            sys.exit(2)

    return command


def outside(error: Exception) -> InputError | None:
    """What the user is told where the cause of an error lies outside of the program; None for any other error."""
    number, file = getattr(error, "errno", None), getattr(error, "filename", None)
    if isinstance(error, MemoryError) or any(words in f"{type(error)} {error}" for words in NO_MEMORY):
        return InputError("memory", "is not enough for this", "leave out the longest sequences, or find more memory")
    for failure in (error, error.__context__):  # torch ends such a file after the first error, which fails, too
        if any(words in str(failure) for words in CUT_OFF):
            return InputError("a checkpoint", f"cannot be written ({' '.join(str(failure).split())[:200]})", MAKE_ROOM)
    # Neither has classes for these, only words.
    if type(error).__module__.startswith(("polars", "safetensors")):
        if "File out of specification" in str(error) and "(os error" not in str(error):
            return InputError("a Parquet file", f"is damaged ({error})", "find it by `rnalm verify`, make it again")
        found = re.search(r"\(os error (\d+)\)", str(error))
        number = found and int(found[1])
    if number not in REMEDIES:
        return None
    return InputError(file or "the output", f"cannot be written or read ({os.strerror(number)})", REMEDIES[number])
