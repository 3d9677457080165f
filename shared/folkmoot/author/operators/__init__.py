"""Each file here is a family of operators, said in builtins (folkmoot.author.operator).

Notation: `x`, `w` and `y` are inputs, kernel and output of the operator, `dy` is the gradient of the loss by `y`.
"""
