"""Losses and measures of a single example, of operators that can be trained on a device."""

import tensorflow as tf


def cross_entropy(y: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Gives -log softmax(logits)[y]. `y`: [B] int32 labels, `logits`: [B, classes] float32; [B]."""
    return -tf.reduce_sum(tf.one_hot(y, logits.shape[-1]) * tf.nn.log_softmax(logits), axis=-1)


def squared_error(y: tf.Tensor, output: tf.Tensor) -> tf.Tensor:
    """Gives the mean of (y - output)^2 over the elements of each example. Both [B, ...] float32; [B]."""
    apart = y - tf.reshape(output, y.shape)
    return tf.reduce_mean(tf.reshape(apart * apart, [y.shape[0], -1]), axis=-1)


def top_class(y: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Gives 1.0 where the largest logit is that of the label, else 0.0. Shapes as for `cross_entropy`."""
    return tf.cast(tf.equal(tf.argmax(logits, axis=-1, output_type=tf.int32), y), tf.float32)
