"""How a call ends that its caller wanted no more of."""

GIVEN_UP = frozenset({"CANCELLED", "DEADLINE_EXCEEDED"})
