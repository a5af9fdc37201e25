"""`python -m barnstorm_pilot`."""

import sys

from .main import main

sys.exit(main())
