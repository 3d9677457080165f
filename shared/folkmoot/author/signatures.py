"""The functions of a program, traced: train, evaluate, infer, get_weights, set_weights.

All work on a fixed batch. The weights stand as `w0`, `w1`, ... in the order of the layout: arguments of `set_weights`, results
of `get_weights`. What `train` and `evaluate` give for an example is 0 where its weight is 0: padding counts nowhere.
"""

from collections.abc import Callable, Mapping

import tensorflow as tf

from folkmoot.author.draft import Draft
from folkmoot.author.gradients import BUILTIN
from folkmoot.author.tensors import Variable
from folkmoot.errors import UserFault

Functions = dict[str, tf.types.experimental.ConcreteFunction]
Results = Mapping[str, tf.Tensor]

# A batch of padding alone has weight 0, and 0 / TINY is 0: no step, where 0 / 0 would be no number.
TINY = 1e-12


class Holder(tf.Module):
    """The variables of a program, kept where a saved model looks for them."""

    def __init__(self, held: tuple[Variable, ...]) -> None:
        super().__init__()
        trained = [variable for variable in held if variable.tensor.role == "trained"]
        self.weights = [variable.value for variable in held]
        self.trained = [variable.value for variable in trained]
        self.names = [variable.tensor.name for variable in trained]
        # FedProx pulls towards the weights that the round began with: `set_weights` drops the anchor with them.
        self.anchors = [tf.Variable(tf.zeros_like(value), trainable=False) for value in self.trained]


def trace(draft: Draft, holder: Holder) -> Functions:
    """Gives the five functions.

    Raises UserFault where the loss does not depend on a trained variable, or its gradient cannot be said in builtins.
    """
    contract = draft.contract
    x = tf.TensorSpec((draft.batch, *contract.x_shape), contract.x_dtype, name="x")
    y = tf.TensorSpec((draft.batch, *contract.y_shape), contract.y_dtype, name="y")
    weight = tf.TensorSpec((draft.batch,), tf.float32, name="sample_weight")
    rates = [tf.TensorSpec([], tf.float32, name=name) for name in ("lr", "mu")]
    weights = [tf.TensorSpec(value.shape, tf.float32, name=f"w{i}") for i, value in enumerate(holder.weights)]
    return {
        "train": _concrete(_train(draft, holder), x, y, weight, *rates),
        "evaluate": _concrete(_evaluate(draft), x, y, weight),
        "infer": _concrete(lambda x: {"output": draft.model(x, training=False)}, x),
        "get_weights": _concrete(lambda: {f"w{i}": value.read_value() for i, value in enumerate(holder.weights)}),
        "set_weights": _concrete(_set_weights(holder), *weights),
    }


def _concrete(body: Callable[..., Results], *signature: tf.TensorSpec) -> tf.types.experimental.ConcreteFunction:
    # Without AutoGraph: there is nothing in the bodies for it to rewrite, and faults come out as they were raised.
    return tf.function(body, input_signature=signature, autograph=False).get_concrete_function()


def objective(draft: Draft, losses: tf.Tensor, sample_weight: tf.Tensor) -> tf.Tensor:
    """Gives what a step descends: the weighted mean loss, with the penalties of the model's regularisers. Scalar."""
    mean = tf.reduce_sum(sample_weight * losses) / tf.maximum(tf.reduce_sum(sample_weight), TINY)
    return tf.add_n([mean, *draft.model.losses])


def _train(draft: Draft, holder: Holder) -> Callable[..., Results]:
    """Gives one step: w - lr * (g + mu * (w - anchor)), g the gradient of the objective; results are from before it."""

    def train(x: tf.Tensor, y: tf.Tensor, sample_weight: tf.Tensor, lr: tf.Tensor, mu: tf.Tensor) -> Results:
        with tf.compat.v1.get_default_graph().gradient_override_map(BUILTIN):
            losses = draft.loss(y, draft.model(x, training=True))
            value = objective(draft, losses, sample_weight)
        gradients = tf.gradients(value, holder.trained)
        for name, weight, anchor, gradient in zip(holder.names, holder.trained, holder.anchors, gradients, strict=True):
            if gradient is None:
                raise UserFault(f"the loss does not depend on {name}: freeze its layer (trainable = False)")
            now = weight.read_value()
            weight.assign(now - lr * (gradient + mu * (now - anchor.read_value())))
        return {"loss": losses * _real(sample_weight)}

    return train


def _evaluate(draft: Draft) -> Callable[..., Results]:
    def evaluate(x: tf.Tensor, y: tf.Tensor, sample_weight: tf.Tensor) -> Results:
        output = draft.model(x, training=False)
        losses, real = draft.loss(y, output), _real(sample_weight)
        right = draft.correct(y, output) if draft.correct else tf.zeros_like(losses)
        return {"loss": losses * real, "correct": right * real}

    return evaluate


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


def _real(sample_weight: tf.Tensor) -> tf.Tensor:
    return tf.cast(sample_weight > 0, tf.float32)
