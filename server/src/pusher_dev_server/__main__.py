"""``python -m pusher_dev_server``."""

from pusher_dev_server.cli import main

if __name__ == "__main__":
    main()
