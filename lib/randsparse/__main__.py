"""`python -m randsparse`."""

import sys

from randsparse.study import main

if __name__ == "__main__":
    sys.exit(main())
