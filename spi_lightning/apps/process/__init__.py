"""What every command does around its work: mistakes in one line, signals, the folder of its job."""
