"""How good the downloaded model is on images that no device was dealt: on the TFLite runtime, in this process."""

from folkmoot.serve.program import runtime
from folkmoot.tasks.digits import Digits


def accuracy(tflite: bytes, images: Digits) -> float:
    """Gives the share of `images` that an inference program, one example in and one output out, gets right.

    Raises UserFault where no runtime is installed.
    """
    kit = runtime()
    # Without the delegate for large models, which announces itself on standard error.
    plain = kit.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = kit.Interpreter(model_content=tflite, num_threads=1, experimental_op_resolver_type=plain)
    interpreter.allocate_tensors()
    (given,), (found,) = interpreter.get_input_details(), interpreter.get_output_details()
    right = 0
    for x, y in zip(images.x, images.y, strict=True):
        interpreter.set_tensor(given["index"], x.reshape(given["shape"]))
        interpreter.invoke()
        right += int(interpreter.get_tensor(found["index"]).argmax() == y)
    return right / len(images)
