"""The functions of a program, traced: train, evaluate, infer, get_weights, set_weights, reset and, where asked for, features.

All work on a fixed batch. The weights stand as `w0`, `w1`, ... in the order of the layout: arguments of `set_weights`, results
of `get_weights`. What `train` and `evaluate` give for an example is 0 where its weight is 0: padding counts nowhere.
"""

import re
from collections.abc import Callable, Mapping

import keras
import numpy as np
import tensorflow as tf

from folkmoot.author import layers, linter, losses
from folkmoot.author.draft import Draft
from folkmoot.author.operator import translated
from folkmoot.author.optimizers import Pace, Rule
from folkmoot.author.tensors import Variable
from folkmoot.errors import UserFault
from folkmoot.wire import bundle
from folkmoot.wire.bundle import Value

Function = tf.types.experimental.ConcreteFunction
Functions = dict[str, Function]
Results = Mapping[str, tf.Tensor]

# A batch of padding alone has weight 0, and 0 / TINY is 0: no step, where 0 / 0 would be no number.
TINY = 1e-12


class Holder(tf.Module):
    """The variables of a program, kept where a saved model looks for them."""

    def __init__(self, held: tuple[Variable, ...], optimizer: bundle.Optimizer) -> None:
        super().__init__()
        trained = [variable for variable in held if variable.trains]
        self.weights = [variable.value for variable in held]
        self.trained = [variable.value for variable in trained]
        self.names = [variable.tensor.name for variable in trained]
        # FedProx pulls towards the weights that the round began with: `set_weights` drops the anchor with them.
        self.anchors = [tf.Variable(tf.zeros_like(value), trainable=False) for value in self.trained]
        self.rule = Rule(optimizer, self.trained)
        self.memory = self.rule.memory


def trace(draft: Draft, holder: Holder) -> Functions:
    """Gives the functions.

    Raises UserFault where the loss does not depend on a trained variable, or its gradient cannot be said in builtins.
    """
    contract = draft.contract
    x = tf.TensorSpec((draft.batch, *contract.x_shape), contract.x_dtype, name="x")
    y = tf.TensorSpec((draft.batch, *contract.y_shape), contract.y_dtype, name="y")
    weight = tf.TensorSpec((draft.batch,), tf.float32, name="sample_weight")
    rates = [tf.TensorSpec([], tf.float32, name=name) for name in ("lr", "mu")]
    mask = tf.TensorSpec((len(holder.trained),), tf.float32, name="mask")
    seed = tf.TensorSpec([], tf.int32, name="seed")
    weights = [tf.TensorSpec(value.shape, tf.float32, name=f"w{i}") for i, value in enumerate(holder.weights)]
    with layers.traceable(draft.model):
        functions = {
            "infer": concrete(_apply("output", draft.model), x),
            "evaluate": concrete(_evaluate(draft), x, y, weight),
        }
        if draft.features:
            functions["features"] = concrete(_apply("features", _features(draft)), x)
        for function in functions.values():
            linter.check(function, draft.model)  # before the gradients: an operator without a builtin often has none either
        functions["train"] = concrete(_train(draft, holder), x, y, weight, *rates, mask, seed)
        linter.check(functions["train"], draft.model)
    functions["get_weights"] = concrete(lambda: {f"w{i}": value.read_value() for i, value in enumerate(holder.weights)})
    functions["set_weights"] = concrete(_set_weights(holder), *weights)
    functions["reset"] = concrete(_reset(holder))
    return functions


def described(functions: Functions) -> dict[str, bundle.Signature]:
    """Gives how a manifest describes the functions."""
    found = {}
    for name, function in functions.items():
        inputs = {spec.name: _value(spec) for spec in function.structured_input_signature[1].values()}
        inputs |= {spec.name: _value(spec) for spec in function.structured_input_signature[0]}
        outputs = {key: _value(spec) for key, spec in function.structured_outputs.items()}
        found[name] = bundle.Signature(inputs=inputs, outputs=outputs)
    return found


def _value(spec: tf.TensorSpec) -> Value:
    return Value(tuple(spec.shape), spec.dtype.name)


def concrete(body: Callable[..., Results], *signature: tf.TensorSpec) -> Function:
    """Gives a function traced for these inputs."""
    # Without AutoGraph: there is nothing in the bodies for it to rewrite, and faults come out as they were raised.
    return tf.function(body, input_signature=signature, autograph=False).get_concrete_function()


def objective(draft: Draft, each: tf.Tensor, sample_weight: tf.Tensor) -> tf.Tensor:
    """Gives what a step descends: the weighted mean loss, with the penalties of the model's regularisers. Scalar."""
    mean = tf.reduce_sum(sample_weight * each) / tf.maximum(tf.reduce_sum(sample_weight), TINY)
    return tf.add_n([mean, *draft.model.losses])


def _train(draft: Draft, holder: Holder) -> Callable[..., Results]:
    """Gives one step along the gradient of the objective plus mu * (w - anchor); results are from before it.

    `mask`: 1 for each trained tensor that moves, 0 for each that stays as it is. `seed`: of the step's random numbers.
    """
    loss = losses.loss(draft.loss, draft.contract)

    def train(*inputs: tf.Tensor) -> Results:
        x, y, sample_weight, lr, mu, mask, seed = inputs
        with translated(seed=seed, gradients=True):
            each = loss(y, draft.model(x, training=True))
            gradients = _gradients(objective(draft, each, sample_weight), holder.trained, draft.model)
        for name, gradient in zip(holder.names, gradients, strict=True):
            if gradient is None:
                raise UserFault(f"the loss does not depend on {name}: freeze its layer (trainable = False)")
        _move(holder, [tf.convert_to_tensor(one) for one in gradients], lr * mask, mu, mask)
        return {"loss": each * _real(sample_weight)}

    return train


def _gradients(value: tf.Tensor, trained: list[tf.Variable], model: keras.Model) -> list[tf.Tensor | None]:
    try:
        return tf.gradients(value, trained)
    except LookupError as error:
        name = re.search(r"operation ?'([^']+)'", str(error))
        op = value.graph.get_operation_by_name(name[1]) if name else None
        raise UserFault(linter.sentence([(op.type, op)], model) if op else str(error).splitlines()[0]) from None


def _move(holder: Holder, gradients: list[tf.Tensor], rates: tf.Tensor, mu: tf.Tensor, mask: tf.Tensor) -> None:
    """Takes the step. FedProx: Li et al., "Federated Optimization in Heterogeneous Networks", 2020, equation 2.

    `rates`: of each tensor, the learning rate or 0; `mask`: 1 or 0.
    """
    rule = holder.rule
    paces = map(Pace, tf.unstack(rates), tf.unstack(mask))
    step = rule.begin()
    for variable, anchor, gradient, pace in zip(holder.trained, holder.anchors, rule.clipped(gradients), paces, strict=True):
        value = variable.read_value()
        variable.assign(step(variable, value, gradient + mu * (value - anchor.read_value()), pace))


def _evaluate(draft: Draft) -> Callable[..., Results]:
    """Gives the loss of each example, and the sum of every metric over those that count."""
    loss, metrics = losses.loss(draft.loss, draft.contract), losses.metrics(draft.metrics, draft.contract)

    def evaluate(x: tf.Tensor, y: tf.Tensor, sample_weight: tf.Tensor) -> Results:
        with translated():
            output, real = draft.model(x, training=False), _real(sample_weight)
            sums = {name: tf.reduce_sum(metric(y, output) * real) for name, metric in metrics.items()}
            return {"loss": loss(y, output) * real, **sums}

    return evaluate


def _apply(name: str, model: keras.Model) -> Callable[..., Results]:
    def apply(x: tf.Tensor) -> Results:
        with translated():
            return {name: model(x, training=False)}

    return apply


def _features(draft: Draft) -> keras.Model:
    try:
        return keras.Model(draft.model.inputs, draft.model.get_layer(draft.features).output)
    except (ValueError, AttributeError):
        raise UserFault(f"{draft.task}: there is no layer {draft.features!r} whose output could be its features") from None


def _set_weights(holder: Holder) -> Callable[..., Results]:
    def set_weights(*values: tf.Tensor) -> Results:
        for variable, value in zip(holder.weights, values, strict=True):
            variable.assign(value)
        anchored = {id(variable): anchor for variable, anchor in zip(holder.trained, holder.anchors, strict=True)}
        for variable, value in zip(holder.weights, values, strict=True):
            if id(variable) in anchored:
                anchored[id(variable)].assign(value)
        return {"count": tf.constant(len(values))}  # a signature without results cannot be converted

    return set_weights


def _reset(holder: Holder) -> Callable[..., Results]:
    """Gives what makes the optimiser forget all steps so far."""

    def reset() -> Results:
        # 0, whatever the weight is. Constants would stand in the program in full, as large as the weights.
        some = tf.reshape(holder.anchors[0].read_value(), [-1])[0]
        zero = tf.cast(some > np.inf, tf.float32)
        for variable in holder.memory:
            variable.assign(tf.fill(variable.shape, zero))
        return {"count": tf.constant(len(holder.memory))}

    return reset


def _real(sample_weight: tf.Tensor) -> tf.Tensor:
    return tf.cast(sample_weight > 0, tf.float32)
