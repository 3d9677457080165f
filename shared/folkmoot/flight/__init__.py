"""The flight recorder: what comes into a node, as it comes, and the same node made to live through it again.

A node is a program without I/O (folkmoot.serve.driver): what it does follows from what it is handed, from the time, and from
what its disk told it. A recording holds these three; `folkmoot replay` hands them to the program once more, on any machine.
"""
