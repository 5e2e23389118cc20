"""`python -m dnnlang` is `dnnc`."""

import sys

from dnnlang.cli import main

sys.exit(main())
