"""Runs the Truss in a directory, in this process, as its author tries it."""

import sys

import truss

answer = truss.load(sys.argv[1]).predict({"input": [0.5] * 256})
assert answer == {"output": [0.5] * 256}, answer
