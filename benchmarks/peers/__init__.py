"""The scripts that have other systems do what ours does; each runs in an environment of its own (`.ci/peer NAME`).

They import nothing of Folkmoot and, from this folder, what needs the standard library and numpy alone. Each ends with one line
of JSON on stdout: its figures, under the names that ours have.
"""
