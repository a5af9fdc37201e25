"""`python -m barnstorm_server`."""

import sys

from .main import main

sys.exit(main())
