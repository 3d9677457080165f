"""What an update weighs that an edge device of NVIDIA FLARE sends: JSON, with every weight as text.

`nvflare.edge` turns a model's tensors into lists for the way down (`BuffModelManager`), and takes updates as lists. Counted is
the document alone, without HTTP. The numbers are rounded to float32 and then written as Python writes a float64, as they are
there.
"""

import json
import sys

import numpy as np
from nvflare.apis.dxo import DXO, DataKind

TENSORS = 10


def main(parameters: int) -> None:
    """Prints the bytes."""
    rng = np.random.default_rng(0)
    tensors = {f"t{i}": rng.normal(0, 0.01, parameters // TENSORS).astype(np.float32).tolist() for i in range(TENSORS)}
    update = DXO(data_kind=DataKind.WEIGHT_DIFF, data={"dict": tensors, "count": 1})
    print(json.dumps({"bytes_up": len(json.dumps(update.to_dict()))}))


if __name__ == "__main__":
    main(int(sys.argv[1]))
