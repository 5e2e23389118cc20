"""Where a path leads nowhere: the file that was probably meant."""

from __future__ import annotations

import os
from typing import Final

from dnnlang.diagnostics.suggest import closest

_MOST_SHOWN: Final = 5


def near_file(path: str, *endings: str) -> str:
    """Advice: the file with nearly that name, or the files in that folder that end in one of `endings`."""
    folder, name = os.path.split(path)
    try:
        names = sorted(os.listdir(folder or "."))
    except OSError:
        return f"there is no folder `{folder}`"
    near = closest(name, names)
    if near is not None:
        return f"did you mean `{os.path.join(folder, near)}`?"
    fitting = [os.path.join(folder, n) for n in names if n.endswith(endings)]
    if not fitting:
        return "a path starts in the folder where the command runs"
    more = ", …" if len(fitting) > _MOST_SHOWN else ""
    return f"there {'is' if len(fitting) == 1 else 'are'} {', '.join(f'`{n}`' for n in fitting[:_MOST_SHOWN])}{more}"
