"""`python -m barnstorm_harvester`."""

import sys

from .main import main

sys.exit(main())
