"""``python -m evermodel_runtime.hub``."""

from evermodel_runtime.hub import main

if __name__ == "__main__":
    raise SystemExit(main())
