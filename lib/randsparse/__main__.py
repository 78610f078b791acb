"""`python -m randsparse`."""

import sys

from randsparse.command_line import main

if __name__ == "__main__":
    sys.exit(main())
