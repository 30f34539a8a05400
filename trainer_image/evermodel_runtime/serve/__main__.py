"""``python -m evermodel_runtime.serve``."""

from evermodel_runtime.serve import main

if __name__ == "__main__":
    raise SystemExit(main())
