"""Clients that change every weight a little, which takes no time."""

import numpy as np
from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp

app = ClientApp()


@app.train()
def train(message: Message, context: Context) -> Message:
    """Gives an update as training would: chance differs from round to round, so that nothing is sent once and remembered."""
    rng = np.random.default_rng()
    arrays = [
        part + rng.normal(0, 0.01, part.shape).astype(np.float32) for part in message.content["arrays"].to_numpy_ndarrays()
    ]
    content = {"arrays": ArrayRecord(arrays), "metrics": MetricRecord({"num-examples": 100})}
    return Message(content=RecordDict(content), reply_to=message)
