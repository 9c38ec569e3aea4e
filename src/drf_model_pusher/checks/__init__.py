"""System checks: what is wrong with the project, and what to write instead."""
