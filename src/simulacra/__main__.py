"""``python -m simulacra``, which is also what torchrun starts (``torchrun -m simulacra train``)."""

from .cli import main

if __name__ == "__main__":
    main()
