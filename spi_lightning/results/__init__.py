"""Results of a run: one dataclass for each kind of answer and the files that hold them.

Written by evaluation, reconstruction and orientation, read by reports and users.
"""
