"""python -m resnet_inspect"""

from __future__ import annotations

from resnet_inspect.cli.main import main

if __name__ == "__main__":
    main()
