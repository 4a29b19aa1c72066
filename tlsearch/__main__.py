"""`python -m tlsearch`."""

from tlsearch.cli import main

main()
