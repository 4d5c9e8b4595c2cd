"""python -m slmkit, the same as the command slmkit."""

from slmkit.cli import main

if __name__ == "__main__":
    main()
