"""`python -m barnstorm.jobctl`."""

from .main import main

main()
