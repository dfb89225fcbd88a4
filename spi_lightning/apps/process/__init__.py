"""Process of a command: mistakes in one line, the command line without Hydra, the folder of a job."""
