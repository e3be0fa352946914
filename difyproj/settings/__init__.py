"""Settings: ``base`` reads the environment, ``dev``, ``test`` and ``prod`` choose how strict to be about it."""
