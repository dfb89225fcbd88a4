"""The command ``spi``: one module a command, and the checks of their settings. Only here Hydra is imported."""
