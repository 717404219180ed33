"""Scoring every picture of an album against a text, a picture or a filter. Called by dialogue; knows nothing of events."""

from whichpic.search.base import Index, top
from whichpic.search.exact import Exact
from whichpic.search.filters import Filter
from whichpic.search.gallery import Gallery

__all__ = ["Exact", "Filter", "Gallery", "Index", "top"]
