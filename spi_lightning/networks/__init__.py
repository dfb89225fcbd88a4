"""Neural networks as plain nn.Modules. They know nothing of Lightning, files or losses."""
