"""Settings of commands: types and ranges, unknown names, parts that fit together, resumed runs."""
