"""`python -m greenroom`."""

from greenroom.cli import main

main()
