"""`python -m randsparse`."""

import sys

from randsparse.study.command_line import main

if __name__ == "__main__":
    sys.exit(main())
