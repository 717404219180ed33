"""How well a conversation finds its picture: ranks, metrics by turn, intervals, calibration, one report.

Called by the commands `score`, `report` and `fit`; it reads dialogues and never plays any.
"""
