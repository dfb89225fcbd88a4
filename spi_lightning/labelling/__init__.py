"""Labels by hand: which frames teach most, the label file, and the local page on which frames are labelled.

Methods that learn from labels, and readers of label files, are elsewhere: ``methods`` and ``io``.
"""

from .label_file import LabelFile
from .server import LabelServer
from .session import LabelSession
from .teaching_order import TeachingOrder

__all__ = ["LabelFile", "LabelServer", "LabelSession", "TeachingOrder"]
