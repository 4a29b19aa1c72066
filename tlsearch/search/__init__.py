"""The search: the space, the study, the loop that asks and tells, the choice of the champion."""
