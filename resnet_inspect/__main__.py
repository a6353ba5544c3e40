"""python -m resnet_inspect"""

from resnet_inspect.cli import main

if __name__ == "__main__":
    main()
