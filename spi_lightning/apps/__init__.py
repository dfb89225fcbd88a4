"""The commands: recipes over the packages below. The only place that knows Hydra."""
