"""What a load or a save does about what is there already."""

from typing import Literal

IfLocalExists = Literal["skip", "merge", "replace"]
IfStoredExists = Literal["skip", "refresh", "replace"]
