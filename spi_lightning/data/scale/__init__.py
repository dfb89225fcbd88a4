"""Scale of the frames of a file from its hits, and the preprocessing that brings any detector to one scale."""
