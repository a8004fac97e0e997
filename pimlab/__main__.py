"""`python -m pimlab`: the command line."""

from pimlab.cli import main

raise SystemExit(main())
