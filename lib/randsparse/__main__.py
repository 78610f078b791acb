"""`python -m randsparse`."""

import sys

try:
    from randsparse.study.command_line import main
except KeyboardInterrupt:  # before there is anything to stop
    sys.exit(130)

if __name__ == "__main__":
    sys.exit(main())
