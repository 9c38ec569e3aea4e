"""What several tests of the server share."""
