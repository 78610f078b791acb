"""`python -m randsparse`."""

import signal
import sys

try:
    from randsparse.study.command_line import main
except KeyboardInterrupt:  # before there is anything to stop
    sys.exit(130)

if __name__ == "__main__":
    status = main()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Python itself ends now: there is nothing left to stop
    sys.exit(status)
